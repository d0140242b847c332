"""Helpers for CSR matrices; products with dense matrices, equal bit for bit in any batch."""

from functools import lru_cache

import numpy as np
from scipy.sparse import csr_array

from skrec.utils._arrays import kernel_csr
from skrec.utils._parallel import effective_n_threads, run_ranges

# Fewer entries are not worth the compilation of a kernel.
_MANY_ENTRIES = 1 << 17
# Of the rows, in a transposition.
_MOST_PARTS = 8


@lru_cache(maxsize=32)
def _state_of_a_row(n_items):
    row = csr_array((1, n_items), dtype=np.float32)
    row.has_canonical_format = True
    return vars(row)


def one_row(indices, data, n_items):
    """A canonical matrix of one row, without scipy's checks, which are slow for a service.

    Parameters
    ----------
    indices : ndarray of int of shape (n,)
        Ascending, without repeats, below `n_items`.
    data : ndarray of shape (n,)
        Non-zero values.
    n_items : int

    Returns
    -------
    X : csr_array of shape (1, n_items), dtype of `data`
    """
    X = object.__new__(csr_array)  # as copy.copy makes it
    vars(X).update(_state_of_a_row(n_items))
    whole = np.int32 if n_items < 2**31 else np.int64
    X.data = data
    X.indices = indices.astype(whole, copy=False)
    X.indptr = np.array((0, len(indices)), whole)
    return X


def pattern(X, *, dtype=np.float32):
    """X with ones in place of its values."""
    return csr_array((np.ones(X.nnz, dtype=dtype), X.indices, X.indptr), shape=X.shape)


def has_users(X):
    """Which columns of a csr_array hold an entry, shape (n_items,)."""
    return np.bincount(X.indices, minlength=X.shape[1]) > 0


def transposed(X, *, dtype=None, n_jobs=None):
    """The transpose as a CSR matrix, with ascending indices in its rows.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_columns)
        Without repeated entries.
    dtype : dtype, default=None
        Dtype of the result; None: the dtype of X.
    n_jobs : int or None, default=None
        Number of threads; it does not change the result.

    Returns
    -------
    turned : csr_array of shape (n_columns, n_rows)
    """
    dtype = X.dtype if dtype is None else np.dtype(dtype)
    if X.nnz < _MANY_ENTRIES or X.shape[0] >= 2**31:
        return csr_array(X.T.tocsr().astype(dtype, copy=False))
    from skrec.utils._sparse_kernels import count_columns, scatter_columns

    entries, n_columns = kernel_csr(X), X.shape[1]
    # Each part of the rows has about as many entries, and writes behind the earlier parts. The
    # counts of all parts take less memory than the entries.
    most = min(_MOST_PARTS, X.nnz // max(1, n_columns))
    n_parts = max(1, min(effective_n_threads(n_jobs), X.shape[0], most))
    shares = np.searchsorted(X.indptr, X.nnz * np.arange(1, n_parts) / n_parts)
    bounds = np.concatenate([[0], shares, [X.shape[0]]]).astype(np.int64)
    places = np.zeros((n_parts, n_columns), dtype=np.int64)
    run_ranges(
        lambda start, stop: count_columns(entries, bounds, places, start, stop),
        n_parts,
        n_jobs=n_parts,
    )
    ptr = np.concatenate([[0], np.cumsum(places.sum(axis=0))])
    first = np.cumsum(places, axis=0) - places
    first += ptr[:-1]
    indices, values = np.empty(X.nnz, dtype=np.int32), np.empty(X.nnz, dtype=dtype)
    run_ranges(
        lambda start, stop: scatter_columns(entries, bounds, first, indices, values, start, stop),
        n_parts,
        n_jobs=n_parts,
    )
    ptr = ptr.astype(np.int32) if X.nnz < 2**31 else ptr  # scipy would widen the indices
    return csr_array((values, indices, ptr), shape=X.shape[::-1])


def sparse_dot_dense(X, dense, *, n_jobs=None):
    """``X @ dense``, where the result of a row does not depend on the other rows.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
    dense : ndarray of shape (n_items, n_columns), float32 or float64, C-ordered
    n_jobs : int or None, default=None
        Number of threads.

    Returns
    -------
    product : ndarray of shape (n_rows, n_columns), dtype of X
        Summed in the dtype of X.
    """
    from skrec.utils._sparse_kernels import csr_dot_dense

    out = np.empty((X.shape[0], dense.shape[1]), dtype=X.dtype)

    def rows(start, stop):
        csr_dot_dense(X.indptr, X.indices, X.data, dense, out, start, stop)

    work = X.nnz * dense.shape[1]
    threads = n_jobs if work > 1 << 18 else 1
    run_ranges(rows, X.shape[0], n_jobs=threads, weights=lambda: np.diff(X.indptr) + 1)
    return out


def sparse_dot_dense_pairs(X, dense, rows, items, *, n_jobs=None):
    """``(X @ dense)[rows, items]`` without the whole product.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
    dense : ndarray of shape (n_items, n_columns), float32 or float64
    rows, items : ndarray of intp of shape (n_pairs,)
    n_jobs : int or None, default=None
        Number of threads.

    Returns
    -------
    values : ndarray of shape (n_pairs,), dtype of X
        The entries of `sparse_dot_dense`, up to rounding.
    """
    from skrec.utils._sparse_kernels import csr_dot_dense_pairs

    out = np.empty(len(rows), dtype=X.dtype)

    def pairs(start, stop):
        csr_dot_dense_pairs(X.indptr, X.indices, X.data, dense, rows, items, out, start, stop)

    run_ranges(pairs, len(rows), n_jobs=n_jobs if len(rows) > 1 << 12 else 1)
    return out
