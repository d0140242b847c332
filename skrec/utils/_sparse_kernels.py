"""numba kernels on CSR rows; imported only when they are called."""

import numpy as np

from skrec.utils._compile import njit

# Columns per tile: enough for the processor to prefetch, and few enough that a tile of the result
# stays in the cache. It changes no sum.
_TILE = 8192


@njit(nogil=True, cache=True)
def csr_dot_dense(indptr, indices, data, dense, out, start, stop):
    """``out[start:stop] = X[start:stop] @ dense`` for a CSR matrix X.

    Each row is summed in the order of its entries, four at a time and in the dtype of `out`,
    so the batch does not change its sum.
    """
    n_columns = dense.shape[1]
    for u in range(start, stop):
        first, last = indptr[u], indptr[u + 1]
        for low in range(0, n_columns, _TILE):
            high = min(low + _TILE, n_columns)
            target = out[u, low:high]
            target[:] = 0
            p = first
            while p + 4 <= last:
                a, b, c, d = data[p], data[p + 1], data[p + 2], data[p + 3]
                row_a = dense[indices[p], low:high]
                row_b = dense[indices[p + 1], low:high]
                row_c = dense[indices[p + 2], low:high]
                row_d = dense[indices[p + 3], low:high]
                for j in range(high - low):
                    target[j] += (a * row_a[j] + b * row_b[j]) + (c * row_c[j] + d * row_d[j])
                p += 4
            while p < last:
                a, row_a = data[p], dense[indices[p], low:high]
                for j in range(high - low):
                    target[j] += a * row_a[j]
                p += 1


@njit(nogil=True, cache=True)
def csr_dot_dense_pairs(indptr, indices, data, dense, rows, items, out, start, stop):
    """``out[p] = (X @ dense)[rows[p], items[p]]`` for the pairs from `start` to `stop`.

    The products are added in the order that `csr_dot_dense` uses.
    """
    for q in range(start, stop):
        u, item = rows[q], items[q]
        p, last = indptr[u], indptr[u + 1]
        total = np.zeros(1, dtype=out.dtype)
        while p + 4 <= last:
            total[0] += (
                data[p] * dense[indices[p], item] + data[p + 1] * dense[indices[p + 1], item]
            ) + (
                data[p + 2] * dense[indices[p + 2], item]
                + data[p + 3] * dense[indices[p + 3], item]
            )
            p += 4
        while p < last:
            total[0] += data[p] * dense[indices[p], item]
            p += 1
        out[q] = total[0]


@njit(nogil=True, cache=True)
def count_columns(entries, bounds, counts, start, stop):
    """Count the entries of each column in some parts of the rows.

    Parameters
    ----------
    entries : tuple of ndarray
        (ptr, idx, val) in CSR.
    bounds : ndarray of int64 of shape (n_parts + 1,)
        Rows of the parts.
    counts : ndarray of int64 of shape (n_parts, n_columns), added to
    start, stop : int
        Range of parts.
    """
    ptr, idx, _ = entries
    for part in range(start, stop):
        for p in range(ptr[bounds[part]], ptr[bounds[part + 1]]):
            counts[part, idx[p]] += 1


@njit(nogil=True, cache=True)
def scatter_columns(entries, bounds, places, indices, values, start, stop):
    """Write the entries of some parts of the rows column by column.

    Parameters
    ----------
    entries, bounds, start, stop
        See `count_columns`.
    places : ndarray of int64 of shape (n_parts, n_columns), changed
        Where the first entry of each column in a part goes.
    indices, values : ndarray of shape (n_entries,), written
        Rows and values.
    """
    ptr, idx, val = entries
    for part in range(start, stop):
        for row in range(bounds[part], bounds[part + 1]):
            for p in range(ptr[row], ptr[row + 1]):
                place = places[part, idx[p]]
                places[part, idx[p]] = place + 1
                indices[place] = row
                values[place] = val[p]
