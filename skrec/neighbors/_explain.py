"""What the items of a row add to a score that similar users gave."""

import numpy as np
from scipy.sparse import csr_array

from skrec.utils._validation import check_item_indices


def check_targets(items, n_rows, n_items):
    """The items to explain as an array of shape (n_rows, m), -1 for none."""
    items = check_item_indices(items, n_items, low=-1)
    if items.ndim not in (1, 2) or items.shape[0] != n_rows:
        raise ValueError(
            f"`items` must have shape (n_users,) or (n_users, m) with n_users={n_rows}. "
            f"Got {items.shape}."
        )
    return items.reshape(n_rows, -1)


def similarity_shares(x, side, others, other_sides, *, overlap, shrinkage):
    """How much each item of a row adds to its similarity with each neighbour.

    Parameters
    ----------
    x : ndarray of shape (n,)
        Compared values of the row's items, times the weights of the items.
    side : tuple of float
        (scale, norm, slope, offset) of the row; slope and offset None where there are none.
    others : ndarray of shape (n_neighbors, n)
        Compared values of the neighbours at these items.
    other_sides : tuple of ndarray of shape (n_neighbors,)
        The same of the neighbours.
    overlap : bool
        Whether the denominator is the union and not the product of the scales.
    shrinkage : float
        Added to the denominator.

    Returns
    -------
    shares : ndarray of shape (n_neighbors, n)
        Rows add up to the similarities.
    """
    (scale, _, slope, offset), (scales, _, slopes, offsets) = side, other_sides
    products = others * x
    if overlap:
        below = scale + scales - products.sum(axis=1) + shrinkage
    else:
        below = scale * scales + shrinkage
    if slope is not None:
        # What the means take away is nobody's: it is shared equally.
        taken = slope * slopes + offset + offsets
        products -= taken[:, None] / len(x)
    return products / below[:, None]


def stack_contributions(blocks, X, n_targets):
    """One csr_array of shape (n_rows * n_targets, n_items) from a block per row of X.

    Parameters
    ----------
    blocks : list of ndarray of shape (n_targets, n_items_of_row)
    X : csr_array of shape (n_rows, n_items)
        Says where the columns of the blocks stand.
    n_targets : int

    Returns
    -------
    contributions : csr_array, without stored zeros
    """
    lengths = np.diff(X.indptr)
    indices = [
        np.tile(X.indices[start:stop], n_targets)
        for start, stop in zip(X.indptr[:-1], X.indptr[1:], strict=True)
    ]
    ptr = np.concatenate([[0], np.cumsum(np.repeat(lengths, n_targets))])
    data = np.concatenate([np.zeros(0), *(block.ravel() for block in blocks)])
    contributions = csr_array(
        (data, np.concatenate([np.zeros(0, X.indices.dtype), *indices]), ptr),
        shape=(X.shape[0] * n_targets, X.shape[1]),
    )
    contributions.eliminate_zeros()
    return contributions
