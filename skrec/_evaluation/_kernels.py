"""The numba part of the metrics, imported only when it is called."""

import numpy as np

from skrec.utils._compile import njit


@njit(nogil=True, cache=True)
def gains_of_lists(items, indptr, indices, data, n_items):
    """Gain of each listed item: its value in the CSR matrix of gains, 0 elsewhere."""
    gains = np.zeros(items.shape, dtype=np.float64)
    gain_of = np.zeros(n_items, dtype=np.float64)
    for u in range(items.shape[0]):
        for p in range(indptr[u], indptr[u + 1]):
            gain_of[indices[p]] = data[p]
        for r in range(items.shape[1]):
            if items[u, r] >= 0:
                gains[u, r] = gain_of[items[u, r]]
        for p in range(indptr[u], indptr[u + 1]):
            gain_of[indices[p]] = 0.0
    return gains


@njit(nogil=True, cache=True)
def auc_of_rows(keys, indptr, indices, out):
    """Share of (relevant, other candidate) pairs in the right order; a tie is a half.

    `keys` are scores, -inf for items that are not ranked; the function overwrites them.
    """
    for u in range(keys.shape[0]):
        row = keys[u]
        wanted = np.sort(row[indices[indptr[u] : indptr[u + 1]]])
        n_relevant = wanted.shape[0]
        for p in range(indptr[u], indptr[u + 1]):
            row[indices[p]] = -np.inf
        if n_relevant == 0:
            continue
        n_others = 0
        twice = 0
        for i in range(row.shape[0]):
            key = row[i]
            if key == -np.inf:
                continue
            n_others += 1
            if key < wanted[0]:
                twice += 2 * n_relevant
            elif key <= wanted[n_relevant - 1]:
                twice += 2 * n_relevant - np.searchsorted(wanted, key)
                twice -= np.searchsorted(wanted, key, side="right")
        if n_others > 0:
            out[u] = twice / (2.0 * n_relevant * n_others)
