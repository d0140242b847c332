"""numba part of SANSA: the rows of a sparse Gram matrix, cut to the nearest items."""

import numpy as np

from skrec.utils._compile import njit

FLAGS = {"nogil": True, "cache": True}


@njit(**FLAGS)
def keep_largest(keys, n, k, kept):
    """Mark the k largest of n keys, of equal ones the first; return how many are marked."""
    if n <= k:
        kept[:n] = True
        return n
    bar = np.partition(keys[:n], n - k)[n - k]
    ties = k
    for a in range(n):
        if keys[a] > bar:
            ties -= 1
    for a in range(n):
        kept[a] = keys[a] > bar
        if keys[a] == bar and ties > 0:
            kept[a] = True
            ties -= 1
    return k


@njit(**FLAGS)
def gram_rows(rows, columns, weight, norm, n_kept, start, stop, counts, found, out):
    """Elements (i, j), j < i, of X^T diag(weight) X for the rows i from `start` to `stop`.

    Of a row with more than `n_kept` elements those with the largest cosines stay.

    Parameters
    ----------
    rows : (indptr, items, values) of X in CSR
        Items ascending within a user.
    columns : (first, position, user)
        From `skrec.linear_model._gram_kernels.column_entries`.
    weight : ndarray of shape (n_users,), dtype=float64
    norm : ndarray of shape (n_items,), dtype=float64
        The diagonal of the matrix, > 0.
    n_kept, start, stop : int
    counts, found : ndarray of shape (stop - start,), dtype=int64, written
        Elements stored of each row, and that there are.
    out : (indices, values), written
        Room for the elements; ascending within a row.

    Returns
    -------
    used : int
    """
    indptr, items, values = rows
    first, position, user = columns
    indices, elements = out
    row = np.zeros(norm.shape[0], dtype=np.float64)
    touched = np.empty(norm.shape[0], dtype=np.int64)
    keys = np.empty(norm.shape[0], dtype=np.float64)
    kept = np.empty(norm.shape[0], dtype=np.bool_)
    used = 0
    for i in range(start, stop):
        m = 0
        for q in range(first[i], first[i + 1]):
            u = user[q]
            w = weight[u] * values[position[q]]
            for p in range(indptr[u], position[q]):
                j = items[p]
                product = w * values[p]
                if row[j] == 0 and product != 0:
                    touched[m] = j
                    m += 1
                row[j] += product
        touched[:m].sort()
        for a in range(m):
            keys[a] = row[touched[a]] ** 2 / norm[touched[a]]
        found[i - start] = m
        counts[i - start] = keep_largest(keys, m, n_kept, kept)
        for a in range(m):
            if kept[a]:
                indices[used], elements[used] = touched[a], row[touched[a]]
                used += 1
            row[touched[a]] = 0.0
    return used
