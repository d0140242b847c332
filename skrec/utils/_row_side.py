"""Side information in scoring: checked and sliced with the rows of X, or the training mean."""

import warnings
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array, issparse

from skrec.utils._alignment import check_same_order, index_of
from skrec.utils._feature_rows import check_column_names, check_length, check_rows, check_width
from skrec.utils._interaction_context import InteractionContext

# Names of the side information that the running public call has warned of; None outside a call.
_WARNED = ContextVar("skrec_warned", default=None)
_UNKNOWN = {"user": "scored as unknown users", "context": "scored in an unknown situation"}


class RowSide(NamedTuple):
    """Side information of the rows to score; None where the model was fitted without it.

    Attributes
    ----------
    user_features : ndarray or csr_array of shape (n_rows, n_user_features) or None
        In the dtype of X. If the call passed none: the mean of the training users.
    context : ndarray or csr_array of shape (n_rows, n_context_features) or None
        One situation per row; for pairs, one per pair. If the call passed none: the mean of
        the training interactions.
    """

    user_features: object = None
    context: object = None

    def take(self, rows):
        """The side information of some rows."""
        return RowSide(*(None if part is None else _take(part, rows) for part in self))

    def for_pairs(self, places):
        """Turn context of rows into context of pairs: one row for each place."""
        context = self.context
        return RowSide(self.user_features, None if context is None else context[places])


class UserRows(NamedTuple):
    """Rows of X to score and their side information, sliced together.

    Attributes
    ----------
    X : csr_array of shape (n_rows, n_items)
        Canonical.
    side : RowSide or None
        None for classes that read neither user features nor context, whose hooks take no
        `side`.
    """

    X: csr_array
    side: RowSide | None = None

    def take(self, rows):
        """Take some rows, by a slice, a mask or indices."""
        side = None if self.side is None else self.side.take(rows)
        if isinstance(rows, slice):
            return UserRows(row_range(self.X, rows.start, rows.stop), side)
        return UserRows(self.X[rows], side)

    @property
    def arguments(self):
        """Arguments of the class's hook: ``(X,)`` or ``(X, side)``."""
        return (self.X,) if self.side is None else (self.X, self.side)


def row_range(X, start, stop):
    """A range of rows of a sparse matrix; the whole range is X itself, not a copy."""
    return X if (start, stop) == (0, X.shape[0]) else X[start:stop]


def _take(part, rows):
    # The training mean is a broadcast row; a hook gets an ordinary array.
    return part[rows] if issparse(part) else np.ascontiguousarray(part[rows])


def row_side(estimator, X, user_features, context, *, users=None, n_contexts=None):
    """Check the side information of a scoring method; use means, with a warning, if it is missing.

    Parameters
    ----------
    estimator : fitted recommender
    X : csr_array of shape (n_rows, n_items)
        Canonical.
    user_features : {array-like, sparse matrix, dataframe} of shape (n_rows, n_user_features) \
            or None
    context : {array-like, sparse matrix, dataframe} of shape (n_contexts, n_context_features) \
            or None
    users : sequence, default=None
        Row labels of X if X was a dataframe. `user_features` must not have the same labels in
        another order.
    n_contexts : int, default=None
        Number of situations. None: one per row of X.

    Returns
    -------
    side : RowSide
    """
    check_same_order(index_of(user_features), users, "user_features", "X")
    per = "row of X" if n_contexts is None else "pair"
    n_contexts = X.shape[0] if n_contexts is None else n_contexts
    return RowSide(
        _scoring_rows(estimator, "user", user_features, X.shape[0], "row of X", X.dtype),
        _scoring_rows(estimator, "context", context, n_contexts, per, X.dtype),
    )


def _scoring_rows(estimator, kind, values, n_rows, per, dtype):
    name = "user_features" if kind == "user" else "context"
    means = getattr(estimator, f"{name.removesuffix('s')}_means_", None)
    model = type(estimator).__name__
    if values is None:
        if means is None:
            return None
        _warn_once(
            name,
            f"{model} was fitted with {name} and got none: rows are {_UNKNOWN[kind]}, with the "
            f"mean of training. Pass {name}=...; inside a search or a pipeline enable metadata "
            f"routing, and call set_decision_function_request and the scorer's "
            f"set_score_request({name}=True).",
        )
        return np.broadcast_to(means.astype(dtype), (n_rows, len(means)))
    if means is None:
        raise ValueError(
            f"{model} got {name} but was fitted without {name}. Fit it with {name}, or omit the "
            "argument."
        )
    if isinstance(values, InteractionContext):
        raise ValueError(
            "In scoring, context has one row per row of X: the situation that the user is in now. "
            "Got an InteractionContext, which is for fit; in a search route another array to the "
            'scorer with set_score_request(context="name").'
        )
    check_column_names(values, getattr(estimator, f"{kind}_feature_names_in_", None), name=name)
    rows = check_rows(values, name=name)
    check_length(rows, n_rows, name, per)
    check_width(rows, len(means), name=name, fitted=f"n_{kind}_features_in_")
    return rows.astype(dtype)


@contextmanager
def one_warning():
    """A block that gives each warning about missing side information only once.

    For functions that call an estimator once per chunk of rows: for the user they are one call.
    """
    token = _WARNED.set(set())
    try:
        yield
    finally:
        _WARNED.reset(token)


def _warn_once(name, message):
    warned = _WARNED.get()
    if warned is not None:
        if name in warned:
            return
        warned.add(name)
    warnings.warn(message, UserWarning, stacklevel=6)
