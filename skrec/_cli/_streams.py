"""Standard streams that are closed or full, or have no reader."""

import os
import sys

from skrec._cli._errors import CommandError

_closed = []  # streams that the parent has closed


def open_streams():
    """Open closed streams onto nothing: a job with --output may have no screen."""
    _closed.clear()
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            _closed.append(name)
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115


def check_stdout():
    """Check that standard output is open, before hours of computing.

    Raises
    ------
    CommandError
        If standard output is closed.
    """
    if "stdout" in _closed:
        raise CommandError("standard output is closed; write the result to a file with --output.")


def drop_output():
    """Point standard output at nothing, or Python's flush at exit would fail again."""
    try:
        number = sys.stdout.fileno()
    except (OSError, ValueError):  # a stream of the program that runs this one
        return
    os.dup2(os.open(os.devnull, os.O_WRONLY), number)
