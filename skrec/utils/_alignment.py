"""Checks that side information has the order of X, before X is made canonical."""

import numpy as np
from scipy.sparse import issparse

from skrec.utils._sparse_check import sound_sparse


def check_fit_alignment(X, user_features, context):
    """Raise if the rows of side information cannot match the rows of X.

    Parameters
    ----------
    X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
        As the user passed it.
    user_features : object or None
    context : object or None

    Raises
    ------
    ValueError
        If two dataframes hold the same users in another order, or if context is given and the
        stored entries of X are not in canonical order.
    """
    if user_features is not None:
        check_same_order(index_of(user_features), index_of(X), "user_features", "X")
    if context is not None:
        _check_canonical(X)


def check_same_order(labels, others, name, other_name):
    """Raise if two sequences hold the same labels in another order; None: labels are unknown."""
    if labels is None or others is None or len(labels) != len(others):
        return
    if hasattr(labels, "equals") and hasattr(others, "equals") and labels.equals(others):
        return
    labels, others = list(labels), list(others)
    if labels != others and set(labels) == set(others):
        at = next(i for i, (a, b) in enumerate(zip(labels, others, strict=True)) if a != b)
        raise ValueError(
            f"{name} must have its rows in the order of {other_name}: rows are matched by "
            f"position. Got the same labels in another order: row {at} of {name} is "
            f"{labels[at]!r}, row {at} of {other_name} is {others[at]!r}. Reorder the dataframe "
            "with .loc[...]."
        )


def index_of(values):
    """Labels of the rows of a pandas dataframe, or None."""
    return values.index if hasattr(values, "iloc") else None


def _check_canonical(X):
    """Context has one row per stored entry, so dropping or moving entries would misalign it."""
    if not issparse(X):
        return
    if X.format != "csr":
        raise ValueError(
            "With context, X must be in CSR format: context has one row per stored entry, and CSR "
            f"orders the entries. Got {X.format}; convert X with .tocsr() first and order the "
            "context like X.data."
        )
    X = sound_sparse(X)
    if not X.has_canonical_format or np.any(X.data == 0):
        raise ValueError(
            "With context, X must be canonical: column indices sorted within each row, no "
            "duplicates, no stored zeros, because context has one row per stored entry. Got an X "
            "that is not canonical; drop such entries with their rows of context, and order both "
            "by (row, column)."
        )
