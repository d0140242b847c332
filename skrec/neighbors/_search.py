"""The search for the nearest vectors, one block of queries at a time."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from skrec.utils._arrays import kernel_csr, read_only
from skrec.utils._parallel import run_ranges

# Bytes of the dense lists of one block of queries.
_BLOCK_BYTES = 1 << 25


class Search(NamedTuple):
    """The queries and the vectors to search.

    Attributes
    ----------
    kind : int
        See `similarity_kind`.
    skip_self : bool
        Whether query i is vector i. A vector is then not its own neighbour.
    shrinkage : float
        Added to the denominators.
    query : tuple of ndarray
        (ptr, idx, val) in CSR by query; the values include the weights of the features.
    query_side, index_side : tuple of ndarray
        (scale, norm, slope, offset) of the queries and of the vectors.
    index : tuple of ndarray
        (ptr, idx, val) of the vectors in CSR by feature; no values if all are 1.
    n_vectors : int
    """

    kind: int
    skip_self: bool
    shrinkage: float
    query: tuple
    query_side: tuple
    index: tuple
    index_side: tuple
    n_vectors: int


class Lists(NamedTuple):
    """The lists of the queries of a block.

    Attributes
    ----------
    sizes : ndarray of int64 of shape (n_rows,)
    items : ndarray of int32 of shape (n_rows, k)
        Filled up to the size of a row.
    values : ndarray of float64 of shape (n_rows, k)
    """

    sizes: np.ndarray
    items: np.ndarray
    values: np.ndarray


def similarity_kind(metric, rating):
    """The number of the kernel's formula for a metric."""
    from skrec.neighbors._search_kernels import OVERLAP, RATIO, SIGNED

    if metric == "jaccard":
        return OVERLAP
    return SIGNED if rating or metric in ("adjusted_cosine", "pearson") else RATIO


def search_index(by_feature, kind):
    """The vectors to search, in the form of the kernel.

    Parameters
    ----------
    by_feature : csr_array of shape (n_features, n_vectors)
        Vectors from `skrec.neighbors._vectors.comparable`, transposed.
    kind : int
        See `similarity_kind`.

    Returns
    -------
    ptr, idx, val : ndarray
        No values if all are 1 and nothing is negative: the kernel then only adds.
    """
    from skrec.neighbors._search_kernels import SIGNED

    values = by_feature.data.astype(np.float64, copy=False)
    if kind != SIGNED and (values == 1.0).all():
        values = np.zeros(0)
    return kernel_csr(by_feature, values)


def nearest(
    queries, query_side, index, index_side, *, weight, kind, n_neighbors, shrinkage,
    skip_self=False, n_jobs=None,
):  # fmt: skip
    """Find the most similar vectors of each query.

    Parameters
    ----------
    queries : csr_array of shape (n_queries, n_features)
        From `skrec.neighbors._vectors.comparable`.
    query_side, index_side : tuple of ndarray
        (scale, norm, slope, offset) of the queries and of the vectors.
    index : tuple of ndarray
        The vectors to search, from `search_index`.
    weight : ndarray of shape (n_features,)
        Weights of the features.
    kind : int
        See `similarity_kind`.
    n_neighbors : int or None
        Length of the lists; None keeps every similarity above zero.
    shrinkage : float
        Added to the denominators.
    skip_self : bool, default=False
        Whether query i is vector i. A vector is then not its own neighbour.
    n_jobs : int or None, default=None
        Threads; the result does not depend on it.

    Returns
    -------
    similarity : csr_array of shape (n_queries, n_vectors), float64
        Similarities above zero, at most `n_neighbors` in a row, not sorted.
    """
    from skrec.neighbors._search_kernels import nearest_vectors, pack_lists

    n_queries, n_vectors = queries.shape[0], len(index_side[0])
    k = n_vectors if n_neighbors is None else min(n_neighbors, n_vectors)
    query = kernel_csr(queries, queries.data * weight[queries.indices])
    index, query_side, index_side = (
        tuple(map(read_only, arrays)) for arrays in (index, query_side, index_side)
    )
    search = Search(
        kind, skip_self, float(shrinkage), query, query_side, index, index_side, n_vectors
    )
    # A query costs as many steps as it reads entries of the index.
    entries = np.diff(index[0])[queries.indices]
    cost = 1 + np.bincount(
        np.repeat(np.arange(n_queries), np.diff(queries.indptr)),
        weights=entries,
        minlength=n_queries,
    )
    size = max(1, min(n_queries, _BLOCK_BYTES // (12 * k)))
    lists = Lists(np.empty(size, np.int64), np.empty((size, k), np.int32), np.empty((size, k)))
    ptr, items, values = np.zeros(n_queries + 1, np.int64), [], []
    for first in range(0, n_queries, size):
        n_rows = min(size, n_queries - first)

        def rows(start, stop, first=first):
            nearest_vectors(search, first, start, stop, lists)

        block_cost = cost[first : first + n_rows]
        threads = n_jobs if block_cost.sum() > 1 << 16 else 1
        run_ranges(rows, n_rows, n_jobs=threads, weights=block_cost)
        ptr[first + 1 : first + n_rows + 1] = ptr[first] + np.cumsum(lists.sizes[:n_rows])
        places = ptr[first : first + n_rows + 1] - ptr[first]
        packed_items, packed_values = np.empty(places[-1], np.int32), np.empty(places[-1])

        def pack(start, stop, places=places, packed=(packed_items, packed_values)):
            pack_lists(lists, places, *packed, start, stop)

        run_ranges(pack, n_rows, n_jobs=threads)
        items.append(packed_items)
        values.append(packed_values)
    if ptr[-1] < 2**31:  # scipy would widen the indices to the type of the pointers
        ptr = ptr.astype(np.int32)
    return csr_array(
        (np.concatenate(values), np.concatenate(items), ptr), shape=(n_queries, n_vectors)
    )
