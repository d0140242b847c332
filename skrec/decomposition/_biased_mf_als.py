"""Alternating least squares for ratings with biases."""

import numpy as np
from scipy.sparse import csr_array

from skrec.utils._explain import check_targets, contributions_at
from skrec.utils._parallel import run_ranges
from skrec.utils._rating_ridge import ROW_COST, augmented, offset_of, rating_penalty, solve_side


def alternate(X, item_factors, *, biased, alpha, frequency_exponent, sweeps, n_jobs=None):
    """Alternate between the users and the items, and solve for each exactly.

    The items' biases start at their minimum without factors.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
        Ratings less the intercept.
    item_factors : ndarray of shape (n_items, d)
        Where to start.
    biased : bool
        Whether there are biases.
    alpha, frequency_exponent : float
        See `skrec.utils._rating_ridge.rating_penalty`.
    sweeps : iterable
        The sweeps, such as a range.
    n_jobs : int or None, default=None

    Returns
    -------
    item_factors : ndarray of float64 of shape (n_items, d)
    item_bias : ndarray of float64 of shape (n_items,) or None
    loss_curve : list of float
        The objective after each sweep.
    """
    by_item = csr_array(X.T.tocsr())
    user_penalty, item_penalty = (
        rating_penalty(np.diff(Z.indptr), alpha, frequency_exponent) for Z in (X, by_item)
    )
    item_bias = _initial_bias(by_item, item_penalty) if biased else None
    loss_curve = []
    for _ in sweeps:
        users = solve_side(X, item_factors, item_bias, user_penalty, n_jobs=n_jobs)
        items = solve_side(by_item, *users[:2], item_penalty, n_jobs=n_jobs)
        item_factors, item_bias, loss = items
        loss += _penalty(user_penalty, *users[:2]) + _penalty(item_penalty, *items[:2])
        loss_curve.append(loss)
    return item_factors, item_bias, loss_curve


def _initial_bias(by_item, penalty):
    counts = np.diff(by_item.indptr)
    return by_item.sum(axis=1) / np.maximum(counts + penalty, 1.0)


def _penalty(weight, factors, bias):
    squares = np.einsum("nf,nf->n", factors, factors)
    if bias is not None:
        squares = squares + bias**2
    return float(weight @ squares)


def explained_rows(X, factors, bias, penalty, items, dtype, *, n_jobs=None):
    """Compute what each rating of a row adds to the predictions for some columns.

    Parameters
    ----------
    X, factors, bias, penalty
        See `skrec.utils._rating_ridge.solve_side`.
    items : array-like of int of shape (n_rows,) or (n_rows, m)
        Columns, -1 for none.
    dtype : dtype
        Type of the result.
    n_jobs : int or None, default=None

    Returns
    -------
    contributions : csr_array of shape (n_rows * m, n_columns)

    Raises
    ------
    ValueError
        If `items` has the wrong shape or is out of range.
    """
    from skrec.decomposition._biased_mf_kernels import explain_rows

    targets = check_targets(items, *X.shape)
    vectors, offset = augmented(factors, bias), offset_of(bias, X.shape[1])
    m = targets.shape[1]
    out = np.empty(m * X.nnz)

    def rows(start, stop):
        explain_rows(
            X.indptr, X.indices, X.data, vectors, offset, penalty, targets, out, start, stop
        )

    run_ranges(rows, X.shape[0], n_jobs=n_jobs, weights=np.diff(X.indptr) + ROW_COST)
    return contributions_at(X, out, m).astype(dtype, copy=False)
