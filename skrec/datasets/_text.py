"""The careful reader of text files, which counts and reports bad lines."""

import csv
import io
import re
from itertools import islice
from math import isfinite, nan
from typing import NamedTuple

import numpy as np

from skrec._log._entries import to_number
from skrec._log._times import as_timestamps
from skrec.datasets._delimiter import split_lines
from skrec.datasets._files import open_binary, plain_errors
from skrec.datasets._guess import ROLES
from skrec.datasets._layout import with_bom

__all__ = ["RawLog", "careful_blocks", "is_missing", "value_name"]

_MISSING = {"", "nan", "null", "none", "\\n", "<na>", "nat"}
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+")
_SHOWN = 5  # how many line numbers a message shows


class RawLog(NamedTuple):
    """Columns of a file: codes, distinct ids as text, numbers, name of the value column."""

    user: np.ndarray
    user_ids: list
    item: np.ndarray
    item_ids: list
    value: np.ndarray | None
    timestamp: np.ndarray | None
    value_name: str | None
    n_dropped: int = 0


def careful_blocks(path, layout, *, drop_missing, n_lines):
    """Read a file line by line, and yield blocks of lines.

    Parameters
    ----------
    path : pathlib.Path
    layout : Layout
    drop_missing : bool
        Leave out lines that lack an id, value or time. If False, such lines are an error.
    n_lines : int or None
        Number of lines of a block; None: a single block.

    Yields
    ------
    log : RawLog
        Each block has its own ids. The last block may be empty.

    Raises
    ------
    ValueError
        Names the file, the first bad line (from 1), what it holds, what is expected and a
        remedy, and counts the bad lines of each kind. It is raised after the last line, and
        makes the blocks yielded before useless.
    """
    reader = _Reader(path, layout, drop_missing)
    with plain_errors(path), open_binary(path) as binary:
        # Bytes that are not text matter only in ids. They are decoded as lone surrogates.
        text = io.TextIOWrapper(
            binary, with_bom(layout.encoding), errors="surrogateescape", newline=""
        )
        header = layout.header
        for line, row in _numbered_rows(reader, text):
            if row and header:
                header = False
            elif row:
                reader.add(line, row)
                if len(reader.codes[0]) == n_lines:
                    log = reader.take()
                    if reader.message is None:
                        yield log
    reader.check()
    yield reader.take()


class _Reader:
    """Gathers the columns of the lines, and the errors of bad lines."""

    def __init__(self, path, layout, drop_missing):
        self.path, self.layout, self.drop_missing = path, layout, drop_missing
        self.used = [place for place in layout.places if place is not None]
        self._begin()
        self.message = None  # about the first bad line
        self.bad = {}  # kind of error -> line numbers

    def _begin(self):
        self.ids = ({}, {})
        self.codes = ([], [])
        self.numbers = ([], [])
        self.n_dropped = 0

    def add(self, line, row):
        """Add the fields of a line."""
        names, places = self.layout.names, self.layout.places
        if len(row) != len(names):
            self.refuse(
                line, "another number of fields", f"{len(row)} fields {_shorten(row)}",
                f"{len(names)}, like the first line, one interaction per line",
                "mend the line, or pass delimiter= or quotechar=",
            )  # fmt: skip
            return
        if self.drop_missing and any(is_missing(row[place].strip(" ")) for place in self.used):
            self.n_dropped += 1
            return
        for side in (0, 1):
            text = row[places[side]].strip(" ")
            code = self.ids[side].get(text)
            if code is None and self._is_good_id(line, side, text):
                code = self.ids[side][text] = len(self.ids[side])
            self.codes[side].append(code)
        if places[2] is not None:
            self.numbers[0].append(self._value(line, names[places[2]], row[places[2]]))
        if places[3] is not None:
            self.numbers[1].append(self._time(line, names[places[3]], row[places[3]]))

    def refuse(self, line, kind, found, expected, remedy):
        """Note a bad line."""
        if self.message is None:
            self.message = (
                f"{self.path}, line {line}: found {found}, expected {expected}; {remedy}."
            )
        lines = self.bad.setdefault(kind, [])
        if not lines or lines[-1] != line:  # both ids of a line may be bad in the same way
            lines.append(line)

    def _is_good_id(self, line, side, text):
        if is_missing(text):
            self.refuse(
                line, f"no {ROLES[side]} id", f"no {ROLES[side]} id ({text!r})",
                "an id in every line",
                "drop the line, or pass drop_missing=True to leave such lines out; if it is a "
                "real id, read the file yourself and use skrec.preprocessing.InteractionEncoder",
            )  # fmt: skip
            return False
        encoding = self.layout.encoding
        if not _is_text(text):
            self.refuse(
                line, f"bytes that are not {encoding}",
                f"bytes that are not {encoding} in {text!r}",
                f"text in {encoding}", "pass the right encoding=, such as encoding='latin-1'",
            )  # fmt: skip
            return False
        if "\0" in text:
            self.refuse(
                line, "a NUL byte", f"a NUL byte in {text!r}", "text",
                "write the file again, or pass the right encoding=",
            )  # fmt: skip
            return False
        return True

    def _value(self, line, name, text):
        try:
            number = to_number(text, self.layout.decimal)
        except ValueError:
            number = nan
        if isfinite(number):
            return number
        remedy = "mend or drop the line, or pass value= the right column (None for no values)"
        if is_missing(text.strip(" ")):
            remedy += ", or drop_missing=True to leave such lines out"
        elif self.layout.decimal == "." and "," in text and "." not in text:
            remedy = "numbers with a decimal comma are read with decimal=','"
            if _THOUSANDS.fullmatch(text.strip()):
                remedy = f"write thousands without a mark; {remedy}"
        self.refuse(
            line, f"no finite number in {name!r}", f"{text!r} in {name!r}", "a finite number",
            remedy,
        )  # fmt: skip
        return None

    def _time(self, line, name, text):
        try:
            time = self.layout.form.parse(text)
        except (ValueError, OverflowError):
            time = nan
        if isfinite(time):
            return time
        remedy = "mend or drop the line, or pass timestamp= the right column (None for no times)"
        if is_missing(text.strip(" ")):
            remedy += ", or drop_missing=True to leave such lines out"
        else:
            remedy += f"; {self.layout.form.remedy}"
        self.refuse(
            line, f"no time in {name!r}", f"{text!r} in {name!r}",
            self.layout.form.expected, remedy,
        )  # fmt: skip
        return None

    def check(self):
        """Raise a ValueError if a line was bad."""
        if self.message is not None:
            raise ValueError(self.message + self._summary())

    def take(self):
        """The log of the lines since the last call; None if a line was bad."""
        ids, codes, numbers, n_dropped = self.ids, self.codes, self.numbers, self.n_dropped
        self._begin()
        if self.message is not None:
            return None
        places = self.layout.places[2:]
        value, timestamp = (
            None if place is None else np.array(column, dtype=None if column else np.float64)
            for place, column in zip(places, numbers, strict=True)
        )
        timestamp = None if timestamp is None else as_timestamps(timestamp)
        return RawLog(
            np.array(codes[0], dtype=np.intp), list(ids[0]),
            np.array(codes[1], dtype=np.intp), list(ids[1]),
            value, timestamp, value_name(self.layout), n_dropped,
        )  # fmt: skip

    def _summary(self):
        if sum(map(len, self.bad.values())) == 1:
            return ""
        parts = []
        for kind, lines in self.bad.items():
            shown = ", ".join(map(str, lines[:_SHOWN])) + (", ..." if len(lines) > _SHOWN else "")
            many = len(lines) > 1
            parts.append(
                f"{len(lines)} line{'s have' if many else ' has'} {kind} "
                f"(line{'s' if many else ''} {shown})"
            )
        return f" In total, {'; '.join(parts)}."


def value_name(layout):
    """Name of the value column; "value" without a header; None without such a column."""
    place = layout.places[2]
    if place is None:
        return None
    return layout.names[place] if layout.header else "value"


def is_missing(text):
    """Whether a text means a missing id."""
    return text.lower() in _MISSING


def _numbered_rows(reader, text):
    path, layout = reader.path, reader.layout
    line = 0
    try:
        for _ in islice(text, layout.preamble):
            line += 1
        for number, row in split_lines(text, layout.delimiter, layout.quotechar):
            line = layout.preamble + number
            yield line, row
    except csv.Error as error:
        reader.refuse(
            line + 1, "quotes that do not match", f"quotes that do not match ({error})",
            "quotes in pairs", "mend the line, or pass quotechar=None if quotes have no meaning",
        )  # fmt: skip
    except UnicodeError as error:
        raise ValueError(
            f"{path}, after line {line}: found bytes that are not {layout.encoding} ({error}); "
            "pass the right encoding=."
        ) from error


def _is_text(value):
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shorten(row):
    text = repr(row)
    return text if len(text) <= 100 else text[:97] + "..."
