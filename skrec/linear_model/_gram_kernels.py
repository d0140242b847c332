"""numba part of `skrec.linear_model._gram`; imported only when it is called."""

import numpy as np

from skrec.utils._compile import njit

# Measured costs, in units of one pair: the start of a user's row misses the cache, and every
# element of an output row is read, added to and cleared.
_ROW_START = 30
_OUTPUT = 0.5


@njit(nogil=True, cache=True)
def column_entries(items, indptr, first, position, user, cost):
    """Write the entries column by column, and the cost of each column.

    Parameters
    ----------
    items : ndarray of shape (n_entries,), dtype=uint32
        Item of each entry, users ascending, items ascending within a user.
    indptr : ndarray of shape (n_users + 1,), dtype=int64
        Bounds of the users' rows.
    first : ndarray of shape (n_items + 1,), dtype=int64, written
        Bounds of the columns.
    position, user : ndarray of shape (n_entries,), written
        Position in `items` and user of each entry of a column; users ascend.
    cost : ndarray of shape (n_items,), dtype=float64, written
        Work for the column's row of the Gram matrix.
    """
    n_items = cost.shape[0]
    first[:] = 0
    for p in range(items.shape[0]):
        first[items[p] + np.uint32(1)] += 1
    for i in range(n_items):
        first[i + 1] += first[i]
        cost[i] = _OUTPUT * (n_items - i)
    fill = first.copy()
    for u in range(indptr.shape[0] - 1):
        stop = indptr[u + 1]
        for p in range(indptr[u], stop):
            i = items[p]
            q = fill[i]
            fill[i] = q + 1
            position[q] = p
            user[q] = u
            cost[i] += stop - p + _ROW_START


@njit(nogil=True, cache=True)
def add_pattern_rows(items, indptr, first, position, user, weight, gram, start, stop):
    """Add sum_u weight_u to gram[i, j], j >= i, over the users u who have both i and j."""
    n_items = gram.shape[1]
    # One output row in float64 stays in the core's own cache while the users' rows pass.
    row = np.zeros(n_items, dtype=np.float64)
    for i in range(start, stop):
        for q in range(first[i], first[i + 1]):
            u = user[q]
            w = weight[u]
            # Unsigned indices spare the test for negative ones.
            for p in range(np.uint64(position[q]), np.uint64(indptr[u + 1])):
                row[items[p]] += w
        out = gram[i]
        for j in range(i, n_items):
            out[j] += row[j]
            row[j] = 0.0


@njit(nogil=True, cache=True)
def add_value_rows(items, values, indptr, first, position, user, weight, gram, start, stop):
    """Add sum_u weight_u x_ui x_uj to gram[i, j], j >= i."""
    n_items = gram.shape[1]
    row = np.zeros(n_items, dtype=np.float64)
    for i in range(start, stop):
        for q in range(first[i], first[i + 1]):
            u = user[q]
            p0 = np.uint64(position[q])
            w = weight[u] * np.float64(values[p0])
            for p in range(p0, np.uint64(indptr[u + 1])):
                row[items[p]] += w * values[p]
        out = gram[i]
        for j in range(i, n_items):
            out[j] += row[j]
            row[j] = 0.0
