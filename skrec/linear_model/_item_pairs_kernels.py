"""numba part of `skrec.linear_model._item_pairs`; imported only when it is called.

`rows` is a matrix as a tuple (ptr, idx, val), items sorted; `by_first` holds the pairs by their
first item: (ptr, second item).
"""

import numpy as np

from skrec.utils._compile import njit


@njit(nogil=True, cache=True)
def count_pairs(rows, by_first, start, stop, out):
    """Write to ``out[u]`` how many pairs row u has, for the rows from `start` to `stop`."""
    ptr, idx, _ = rows
    pair_ptr, second = by_first
    has = np.zeros(pair_ptr.shape[0] - 1, dtype=np.bool_)
    for u in range(start, stop):
        for p in range(ptr[u], ptr[u + 1]):
            has[idx[p]] = True
        n = 0
        for p in range(ptr[u], ptr[u + 1]):
            for r in range(pair_ptr[idx[p]], pair_ptr[idx[p] + 1]):
                n += has[second[r]]
        out[u] = n
        for p in range(ptr[u], ptr[u + 1]):
            has[idx[p]] = False


@njit(nogil=True, cache=True)
def fill_pairs(rows, by_first, start, stop, out_ptr, out_idx, out_val):
    """Write the pairs of each row and the geometric means of their values."""
    ptr, idx, val = rows
    pair_ptr, second = by_first
    value = np.zeros(pair_ptr.shape[0] - 1, dtype=np.float64)
    for u in range(start, stop):
        for p in range(ptr[u], ptr[u + 1]):
            value[idx[p]] = val[p]
        q = out_ptr[u]
        for p in range(ptr[u], ptr[u + 1]):
            for r in range(pair_ptr[idx[p]], pair_ptr[idx[p] + 1]):
                if value[second[r]] > 0.0:
                    out_idx[q] = r
                    out_val[q] = np.sqrt(val[p]) * np.sqrt(value[second[r]])
                    q += 1
        for p in range(ptr[u], ptr[u + 1]):
            value[idx[p]] = 0.0
