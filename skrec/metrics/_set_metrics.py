"""Ranking metrics that count the relevant items among the k best, in any order."""

from skrec._evaluation._names import Metric
from skrec.metrics._checks import check_option
from skrec.metrics._score_matrix import score_matrix
from skrec.utils._validation import check_k


def top_k_hit_rate_score(
    y_true,
    y_score,
    *,
    k=10,
    relevance_threshold=0,
    sample_weight=None,
    average="samples",
):
    """Hit rate: whether a relevant item is among the k best.

    1 if there is any, 0 if not. With one held-out item per user it equals the recall.

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
    hit_rate : float or ndarray of shape (n_users,)
        In [0, 1], higher is better. A user without a relevant item has the value NaN, and the mean
        leaves it out. The mean is NaN, with an `UndefinedMetricWarning`, if no user is left.

    Raises
    ------
    ValueError
        If shapes differ, a score is NaN, or a parameter is out of range.

    See Also
    --------
    top_k_recall_score : The share of the relevant items that are there.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.metrics import top_k_hit_rate_score
    >>> y_true = np.array([[0, 1, 1, 0], [1, 0, 0, 0]])
    >>> y_score = np.array([[0.9, 0.8, 0.1, 0.7], [0.4, 0.3, 0.2, 0.1]])
    >>> top_k_hit_rate_score(y_true, y_score, k=1)
    0.5
    """
    return score_matrix(
        Metric("hit_rate", "hit_rate", check_k(k)),
        y_true,
        y_score,
        relevance_threshold=relevance_threshold,
        sample_weight=sample_weight,
        average=average,
    )


def top_k_precision_score(
    y_true,
    y_score,
    *,
    k=10,
    relevance_threshold=0,
    sample_weight=None,
    average="samples",
):
    """Precision of the k best items.

    The number of relevant items among the k best candidates, divided by k. With fewer than k
    candidates or relevant items the precision cannot reach 1.

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
    precision : float or ndarray of shape (n_users,)
        In [0, 1], higher is better. A user without a relevant item has the value NaN, and the mean
        leaves it out. The mean is NaN, with an `UndefinedMetricWarning`, if no user is left.

    Raises
    ------
    ValueError
        If shapes differ, a score is NaN, or a parameter is out of range.

    See Also
    --------
    top_k_recall_score : Divided by the number of relevant items.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.metrics import top_k_precision_score
    >>> y_true = np.array([[0, 1, 1, 0], [1, 0, 0, 0]])
    >>> y_score = np.array([[0.9, 0.8, 0.1, 0.7], [0.4, 0.3, 0.2, 0.1]])
    >>> top_k_precision_score(y_true, y_score, k=2)
    0.5
    """
    return score_matrix(
        Metric("precision", "precision", check_k(k)),
        y_true,
        y_score,
        relevance_threshold=relevance_threshold,
        sample_weight=sample_weight,
        average=average,
    )


def top_k_recall_score(
    y_true,
    y_score,
    *,
    k=10,
    normalize="min",
    relevance_threshold=0,
    sample_weight=None,
    average="samples",
):
    """Recall of the k best items.

    The number of relevant items among the k best candidates, divided by
    min(k, number of relevant items).

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
    normalize : {"min", "relevant"}, default="min"
        Denominator. "min": min(k, number of relevant items), so the recall can always reach 1
        [1]_. "relevant": the number of relevant items, as in most other packages [2]_.
    relevance_threshold : float, default=0
        Held-out items with a greater value are relevant.
    sample_weight : array-like of shape (n_users,), default=None
        Weights of the users in the mean.
    average : {"samples", None}, default="samples"
        "samples": the mean over the users that have a relevant item. None: the value of each user.

    Returns
    -------
    recall : float or ndarray of shape (n_users,)
        In [0, 1], higher is better. A user without a relevant item has the value NaN, and the mean
        leaves it out. The mean is NaN, with an `UndefinedMetricWarning`, if no user is left.

    Raises
    ------
    ValueError
        If shapes differ, a score is NaN, or a parameter is out of range.

    See Also
    --------
    top_k_precision_score : Divided by k instead.
    top_k_hit_rate_score : Whether any relevant item is there.

    References
    ----------
    .. [1] D. Liang, R. G. Krishnan, M. D. Hoffman, T. Jebara, "Variational Autoencoders
       for Collaborative Filtering", WWW 2018.
    .. [2] X. He et al., "LightGCN: Simplifying and Powering Graph Convolution Network for
       Recommendation", SIGIR 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.metrics import top_k_recall_score
    >>> y_true = np.array([[0, 1, 1, 0], [1, 0, 0, 0]])
    >>> y_score = np.array([[0.9, 0.8, 0.1, 0.7], [0.4, 0.3, 0.2, 0.1]])
    >>> top_k_recall_score(y_true, y_score, k=2)
    0.75
    """
    check_option(normalize, ("min", "relevant"), "normalize")
    return score_matrix(
        Metric("recall", "recall", check_k(k)),
        y_true,
        y_score,
        relevance_threshold=relevance_threshold,
        sample_weight=sample_weight,
        average=average,
        normalize=normalize,
    )
