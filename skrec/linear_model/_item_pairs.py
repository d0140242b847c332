"""Pairs of items as further inputs of EASE (Steck and Liang 2021).

Each pair r = {i, j} has the value z_r = sqrt(x_i x_j), so rows x become (x, z). The weights are a
ridge regression of each item on all inputs that do not hold it.
"""

import numpy as np
from scipy.linalg import solve
from scipy.sparse import csr_array

from skrec.linear_model._gram import gram_memory
from skrec.linear_model._inverse import invert_positive_definite
from skrec.utils._arrays import kernel_csr, read_only
from skrec.utils._blas_threads import one_blas_thread
from skrec.utils._memory import check_memory
from skrec.utils._parallel import run_ranges

# Rows of the Gram matrix that are searched at once, and items that are solved at once.
_BLOCK = 256


def frequent_pairs(gram, n_pairs):
    """The pairs of items with the largest products.

    Parameters
    ----------
    gram : ndarray of shape (n_items, n_items)
        X^T X in the upper triangle.
    n_pairs : int

    Returns
    -------
    pairs : ndarray of int32 of shape (n_found, 2)
        i < j, sorted; at most `n_pairs`, with products above zero. Among equal products, lower
        indices come first.
    """
    n_items = len(gram)
    keys, values = np.empty(0, np.int64), np.empty(0, gram.dtype)
    for start in range(0, n_items, _BLOCK):
        block = np.triu(gram[start : start + _BLOCK], start + 1)
        row, column = np.nonzero(block > (values.min() if len(values) == n_pairs else 0))
        keys = np.concatenate([keys, (start + row) * n_items + column])
        values = np.concatenate([values, block[row, column]])
        best = np.lexsort((keys, -values))[:n_pairs]
        keys, values = keys[best], values[best]
    return np.stack(np.divmod(np.sort(keys), n_items), axis=1).astype(np.int32)


def pair_values(X, pairs, *, n_jobs=None):
    """The geometric mean of the two values of each pair that a row has.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
        Canonical.
    pairs : ndarray of int32 of shape (n_pairs, 2)
        Sorted, from `frequent_pairs`.
    n_jobs : int or None, default=None
        Threads.

    Returns
    -------
    Z : csr_array of shape (n_rows, n_pairs), dtype of X
        Indices sorted.
    """
    from skrec.linear_model._item_pairs_kernels import count_pairs, fill_pairs

    rows = kernel_csr(X)
    ptr = np.searchsorted(pairs[:, 0], np.arange(X.shape[1] + 1))
    by_first = (read_only(ptr), read_only(pairs[:, 1]))
    counts = np.zeros(X.shape[0] + 1, np.int64)
    threads = n_jobs if X.nnz > 1 << 12 else 1

    def count(start, stop):
        count_pairs(rows, by_first, start, stop, counts[1:])

    run_ranges(count, X.shape[0], n_jobs=threads)
    found = np.cumsum(counts)
    items, values = np.empty(found[-1], np.int32), np.empty(found[-1], X.dtype)

    def fill(start, stop):
        fill_pairs(rows, by_first, start, stop, found, items, values)

    run_ranges(fill, X.shape[0], n_jobs=threads)
    if found[-1] < 2**31:
        found = found.astype(np.int32)
    return csr_array((values, items, found), shape=(X.shape[0], len(pairs)))


def with_pairs(X, Z):
    """(X, Z) as one matrix, indices sorted."""
    n_items = X.shape[1]
    order = np.argsort(
        np.concatenate([np.repeat(np.arange(X.shape[0]), np.diff(part.indptr)) for part in (X, Z)]),
        kind="stable",
    )
    indices = np.concatenate([X.indices, Z.indices + n_items])[order]
    data = np.concatenate([X.data, Z.data])[order]
    return csr_array((data, indices, X.indptr + Z.indptr), shape=(X.shape[0], n_items + Z.shape[1]))


def check_pairs_memory(n_items, n_pairs, *, dtype, n_entries):
    """Raise a MemoryError, with remedies, if there is no room for the extended matrix."""
    width = n_items + n_pairs
    needed = gram_memory(width, dtype=dtype, n_entries=n_entries)
    check_memory(
        needed + width * n_items * np.dtype(dtype).itemsize,
        f"EASE with {n_items:,} items and {n_pairs:,} pairs in {np.dtype(dtype).name}",
        ["use a smaller n_pairs", "use n_pairs=0", "keep fewer items"],
    )


def pair_weights(gram, diagonal, pairs, n_items, *, device="cpu", n_jobs=None):
    """Solve for the weights of items and pairs in the scores of items.

    Minimises ||X - (X, Z) W||^2 + tr(W^T diag(d) W) where column i of W is zero at item i and at
    the pairs that hold i. With P = ((X, Z)^T (X, Z) + diag(d))^-1 and S the places that must be
    zero, the column is e_i - P_:S nu with P_SS nu = e_i: EASE's closed form for more than one
    constraint.

    Parameters
    ----------
    gram : ndarray of shape (n_items + n_pairs, n_items + n_pairs)
        (X, Z)^T (X, Z) in the upper triangle. Overwritten.
    diagonal : ndarray of shape (n_items + n_pairs,)
        The penalties d.
    pairs : ndarray of int32 of shape (n_pairs, 2)
    n_items : int
    device, n_jobs
        As in `skrec.linear_model._inverse.ease_weights`.

    Returns
    -------
    coef : ndarray of shape (n_items, n_items)
    pair_coef : ndarray of shape (n_pairs, n_items)
    """
    P = invert_positive_definite(gram, diagonal, device=device, n_jobs=n_jobs)
    holds = np.argsort(pairs.ravel(), kind="stable")  # places of each item among the pairs
    first = np.searchsorted(pairs.ravel()[holds], np.arange(n_items + 1))
    W = np.empty((len(P), n_items), dtype=P.dtype)
    columns = np.empty((_BLOCK, len(P)), dtype=P.dtype)
    with one_blas_thread():
        for start in range(0, n_items, _BLOCK):
            stop = min(start + _BLOCK, n_items)
            for i in range(start, stop):
                zero = np.concatenate([[i], n_items + holds[first[i] : first[i + 1]] // 2])
                nu = _first_of_inverse(P[np.ix_(zero, zero)])
                column = -nu @ P[zero]
                column[zero] = 0.0
                columns[i - start] = column
            W[:, start:stop] = columns[: stop - start].T
    return np.ascontiguousarray(W[:n_items]), np.ascontiguousarray(W[n_items:])


def _first_of_inverse(matrix):
    """The first column of the inverse of a positive definite matrix, in its dtype."""
    unit = np.zeros(len(matrix))
    unit[0] = 1.0
    return solve(matrix.astype(np.float64), unit, assume_a="pos").astype(matrix.dtype)


def pair_contributions(Z, pairs, pair_coef, targets, n_items):
    """Contributions of pairs to scores, half at each of the two items.

    Parameters
    ----------
    Z : csr_array of shape (n_rows, n_pairs)
        From `pair_values`.
    pairs : ndarray of int32 of shape (n_pairs, 2)
    pair_coef : ndarray of shape (n_pairs, n_items)
    targets : ndarray of int of shape (n_rows, m)
        Items that are explained, -1 for none.
    n_items : int

    Returns
    -------
    contributions : csr_array of shape (n_rows * m, n_items), dtype of Z
    """
    n_targets = targets.shape[1]
    parts = csr_array(Z[np.repeat(np.arange(Z.shape[0]), n_targets)])
    target = np.repeat(targets.ravel(), np.diff(parts.indptr))
    weight = np.where(target >= 0, pair_coef[parts.indices, target], 0)
    parts.data = (parts.data * weight / 2).astype(Z.dtype)
    holds = csr_array(
        (np.ones(pairs.size, Z.dtype), pairs.ravel(), 2 * np.arange(len(pairs) + 1)),
        shape=(len(pairs), n_items),
    )
    return csr_array(parts @ holds)
