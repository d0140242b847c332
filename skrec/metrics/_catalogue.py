"""How recommendations spread over the catalogue."""

import numpy as np

from skrec._evaluation._entries import check_interactions, entry_rows
from skrec._evaluation._summary import warn_undefined
from skrec.metrics._lists import check_lists, check_n_items
from skrec.metrics._score_matrix import average_users


def catalogue_coverage_score(recommendations, n_items):
    """Share of the catalogue that is in any list.

    The number of different items in all lists, divided by `n_items`.

    Parameters
    ----------
    recommendations : array-like of int of shape (n_users, k)
        Lists of column indices, as ``recommend`` returns them, padded with -1.
    n_items : int
        Size of the catalogue: columns of the user-item matrix.

    Returns
    -------
    coverage : float
        In [0, 1], higher is more; 0 where all lists are empty.

    Raises
    ------
    ValueError
        If an index is not below `n_items`, or a list names an item twice.

    See Also
    --------
    gini_index_score : How evenly the items are recommended.

    Examples
    --------
    >>> from skrec.metrics import catalogue_coverage_score
    >>> catalogue_coverage_score([[0, 1], [1, -1]], n_items=4)
    0.5
    """
    n_items = check_n_items(n_items)
    return len(np.unique(check_lists(recommendations, n_items).indices)) / n_items


def gini_index_score(recommendations, n_items):
    """Gini index of how often each item is recommended.

    With the counts c_1 <= ... <= c_n of all n items of the catalogue,
    ``sum_i (2 i - n - 1) c_i / (n sum_i c_i)``.

    Parameters
    ----------
    recommendations : array-like of int of shape (n_users, k)
        Lists of column indices, as ``recommend`` returns them, padded with -1.
    n_items : int
        Size of the catalogue: columns of the user-item matrix.

    Returns
    -------
    gini : float
        In [0, 1), lower is more even: 0 if all items are recommended equally often, 1 - 1 / n if
        only one item is. NaN, with an `UndefinedMetricWarning`, if all lists are empty.

    Raises
    ------
    ValueError
        If an index is not below `n_items`, or a list names an item twice.

    See Also
    --------
    catalogue_coverage_score : Whether items are recommended at all.

    Examples
    --------
    >>> from skrec.metrics import gini_index_score
    >>> gini_index_score([[0, 1], [2, 3]], n_items=4), gini_index_score([[0], [0]], n_items=4)
    (0.0, 0.75)
    """
    n_items = check_n_items(n_items)
    lists = check_lists(recommendations, n_items)
    counts = np.sort(np.bincount(lists.indices, minlength=n_items))
    if not lists.nnz:
        warn_undefined("gini", "all lists are empty")
        return float("nan")
    places = 2 * np.arange(1, n_items + 1) - n_items - 1
    return float(np.sum(places * counts) / (n_items * counts.sum()))


def novelty_score(recommendations, X_train, *, sample_weight=None, average="samples"):
    """Mean self-information of the recommended items: how unpopular they are.

    The mean over a user's list of ``-log2(users who have the item / users)``, in bits
    [1]_; an item that no one has counts as if one user had it.

    Parameters
    ----------
    recommendations : array-like of int of shape (n_users, k)
        Lists of column indices, as ``recommend`` returns them, padded with -1.
    X_train : {sparse matrix, array-like} of shape (n_train_users, n_items)
        Interactions that define the popularity of the items; their values do not matter.
    sample_weight : array-like of shape (n_users,), default=None
        Weights of the users in the mean.
    average : {"samples", None}, default="samples"
        "samples": the mean over the users with a list. None: the value of each user.

    Returns
    -------
    novelty : float or ndarray of shape (n_users,)
        In [0, log2(n_train_users)], higher is less popular. A user with an empty list has the
        value NaN, and the mean leaves it out. The mean is NaN, with an `UndefinedMetricWarning`,
        if no user is left.

    Raises
    ------
    ValueError
        If an index is not below n_items, or a list names an item twice.

    See Also
    --------
    popularity_calibration_error : Compares with the user's own items.

    References
    ----------
    .. [1] T. Zhou et al., "Solving the apparent diversity-accuracy dilemma of recommender
       systems", PNAS 107(10), 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.metrics import novelty_score
    >>> X_train = np.array([[1, 1], [1, 0], [1, 0], [1, 0]])
    >>> novelty_score([[0], [1]], X_train, average=None)
    array([0., 2.])
    """
    X_train = check_interactions(X_train, name="X_train")
    lists = check_lists(recommendations, X_train.shape[1])
    counts = np.bincount(X_train.indices, minlength=X_train.shape[1])
    bits = np.log2(X_train.shape[0]) - np.log2(np.maximum(counts, 1))
    lengths = np.diff(lists.indptr)
    sums = np.bincount(entry_rows(lists), weights=bits[lists.indices], minlength=len(lengths))
    values = np.where(lengths > 0, sums / np.maximum(lengths, 1), np.nan)
    return average_users(values, sample_weight, average, "novelty")
