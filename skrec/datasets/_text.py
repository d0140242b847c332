"""The careful reader of text files: it names the first bad line."""

import csv
import io
from typing import NamedTuple

import numpy as np

from skrec._log._columns import as_timestamps, parse_time
from skrec.datasets._layout import ROLES, open_binary, split_lines, to_number, with_bom

__all__ = ["RawLog", "is_missing", "read_carefully", "value_name"]

_MISSING = {"", "nan", "null", "none", "\\n", "<na>", "nat"}


class RawLog(NamedTuple):
    """Columns of a file: codes and distinct ids as text, numbers, the value's name."""

    user: np.ndarray
    user_ids: list
    item: np.ndarray
    item_ids: list
    value: np.ndarray | None
    timestamp: np.ndarray | None
    value_name: str | None


def read_carefully(path, layout):
    """Read a file line by line; the first bad line raises.

    Parameters
    ----------
    path : pathlib.Path
    layout : Layout

    Returns
    -------
    log : RawLog

    Raises
    ------
    ValueError
        Names file, line (from 1), what was found, what is expected and a remedy.
    """
    ids = ({}, {})
    codes = ([], [])
    numbers = ([], [])
    n_fields, header = len(layout.names), layout.header
    readers = tuple(zip((0, 1), layout.places[2:], (_read_number, _read_time), strict=True))
    with open_binary(path) as binary:
        # Bytes that are no text matter only in ids; they come through as lone surrogates.
        text = io.TextIOWrapper(
            binary, with_bom(layout.encoding), errors="surrogateescape", newline=""
        )
        for line, row in _numbered_rows(path, text, layout):
            if not row:
                continue
            if header:
                header = False
                continue
            if len(row) != n_fields:
                raise _bad_line(
                    path, line, f"{len(row)} fields {_shorten(row)}",
                    f"{n_fields}, like the first line",
                    "mend the line, or pass delimiter= or quotechar=",
                )  # fmt: skip
            for side, place in enumerate(layout.places[:2]):
                value = row[place].strip(" ")
                if is_missing(value):
                    raise _bad_line(
                        path, line, f"no {ROLES[side]} id ({value!r})", "an id in every line",
                        "drop the line; if it is a real id, read the file yourself and use "
                        "skrec.preprocessing.InteractionEncoder",
                    )  # fmt: skip
                if not _is_text(value):
                    raise _bad_line(
                        path, line, f"bytes that are not {layout.encoding} in {value!r}",
                        f"text in {layout.encoding}", "pass the right encoding=, such as 'latin-1'",
                    )  # fmt: skip
                codes[side].append(ids[side].setdefault(value, len(ids[side])))
            for which, place, read in readers:
                if place is not None:
                    numbers[which].append(read(path, line, layout.names[place], row[place]))
    value, timestamp = (
        None if place is None else np.array(column, dtype=None if column else np.float64)
        for place, column in zip(layout.places[2:], numbers, strict=True)
    )
    timestamp = None if timestamp is None else as_timestamps(timestamp)
    return RawLog(
        np.array(codes[0], dtype=np.intp), list(ids[0]),
        np.array(codes[1], dtype=np.intp), list(ids[1]),
        value, timestamp, value_name(layout),
    )  # fmt: skip


def value_name(layout):
    """Name of the value column; "value" without a header; None without such a column."""
    place = layout.places[2]
    if place is None:
        return None
    return layout.names[place] if layout.header else "value"


def is_missing(text):
    """Whether the text of an id stands for none."""
    return text.lower() in _MISSING


def _bad_line(path, line, found, expected, remedy):
    return ValueError(f"{path}, line {line}: found {found}, expected {expected}; {remedy}.")


def _read_number(path, line, name, text):
    try:
        number = to_number(text)
    except ValueError:
        number = np.nan
    if not np.isfinite(number):
        raise _bad_line(
            path, line, f"{text!r} in {name!r}", "a finite number",
            "mend or drop the line, or pass value= the right column (None for no values)",
        )  # fmt: skip
    return number


def _read_time(path, line, name, text):
    try:
        time = parse_time(text)
    except ValueError:
        time = np.nan
    if not np.isfinite(time):
        raise _bad_line(
            path, line, f"{text!r} in {name!r}", "a number or an ISO 8601 date",
            "mend or drop the line, or pass timestamp= the right column (None for no times)",
        )  # fmt: skip
    return time


def _numbered_rows(path, text, layout):
    rows = split_lines(text, layout.delimiter, layout.quotechar)
    line = 0
    try:
        for line, row in rows:
            yield line, row
    except csv.Error as error:
        raise _bad_line(
            path, line + 1, f"quotes that do not match ({error})", "quotes in pairs",
            "mend the line, or pass quotechar=None if quotes mean nothing here",
        ) from error  # fmt: skip
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
