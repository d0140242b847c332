"""Large regular text files, a block of bytes at a time."""

import codecs

import numpy as np

from skrec.datasets._layout import open_binary, to_number
from skrec.datasets._text import RawLog, is_missing, value_name
from skrec.preprocessing._columns import as_timestamps, parse_time
from skrec.preprocessing._ids import distinct_of_chunk

__all__ = ["read_fast"]

_BLOCK = 1 << 24
_MAX_WIDTH = 256
_ASCII_BASED = ("utf-8", "ascii", "iso8859-1", "cp1252")


def read_fast(path, layout):
    """Read a file whose lines are plain.

    Parameters
    ----------
    path : pathlib.Path
    layout : skrec.datasets._layout.Layout

    Returns
    -------
    log : RawLog or None
        None where anything is unusual: bad lines, quotes within fields, line breaks within
        quotes. `read_carefully` reads such files, or says what is wrong.
    """
    encoding = codecs.lookup(layout.encoding).name
    plain = encoding in _ASCII_BASED and layout.quotechar in (None, '"')
    if not plain or len(layout.delimiter) > 2 or not layout.delimiter.isascii():
        return None
    with open_binary(path) as binary:
        return read_stream(binary, layout, encoding)


def read_stream(binary, layout, encoding):
    """As `read_fast`, of an open binary file.

    Parameters
    ----------
    binary : file
    layout : skrec.datasets._layout.Layout
    encoding : str

    Returns
    -------
    log : RawLog or None
    """
    reader = _BlockReader(layout)
    pending, skip = b"", True
    while block := binary.read(_BLOCK):
        pending += block
        cut = pending.rfind(b"\n") + 1
        lines, pending = pending[:cut], pending[cut:]
        if skip and lines:
            lines, skip = _skip_header(lines, layout), False
        if lines is None or (lines and not reader.add(lines)) or len(pending) > 4 * _BLOCK:
            return None
    if skip:
        pending = _skip_header(pending + b"\n", layout)
    if pending is None or (pending and not reader.add(pending + b"\n")):
        return None
    return reader.finish(encoding)


def _skip_header(lines, layout):
    lines = lines.removeprefix(codecs.BOM_UTF8).lstrip(b"\r\n")
    if not layout.header:
        return lines
    header, _, rest = lines.partition(b"\n")
    return None if header.count(b'"') % 2 else rest


class _BlockReader:
    """Gathers the columns of blocks of whole lines."""

    def __init__(self, layout):
        self.layout = layout
        self.wanted = [place for place in layout.places if place is not None]
        self.ids = ({}, {})
        self.codes = ([], [])
        self.numbers = ([], [])

    def add(self, lines):
        """Add a block; False if it needs the careful reader."""
        from skrec.datasets._text_kernels import split_fields

        buffer = np.frombuffer(lines, dtype=np.uint8)
        n_lines = int(np.count_nonzero(buffer == 10))
        starts = np.empty((len(self.wanted), n_lines), dtype=np.int64)
        ends = np.empty_like(starts)
        delimiter = np.frombuffer(self.layout.delimiter.encode(), dtype=np.uint8)
        n_rows = split_fields(
            buffer, delimiter, self.layout.quotechar is not None, len(self.layout.names),
            np.array(self.wanted), starts, ends,
        )  # fmt: skip
        if n_rows < 0:
            return False
        fields = iter(zip(starts[:, :n_rows], ends[:, :n_rows], strict=True))
        if not all(self._add_ids(side, buffer, *next(fields)) for side in (0, 1)):
            return False
        return all(
            self._add_numbers(which, buffer, *next(fields))
            for which, place in enumerate(self.layout.places[2:])
            if place is not None
        )

    def _add_ids(self, side, buffer, starts, ends):
        from skrec.datasets._text_kernels import gather_fields

        lengths = ends - starts
        width = int(lengths.max(initial=1))
        if lengths.min(initial=1) < 1 or width > _MAX_WIDTH:
            return False
        text = np.empty((len(starts), width), dtype=np.uint8)
        gather_fields(buffer, starts, ends, text)
        values, inner = distinct_of_chunk(text.view(f"S{width}").ravel())
        index = self.ids[side]
        outer = np.fromiter(
            (index.setdefault(value, len(index)) for value in values), np.int32, len(values)
        )
        self.codes[side].append(outer[inner])
        return True

    def _add_numbers(self, which, buffer, starts, ends):
        from skrec.datasets._text_kernels import parse_numbers

        numbers = np.empty(len(starts))
        hard = parse_numbers(buffer, starts, ends, numbers)
        convert = (to_number, parse_time)[which]
        for row in hard.tolist():
            try:
                number = convert(buffer[starts[row] : ends[row]].tobytes().decode())
            except ValueError:
                return False
            # Whole numbers that a double cannot hold are for the careful reader.
            if not np.isfinite(number) or (isinstance(number, int) and abs(number) >= 2**53):
                return False
            numbers[row] = number
        self.numbers[which].append(numbers)
        return True

    def finish(self, encoding):
        """The whole log; None if an id is missing or no text."""
        try:
            ids = [[value.decode(encoding) for value in index] for index in self.ids]
        except UnicodeDecodeError:
            return None
        if any(is_missing(value) for side in ids for value in side):
            return None
        codes = [_join(blocks, np.int32) for blocks in self.codes]
        value, timestamp = (
            None if place is None else _join(blocks, np.float64)
            for place, blocks in zip(self.layout.places[2:], self.numbers, strict=True)
        )
        timestamp = None if timestamp is None else as_timestamps(timestamp)
        return RawLog(codes[0], ids[0], codes[1], ids[1], value, timestamp, value_name(self.layout))


def _join(blocks, dtype):
    return np.concatenate(blocks) if blocks else np.empty(0, dtype=dtype)
