"""numba part of models of ratings with biases; imported only when it is called.

For one row with ratings x_j of the columns j, offsets o_j and vectors y_j (the other side's
factors, and a 1 behind them where there are biases), the ridge problem

    min_z  sum_j (x_j - o_j - y_j . z)^2 + penalty |z|^2

has the normal equations A z = b with A = sum_j y_j y_j^T + penalty I and
b = sum_j (x_j - o_j) y_j. The last element of z is then the bias of the row.
"""

import numpy as np

from skrec.utils._compile import njit
from skrec.utils._ridge_kernels import (
    FAST,
    add_outer_products,
    cholesky,
    dot,
    kept,
    longest_row,
    solve_cholesky,
)

# Least ridge, relative to the mean of A's diagonal: what makes A z = b of a row with fewer
# ratings than unknowns solvable without a penalty, by (nearly) its solution of least norm.
LEAST_RIDGE = 1e-10


@njit(nogil=True, cache=True, fastmath=FAST)
def normal_matrix(columns, vectors, ones, penalty, matrix):
    """Write A (upper triangle) for one row."""
    d = vectors.shape[1]
    matrix[:] = 0
    add_outer_products(columns, vectors, ones, matrix)
    trace = 0.0
    for r in range(d):
        trace += matrix[r, r]
    # An A of zeros has b = 0, too: any ridge will do.
    ridge = max(penalty, LEAST_RIDGE * trace / d) if trace > 0 else max(penalty, 1.0)
    for r in range(d):
        matrix[r, r] += ridge


@njit(nogil=True, cache=True)
def solve_rows(indptr, indices, values, vectors, offset, penalty, out, losses, start, stop):
    """Solve the ridge problem of each row.

    Parameters
    ----------
    indptr, indices, values : ndarray
        CSR matrix of the ratings less their mean; its rows are solved for.
    vectors : ndarray of float64 of shape (n_columns, d)
        y.
    offset : ndarray of float64 of shape (n_columns,)
        o.
    penalty : ndarray of float64 of shape (n_rows,)
    out : ndarray of float64 of shape (n_rows, d), written
        z; zeros for rows without ratings.
    losses : ndarray of float64 of shape (n_rows,), written
        Sum of the squared errors of each row at its solution.
    """
    d = vectors.shape[1]
    ones = np.ones(longest_row(indptr, start, stop))
    matrix = np.empty((d, d))
    for u in range(start, stop):
        first, last = indptr[u], indptr[u + 1]
        z = out[u]
        z[:] = 0
        losses[u] = 0.0
        if first == last:
            continue
        columns = indices[first:last]
        normal_matrix(columns, vectors, ones, penalty[u], matrix)
        for j in range(columns.shape[0]):
            rest = values[first + j] - offset[columns[j]]
            y = vectors[columns[j]]
            for f in range(d):
                z[f] += rest * y[f]
        cholesky(matrix)
        solve_cholesky(matrix, z)
        for j in range(columns.shape[0]):
            error = values[first + j] - offset[columns[j]] - dot(vectors[columns[j]], z)
            losses[u] += error * error


@njit(nogil=True, cache=True, fastmath=FAST, inline="always")
def rating_step(rating, u, i, W, H, b, c, rate, user_penalty, item_penalty, biased):
    """One step down on a rating; returns its squared error before the step.

    Goes along minus the gradient of
    ``(error^2 + user_penalty (|w|^2 + b^2) + item_penalty (|h|^2 + c^2)) / 2``.
    """
    w, h = W[u], H[i]
    error = rating - dot(w, h) - b[u] - c[i]
    one = w.dtype.type(1)
    step = rate * error
    keep_w, keep_h = kept(one, rate, user_penalty), kept(one, rate, item_penalty)
    for f in range(w.shape[0]):
        wf, hf = w[f], h[f]
        w[f] = keep_w * wf + step * hf
        h[f] = keep_h * hf + step * wf
    if biased:
        b[u] = keep_w * b[u] + step
        c[i] = keep_h * c[i] + step
    return error * error


@njit(nogil=True, cache=True, fastmath=FAST)
def train_cells(
    cells, bounds, users, items, ratings, model, penalties, rate, biased, totals, start, stop
):
    """One pass over the ratings of ``cells[start:stop]``.

    Parameters
    ----------
    cells : ndarray of int64
        Cells that share neither users nor items.
    bounds : ndarray of shape (n_cells + 1,)
        Bounds of the cells in `users`, `items` and `ratings`.
    users, items : ndarray of int32 of shape (n_ratings,)
    ratings : ndarray of float32 of shape (n_ratings,)
        Less their mean.
    model : tuple of ndarray of float32
        User factors, item factors, user biases, item biases.
    penalties : tuple of ndarray of float32 of shape (n_users,) and (n_items,)
        Penalty of a user and of an item for each of their ratings.
    rate : float32
    biased : bool
        Whether there are biases.
    totals : ndarray of float64 of shape (n_cells,), written
        Sum of the squared errors of each cell, as met on the way.
    """
    W, H, b, c = model
    of_users, of_items = penalties
    for n in range(start, stop):
        cell = cells[n]
        total = 0.0
        for t in range(bounds[cell], bounds[cell + 1]):
            u, i = users[t], items[t]
            total += rating_step(
                ratings[t], u, i, W, H, b, c, rate, of_users[u], of_items[i], biased
            )
        totals[cell] = total
