"""Turn files into codes, a batch of lines at a time."""

from itertools import chain
from typing import NamedTuple

import numpy as np

from skrec._log._columns import missing_entries, take_entries
from skrec._log._entries import BadEntries, value_entries
from skrec._log._growing_ids import ObjectIds, TextIds, WholeIds, growing_ids
from skrec._log._ids import missing_id, refuse_unhashable
from skrec._log._times import time_entries
from skrec.datasets._arrow import parquet_batches
from skrec.datasets._files import open_binary, plain_errors
from skrec.datasets._layout import find_layout
from skrec.datasets._tabular import entries_of, settle_columns
from skrec.datasets._text import careful_blocks, value_name
from skrec.datasets._text_checks import (
    header_names,
    refuse_doubtful,
    refuse_no_lines,
    refuse_other_names,
    refuse_second_header,
)
from skrec.datasets._text_fast import FieldIds, Unusual, coded_blocks, fast_encoding

__all__ = ["Scanned", "are_large", "scan_parquet", "scan_text"]

_LARGE = 1 << 20  # least size of all files together, in bytes
_SAMPLE = 100  # number of lines that identify the columns
_LINE_BYTES = 64  # bytes of text that are read for each line of a batch
_SIDES = ("user", "item")


class Scanned(NamedTuple):
    """Facts about a scanned log, without its lines.

    Attributes
    ----------
    ids : tuple of two WholeIds, TextIds or ObjectIds
        Ids of users and items; some may occur in no line.
    value_name : str or None
    n_dropped : int
    """

    ids: tuple[WholeIds | TextIds | ObjectIds, WholeIds | TextIds | ObjectIds]
    value_name: str | None
    n_dropped: int


def are_large(paths):
    """Whether files are large enough for compiled tables of ids to pay off the import of numba.

    Parameters
    ----------
    paths : list of pathlib.Path or RemoteFile
    """
    return sum(path.stat().st_size for path in paths) >= _LARGE


def scan_text(source, paths, text, lines, *, drop_missing, batch_size):
    """Read files of text.

    Parameters
    ----------
    source : pathlib.Path
        Name of all files in messages.
    paths : list of pathlib.Path
    text : dict
        Parameters of `find_layout`.
    lines : GatheredLog
        Gets the lines.
    drop_missing : bool
    batch_size : int

    Returns
    -------
    scanned : Scanned

    Raises
    ------
    ValueError
        As in `load_interactions`.
    """
    first = find_layout(paths[0], **text)
    sides = None
    if are_large(paths):
        encoding = fast_encoding(first) or "utf-8"
        sides = FieldIds(encoding), FieldIds(encoding)
    ids = (ObjectIds(), ObjectIds()) if sides is None else tuple(side.ids for side in sides)
    given = text | {"delimiter": first.delimiter, "header": first.header, "columns": first.places}
    n_dropped = 0
    for path in paths:
        layout = first if path is paths[0] else find_layout(path, **given)
        refuse_other_names(source, (paths[0], path), (first, layout), header=text["header"])
        n_dropped += _scan_part(
            path, layout, ids, sides, lines, drop_missing=drop_missing, batch_size=batch_size
        )
    refuse_no_lines(source, lines.n_lines, n_dropped)
    _refuse_second_header(source, first, lines, ids)
    if first.doubtful:
        _refuse_doubtful(source, lines, ids)
    return Scanned(ids, value_name(first), n_dropped)


def _scan_part(path, layout, ids, sides, lines, *, drop_missing, batch_size):
    """Add the lines of a file; return how many were left out."""
    n_dropped, mark = 0, lines.mark()
    if sides is not None and fast_encoding(layout) is not None:
        try:
            with plain_errors(path), open_binary(path) as binary:
                blocks = coded_blocks(
                    binary, layout, sides, drop_missing=drop_missing,
                    block_bytes=batch_size * _LINE_BYTES,
                )  # fmt: skip
                for block in blocks:
                    lines.add(block.user, block.item, block.value, block.timestamp)
                    n_dropped += block.n_dropped
            return n_dropped
        except Unusual:
            lines.rewind(mark)
            n_dropped = 0
    for log in careful_blocks(path, layout, drop_missing=drop_missing, n_lines=batch_size):
        user = ids[0].encode_texts(log.user_ids)[log.user]
        item = ids[1].encode_texts(log.item_ids)[log.item]
        lines.add(user, item, log.value, log.timestamp)
        n_dropped += log.n_dropped
    return n_dropped


def _refuse_second_header(source, layout, lines, ids):
    names = header_names(layout)
    if names is None:
        return
    try:  # a name that is not an id becomes an id that no line has
        codes = [one.encode_texts([name]).item() for one, name in zip(ids, names, strict=True)]
    except UnicodeEncodeError:
        return
    refuse_second_header(source, names, lines.count_pair(*codes))


def _refuse_doubtful(source, lines, ids):
    texts, first, counts = [], [], []
    for side, one, code in zip(_SIDES, ids, lines.first(), strict=True):
        n_lines = lines.counts(side, len(one))
        texts.append(one.take(np.flatnonzero(n_lines)).tolist())
        first.append(one.take(np.array([code])).item())
        counts.append(int(n_lines[code]))
    refuse_doubtful(source, lines.n_lines, tuple(first), tuple(counts), tuple(texts))


def scan_parquet(source, paths, columns, lines, *, drop_missing, decimal, form, batch_size):
    """Read files of parquet.

    Parameters
    ----------
    source : pathlib.Path
        Name of all files in messages.
    paths : list of pathlib.Path
    columns : tuple of 4 of str, int, "auto" or None
    lines : GatheredLog
        Gets the lines.
    drop_missing : bool
    decimal : {".", ","}
    form : TimeForm
    batch_size : int

    Returns
    -------
    scanned : Scanned

    Raises
    ------
    ValueError
        As in `load_interactions`.
    """
    import pyarrow as pa

    with parquet_batches(source, paths, columns, batch_size) as (schema, batches, asked):
        head, n_head = [], 0
        for batch in batches:
            head.append(batch)
            n_head += len(batch)
            if n_head >= _SAMPLE:
                break
        table = pa.Table.from_batches(head, schema).slice(0, _SAMPLE)
        name, places, _ = settle_columns(table, source, asked)
        form.require_column(source, places[3])
        if not n_head:
            raise ValueError(f"{source} is empty. Expected one interaction in each row.")
        reader = _BatchReader(places, schema, lines, drop_missing, decimal, form)
        try:
            for batch in chain(head, batches):
                reader.add(batch)
            reader.check()
        except TypeError as error:  # ids that cannot be hashed
            raise ValueError(f"{source}: {error}") from error
        except ValueError as error:
            if isinstance(error, pa.ArrowException):
                raise
            raise ValueError(f"{source}: {error}") from error
    value = name if name is not None or places[2] is None else "value"
    return Scanned(reader.ids, value, reader.n_dropped)


class _BatchReader:
    """Turns batches into codes and numbers, and counts the errors of bad lines."""

    def __init__(self, places, schema, lines, drop_missing, decimal, form):
        self.places, self.lines = places, lines
        self.drop_missing, self.decimal = drop_missing, decimal
        self.form = form
        self.ids = tuple(growing_ids(schema.field(place).type) for place in places[:2])
        self.n_lines = self.n_dropped = 0
        self.missing = ([], [])  # for each batch: first entry, its value, number of missing ids
        self.bad = BadEntries("value", decimal), BadEntries("timestamp", form=form)
        self.failed = False

    def add(self, batch):
        """Read a batch; after the first bad line, only count further ones."""
        columns = [None if place is None else batch.column(place) for place in self.places]
        if self.drop_missing:
            missing = np.logical_or.reduce([missing_entries(c) for c in columns if c is not None])
            n_missing = int(missing.sum())
            self.n_dropped += n_missing
            if n_missing:
                columns = [None if c is None else take_entries(c, ~missing) for c in columns]
        codes = [self._codes(side, column) for side, column in enumerate(columns[:2])]
        numbers = [self._numbers(which, column) for which, column in enumerate(columns[2:])]
        self.n_lines += len(columns[0])
        if not self.failed:
            self.lines.add(*codes, *numbers)

    def _codes(self, side, column):
        import pyarrow as pa

        if column.null_count or pa.types.is_floating(column.type):
            missing = missing_entries(column)
            if missing.any():
                row = int(np.argmax(missing))
                found = self.n_lines + row, column[row].as_py(), int(missing.sum())
                self.missing[side].append(found)
                self.failed = True
                return None
        try:
            return self.ids[side].encode(column)
        except TypeError:
            refuse_unhashable(column.to_pylist(), _SIDES[side], start=self.n_lines)
            raise

    def _numbers(self, which, column):
        import pyarrow as pa

        if column is None:
            return None
        # A chunked array, as in a table: some types convert to numpy only in that form.
        column = entries_of(pa.chunked_array([column]))
        if which == 0:
            entries, numbers, good = value_entries(column, self.decimal)
        else:
            entries, numbers, good = time_entries(column, self.form)
        self.failed |= self.bad[which].add(entries, ~good)
        return numbers

    def check(self):
        """Raise the ValueError about bad lines, if there were any."""
        if self.n_dropped and not self.n_lines:
            raise ValueError(
                f"all {self.n_dropped} rows lack an id, value or time. Expected one interaction in "
                "each."
            )
        for name, found in zip(_SIDES, self.missing, strict=True):
            if found:
                raise missing_id(name, found[0][0], found[0][1], sum(n for *_, n in found))
        for bad in self.bad:
            bad.check()
