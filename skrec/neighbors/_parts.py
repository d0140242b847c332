"""Neighbours of items if users come in parts: products of items are sums over users.

A round adds up the products of one block of items with all items and cuts the lists of the block.
So no process holds more than the products of one block.
"""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array, vstack

from skrec.neighbors._search import nearest, search_index, similarity_kind
from skrec.neighbors._vectors import comparable, learn_features, norms_of, vector_sums
from skrec.utils._finite import require_squares
from skrec.utils._statistics import Pass

# Most products of a block, by a bound from the users' numbers of items: 12 bytes each.
_BLOCK = 1 << 26


class Comparison(NamedTuple):
    """How implicit feedback is compared; names as in `skrec.neighbors._vectors`."""

    metric: str
    weighting: str | None
    exponent: float


class ItemsOfPart(NamedTuple):
    """The items over the users of a part.

    Attributes
    ----------
    weighted : csr_array of shape (n_items, n_users)
        With the weights of the users.
    by_user : csr_array of shape (n_users, n_items)
    """

    weighted: csr_array
    by_user: csr_array


def neighbor_rounds(how, *, side_of, n_neighbors, shrinkage, n_jobs):
    """Passes over the parts that return the nearest items of each item.

    Parameters
    ----------
    how : Comparison
    side_of : callable
        ``side_of(norm, terms)``: (scale, norm, slope, offset) of targets and of sources.
    n_neighbors : int or None
    shrinkage : float
    n_jobs : int or None

    Returns
    -------
    lists : csr_array of shape (n_items, n_items), float64
    """
    length, total_weight, cost = yield Pass(_lengths, (how,), again=True)
    sums = yield Pass(_compare, (how, length, total_weight), kept="write", again=True)
    compared = {"metric": how.metric, "rating": False}
    norm, *terms = norms_of(*sums, **compared)
    sides, found = side_of(norm, terms), []
    for start, stop in _blocks(np.minimum(cost, len(norm))):
        products = yield Pass(_products, (start, stop), kept="read", rows=False)
        found.append(
            lists_of_products(
                csr_array(products), (start, stop), sides, metric=how.metric,
                n_neighbors=n_neighbors, shrinkage=shrinkage, n_jobs=n_jobs,
            )
        )  # fmt: skip
    return csr_array(vstack(found, format="csr"))


def lists_of_products(products, block, sides, *, metric, n_neighbors, shrinkage, n_jobs):
    """The nearest items of each item of a block.

    Parameters
    ----------
    products : csr_array of shape (n_block_items, n_items)
        Products of the items of the block with all items, over all users.
    block : tuple of int
        First item of the block, and the end.
    sides : tuple
        (scale, norm, slope, offset) of all items as targets, and as sources.
    metric : str
    n_neighbors, shrinkage, n_jobs
        See `skrec.neighbors._search.nearest`.

    Returns
    -------
    lists : csr_array of shape (n_block_items, n_items), float64
    """
    targets, sources = sides
    start, stop = block
    kind = similarity_kind(metric, rating=False)
    # Each item of the block is the query for its own row of products.
    queries = csr_array(
        (np.ones(stop - start), (np.arange(start, stop), np.arange(stop - start))),
        shape=(products.shape[1], stop - start),
    )
    lists = nearest(
        queries,
        targets,
        search_index(products, kind),
        sources,
        weight=np.ones(stop - start),
        kind=kind,
        n_neighbors=n_neighbors,
        shrinkage=shrinkage,
        skip_self=True,
        n_jobs=n_jobs,
    )
    return lists[start:stop]


def products_of(X, how):
    """Products of all pairs of items over some users, float64, in canonical form."""
    if how.metric != "jaccard":
        require_squares(X.data, "The values of X")
    _, kept = _compare(X, None, how, None, 1.0)
    products = csr_array(kept.weighted @ kept.by_user)
    products.sum_duplicates()
    return products


def _blocks(bound):
    """Ranges of items with at most `_BLOCK` products, at least one item each."""
    ends = np.cumsum(bound, dtype=np.float64)
    start = 0
    while start < len(bound):
        done = ends[start - 1] if start else 0.0
        stop = max(start + 1, int(np.searchsorted(ends, done + _BLOCK, side="right")))
        yield start, stop
        start = stop


def _by_item(X):
    by_item = X.tocsc()
    return csr_array((by_item.data, by_item.indices, by_item.indptr), shape=X.shape[::-1])


def _features(V, how, length=None):
    return learn_features(
        V, metric=how.metric, rating=False, weighting=how.weighting, exponent=how.exponent,
        length=length,
    )  # fmt: skip


def _lengths(X, how):
    """Sums of the items' values, the weight of all users, and bounds of the items' products."""
    if how.metric != "jaccard":  # "jaccard" reads no values
        require_squares(X.data, "The values of X")
    length = np.asarray(X.sum(axis=0, dtype=np.float64)).ravel()
    of_entry = np.repeat(np.diff(X.indptr), np.diff(X.indptr)).astype(np.float64)
    cost = np.bincount(X.indices, weights=of_entry, minlength=X.shape[1])
    return length, _total_weight(X, how), cost


def _total_weight(X, how):
    """Weight of the users, as `learn_features` sums it for means over all users."""
    return float((np.maximum(np.diff(X.indptr), 1.0) ** -how.exponent).sum())


def _compare(X, kept, how, length, total_weight):
    """The part's terms of the norms; keeps the part's items."""
    V = _by_item(X)
    features = _features(V, how, length)
    if len(features["slope"]):  # the mean is over all users
        features["slope"] = features["slope"] * np.sqrt(_total_weight(X, how) / total_weight)
    compared = {"metric": how.metric, "rating": False}
    vectors = comparable(V, features, **compared, weighting=how.weighting)
    weighted = vectors.data * features["weight"][vectors.indices]
    kept = ItemsOfPart(
        csr_array((weighted, V.indices, V.indptr), shape=V.shape), csr_array(vectors.T.tocsr())
    )
    return vector_sums(vectors, features, **compared), kept


def _products(X, kept, start, stop):
    """The part's products of a block of items with all items."""
    return csr_array(kept.weighted[start:stop] @ kept.by_user)
