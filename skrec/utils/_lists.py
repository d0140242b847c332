"""Ordered lists of the nearest vectors."""

import numpy as np

from skrec.utils._memory import check_lists_memory
from skrec.utils._parallel import row_chunks
from skrec.utils._topk import top_k
from skrec.utils._validation import check_item_list, check_k


def ordered_lists(similarity, k, *, n_jobs=None):
    """The k most similar vectors of each row, ordered by the tie rule.

    Parameters
    ----------
    similarity : csr_array of shape (n_rows, n_vectors)
        Similarities above zero.
    k : int
        Length of the lists.
    n_jobs : int or None, default=None
        Number of threads.

    Returns
    -------
    items : ndarray of intp of shape (n_rows, k)
        Best first, padded with -1.
    values : ndarray of shape (n_rows, k)
        Their similarities, padded with -inf.
    """
    n_rows, n_vectors = similarity.shape
    check_lists_memory(n_rows, k, n_vectors, similarity.dtype)
    items = np.full((n_rows, k), -1, dtype=np.intp)
    values = np.full((n_rows, k), -np.inf, dtype=similarity.dtype)
    width = min(k, n_vectors)
    for start, stop in row_chunks(n_rows, n_vectors * similarity.dtype.itemsize):
        chunk = similarity[start:stop]
        items[start:stop, :width], values[start:stop, :width] = top_k(
            chunk.toarray(), width, allowed=chunk, n_jobs=n_jobs
        )
    return items, values


def stored_lists(matrix, items, k, *, n_jobs=None):
    """The k largest stored weights in columns of an item-item matrix, ordered by the tie rule.

    Parameters
    ----------
    matrix : csr_array of shape (n_items, n_items)
        Column j holds the weights of all items for item j; without a diagonal.
    items : array-like of int of shape (n,)
        Columns; a single number counts as a list of one.
    k : int
        Length of the lists.
    n_jobs : int or None, default=None
        Number of threads.

    Returns
    -------
    items : ndarray of intp of shape (n, k)
        Best first, padded with -1.
    values : ndarray of shape (n, k)
        Their weights, padded with -inf.

    Raises
    ------
    ValueError
        If an index is out of range, or k is not a whole number >= 1.
    """
    k = check_k(k)
    items = check_item_list(items, matrix.shape[0])
    return ordered_lists(matrix.T.tocsr()[items], k, n_jobs=n_jobs)
