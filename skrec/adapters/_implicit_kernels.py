"""numba part of `skrec.adapters._implicit_users`; imported only when it is called."""

import math

import numpy as np

from skrec.utils._compile import njit


@njit(nogil=True, cache=True)
def bpr_rows(indptr, indices, negatives, items, rate, penalty, n_passes, verify, out, start, stop):
    """Run implicit's steps of BPR on the vector of each row alone, starting at zero.

    Parameters
    ----------
    indptr, indices : ndarray of int
        Rows of a canonical CSR matrix.
    negatives : ndarray of intp of shape (n_rows, n_draws)
        Used in turn.
    items : ndarray of float32 of shape (n_items, d + 1)
        Item vectors; the last element is the bias.
    rate, penalty : float
    n_passes : int
        Passes over the items of a row.
    verify : bool
        Whether to skip negatives that the row has.
    out : ndarray of float32 of shape (n_rows, d), written
    """
    n_draws, d = negatives.shape[1], out.shape[1]
    for u in range(start, stop):
        vector = out[u]
        vector[:] = 0
        own = indices[indptr[u] : indptr[u + 1]]
        n = 0
        for _ in range(n_passes):
            for i in own:
                j = negatives[u, n % n_draws]
                n += 1
                if verify:
                    place = np.searchsorted(own, j)
                    if place < own.shape[0] and own[place] == j:
                        continue
                score = items[i, d] - items[j, d]
                for f in range(d):
                    score += vector[f] * (items[i, f] - items[j, f])
                z = np.float32(1.0 / (1.0 + math.exp(score)))
                for f in range(d):
                    vector[f] += rate * (z * (items[i, f] - items[j, f]) - penalty * vector[f])
