"""Interaction logs as columns in memory: frames, Arrow tables, mappings, rows."""

import numpy as np

from skrec._log._columns import (
    column_at,
    columns_of_records,
    frame_names,
    missing_entries,
    split_unnamed,
    take_entries,
)
from skrec._log._entries import as_values
from skrec._log._ids import (
    as_id_column,
    unique_ids,
    warn_of_float_ids,
    warn_of_lost_ids,
)
from skrec._log._times import ISO, as_timestamps
from skrec.datasets._guess import find_columns
from skrec.datasets._text import RawLog

__all__ = ["entries_of", "read_memory", "settle_columns"]

_SAMPLE = 100
_STACKLEVEL = 4  # read_memory, load_interactions' reader, load_interactions, its caller


def read_memory(log, source, columns, *, drop_missing, decimal=".", form=ISO):
    """Read the columns of a log in memory.

    Parameters
    ----------
    log : log
        See `skrec.preprocessing.InteractionEncoder`.
    source : str or pathlib.Path
        Name of the log in messages.
    columns : tuple of 4 of str, int, "auto" or None
        As for text files.
    drop_missing : bool
        Leave out rows that lack an id, value or time.
    decimal : {".", ","}, default="."
        Character before the fraction of a value that is text.
    form : TimeForm, default=ISO

    Returns
    -------
    log : RawLog
        With arrays of ids instead of lists of text.

    Raises
    ------
    ValueError
        If a column cannot be identified, or a row lacks an id or a number.
    TypeError
        If `log` has none of the known forms.
    """
    name, places, columns_at = settle_columns(log, source, columns)
    form.require_column(source, places[3])
    picked = [None if place is None else columns_at[place] for place in places]
    lengths = {len(column) for column in picked if column is not None}
    if len(lengths) > 1:
        raise ValueError(
            f"{source}: columns differ in length: {sorted(lengths)}. Expected one entry per "
            "interaction in each."
        )
    if not lengths.pop():
        raise ValueError(f"{source} is empty. Expected one interaction in each row.")
    try:
        return _convert(picked, name, drop_missing, decimal, form)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{source}: {error}") from error


def settle_columns(log, source, columns):
    """Find the user, item, value and timestamp columns of a log.

    Parameters
    ----------
    log : log
    source : str or pathlib.Path
    columns : tuple of 4 of str, int, "auto" or None
        As in `read_memory`.

    Returns
    -------
    value_name : str or None
        None also if the columns have no names.
    places : tuple of 4 of int or None
        Positions of user, item, value and timestamp.
    columns_at : list of array-like or None
        The columns by position.

    Raises
    ------
    ValueError
        If a column cannot be identified.
    """
    names, columns_at = _named_columns(log)
    header = names is not None
    if not header:
        n_columns = sum(column is not None for column in columns_at)
        names = tuple(f"column {place + 1}" for place in range(n_columns))
    heads = [_head(column) for column in columns_at[: len(names)]]
    rows = [list(row) for row in zip(*heads, strict=False)]
    places = find_columns(source, names, header, columns, rows)
    name = names[places[2]] if header and places[2] is not None else None
    return name, places, columns_at


def _named_columns(log):
    """Names or None, and the columns by position."""
    if hasattr(log, "collect_schema") and hasattr(log, "collect"):  # a lazy frame of polars
        log = log.collect()
    if hasattr(log, "to_arrow") and hasattr(log, "columns"):
        log = log.to_arrow()
    log = columns_of_records(log)
    names = frame_names(log)
    if names is None:
        return None, split_unnamed(log)
    columns = [column_at(log, place) for place in range(len(names))]
    if names and not any(isinstance(name, str) for name in names):
        return None, columns  # pandas.DataFrame(array), whose names are positions
    return tuple(map(str, names)), columns


def _head(column):
    """The first entries as text."""
    some = column.iloc[:_SAMPLE] if hasattr(column, "iloc") else column[:_SAMPLE]
    entries = some.to_pylist() if hasattr(some, "to_pylist") else list(some)
    missing = missing_entries(some)
    return ["" if gone else str(entry) for entry, gone in zip(entries, missing, strict=True)]


def _convert(picked, value_name, drop_missing, decimal, form):
    n_dropped = 0
    if drop_missing:
        missing = np.logical_or.reduce(
            [missing_entries(column) for column in picked if column is not None]
        )
        n_dropped = int(missing.sum())
        if n_dropped == len(missing):
            raise ValueError(
                f"all {n_dropped} rows lack an id, value or time. Expected one interaction in each "
                "row."
            )
        if n_dropped:
            picked = [None if c is None else take_entries(c, ~missing) for c in picked]
    user, item, value, timestamp = picked
    user_ids, user_codes = _ids(user, "user")
    item_ids, item_codes = _ids(item, "item")
    for ids, name in ((user_ids, "user"), (item_ids, "item")):
        warn_of_lost_ids(ids, name, stacklevel=_STACKLEVEL)
    if value is not None and value_name is None:
        value_name = "value"
    return RawLog(
        user_codes, user_ids, item_codes, item_ids,
        None if value is None else as_values(entries_of(value), decimal),
        None if timestamp is None else as_timestamps(entries_of(timestamp), form),
        value_name, n_dropped,
    )  # fmt: skip


def _ids(column, name):
    arrow = _arrow_type(column)
    if arrow is not None and not column.null_count:
        import pyarrow as pa

        if pa.types.is_integer(arrow):
            return unique_ids(column.to_numpy(), name)
        if pa.types.is_string(arrow) or pa.types.is_large_string(arrow):
            encoded = pa.chunked_array(column).dictionary_encode().unify_dictionaries()
            if not encoded.num_chunks:
                return unique_ids(as_id_column([], name), name)
            distinct = as_id_column(encoded.chunk(0).dictionary.to_pylist(), name)
            ids, position = unique_ids(distinct, name)
            codes = [chunk.indices.to_numpy() for chunk in encoded.chunks]
            return ids, position[np.concatenate(codes)]
    entries = as_id_column(column.to_pylist() if arrow is not None else column, name)
    if arrow is not None and {type(entry) for entry in entries[:_SAMPLE].tolist()} == {float}:
        # In an array of floats, NaN is a missing id.
        entries = (
            as_id_column(entries.astype(np.float64), name) if _all_floats(entries) else entries
        )
    warn_of_float_ids(entries, name, stacklevel=_STACKLEVEL)
    return unique_ids(entries, name)


def _all_floats(entries):
    return all(isinstance(entry, float) for entry in entries.tolist())


def _arrow_type(column):
    return getattr(column, "type", None) if hasattr(column, "to_pylist") else None


def entries_of(column):
    """A column of values or times; a column of pyarrow with nulls becomes Python objects."""
    if _arrow_type(column) is not None and column.null_count:
        # An error must name the row of a null, so the objects are kept.
        return np.array(column.to_pylist(), dtype=object)
    return column
