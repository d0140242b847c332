"""Files that are written whole or not at all."""

import errno
import functools
import hashlib
import io
import os
import re
import secrets
import socket
import time
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["abandoned_parts", "atomic_file", "atomic_text", "name_of_part", "new_part"]

# A file that is not whole tells which process writes it: ".NAME.MACHINE-PROCESS-RANDOM.part".
_PART = re.compile(r"\.(.+)\.([0-9a-f]{8})-(\d+)-[0-9a-f]{16}\.part", re.DOTALL)
# After so many seconds without a change it is nobody's, whatever its name says.
_DAY = 86_400


@contextmanager
def atomic_file(path, *, replace=True):
    """Open a binary file that takes its place only when it is complete.

    The file is written under another name in the same folder, forced to the disk and then
    renamed. If anything fails, or the process is interrupted, an older file stays as it was. What
    a killed process has left beside it is removed.

    Parameters
    ----------
    path : str or path-like
        Its folder must exist. A new file has the permissions that the umask (or the folder's
        default access list) gives.
    replace : bool, default=True
        Whether it takes the place of a file that has this name when it is complete.

    Yields
    ------
    file : binary file
        Open for writing; it can seek.

    Raises
    ------
    FileExistsError
        Without `replace`, if there is such a file; it stays.
    OSError
        If the folder does not exist, or the file cannot be written.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"Cannot write {path}: the folder {path.parent} does not exist. Make it first."
        )
    for part in abandoned_parts(path.parent):  # names of files often carry a date
        with suppress(OSError):  # another process may do the same
            part.unlink()
    temporary = new_part(path)
    try:
        # "x" makes the file with the permissions of any new file; tempfile's are private.
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if replace:
            os.replace(temporary, path)
        else:
            _name_once(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None and error.errno is not None:
            error.filename = str(path)  # a full disk does not say which file was written
        raise


def _name_once(part, path):
    """Give a whole file its name, unless there is a file of that name."""
    try:
        os.link(part, path)  # a rename would replace what another process has written
    except FileExistsError:
        raise
    except OSError:  # not every file system has links
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        os.replace(part, path)
    else:
        part.unlink()


@contextmanager
def atomic_text(path):
    """As `atomic_file`, for text.

    Parameters
    ----------
    path : str or path-like

    Yields
    ------
    file : text file
        UTF-8, without translation of line ends.
    """
    with atomic_file(path) as binary:
        file = io.TextIOWrapper(binary, "utf-8", newline="")
        yield file
        file.flush()
        file.detach()  # `binary` is closed after it was forced to the disk


def new_part(path):
    """A name, in the same folder and not taken, for a file that is not yet whole.

    Parameters
    ----------
    path : pathlib.Path
        The file that it will be.

    Returns
    -------
    part : pathlib.Path
    """
    return path.with_name(
        f".{path.name[:50]}.{_machine()}-{os.getpid()}-{secrets.token_hex(8)}.part"
    )


def name_of_part(name):
    """The name that a file gets when it is whole (of long ones the beginning); None of others."""
    match = _PART.fullmatch(name)
    return None if match is None else match[1]


def abandoned_parts(folder, of=None):
    """What processes that have ended left in a folder of files that never became whole.

    Parameters
    ----------
    folder : pathlib.Path
    of : pathlib.Path, default=None
        The file that it should become; None: any.

    Returns
    -------
    parts : list of pathlib.Path
        Those of this machine whose process is no more; others, of another machine that shares
        the folder, after a day without a change.
    """
    found = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = _PART.fullmatch(entry.name)
            if match is None or (of is not None and match[1] != of.name[:50]):
                continue
            is_gone = match[2] == _machine() and not _runs(int(match[3]))
            with suppress(OSError):
                if is_gone or time.time() - entry.stat().st_mtime > _DAY:
                    found.append(Path(entry.path))
    return found


def _runs(process):
    if os.name != "posix":  # elsewhere the question would end the process
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # it is another user's
        return True
    return True


@functools.cache
def _machine():
    """Eight digits for what numbers its processes: a machine since its start, or a container."""
    names = [socket.gethostname()]
    with suppress(OSError):
        names.append(Path("/proc/sys/kernel/random/boot_id").read_text())
        names.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:8]
