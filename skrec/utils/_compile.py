"""Compiled kernels that need no writable folder; only modules of kernels import this module.

numba keeps compiled code beside the module, in the user's cache folder or in
``NUMBA_CACHE_DIR``. It raises if it can write none of them: in a container that runs as
another user, for a service without a home, from a read-only installation. It also raises
when the disk is full or a cached file is damaged. A cache is a convenience, so here none of
these errors stops a fit.
"""

import contextlib
import functools
import multiprocessing
import os
import stat
import tempfile
import threading
import warnings

import numba
import numpy as np
from llvmlite import ir
from numba.core.caching import FunctionCache
from numba.core.dispatcher import Dispatcher
from numba.extending import intrinsic

from skrec.utils._parallel import lock_across_forks

__all__ = ["eight_bytes", "njit"]

_LOCK = lock_across_forks()
_WARNED = threading.Event()


def njit(function=None, *, cache=False, **options):
    """Compile a function as `numba.njit` does, whether or not its code can be cached.

    Parameters
    ----------
    function : callable, default=None
        None if the decorator is called with arguments.
    cache : bool, default=False
        Whether to keep the compiled code for the next process: in numba's own place, else in
        a subfolder of the temporary folder that only this user can read and write. If neither
        can be written, each process compiles again, and the first kernel of the main process
        warns.
    **options
        Further options of `numba.njit`, such as ``nogil=True``.

    Returns
    -------
    kernel : callable
        The compiled function, or a decorator if `function` is None.
    """
    if function is None:
        return lambda function: njit(function, cache=cache, **options)
    kernel = numba.njit(**options)(function)
    if not isinstance(kernel, Dispatcher):  # NUMBA_DISABLE_JIT returns the plain function
        return _in_python(function)
    if cache:
        found = _find_cache(function)
        if found is not None:
            kernel._cache = found
    return kernel


def _in_python(function):
    """The plain function, with integers that wrap around silently as in compiled code."""

    @functools.wraps(function)
    def kernel(*arguments, **named):
        with np.errstate(over="ignore"):
            return function(*arguments, **named)

    return kernel


@intrinsic
def _load_eight_bytes(typingctx, data, place):
    def code(context, builder, signature, arguments):
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        pointer = builder.gep(array.data, [arguments[1]])
        return builder.load(builder.bitcast(pointer, ir.IntType(64).as_pointer()), align=1)

    return numba.uint64(data, numba.int64), code


def _eight_bytes(data, place):
    """Eight bytes of an array of bytes as one word; `place` need not be a multiple of eight.

    For kernels only. The function checks no bounds.

    Parameters
    ----------
    data : ndarray of uint8 of shape (n,)
    place : int
        Index of the first byte, at most n - 8.

    Returns
    -------
    word : uint64
    """
    return data[place : place + 8].view(np.uint64)[0]


# The intrinsic runs only in compiled code; NUMBA_DISABLE_JIT needs a function in Python.
eight_bytes = _eight_bytes if numba.config.DISABLE_JIT else _load_eight_bytes


class _ForgivingCache(FunctionCache):
    """A cache whose failures cost only time."""

    def load_overload(self, sig, target_context):
        try:
            return super().load_overload(sig, target_context)
        # A damaged file can raise whatever pickle raises, which is nearly everything.
        except Exception as error:
            self._mend(error)
            return None

    def save_overload(self, sig, data):
        try:
            super().save_overload(sig, data)
        except Warning:  # numba: this function can never be cached
            raise
        except Exception as error:
            self.disable()
            _warn_once(f"the folder {self.cache_path} cannot be written ({error})")

    def _mend(self, error):
        """Begin a new index, so that the code is stored again."""
        try:
            self.flush()
        except OSError:
            self.disable()
            _warn_once(f"the folder {self.cache_path} cannot be read ({error})")


def _find_cache(function):
    with _LOCK:
        try:
            if _has_cache_home():
                return _ForgivingCache(function)
        # numba raises RuntimeError without a writable place; OSError: the source is missing.
        except (RuntimeError, OSError):
            pass
        folder = _private_folder()
        found = None if folder is None else _cache_in(folder, function)
    if found is None:
        _warn_once("no folder for them can be written")
    return found


def _has_cache_home():
    """Whether the cache folder that numba would use belongs to the user.

    For a user without HOME and without an entry in the password file, "~" is not the home
    folder but a name in the working directory.
    """
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~")
    return bool(numba.config.CACHE_DIR) or os.path.isabs(home)


def _cache_in(folder, function):
    given = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = folder
    try:
        return _ForgivingCache(function)
    except (RuntimeError, OSError):
        return None
    finally:
        numba.config.CACHE_DIR = given


@functools.cache
def _private_folder():
    """A folder in the temporary folder that no other user can write, or None.

    The process will run the cached code, so it must not use a folder that another user has
    made or can replace.
    """
    if not hasattr(os, "getuid"):  # on Windows a user's folders are always there
        return None
    try:
        parent = tempfile.gettempdir()
        # Python's last resort is the working directory, which must not become a cache.
        if os.path.samefile(parent, os.getcwd()) or not _is_safe(os.stat(parent)):
            return None
        folder = os.path.join(parent, f"skrec-numba-{os.getuid()}")
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, 0o700)
        state = os.lstat(folder)
    except OSError:
        return None
    is_own = stat.S_ISDIR(state.st_mode) and state.st_uid == os.getuid()
    return folder if is_own and not state.st_mode & 0o077 else None


def _is_safe(state):
    """Whether no other user can rename this user's files in a folder."""
    if state.st_uid not in (0, os.getuid()):
        return False
    return not state.st_mode & 0o022 or bool(state.st_mode & stat.S_ISVTX)


def _warn_once(cause):
    # Each worker process would repeat the warning of its parent.
    if _WARNED.is_set() or multiprocessing.current_process().name != "MainProcess":
        return
    _WARNED.set()
    warnings.warn(
        f"Compiled kernels are not cached, so the next process will compile them again: {cause}. "
        "To save that time, set the environment variable NUMBA_CACHE_DIR to a folder that this "
        "user can write.",
        stacklevel=2,
    )
