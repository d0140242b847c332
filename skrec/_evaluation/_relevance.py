"""Relevant items and their gains."""

import numpy as np
from scipy.sparse import csr_array

from skrec._evaluation._entries import entry_positions, select_entries

# Larger grades would make 2**rel - 1 too large for meaningful sums of gains.
_MAX_GRADE = 100


def relevant_gains(held_out, *, seen=None, relevance_threshold=0, graded=False):
    """The relevant held-out items, with their gains as values.

    Parameters
    ----------
    held_out : csr_array of shape (n_users, n_items)
        Canonical.
    seen : csr_array of shape (n_users, n_items), default=None
        Items that the user already has; these are neither candidates nor relevant.
    relevance_threshold : float, default=0
        A stored value above it is relevant.
    graded : bool, default=False
        Gain ``2**value - 1`` instead of 1.

    Returns
    -------
    gains : csr_array of float64 of shape (n_users, n_items)

    Raises
    ------
    ValueError
        If ``graded=True`` meets a value outside (0, 100].
    """
    if not isinstance(relevance_threshold, int | float | np.integer | np.floating):
        raise ValueError(
            "relevance_threshold must be a number: held-out items with a greater value are "
            f"relevant. Got {relevance_threshold!r}."
        )
    mask = held_out.data > relevance_threshold
    if seen is not None:
        mask &= entry_positions(held_out, seen) < 0
    relevant = select_entries(held_out, mask)
    if graded:
        low, high = (relevant.data.min(), relevant.data.max()) if relevant.nnz else (1, 1)
        if low <= 0 or high > _MAX_GRADE:
            raise ValueError(
                "With graded=True gains are 2**value - 1, for values above 0 and at most "
                f"{_MAX_GRADE}, such as ratings. Got values from {low:g} to {high:g}; use "
                "graded=False, or a relevance_threshold >= 0."
            )
        gains = np.exp2(relevant.data.astype(np.float64)) - 1.0
    else:
        gains = np.ones(relevant.nnz)
    return csr_array((gains, relevant.indices, relevant.indptr), shape=relevant.shape)
