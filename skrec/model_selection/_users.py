"""Split the users of a matrix: strong generalisation."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import Bunch, check_random_state

from skrec._evaluation._entries import (
    check_holdout,
    check_interactions,
    draw_seed,
    held_out_counts,
    hide_latest,
    lowest_of_rows,
    select_entries,
    share_of,
)
from skrec.utils._validation import canonical_csr


def _n_users(value, n_total, name):
    """Turn a share or a number of users into a number."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    if number and isinstance(value, Integral) and value >= 1:
        return int(value)
    if number and not isinstance(value, Integral) and 0.0 < value < 1.0:
        return max(1, int(share_of(n_total, value)))
    raise ValueError(
        f"{name} must be a number of users >= 1 or a share of them with 0 < share < 1. Got "
        f"{value!r}."
    )


def _draw_users(n_users, sizes, rng):
    """Disjoint ascending sets of users: the rest first, then one of each size."""
    if sum(sizes) >= n_users:
        raise ValueError(
            f"No user is left to train on. Got {n_users} users, and {sum(sizes)} to set apart; "
            "lower the numbers of validation and test users."
        )
    order = rng.permutation(n_users)
    bounds = np.cumsum([n_users - sum(sizes), *sizes[:-1]])
    return [np.sort(part) for part in np.split(order, bounds)]


def user_train_test_split(X, *, test_size=0.2, holdout=0.2, random_state=None, return_users=False):
    """Split the users into training users and test users.

    ``max(1, floor(holdout * n))`` random items of a test user's n items are held out, or the last
    one. The model sees the rest.

    Parameters
    ----------
    X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
        Interactions. Not changed.
    test_size : float or int, default=0.2
        Share or number of test users.
    holdout : float, int or "last", default=0.2
        Share or number of a test user's items to hold out, see `holdout_split`. "last", for X
        whose values are times: the one item with the largest value, as in
        `skrec.metrics.make_ranking_scorer`.
    random_state : int, RandomState or None, default=None
        Seed of both draws. The same seed gives the same split.
    return_users : bool, default=False
        Whether to return the row indices as well.

    Returns
    -------
    X_train : csr_array of shape (n_train, n_items)
        Whole rows of the training users, in the order of X.
    X_test : csr_array of shape (n_test, n_items)
        The visible interactions of the test users.
    y_test : csr_array of shape (n_test, n_items)
        The held-out interactions of the test users: the `y` of `score`, of scorers, and of
        `skrec.metrics.evaluate`.
    train_users, test_users : ndarray of intp of shape (n_train,) and (n_test,)
        Rows of the users in X; only with ``return_users=True``.

    Raises
    ------
    ValueError
        If a size is out of range or leaves no user to train on.

    See Also
    --------
    strong_generalization_split : Liang et al.'s protocol, with validation users.
    sklearn.model_selection.train_test_split : Splits rows, without held-out interactions.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.model_selection import user_train_test_split
    >>> X_train, X_test, y_test = user_train_test_split(np.ones((10, 5)), random_state=0)
    >>> X_train.shape, X_test.shape, y_test.sum(axis=1)
    ((8, 5), (2, 5), array([1., 1.]))
    """
    last = isinstance(holdout, str) and holdout == "last"
    if not last:
        check_holdout(holdout)
    X = check_interactions(X)
    rng = check_random_state(random_state)
    train, test = _draw_users(X.shape[0], [_n_users(test_size, X.shape[0], "test_size")], rng)
    shown = X[test]
    if last:
        parts = (X[train], *hide_latest(shown, draw_seed(rng)))
    else:
        counts = held_out_counts(np.diff(shown.indptr), holdout)
        mask = lowest_of_rows(shown, rng.random_sample(shown.nnz), counts)
        parts = (X[train], select_entries(shown, ~mask), select_entries(shown, mask))
    return (*parts, train, test) if return_users else parts


def strong_generalization_split(
    X, *, n_validation=0.1, n_test=0.1, holdout=0.2, min_items=5, random_state=None
):
    """Split the users into training, validation and test users, as Liang et al. did.

    The split permutes the users, sets validation and test users apart, and drops items that no
    training user has. Then it holds out ``floor(holdout * n)`` random items of each validation and
    test user with n >= `min_items` remaining items. Users with fewer items stay whole and are not
    evaluated.

    Parameters
    ----------
    X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
        Interactions. Not changed. The authors first kept only ratings of at least 4, and then
        users with at least 5 of them.
    n_validation, n_test : float or int, default=0.1
        Share or number of users.
    holdout : float, default=0.2
        Share of the items to hold out, 0 < holdout < 1.
    min_items : int, default=5
        Users with fewer items stay whole.
    random_state : int, RandomState or None, default=None
        Seed of all draws. The same seed gives the same split.

    Returns
    -------
    split : `~sklearn.utils.Bunch`
        X_train : csr_array of shape (n_train, n_kept_items)
            Whole rows of the training users, in the order of X.
        X_validation, y_validation : csr_array of shape (n_validation, n_kept_items)
            The visible and the held-out interactions of the validation users.
        X_test, y_test : csr_array of shape (n_test, n_kept_items)
            The same for the test users.
        kept_items : ndarray of intp of shape (n_kept_items,)
            Columns of X that remain, ascending.
        train_users, validation_users, test_users : ndarray of intp, 1-D
            Rows of X, ascending.

    Raises
    ------
    ValueError
        If a size is out of range or leaves no user to train on.

    See Also
    --------
    user_train_test_split : Splits training and test users only; all items stay.
    skrec.metrics.evaluate : Evaluates on ``split.X_test, split.y_test``.

    Notes
    -----
    Differs from [1]_: the draws come from another generator, so the parts hold other users than
    the authors'; and a user whose items are all dropped keeps an empty row.

    References
    ----------
    .. [1] D. Liang, R. G. Krishnan, M. D. Hoffman, T. Jebara, "Variational Autoencoders
       for Collaborative Filtering", WWW 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.model_selection import strong_generalization_split
    >>> split = strong_generalization_split(
    ...     np.ones((20, 10)), n_validation=2, n_test=3, random_state=0
    ... )
    >>> split.X_train.shape, split.X_test.shape, split.y_test.sum(axis=1)
    ((15, 10), (3, 10), array([2., 2., 2.]))
    """
    check_holdout(holdout, whole=False)
    if not isinstance(min_items, Integral) or isinstance(min_items, bool) or min_items < 2:
        raise ValueError(f"min_items must be a whole number >= 2. Got {min_items!r}.")
    X = check_interactions(X)
    rng = check_random_state(random_state)
    sizes = [
        _n_users(value, X.shape[0], name)
        for name, value in (("n_validation", n_validation), ("n_test", n_test))
    ]
    users = _draw_users(X.shape[0], sizes, rng)
    items = np.unique(X[users[0]].indices).astype(np.intp)
    train = canonical_csr(X[users[0]][:, items])
    # Not named `items`: that is a method of the Bunch, which is a dict.
    split = Bunch(X_train=train, kept_items=items, train_users=users[0])
    for name, rows in zip(("validation", "test"), users[1:], strict=True):
        part = canonical_csr(X[rows][:, items])
        lengths = np.diff(part.indptr)
        counts = np.where(lengths >= min_items, share_of(lengths, holdout), 0)
        mask = lowest_of_rows(part, rng.random_sample(part.nnz), counts)
        split[f"X_{name}"] = select_entries(part, ~mask)
        split[f"y_{name}"] = select_entries(part, mask)
        split[f"{name}_users"] = rows
    return split
