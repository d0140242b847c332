"""Negative values of a log: ratings, or returned quantities."""

import warnings

import numpy as np

from skrec.utils._log_names import plain_name

__all__ = [
    "NEGATIVE",
    "describe_negative",
    "is_rating_name",
    "nothing_left",
    "require_sum",
    "settle_negative",
    "subtract_returns",
]

NEGATIVE = ("warn", "keep", "drop", "subtract", "error")
_RATINGS = ("rating", "ratings", "score", "stars")
_ROUNDING = 1e-12  # a smaller rest, relative to the purchases, counts as 0: 0.1 + 0.2 - 0.3


def settle_negative(
    user, item, value, how, *, name=None, duplicates="sum", may_be_empty=False, stacklevel=3
):
    """Apply the rule for negative values to the columns of a log.

    Parameters
    ----------
    user, item : ndarray of int of shape (n,)
        Codes of the pair of each interaction; only "subtract" needs them.
    value : ndarray of float64 of shape (n,) or None
    how : str
        One of `NEGATIVE`; see `skrec.datasets.load_interactions`.
    name : str, default=None
        Name of the value column. With a usual name of ratings, negative values do not warn.
    duplicates : str, default="sum"
        Rule for several interactions of a pair.
    may_be_empty : bool, default=False
        Whether the result may be empty.
    stacklevel : int, default=3
        Stack level of the warning.

    Returns
    -------
    keep : ndarray of bool of shape (n,) or None
        Mask of the interactions that stay; None: all.
    value : ndarray of float64 of shape (n,) or None
        New values, before `keep` is applied.
    n_negative : int
        Number of negative values.

    Raises
    ------
    ValueError
        If the rule refuses negative values, or no interaction stays.
    """
    require_sum(how, duplicates)
    negative = None if value is None else value < 0
    n_negative = 0 if negative is None else int(negative.sum())
    if not n_negative or how == "keep" or (how == "warn" and is_rating_name(name)):
        return None, value, n_negative
    if how in ("warn", "error"):
        row = int(np.argmax(negative))
        message = describe_negative(n_negative, len(value), value[row].item(), row, name)
        if how == "error":
            raise ValueError(message)
        warnings.warn(message, stacklevel=stacklevel + 1)
        return None, value, n_negative
    keep = ~negative
    if how == "subtract":
        keep, value = subtract_returns(user, item, value)
    if not keep.any() and not may_be_empty:
        raise nothing_left(how, n_negative, len(value))
    return keep, value, n_negative


def require_sum(how, duplicates):
    """Raise a ValueError if returns are to be subtracted but values are not summed."""
    if how == "subtract" and duplicates != "sum":
        raise ValueError(
            "negative='subtract' subtracts returns from the sum of a user's purchases of an item. "
            f"Got duplicates={duplicates!r}; pass duplicates='sum', or negative='drop'."
        )


def nothing_left(how, n_negative, n):
    """The ValueError for a log without an interaction after the rule for negative values."""
    return ValueError(
        f"No interaction is left with negative={how!r}: {n_negative} of {n} values are negative, "
        "and no purchase remains. Expected more purchases than returns; pass negative='keep' if "
        "they are ratings."
    )


def is_rating_name(name):
    """Whether a name is a usual name of a column of ratings, which may be negative."""
    return isinstance(name, str) and plain_name(name) in _RATINGS


def describe_negative(n_negative, n, first, row, name):
    """Message about negative values.

    Parameters
    ----------
    n_negative, n : int
        Number of negative values, and of all values.
    first : float
        The first negative value.
    row : int
        Row of the first negative value.
    name : str or None
        Name of the column.

    Returns
    -------
    message : str
    """
    where = "" if name is None else f" of {name!r}"
    return (
        f"{n_negative} of {n} values{where} are negative, the first "
        f"{first!r} (entry {row}, counting from 0). If they are returns, pass "
        "negative='subtract' to subtract them from the purchases, or negative='drop'. If they are "
        "ratings, pass negative='keep'."
    )


def subtract_returns(user, item, value):
    """Subtract returns from the first purchase of their pair; drop pairs without a rest.

    Parameters
    ----------
    user, item : ndarray of int of shape (n,)
    value : ndarray of float64 of shape (n,)
        Returns are negative.

    Returns
    -------
    keep : ndarray of bool of shape (n,)
        Mask of the interactions that stay.
    value : ndarray of float64 of shape (n,)
        New values, before `keep` is applied.
    """
    negative = value < 0
    order = np.lexsort((item, user))
    new = np.ones(len(order), dtype=bool)
    new[1:] = (np.diff(user[order]) != 0) | (np.diff(item[order]) != 0)
    pair = np.empty(len(order), dtype=np.intp)
    pair[order] = np.cumsum(new) - 1
    n_pairs = int(new.sum())
    bought = np.bincount(pair, np.where(negative, 0.0, value), n_pairs)
    returned = np.bincount(pair, np.where(negative, -value, 0.0), n_pairs)
    rest = bought - returned
    gone = (returned > 0) & (rest <= _ROUNDING * bought)
    keep = ~negative & ~gone[pair]
    value = value.copy()
    rows = np.flatnonzero(keep)
    pairs, first = np.unique(pair[rows], return_index=True)
    value[rows[first]] -= returned[pairs]
    return keep, value
