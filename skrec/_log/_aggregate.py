"""Turn positions and values of a log into CSR, with a rule for repeated pairs."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

__all__ = [
    "AUTO",
    "DUPLICATES",
    "Merged",
    "cast_exact",
    "cast_values",
    "check_dtype",
    "dtype_of_times",
    "merge_duplicates",
]

AUTO = "auto"
_SHORT = 1 << 16  # up to this many entries, one sort of whole numbers stays in the cache
_LONG = 1 << 15  # from this many entries on, the compiled sort pays off
_EXACT = 2.0**24  # up to this number float32 represents every whole number
_NEAR = 2.0**-14  # greatest distance of float32 from a value
_LEAST = 2.0**-63  # the square of a smaller value may be zero in float32
_BLOCK = 2**16
_DTYPES = [np.dtype(code) for code in "?bhilqBHILQfd"]
DUPLICATES = ("sum", "count", "first", "last", "max", "min", "mean", "error")


class Merged(NamedTuple):
    """A log as a matrix.

    Attributes
    ----------
    X : csr_array of shape (n_users, n_items)
        One stored entry per distinct pair, zeros included; sorted indices.
    last : ndarray of intp of shape (nnz,)
        For each stored entry, its last occurrence in the log (by time if known).
    """

    X: csr_array
    last: np.ndarray


def merge_duplicates(user, item, value, timestamp, shape, how, dtype, *, lines=None):
    """Build the matrix of a log.

    Parameters
    ----------
    user, item : ndarray of int of shape (n,)
        Row and column of each interaction.
    value : ndarray of shape (n,) or None
        None means ones.
    timestamp : ndarray of shape (n,) or None
        Orders the entries of a pair; entries of the same time keep their order.
    shape : tuple of int
    how : str
        One of `DUPLICATES`.
    dtype : dtype or "auto"
        Dtype of the matrix, see `cast_values`. Values are merged in float64 first.
    lines : ndarray of int of shape (n,), default=None
        Line number of each interaction, for messages, if these are a part of a log.

    Returns
    -------
    merged : Merged

    Raises
    ------
    ValueError
        If ``how="error"`` and a pair occurs twice, or `dtype` cannot hold a value.
    """
    check_dtype(dtype)
    n = len(user)
    order = _pair_order(user, item, timestamp, shape)
    row, column = (user, item) if order is None else (user[order], item[order])
    new = np.ones(n + 1, dtype=bool)
    new[1:-1] = (row[1:] != row[:-1]) | (column[1:] != column[:-1])
    bounds = np.flatnonzero(new)
    starts, ends = bounds[:-1], bounds[1:]
    if how == "error" and len(starts) < n:
        _refuse_duplicate(np.flatnonzero(~new)[0], order, lines)
    index_dtype = np.int32 if max(len(starts), *shape) < 2**31 else np.int64
    indptr = np.zeros(shape[0] + 1, dtype=index_dtype)
    np.bincount(row[starts], minlength=shape[0]).cumsum(out=indptr[1:])
    last = ends - 1 if order is None else order[ends - 1]
    merged = _merged_values(value, order, starts, ends, how)
    if value is not None and not np.isfinite(merged).all():
        raise ValueError(
            f"The values of repeated pairs overflow: their {how} is not finite. Expected values "
            "whose sum fits into float64; scale them, or pass duplicates='last'."
        )
    data = cast_values(merged, dtype)
    X = csr_array((data, column[starts].astype(index_dtype), indptr), shape=shape)
    X.has_canonical_format = True
    return Merged(X, last.astype(np.intp, copy=False))


def check_dtype(dtype):
    """Check the dtype of a matrix.

    Parameters
    ----------
    dtype : dtype or "auto"

    Returns
    -------
    dtype : numpy.dtype or "auto"

    Raises
    ------
    ValueError
        Unless `dtype` is "auto", float32, float64, bool or a dtype of whole numbers.
    """
    if isinstance(dtype, str) and dtype == AUTO:
        return AUTO
    if dtype is np.float64 or dtype is np.float32:
        return np.dtype(dtype)
    try:
        checked = np.dtype(dtype)
    except TypeError:
        checked = None
    known = checked is not None and dtype is not None
    if not known or checked.kind not in "biuf" or checked not in _DTYPES:
        raise ValueError(
            "dtype must be float64, float32 or a dtype of whole numbers, or 'auto'. Got "
            f"{dtype if checked is None or dtype is None else checked}."
        )
    return checked


def dtype_of_times(dtype):
    """The dtype of a matrix of times, where "auto" is always float64.

    Parameters
    ----------
    dtype : dtype or "auto"

    Returns
    -------
    dtype : dtype
    """
    return np.float64 if isinstance(dtype, str) and dtype == AUTO else dtype


def cast_values(values, dtype):
    """Cast values to another dtype, or raise if it cannot hold them.

    Parameters
    ----------
    values : ndarray of shape (n,)
    dtype : dtype or "auto"
        Dtypes of whole numbers must keep every value exactly. float32 rounds, but must not
        overflow, and must not round another value to zero, which means no interaction. "auto"
        is float32, but float64 if a value exceeds 2**24 in size, if float32 changes a value by
        more than 2**-14, or if the square of a value is zero in float32, which models refuse.

    Returns
    -------
    cast : ndarray of `dtype` of shape (n,)

    Raises
    ------
    ValueError
        Counts the values that `dtype` cannot hold and names the first.
    """
    dtype = check_dtype(dtype)
    if dtype is AUTO:
        return _least_precise(values)
    with np.errstate(all="ignore"):
        cast = values.astype(dtype, copy=False)
    if cast is values:
        return values
    if dtype.kind == "f":
        bad = ~np.isfinite(cast) | ((cast == 0) & (values != 0))
    else:
        # Compared in both dtypes: int64's largest value equals 2**63 only when read as float.
        bad = (cast != values) | (cast.astype(np.float64) != values)
        if values.dtype.kind == "f":  # a larger double may be the rounding of another number
            bad |= np.abs(values) > 2.0**53
    if bad.any():
        first = values[np.argmax(bad)].item()
        raise ValueError(
            f"dtype={dtype} cannot hold {int(bad.sum())} of {len(values)} values, the first "
            f"{first!r}. Expected values that it keeps; pass dtype=numpy.float64."
        )
    return cast


def cast_exact(values, dtype):
    """`cast_values` for float64 values that are stored as float32 if that is exact.

    Parameters
    ----------
    values : ndarray of float32 or float64 of shape (n,)
    dtype : dtype or "auto"

    Returns
    -------
    cast : ndarray of shape (n,)

    Raises
    ------
    ValueError
        As in `cast_values`.
    """
    dtype = check_dtype(dtype)
    if values.dtype == np.float64 or dtype not in (AUTO, np.dtype(np.float32)):
        return cast_values(values.astype(np.float64, copy=False), dtype)
    is_near = dtype is not AUTO or all(
        _is_near(values[start : start + _BLOCK], values[start : start + _BLOCK].astype(np.float64))
        for start in range(0, len(values), _BLOCK)
    )
    return values if is_near else values.astype(np.float64)


def _least_precise(values):
    """Values in float32 if that is close enough to each of them, else in float64."""
    with np.errstate(under="ignore", over="ignore"):
        cast = values.astype(np.float32, copy=False)
    if cast is values:
        return values
    for start in range(0, len(values), _BLOCK):  # a block stays in the cache
        block = values[start : start + _BLOCK].astype(np.float64, copy=False)
        if not _is_near(cast[start : start + _BLOCK], block):
            return values.astype(np.float64, copy=False)
    return cast


def _is_near(cast, values):
    """Whether float32 is close enough to each of some float64 values (at least one)."""
    size = np.abs(values)
    return bool(
        size.max() <= _EXACT
        and np.abs(cast - values).max() <= _NEAR
        and not ((size < _LEAST) & (size > 0)).any()
    )


def _pair_order(user, item, timestamp, shape):
    """Stable order by user, item and time; None if the log already has this order."""
    key = user.astype(np.int64) * max(shape[1], 1) + item
    steps = key[1:] - key[:-1]
    least = int(steps.min(initial=1))
    if least > 0 or (least == 0 and timestamp is None):
        return None
    bits = (len(key) - 1).bit_length()
    if len(key) <= _SHORT and shape[0] * max(shape[1], 1) < 1 << (63 - bits):
        # One number holds the pair and the position. All differ, so any sort is stable.
        order = np.sort((key << bits) | np.arange(len(key))) & ((1 << bits) - 1)
    elif len(key) < _LONG:
        order = np.argsort(key, kind="stable")
    else:
        from skrec._log._ids_kernels import pair_order

        order = pair_order(user, item, *shape)
    if timestamp is not None:
        key = key[order]
        same = key[1:] == key[:-1]
        repeated = np.flatnonzero(np.append(same, False) | np.append(False, same))
        rows = order[repeated]
        order[repeated] = rows[np.lexsort((timestamp[rows], key[repeated]))]
    return order


def _merged_values(value, order, starts, ends, how):
    if how == "count" or (value is None and how == "sum"):
        return (ends - starts).astype(np.float64)
    if value is None:
        return np.ones(len(starts))
    value = value if order is None else value[order]
    if how in ("sum", "mean"):
        value = value.astype(np.float64, copy=False)  # sums in small integer dtypes wrap around
    if how == "first":
        return value[starts]
    if how in ("last", "error") or not len(starts):
        return value[ends - 1]
    if how in ("max", "min"):
        return (np.maximum if how == "max" else np.minimum).reduceat(value, starts)
    total = np.add.reduceat(value, starts)
    return total / (ends - starts) if how == "mean" else total


def _refuse_duplicate(place, order, lines):
    rows = np.array([place - 1, place]) if order is None else order[place - 1 : place + 1]
    rows = sorted((rows if lines is None else lines[rows]).tolist())
    raise ValueError(
        f"Interactions {rows[0]} and {rows[1]} (counting from 0) have the same user and item. "
        "Expected each pair once because duplicates='error'; to merge repeats, pass "
        f"duplicates= one of {DUPLICATES[:-1]}."
    )
