"""Ranking metrics that depend on the places of the relevant items."""

from skrec._evaluation._names import Metric
from skrec.metrics._score_matrix import score_matrix
from skrec.utils._validation import check_k


def ranking_auc_score(
    y_true,
    y_score,
    *,
    relevance_threshold=0,
    sample_weight=None,
    average="samples",
):
    """Area under the ROC curve (AUC) of each user's ranking.

    Share of the pairs of a relevant item and another candidate of the user in which the relevant
    item scores higher. A pair with equal scores (after the quantisation below) counts one half.
    Unlike in lists, the item index decides nothing, so a constant score has an AUC of 0.5.

    Parameters
    ----------
    y_true : {sparse matrix, array-like} of shape (n_users, n_items)
        Held-out interactions. Zeros, stored or not, are not held out.
    y_score : array-like of shape (n_users, n_items), float32 or float64
        Scores, higher is better. An item with a score of -inf is neither a candidate nor relevant:
        set the items that a user already has to -inf. Scores are quantised to a grid of 64 *
        eps(dtype) * max|score| of the row, so rounding does not break ties.
    relevance_threshold : float, default=0
        Held-out items with a greater value are relevant.
    sample_weight : array-like of shape (n_users,), default=None
        Weights of the users in the mean.
    average : {"samples", None}, default="samples"
        "samples": the mean over the users that have a relevant item. None: the value of each user.

    Returns
    -------
    auc : float or ndarray of shape (n_users,)
        In [0, 1], higher is better; 0.5 is chance. A user without a relevant item, or without any
        other candidate, has the value NaN, and the mean leaves it out. The mean is NaN, with an
        `UndefinedMetricWarning`, if no user is left.

    Raises
    ------
    ValueError
        If shapes differ, a score is NaN, or a parameter is out of range.

    See Also
    --------
    sklearn.metrics.roc_auc_score : The same for one row without masked items.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.metrics import ranking_auc_score
    >>> y_true = np.array([[0, 1, 1, 0], [1, 0, 0, 0]])
    >>> y_score = np.array([[0.9, 0.8, 0.1, 0.7], [0.4, 0.3, 0.2, 0.1]])
    >>> ranking_auc_score(y_true, y_score)
    0.62...
    """
    return score_matrix(
        Metric("auc", "auc"),
        y_true,
        y_score,
        relevance_threshold=relevance_threshold,
        sample_weight=sample_weight,
        average=average,
    )


def top_k_average_precision_score(
    y_true,
    y_score,
    *,
    k=10,
    relevance_threshold=0,
    sample_weight=None,
    average="samples",
):
    """Average precision of the k best items; its mean over users is MAP@k.

    The sum of precision at r over the places r = 1 .. k that hold a relevant item,
    divided by min(k, number of relevant items).

    Parameters
    ----------
    y_true : {sparse matrix, array-like} of shape (n_users, n_items)
        Held-out interactions. Zeros, stored or not, are not held out.
    y_score : array-like of shape (n_users, n_items), float32 or float64
        Scores, higher is better. An item with a score of -inf is neither a candidate nor relevant:
        set the items that a user already has to -inf. Scores are quantised to a grid of 64 *
        eps(dtype) * max|score| of the row, and equal scores rank by item index, the lower one
        first. So a constant score ranks by item index.
    k : int, default=10
        Length of the lists. With fewer than k candidates a list is shorter.
    relevance_threshold : float, default=0
        Held-out items with a greater value are relevant.
    sample_weight : array-like of shape (n_users,), default=None
        Weights of the users in the mean.
    average : {"samples", None}, default="samples"
        "samples": the mean over the users that have a relevant item. None: the value of each user.

    Returns
    -------
    average_precision : float or ndarray of shape (n_users,)
        In [0, 1], higher is better. A user without a relevant item has the value NaN, and the mean
        leaves it out. The mean is NaN, with an `UndefinedMetricWarning`, if no user is left.

    Raises
    ------
    ValueError
        If shapes differ, a score is NaN, or a parameter is out of range.

    See Also
    --------
    sklearn.metrics.label_ranking_average_precision_score : Without a cut-off.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.metrics import top_k_average_precision_score
    >>> y_true = np.array([[0, 1, 1, 0], [1, 0, 0, 0]])
    >>> y_score = np.array([[0.9, 0.8, 0.1, 0.7], [0.4, 0.3, 0.2, 0.1]])
    >>> top_k_average_precision_score(y_true, y_score, k=2)
    0.625
    """
    return score_matrix(
        Metric("map", "map", check_k(k)),
        y_true,
        y_score,
        relevance_threshold=relevance_threshold,
        sample_weight=sample_weight,
        average=average,
    )


def top_k_ndcg_score(
    y_true,
    y_score,
    *,
    k=10,
    graded=False,
    relevance_threshold=0,
    sample_weight=None,
    average="samples",
):
    """Normalised discounted cumulative gain of the k best items.

    DCG / ideal DCG [1]_, with DCG = sum of gain(r) / log2(r + 1) over the places r = 1 .. k. The
    gain of a relevant item is 1, or 2**value - 1 with ``graded=True``. The ideal DCG is the DCG of
    the best list of length k, with the min(k, number of relevant items) largest gains.

    Parameters
    ----------
    y_true : {sparse matrix, array-like} of shape (n_users, n_items)
        Held-out interactions. With ``graded=True`` the value of an entry is its grade. Zeros,
        stored or not, are not held out.
    y_score : array-like of shape (n_users, n_items), float32 or float64
        Scores, higher is better. An item with a score of -inf is neither a candidate nor relevant:
        set the items that a user already has to -inf. Scores are quantised to a grid of 64 *
        eps(dtype) * max|score| of the row, and equal scores rank by item index, the lower one
        first. So a constant score ranks by item index.
    k : int, default=10
        Length of the lists. With fewer than k candidates a list is shorter.
    graded : bool, default=False
        Whether gains are 2**value - 1 [2]_ instead of 1. Values must then be at most 100.
    relevance_threshold : float, default=0
        Held-out items with a greater value are relevant.
    sample_weight : array-like of shape (n_users,), default=None
        Weights of the users in the mean.
    average : {"samples", None}, default="samples"
        "samples": the mean over the users that have a relevant item. None: the value of each user.

    Returns
    -------
    ndcg : float or ndarray of shape (n_users,)
        In [0, 1], higher is better. A user without a relevant item has the value NaN, and the mean
        leaves it out. The mean is NaN, with an `UndefinedMetricWarning`, if no user is left.

    Raises
    ------
    ValueError
        If shapes differ, a score is NaN, or a parameter is out of range.

    See Also
    --------
    sklearn.metrics.ndcg_score : Linear gains, averages over ties, no items taken out.

    References
    ----------
    .. [1] K. Järvelin, J. Kekäläinen, "Cumulated gain-based evaluation of IR techniques",
       ACM Transactions on Information Systems 20(4), 2002.
    .. [2] C. Burges et al., "Learning to rank using gradient descent",
       ICML 2005.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.metrics import top_k_ndcg_score
    >>> y_true = np.array([[0, 1, 1, 0], [1, 0, 0, 0]])
    >>> y_score = np.array([[0.9, 0.8, 0.1, 0.7], [0.4, 0.3, 0.2, 0.1]])
    >>> top_k_ndcg_score(y_true, y_score, k=2)
    0.693...
    """
    return score_matrix(
        Metric("ndcg", "ndcg", check_k(k)),
        y_true,
        y_score,
        relevance_threshold=relevance_threshold,
        sample_weight=sample_weight,
        average=average,
        graded=graded,
    )


def top_k_reciprocal_rank_score(
    y_true,
    y_score,
    *,
    k=10,
    relevance_threshold=0,
    sample_weight=None,
    average="samples",
):
    """Reciprocal rank of the first relevant item; its mean over users is MRR@k.

    1 / r for the first relevant item at place r <= k; 0 if there is none.

    Parameters
    ----------
    y_true : {sparse matrix, array-like} of shape (n_users, n_items)
        Held-out interactions. Zeros, stored or not, are not held out.
    y_score : array-like of shape (n_users, n_items), float32 or float64
        Scores, higher is better. An item with a score of -inf is neither a candidate nor relevant:
        set the items that a user already has to -inf. Scores are quantised to a grid of 64 *
        eps(dtype) * max|score| of the row, and equal scores rank by item index, the lower one
        first. So a constant score ranks by item index.
    k : int, default=10
        Length of the lists. With fewer than k candidates a list is shorter.
    relevance_threshold : float, default=0
        Held-out items with a greater value are relevant.
    sample_weight : array-like of shape (n_users,), default=None
        Weights of the users in the mean.
    average : {"samples", None}, default="samples"
        "samples": the mean over the users that have a relevant item. None: the value of each user.

    Returns
    -------
    reciprocal_rank : float or ndarray of shape (n_users,)
        In [0, 1], higher is better. A user without a relevant item has the value NaN, and the mean
        leaves it out. The mean is NaN, with an `UndefinedMetricWarning`, if no user is left.

    Raises
    ------
    ValueError
        If shapes differ, a score is NaN, or a parameter is out of range.

    See Also
    --------
    top_k_average_precision_score : Counts all relevant items.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.metrics import top_k_reciprocal_rank_score
    >>> y_true = np.array([[0, 1, 1, 0], [1, 0, 0, 0]])
    >>> y_score = np.array([[0.9, 0.8, 0.1, 0.7], [0.4, 0.3, 0.2, 0.1]])
    >>> top_k_reciprocal_rank_score(y_true, y_score, k=3)
    0.75
    """
    return score_matrix(
        Metric("mrr", "mrr", check_k(k)),
        y_true,
        y_score,
        relevance_threshold=relevance_threshold,
        sample_weight=sample_weight,
        average=average,
    )
