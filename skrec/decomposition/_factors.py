"""What the factor models have in common: scores, and items that are alike."""

import numpy as np
from scipy.sparse import csr_array

from skrec._recommend import recommend_rows
from skrec.utils._validation import check_item_indices


def factor_scores(vectors, components, dtype, *, item_bias=None, offset=None):
    """Scores of every item for the users of some vectors.

    Parameters
    ----------
    vectors : ndarray of shape (n_rows, n_components)
    components : ndarray of shape (n_components, n_items)
    dtype : {np.float32, np.float64}
        What is computed in, and returned.
    item_bias : ndarray of shape (n_items,), default=None
        Added to each row.
    offset : ndarray of shape (n_rows,), default=None
        Added to each column.

    Returns
    -------
    scores : ndarray of shape (n_rows, n_items)
    """
    scores = vectors.astype(dtype, copy=False) @ components.astype(dtype, copy=False)
    if item_bias is not None:
        scores += item_bias.astype(dtype, copy=False)
    if offset is not None:
        scores += offset.astype(dtype, copy=False)[:, np.newaxis]
    return scores


def factor_pairs(vectors, components, rows, items):
    """``(vectors @ components)[rows, items]`` without the whole product.

    Parameters
    ----------
    vectors : ndarray of shape (n_rows, n_components)
    components : ndarray of shape (n_components, n_items)
    rows, items : ndarray of intp of shape (n_pairs,)

    Returns
    -------
    scores : ndarray of shape (n_pairs,)
    """
    scores = np.empty(len(rows), dtype=np.result_type(vectors, components))
    by_item = components.T
    size = max(1, (1 << 22) // max(1, vectors.shape[1]))
    for start in range(0, len(rows), size):
        part = slice(start, start + size)
        scores[part] = np.einsum("pf,pf->p", vectors[rows[part]], by_item[items[part]])
    return scores


def similar_columns(components, items, k, *, return_scores=False):
    """Items whose factors point in the most similar direction.

    Parameters
    ----------
    components : ndarray of shape (n_components, n_items)
    items : array-like of int of shape (n,)
        Items to find others for.
    k : int
        Length of the lists.
    return_scores : bool, default=False
        Whether to return the cosines as well.

    Returns
    -------
    similar : ndarray of intp of shape (n, k)
        Best first, without the item itself; padded with -1.
    scores : ndarray of shape (n, k)
        Only with ``return_scores=True``; -inf beside -1.
    """
    n_items = components.shape[1]
    items = check_item_indices(items, n_items)
    if items.ndim != 1:
        raise ValueError(f"`items` must be 1-D. Got an array of shape {items.shape}.")
    length = np.sqrt(np.einsum("fi,fi->i", components, components))
    unit = components / np.where(length > 0, length, 1)
    itself = csr_array(
        (np.ones(len(items), dtype=np.int8), (np.arange(len(items)), items)),
        shape=(len(items), n_items),
    )
    found, scores = recommend_rows(
        lambda start, stop: unit[:, items[start:stop]].T @ unit,
        itself.shape,
        k,
        seen=itself,
        dtype=unit.dtype,
    )
    return (found, scores) if return_scores else found


def check_targets(items, n_rows, n_items):
    """Items to explain as an array of shape (n_rows, m), or raise; -1 stands for none."""
    items = check_item_indices(items, n_items, low=-1)
    if items.ndim not in (1, 2) or items.shape[0] != n_rows:
        raise ValueError(
            f"`items` must have shape (n_users,) or (n_users, m) with n_users={n_rows}. Got "
            f"{items.shape}."
        )
    return items.reshape(n_rows, -1)
