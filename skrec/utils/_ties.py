"""The rule that orders items of equal score."""

import functools

import numpy as np

# Width of a cell of the score grid, in units of eps(dtype) * max|score| of the row.
GRID_EPS = 64.0


@functools.cache
def grid_width(dtype):
    """Relative width of one cell of the grid: 64 times the machine epsilon of `dtype`."""
    return GRID_EPS * float(np.finfo(dtype).eps)


def quantize_scores(scores):
    """Round the scores of each row to the cells of a grid.

    Two scores of a row that differ only by the rounding of a few dozen operations get the
    same number. So the item index decides their order, which is the same in a batch and
    alone. A value on the border of a cell can still fall to either side.

    Parameters
    ----------
    scores : ndarray of shape (n_rows, n_items), float32 or float64
        May hold -inf for excluded items.

    Returns
    -------
    keys : ndarray of shape (n_rows, n_items), float64
        ``rint(score / (64 * eps(dtype) * max|score|))``, with the maximum over the finite
        scores of the row. Infinite scores stay infinite. Items are ordered by (key
        descending, index ascending).
    """
    scores = np.asarray(scores)
    wide = scores.astype(np.float64)
    finite = np.isfinite(wide)
    scale = np.max(np.abs(wide), axis=1, initial=0.0, where=finite, keepdims=True)
    # A scale below 1e-290 would make the cell width underflow.
    boost = np.where(scale > 1e-290, 1.0, 2.0**600)
    cell = np.where(scale > 0, scale * boost * grid_width(scores.dtype), 1.0)
    return np.rint(wide * boost / cell)
