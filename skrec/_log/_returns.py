"""Negative values of a log: ratings, or quantities that came back."""

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
_ROUNDING = 1e-12  # of what was bought: 0.1 + 0.2 - 0.3 is nothing


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
        Name of the column of values. Those of a rating may be negative without a warning.
    duplicates : str, default="sum"
        What several interactions of a pair become.
    may_be_empty : bool, default=False
        Whether nothing may stay.
    stacklevel : int, default=3
        Of the warning.

    Returns
    -------
    keep : ndarray of bool of shape (n,) or None
        Which interactions stay; None for all.
    value : ndarray of float64 of shape (n,) or None
        Their values before `keep` is applied.
    n_negative : int
        How many were negative.

    Raises
    ------
    ValueError
        If there are negative values and the rule refuses them, or nothing stays.
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
    """Raise a ValueError if returns are to be taken from what is no sum."""
    if how == "subtract" and duplicates != "sum":
        raise ValueError(
            "negative='subtract' takes returns from what a user bought of an item, which is a sum. "
            f"Got duplicates={duplicates!r}; pass duplicates='sum', or negative='drop'."
        )


def nothing_left(how, n_negative, n):
    """The ValueError of a log of which the rule for negative values leaves nothing."""
    return ValueError(
        f"No interaction is left with negative={how!r}: {n_negative} of {n} values "
        "are negative, and nothing stays bought. Expected more purchases than returns; pass "
        "negative='keep' if they are ratings."
    )


def is_rating_name(name):
    """Whether a column of this name holds ratings, which may be negative."""
    return isinstance(name, str) and plain_name(name) in _RATINGS


def describe_negative(n_negative, n, first, row, name):
    """What to say of negative values.

    Parameters
    ----------
    n_negative, n : int
        How many values are negative, and how many there are.
    first : float
        The first negative value.
    row : int
        Where it stands.
    name : str or None
        Of the column.

    Returns
    -------
    message : str
    """
    where = "" if name is None else f" of {name!r}"
    return (
        f"{n_negative} of {n} values{where} are negative, the first "
        f"{first!r} (entry {row}, counting from 0). If they are returns pass "
        "negative='subtract' to take them from what was bought, or negative='drop'; if they are "
        "ratings pass negative='keep'."
    )


def subtract_returns(user, item, value):
    """Take what came back from the first purchase of its pair; pairs without a rest go.

    Parameters
    ----------
    user, item : ndarray of int of shape (n,)
    value : ndarray of float64 of shape (n,)
        Returns are negative.

    Returns
    -------
    keep : ndarray of bool of shape (n,)
        Which interactions stay.
    value : ndarray of float64 of shape (n,)
        Their values before `keep` is applied.
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
