"""One held-out item per user ranked among given candidates."""

import numpy as np
from scipy.sparse import csr_array

from skrec._evaluation._estimator_rows import decision_rows, rows_as
from skrec._evaluation._formulas import list_metric
from skrec._evaluation._rows import float_scores
from skrec.utils._call import one_call
from skrec.utils._parallel import row_chunks
from skrec.utils._row_side import one_warning
from skrec.utils._ties import quantize_scores
from skrec.utils._validation import check_item_indices


def check_candidate_lists(candidates, shape):
    """Validate candidates: intp of shape (n_users, m), padded with -1."""
    candidates = np.asarray(candidates)
    if candidates.ndim != 2 or candidates.shape[0] != shape[0]:
        raise ValueError(
            "candidates must have shape (n_users, m), one row per row of X. Got "
            f"{candidates.shape}, expected ({shape[0]}, m)."
        )
    return check_item_indices(candidates, shape[1], name="candidates", low=-1)


def positives_of(held_out, relevance_threshold):
    """The one relevant item of each row; a ValueError if a row has none or several."""
    relevant = held_out.data > relevance_threshold
    kept = np.concatenate([[0], np.cumsum(relevant)])
    counts = np.diff(kept[held_out.indptr])
    if (counts != 1).any():
        row = int(np.argmax(counts != 1))
        raise ValueError(
            "With candidates, y must hold one relevant item per row. Got "
            f"{counts[row]} in row {row} ({int((counts != 1).sum())} rows in all have none or "
            "several); leave those rows out, see leave_one_out_split."
        )
    return held_out.indices[relevant].astype(np.intp)


def evaluate_candidates(estimator, metrics, source, shown, positives, candidates, normalize, side):
    """Values of ranking metrics for each user, among candidates.

    Parameters
    ----------
    estimator : fitted estimator
    metrics : tuple of Metric
        Without rating metrics.
    source : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
        X as the user passed it.
    shown : csr_array of shape (n_users, n_items)
    positives : ndarray of intp of shape (n_users,)
    candidates : ndarray of intp of shape (n_users, m)
    normalize : {"min", "relevant"}
    side : GivenSide
        Side information of the users, passed on with their rows.

    Returns
    -------
    values : dict of str to ndarray of shape (n_users,)
    """
    n_users, n_items = shown.shape
    better = np.zeros(n_users, dtype=np.intp)
    others = np.zeros(n_users, dtype=np.intp)
    with one_warning(), one_call():
        for start, stop in row_chunks(n_users, n_items * 8):
            rows = np.arange(start, stop)
            pair_scores = _pair_scores_of(estimator, rows_as(source, rows, shown), side, rows)
            better[start:stop], others[start:stop] = _count_better(
                pair_scores, positives[start:stop], candidates[start:stop]
            )
    longest = max((metric.k for metric in metrics), default=0)
    longest = min(longest, candidates.shape[1] + 1)  # no list is longer than the ranked items
    gains = np.zeros((n_users, longest))
    listed = better < longest
    gains[listed, better[listed]] = 1.0
    one_each = csr_array(
        (np.ones(n_users), positives, np.arange(n_users + 1)), shape=(n_users, n_items)
    )
    with np.errstate(invalid="ignore"):  # no other candidate: 0 / 0, not evaluated
        auc = 1.0 - better / others
    return {
        metric.name: list_metric(metric.kind, metric.k, gains, one_each, normalize=normalize)
        if metric.is_list
        else auc
        for metric in metrics
    }


def _pair_scores_of(estimator, X, side, users):
    if hasattr(estimator, "score_pairs"):
        return lambda rows, items: estimator.score_pairs(
            X, rows, items, **side.keywords(users, pairs=rows)
        )
    scores = decision_rows(estimator, X, side.keywords(users))
    return lambda rows, items: scores[rows, items]


def _count_better(pair_scores, positives, candidates):
    """Number of other candidates that score at least as high, and of all others."""
    n_rows = len(positives)
    ordered = np.sort(candidates, axis=1)
    other = (ordered >= 0) & (ordered != positives[:, None])
    other[:, 1:] &= ordered[:, 1:] != ordered[:, :-1]  # named twice, counted once
    places, columns = np.nonzero(other)
    rows = np.concatenate([np.arange(n_rows), places])
    items = np.concatenate([positives, ordered[places, columns]])
    scores = float_scores(pair_scores(rows, items))
    if np.isnan(scores).any():
        raise ValueError(
            "Scores contain NaN; expected finite scores. Refit the model or check its input."
        )
    table = np.full((n_rows, candidates.shape[1] + 1), -np.inf, dtype=scores.dtype)
    table[:, 0] = scores[:n_rows]
    table[places, columns + 1] = scores[n_rows:]
    keys = quantize_scores(table)
    return ((keys[:, 1:] >= keys[:, :1]) & other).sum(axis=1), other.sum(axis=1)
