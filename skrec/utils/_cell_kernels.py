"""numba part of `skrec.utils._cells`; imported only when it is called."""

import numpy as np

from skrec.utils._compile import njit
from skrec.utils._mix_kernels import mix


@njit(nogil=True, cache=True, inline="always")
def pick(state, n):
    """A whole number below n from a state of the stream."""
    return np.int64(((mix(state) >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32))


@njit(nogil=True, cache=True)
def deal_cells(
    indptr, indices, users, user_bounds, block_of, first, bounds, cell_user, cell_item, start, stop
):
    """Sort the interactions of the user blocks from `start` to `stop` by item block.

    Parameters
    ----------
    indptr, indices : ndarray
        Of the CSR matrix.
    users : ndarray of shape (n_users,)
        The users, block after block.
    user_bounds : ndarray of shape (n_blocks + 1,)
        Bounds of the blocks in `users`.
    block_of : ndarray of shape (n_items,)
        Block of each item.
    first : ndarray of shape (n_blocks + 1,)
        Bounds of the user blocks in `cell_user`.
    bounds : ndarray of shape (n_blocks**2 + 1,), written
        Bounds of the cells; cell a * n_blocks + b joins user block a and item block b.
    cell_user, cell_item : ndarray of shape (n_entries,), written
        The interactions, cell after cell; within a cell, user after user.
    """
    n_blocks = user_bounds.shape[0] - 1
    fill = np.empty(n_blocks + 1, dtype=np.int64)
    for a in range(start, stop):
        fill[:] = 0
        for n in range(user_bounds[a], user_bounds[a + 1]):
            u = users[n]
            for p in range(indptr[u], indptr[u + 1]):
                fill[block_of[indices[p]] + 1] += 1
        fill[0] = first[a]
        for b in range(n_blocks):
            fill[b + 1] += fill[b]
            bounds[a * n_blocks + b] = fill[b]
        for n in range(user_bounds[a], user_bounds[a + 1]):
            u = users[n]
            for p in range(indptr[u], indptr[u + 1]):
                b = block_of[indices[p]]
                cell_user[fill[b]] = u
                cell_item[fill[b]] = indices[p]
                fill[b] += 1
