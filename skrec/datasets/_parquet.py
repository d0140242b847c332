"""Interaction logs in parquet files."""

import numpy as np

from skrec._log._columns import as_timestamps, as_values
from skrec._log._ids import as_id_column, unique_ids
from skrec.datasets._guess import find_columns
from skrec.datasets._text import RawLog

__all__ = ["read_parquet"]


def read_parquet(path, columns):
    """Read the columns of a log.

    Parameters
    ----------
    path : pathlib.Path
    columns : tuple of 4 of str, int, "auto" or None
        As for text files.

    Returns
    -------
    log : RawLog
        With arrays of ids instead of lists of text.

    Raises
    ------
    ValueError
        If a column cannot be told, or a row holds no id or no number.
    """
    import pyarrow.parquet as pq

    names = tuple(pq.read_schema(path).names)
    places = find_columns(path, names, True, columns, [])
    wanted = [names[place] for place in places if place is not None]
    table = pq.read_table(path, columns=sorted(set(wanted)))
    if not len(table):
        raise ValueError(f"{path} is empty. Expected one interaction in each row.")
    user, item, value, timestamp = (
        None if place is None else table.column(names[place]) for place in places
    )
    try:
        user_ids, user_codes = _ids(user, "user")
        item_ids, item_codes = _ids(item, "item")
        return RawLog(
            user_codes, user_ids, item_codes, item_ids,
            None if value is None else as_values(_array(value)),
            None if timestamp is None else as_timestamps(_array(timestamp)),
            None if value is None else names[places[2]],
        )  # fmt: skip
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error


def _ids(column, name):
    import pyarrow as pa

    if pa.types.is_integer(column.type) and not column.null_count:
        return unique_ids(column.to_numpy(), name)
    if not column.null_count and (
        pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    ):
        encoded = column.dictionary_encode().unify_dictionaries()
        distinct = as_id_column(encoded.chunk(0).dictionary.to_pylist(), name)
        ids, position = unique_ids(distinct, name)
        codes = [chunk.indices.to_numpy() for chunk in encoded.chunks]
        return ids, position[np.concatenate(codes)]
    return unique_ids(as_id_column(column.to_pylist(), name), name)


def _array(column):
    if column.null_count:
        # Which row it is matters more than the dtype.
        return np.array(column.to_pylist(), dtype=object)
    return column.to_numpy()
