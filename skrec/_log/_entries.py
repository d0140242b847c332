"""Turn columns of values and times of any form into numbers."""

from datetime import UTC, datetime
from functools import partial
from numbers import Number

import numpy as np

from skrec._log._ids import is_missing, plain, to_numpy

__all__ = [
    "OTHER_DATES",
    "OTHER_DATES_OF_FILES",
    "BadEntries",
    "as_moment",
    "as_timestamps",
    "as_values",
    "as_values_or_dates",
    "expected_time",
    "parse_time",
    "time_entries",
    "time_parser",
    "to_array",
    "to_number",
    "value_entries",
    "whole_times",
]

# The way for dates such as 31.12.2024, whose order of day and month only their owner knows.
OTHER_DATES = "convert other dates with pandas.to_datetime(column, format=...) and pass the frame"
OTHER_DATES_OF_FILES = "other dates need timestamp_format=, such as timestamp_format='%d.%m.%Y'"


def to_number(text, decimal="."):
    """Read a number as Python does, but refuse underscores.

    Parameters
    ----------
    text : str
    decimal : {".", ","}, default="."
        Character before the fraction.

    Returns
    -------
    number : float

    Raises
    ------
    ValueError
        If the text is not a number.
    """
    if "_" in text or (decimal == "," and "." in text):
        raise ValueError(f"{text!r} is not a number")
    return float(text.replace(",", ".") if decimal == "," else text)


def as_values(column, decimal="."):
    """Interaction values as float64.

    Parameters
    ----------
    column : array-like of shape (n,)
        Real numbers, or text as in files.
    decimal : {".", ","}, default="."
        Character before the fraction of a number that is text.

    Returns
    -------
    values : ndarray of float64 of shape (n,)

    Raises
    ------
    ValueError
        Counts the entries that are not finite numbers, and names the first.
    """
    column, values, good = value_entries(column, decimal)
    if not good.all():
        raise _errors_of("value", column, ~good, decimal)
    return values


def value_entries(column, decimal="."):
    """As `as_values`, but with a mask instead of an error for bad entries.

    Parameters
    ----------
    column : array-like of shape (n,)
    decimal : {".", ","}, default="."

    Returns
    -------
    column : ndarray of shape (n,)
        The entries unchanged.
    values : ndarray of float64 of shape (n,)
    good : ndarray of bool of shape (n,)
        Mask of the entries that are finite numbers.
    """
    column = to_array(column)
    if column.dtype.kind in "iufb":
        values = column.astype(np.float64)
        return column, values, np.isfinite(values)
    return column, *_convert_each(column, partial(_value, decimal=decimal))


def as_values_or_dates(column):
    """`as_values` for a column that the user named: dates become Unix seconds.

    Parameters
    ----------
    column : array-like of shape (n,)
        Numbers; or dates as `as_timestamps` takes them, if no entry is a number.

    Returns
    -------
    values : ndarray of float64 of shape (n,)

    Raises
    ------
    ValueError
        The error of `as_values`; among dates it counts the other entries.
    """
    try:
        return as_values(column)
    except ValueError:
        entries = to_array(_without_zone(column))
        if entries.dtype.kind == "M":
            is_date = ~np.isnat(entries)
        elif _convert_each(entries, _value)[1].any():
            raise
        else:
            is_date = _convert_each(entries, parse_time, numbers=False)[1]
        if not is_date.any():
            raise
    if not is_date.all():
        row, n_missing = int(np.argmin(is_date)), sum(map(is_missing, entries[~is_date].tolist()))
        counts = int(np.count_nonzero(~is_date)), n_missing, len(entries)
        raise _bad_entries("value", row, plain(entries[row]), counts, "a date, like the others")
    return as_timestamps(entries).astype(np.float64)


def as_timestamps(column, timestamp_format=None):
    """Timestamps as numbers: dates become Unix seconds, numbers stay unchanged.

    Parameters
    ----------
    column : array-like of shape (n,)
        Numbers, datetime64, datetime or date objects, or ISO 8601 strings, of NumPy, pandas,
        polars or pyarrow. Dates without a time zone are read as UTC.
    timestamp_format : str or None, default=None
        Form of text and whole numbers, see `time_parser`.

    Returns
    -------
    timestamps : ndarray of int64 or float64 of shape (n,)
        int64 if all are whole.

    Raises
    ------
    ValueError
        Counts the entries that are not times, and names the first.
    """
    column, times, good = time_entries(column, timestamp_format)
    if not good.all():
        raise _errors_of("timestamp", column, ~good, timestamp_format=timestamp_format)
    return whole_times(times)


def time_entries(column, timestamp_format=None):
    """As `as_timestamps`, but with a mask instead of an error for bad entries.

    Parameters
    ----------
    column : array-like of shape (n,)
    timestamp_format : str or None, default=None

    Returns
    -------
    column : ndarray of shape (n,)
        The entries unchanged.
    times : ndarray of int64 or float64 of shape (n,)
        int64 if the column has a dtype of whole numbers that fit.
    good : ndarray of bool of shape (n,)
        Mask of the entries that are times.
    """
    column = to_array(_without_zone(column))
    if column.dtype.kind == "M":
        times = column.astype("datetime64[us]").astype(np.int64) / 1e6
        return column, times, ~np.isnat(column)
    if timestamp_format is not None:
        return column, *_convert_each(column, time_parser(timestamp_format), numbers=False)
    if column.dtype.kind in "iu" and (
        column.dtype.kind == "i" or int(column.max(initial=0)) < 2**63
    ):
        return column, column.astype(np.int64), np.ones(len(column), dtype=bool)
    if column.dtype.kind in "fu":
        times = column.astype(np.float64)
        return column, times, np.isfinite(times)
    return column, *_convert_each(column, parse_time, numbers=False)


def as_moment(value):
    """Convert a single time as `as_timestamps` does.

    Parameters
    ----------
    value : number, str, datetime64, datetime or date

    Returns
    -------
    time : int or float
        A date as Unix seconds; a number unchanged.

    Raises
    ------
    ValueError
        If `value` is not a time.
    """
    try:
        time = parse_time(value)
        finite = np.isfinite(time)
    except (TypeError, ValueError, OverflowError):
        finite = False
    if not finite:
        raise ValueError(f"Got {value!r}, expected a number, a date or ISO 8601 text.")
    return int(time) if time == int(time) else time


def parse_time(value):
    """Unix seconds of a date or an ISO 8601 text; a number unchanged.

    Parameters
    ----------
    value : str, number, datetime64, datetime or date

    Returns
    -------
    seconds : int or float

    Raises
    ------
    ValueError, TypeError
        If `value` is none of these.
    """
    if isinstance(value, str):
        value = value.strip()
        number = _number_or_none(value)
        if number is not None:
            return number
        value = datetime.fromisoformat(value)
    elif isinstance(value, np.datetime64):
        if np.isnat(value):
            raise ValueError("NaT is not a time")
        return int(value.astype("datetime64[us]").astype(np.int64)) / 1e6
    if hasattr(value, "timestamp"):
        value = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        return value.timestamp()
    if hasattr(value, "toordinal"):  # a date without time
        return datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()
    if isinstance(value, bool | np.bool_ | np.timedelta64):
        raise TypeError(f"{type(value).__name__} is not a time")
    if isinstance(value, int | np.integer):
        return int(value)
    return _value(value)


def time_parser(timestamp_format=None):
    """A function that returns the Unix seconds of a time.

    Parameters
    ----------
    timestamp_format : str or None, default=None
        Form of the times, as of ``datetime.strptime``. Text and whole numbers, such as 20241231,
        must have this form. None: `parse_time`.

    Returns
    -------
    parse : callable
        Raises a ValueError or a TypeError for what is no time.
    """
    if timestamp_format is None:
        return parse_time
    return partial(_parse_as, timestamp_format=timestamp_format)


def _parse_as(value, timestamp_format):
    if isinstance(value, float | np.floating | bool | np.bool_):
        raise TypeError(f"{type(value).__name__} has no form {timestamp_format!r}")
    if isinstance(value, str | int | np.integer):
        value = datetime.strptime(str(value).strip(), timestamp_format)
    return parse_time(value)


def to_array(column):
    """A column as a 1-D array: numbers if all entries are numbers, else objects.

    Parameters
    ----------
    column : array-like of shape (n,)

    Returns
    -------
    array : ndarray of shape (n,)
    """
    if hasattr(column, "to_numpy"):
        column = to_numpy(column)
    if isinstance(column, np.ndarray):
        if column.ndim != 1:
            raise ValueError(f"A column must be 1-D. Got an array of shape {column.shape}.")
        return column.astype(object) if column.dtype.kind in "T" else column
    column = list(column)
    try:
        array = np.array(column)
    except ValueError:
        array = np.empty(0)
    if array.ndim == 1 and array.dtype.kind in "iufb" and len(array) == len(column):
        return array
    return np.fromiter(column, dtype=object, count=len(column))


def _without_zone(column):
    """Convert a pandas column with a time zone to UTC, without an object per entry."""
    zone = getattr(getattr(column, "dtype", None), "tz", None)
    if zone is None or not hasattr(column, "to_numpy"):
        return column
    try:
        return column.to_numpy(dtype="datetime64[us]")
    except (TypeError, ValueError):
        return column


def _value(value, decimal="."):
    """A real number, or text as in files, as a float."""
    if isinstance(value, str | bytes):
        return to_number(value if isinstance(value, str) else value.decode(), decimal)
    if isinstance(value, Number) and not isinstance(value, np.timedelta64):
        return float(value)  # TypeError for complex numbers
    raise TypeError(f"{type(value).__name__} is not a number")


def _number_or_none(text):
    if "_" in text:
        return None
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return None


def _convert_each(column, convert, *, numbers=True):
    """Numbers of all entries, and a mask of the finite ones; `numbers` are kept as they are."""
    values = np.full(len(column), np.nan)
    if column.dtype.kind in "cmM":
        return values, np.zeros(len(column), dtype=bool)
    entries = column.tolist()
    if numbers and set(map(type, entries)) <= {int, float}:
        try:
            values[:] = entries
        except OverflowError:
            pass
        else:
            return values, np.isfinite(values)
    for row, value in enumerate(entries):
        try:
            values[row] = convert(value)
        except (TypeError, ValueError, OverflowError):
            continue
    return values, np.isfinite(values)


class BadEntries:
    """Collects the bad entries of a column of values or times that comes in blocks.

    Parameters
    ----------
    name : {"value", "timestamp"}
    decimal : {".", ","}, default="."
        Character before the fraction of a value that is text.
    timestamp_format : str or None, default=None
        See `time_parser`.
    """

    def __init__(self, name, decimal=".", timestamp_format=None):
        self._name, self._decimal, self._format = name, decimal, timestamp_format
        self._n = self._n_bad = self._n_missing = self._row = 0
        self._first = None

    def add(self, column, bad):
        """Add a block of entries, with a mask of the bad ones; return whether there is one."""
        n_bad = int(np.count_nonzero(bad))
        if n_bad and not self._n_bad:
            row = int(np.argmax(bad))
            self._row, self._first = self._n + row, plain(column[row])
        if n_bad:
            self._n_missing += sum(map(is_missing, column[bad].tolist()))
        self._n += len(column)
        self._n_bad += n_bad
        return n_bad > 0

    def check(self):
        """Raise a ValueError that counts the bad entries and names the first, if there are any."""
        if self._n_bad:
            raise self.error()

    def error(self):
        """The ValueError about the bad entries."""
        name, first, expected = self._name, self._first, expected_time(self._format)
        if name == "value":
            comma = self._decimal == "." and isinstance(first, str)
            comma = comma and "," in first and "." not in first
            expected = "a finite number"
            expected += " (one with a decimal comma needs decimal=',')" if comma else ""
        return _bad_entries(
            name, self._row, first, (self._n_bad, self._n_missing, self._n), expected
        )


def expected_time(timestamp_format):
    """The times that are expected, for messages."""
    if timestamp_format is None:
        return "a number or an ISO 8601 date"
    return f"a time of the form {timestamp_format!r}"


def _errors_of(name, column, bad, decimal=".", timestamp_format=None):
    found = BadEntries(name, decimal, timestamp_format)
    found.add(column, bad)
    return found.error()


def _bad_entries(name, row, value, counts, expected):
    n_bad, n_missing, n = counts
    if n_bad == n and not n_missing:
        return ValueError(
            f"Entry {row} (counting from 0) of the {name} column is {value!r}, and the other "
            f"entries are not {name}s either. Expected {expected}; pass another column as "
            f"{name}=, or None{f'; {OTHER_DATES}' if name == 'timestamp' else ''}."
        )
    remedy = "drop or fill" if name == "value" else "drop"
    return ValueError(
        f"Entry {row} (counting from 0) of the {name} column is {value!r}. Expected {expected}; "
        f"{remedy} those {n_bad} rows first"
        + (", or read the log with load_interactions(log, drop_missing=True)." if n_missing == n_bad
           else ".")
    )  # fmt: skip


def whole_times(seconds):
    """Times as int64 if all of them are whole.

    Parameters
    ----------
    seconds : ndarray of int64 or float64 of shape (n,)

    Returns
    -------
    times : ndarray of int64 or float64 of shape (n,)
    """
    if seconds.dtype.kind == "i":
        return seconds
    whole = (seconds == np.floor(seconds)).all() and np.abs(seconds).max(initial=0) < 2**53
    return seconds.astype(np.int64) if whole else seconds
