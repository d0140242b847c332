"""Ids as text: a text file has no types, but the ids of a model do."""

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from skrec._cli._errors import CommandError


class TextIds:
    """Find ids written as text among known ids of any type.

    It compares whole numbers as numbers (007 is 7), and all other ids as text.

    Parameters
    ----------
    ids : ndarray of shape (n_ids,)
        Known ids.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec._cli._ids import TextIds
    >>> TextIds(np.array([7, 9])).find(["9", "007", "x"])
    array([ 1,  0, -1])
    """

    def __init__(self, ids):
        self._numbers = ids.dtype.kind in "iu"
        self._place = {self._key(text): place for place, text in enumerate(map(as_text, ids))}
        self._examples = [as_text(value) for value in ids[:3]]

    def find(self, texts):
        """Positions of ids.

        Parameters
        ----------
        texts : iterable of str

        Returns
        -------
        places : ndarray of intp of shape (n,)
            -1 for an unknown id.
        """
        return np.array([self._place.get(self._key(text), -1) for text in texts], dtype=np.intp)

    def describe(self):
        """The first known ids, for messages."""
        return ", ".join(self._examples)

    def _key(self, text):
        if not self._numbers:
            return text
        try:
            return int(text)
        except ValueError:
            return text


def as_text(value):
    """Write an id as text; bytes are decoded."""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="backslashreplace")
    return str(value)


class Found(NamedTuple):
    """Ids of a file, looked up.

    Attributes
    ----------
    ids : list of str
        As in the file.
    lines : list of int
        Line of each, from 1.
    places : ndarray of intp of shape (n,)
        -1 for an unknown id.
    """

    ids: list
    lines: list
    places: np.ndarray

    @property
    def unknown(self):
        """Places of the unknown ids within the file."""
        return np.flatnonzero(self.places < 0)

    def describe_unknown(self):
        """The line of the first unknown id, and its text with the number of further ones."""
        first, more = self.unknown[0], len(self.unknown) - 1
        rest = f" (and {more:,} more unknown ids)" if more else ""
        return self.lines[first], f"{self.ids[first]!r}{rest}"


def find_in_file(source, known, what):
    """Read ids, one a line, and look them up.

    Parameters
    ----------
    source : str
        Path of a text file, or "-" for standard input.
    known : TextIds
    what : {"user", "item"}
        For messages.

    Returns
    -------
    found : Found

    Raises
    ------
    CommandError
        If there is no id, or the file is not text.
    OSError
        If the file cannot be read.
    """
    ids, lines = read_ids(source, what)
    return Found(ids, lines, known.find(ids))


def read_ids(source, what):
    """Read ids, one a line; skip blank lines.

    Parameters
    ----------
    source : str
        Path of a text file, or "-" for standard input.
    what : {"user", "item"}
        For messages.

    Returns
    -------
    ids : list of str
        Without blanks around them.
    lines : list of int
        Line of each, from 1.

    Raises
    ------
    CommandError
        If there is no id, or the file is not text.
    OSError
        If the file cannot be read.
    """
    try:
        # utf-8-sig: spreadsheets put a mark at the start of the files that they export.
        text = sys.stdin.read() if source == "-" else Path(source).read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CommandError(f"{source} is not UTF-8 text: {error}.") from error
    except FileNotFoundError as error:
        raise CommandError(
            f"{source}: {error.strerror}; expected a file of {what} ids, one id a line."
        ) from error
    numbered = [(line.strip(), at) for at, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not numbered:
        raise CommandError(f"{source} has no {what} id; expected one id a line.")
    ids, lines = zip(*numbered, strict=True)
    return list(ids), list(lines)
