"""Whether recommendations are as popular as the users' own items."""

from numbers import Real

import numpy as np
from scipy.special import rel_entr

from skrec._evaluation._entries import check_interactions, entry_rows
from skrec.metrics._lists import check_lists
from skrec.metrics._score_matrix import average_users


def popularity_calibration_error(
    recommendations,
    X,
    *,
    X_train=None,
    head=0.2,
    tail=0.2,
    sample_weight=None,
    average="samples",
):
    """Divergence between the popularity of a user's list and of the user's own items.

    The items, in order of popularity (ties: lower index first), form three groups: the most
    popular items, which hold the share `head` of all interactions, the least popular items, which
    hold the share `tail`, and the rest. For each user, p is the distribution of the row's items
    over the groups, and q the distribution of the list's items. The error is the Jensen-Shannon
    divergence ``KL(p || m) / 2 + KL(q || m) / 2`` with ``m = (p + q) / 2`` and logarithms to base
    2, known as user popularity deviation [1]_.

    Parameters
    ----------
    recommendations : array-like of int of shape (n_users, k)
        Lists of column indices, as ``recommend`` returns them, padded with -1.
    X : {sparse matrix, array-like} of shape (n_users, n_items)
        Rows of the users whom the lists are for; their values do not matter.
    X_train : {sparse matrix, array-like} of shape (n_train_users, n_items), default=None
        Interactions that define the popularity of the items. None: `X`.
    head, tail : float, default=0.2
        Shares of the interactions in the most and the least popular group; together at most 1.
    sample_weight : array-like of shape (n_users,), default=None
        Weights of the users in the mean.
    average : {"samples", None}, default="samples"
        "samples": the mean over the users with a row and a list. None: the value of each user.

    Returns
    -------
    error : float or ndarray of shape (n_users,)
        In [0, 1], lower is better: 0 if the list has the user's own mix. A user with an empty row
        or list has the value NaN, and the mean leaves it out. The mean is NaN, with an
        `UndefinedMetricWarning`, if no user is left.

    Raises
    ------
    ValueError
        If shapes do not agree, a share is out of range, or a list names an item twice.

    See Also
    --------
    novelty_score : How unpopular the items are, for all users alike.

    References
    ----------
    .. [1] H. Abdollahpouri et al., "User-centered evaluation of popularity bias in
       recommender systems", UMAP 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.metrics import popularity_calibration_error
    >>> X = np.array([[1, 0, 0, 1], [1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 0, 0]])
    >>> popularity_calibration_error(
    ...     [[0, 3], [3, 2], [0, -1], [-1, -1]], X, average=None
    ... ).round(3)
    array([0.   , 0.5  , 0.311,   nan])
    """
    numbers = isinstance(head, Real) and isinstance(tail, Real)
    if not (numbers and 0.0 <= head <= 1.0 and 0.0 <= tail <= 1.0 and head + tail <= 1.0):
        raise ValueError(
            f"head and tail must be shares with head + tail <= 1. Got {head!r} and {tail!r}."
        )
    X = check_interactions(X)
    popularity = X if X_train is None else check_interactions(X_train, name="X_train")
    lists = check_lists(recommendations, X.shape[1])
    if popularity.shape[1] != X.shape[1] or lists.shape[0] != X.shape[0]:
        raise ValueError(
            "recommendations, X and X_train must agree. Got "
            f"{lists.shape[0]} lists, X of shape {X.shape} and X_train of shape "
            f"{popularity.shape}; expected one list per row of X and equal numbers of items."
        )
    group = _popularity_groups(popularity, head, tail)
    chosen, offered = _mix(X, group), _mix(lists, group)
    middle = (chosen + offered) / 2
    divergence = (rel_entr(chosen, middle) + rel_entr(offered, middle)).sum(axis=1) / 2
    # Rounding can leave the unit interval by an ulp.
    values = np.clip(divergence / np.log(2.0), 0.0, 1.0)
    return average_users(values, sample_weight, average, "popularity calibration error")


def _popularity_groups(X, head, tail):
    """Group of each item: 0 head, 1 middle, 2 tail."""
    counts = np.bincount(X.indices, minlength=X.shape[1])
    order = np.argsort(-counts, kind="stable")
    # Share of the interactions with more popular items.
    before = (np.cumsum(counts[order]) - counts[order]) / max(counts.sum(), 1)
    group = np.empty(len(counts), dtype=np.intp)
    group[order] = np.where(before < head, 0, np.where(before < 1.0 - tail, 1, 2))
    return group


def _mix(matrix, group):
    """Share of each row's items in each group; NaN for empty rows."""
    n_rows = matrix.shape[0]
    cells = entry_rows(matrix) * 3 + group[matrix.indices]
    counts = np.bincount(cells, minlength=3 * n_rows).reshape(n_rows, 3)
    total = counts.sum(axis=1, keepdims=True)
    return np.where(total > 0, counts / np.maximum(total, 1), np.nan)
