"""Ratings as levels: the values of a rating's softmax units."""

import numpy as np


def find_levels(values, n_levels):
    """The distinct values, or means of bins of about equally many values.

    Parameters
    ----------
    values : ndarray of shape (n,)
    n_levels : int
        Most levels.

    Returns
    -------
    levels : ndarray of shape (n_found,), float64
        Ascending, each once; a single 0 without values.
    """
    distinct = np.unique(values.astype(np.float64))
    if len(distinct) > n_levels:
        bins = np.array_split(np.sort(values.astype(np.float64)), n_levels)
        # Divided first, since sums of very large values overflow.
        distinct = np.unique([(part / len(part)).sum() for part in bins if len(part)])
    return distinct if len(distinct) else np.zeros(1)


def nearest_level(values, levels):
    """The place of the level nearest to each value; the lower one of two equally near.

    Parameters
    ----------
    values : ndarray of shape (n,)
    levels : ndarray of shape (n_levels,)
        Ascending.

    Returns
    -------
    places : ndarray of int8 of shape (n,)
    """
    middle = levels[:-1] / 2 + levels[1:] / 2
    return np.searchsorted(middle, values.astype(np.float64)).astype(np.int8)


def expected_level(logits, levels):
    """Mean of the levels under the softmax of the last axis.

    Parameters
    ----------
    logits : ndarray of shape (..., n_levels), changed
    levels : ndarray of shape (n_levels,)

    Returns
    -------
    mean : ndarray of shape (...), dtype of the logits
    """
    logits -= logits.max(axis=-1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=-1, keepdims=True)
    return logits @ levels.astype(logits.dtype)
