"""Times as the values of a matrix: order, ages and decayed weights of its entries."""

import warnings

import numpy as np
from scipy.sparse import csr_array

from skrec.utils._params import Interval, Options

__all__ = [
    "HALF_LIFE",
    "UNIT",
    "check_times",
    "decayed",
    "entry_ages",
    "latest_first",
    "ones_like",
    "warn_if_unordered",
    "weights",
]

# An infinite half-life means no decay.
HALF_LIFE = (Interval(0, closed="neither"), Options((float("inf"),)))
UNIT = Options(("time", "position"))
# Least weight of an entry, so that it stays stored. It is lost in a sum with a weight of 1, and
# its square is a normal number of float32.
LEAST_WEIGHT = 2.0**-60
# Up to this number float32 represents every whole number.
_LARGEST_FLOAT32 = 2.0**24


def check_times(times, reader):
    """Refuse times that are too large for the precision of float32.

    Parameters
    ----------
    times : ndarray of shape (n,)
        Values of a matrix.
    reader : str
        Name, for the message, of the class that reads the values as times.

    Raises
    ------
    ValueError
        Names the remedy.
    """
    if times.dtype != np.float32 or not times.size:
        return
    latest = times.max()
    if latest > _LARGEST_FLOAT32:
        step = np.spacing(latest)
        raise ValueError(
            f"{reader} takes the values of X for times, which float32 cannot tell apart: near "
            f"{latest:.0f} its numbers lie {step:g} apart. Expected times up to "
            f"{_LARGEST_FLOAT32:.0f} in float32; pass X in float64, for example from "
            "InteractionEncoder(value='timestamp', dtype=numpy.float64), or smaller numbers, such "
            "as days since the first day."
        )


def warn_if_unordered(X, reader, *, stacklevel=4):
    """Warn if all entries of each row have the same time, as in a matrix without times.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
        Canonical.
    reader : str
        Name of the class that reads the values as times.
    stacklevel : int, default=4
        Stack level of the warning.
    """
    within = np.ones(max(X.nnz - 1, 0), dtype=bool)
    within[X.indptr[1:-1][(X.indptr[1:-1] > 0) & (X.indptr[1:-1] < X.nnz)] - 1] = False
    if within.any() and not (X.data[1:] != X.data[:-1])[within].any():
        warnings.warn(
            f"{reader} takes the values of X for times, but each row has a single time, so the "
            "entries have no order. Make a matrix of times with InteractionEncoder("
            "value='timestamp', duplicates='max') or load_interactions(as_times=True).",
            UserWarning,
            stacklevel=stacklevel,
        )


def latest_first(X):
    """Order the entries of each row from the latest to the oldest.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
        Canonical; values are times.

    Returns
    -------
    order : ndarray of intp of shape (nnz,)
        Positions in ``X.data``, row after row; of equal times the lower column comes first.
    first : ndarray of intp of shape (nnz,)
        For each place in `order`, the first place with the same row and time.
    """
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    order = np.lexsort((-X.data, rows))
    times = X.data[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (times[1:] != times[:-1]) | (rows[1:] != rows[:-1])
    first = np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))
    return order, first


def entry_ages(X, *, unit="time", reference=None):
    """Age of each entry.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
        Canonical; values are times.
    unit : {"time", "position"}, default="time"
        "position": the age is the number of later entries in the row. Entries of the same time
        have the same age.
    reference : float, default=None
        Time at which the age is zero, for unit "time"; later entries have age zero too. None:
        the row's latest time.

    Returns
    -------
    ages : ndarray of float64 of shape (nnz,)
        Aligned with ``X.data``, >= 0.
    """
    lengths = np.diff(X.indptr)
    if unit == "position":
        order, first = latest_first(X)
        ages = np.empty(X.nnz)
        ages[order] = first - np.repeat(X.indptr[:-1], lengths)
        return ages
    times = X.data.astype(np.float64)
    if reference is None:
        filled = lengths > 0
        latest = np.maximum.reduceat(times, X.indptr[:-1][filled]) if filled.any() else times
        reference = np.repeat(latest, lengths[filled])
    return np.maximum(reference - times, 0.0)


def decayed(X, half_life, *, unit="time", reference=None, floor=0.0):
    """Replace the times of the entries by decayed weights.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
        Canonical; values are times.
    half_life : float
        Age at which an entry weighs 1/2; infinite: all entries weigh 1.
    unit, reference
        See `entry_ages`.
    floor : float, default=0.0
        The least weight.

    Returns
    -------
    weights : csr_array of shape (n_rows, n_items), dtype of X
        ``max(floor, 2**(-age / half_life))``, but at least `LEAST_WEIGHT`, so that the matrix
        stores the same entries as X.
    """
    if half_life == np.inf:
        return ones_like(X)
    ages = entry_ages(X, unit=unit, reference=reference)
    with np.errstate(over="ignore"):
        exponents = ages / half_life
    return _with_values(X, weights(exponents, X.dtype, floor=floor))


def weights(n_half_lives, dtype, *, floor=0.0):
    """``max(floor, 2**-n_half_lives)`` in a dtype, but at least `LEAST_WEIGHT`."""
    with np.errstate(under="ignore"):
        return np.maximum(np.exp2(-n_half_lives), max(floor, LEAST_WEIGHT)).astype(dtype)


def ones_like(X):
    """X with ones in place of its values: a csr_array that shares its indices."""
    return _with_values(X, np.ones(X.nnz, dtype=X.dtype))


def _with_values(X, values):
    twin = csr_array((values, X.indices, X.indptr), shape=X.shape)
    twin.has_canonical_format = True
    return twin
