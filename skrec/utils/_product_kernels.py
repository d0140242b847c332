"""numba part of `skrec.utils._products`; imported only when it is called.

Matrices are tuples (ptr, idx, val).
"""

import numpy as np

from skrec.utils._compile import njit
from skrec.utils._ridge_kernels import FAST


@njit(nogil=True, cache=True)
def add_products(left, right, start, stop, out):
    """``out += left @ right`` for the rows from `start` to `stop`, both in CSR.

    Each row is summed in the order of its entries, so other rows do not change its sum.
    """
    ptr, idx, val = left
    right_ptr, right_idx, right_val = right
    for u in range(start, stop):
        row = out[u]
        for p in range(ptr[u], ptr[u + 1]):
            j, x = idx[p], val[p]
            for r in range(right_ptr[j], right_ptr[j + 1]):
                row[right_idx[r]] += x * right_val[r]


@njit(nogil=True, cache=True)
def add_pair_products(left, right_columns, n, rows, items, out):
    """``out += (left @ right)[rows, items]``; the right factor comes by columns.

    Adds in the order of `add_products`. `rows` must ascend, so that each row is loaded once.
    """
    ptr, idx, val = left
    col_ptr, col_idx, col_val = right_columns
    dense = np.zeros(n, dtype=val.dtype)
    loaded = -1
    for t in range(len(rows)):
        u = rows[t]
        if u != loaded:
            if loaded >= 0:
                for p in range(ptr[loaded], ptr[loaded + 1]):
                    dense[idx[p]] = 0
            for p in range(ptr[u], ptr[u + 1]):
                dense[idx[p]] = val[p]
            loaded = u
        for r in range(col_ptr[items[t]], col_ptr[items[t] + 1]):
            out[t] += dense[col_idx[r]] * col_val[r]


@njit(nogil=True, cache=True, fastmath=FAST)
def table_products(rows, table, out, start, stop):
    """``out[:, start:stop] = rows @ table[start:stop].T``, summed in the dtype of `out`.

    Each product is computed independently of the other rows. The table is read once for all
    rows.
    """
    d = table.shape[1]
    for i in range(start, stop):
        for u in range(rows.shape[0]):
            total = out.dtype.type(0)
            for f in range(d):
                total += rows[u, f] * table[i, f]
            out[u, i] = total
