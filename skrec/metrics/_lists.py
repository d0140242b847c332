"""Lists of recommendations as input of the metrics beyond accuracy."""

import numpy as np
from scipy.sparse import csr_array

from skrec.utils._validation import check_item_indices


def check_lists(recommendations, n_items):
    """Validate lists of recommendations.

    Parameters
    ----------
    recommendations : array-like of int of shape (n_users, k)
        Column indices, -1 where a list ends early.
    n_items : int

    Returns
    -------
    lists : csr_array of float64 of shape (n_users, n_items)
        1 where an item is in the user's list.

    Raises
    ------
    ValueError
        If an index is out of range, or a list names an item twice.
    """
    items = np.asarray(recommendations)
    if items.ndim != 2:
        raise ValueError(
            "recommendations must have shape (n_users, k), as `recommend` returns them. Got "
            f"shape {items.shape}."
        )
    items = np.sort(check_item_indices(items, n_items, name="recommendations", low=-1), axis=1)
    if ((items[:, 1:] == items[:, :-1]) & (items[:, 1:] >= 0)).any():
        raise ValueError("recommendations name an item twice in one list; expected each once.")
    real = items >= 0
    indptr = np.concatenate([[0], np.cumsum(real.sum(axis=1))])
    return csr_array((np.ones(indptr[-1]), items[real], indptr), shape=(len(items), n_items))


def check_n_items(n_items):
    """Return `n_items` as int, or raise a ValueError."""
    if isinstance(n_items, bool) or not isinstance(n_items, (int, np.integer)) or n_items < 1:
        raise ValueError(
            f"n_items must be a whole number >= 1, the size of the catalogue. Got {n_items!r}."
        )
    return int(n_items)
