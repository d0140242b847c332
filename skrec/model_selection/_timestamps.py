"""Times of interactions, aligned with the entries of a user-item matrix."""

import numpy as np
from scipy.sparse import csr_array, issparse

from skrec._evaluation._entries import check_interactions, entry_positions, entry_rows
from skrec._log._times import as_timestamps
from skrec.utils._sparse_check import sound_sparse


def check_timed_interactions(X, timestamps):
    """Validate X and align `timestamps` with its entries.

    Parameters
    ----------
    X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
    timestamps : sparse matrix of shape (n_users, n_items), or 1-D array-like
        A matrix stores a time for every interaction of X; stored zeros are times too. An array has
        one entry per stored entry of the CSR matrix X, in the same order: numbers, dates or ISO
        8601 text, see `skrec._log._times.as_timestamps`.

    Returns
    -------
    X : csr_array of shape (n_users, n_items)
        Canonical.
    times : ndarray of int64 or float64 of shape (nnz,)
        Aligned with ``X.data``; dates as Unix seconds.

    Raises
    ------
    ValueError
        If a time is missing, NaN, not a point in time, or given twice.
    """
    checked = check_interactions(X)
    if issparse(timestamps):
        return checked, _as_times(_times_of_matrix(checked, timestamps))
    return checked, _times_of_array(checked, X, timestamps)


def _as_times(timestamps):
    """Times as numbers; a ValueError counts the missing ones."""
    if not hasattr(timestamps, "to_numpy"):  # a column of a frame converts itself
        timestamps = np.asarray(timestamps)
    given = getattr(timestamps, "dtype", None)
    if isinstance(given, np.dtype) and given.kind in "fM":
        array = np.asarray(timestamps)
        bad = np.isnat(array) if given.kind == "M" else ~np.isfinite(array)
        if bad.any():
            what = "NaT" if given.kind == "M" else "NaN or infinity"
            raise ValueError(
                f"timestamps contain {what}: {int(bad.sum())} of {array.size}, the first at entry "
                f"{int(np.flatnonzero(bad)[0])} (from 0). Expected a time of every interaction; "
                "drop those without one from the log, or fill them."
            )
    try:
        return as_timestamps(timestamps)
    except ValueError as error:
        raise ValueError(
            f"timestamps must be numbers or datetime64, datetime objects or ISO 8601 text. {error}"
        ) from error


def _times_of_matrix(X, timestamps):
    if timestamps.shape != X.shape:
        raise ValueError(
            f"A timestamps matrix must have the shape of X. Got {timestamps.shape}, expected "
            f"{X.shape}."
        )
    T = _sorted_csr(sound_sparse(timestamps, "timestamps"), "timestamps")
    positions = entry_positions(X, T)
    if (positions < 0).any():
        entry = int(np.argmax(positions < 0))
        raise ValueError(
            f"timestamps must store a time for every interaction of X. Got none for row "
            f"{entry_rows(X)[entry]}, column {X.indices[entry]}; a time of zero must be stored "
            "explicitly (build the matrix from (data, (row, column)))."
        )
    return T.data[positions]


def _times_of_array(X, source, timestamps):
    if not issparse(source) or source.format != "csr":
        raise ValueError(
            "A timestamps array needs X in CSR format, whose entries it follows. Got X as "
            f"{type(source).__name__}; pass timestamps as a sparse matrix of the shape of X."
        )
    shape = getattr(timestamps, "shape", None) or np.shape(timestamps)
    if tuple(shape) != (source.nnz,):
        raise ValueError(
            "A timestamps array must have one entry per stored entry of X, in their order. Got "
            f"shape {tuple(shape)}, expected {(source.nnz,)}."
        )
    timestamps = _as_times(timestamps)
    source = sound_sparse(source)
    places = csr_array((np.arange(source.nnz), source.indices, source.indptr), shape=source.shape)
    places = _sorted_csr(places, "X")
    return timestamps[places.data[entry_positions(X, places)]]


def _sorted_csr(matrix, name):
    """Sorted CSR that keeps stored zeros; a ValueError for duplicates."""
    coo = matrix.tocoo()
    rows, columns = (np.asarray(axis, dtype=np.int64) for axis in (coo.row, coo.col))
    flat = rows * coo.shape[1] + columns
    order = np.argsort(flat, kind="stable")
    if (np.diff(flat[order]) == 0).any():
        raise ValueError(
            f"{name} stores an interaction more than once, so its time is not defined. Sum "
            "duplicates and keep the first or the last time beforehand (InteractionEncoder does)."
        )
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=coo.shape[0]))])
    return csr_array((coo.data[order], columns[order], indptr), shape=coo.shape)
