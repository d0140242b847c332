"""What every `explain` takes and returns."""

import numpy as np
from scipy.sparse import csr_array

from skrec.utils._validation import check_item_indices


def check_targets(items, n_rows, n_items):
    """Items to explain as an array of shape (n_rows, m), or raise; -1 stands for none."""
    items = check_item_indices(items, n_items, low=-1)
    if items.ndim not in (1, 2) or items.shape[0] != n_rows:
        raise ValueError(
            f"`items` must have shape (n_users,) or (n_users, m) with n_users={n_rows}. "
            f"Got {items.shape}."
        )
    return items.reshape(n_rows, -1)


def contributions_at(X, data, n_targets):
    """Contributions at the items of the rows, one row of the result for each target.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
        Says where the items of the rows stand.
    data : ndarray of shape (n_targets * nnz,)
        For each row, `n_targets` times as many values as it has items.
    n_targets : int

    Returns
    -------
    contributions : csr_array of shape (n_rows * n_targets, n_items), dtype of X
        Without stored zeros.
    """
    repeated = X[np.repeat(np.arange(X.shape[0]), n_targets)]
    parts = (data.astype(X.dtype, copy=False), repeated.indices, repeated.indptr)
    contributions = csr_array(parts, shape=repeated.shape)
    contributions.eliminate_zeros()
    return contributions
