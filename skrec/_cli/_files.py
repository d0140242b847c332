"""Output files: refused before the work starts, written whole or not at all."""

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

from skrec._cli._errors import CommandError


def check_output(path, option, suffixes=()):
    """Check that a file can be written, before hours are spent on what goes into it.

    Parameters
    ----------
    path : str or None
        None, where the option was not given, passes.
    option : str
        Name of the option for messages: "--output".
    suffixes : tuple of str, default=()
        Endings one of which the name must have; empty allows any.

    Returns
    -------
    path : pathlib.Path or None

    Raises
    ------
    CommandError
        If the folder does not exist or is not writable, if the path is a folder, or if
        the name has another ending.
    """
    if path is None:
        return None
    path = Path(path)
    if path.is_dir():
        raise CommandError(f"{option} {path} is a folder; expected the name of a file.")
    if not path.parent.is_dir():
        raise CommandError(
            f"{option} {path}: the folder {path.parent} does not exist; make it first."
        )
    if not os.access(path.parent, os.W_OK):
        raise CommandError(f"{option} {path}: the folder {path.parent} is not writable.")
    if suffixes and path.suffix.lower() not in suffixes:
        raise CommandError(f"{option} {path}: the name must end in {' or '.join(suffixes)}.")
    return path


@contextmanager
def atomic_text(path):
    """Open a text file that takes its place only when it is complete.

    Parameters
    ----------
    path : pathlib.Path
        An older file there stays as it was if anything fails.

    Yields
    ------
    file : text file
        UTF-8, without translation of line ends.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes private files; a result has the rights any new file gets.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
