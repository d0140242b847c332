"""Ranking metrics that count the relevant items among the k best, in whatever order."""

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

    1 if there is any, 0 if not. With one held-out item per user it is the recall.

    Parameters
    ----------
    y_true : {sparse matrix, array-like} of shape (n_users, n_items)
        Held-out interactions. Zeros, stored or not, are not held out.
    y_score : array-like of shape (n_users, n_items), float32 or float64
        Scores, higher is better. An item with a score of -inf takes no part: it is no
        candidate and, where `y_true` has it, not relevant. Set the items that a user has
        already to -inf. Items are ordered by score, quantised to a grid of
        64 * eps(dtype) * max|score| of the row, then by item index; so all ties put the
        lower index first, and a constant score is no better than the order of the items.
    k : int, default=10
        Length of the lists. It may exceed the number of candidates: the rest of a list
        is empty.
    relevance_threshold : float, default=0
        Held-out items with a greater value are relevant.
    sample_weight : array-like of shape (n_users,), default=None
        Weights of the users in the mean.
    average : {"samples", None}, default="samples"
        The mean over the users that have a relevant item; or, with None, the values.

    Returns
    -------
    hit_rate : float or ndarray of shape (n_users,)
        In [0, 1], higher is better. Users without a relevant item are not evaluated: NaN
        in the array; they do not count in the mean, which is NaN with an
        `UndefinedMetricWarning` where there are no others.

    Raises
    ------
    ValueError
        If shapes differ, a score is NaN, or a parameter is out of range.

    See Also
    --------
    top_k_recall_score : How many there are.

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

    The number of relevant items among the k best candidates, divided by k: also where
    fewer than k candidates or relevant items exist, so that 1 may be out of reach.

    Parameters
    ----------
    y_true : {sparse matrix, array-like} of shape (n_users, n_items)
        Held-out interactions. Zeros, stored or not, are not held out.
    y_score : array-like of shape (n_users, n_items), float32 or float64
        Scores, higher is better. An item with a score of -inf takes no part: it is no
        candidate and, where `y_true` has it, not relevant. Set the items that a user has
        already to -inf. Items are ordered by score, quantised to a grid of
        64 * eps(dtype) * max|score| of the row, then by item index; so all ties put the
        lower index first, and a constant score is no better than the order of the items.
    k : int, default=10
        Length of the lists. It may exceed the number of candidates: the rest of a list
        is empty.
    relevance_threshold : float, default=0
        Held-out items with a greater value are relevant.
    sample_weight : array-like of shape (n_users,), default=None
        Weights of the users in the mean.
    average : {"samples", None}, default="samples"
        The mean over the users that have a relevant item; or, with None, the values.

    Returns
    -------
    precision : float or ndarray of shape (n_users,)
        In [0, 1], higher is better. Users without a relevant item are not evaluated: NaN
        in the array; they do not count in the mean, which is NaN with an
        `UndefinedMetricWarning` where there are no others.

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
        Scores, higher is better. An item with a score of -inf takes no part: it is no
        candidate and, where `y_true` has it, not relevant. Set the items that a user has
        already to -inf. Items are ordered by score, quantised to a grid of
        64 * eps(dtype) * max|score| of the row, then by item index; so all ties put the
        lower index first, and a constant score is no better than the order of the items.
    k : int, default=10
        Length of the lists. It may exceed the number of candidates: the rest of a list
        is empty.
    normalize : {"min", "relevant"}, default="min"
        Denominator: "min" is min(k, number of relevant items), so that 1 can always be
        reached [1]_; "relevant" is the number of relevant items, as in most other
        packages [2]_.
    relevance_threshold : float, default=0
        Held-out items with a greater value are relevant.
    sample_weight : array-like of shape (n_users,), default=None
        Weights of the users in the mean.
    average : {"samples", None}, default="samples"
        The mean over the users that have a relevant item; or, with None, the values.

    Returns
    -------
    recall : float or ndarray of shape (n_users,)
        In [0, 1], higher is better. Users without a relevant item are not evaluated: NaN
        in the array; they do not count in the mean, which is NaN with an
        `UndefinedMetricWarning` where there are no others.

    Raises
    ------
    ValueError
        If shapes differ, a score is NaN, or a parameter is out of range.

    See Also
    --------
    top_k_precision_score : Divided by k instead.
    top_k_hit_rate_score : Whether there is any.

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
