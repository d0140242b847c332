"""Interaction logs in whatever form users have them -> columns."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse

from skrec._log._ids import as_id_column, plain

__all__ = ["Columns", "as_timestamps", "as_values", "parse_time", "read_columns", "to_number"]

_NAMES = ("user", "item", "value", "timestamp")
_FORMS = (
    "a DataFrame, a mapping of columns, a tuple of columns (users, items[, values[, "
    "timestamps]]), a 2-D array with these columns, or an iterable of rows (user, item[, "
    "value[, timestamp]])"
)


class Columns(NamedTuple):
    """A log as columns of one length; `value` and `timestamp` may be None."""

    user: np.ndarray
    item: np.ndarray
    value: np.ndarray | None
    timestamp: np.ndarray | None

    def take(self, rows):
        """The same columns at some rows only."""
        return Columns(*(None if column is None else column[rows] for column in self))


def read_columns(log, names):
    """Split a log into checked columns.

    Parameters
    ----------
    log : dataframe, mapping, tuple of array-like, ndarray or iterable of tuples
        See `skrec.preprocessing.InteractionEncoder`.
    names : sequence of 4 of str or None
        Column names of user, item, value and timestamp in a frame or mapping; None for
        the last two where there is none.

    Returns
    -------
    columns : Columns
        Ids as arrays of `as_id_column`, values as float64, timestamps as int64 or float64.

    Raises
    ------
    ValueError
        If a column is missing, lengths differ, or an entry is not what it should be.
    TypeError
        If `log` has none of the forms.
    """
    raw = _split(log, names)
    user, item = as_id_column(raw[0], "user"), as_id_column(raw[1], "item")
    value = None if raw[2] is None else as_values(raw[2])
    timestamp = None if raw[3] is None else as_timestamps(raw[3])
    for name, column in zip(_NAMES[1:], (item, value, timestamp), strict=True):
        if column is not None and len(column) != len(user):
            raise ValueError(
                f"Columns differ in length: {len(user)} user ids but {len(column)} entries in "
                f"the {name} column. Expected one of each per interaction."
            )
    return Columns(user, item, value, timestamp)


def as_values(column):
    """Interaction values as float64.

    Parameters
    ----------
    column : array-like of shape (n,)

    Returns
    -------
    values : ndarray of float64 of shape (n,)

    Raises
    ------
    ValueError
        Names the first entry that is not a finite number.
    """
    column = _as_array(column)
    try:
        values = column.astype(np.float64)
    except (TypeError, ValueError):
        values = _convert_each(column, float, "value", "a finite number")
    bad = ~np.isfinite(values)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise ValueError(
            f"Entry {row} (counting from 0) of the value column is {plain(column[row])!r}. "
            f"Expected a finite number; drop or fill those {int(bad.sum())} rows first."
        )
    return values


def as_timestamps(column):
    """Timestamps as numbers: dates become Unix seconds, numbers stay as they are.

    Parameters
    ----------
    column : array-like of shape (n,)
        Numbers, datetime64, datetime objects or ISO 8601 strings; without a time zone
        they are read as UTC.

    Returns
    -------
    timestamps : ndarray of int64 or float64 of shape (n,)
        int64 where all are whole.

    Raises
    ------
    ValueError
        Names the first entry that is no point in time.
    """
    column = _as_array(column)
    if column.dtype.kind == "M":
        _refuse_bad_times(np.isnat(column), column)
        return _whole(column.astype("datetime64[us]").astype(np.int64) / 1e6)
    if column.dtype.kind in "iub":
        return column.astype(np.int64)
    if column.dtype.kind != "f":
        column = _times_of_objects(column)
    _refuse_bad_times(~np.isfinite(column), column)
    return _whole(column.astype(np.float64))


def to_number(text):
    """A number as Python reads it, but without underscores.

    Parameters
    ----------
    text : str

    Returns
    -------
    number : float

    Raises
    ------
    ValueError
        If it is none.
    """
    if "_" in text:
        raise ValueError(f"{text!r} is no number")
    return float(text)


def parse_time(text):
    """Unix seconds of a number or an ISO 8601 text.

    Parameters
    ----------
    text : str, number, datetime or date

    Returns
    -------
    seconds : int or float

    Raises
    ------
    ValueError, TypeError
        If it is neither.
    """
    from datetime import UTC, datetime

    if isinstance(text, str):
        text = text.strip()
        for convert in (int, float):
            try:
                return convert(text)
            except ValueError:
                continue
        text = datetime.fromisoformat(text)
    if hasattr(text, "timestamp"):
        text = text if text.tzinfo is not None else text.replace(tzinfo=UTC)
        return text.timestamp()
    if hasattr(text, "toordinal"):  # a date without time
        return datetime(text.year, text.month, text.day, tzinfo=UTC).timestamp()
    return float(text)


def _split(log, names):
    if issparse(log):
        raise TypeError(
            f"Got a sparse matrix of shape {log.shape}, expected an interaction log: {_FORMS}. "
            "A matrix is encoded already; inverse_transform turns it back into a log."
        )
    if isinstance(log, Mapping) or hasattr(log, "columns") or hasattr(log, "column_names"):
        return _split_frame(log, names)
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
    if isinstance(frame, Mapping):
        available = list(frame)
    else:
        available = list(getattr(frame, "column_names", None) or frame.columns)
    columns = []
    for role, name in zip(_NAMES, names, strict=True):
        if name is not None and name not in available:
            raise ValueError(
                f"Column {name!r} for the {role} is not there. Got columns {available}; set "
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
        # One dtype for all columns made floats of whole-numbered ids.
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
    wrong |= np.fromiter((isinstance(row, str | bytes) for row in rows), bool, len(rows))
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"Row {place} (counting from 0) is {rows[place]!r}. Expected rows (user, item[, "
            "value[, timestamp]]), all of one length from 2 to 4."
        )
    columns = [list(column) for column in zip(*rows, strict=True)]
    return [*columns, None, None][:4]


def _are_arrays(columns):
    return bool(columns) and all(hasattr(c, "dtype") and np.ndim(c) == 1 for c in columns)


def _as_array(column):
    if hasattr(column, "to_numpy"):
        column = column.to_numpy()
    if isinstance(column, np.ndarray):
        if column.ndim != 1:
            raise ValueError(f"A column must be 1-D. Got an array of shape {column.shape}.")
        return column
    column = list(column)
    try:
        array = np.array(column)
    except ValueError:
        array = np.empty(0)
    if array.ndim == 1 and array.dtype.kind in "iufb" and len(array) == len(column):
        return array
    return np.fromiter(column, dtype=object, count=len(column))


def _times_of_objects(column):
    if column.dtype.kind in "U":
        column = column.astype(object)
    return _convert_each(column, parse_time, "timestamp", "a number or an ISO 8601 date")


def _convert_each(column, convert, name, expected):
    values = np.empty(len(column), dtype=np.float64)
    for row, value in enumerate(column):
        try:
            values[row] = convert(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(
                f"Entry {row} (counting from 0) of the {name} column is {value!r}. Expected "
                f"{expected}."
            ) from error
    return values


def _refuse_bad_times(bad, column):
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise ValueError(
            f"Entry {row} (counting from 0) of the timestamp column is {plain(column[row])!r}. "
            f"Expected a point in time; drop those {int(bad.sum())} rows first."
        )


def _whole(seconds):
    whole = (seconds == np.floor(seconds)).all() and np.abs(seconds).max(initial=0) < 2**53
    return seconds.astype(np.int64) if whole else seconds
