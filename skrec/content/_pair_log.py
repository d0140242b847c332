"""The training data of a model of pairs: users and items with labels, weights and contexts."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array
from sklearn import get_config
from sklearn.utils.validation import has_fit_parameter

from skrec._evaluation._entries import entry_rows
from skrec.content._pair_rows import sampled_among, sampled_negatives
from skrec.utils._feature_rows import check_length, check_rows
from skrec.utils._matrices import checked_array
from skrec.utils._search_grid import is_search, last_step
from skrec.utils._validation import check_item_indices


class Log(NamedTuple):
    """Rows of a user and an item.

    Attributes
    ----------
    user, item : ndarray of int of shape (n_rows,)
    label : ndarray of shape (n_rows,)
        1 or 0, or ratings.
    value : ndarray of float64 of shape (n_rows,)
        Value of the interaction; 1 for drawn items.
    context : ndarray or csr_array of shape (n_rows, n_context_features) or None
    """

    user: np.ndarray
    item: np.ndarray
    label: np.ndarray
    value: np.ndarray
    context: object = None

    def with_drawn(self, entries, items):
        """The log with added rows of label 0, with user and context of the rows `entries`."""
        context = self.context
        n_rows = len(self.user)
        return Log(
            np.concatenate([self.user, self.user[entries]]),
            np.concatenate([self.item, items]),
            np.repeat([1, 0], [n_rows, len(items)]),
            np.concatenate([self.value, np.ones(len(items))]),
            None if context is None else context[np.concatenate([np.arange(n_rows), entries])],
        )


def log_of(X, context):
    """The log of the stored entries of X; values are labels."""
    values = X.data.astype(np.float64)
    return Log(entry_rows(X), X.indices, values, values, context)


def drawn_log(log, X, shown, n_negatives, random_state):
    """A log with the label 1 for interactions and 0 for drawn items.

    Parameters
    ----------
    log : Log
        The interactions.
    X : csr_array of shape (n_users, n_items)
        The items that users have.
    shown : csr_array of shape (n_users, n_items) or None
        Items to draw from, none of them the user's; None: all items that somebody has.
    n_negatives : int
        Drawn items for each row of the log.
    random_state : RandomState

    Returns
    -------
    log : Log
    """
    if shown is None:
        drawn = sampled_negatives(X, n_negatives, random_state, users=log.user)
    else:
        drawn = sampled_among(X, shown, n_negatives, random_state)
    return log.with_drawn(*drawn)


def checked_log(users, items, y, context, shape, *, rates):
    """The log passed to `fit_rows`, checked, and the matrix of its interactions.

    Parameters
    ----------
    users, items : array-like of int of shape (n_rows,)
    y : array-like of shape (n_rows,) or None
        None: ones.
    context : {array-like, sparse matrix, dataframe} of shape (n_rows, n) or None
    shape : tuple of int or None
        (n_users, n_items); None: large enough for the log.
    rates : bool
        Whether `y` holds ratings.

    Returns
    -------
    log : Log
        Labels are the values of `y`.
    X : csr_array of shape (n_users, n_items)
        Ones where a value is above 0, or the mean rating of each pair.
    """
    n_users, n_items = (2**31 - 1, 2**31 - 1) if shape is None else _checked_shape(shape)
    users = check_item_indices(users, n_users, name="users")
    items = check_item_indices(items, n_items)
    if users.ndim != 1 or users.shape != items.shape or not len(users):
        raise ValueError(
            "users and items must be two arrays of one length, at least 1, with the user and the "
            f"item of each row of the log. Got shapes {users.shape} and {items.shape}."
        )
    if shape is None:
        n_users, n_items = int(users.max()) + 1, int(items.max()) + 1
    y = np.ones(len(users)) if y is None else checked_array(y, name="y", ensure_2d=False)
    y = y.astype(np.float64)
    if y.shape != users.shape:
        raise ValueError(f"y must have a value for each of {len(users)} rows. Got {y.shape}.")
    if not rates and y.min() < 0:
        raise ValueError(
            'y must be >= 0 with feedback="implicit": 0 for what was shown and not taken. Got '
            f"{y.min()}."
        )
    if context is not None:
        context = check_rows(context, name="context")
        check_length(context, len(users), "context", "row of the log")
    of_pair = csr_array((y, (users, items)), shape=(n_users, n_items))
    taken = np.ones(len(users)) if rates else (y > 0).astype(np.float64)
    X = csr_array((taken, (users, items)), shape=(n_users, n_items))
    for matrix in (of_pair, X):
        matrix.sum_duplicates()
    if rates:
        X.data = of_pair.data / X.data
    else:
        X.eliminate_zeros()
        X.data[:] = 1
    return Log(users, items, y, y, context), X


def _checked_shape(shape):
    sizes = np.asarray(shape)
    if sizes.shape != (2,) or sizes.dtype.kind not in "iu" or sizes.min() < 1:
        raise ValueError(f"shape must be (n_users, n_items), both at least 1. Got {shape!r}.")
    return int(sizes[0]), int(sizes[1])


def fit_weighted(model, rows, labels, weight):
    """Fit a classifier with row weights, passed to the last step of a pipeline or search.

    Raises
    ------
    ValueError
        If the classifier takes no weights.
    """
    if weight is None:
        return model.fit(rows, labels)
    inner = model
    while is_search(inner):
        inner = inner.estimator
    prefix, last = last_step(inner)
    while is_search(last):
        last = last.estimator
    if not has_fit_parameter(last, "sample_weight"):
        raise ValueError(
            'weights="value" needs an estimator whose fit takes sample_weight. Got '
            f"{type(last).__name__}; use another one, such as LogisticRegression, or "
            'weights="uniform".'
        )
    name = "sample_weight" if get_config()["enable_metadata_routing"] else f"{prefix}sample_weight"
    return model.fit(rows, labels, **{name: weight})
