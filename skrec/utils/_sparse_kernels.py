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
