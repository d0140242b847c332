"""Errors of predicted ratings."""

import numpy as np
from scipy.sparse import csr_array, issparse

from skrec._evaluation._entries import check_interactions, entry_rows
from skrec._evaluation._rows import rating_errors
from skrec._evaluation._summary import mean_of_users, pooled_error
from skrec.metrics._checks import check_option
from skrec.utils._matrices import checked_array
from skrec.utils._sparse_check import sound_sparse
from skrec.utils._validation import check_sample_weight


def _aligned(y_true, y_pred):
    """The ratings as canonical CSR, and the predictions in the order of its entries."""
    ratings = check_interactions(y_true, name="y_true")
    if np.ndim(y_pred) != 1:
        y_pred = checked_array(y_pred, name="y_pred", dtype=[np.float64, np.float32])
        if y_pred.shape != ratings.shape:
            raise ValueError(
                "A 2-D y_pred must have the shape of y_true. Got shape "
                f"{y_pred.shape}, expected {ratings.shape}."
            )
        return ratings, y_pred[entry_rows(ratings), ratings.indices]
    y_pred = checked_array(y_pred, name="y_pred", ensure_2d=False, dtype=np.float64)
    stored = csr_array(sound_sparse(y_true) if issparse(y_true) else np.asarray(y_true))
    if y_pred.shape != stored.data.shape:
        raise ValueError(
            "A 1-D y_pred must have one entry per stored rating of y_true, row by row. Got "
            f"{len(y_pred)} entries, expected {stored.nnz}."
        )
    if not stored.has_canonical_format:
        unique = stored.copy()
        unique.sum_duplicates()
        if unique.nnz < stored.nnz:
            raise ValueError(
                "y_true stores a rating more than once, so a 1-D y_pred is ambiguous. Call "
                "y_true.sum_duplicates() first."
            )
    beside = csr_array((y_pred, stored.indices, stored.indptr), shape=stored.shape, copy=True)
    beside.sort_indices()
    values = csr_array((stored.data, stored.indices, stored.indptr), shape=stored.shape, copy=True)
    values.sort_indices()
    return ratings, beside.data[values.data != 0]


def _error(kind, y_true, y_pred, sample_weight, average):
    check_option(average, ("ratings", "samples", None), "average")
    ratings, predicted = _aligned(y_true, y_pred)
    weight = check_sample_weight(sample_weight, ratings.shape[0], np.float64)
    values = rating_errors(kind, ratings, predicted)
    if average is None:
        return values
    if average == "samples":
        return mean_of_users(values, name=kind, sample_weight=weight)
    return pooled_error(kind, values, np.diff(ratings.indptr), name=kind, sample_weight=weight)


def root_mean_squared_rating_error(y_true, y_pred, *, sample_weight=None, average="ratings"):
    """Root mean squared error (RMSE) of predicted ratings.

    ``sqrt(mean((r - p)**2))`` over the stored ratings r and their predictions p.

    Parameters
    ----------
    y_true : {sparse matrix, array-like} of shape (n_users, n_items)
        Ratings. Zeros, stored or not, mean "not rated".
    y_pred : array-like of shape (n_users, n_items) or (n_ratings,)
        Predicted ratings of every item, or only of the stored ratings, in the order of
        ``csr_array(y_true).data``.
    sample_weight : array-like of shape (n_users,), default=None
        Weights of the users, for each of their ratings.
    average : {"ratings", "samples", None}, default="ratings"
        "ratings": the error over all ratings. "samples": the mean of the users' errors. None: the
        error of each user.

    Returns
    -------
    error : float or ndarray of shape (n_users,)
        In the unit of the ratings, lower is better. A user without ratings has the value NaN. The
        mean is NaN, with an `UndefinedMetricWarning`, if there is no rating at all.

    Raises
    ------
    ValueError
        If shapes differ, or a value is NaN or infinite.

    See Also
    --------
    mean_absolute_rating_error : Less sensitive to single large errors.
    sklearn.metrics.root_mean_squared_error : For plain arrays.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.metrics import root_mean_squared_rating_error
    >>> y_true = np.array([[5, 0, 3], [0, 4, 0]])
    >>> y_pred = np.array([[4.0, 2.0, 3.0], [1.0, 2.0, 5.0]])
    >>> root_mean_squared_rating_error(y_true, y_pred)
    1.2909...
    """
    return _error("rmse", y_true, y_pred, sample_weight, average)


def mean_absolute_rating_error(y_true, y_pred, *, sample_weight=None, average="ratings"):
    """Mean absolute error (MAE) of predicted ratings.

    ``mean(|r - p|)`` over the stored ratings r and their predictions p.

    Parameters
    ----------
    y_true : {sparse matrix, array-like} of shape (n_users, n_items)
        Ratings. Zeros, stored or not, mean "not rated".
    y_pred : array-like of shape (n_users, n_items) or (n_ratings,)
        Predicted ratings of every item, or only of the stored ratings, in the order of
        ``csr_array(y_true).data``.
    sample_weight : array-like of shape (n_users,), default=None
        Weights of the users, for each of their ratings.
    average : {"ratings", "samples", None}, default="ratings"
        "ratings": the error over all ratings. "samples": the mean of the users' errors. None: the
        error of each user.

    Returns
    -------
    error : float or ndarray of shape (n_users,)
        In the unit of the ratings, lower is better. A user without ratings has the value NaN. The
        mean is NaN, with an `UndefinedMetricWarning`, if there is no rating at all.

    Raises
    ------
    ValueError
        If shapes differ, or a value is NaN or infinite.

    See Also
    --------
    root_mean_squared_rating_error : Weighs large errors more.
    sklearn.metrics.mean_absolute_error : For plain arrays.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.metrics import mean_absolute_rating_error
    >>> y_true = np.array([[5, 0, 3], [0, 4, 0]])
    >>> mean_absolute_rating_error(y_true, [4.0, 3.0, 2.0])
    1.0
    """
    return _error("mae", y_true, y_pred, sample_weight, average)
