"""Hold out whole items, as if nobody had them yet."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state

from skrec._evaluation._entries import check_interactions, select_entries, share_of


def cold_item_split(X, *, test_size=0.2, random_state=None):
    """Hold out all interactions of some items, so that these items are cold.

    The split tests how a model ranks items that nobody has yet, for example by their features. The
    drawn items stay columns of `X_train`, so item features still match the columns.

    Parameters
    ----------
    X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
        Interactions. Not changed.
    test_size : float or int, default=0.2
        Number of columns, or their share: ``max(1, floor(test_size * n_items))`` columns.
    random_state : int, RandomState or None, default=None
        Seed of the draw. The same seed gives the same split.

    Returns
    -------
    X_train : csr_array of shape (n_users, n_items)
        Interactions with all other items.
    X_heldout : csr_array of shape (n_users, n_items)
        Interactions with the cold items: the `y` of `evaluate`. The sum of both is X.
    cold_items : ndarray of intp of shape (n_cold,)
        The drawn columns, ascending. Pass them as `items` to `evaluate` and `recommend`, to rank
        cold items among themselves.

    Raises
    ------
    ValueError
        If `test_size` is out of range or leaves no item to train on.

    See Also
    --------
    skrec.metrics.evaluate : Ranks all items, or with ``items=cold_items`` only cold ones.
    holdout_split : Holds out interactions of users instead.

    Notes
    -----
    Look at both rankings. A ranking of cold items alone does not show that a model puts all of
    them below every other item.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.model_selection import cold_item_split
    >>> X = np.ones((3, 10))
    >>> X_train, X_heldout, cold_items = cold_item_split(X, random_state=0)
    >>> cold_items
    array([2, 8])
    >>> X_train.sum(axis=0)
    array([3., 3., 0., 3., 3., 3., 3., 3., 0., 3.])
    """
    X = check_interactions(X)
    n_items = X.shape[1]
    n_cold = _n_cold(test_size, n_items)
    cold_items = np.sort(check_random_state(random_state).permutation(n_items)[:n_cold])
    is_cold = np.zeros(n_items, dtype=bool)
    is_cold[cold_items] = True
    mask = is_cold[X.indices]
    return select_entries(X, ~mask), select_entries(X, mask), cold_items.astype(np.intp)


def _n_cold(value, n_items):
    number = isinstance(value, Real) and not isinstance(value, bool)
    whole = number and isinstance(value, Integral)
    if not number or not (value >= 1 if whole else 0.0 < value < 1.0):
        raise ValueError(
            "test_size must be a number of items >= 1 or a share of them with 0 < share < 1. Got "
            f"{value!r}."
        )
    n_cold = int(value) if whole else max(1, int(share_of(n_items, value)))
    if n_cold >= n_items:
        raise ValueError(
            f"No item is left to train on. Got {n_items} items, and {n_cold} to hold out; lower "
            "test_size."
        )
    return n_cold
