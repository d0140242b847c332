"""Positions and values of a log -> CSR, with a rule for repeated pairs."""

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
_SHORT = 1 << 16  # entries up to which one sort of whole numbers stays in the cache
_LONG = 1 << 15  # entries from which the compiled sort pays
_EXACT = 2.0**24  # up to here float32 tells whole numbers apart
_NEAR = 2.0**-14  # as far may float32 be from a value
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
        For each stored entry its last occurrence in the log (by time where known).
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
        None stands for ones.
    timestamp : ndarray of shape (n,) or None
        Decides which of several entries of a pair is the first and the last; entries of
        one time keep their order.
    shape : tuple of int
    how : str
        One of `DUPLICATES`.
    dtype : dtype or "auto"
        Of the matrix, see `cast_values`. Values are merged in float64 before.
    lines : ndarray of int of shape (n,), default=None
        Where each interaction stands in a log of which these are a part, for messages.

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
            "whose sum a float holds; scale them, or pass duplicates='last'."
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
        Unless it is "auto", float32, float64, a dtype of whole numbers or bool.
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
    """The dtype of a matrix of times: "auto" is float64, whatever the times are.

    Parameters
    ----------
    dtype : dtype or "auto"

    Returns
    -------
    dtype : dtype
    """
    return np.float64 if isinstance(dtype, str) and dtype == AUTO else dtype


def cast_values(values, dtype):
    """Values in another dtype, which must hold them.

    Parameters
    ----------
    values : ndarray of shape (n,)
    dtype : dtype or "auto"
        Whole numbers must be kept exactly; float32 rounds, but must not overflow or make a
        zero, which is no interaction, of anything else. "auto": float32, but float64 where a
        value is above 2**24 in size, where float32 is more than 2**-14 away from one, or where
        the square of one is zero in float32, which models refuse.

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
        # As Python compares them: 2**63 is 9.223372036854775807e18 for floats only.
        bad = (cast != values) | (cast.astype(np.float64) != values)
        if values.dtype.kind == "f":  # beyond, a double may be what another number became
            bad |= np.abs(values) > 2.0**53
    if bad.any():
        first = values[np.argmax(bad)].item()
        raise ValueError(
            f"dtype={dtype} cannot hold {int(bad.sum())} of {len(values)} values, the first "
            f"{first!r}. Expected values that it keeps; pass dtype=numpy.float64."
        )
    return cast


def cast_exact(values, dtype):
    """`cast_values` of float64 values that are stored as float32 where that is exact.

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
        As of `cast_values`.
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
    """Values in float32 where that is near enough to each of them, else in float64."""
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
    """Whether float32 is near enough to each of some float64 values, at least one."""
    size = np.abs(values)
    return bool(
        size.max() <= _EXACT
        and np.abs(cast - values).max() <= _NEAR
        and not ((size < _LEAST) & (size > 0)).any()
    )


def _pair_order(user, item, timestamp, shape):
    """Stable order by user, item and time; None where the log has it already."""
    key = user.astype(np.int64) * max(shape[1], 1) + item
    steps = key[1:] - key[:-1]
    least = int(steps.min(initial=1))
    if least > 0 or (least == 0 and timestamp is None):
        return None
    bits = (len(key) - 1).bit_length()
    if len(key) <= _SHORT and shape[0] * max(shape[1], 1) < 1 << (63 - bits):
        # The place behind the pair in one number: no two are equal, so any sort is stable.
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
        value = value.astype(np.float64, copy=False)  # sums of small integers wrap
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
        f"Interactions {rows[0]} and {rows[1]} (counting from 0) are of the same user and item. "
        "Expected each pair once because duplicates='error'; choose what repeats mean with "
        f"duplicates= one of {DUPLICATES[:-1]}."
    )
