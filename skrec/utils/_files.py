"""Files that are written whole or not at all."""

import io
import os
import secrets
from contextlib import contextmanager
from pathlib import Path

__all__ = ["atomic_file", "atomic_text"]


@contextmanager
def atomic_file(path):
    """Open a binary file that takes its place only when it is complete.

    The file is written under another name in the same folder, forced to the disk and then
    renamed. If anything fails, or the process is interrupted, an older file stays as it was.

    Parameters
    ----------
    path : str or path-like
        Its folder must exist. A new file has the permissions that the umask (or the folder's
        default access list) gives.

    Yields
    ------
    file : binary file
        Open for writing; it can seek.

    Raises
    ------
    OSError
        If the folder does not exist, or the file cannot be written.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"Cannot write {path}: the folder {path.parent} does not exist. Make it first."
        )
    temporary = path.with_name(f".{path.name[:50]}.{secrets.token_hex(8)}.part")
    try:
        # "x" makes the file with the permissions of any new file; tempfile's are private.
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None and error.errno is not None:
            error.filename = str(path)  # a full disk does not say which file was written
        raise


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
