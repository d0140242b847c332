"""What a text file of interactions looks like: delimiter, header, columns."""

import bz2
import csv
import gzip
import lzma
from collections import Counter
from itertools import islice
from typing import NamedTuple

from skrec.utils._log_names import guess_column

__all__ = [
    "ROLES",
    "Layout",
    "find_columns",
    "find_layout",
    "open_binary",
    "split_lines",
    "to_number",
    "with_bom",
]

ROLES = ("user", "item", "value", "timestamp")
_OPENERS = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_DELIMITERS = ("\t", "::", ",", ";", "|", " ")
_UNIX_TIMES = 1e8  # seconds; 1973


class Layout(NamedTuple):
    """How to read a text file.

    Attributes
    ----------
    delimiter : str
    header : bool
        Whether the first line that is not blank holds names.
    names : tuple of str
        One per field; "column 1" and so on without a header.
    places : tuple of 4 of int or None
        Fields of user, item, value and timestamp.
    quotechar : str or None
    encoding : str
    """

    delimiter: str
    header: bool
    names: tuple
    places: tuple
    quotechar: str | None
    encoding: str


def open_binary(path):
    """Open a file, decompressed by its suffix, for reading bytes."""
    return _OPENERS.get(path.suffix.lower(), open)(path, "rb")


def find_layout(path, *, delimiter, header, columns, quotechar, encoding):
    """Look at the beginning of a file and settle how to read it.

    Parameters
    ----------
    path : pathlib.Path
    delimiter : str or None
        None: the one that gives most lines the same number of fields.
    header : bool or None
        None: there is one if it names a known user and item column, or if no field of it
        is a number while the next line has one.
    columns : tuple of 4 of str, int, "auto" or None
        Name or place (from 0) of user, item, value and timestamp; None for no such
        column (value and timestamp), "auto" to find it.
    quotechar : str or None
    encoding : str

    Returns
    -------
    layout : Layout

    Raises
    ------
    ValueError
        If the file is empty or the columns cannot be told.
    """
    lines = _first_lines(path, encoding)
    delimiter = _find_delimiter(path, lines) if delimiter is None else delimiter
    quotechar = quotechar if len(delimiter) == 1 else None
    rows = _sample(lines, delimiter, quotechar) or [lines[0].split(delimiter)]
    first = rows[0]
    if header is None:
        header = _is_header(first, rows[1:], columns)
    names = tuple(first) if header else tuple(f"column {i + 1}" for i in range(len(first)))
    places = find_columns(path, names, header, columns, rows[1:] if header else rows)
    return Layout(delimiter, header, names, places, quotechar, encoding)


def split_lines(lines, delimiter, quotechar):
    """Yield the number of each record's first line and its fields."""
    if len(delimiter) > 1:
        for number, line in enumerate(lines, start=1):
            line = line.rstrip("\r\n")
            yield number, line.split(delimiter) if line else []
        return
    reader = csv.reader(
        lines,
        delimiter=delimiter,
        quotechar=quotechar,
        quoting=csv.QUOTE_NONE if quotechar is None else csv.QUOTE_MINIMAL,
        strict=True,
    )
    number = 0
    for row in reader:
        yield number + 1, row
        number = reader.line_num


def to_number(text):
    """A number as Python reads it, but without underscores; ValueError if it is none."""
    if "_" in text:
        raise ValueError(text)
    return float(text)


def with_bom(encoding):
    """The encoding that also takes the mark which some programs put before utf-8."""
    return "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding


def _first_lines(path, encoding):
    with open_binary(path) as binary:
        head = binary.read(1 << 16)
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") and encoding == "utf-8":
        raise ValueError(f"{path} starts like UTF-16 text. Expected utf-8; pass encoding='utf-16'.")
    text = head.decode(with_bom(encoding), errors="replace")
    lines = text.splitlines(keepends=True)
    if len(head) == 1 << 16 and len(lines) > 1:
        lines = lines[:-1]  # cut off in the middle
    lines = [line for line in lines if line.strip()]
    if not lines:
        raise ValueError(f"{path} is empty. Expected one interaction in each line.")
    return lines[:100]


def _sample(lines, delimiter, quotechar):
    """Fields of the first records, up to the first that is out of order or cut off."""
    rows = []
    try:
        rows.extend(row for _, row in islice(split_lines(lines, delimiter, quotechar), 100) if row)
    except csv.Error:
        return rows
    return rows


def _find_delimiter(path, lines):
    best, best_share = None, 0.0
    for delimiter in _DELIMITERS:
        rows = _sample(lines, delimiter, '"')
        if not rows:
            continue
        widths = Counter(map(len, rows))
        width, count = widths.most_common(1)[0]
        share = count / widths.total()
        if width >= 2 and share > best_share:
            best, best_share = delimiter, share
    if best is None:
        raise ValueError(
            f"{path}: no delimiter found in {lines[0].strip()[:80]!r}. Expected fields separated "
            f"by one of {_DELIMITERS}; pass delimiter=."
        )
    return best


def _is_number(text):
    try:
        to_number(text)
    except ValueError:
        return False
    return True


def _is_header(first, rest, columns):
    named = [column for column in columns if isinstance(column, str) and column != "auto"]
    if named:
        return True
    if all(guess_column(first, role) is not None for role in ("user", "item")):
        return True
    numeric = any(map(_is_number, first))
    return not numeric and any(_is_number(field) for field in (rest[0] if rest else ()))


def find_columns(path, names, header, columns, rows):
    places = []
    for role, column in zip(ROLES, columns, strict=True):
        if isinstance(column, str) and column != "auto":
            if column not in names:
                raise ValueError(
                    f"{path} has no column {column!r} for the {role}. Got {list(names)}; pass "
                    f"{role}= one of them, or its place from 0."
                )
            places.append(names.index(column))
        elif column == "auto":
            places.append(guess_column(names, role) if header else None)
        elif column is None or 0 <= column < len(names):
            places.append(column)
        else:
            raise ValueError(
                f"{role}={column} is no column of {path}. Expected 0 to {len(names) - 1}: the "
                f"first line has {len(names)} fields."
            )
    if not header:
        places = _by_position(path, places, columns, rows)
    if places[0] is None or places[1] is None:
        raise ValueError(
            f"{path}: cannot tell which columns are the user and the item. Got {list(names)}, "
            "expected names such as 'user' and 'item'; pass user= and item=."
        )
    return tuple(places)


def _by_position(path, places, columns, rows):
    """Without names the columns are user, item, value, timestamp, where not said otherwise."""
    n_fields = max(map(len, rows))
    for role in range(4):
        if columns[role] != "auto" or role >= n_fields or role in places:
            continue
        if role == 2:
            # A third column of text is no value; one bad value among numbers is an error.
            fields = [row[role] for row in rows if len(row) > role]
            numbers = [to_number(field) for field in fields if _is_number(field)]
            if not numbers:
                continue
            if min(numbers) >= _UNIX_TIMES:
                raise ValueError(
                    f"{path} has no names, and its third column looks like times ({fields[0]}), "
                    "not values. Pass value=None and timestamp=2, or value=2 if they are values."
                )
        places[role] = role
    return places
