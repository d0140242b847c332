"""Turn interaction logs of any form into columns."""

from collections.abc import Iterable, Mapping, Set
from itertools import compress
from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse

from skrec._log._coded_ids import coded_column
from skrec._log._entries import as_values
from skrec._log._ids import as_id_column, is_missing
from skrec._log._times import as_timestamps, as_values_or_dates

__all__ = [
    "Columns",
    "column_at",
    "columns_of_records",
    "frame_names",
    "missing_entries",
    "read_columns",
    "split_unnamed",
    "take_entries",
]

_NAMES = ("user", "item", "value", "timestamp")
_FORMS = (
    "a DataFrame, a mapping of columns, a tuple of columns (users, items[, values[, "
    "timestamps]]), a 2-D array with these columns, or an iterable of rows (user, item[, "
    "value[, timestamp]])"
)


class Columns(NamedTuple):
    """A log as columns of equal length; `value` and `timestamp` may be None."""

    user: np.ndarray
    item: np.ndarray
    value: np.ndarray | None
    timestamp: np.ndarray | None

    def take(self, rows):
        """The columns of some rows."""
        return Columns(*(None if column is None else column[rows] for column in self))


def read_columns(log, names, *, coded=False):
    """Split a log into checked columns.

    Parameters
    ----------
    log : dataframe, mapping, tuple of array-like, ndarray or iterable of tuples
        See `skrec.preprocessing.InteractionEncoder`.
    names : sequence of 4 of str or None
        Column names of user, item, value and timestamp in a frame or mapping. The last two
        may be None.
    coded : bool, default=False
        Whether dictionary columns of Arrow may become `CodedIds`.

    Returns
    -------
    columns : Columns
        Ids as arrays of `as_id_column`, or `CodedIds`, values as float64 (dates of a named column
        as Unix seconds), timestamps as int64 or float64.

    Raises
    ------
    ValueError
        If a column is missing, if lengths differ, or if an entry is invalid.
    TypeError
        If `log` has none of these forms.
    """
    log = columns_of_records(log)
    named = frame_names(log) is not None
    raw = _split_frame(log, names) if named else split_unnamed(log)
    read_values = as_values_or_dates if named else as_values
    user, item = (_id_column(raw[place], _NAMES[place], coded) for place in (0, 1))
    value = None if raw[2] is None else read_values(raw[2])
    timestamp = None if raw[3] is None else as_timestamps(raw[3])
    for name, column in zip(_NAMES[1:], (item, value, timestamp), strict=True):
        if column is not None and len(column) != len(user):
            raise ValueError(
                f"Columns differ in length: {len(user)} user ids but {len(column)} entries in "
                f"the {name} column. Expected one entry per interaction in each."
            )
    return Columns(user, item, value, timestamp)


def _id_column(values, name, coded):
    found = coded_column(values) if coded else None
    return as_id_column(values, name) if found is None else found


def frame_names(log):
    """Names of the columns of a frame or mapping; None for other logs.

    Parameters
    ----------
    log : object

    Returns
    -------
    names : list or None
    """
    if issparse(log):  # a DOK matrix is a mapping of (row, column) pairs
        return None
    if isinstance(log, Mapping):
        return list(log)
    names = getattr(log, "column_names", None)
    if names is None:
        names = getattr(log, "columns", None)
    return None if names is None else list(names)


def columns_of_records(log):
    """Turn a list of mappings, one per interaction, into columns; keep other logs unchanged.

    Parameters
    ----------
    log : object

    Returns
    -------
    log : dict of str to list, or object
        None fills in for names that a record lacks.
    """
    records = isinstance(log, list) and log and all(isinstance(row, Mapping) for row in log)
    if not records:
        return log
    names = dict.fromkeys(name for row in log for name in row)
    return {name: [row.get(name) for row in log] for name in names}


def column_at(frame, place):
    """Column of a frame or mapping by position, since names may repeat.

    Parameters
    ----------
    frame : dataframe, pyarrow Table or mapping
    place : int

    Returns
    -------
    column : array-like of shape (n,)
    """
    if hasattr(frame, "iloc"):
        return frame.iloc[:, place]
    if hasattr(frame, "column_names"):
        return frame.column(place)
    return frame[frame_names(frame)[place]]


def missing_entries(column):
    """Mask of the entries of a column that are None, NaN, NaT or null.

    Parameters
    ----------
    column : array-like of shape (n,)

    Returns
    -------
    missing : ndarray of bool of shape (n,)
    """
    if hasattr(column, "isna"):
        return np.asarray(column.isna(), dtype=bool)
    if hasattr(column, "is_null") and hasattr(column, "to_pylist"):
        return np.asarray(column.is_null(nan_is_null=True), dtype=bool)
    entries = column.tolist() if isinstance(column, np.ndarray) else list(column)
    return np.fromiter(map(is_missing, entries), bool, len(entries))


def take_entries(column, keep):
    """Select the entries of a column by a mask.

    Parameters
    ----------
    column : array-like of shape (n,)
    keep : ndarray of bool of shape (n,)

    Returns
    -------
    taken : array-like of shape (n_kept,)
    """
    if hasattr(column, "filter") and hasattr(column, "to_pylist"):
        import pyarrow as pa

        return column.filter(pa.array(keep))
    if hasattr(column, "dtype") and hasattr(column, "__getitem__"):
        return column[keep]
    return list(compress(column, keep))


def split_unnamed(log):
    """Columns of a log without column names.

    Parameters
    ----------
    log : tuple of array-like, ndarray or iterable of tuples

    Returns
    -------
    columns : list of 4 of array-like or None

    Raises
    ------
    TypeError, ValueError
        If `log` has none of these forms.
    """
    if issparse(log):
        raise TypeError(
            f"Got a sparse matrix of shape {log.shape}, expected an interaction log: {_FORMS}. "
            "A matrix is already encoded; inverse_transform turns it back into a log."
        )
    if isinstance(log, np.ndarray) and log.ndim == 2:
        return _split_array(log)
    if isinstance(log, tuple) or (isinstance(log, list) and _are_arrays(log)):
        if not 2 <= len(log) <= 4:
            raise ValueError(
                "A tuple is read as columns (users, items[, values[, timestamps]]). Got "
                f"{len(log)} columns, expected 2, 3 or 4; pass rows as a list of tuples."
            )
        return [*log, None, None][:4]
    if isinstance(log, str | bytes) or not isinstance(log, Iterable):
        hint = " To read a file use skrec.datasets.load_interactions." if log else ""
        raise TypeError(f"Got {type(log).__name__}, expected {_FORMS}.{hint}")
    return _split_rows(log)


def _split_frame(frame, names):
    available = frame_names(frame)
    columns = []
    for role, name in zip(_NAMES, names, strict=True):
        if name is not None and name not in available:
            raise ValueError(
                f"Column {name!r} for the {role} is missing. Got columns {available}; set "
                f"InteractionEncoder({role}=...) to one of them."
            )
        columns.append(None if name is None else frame[name])
    return columns


def _split_array(array):
    if not 2 <= array.shape[1] <= 4:
        raise ValueError(
            f"A 2-D array must have 2 to 4 columns (user, item[, value[, timestamp]]). Got "
            f"shape {array.shape}."
        )
    columns = [array[:, place] for place in range(array.shape[1])]
    if array.dtype.kind == "f":
        # The common dtype of all columns turned whole numbers into floats.
        columns[:2] = [_undo_float(column) for column in columns[:2]]
    return [*columns, None, None][:4]


def _undo_float(column):
    whole = np.isfinite(column).all() and (column == np.floor(column)).all()
    exact = whole and np.abs(column).max(initial=0) < 2**53
    return column.astype(np.int64) if exact else column


def _split_rows(rows):
    rows = rows if isinstance(rows, list) else list(rows)
    if not rows:
        return [[], [], None, None]
    try:
        widths = np.fromiter(map(len, rows), np.intp, len(rows))
    except TypeError:
        widths = np.zeros(len(rows), dtype=np.intp)
    wrong = (widths != widths[0]) | (widths < 2) | (widths > 4)
    no_row = str | bytes | Set | Mapping
    wrong |= np.fromiter((isinstance(row, no_row) for row in rows), bool, len(rows))
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"Row {place} (counting from 0) is {rows[place]!r}. Expected rows (user, item[, "
            "value[, timestamp]]), all of the same length from 2 to 4."
        )
    columns = [list(column) for column in zip(*rows, strict=True)]
    return [*columns, None, None][:4]


def _are_arrays(columns):
    return bool(columns) and all(hasattr(c, "dtype") and np.ndim(c) == 1 for c in columns)
