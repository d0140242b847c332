"""Rows to score without any information: unknown users."""

import warnings

import numpy as np
from scipy.sparse import csr_array, issparse

_SHARE = 0.1  # of the evaluated rows; above it a mean over all rows says little


def unknown_rows(shown, user_features=None):
    """Find the rows without any information.

    Parameters
    ----------
    shown : csr_array of shape (n_users, n_items)
        Interactions that an estimator sees. Canonical.
    user_features : {ndarray, sparse matrix, dataframe} of shape (n_users, n_user_features) or \
            None
        A row of zeros carries no information.

    Returns
    -------
    unknown : ndarray of bool of shape (n_users,)
        Rows without an interaction and, if `user_features` is given, without features.
    """
    unknown = np.diff(shown.indptr) == 0
    if user_features is not None and unknown.any():
        if issparse(user_features):
            rows = csr_array(user_features) != 0
            unknown &= np.diff(csr_array(rows).indptr) == 0
        else:
            unknown &= ~(np.asarray(user_features) != 0).any(axis=1)
    return unknown


def warn_unknown(n_unknown, n_evaluated, *, known="", unknown="", fallback=False, stacklevel=2):
    """Warn if more than a tenth of the evaluated rows are unknown.

    Parameters
    ----------
    n_unknown, n_evaluated : int
    known, unknown : str, default=""
        The metric over both kinds of users, as text.
    fallback : bool, default=False
        Whether the model has a fallback for such rows.
    stacklevel : int, default=2
        Of the caller of this function.

    Returns
    -------
    warned : bool
    """
    if not n_unknown > _SHARE * n_evaluated:
        return False
    remedy = (
        "They get the lists of the fallback."
        if fallback
        else "A fallback (skrec.ensemble.Fallback) gives such users another model's lists."
    )
    found, mixed = "", ""
    if n_unknown < n_evaluated:
        found = f" ({unknown} for these, {known} for the others)" if known else ""
        mixed = " The mean over all users mixes two kinds of users."
    warnings.warn(
        f"Nothing is known of {n_unknown:,} of the {n_evaluated:,} evaluated users: the model sees "
        f"none of their interactions and can only guess{found}.{mixed} {remedy}",
        UserWarning,
        stacklevel=stacklevel + 1,
    )
    return True
