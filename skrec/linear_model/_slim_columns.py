"""SLIM's columns by coordinate descent: prepares the data for the kernels and runs the threads."""

import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.sparse import csc_array
from sklearn.exceptions import ConvergenceWarning

from skrec.linear_model._mirror import diagonal_as, mirror_upper
from skrec.utils._parallel import effective_n_threads

# Columns that a thread takes at once. Few, since their costs differ a lot; not fewer, since each
# call allocates buffers for all items.
_COLUMNS = 64


def gram_columns(
    gram, penalty, *, l1=0.0, positive=True, n_neighbors=None, tol=1e-5, max_iter=1000, n_jobs=None
):
    """Minimise 1/2 tr(W^T H W) - tr(W^T G) + l1 ||W||_1 with diag(W) = 0, H = G + diag(penalty).

    Parameters
    ----------
    gram : ndarray of shape (n_items, n_items), float32 or float64
        C-contiguous. The upper triangle holds G = X^T X and is the same at the end. The lower
        triangle is overwritten with its mirror image.
    penalty : float or array-like of shape (n_items,)
        L2 penalty of the weights of each predicting item, >= 0.
    l1 : float, default=0.0
        L1 penalty of every weight, >= 0.
    positive : bool, default=True
        Whether W >= 0.
    n_neighbors : int or None, default=None
        In a column of W, only the `n_neighbors` columns of X nearest by cosine, of lower index
        among equals, may have a weight. None: all.
    tol : float, default=1e-5
        A column is solved when no weight, on its own, would change by more than `tol` times
        the largest weight that one item alone would get.
    max_iter : int, default=1000
        Most passes over the active items of a column.
    n_jobs : int or None, default=None
        Threads. The result does not depend on it.

    Returns
    -------
    coef : csc_array of shape (n_items, n_items), dtype of `gram`
        W, with sorted indices.
    n_iter : int
        Most passes that a column took.

    Warns
    -----
    ConvergenceWarning
        If `max_iter` did not suffice for some columns.

    See Also
    --------
    entry_columns : The same without a Gram matrix.
    """
    from skrec.linear_model._slim_kernels import Data, Settings

    mirror_upper(gram, n_jobs=n_jobs)
    dtype = gram.dtype
    own = gram.diagonal().copy()
    np.fill_diagonal(gram, own + diagonal_as(penalty, gram))
    no_rows = (np.zeros(1, np.int32), np.zeros(0, np.int32), np.zeros(0, dtype))
    data = Data(no_rows, (*no_rows, no_rows[2]), _inverse(gram.diagonal()), np.sqrt(own))
    settings = Settings(
        l1=dtype.type(l1),
        l2=dtype.type(0),
        positive=bool(positive),
        screen=bool(positive) and _non_negative(gram),
        n_neighbors=0 if n_neighbors is None else int(n_neighbors),
        tol=float(tol),
        max_iter=int(max_iter),
    )
    try:
        return _solve(gram, data, settings, n_jobs)
    finally:
        np.fill_diagonal(gram, own)


def entry_columns(
    X,
    penalty,
    *,
    l1=0.0,
    positive=True,
    n_neighbors=None,
    sample_weight=None,
    dtype=np.float32,
    tol=1e-5,
    max_iter=1000,
    n_jobs=None,
):
    """Solve as `gram_columns` does, without a Gram matrix: memory grows with X's entries only.

    For very sparse X this is also faster, since most of the Gram matrix would be zeros.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
        Canonical, values > 0.
    penalty : float
        L2 penalty, >= 0.
    l1, positive, n_neighbors, tol, max_iter, n_jobs
        As in `gram_columns`.
    sample_weight : ndarray of shape (n_users,), default=None
        Weights of the rows, >= 0.
    dtype : {np.float32, np.float64}, default=np.float32
        Type of the computation and the result.

    Returns
    -------
    coef, n_iter
        As in `gram_columns`.

    Warns
    -----
    ConvergenceWarning
        If `max_iter` did not suffice for some columns.
    """
    from skrec.linear_model._slim_kernels import Data, Settings

    dtype = np.dtype(dtype)
    if sample_weight is not None and not np.all(sample_weight > 0):
        X, sample_weight = X[sample_weight > 0], sample_weight[sample_weight > 0]
    rows = (X.indptr, X.indices, X.data.astype(dtype, copy=False))
    by_item = csc_array(X)
    values = by_item.data.astype(dtype, copy=False)
    weighted = values if sample_weight is None else values * sample_weight[by_item.indices]
    weighted = weighted.astype(dtype, copy=False)
    own = np.bincount(_columns_of(by_item), values * weighted, X.shape[1])
    data = Data(
        rows,
        (by_item.indptr, by_item.indices, values, weighted),
        _inverse((own + penalty).astype(dtype)),
        np.sqrt(own).astype(dtype),
    )
    settings = Settings(
        l1=dtype.type(l1),
        l2=dtype.type(penalty),
        positive=bool(positive),
        screen=bool(positive),
        n_neighbors=0 if n_neighbors is None else int(n_neighbors),
        tol=float(tol),
        max_iter=int(max_iter),
    )
    return _solve(None, data, settings, n_jobs)


def _columns_of(by_item):
    return np.repeat(np.arange(by_item.shape[1]), np.diff(by_item.indptr))


def _inverse(diagonal):
    """1 / diagonal; 0 where the diagonal is 0."""
    inverse = np.zeros_like(diagonal)
    np.divide(1, diagonal, out=inverse, where=diagonal > 0)
    return inverse


def _non_negative(matrix):
    return all(row.min(initial=0.0) >= 0 for row in matrix)


def _solve(gram, data, settings, n_jobs):
    from skrec.linear_model._slim_kernels import new_lists, solve_columns

    n_items = len(data.inverse)
    starts = range(0, n_items, _COLUMNS)

    def part(start):
        lists = new_lists(data) if gram is None else None
        return solve_columns(gram, data, settings, lists, start, min(start + _COLUMNS, n_items))

    # Even a single thread is not the main one: see `in_other_thread`.
    with ThreadPoolExecutor(max(1, min(effective_n_threads(n_jobs), len(starts)))) as pool:
        parts = list(pool.map(part, starts))
    counts, items, values, reports = zip(*parts, strict=True)
    indptr = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
    if indptr[-1] < 2**31:
        indptr = indptr.astype(np.int32)
    shape = (n_items, n_items)
    coef = csc_array((np.concatenate(values), np.concatenate(items), indptr), shape=shape)
    coef.sort_indices()
    n_iter, n_failed, worst = np.max([r[0] for r in reports]), sum(r[1] for r in reports), 0.0
    if n_failed:
        worst = np.max([r[2] for r in reports])
        warnings.warn(
            f"{n_failed:.0f} of {n_items} items did not converge within max_iter="
            f"{settings.max_iter}: a weight still changed by {worst:.1e} of the column's scale "
            f"(tol={settings.tol:g}). Raise max_iter, alpha or tol.",
            ConvergenceWarning,
            stacklevel=5,
        )
    return coef, int(n_iter)
