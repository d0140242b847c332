"""The rating that is expected without neighbours: mean and biases."""

import numpy as np


def fit_item_bias(X, *, deviation, damping):
    """Mean rating, and how far each item's ratings lie from the mean.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
        Ratings, canonical.
    deviation : {None, "item", "user", "both"}
        With "user" items have no bias.
    damping : float
        Number of pseudo-ratings at the mean that each item gets.

    Returns
    -------
    intercept : float
        0 if there is no rating at all.
    item_bias : ndarray of shape (n_items,)
        0 for items without ratings.
    """
    n_items = X.shape[1]
    intercept = float(X.data.sum(dtype=np.float64)) / max(X.nnz, 1)
    if deviation == "user":
        return intercept, np.zeros(n_items)
    count = np.bincount(X.indices, minlength=n_items)
    total = np.bincount(X.indices, weights=X.data - intercept, minlength=n_items)
    return intercept, _damped(total, count, damping)


def user_bias(X, intercept, item_bias, *, deviation, damping):
    """How far the ratings of each row lie from those expected of their items.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
        Ratings, canonical.
    intercept, item_bias
        From `fit_item_bias`.
    deviation, damping
        As in `fit_item_bias`; users have a bias with "user" and "both" only.

    Returns
    -------
    bias : ndarray of shape (n_rows,)
        0 for rows without ratings.
    """
    if deviation not in ("user", "both"):
        return np.zeros(X.shape[0])
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    rest = X.data - (intercept + item_bias)[X.indices]
    total = np.bincount(rows, weights=rest, minlength=X.shape[0])
    return _damped(total, np.diff(X.indptr), damping)


def deviations(X, intercept, item_bias, bias, *, deviation):
    """The ratings less the expected ratings, or unchanged if `deviation` is None.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
    intercept, item_bias, bias
        From `fit_item_bias` and `user_bias`.
    deviation : {None, "item", "user", "both"}

    Returns
    -------
    values : ndarray of float64 of shape (nnz,)
    """
    if deviation is None:
        return X.data.astype(np.float64, copy=False)
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    return X.data - ((intercept + item_bias)[X.indices] + bias[rows])


def predicted_ratings(total, weight, expected, *, deviation):
    """Ratings from the neighbours' deviations.

    Parameters
    ----------
    total : ndarray
        Sum of the neighbours' deviations times their similarities.
    weight : ndarray
        Sum of the similarities; 0 without neighbours.
    expected : ndarray
        Ratings expected without neighbours.
    deviation : {None, "item", "user", "both"}

    Returns
    -------
    ratings : ndarray
    """
    asked = weight > 0
    average = np.divide(total, weight, out=np.zeros_like(total), where=asked)
    if deviation is None:
        return np.where(asked, average, expected)
    return expected + average


def _damped(total, count, damping):
    # An item or user without ratings has a total of 0.
    return total / np.maximum(count + damping, np.finfo(np.float64).tiny)
