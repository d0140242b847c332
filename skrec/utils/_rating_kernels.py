"""numba part of models of ratings with biases; imported only when it is called.

For one row with ratings x_j of the columns j, offsets o_j and vectors y_j (the factors of the
other side, followed by a 1 if the model has biases), the ridge problem

    min_z  sum_j (x_j - o_j - y_j . z)^2 + penalty |z|^2

has the normal equations A z = b with A = sum_j y_j y_j^T + penalty I and
b = sum_j (x_j - o_j) y_j. With biases, the last element of z is the bias of the row.
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

# Least ridge, relative to the mean of A's diagonal. It makes A z = b solvable without a penalty
# for a row with fewer ratings than unknowns: the solution is nearly the one of least norm.
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
        CSR matrix of the ratings minus their mean. The function solves for its rows.
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
    """Make one descent step on a rating; return its squared error before the step.

    The step follows the negative gradient of
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
    """Make one pass over the ratings of ``cells[start:stop]``.

    Parameters
    ----------
    cells : ndarray of int64
        Cells that share neither users nor items.
    bounds : ndarray of shape (n_cells + 1,)
        Bounds of the cells in `users`, `items` and `ratings`.
    users, items : ndarray of int32 of shape (n_ratings,)
    ratings : ndarray of float32 of shape (n_ratings,)
        Ratings minus their mean.
    model : tuple of ndarray of float32
        User factors, item factors, user biases, item biases.
    penalties : tuple of ndarray of float32 of shape (n_users,) and (n_items,)
        Penalty of each user and of each item, applied at each of their ratings.
    rate : float32
    biased : bool
        Whether the model has biases.
    totals : ndarray of float64 of shape (n_cells,), written
        Sum of the squared errors of each cell, each error before its step.
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
