"""Large regular text files, a block of bytes at a time, through pyarrow."""

import codecs
import re
from functools import partial
from math import nan
from typing import NamedTuple

import numpy as np

from skrec._log._entries import to_number
from skrec._log._growing_ids import TextIds
from skrec._log._times import as_timestamps
from skrec.datasets._delimiter import BLANKS
from skrec.datasets._text import RawLog, is_missing, value_name

__all__ = ["CodedBlock", "Unusual", "coded_blocks", "fast_encoding", "read_stream"]

_BLOCK = 1 << 24
_LONGEST_MISSING = 4  # bytes of the longest text that means a missing id
_LONGEST = 1 << 16  # bytes that an unfinished line may always have, even with small blocks
_ASCII_BASED = ("utf-8", "ascii", "iso8859-1", "cp1252")
_SEPARATOR = "\x1f"  # stands for delimiters of several characters


class Unusual(Exception):
    """A file that is not plain: the careful reader reads it, or reports what is wrong."""


class FieldIds:
    """Ids of a field of the lines, and a mask of the ids that mean a missing one.

    Parameters
    ----------
    encoding : str
        See `fast_encoding`.

    Attributes
    ----------
    ids : TextIds
    gone : ndarray of bool of shape (n_ids,)
    """

    def __init__(self, encoding):
        self.ids = TextIds(encoding, strip=True)
        self.gone = np.empty(0, dtype=bool)

    def encode(self, column):
        """Codes of a pyarrow column of bytes; raises Unusual if an entry is not text."""
        codes, n_known = self.ids.encode(column), len(self.gone)
        if len(self.ids) > n_known:
            if not self.ids.are_text(n_known):
                raise Unusual
            short = self.ids.short(n_known, _LONGEST_MISSING)
            self.gone = np.append(self.gone, np.zeros(len(self.ids) - n_known, dtype=bool))
            self.gone[short] = [is_missing(text) for text in self.ids.take(short).tolist()]
        return codes


class CodedBlock(NamedTuple):
    """Some lines: codes of their ids, values, times, and the number of dropped lines."""

    user: np.ndarray
    item: np.ndarray
    value: np.ndarray | None
    timestamp: np.ndarray | None
    n_dropped: int


def fast_encoding(layout):
    """Name of the encoding if the file can be read block by block, else None.

    Parameters
    ----------
    layout : skrec.datasets._layout.Layout

    Returns
    -------
    encoding : str or None
    """
    encoding = codecs.lookup(layout.encoding).name
    plain = encoding in _ASCII_BASED and f"{layout.delimiter}{layout.quotechar}".isascii()
    return encoding if plain else None


def read_stream(binary, layout, encoding, *, drop_missing=False):
    """Read an open binary file of plain lines.

    Parameters
    ----------
    binary : file
    layout : skrec.datasets._layout.Layout
    encoding : str
        See `fast_encoding`.
    drop_missing : bool, default=False
        Leave out lines that lack an id, a value or a time.

    Returns
    -------
    log : RawLog or None
        None if anything is unusual, see `coded_blocks`.
    """
    sides = FieldIds(encoding), FieldIds(encoding)
    try:
        blocks = list(coded_blocks(binary, layout, sides, drop_missing=drop_missing))
    except Unusual:
        return None
    n_dropped = sum(block.n_dropped for block in blocks)
    columns = [list(column) for column in zip(*blocks, strict=True)] or [[], [], [], [], []]
    del blocks
    user, item = (_join(columns[side], np.int32) for side in (0, 1))
    value, timestamp = (
        None if place is None else _join(columns[2 + which], np.float64)
        for which, place in enumerate(layout.places[2:])
    )
    user, user_ids = _only_used(user, sides[0].ids) if n_dropped else (user, _texts(sides[0].ids))
    item, item_ids = _only_used(item, sides[1].ids) if n_dropped else (item, _texts(sides[1].ids))
    timestamp = None if timestamp is None else as_timestamps(timestamp)
    return RawLog(user, user_ids, item, item_ids, value, timestamp, value_name(layout), n_dropped)


def coded_blocks(binary, layout, sides, *, drop_missing, block_bytes=None):
    """Yield the lines of an open binary file, a block at a time.

    Parameters
    ----------
    binary : file
    layout : skrec.datasets._layout.Layout
    sides : tuple of two FieldIds
        Ids of users and items. They may get ids that occur only in dropped lines.
    drop_missing : bool
        Leave out lines that lack an id, a value or a time.
    block_bytes : int, default=None
        Number of bytes that are read at a time; None: 16 MiB.

    Yields
    ------
    block : CodedBlock

    Raises
    ------
    Unusual
        If a line is not plain: bad lines, quotes within fields, line breaks within quotes, lines
        that end in a carriage return alone. Blocks yielded before may be wrong.
        `skrec.datasets._text.careful_blocks` reads such files, or reports what is wrong.
    """
    size = _BLOCK if block_bytes is None else block_bytes
    reader = _BlockReader(layout, sides, drop_missing)
    pending, skip = b"", True
    while block := binary.read(size):
        pending += block
        cut = pending.rfind(b"\n") + 1
        lines, pending = pending[:cut], pending[cut:]
        if len(pending) > max(4 * size, _LONGEST):
            raise Unusual
        if lines:
            _require_plain_ends(lines)
            lines, skip = _skip_header(lines, layout) if skip else lines, False
            yield from reader.blocks(lines)
    if pending:
        pending = pending.removesuffix(b"\r") + b"\n"
        _require_plain_ends(pending)
        yield from reader.blocks(_skip_header(pending, layout) if skip else pending)


def _texts(ids):
    return ids.take(np.arange(len(ids))).tolist()


def _only_used(codes, ids):
    """Codes into the ids that occur, and these ids."""
    used = np.zeros(len(ids), dtype=bool)
    used[codes] = True
    return (np.cumsum(used) - 1)[codes], ids.take(np.flatnonzero(used)).tolist()


def _require_plain_ends(lines):
    """Raise Unusual unless each carriage return precedes a line feed and there is no NUL."""
    if lines.count(b"\r") != lines.count(b"\r\n") or b"\0" in lines:
        raise Unusual


def _skip_header(lines, layout):
    """The lines after the preamble and the header, both of which must end in `lines`."""
    lines = lines.removeprefix(codecs.BOM_UTF8)
    for _ in range(layout.preamble):
        _, found, lines = lines.partition(b"\n")
        if not found:
            raise Unusual
    lines = lines.lstrip(b"\r\n")
    if not layout.header:
        return lines
    header, found, rest = lines.partition(b"\n")
    quote = (layout.quotechar or '"').encode()
    if not found or header.count(quote) % 2:
        raise Unusual
    return rest


class _BlockReader:
    """Turns blocks of complete lines into codes and numbers."""

    def __init__(self, layout, sides, drop_missing):
        self.layout, self.sides, self.drop_missing = layout, sides, drop_missing
        self.encoding = fast_encoding(layout)

    def blocks(self, lines):
        """Yield the block of some lines, or nothing if all are blank; may raise Unusual."""
        if not lines.strip(b"\r\n"):
            return
        columns = self._columns(lines)
        of_ids, of_numbers = self.layout.places[:2], self.layout.places[2:]
        user, item = (
            side.encode(columns[place]) for side, place in zip(self.sides, of_ids, strict=True)
        )
        gone = self.sides[0].gone[user] | self.sides[1].gone[item]
        if not self.drop_missing and gone.any():
            raise Unusual
        found = [
            None if place is None else self._numbers(which, columns[place])
            for which, place in enumerate(of_numbers)
        ]
        n_dropped = 0
        if self.drop_missing:
            keep = ~gone
            for numbers in found:
                keep &= True if numbers is None else ~np.isnan(numbers)
            n_dropped = len(keep) - int(keep.sum())
            if n_dropped:
                user, item = user[keep], item[keep]
                found = [None if numbers is None else numbers[keep] for numbers in found]
        yield CodedBlock(user, item, *found, n_dropped)

    def _columns(self, lines):
        """Arrays of the columns by position."""
        import pyarrow as pa

        delimiter, quotechar = self.layout.delimiter, self.layout.quotechar
        if delimiter == BLANKS or len(delimiter) > 1:
            if _SEPARATOR.encode() in lines:
                raise Unusual
            if delimiter == BLANKS:
                lines = re.sub(rb"(?m)^[ \t]+|[ \t]+(?=\r?$)", b"", lines)
                lines = re.sub(rb"[ \t]+", _SEPARATOR.encode(), lines)
            else:
                lines = lines.replace(delimiter.encode(), _SEPARATOR.encode())
            delimiter = _SEPARATOR
        if quotechar is not None and quotechar.encode() not in lines:
            quotechar = None
        if quotechar is not None and not _quotes_are_plain(lines, delimiter, quotechar):
            raise Unusual
        of_ids, of_numbers = self.layout.places[:2], self.layout.places[2:]
        as_text = {place: pa.binary() for place in of_ids}
        as_text |= {
            place: pa.dictionary(pa.int32(), pa.binary())
            for place in of_numbers if place is not None
        }  # fmt: skip
        # A decimal comma applies to values, not to times, and times of a format are texts.
        plain = of_numbers if self.layout.decimal == "." else of_numbers[:1]
        texts = of_ids if self.layout.form.timestamp_format is None else (*of_ids, of_numbers[1])
        as_numbers = {place: pa.float64() for place in plain if place not in (None, *texts)}
        # Fields that pyarrow cannot read as numbers, such as dates, are converted text by text.
        columns = self._read(lines, delimiter, quotechar, as_text | as_numbers)
        if as_numbers and (columns is None or self._has_nan(columns, as_numbers)):
            columns = self._read(lines, delimiter, quotechar, as_text)
        if columns is None:
            raise Unusual
        return columns

    def _read(self, lines, delimiter, quotechar, types):
        """Arrays of the columns in `types`; None if a line or a number is not as expected."""
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
        """Whether numbers hold NaN: then only the texts say whether a number is missing."""
        return self.drop_missing and any(np.isnan(columns[place]).any() for place in places)

    def _numbers(self, which, column):
        """Values or times as float64; NaN means missing."""
        import pyarrow as pa

        if pa.types.is_dictionary(column.type):
            to_value = partial(to_number, decimal=self.layout.decimal)
            convert = (to_value, self.layout.form.parse)[which]
            try:
                texts = [value.decode(self.encoding) for value in column.dictionary.to_pylist()]
                gone = [self.drop_missing and is_missing(text.strip(" ")) for text in texts]
                numbers = [nan if g else convert(t) for g, t in zip(gone, texts, strict=True)]
                numbers = np.array(numbers, dtype=np.float64)[column.indices.to_numpy()]
                gone = np.array(gone, dtype=bool)[column.indices.to_numpy()]
            except (ValueError, OverflowError):
                raise Unusual from None
        else:
            numbers, gone = column.to_numpy(), False
        # The careful reader handles whole times that a double cannot hold.
        bound = (np.finfo(np.float64).max, 2**53 - 1)[which]
        if not ((np.abs(numbers) <= bound) | gone).all():
            raise Unusual
        return numbers


def _quotes_are_plain(lines, delimiter, quotechar):
    """Whether quotes enclose whole fields in pairs, without line breaks between them."""
    from skrec._log._growing_kernels import quotes_are_plain

    buffer = np.frombuffer(lines, dtype=np.uint8)
    return bool(quotes_are_plain(buffer, ord(quotechar), ord(delimiter)))


def _join(blocks, dtype):
    """Concatenate blocks and free them."""
    joined = np.concatenate(blocks) if blocks else np.empty(0, dtype=dtype)
    blocks.clear()
    return joined
