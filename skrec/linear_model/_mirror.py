"""Small helpers for Gram matrices that are given by their upper triangle."""

import numpy as np

from skrec.linear_model._gram import check_square
from skrec.utils._parallel import run_ranges


def mirror_upper(matrix, *, n_jobs=None):
    """Copy the upper triangle to the lower one, in place.

    Parameters
    ----------
    matrix : ndarray of shape (n, n), float32 or float64
        C-contiguous.
    n_jobs : int or None, default=None
        Threads.

    Returns
    -------
    matrix : ndarray
        The same object.
    """
    # The kernel is imported here because numba takes half a second.
    from skrec.linear_model._inverse_kernels import TILE, scale_and_mirror

    check_square(matrix, matrix.shape[0])
    ones = np.ones(len(matrix), dtype=matrix.dtype)
    n_tiles = -(-len(matrix) // TILE)

    def mirror_rows(start, stop):
        scale_and_mirror(matrix, ones, start, stop)

    run_ranges(mirror_rows, n_tiles, n_jobs=n_jobs, weights=np.arange(n_tiles, 0, -1))
    return matrix


def diagonal_as(values, matrix):
    """One number, or one for each row, as an array of the matrix's length and dtype."""
    return np.broadcast_to(np.asarray(values, dtype=matrix.dtype), len(matrix)).copy()
