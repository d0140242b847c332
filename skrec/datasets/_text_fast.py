"""Large regular text files, a block of bytes at a time, through pyarrow."""

import codecs
import re
from functools import partial
from math import nan

import numpy as np

from skrec._log._entries import as_timestamps, parse_time, to_number
from skrec.datasets._delimiter import BLANKS
from skrec.datasets._files import open_binary, plain_errors
from skrec.datasets._text import RawLog, is_missing, value_name

__all__ = ["read_fast", "read_stream"]

_BLOCK = 1 << 24
_ASCII_BASED = ("utf-8", "ascii", "iso8859-1", "cp1252")
_SEPARATOR = "\x1f"  # stands for delimiters of several characters


def read_fast(path, layout, *, drop_missing=False):
    """Read a file whose lines are plain.

    Parameters
    ----------
    path : pathlib.Path
    layout : skrec.datasets._layout.Layout
    drop_missing : bool, default=False
        As of `read_carefully`.

    Returns
    -------
    log : RawLog or None
        None where anything is unusual: bad lines, quotes within fields, line breaks within
        quotes, lines that end in a carriage return alone. `read_carefully` reads such
        files, or says what is wrong.
    """
    encoding = codecs.lookup(layout.encoding).name
    if encoding not in _ASCII_BASED or not f"{layout.delimiter}{layout.quotechar}".isascii():
        return None
    with plain_errors(path), open_binary(path) as binary:
        return read_stream(binary, layout, encoding, drop_missing=drop_missing)


def read_stream(binary, layout, encoding, *, drop_missing=False):
    """As `read_fast`, of an open binary file.

    Parameters
    ----------
    binary : file
    layout : skrec.datasets._layout.Layout
    encoding : str
    drop_missing : bool, default=False

    Returns
    -------
    log : RawLog or None
    """
    reader = _BlockReader(layout, encoding, drop_missing)
    pending, skip = b"", True
    while block := binary.read(_BLOCK):
        pending += block
        cut = pending.rfind(b"\n") + 1
        lines, pending = pending[:cut], pending[cut:]
        if lines and not _has_plain_ends(lines):
            return None
        if skip and lines:
            lines, skip = _skip_header(lines, layout), False
        if lines is None or (lines and not reader.add(lines)) or len(pending) > 4 * _BLOCK:
            return None
    if pending:
        pending = pending.removesuffix(b"\r") + b"\n"
        if not _has_plain_ends(pending):
            return None
        lines = _skip_header(pending, layout) if skip else pending
        if lines is None or (lines and not reader.add(lines)):
            return None
    return reader.finish()


def _has_plain_ends(lines):
    """Whether each carriage return stands before a line feed, and there are no NULs."""
    return lines.count(b"\r") == lines.count(b"\r\n") and b"\0" not in lines


def _skip_header(lines, layout):
    """What follows the preamble and the header; None where these lines do not end here."""
    lines = lines.removeprefix(codecs.BOM_UTF8)
    for _ in range(layout.preamble):
        _, found, lines = lines.partition(b"\n")
        if not found:
            return None
    lines = lines.lstrip(b"\r\n")
    if not layout.header:
        return lines
    header, found, rest = lines.partition(b"\n")
    quote = (layout.quotechar or '"').encode()
    return None if not found or header.count(quote) % 2 else rest


class _BlockReader:
    """Gathers the columns of blocks of whole lines."""

    def __init__(self, layout, encoding, drop_missing):
        self.layout, self.encoding, self.drop_missing = layout, encoding, drop_missing
        self.ids = ({}, {})
        self.codes = ([], [])
        self.numbers = ([], [])

    def add(self, lines):
        """Add a block that ends with a line break; False if it needs the careful reader."""
        import pyarrow as pa

        if not lines.strip(b"\r\n"):
            return True
        delimiter, quotechar = self.layout.delimiter, self.layout.quotechar
        if delimiter == BLANKS:
            if _SEPARATOR.encode() in lines:
                return False
            lines = re.sub(rb"(?m)^[ \t]+|[ \t]+(?=\r?$)", b"", lines)
            lines, delimiter = re.sub(rb"[ \t]+", _SEPARATOR.encode(), lines), _SEPARATOR
        elif len(delimiter) > 1:
            if _SEPARATOR.encode() in lines:
                return False
            lines, delimiter = lines.replace(delimiter.encode(), _SEPARATOR.encode()), _SEPARATOR
        if quotechar is not None and quotechar.encode() not in lines:
            quotechar = None
        if quotechar is not None and not _quotes_are_plain(lines, delimiter, quotechar):
            return False
        of_ids, of_numbers = self.layout.places[:2], self.layout.places[2:]
        as_text = dict.fromkeys(
            (place for place in self.layout.places if place is not None),
            pa.dictionary(pa.int32(), pa.binary()),
        )
        # A decimal comma is for values, not for times.
        plain = of_numbers if self.layout.decimal == "." else of_numbers[:1]
        as_numbers = {place: pa.float64() for place in plain if place not in (None, *of_ids)}
        # Numbers that pyarrow does not know, such as dates, are converted text by text.
        columns = self._read(lines, delimiter, quotechar, as_text | as_numbers)
        if as_numbers and (columns is None or self._has_nan(columns, as_numbers)):
            columns = self._read(lines, delimiter, quotechar, as_text)
        if columns is None:
            return False
        for side, place in enumerate(of_ids):
            self._add_ids(side, columns[place])
        return all(
            self._add_numbers(which, columns[place])
            for which, place in enumerate(of_numbers)
            if place is not None
        )

    def _read(self, lines, delimiter, quotechar, types):
        """Arrays of the columns at some places; None if a line or a number is not as expected."""
        import pyarrow as pa
        from pyarrow import csv

        names = list(map(str, range(len(self.layout.names))))
        try:
            table = csv.read_csv(
                pa.BufferReader(lines),
                csv.ReadOptions(use_threads=False, block_size=len(lines), column_names=names),
                csv.ParseOptions(
                    delimiter=delimiter,
                    quote_char=False if quotechar is None else quotechar,
                    double_quote=False,
                ),
                csv.ConvertOptions(
                    check_utf8=False,
                    include_columns=[names[place] for place in types],
                    column_types={names[place]: type for place, type in types.items()},
                    null_values=[],
                    decimal_point=self.layout.decimal,
                ),
            )
        except pa.ArrowInvalid:
            return None
        return {place: table.column(names[place]).combine_chunks() for place in types}

    def _has_nan(self, columns, places):
        """Whether texts tell what is missing, since a number read nan is not always."""
        return self.drop_missing and any(np.isnan(columns[place]).any() for place in places)

    def _add_ids(self, side, column):
        index = self.ids[side]
        values = column.dictionary.to_pylist()
        codes = (index.setdefault(value.strip(b" "), len(index)) for value in values)
        place = np.fromiter(codes, np.int32, len(values))
        self.codes[side].append(place[column.indices.to_numpy()])

    def _add_numbers(self, which, column):
        import pyarrow as pa

        if pa.types.is_dictionary(column.type):
            convert = (partial(to_number, decimal=self.layout.decimal), parse_time)[which]
            try:
                texts = [value.decode(self.encoding) for value in column.dictionary.to_pylist()]
                gone = [self.drop_missing and is_missing(text.strip(" ")) for text in texts]
                numbers = [nan if g else convert(t) for g, t in zip(gone, texts, strict=True)]
                numbers = np.array(numbers, dtype=np.float64)[column.indices.to_numpy()]
                gone = np.array(gone, dtype=bool)[column.indices.to_numpy()]
            except (ValueError, OverflowError):
                return False
        else:
            numbers, gone = column.to_numpy(), False
        # Whole times that a double cannot hold are for the careful reader.
        bound = (np.finfo(np.float64).max, 2**53 - 1)[which]
        if not ((np.abs(numbers) <= bound) | gone).all():
            return False
        self.numbers[which].append(numbers)
        return True

    def finish(self):
        """The whole log; None if an id is missing or no text."""
        try:
            ids = [[value.decode(self.encoding) for value in index] for index in self.ids]
        except UnicodeDecodeError:
            return None
        gone = [np.array([is_missing(value) for value in side], dtype=bool) for side in ids]
        if not self.drop_missing and any(side.any() for side in gone):
            return None
        user, item = (_join(blocks, np.int32) for blocks in self.codes)
        value, timestamp = (
            None if place is None else _join(blocks, np.float64)
            for place, blocks in zip(self.layout.places[2:], self.numbers, strict=True)
        )
        n_dropped = 0
        if self.drop_missing and len(user):
            keep = ~(gone[0][user] | gone[1][item])
            for numbers in (value, timestamp):
                keep &= True if numbers is None else ~np.isnan(numbers)
            n_dropped = len(keep) - int(keep.sum())
        if n_dropped:
            user, item = user[keep], item[keep]
            value, timestamp = (None if c is None else c[keep] for c in (value, timestamp))
            user, ids[0] = _only_used(user, ids[0])
            item, ids[1] = _only_used(item, ids[1])
        timestamp = None if timestamp is None else as_timestamps(timestamp)
        name = value_name(self.layout)
        return RawLog(user, ids[0], item, ids[1], value, timestamp, name, n_dropped)


def _only_used(codes, ids):
    """Codes among the ids that occur, and these."""
    used = np.zeros(len(ids), dtype=bool)
    used[codes] = True
    return (np.cumsum(used) - 1)[codes], [ids[place] for place in np.flatnonzero(used)]


def _quotes_are_plain(lines, delimiter, quotechar):
    """Whether quotes stand in pairs around whole fields, without line breaks between them."""
    buffer = np.frombuffer(lines, dtype=np.uint8)
    quotes = np.flatnonzero(buffer == ord(quotechar))
    if len(quotes) % 2:
        return False
    first, last = quotes[::2], quotes[1::2]
    is_break = (buffer == ord("\n")) | (buffer == ord("\r"))
    is_bound = is_break | (buffer == ord(delimiter))
    # A line break with an odd number of quotes before it stands between a pair.
    n_before = np.searchsorted(quotes, np.flatnonzero(is_break))
    return bool(
        is_bound[first[first > 0] - 1].all()
        and is_bound[last + 1].all()
        and not (n_before % 2).any()
    )


def _join(blocks, dtype):
    """Concatenate blocks and free them."""
    joined = np.concatenate(blocks) if blocks else np.empty(0, dtype=dtype)
    blocks.clear()
    return joined
