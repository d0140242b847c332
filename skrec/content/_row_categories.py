"""Columns of tables: numbers, and categories given as numbers or text."""

from numbers import Number

import numpy as np

from skrec.utils._fitted import kind_of, refused

# Codes of a category unseen in training and of a missing one; codes of seen categories follow.
UNSEEN, MISSING, N_SPECIAL = 0, 1, 2
# First letters of the dtypes of text and category columns, of pandas and polars.
_CATEGORY = ("categor", "enum", "object", "str", "utf8", "large_string")


class Categories:
    """The rule of categories: numbers or text, ascending, each once.

    Parameters
    ----------
    kinds : str, default="iufO"
        Allowed kinds of dtypes.
    least : int, default=0
        Least number of categories.
    """

    def __init__(self, kinds="iufO", least=0):
        self._kinds, self._least = kinds, least

    def check(self, value, name, sizes, owner):
        if type(value) is not np.ndarray or value.ndim != 1 or value.dtype.kind not in self._kinds:
            raise refused(name, kind_of(value), "an array of numbers or of text")
        if len(value) < self._least:
            raise refused(name, str(len(value)), f"at least {self._least}")
        text = value.dtype == object
        if text and not all(type(one) is str for one in value.tolist()):
            raise refused(name, "something that is no text", "text only")
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise refused(name, "NaN or infinity", "finite values")
        if len(value) > 1 and not (value[:-1] < value[1:]).all():
            raise refused(name, "another order, or one twice", "ascending values")


def column_of(X, place):
    """A column of a dataframe or array."""
    if hasattr(X, "iloc"):
        return X.iloc[:, place]
    return X[:, place]


def is_category(dtype):
    """Whether a dataframe's column of a dtype holds categories or text."""
    return str(dtype).lower().startswith(_CATEGORY)


def missing_in(column, values):
    """Which values of a column are missing: None, NaN, and the dataframe's own missing values."""
    missing = np.zeros(len(values), dtype=bool)
    for name in ("isna", "is_null"):  # pandas, polars
        if hasattr(column, name):
            missing |= np.asarray(getattr(column, name)(), dtype=bool)
    if values.dtype.kind == "f":
        missing |= np.isnan(values)
    elif values.dtype == object:
        missing |= np.fromiter(
            (one is None or (isinstance(one, float) and one != one) for one in values),
            dtype=bool,
            count=len(values),
        )
    return missing


def known_and_missing(column, name):
    """The values of a column of categories that are not missing, and where values are missing.

    Parameters
    ----------
    column : Series of a dataframe or ndarray of shape (n_rows,)
    name : str
        Name for messages.

    Returns
    -------
    known : ndarray of shape (n_known,)
        Numbers, or objects that are all text.
    missing : ndarray of bool of shape (n_rows,)

    Raises
    ------
    ValueError
        If text and numbers are mixed, or there are other values.
    """
    values = column.to_numpy() if hasattr(column, "to_numpy") else np.asarray(column)
    missing = missing_in(column, values)
    known = values[~missing]
    if known.dtype.kind in "US":
        known = known.astype(str).astype(object)
    elif known.dtype == object:
        if not all(isinstance(one, str) for one in known):
            known = _as_numbers(known, name)
        else:
            known = np.array([str(one) for one in known], dtype=object)
    known = known.astype(np.int64) if known.dtype.kind == "b" else known
    if known.dtype.kind not in "iufO" or (known.dtype.kind == "f" and np.isinf(known).any()):
        raise ValueError(
            f"Categories must be finite numbers or text. Got dtype {known.dtype} in {name}."
        )
    return known, missing


def _as_numbers(values, name):
    if not all(isinstance(one, Number | np.bool_) for one in values):
        kinds = sorted({type(one).__name__ for one in values})
        raise ValueError(
            f"The categories of a column must be all numbers or all text. Got {', '.join(kinds)} "
            f"in {name}; make them text, for example by X.astype({{...: str}})."
        )
    return np.array(values.tolist())


def encoded(column, categories, name):
    """Codes of a column's values: `UNSEEN`, `MISSING`, or the place of a category plus 2."""
    known, missing = known_and_missing(column, name)
    codes = np.full(len(missing), MISSING, dtype=np.int64)
    if not len(categories):
        codes[~missing] = UNSEEN
        return codes
    if len(known) and (known.dtype == object) != (categories.dtype == object):
        kinds = ["text" if of.dtype == object else "numbers" for of in (known, categories)]
        raise ValueError(
            f"Categories must be of the kind that they were in fit. Got {kinds[0]} in {name}, "
            f"expected {kinds[1]}."
        )
    if categories.dtype == object:
        place = {text: at for at, text in enumerate(categories.tolist())}
        found = np.fromiter((place.get(one, -1) for one in known), np.int64, len(known))
    else:
        found = np.minimum(np.searchsorted(categories, known), len(categories) - 1)
        found = np.where(categories[found] == known, found, -1)
    codes[~missing] = np.where(found < 0, UNSEEN, found + N_SPECIAL)
    return codes


def numbers_of(column, name):
    """A column as float64, NaN where a value is missing.

    Raises
    ------
    ValueError
        If the column holds anything else, or infinity.
    """
    values = column.to_numpy() if hasattr(column, "to_numpy") else np.asarray(column)
    if values.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name} holds complex numbers.")
    try:
        missing = missing_in(column, values)
        numbers = np.full(len(values), np.nan)
        numbers[~missing] = values[~missing].astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Expected numbers in {name}, or {name} in categorical_features: {error}"
        ) from error
    if np.isinf(numbers).any():
        raise ValueError(f"Input X contains infinity in {name}. Expected finite numbers.")
    return numbers
