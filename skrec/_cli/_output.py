"""Output for the user: files, labelled facts, and the present step."""

import os
import sys
import textwrap
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from skrec._cli._errors import CommandError

_WIDTH = 100  # of lines of text


def check_output(path, option, suffixes=()):
    """Check that a file can be written, before hours of computing its content.

    Parameters
    ----------
    path : str or None
        None, if the option was not given, passes.
    option : str
        Name of the option for messages: "--output".
    suffixes : tuple of str, default=()
        Allowed endings of the name; empty allows any.

    Returns
    -------
    path : pathlib.Path or None

    Raises
    ------
    CommandError
        If the folder does not exist or is not writable, if the path is a folder or
        ends in a slash, or if the name has another ending.
    """
    if path is None:
        return None
    path, slash = Path(path), str(path).endswith(("/", os.sep))
    if slash or path.is_dir():
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


def format_facts(facts):
    """Format labelled facts, a label and its text a line, wrapped.

    Parameters
    ----------
    facts : list of (str, str)

    Returns
    -------
    text : str
        Ends in a line break.
    """
    width = max(len(label) for label, _ in facts) + 2
    lines = [
        textwrap.fill(
            text,
            max(_WIDTH, width + 40),
            initial_indent=label.ljust(width),
            subsequent_indent=" " * width,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for label, text in facts
    ]
    return "\n".join(lines) + "\n"


def progress_bar(total, unit):
    """A progress bar that vanishes at the end; nothing if stderr is not a terminal."""
    return tqdm(total=total, file=sys.stderr, disable=None, leave=False, unit=unit)


@contextmanager
def status(text):
    """Show the present step while it takes; nothing if stderr is not a terminal."""
    with tqdm(total=0, file=sys.stderr, disable=None, leave=False, bar_format="{desc}") as line:
        line.set_description_str(text)
        yield
