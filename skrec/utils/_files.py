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

# The name of an unfinished file names its process: ".NAME.MACHINE-PROCESS-RANDOM.part".
_PART = re.compile(r"\.(.+)\.([0-9a-f]{8})-(\d+)-[0-9a-f]{16}\.part", re.DOTALL)
# After this many seconds without a change an unfinished file counts as abandoned.
_DAY = 86_400


@contextmanager
def atomic_file(path, *, replace=True):
    """Open a binary file that gets its name only when it is complete.

    The file is written under another name in the same folder, forced to the disk and then
    renamed. If anything fails, or the process is interrupted, an older file stays unchanged.
    Unfinished files of killed processes in that folder are removed.

    Parameters
    ----------
    path : str or path-like
        Its folder must exist. A new file gets its permissions from the umask (or from the
        folder's default access list).
    replace : bool, default=True
        Whether to replace an existing file of this name.

    Yields
    ------
    file : binary file
        Open for writing and seekable.

    Raises
    ------
    FileExistsError
        If `replace` is False and the file exists; the file stays unchanged.
    OSError
        If the folder does not exist, or the file cannot be written.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"Cannot write {path}: the folder {path.parent} does not exist. Create it first."
        )
    for part in abandoned_parts(path.parent):  # of any file: names of files often carry a date
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
            error.filename = str(path)  # the error of a full disk names no file
        raise


def _name_once(part, path):
    """Give a complete file its name, unless a file with that name exists."""
    try:
        os.link(part, path)  # a rename would replace the file of another process
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
        UTF-8; line ends are not translated.
    """
    with atomic_file(path) as binary:
        file = io.TextIOWrapper(binary, "utf-8", newline="")
        yield file
        file.flush()
        file.detach()  # `binary` is closed after it was forced to the disk


def new_part(path):
    """A new name in the same folder for an unfinished file.

    Parameters
    ----------
    path : pathlib.Path
        Name of the finished file.

    Returns
    -------
    part : pathlib.Path
    """
    return path.with_name(
        f".{path.name[:50]}.{_machine()}-{os.getpid()}-{secrets.token_hex(8)}.part"
    )


def name_of_part(name):
    """The name that an unfinished file will get (cut to 50 characters); None for other files."""
    match = _PART.fullmatch(name)
    return None if match is None else match[1]


def abandoned_parts(folder, of=None):
    """Unfinished files in a folder, left by processes that have ended.

    Parameters
    ----------
    folder : pathlib.Path
    of : pathlib.Path, default=None
        Name of the finished file; None: any file.

    Returns
    -------
    parts : list of pathlib.Path
        Files of this machine whose process has ended, and files, also of other machines that
        share the folder, without a change for a day.
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
    if os.name != "posix":  # elsewhere os.kill would end the process
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # the process belongs to another user
        return True
    return True


@functools.cache
def _machine():
    """Eight hex digits that identify a running machine, or container, and its process ids."""
    names = [socket.gethostname()]
    with suppress(OSError):
        names.append(Path("/proc/sys/kernel/random/boot_id").read_text())
        names.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:8]
