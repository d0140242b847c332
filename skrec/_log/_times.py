"""Turn times of any form into numbers: seconds since 1970, or the numbers that a log has."""

from datetime import UTC, datetime
from numbers import Number

import numpy as np

from skrec._log._entries import (
    as_values,
    bad_entries,
    convert_each,
    errors_of,
    to_array,
    to_real,
)
from skrec._log._ids import is_missing, plain

__all__ = [
    "ISO",
    "TimeForm",
    "as_moment",
    "as_timestamps",
    "as_values_or_dates",
    "parse_time",
    "time_entries",
    "whole_times",
]

# For dates such as 31.12.2024: only their owner knows the order of day and month.
_CONVERT = "convert other dates with pandas.to_datetime(column, format=...) and pass the frame"
_FORMAT = "other dates need timestamp_format=, such as timestamp_format='%d.%m.%Y'"
# How many different times are remembered while a column is read.
_REMEMBERED = 100_000


class TimeForm:
    """How times are written.

    Parameters
    ----------
    timestamp_format : str or None, default=None
        As of ``datetime.strptime``. Text and whole numbers, such as 20241231, must have this form.
        None: numbers, and ISO 8601.
    settable : bool, default=True
        Whether the caller can pass another format.

    Attributes
    ----------
    expected : str
        What is expected, for messages.
    remedy : str
        What to do where entries have another form, for messages.
    """

    def __init__(self, timestamp_format=None, *, settable=True):
        self.timestamp_format = None if timestamp_format is None else timestamp_format.strip()
        if timestamp_format is None:
            self.expected = "a number or an ISO 8601 date"
            self.remedy = _FORMAT if settable else _CONVERT
        else:
            self.expected = f"a time of the form {timestamp_format!r}"
            self.remedy = "or pass another timestamp_format="

    def parse(self, value):
        """Seconds of a time.

        Parameters
        ----------
        value : str, bytes, number, datetime64, datetime or date

        Returns
        -------
        seconds : int or float

        Raises
        ------
        ValueError, TypeError
            If `value` is no time of this form. Digits that have lost a zero are none: 1012025
            may be the 1st or the 10th of January.
        """
        if self.timestamp_format is None:
            return parse_time(value)
        if isinstance(value, bytes):
            value = value.decode()
        if isinstance(value, bool | np.bool_ | np.timedelta64):
            raise TypeError(f"{type(value).__name__} is not a time")
        if isinstance(value, Number):
            if int(value) != value:
                raise ValueError(f"{value} is not whole")
            value = str(int(value))
        if isinstance(value, str):
            text = value.strip()
            value = datetime.strptime(text, self.timestamp_format)
            if text.isdecimal() and not self._writes(value, text):
                raise ValueError(f"{text} has another form")
        if hasattr(value, "toordinal") or isinstance(value, np.datetime64):
            return parse_time(value)
        raise TypeError(f"{type(value).__name__} is not a time")

    def _writes(self, time, text):
        """Whether a time is written like this; fractions of a second may be shorter."""
        written = time.strftime(self.timestamp_format)
        if self.timestamp_format.endswith("%f"):
            return written.startswith(text) and not written[len(text) :].strip("0")
        return written == text

    def require_column(self, source, place):
        """Raise a ValueError if there is a format but no column of times.

        Parameters
        ----------
        source : str or pathlib.Path
            Name of the log.
        place : int or None
            Of the column of times.
        """
        if place is None and self.timestamp_format is not None:
            raise ValueError(
                f"{source}: got timestamp_format={self.timestamp_format!r}, but no column of times "
                "was found by its name; pass timestamp= its name or position."
            )


ISO = TimeForm(settable=False)


def _known(parse):
    """The same function, which remembers some of its results: logs repeat their times."""
    found = {}

    def remembered(value):
        if not isinstance(value, str | bytes | Number):
            return parse(value)  # equal datetimes may be different moments
        key = type(value), value
        if key not in found:
            if len(found) == _REMEMBERED:
                found.clear()
            found[key] = parse(value)
        return found[key]

    return remembered


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
        elif convert_each(entries, to_real)[1].any():
            raise
        else:
            is_date = convert_each(entries, parse_time, numbers=False)[1]
        if not is_date.any():
            raise
    if not is_date.all():
        row, n_missing = int(np.argmin(is_date)), sum(map(is_missing, entries[~is_date].tolist()))
        counts = int(np.count_nonzero(~is_date)), n_missing, len(entries)
        raise bad_entries("value", row, plain(entries[row]), counts, "a date, like the others")
    return as_timestamps(entries).astype(np.float64)


def as_timestamps(column, form=ISO):
    """Timestamps as numbers: dates become Unix seconds, numbers stay unchanged.

    Parameters
    ----------
    column : array-like of shape (n,)
        Numbers, datetime64, datetime or date objects, or ISO 8601 strings, of NumPy, pandas,
        polars or pyarrow. Dates without a time zone are read as UTC.
    form : TimeForm, default=ISO

    Returns
    -------
    timestamps : ndarray of int64 or float64 of shape (n,)
        int64 if all are whole.

    Raises
    ------
    ValueError
        Counts the entries that are not times, and names the first.
    """
    column, times, good = time_entries(column, form)
    if not good.all():
        raise errors_of("timestamp", column, ~good, form=form)
    return whole_times(times)


def time_entries(column, form=ISO):
    """As `as_timestamps`, but with a mask instead of an error for bad entries.

    Parameters
    ----------
    column : array-like of shape (n,)
    form : TimeForm, default=ISO

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
    if form.timestamp_format is not None:
        if column.dtype.kind == "f" and column.dtype.itemsize < 8:  # it rounds eight digits
            return column, np.full(len(column), np.nan), np.zeros(len(column), dtype=bool)
        return column, *convert_each(column, _known(form.parse), numbers=False)
    if column.dtype.kind in "iu" and (
        column.dtype.kind == "i" or int(column.max(initial=0)) < 2**63
    ):
        return column, column.astype(np.int64), np.ones(len(column), dtype=bool)
    if column.dtype.kind in "fu":
        times = column.astype(np.float64)
        return column, times, np.isfinite(times)
    return column, *convert_each(column, parse_time, numbers=False)


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
        If `value` is not a time.
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
    return to_real(value)


def _without_zone(column):
    """Convert a pandas column with a time zone to UTC, without an object per entry."""
    zone = getattr(getattr(column, "dtype", None), "tz", None)
    if zone is None or not hasattr(column, "to_numpy"):
        return column
    try:
        return column.to_numpy(dtype="datetime64[us]")
    except (TypeError, ValueError):
        return column


def _number_or_none(text):
    if "_" in text:
        return None
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return None


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
