"""Scores that put the head of a list into a given order."""

import numpy as np

from skrec._evaluation._entries import entry_rows
from skrec.utils._ties import grid_width

# Neighbours in a head are this many cells of the grid apart, which is more than rounding moves.
_CELLS = 3


def with_head(scores, seen, head):
    """Scores that rank the items of a head in the given order, before all others.

    The head keeps its own scores, sorted. Where neighbours, or the last head item and the best
    other item, would tie, scores are raised by a few cells of the grid of `skrec.utils._ties`. All
    other scores stay.

    Parameters
    ----------
    scores : ndarray of shape (n_rows, n_items), float32 or float64
        Not changed.
    seen : csr_array of shape (n_rows, n_items)
        Items that are not ranked; their scores stay, however high they are.
    head : ndarray of intp of shape (n_rows, m)
        Best first, without seen items; shorter rows end in -1.

    Returns
    -------
    ordered : ndarray of shape (n_rows, n_items), dtype of `scores`
    """
    ordered, here = scores.copy(), head >= 0
    rows, places = np.nonzero(here)
    chosen = head[rows, places]
    others = scores.copy()
    others[entry_rows(seen), seen.indices] = -np.inf
    others[rows, chosen] = -np.inf
    best_other = others.max(axis=1, initial=-np.inf)
    scale = np.abs(scores).max(axis=1, initial=0.0).astype(np.float64)
    step = _CELLS * grid_width(scores.dtype) * np.where(scale > 0, scale, 1.0)
    values = np.full(head.shape, -np.inf)
    values[rows, places] = scores[rows, chosen]
    values = -np.sort(-values, axis=1)
    # From the last item upwards each score is at least a step above the next.
    climb = step[:, None] * np.arange(head.shape[1])
    least = np.maximum.accumulate((values + climb)[:, ::-1], axis=1)[:, ::-1]
    lengths = here.sum(axis=1)
    floor = np.where(np.isfinite(best_other), best_other + step * lengths, -np.inf)
    values = np.maximum(least, floor[:, None]) - climb
    ordered[rows, chosen] = values[rows, places]
    return ordered
