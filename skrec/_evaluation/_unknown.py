"""Rows of which nothing is known when they are scored."""

import warnings

import numpy as np
from scipy.sparse import csr_array, issparse

_SHARE = 0.1  # of the evaluated rows, above which a mean over all of them says little


def unknown_rows(shown, user_features=None):
    """Say of which rows nothing is known.

    Parameters
    ----------
    shown : csr_array of shape (n_users, n_items)
        What an estimator is shown. Canonical.
    user_features : {ndarray, sparse matrix, dataframe} of shape (n_users, n_user_features) or \
            None
        A row of zeros says nothing.

    Returns
    -------
    unknown : ndarray of bool of shape (n_users,)
        Rows without an interaction, and without features where there are some.
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
    """Warn where nothing is known of more than a tenth of the evaluated rows.

    Parameters
    ----------
    n_unknown, n_evaluated : int
    known, unknown : str, default=""
        What a metric says of both kinds.
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
        "They have the lists of its fallback."
        if fallback
        else "A fallback (skrec.ensemble.Fallback) gives such users another model's lists."
    )
    found, mixed = "", ""
    if n_unknown < n_evaluated:
        found = f" ({unknown} for these, {known} for the others)" if known else ""
        mixed = " The mean over all mixes two kinds of users."
    warnings.warn(
        f"Nothing is known of {n_unknown:,} of the {n_evaluated:,} evaluated users: no interaction "
        f"of theirs is shown, so a model can only guess{found}.{mixed} {remedy}",
        UserWarning,
        stacklevel=stacklevel + 1,
    )
    return True
