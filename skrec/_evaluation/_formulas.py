"""The formulas: from the gains along each list to one value per user."""

import numpy as np

from skrec._evaluation._entries import entry_rows


def list_metric(kind, k, gains, relevant, *, normalize="min"):
    """Values of one metric for each user.

    Parameters
    ----------
    kind : str
        One of `skrec._evaluation._names.LIST_METRICS`.
    k : int
        Length of the lists.
    gains : ndarray of shape (n_users, width)
        Gain of the item at each place of the list; 0 if the item is not relevant, or beyond the
        end of the list.
    relevant : csr_array of shape (n_users, n_items)
        Gains of all relevant items.
    normalize : {"min", "relevant"}, default="min"
        Denominator of recall.

    Returns
    -------
    values : ndarray of shape (n_users,)
        NaN for users without a relevant item.
    """
    n_relevant = np.diff(relevant.indptr)
    gains = gains[:, :k]
    if kind == "ndcg":
        values = _ndcg(gains, relevant, k)
    else:
        values = _BINARY[kind](gains > 0, np.maximum(n_relevant, 1), k, normalize)
    return np.where(n_relevant > 0, values, np.nan)


def _recall(hits, n_relevant, k, normalize):
    denominator = n_relevant if normalize == "relevant" else np.minimum(k, n_relevant)
    return hits.sum(axis=1) / denominator


def _precision(hits, n_relevant, k, normalize):
    return hits.sum(axis=1) / k


def _average_precision(hits, n_relevant, k, normalize):
    precision = hits.cumsum(axis=1) / np.arange(1, hits.shape[1] + 1)
    return (precision * hits).sum(axis=1) / np.minimum(k, n_relevant)


def _hit_rate(hits, n_relevant, k, normalize):
    return hits.any(axis=1).astype(np.float64)


def _reciprocal_rank(hits, n_relevant, k, normalize):
    return np.where(hits.any(axis=1), 1.0 / (1.0 + hits.argmax(axis=1)), 0.0)


_BINARY = {
    "hit_rate": _hit_rate,
    "map": _average_precision,
    "mrr": _reciprocal_rank,
    "precision": _precision,
    "recall": _recall,
}


def _ndcg(gains, relevant, k):
    discounts = 1.0 / np.log2(np.arange(gains.shape[1]) + 2.0)
    # Summed in the order of the ranks, like the ideal: so a perfect list scores exactly 1.
    found = (gains * discounts).cumsum(axis=1)[:, -1]
    rows = entry_rows(relevant)
    order = np.lexsort((-relevant.data, rows))
    ranks = np.arange(relevant.nnz) - relevant.indptr[rows]
    best = np.where(ranks < k, relevant.data[order] / np.log2(ranks + 2.0), 0.0)
    ideal = np.bincount(rows, weights=best, minlength=relevant.shape[0])
    # Rounding could lift a nearly perfect list above 1.
    return np.minimum(found / np.where(ideal > 0, ideal, 1.0), 1.0)
