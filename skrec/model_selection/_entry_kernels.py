"""numba part of `skrec.model_selection._entries`; imported only when it is called."""

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def mark_lowest(keys, indptr, counts, mask):
    """Mark the entries with the lowest keys of each row; of equal keys, those stored first."""
    for u in range(indptr.shape[0] - 1):
        if counts[u] == 0:
            continue
        start, stop = indptr[u], indptr[u + 1]
        row = keys[start:stop]
        last = np.partition(row, counts[u] - 1)[counts[u] - 1]
        equal = counts[u]  # how many entries with the key `last` fit in
        for key in row:
            if key < last:
                equal -= 1
        for p in range(start, stop):
            if keys[p] < last:
                mask[p] = True
            elif keys[p] == last and equal > 0:
                mask[p] = True
                equal -= 1
