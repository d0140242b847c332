"""Values of metrics for each user, in chunks of rows, with one top-k pass for all metrics."""

import numpy as np

from skrec._evaluation._entries import entry_rows, select_entries
from skrec._evaluation._formulas import list_metric
from skrec._evaluation._relevance import relevant_gains
from skrec.utils._parallel import in_other_thread, row_chunks
from skrec.utils._ties import quantize_scores
from skrec.utils._topk import top_k

# Squares of larger errors do not add up to a finite number.
_MAX_ERROR = 1e140


def evaluate_rows(
    metrics,
    held_out,
    *,
    score_rows,
    pair_scores=None,
    seen=None,
    relevance_threshold=0,
    graded=False,
    normalize="min",
):
    """Values of metrics for each user.

    Rows that no metric can evaluate are not scored.

    Parameters
    ----------
    metrics : tuple of Metric
    held_out : csr_array of shape (n_users, n_items)
        Canonical.
    score_rows : callable
        ``score_rows(rows)`` returns scores of shape (len(rows), n_items) for an array of row
        indices; -inf for items that are not ranked.
    pair_scores : callable, default=None
        ``pair_scores(rows, places, items)`` returns the scores of the pairs ``(rows[places],
        items)``. Used if all metrics are rating metrics.
    seen : csr_array of shape (n_users, n_items), default=None
        Items that are not ranked.
    relevance_threshold, graded, normalize
        See `skrec.metrics.make_ranking_scorer`.

    Returns
    -------
    values : dict of str to ndarray of shape (n_users,)
        By the metrics' names, without their signs; NaN for users that are not evaluated.
    """
    n_users, n_items = held_out.shape
    ranking = tuple(metric for metric in metrics if not metric.is_rating)
    rating = tuple(metric for metric in metrics if metric.is_rating)
    values = {metric.name: np.full(n_users, np.nan) for metric in metrics}
    needed = np.zeros(n_users, dtype=bool)
    if ranking:
        relevant = relevant_gains(
            held_out, seen=seen, relevance_threshold=relevance_threshold, graded=graded
        )
        needed |= np.diff(relevant.indptr) > 0
    if rating:
        needed |= np.diff(held_out.indptr) > 0
    wanted = np.flatnonzero(needed)
    for start, stop in row_chunks(len(wanted), n_items * 8):
        rows = wanted[start:stop]
        pairs = held_out[rows] if rating else None
        if ranking or pair_scores is None:
            scores = float_scores(score_rows(rows))
            predicted = scores[entry_rows(pairs), pairs.indices] if rating else None
        else:
            predicted = pair_scores(rows, entry_rows(pairs), pairs.indices)
        if ranking:
            masked = None if seen is None else seen[rows]
            found = rank_chunk(ranking, scores, relevant[rows], seen=masked, normalize=normalize)
            for name, column in found.items():
                values[name][rows] = column
        for metric in rating:
            values[metric.name][rows] = rating_errors(metric.kind, pairs, predicted)
    return values


def float_scores(scores):
    """Scores in float32 or float64."""
    scores = np.asarray(scores)
    return scores if scores.dtype in (np.float32, np.float64) else scores.astype(np.float64)


def rank_chunk(metrics, scores, relevant, *, seen=None, normalize="min"):
    """Values of ranking metrics for a chunk of rows.

    Parameters
    ----------
    metrics : tuple of Metric
        Without rating metrics.
    scores : ndarray of shape (n_rows, n_items), float32 or float64
    relevant : csr_array of shape (n_rows, n_items)
        Gains.
    seen : csr_array of shape (n_rows, n_items), default=None
    normalize : {"min", "relevant"}, default="min"

    Returns
    -------
    values : dict of str to ndarray of shape (n_rows,)
    """
    from skrec._evaluation._kernels import gains_of_lists

    out = np.isneginf(scores[entry_rows(relevant), relevant.indices])
    if out.any():
        relevant = select_entries(relevant, ~out)
    values = {}
    longest = max((metric.k for metric in metrics), default=0)
    if longest:
        n_items = scores.shape[1]
        items, _ = top_k(scores, min(longest, n_items), seen=seen)
        entries = relevant.indptr, relevant.indices, relevant.data
        gains = in_other_thread(gains_of_lists, items, *entries, n_items)
    for metric in metrics:
        if metric.is_list:
            values[metric.name] = list_metric(
                metric.kind, metric.k, gains, relevant, normalize=normalize
            )
        else:
            values[metric.name] = _auc(scores, relevant, seen)
    return values


def _auc(scores, relevant, seen):
    from skrec._evaluation._kernels import auc_of_rows

    keys = quantize_scores(scores)
    if seen is not None:
        keys[entry_rows(seen), seen.indices] = -np.inf
    if np.isnan(keys).any():
        raise ValueError(
            "Scores contain NaN; expected finite scores, or -inf for items that take no part. "
            "Refit the model or check its input."
        )
    values = np.full(len(keys), np.nan)
    auc_of_rows(keys, relevant.indptr, relevant.indices, values)
    return values


def rating_errors(kind, ratings, predicted):
    """Root mean squared or mean absolute error of each row.

    Parameters
    ----------
    kind : {"rmse", "mae"}
    ratings : csr_array of shape (n_rows, n_items)
    predicted : ndarray of shape (nnz,)
        Aligned with ``ratings.data``.

    Returns
    -------
    errors : ndarray of shape (n_rows,)
        NaN for rows without ratings.
    """
    error = np.asarray(predicted, dtype=np.float64) - ratings.data
    if not np.isfinite(error).all():
        raise ValueError(
            "Predicted ratings contain NaN or infinity; expected finite numbers. Refit the model "
            "or check its input."
        )
    if np.abs(error).max(initial=0.0) > _MAX_ERROR:
        raise ValueError(
            "Errors of ratings overflow when they are squared and summed. Got an error of "
            f"{np.abs(error).max():g}, expected at most {_MAX_ERROR:g}. Scale the ratings."
        )
    loss = error**2 if kind == "rmse" else np.abs(error)
    sums = np.bincount(entry_rows(ratings), weights=loss, minlength=ratings.shape[0])
    counts = np.diff(ratings.indptr)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return np.sqrt(means) if kind == "rmse" else means
