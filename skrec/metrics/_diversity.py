"""How different the items of one list are."""

import numpy as np
from scipy.sparse import issparse
from sklearn.preprocessing import normalize as scale_rows

from skrec.metrics._checks import check_option
from skrec.metrics._lists import check_lists
from skrec.metrics._score_matrix import average_users
from skrec.utils._item_features import ItemFeatures
from skrec.utils._matrices import checked_array
from skrec.utils._parallel import row_chunks


def diversity_score(
    recommendations, item_features, *, metric="cosine", sample_weight=None, average="samples"
):
    """Intra-list diversity: one minus the mean similarity of the items of a list.

    ``1 - sum_{i != j} s(i, j) / (m (m - 1))`` over the m items of a user's list [1]_.

    Parameters
    ----------
    recommendations : array-like of int of shape (n_users, k)
        Lists of column indices, as ``recommend`` returns them, padded with -1.
    item_features : {array-like, sparse matrix} of shape (n_items, n_features) or \
            (n_items, n_items)
        Features of the items, such as genres; with ``metric="precomputed"`` the similarities of
        the items. May be wrapped in `skrec.ItemFeatures`.
    metric : {"cosine", "precomputed"}, default="cosine"
        Similarity s(i, j). An item whose features are all zero has similarity 0 to every item.
    sample_weight : array-like of shape (n_users,), default=None
        Weights of the users in the mean.
    average : {"samples", None}, default="samples"
        "samples": the mean over the users with two items or more. None: the value of each user.

    Returns
    -------
    diversity : float or ndarray of shape (n_users,)
        Higher is more diverse. In [0, 1] for similarities in [0, 1], such as cosines of features
        >= 0; up to 2 for negative cosines. A user with fewer than two items in the list has the
        value NaN, and the mean leaves it out. The mean is NaN, with an `UndefinedMetricWarning`,
        if no user is left.

    Raises
    ------
    ValueError
        If an index is not below n_items, a list names an item twice, or precomputed
        similarities are not square.

    See Also
    --------
    novelty_score : How unpopular the items are.

    References
    ----------
    .. [1] C.-N. Ziegler et al., "Improving recommendation lists through topic
       diversification", WWW 2005.

    Examples
    --------
    >>> from skrec.metrics import diversity_score
    >>> genres = [[1, 0], [1, 0], [0, 1]]
    >>> diversity_score([[0, 1], [0, 2]], genres, average=None)
    array([0., 1.])
    """
    check_option(metric, ("cosine", "precomputed"), "metric")
    features = checked_array(
        ItemFeatures(item_features).values,
        name="item_features",
        accept_sparse="csr",
        dtype=np.float64,
    )
    lists = check_lists(recommendations, features.shape[0])
    if metric == "precomputed" and features.shape[0] != features.shape[1]:
        raise ValueError(
            "Precomputed similarities must have shape (n_items, n_items). Got "
            f"{features.shape}; use metric='cosine' for features."
        )
    if metric == "cosine":
        features = scale_rows(features)
    lengths = np.diff(lists.indptr)
    pairs = lengths * (lengths - 1)
    sums = _similarity_sums(lists, features, metric)
    values = np.where(pairs > 0, 1.0 - sums / np.maximum(pairs, 1), np.nan)
    return average_users(values, sample_weight, average, "diversity")


def _similarity_sums(lists, features, metric):
    """Sum over the ordered pairs of different items of each list."""
    if metric == "cosine":
        norms = features.multiply(features) if issparse(features) else features**2
        own = lists @ np.asarray(norms.sum(axis=1)).ravel()
    else:
        own = lists @ features.diagonal()
    totals = np.zeros(lists.shape[0])
    for start, stop in row_chunks(lists.shape[0], 8 * features.shape[1]):
        part = lists[start:stop]
        summed = part @ features  # sum of the rows of the list's items
        if metric == "cosine":
            # sum_ij f_i . f_j = |sum_i f_i|^2
            product = summed.multiply(summed) if issparse(summed) else summed**2
        else:
            product = summed.multiply(part) if issparse(summed) else part.multiply(summed)
        totals[start:stop] = np.asarray(product.sum(axis=1)).ravel()
    return totals - own
