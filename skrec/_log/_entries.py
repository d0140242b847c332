"""Turn columns of values and times of any form into numbers."""

from functools import partial
from numbers import Number

import numpy as np

from skrec._log._ids import is_missing, plain, to_numpy

__all__ = [
    "BadEntries",
    "as_values",
    "bad_entries",
    "convert_each",
    "errors_of",
    "to_array",
    "to_number",
    "to_real",
    "value_entries",
]


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
        raise errors_of("value", column, ~good, decimal)
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
    return column, *convert_each(column, partial(to_real, decimal=decimal))


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


def to_real(value, decimal="."):
    """A real number, or text as in files, as a float."""
    if isinstance(value, str | bytes):
        return to_number(value if isinstance(value, str) else value.decode(), decimal)
    if isinstance(value, Number) and not isinstance(value, np.timedelta64):
        return float(value)  # TypeError for complex numbers
    raise TypeError(f"{type(value).__name__} is not a number")


def convert_each(column, convert, *, numbers=True):
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
    form : TimeForm or None, default=None
        Of times, see `skrec._log._times`.
    """

    def __init__(self, name, decimal=".", form=None):
        self._name, self._decimal, self._form = name, decimal, form
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
        counts = (self._n_bad, self._n_missing, self._n)
        if self._form is not None:
            form = self._form
            return bad_entries(
                self._name, self._row, self._first, counts, form.expected, form.remedy
            )
        comma = self._decimal == "." and isinstance(self._first, str)
        comma = comma and "," in self._first and "." not in self._first
        expected = "a finite number"
        expected += " (one with a decimal comma needs decimal=',')" if comma else ""
        return bad_entries(self._name, self._row, self._first, counts, expected)


def errors_of(name, column, bad, decimal=".", form=None):
    """The ValueError about the bad entries of a whole column."""
    found = BadEntries(name, decimal, form)
    found.add(column, bad)
    return found.error()


def bad_entries(name, row, value, counts, expected, other=""):
    """The ValueError about bad entries.

    Parameters
    ----------
    name : {"value", "timestamp"}
    row : int
        Of the first one.
    value : object
        The first one.
    counts : tuple of int
        Of bad entries, missing ones among these, and all entries.
    expected : str
    other : str, default=""
        What to do if entries are of another form.

    Returns
    -------
    error : ValueError
    """
    n_bad, n_missing, n = counts
    other = f"; {other}" if other and n_bad > n_missing else ""
    if n_bad == n and not n_missing:
        return ValueError(
            f"Entry {row} (counting from 0) of the {name} column is {value!r}, and the other "
            f"entries are not {name}s either. Expected {expected}; pass another column as "
            f"{name}=, or None{other}."
        )
    remedy = "drop or fill" if name == "value" else "drop"
    rows = f"those {n_bad} rows" if n_bad > 1 else "that row"
    return ValueError(
        f"Entry {row} (counting from 0) of the {name} column is {value!r}. Expected {expected}; "
        f"{remedy} {rows} first"
        + (", or read the log with load_interactions(log, drop_missing=True)." if n_missing == n_bad
           else f"{other}.")
    )  # fmt: skip
