"""Positions and values of a log -> CSR, with a rule for repeated pairs."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

__all__ = ["DUPLICATES", "Merged", "merge_duplicates"]

_LONG = 1 << 15  # entries from which the compiled sort pays
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


def merge_duplicates(user, item, value, timestamp, shape, how, dtype):
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
    dtype : dtype
        Of the matrix.

    Returns
    -------
    merged : Merged

    Raises
    ------
    ValueError
        If ``how="error"`` and a pair occurs twice.
    """
    n = len(user)
    order = _pair_order(user, item, timestamp, shape)
    row, column = (user, item) if order is None else (user[order], item[order])
    new = np.ones(n, dtype=bool)
    new[1:] = (row[1:] != row[:-1]) | (column[1:] != column[:-1])
    starts = np.flatnonzero(new)
    ends = np.append(starts[1:], n)
    if how == "error" and len(starts) < n:
        _refuse_duplicate(np.flatnonzero(~new)[0], order)
    index_dtype = np.int32 if max(len(starts), *shape) < 2**31 else np.int64
    indptr = np.zeros(shape[0] + 1, dtype=index_dtype)
    np.cumsum(np.bincount(row[starts], minlength=shape[0]), out=indptr[1:])
    last = ends - 1 if order is None else order[ends - 1]
    data = _merged_values(value, order, starts, ends, how).astype(dtype, copy=False)
    X = csr_array((data, column[starts].astype(index_dtype), indptr), shape=shape)
    X.has_canonical_format = True
    return Merged(X, last.astype(np.intp, copy=False))


def _pair_order(user, item, timestamp, shape):
    """Stable order by user, item and time; None where the log has it already."""
    key = user.astype(np.int64) * max(shape[1], 1) + item
    steps = np.diff(key)
    if (steps > 0).all() or ((steps >= 0).all() and timestamp is None):
        return None
    if len(key) < _LONG:
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
    if how == "first":
        return value[starts]
    if how in ("last", "error") or not len(starts):
        return value[ends - 1]
    if how in ("max", "min"):
        return (np.maximum if how == "max" else np.minimum).reduceat(value, starts)
    total = np.add.reduceat(value, starts)
    return total / (ends - starts) if how == "mean" else total


def _refuse_duplicate(place, order):
    rows = (place - 1, place) if order is None else sorted(order[place - 1 : place + 1].tolist())
    raise ValueError(
        f"Interactions {rows[0]} and {rows[1]} (counting from 0) are of the same user and item. "
        "Expected each pair once because duplicates='error'; choose what repeats mean with "
        f"duplicates= one of {DUPLICATES[:-1]}."
    )
