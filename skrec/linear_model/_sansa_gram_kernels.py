"""numba part of SANSA: the rows of a sparse Gram matrix, cut to the nearest items."""

import numpy as np

from skrec.utils._compile import njit

FLAGS = {"nogil": True, "cache": True}


@njit(**FLAGS)
def keep_largest(keys, n, k, kept):
    """Mark the k largest of n keys, the first among equals; return how many are marked."""
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
def gram_rows(rows, columns, weight, start, stop, counts, out):
    """Elements (i, j), j < i, of X^T diag(weight) X for the rows i from `start` to `stop`.

    Parameters
    ----------
    rows : (indptr, items, values) of X in CSR
        Items ascending within a user.
    columns : (first, position, user)
        From `skrec.linear_model._gram_kernels.column_entries`.
    weight : ndarray of shape (n_users,), dtype=float64
    start, stop : int
    counts : ndarray of shape (stop - start,), dtype=int64, written
        Elements of each row.
    out : (indices, values), written
        Room for the elements; ascending within a row.

    Returns
    -------
    used : int
    """
    indptr, items, values = rows
    first, position, user = columns
    indices, elements = out
    n_items = first.shape[0] - 1
    row = np.zeros(n_items, dtype=np.float64)
    touched = np.empty(n_items, dtype=np.int64)
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
        counts[i - start] = m
        for a in range(m):
            indices[used + a], elements[used + a] = touched[a], row[touched[a]]
            row[touched[a]] = 0.0
        used += m
    return used


@njit(**FLAGS)
def keep_nearest(rows, norm, n_kept, ptr, idx, val, start, stop):
    """Write the elements with the largest cosines of the rows from `start` to `stop`.

    Parameters
    ----------
    rows : (indptr, indices, elements)
        Ascending within a row.
    norm : ndarray of shape (n_items,), dtype=float64
        The diagonal of the matrix, > 0.
    n_kept : int
    ptr : ndarray of shape (n_rows + 1,), dtype=int64
        Places for the elements of each row: `n_kept`, or all if there are fewer.
    idx, val : ndarray, written
    start, stop : int
    """
    indptr, indices, elements = rows
    keys = np.empty(norm.shape[0], dtype=np.float64)
    kept = np.empty(norm.shape[0], dtype=np.bool_)
    for i in range(start, stop):
        begin, m = indptr[i], indptr[i + 1] - indptr[i]
        for a in range(m):
            keys[a] = elements[begin + a] ** 2 / norm[indices[begin + a]]
        keep_largest(keys, m, n_kept, kept)
        used = ptr[i]
        for a in range(m):
            if kept[a]:
                idx[used], val[used] = indices[begin + a], elements[begin + a]
                used += 1
