"""The default ``score`` of a recommender."""

import numpy as np

from skrec._evaluation._estimator_rows import split_users
from skrec._evaluation._names import parse_metric
from skrec._evaluation._rows import evaluate_rows
from skrec._evaluation._summary import summarize
from skrec.utils._row_side import UserRows

_HOLDOUT = 0.2
_SEED = 0


def ndcg_at_100(score_rows, X, y=None, *, sample_weight=None, side=None):
    """Mean nDCG@100 over the users.

    Parameters
    ----------
    score_rows : callable
        ``score_rows(X_rows)`` returns scores of shape (n_rows, n_items) for rows of a
        canonical csr_array.
    X : csr_array of shape (n_users, n_items)
        Canonical.
    y : HeldOut, {sparse matrix, ndarray} of shape (n_users, n_items), 1-D or None
        Held-out interactions. 1-D or None: a fifth of each row of X is hidden.
    sample_weight : ndarray of shape (n_users,), default=None
        Weights of the users in the mean.
    side : RowSide, default=None
        Side information of the users. If given, `score_rows` gets the part of its rows as a second
        argument.

    Returns
    -------
    score : float
        NaN, with an `UndefinedMetricWarning`, if no user can be evaluated.

    Raises
    ------
    ValueError
        If a 2-D `y` does not have the shape of X.
    """
    shown, held_out = split_users(X, y, holdout=_HOLDOUT, random_state=_SEED)
    users = UserRows(shown, side)
    return ndcg_of_users(
        lambda rows: score_rows(*users.take(rows).arguments),
        shown,
        held_out,
        sample_weight=sample_weight,
    )


def ndcg_of_users(score_users, shown, held_out, *, sample_weight=None):
    """Mean nDCG@100 of users who are identified by their row indices.

    Parameters
    ----------
    score_users : callable
        ``score_users(rows)`` returns scores of shape (len(rows), n_items) for an array of row
        indices of `shown`.
    shown, held_out : csr_array of shape (n_users, n_items)
        Canonical.
    sample_weight : ndarray of shape (n_users,), default=None
        Weights of the users in the mean.

    Returns
    -------
    score : float
        NaN, with an `UndefinedMetricWarning`, if no user can be evaluated.
    """
    metric = parse_metric("ndcg@100")
    values = evaluate_rows((metric,), held_out, score_rows=score_users, seen=shown)
    n_ratings = np.diff(held_out.indptr)
    return summarize(metric, values[metric.name], n_ratings, sample_weight=sample_weight)


def negative_rmse(pair_scores, X, y=None, *, sample_weight=None, side=None):
    """Minus the root mean squared error of predicted ratings.

    Parameters
    ----------
    pair_scores : callable
        ``pair_scores(X_rows, rows, items)`` returns the predicted ratings of pairs.
    X : csr_array of shape (n_users, n_items)
        Canonical.
    y : HeldOut, {sparse matrix, ndarray} of shape (n_users, n_items), 1-D or None
        Held-out ratings. 1-D or None: a fifth of each row of X is hidden.
    sample_weight : ndarray of shape (n_users,), default=None
        Weights of the users in the mean.
    side : RowSide, default=None
        Side information of the users. If given, `pair_scores` gets the part of its rows, with the
        context of each pair, as a fourth argument.

    Returns
    -------
    score : float
        NaN, with an `UndefinedMetricWarning`, if no rating is held out.

    Raises
    ------
    ValueError
        If a 2-D `y` does not have the shape of X.
    """
    shown, held_out = split_users(X, y, holdout=_HOLDOUT, random_state=_SEED)
    metric = parse_metric("neg_rmse")

    def scores_of_pairs(rows, places, items):
        if side is None:
            return pair_scores(shown[rows], places, items)
        return pair_scores(shown[rows], places, items, side.take(rows).for_pairs(places))

    values = evaluate_rows((metric,), held_out, score_rows=None, pair_scores=scores_of_pairs)
    n_ratings = np.diff(held_out.indptr)
    return summarize(metric, values[metric.name], n_ratings, sample_weight=sample_weight)
