"""The transitions between items through users, cut to the largest."""

import numpy as np
from scipy.sparse import csr_array

from skrec.neighbors._search import nearest, search_index, similarity_kind
from skrec.utils._finite import require_finite
from skrec.utils._sparse import transposed


def powers_of_shares(X, exponent):
    """Powers of each entry's share in the sum of its row.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
        Values above zero.
    exponent : float

    Returns
    -------
    powers : ndarray of float64 of shape (nnz,)
    """
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    values = X.data.astype(np.float64, copy=False)
    with np.errstate(over="ignore"):
        total = np.bincount(rows, weights=values, minlength=X.shape[0])
    return (values / require_finite(total, "The sums of values")[rows]) ** exponent


def transitions(
    X, *, sample_weight, exponent, popularity_exponent, n_neighbors, normalize, n_jobs=None
):
    """Sums over the users v of (p_iv p_vt)^exponent, divided by a power of t's popularity.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
        Values above zero.
    sample_weight : ndarray of shape (n_users,) or None
        How often a row counts.
    exponent, popularity_exponent : float
    n_neighbors : int or None
        Entries kept of each column; None keeps all.
    normalize : bool
        Whether rows are scaled to sum to one.
    n_jobs : int or None, default=None
        Threads.

    Returns
    -------
    T : csr_array of shape (n_items, n_items), float64
        T[i, t] is the weight from item i to item t; no diagonal.
    """
    n_users, n_items = X.shape
    weight = np.ones(n_users) if sample_weight is None else sample_weight
    values = X.data.astype(np.float64, copy=False)
    with np.errstate(over="ignore"):
        popularity = np.bincount(
            X.indices, weights=weight.repeat(np.diff(X.indptr)) * values, minlength=n_items
        )
        require_finite(popularity, "The sums of values")
        divisor = popularity**popularity_exponent
    # An index of ones, as from 0/1 data, is faster to search, so the largest value of a column
    # goes into its scale. Powers of values relative to the largest do not overflow.
    largest = np.zeros(n_items)
    np.maximum.at(largest, X.indices, values)
    scale = (popularity / np.where(largest > 0, largest, 1.0)) ** exponent
    relative = (values / largest[X.indices]) ** exponent
    index = csr_array((relative, X.indices, X.indptr), shape=X.shape)
    from_user = csr_array((powers_of_shares(X, exponent), X.indices, X.indptr), shape=X.shape)
    by_item = from_user.tocsc()
    targets = csr_array((by_item.data, by_item.indices, by_item.indptr), shape=(n_items, n_users))
    kind, none = similarity_kind("asymmetric_cosine", rating=False), np.zeros(0)
    T = nearest(
        targets,
        (divisor, divisor, none, none),
        search_index(index, kind),
        (np.where(popularity > 0, scale, 0.0), scale, none, none),
        weight=weight,
        kind=kind,
        n_neighbors=n_neighbors,
        shrinkage=0.0,
        skip_self=True,
        n_jobs=n_jobs,
    )
    T = transposed(T, n_jobs=n_jobs)
    if normalize:
        T.data[...] = powers_of_shares(T, 1.0)
    return T
