"""Rows of X in the container of the input, and an estimator's scores for them."""

import numpy as np
from scipy.sparse import csr_matrix, issparse, isspmatrix

from skrec._evaluation._entries import (
    check_interactions,
    draw_seed,
    entry_positions,
    entry_rows,
    hide_entries,
    hide_latest,
    select_entries,
)
from skrec._evaluation._held_out import check_held_out
from skrec._evaluation._rows import evaluate_rows, float_scores
from skrec.utils._call import one_call
from skrec.utils._row_side import one_warning


def split_users(X, y, *, holdout, random_state):
    """Split each user's interactions into visible and held-out ones.

    Parameters
    ----------
    X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
    y : HeldOut, {sparse matrix, array-like} of shape (n_users, n_items), 1-D or None
        Two-dimensional: the held-out interactions; X is then visible as a whole.
    holdout : float or "last"
        Share of each row of X to hide if `y` is not two-dimensional; "last": the entry with the
        largest value.
    random_state : int, RandomState or None
        Seed of the hidden items.

    Returns
    -------
    shown, held_out : csr_array of shape (n_users, n_items)
    """
    X = check_interactions(X)
    held_out = check_held_out(y, X.shape)
    if held_out is None and isinstance(holdout, str):
        return hide_latest(X, draw_seed(random_state))
    if held_out is None:
        return hide_entries(X, holdout, draw_seed(random_state))
    return X, held_out


def rows_as(source, rows, shown):
    """Rows of `shown` in the container of `source`, as an estimator fitted on such data takes them.

    Parameters
    ----------
    source : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
        Decides the container; a dataframe also gives its column names.
    rows : ndarray of intp of shape (n_rows,)
    shown : csr_array of shape (n_users, n_items)

    Returns
    -------
    X : {csr_array, csr_matrix, ndarray, dataframe} of shape (n_rows, n_items)
    """
    part = shown[rows]
    if issparse(source):
        return csr_matrix(part) if isspmatrix(source) else part
    dense = part.toarray()
    if hasattr(source, "iloc"):
        return type(source)(dense, index=source.index[rows], columns=source.columns)
    if hasattr(source, "columns"):  # polars
        return type(source)(dense, schema=list(source.columns))
    return dense


def evaluate_estimator(
    estimator,
    metrics,
    source,
    shown,
    held_out,
    *,
    side,
    relevance_threshold,
    graded,
    normalize,
    allowed=None,
):
    """Values of metrics for each user, see `skrec._evaluation._rows.evaluate_rows`.

    Parameters
    ----------
    estimator : fitted estimator
        Has ``decision_function``; ``score_pairs`` is called instead where it suffices.
    metrics : tuple of Metric
    source : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
        X as the user passed it.
    shown, held_out : csr_array of shape (n_users, n_items)
    side : GivenSide
        Side information of the users, passed on with their rows.
    relevance_threshold, graded, normalize
        See `skrec.metrics.make_ranking_scorer`.
    allowed : ndarray of bool of shape (n_items,), csr_array of shape (n_users, n_items) or None, \
            default=None
        The items to rank; `held_out` holds no others, see `held_out_among`.
    """
    pair_scores = None
    if hasattr(estimator, "score_pairs"):

        def pair_scores(rows, places, items):
            known = side.keywords(rows, pairs=places)
            return estimator.score_pairs(rows_as(source, rows, shown), places, items, **known)

    def score_rows(rows):
        scores = decision_rows(estimator, rows_as(source, rows, shown), side.keywords(rows))
        return scores if allowed is None else _among(scores, rows, allowed)

    with one_warning(), one_call():
        return evaluate_rows(
            metrics,
            held_out,
            score_rows=score_rows,
            pair_scores=pair_scores,
            seen=shown,
            relevance_threshold=relevance_threshold,
            graded=graded,
            normalize=normalize,
        )


def held_out_among(held_out, allowed):
    """The held-out interactions with the ranked items.

    Parameters
    ----------
    held_out : csr_array of shape (n_users, n_items)
    allowed : ndarray of bool of shape (n_items,), csr_array of shape (n_users, n_items) or None
        None: all items.
    """
    if allowed is None:
        return held_out
    if isinstance(allowed, np.ndarray):
        return select_entries(held_out, allowed[held_out.indices])
    return select_entries(held_out, entry_positions(held_out, allowed) >= 0)


def _among(scores, rows, allowed):
    """Scores with -inf for the items that are not ranked."""
    if isinstance(allowed, np.ndarray):
        inside = allowed
    else:
        part = allowed[rows]
        inside = np.zeros(scores.shape, dtype=bool)
        inside[entry_rows(part), part.indices] = True
    return np.where(inside, float_scores(scores), -np.inf)


def decision_rows(estimator, X, side):
    """``decision_function(X, **side)``, checked to be one score per item."""
    if not hasattr(estimator, "decision_function"):
        raise ValueError(
            f"{type(estimator).__name__} has no decision_function; expected a recommender, or a "
            "pipeline or search that ends in one, whose decision_function scores every item."
        )
    scores = np.asarray(estimator.decision_function(X, **side))
    if scores.shape != X.shape:
        raise ValueError(
            "decision_function must return one score per item of X. Got shape "
            f"{scores.shape}, expected {X.shape}; a step that selects or adds columns cannot "
            "stand before a recommender."
        )
    return scores
