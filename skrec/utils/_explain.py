"""Input and output of every `explain`."""

import numpy as np
from scipy.sparse import csr_array

from skrec.utils._finite import require_finite
from skrec.utils._validation import check_item_indices


def check_targets(items, n_rows, n_items):
    """Items to explain as an array of shape (n_rows, m), or raise; -1 means no item."""
    items = check_item_indices(items, n_items, low=-1)
    if items.ndim not in (1, 2) or items.shape[0] != n_rows:
        raise ValueError(
            f"`items` must have shape (n_users,) or (n_users, m) with n_users={n_rows}. "
            f"Got {items.shape}."
        )
    return items.reshape(n_rows, -1)


def contributions_at(X, data, n_targets):
    """Contributions at the items of the rows, with one row per target.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
        Gives the columns of the contributions.
    data : ndarray of shape (n_targets * nnz,)
        For each row, the values at its items, once per target.
    n_targets : int

    Returns
    -------
    contributions : csr_array of shape (n_rows * n_targets, n_items), dtype of X
        Without stored zeros.
    """
    repeated = X[np.repeat(np.arange(X.shape[0]), n_targets)]
    data = require_finite(data.astype(X.dtype, copy=False), "The contributions")
    parts = (data, repeated.indices, repeated.indptr)
    contributions = csr_array(parts, shape=repeated.shape)
    contributions.eliminate_zeros()
    return contributions


def explain_scores(X, items, weights):
    """Split linear scores into the contribution of each item of the row.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
        Canonical.
    items : array-like of int of shape (n_rows,) or (n_rows, m)
        The items whose scores are explained, -1 for none (the padding of recommend).
    weights : callable
        ``weights(sources, targets)`` returns the weight of each source item in the
        score of the target item beside it.

    Returns
    -------
    contributions : csr_array of shape (n_rows * m, n_items)
        Row ``u * m + j`` splits the score of ``items[u, j]`` for row u. Its entries
        stand at the items of row u and add up to the score.
    """
    targets = check_targets(items, *X.shape)
    n_targets = targets.shape[1]
    rows = np.repeat(np.arange(X.shape[0]), n_targets)
    lengths = np.diff(X.indptr)[rows]
    repeated = X[rows]
    target_of = np.repeat(targets.ravel(), lengths)
    data = np.zeros(repeated.nnz, dtype=X.dtype)
    real = target_of >= 0
    data[real] = repeated.data[real] * weights(repeated.indices[real], target_of[real])
    return contributions_at(X, data, n_targets)


def stored_weights(matrix, sources, targets):
    """Entries of a sparse matrix as a 1-D array: `weights` for `explain_scores`.

    Parameters
    ----------
    matrix : csr_array of shape (n_items, n_items)
    sources, targets : ndarray of int of shape (n,)

    Returns
    -------
    weights : ndarray of shape (n,)
    """
    if not len(sources):  # scipy would return a sparse array
        return np.zeros(0)
    return np.asarray(matrix[sources, targets]).ravel()
