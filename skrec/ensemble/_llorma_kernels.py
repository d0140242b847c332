"""The numba part of `skrec.ensemble.LLORMA`, imported only when it is called."""

import math

import numpy as np

from skrec.utils._cell_kernels import pick
from skrec.utils._compile import njit
from skrec.utils._mix_kernels import GOLDEN, mix
from skrec.utils._ridge_kernels import (
    FAST,
    add_outer_products,
    cholesky,
    kept,
    longest_row,
    solve_cholesky,
)

# Ratings in a block; the random order shuffles whole blocks.
_BLOCK = 256


@njit(nogil=True, cache=True, fastmath=FAST)
def _weighted_steps(ratings, first, last, weights, model, rate, alpha):
    """A descent step on each rating in turn; returns sums of weighted squares and of weights."""
    users, items, values = ratings
    of_users, of_items = weights
    P, Q = model
    d = P.shape[1] - 1  # the biases stand behind the vectors
    one = P.dtype.type(1)
    squares, total = 0.0, 0.0
    for t in range(first, last):
        u, i = users[t], items[t]
        weight = of_users[u] * of_items[i]
        if not weight > 0:
            continue
        p, q = P[u], Q[i]
        error = values[t] - p[d] - q[d]
        for f in range(d):
            error -= p[f] * q[f]
        squares += weight * error * error
        total += weight
        step = rate * weight
        keep = kept(one, step, alpha)
        step *= error
        for f in range(d):
            pf, qf = p[f], q[f]
            p[f] = keep * pf + step * qf
            q[f] = keep * qf + step * pf
        p[d] = keep * p[d] + step
        q[d] = keep * q[d] + step
    return squares, total


@njit(nogil=True, cache=True)
def learn_local_model(ratings, weights, model, rates, alpha, tol, key):
    """Weighted stochastic gradient descent on ratings; ratings of weight zero are skipped.

    Parameters
    ----------
    ratings : tuple of ndarray of shape (n_ratings,)
        Users and items, int32, and values minus their mean, float32, in random order.
    weights : tuple of ndarray of float32 of shape (n_users,) and (n_items,)
        A rating's weight is the product of its user's weight and its item's weight.
    model : tuple of ndarray of float32 of shape (n_users, d + 1) and (n_items, d + 1), changed
        Vectors, and the biases behind them.
    rates : ndarray of float32 of shape (n_epochs,)
    alpha : float32
    tol : float
        The fit ends when the weighted RMSE does not fall by this much from one epoch to the next.
    key : uint64
        Key of the random stream that orders blocks of ratings.

    Returns
    -------
    n_epochs : int
    error : float
        Weighted RMSE of the last epoch, measured during the steps; 0 without a rating of positive
        weight.
    """
    n = ratings[0].shape[0]
    n_blocks = (n + _BLOCK - 1) // _BLOCK
    order = np.arange(n_blocks)
    state = mix(key)
    before = math.inf
    for epoch in range(rates.shape[0]):
        squares, total = 0.0, 0.0
        for k in range(n_blocks):
            state += GOLDEN
            place = k + pick(state, n_blocks - k)
            block = order[place]
            order[place] = order[k]
            order[k] = block
            first = block * _BLOCK
            found = _weighted_steps(
                ratings, first, min(first + _BLOCK, n), weights, model, rates[epoch], alpha
            )
            squares, total = squares + found[0], total + found[1]
        error = math.sqrt(squares / total) if total > 0 else 0.0
        if not before - error >= tol:
            return epoch + 1, error
        before = error
    return rates.shape[0], before


@njit(nogil=True, cache=True, fastmath=FAST)
def local_vectors(indptr, indices, values, of_rows, of_items, items, alpha, out, start, stop):
    """Vectors and biases of rows in each local model: weighted ridge regressions.

    Around anchor t a row minimises ``sum_j w_j (x_j - c_j - q_j . p - b)^2 + alpha (sum_j w_j)
    (|p|^2 + b^2)``, where w are the items' weights.

    Parameters
    ----------
    indptr, indices, values : ndarray
        CSR matrix of the ratings minus the intercept.
    of_rows : ndarray of float64 of shape (n_rows, n_local)
        Weights of the local models for each row; 0: nothing to solve.
    of_items : ndarray of float64 of shape (n_local, n_items)
    items : ndarray of float32 of shape (n_local, n_items, d + 1)
        Vectors q and the biases c behind them.
    alpha : float
    out : ndarray of float64 of shape (n_rows, n_local, d + 1), written
    """
    d = items.shape[2]
    longest = longest_row(indptr, start, stop)
    rows, order = np.empty((longest, d)), np.arange(longest)
    weight, matrix = np.empty(longest), np.empty((d, d))
    for u in range(start, stop):
        first = indptr[u]
        for t in range(items.shape[0]):
            z = out[u, t]
            z[:] = 0
            if not of_rows[u, t] > 0:
                continue
            n, total = 0, 0.0
            for k in range(first, indptr[u + 1]):
                i = indices[k]
                w = of_items[t, i]
                if not w > 0:
                    continue
                rest = w * (values[k] - items[t, i, d - 1])
                for f in range(d - 1):
                    rows[n, f] = items[t, i, f]
                    z[f] += rest * rows[n, f]
                rows[n, d - 1] = 1
                z[d - 1] += rest
                weight[n] = w
                total += w
                n += 1
            if n == 0:
                continue
            matrix[:] = 0
            add_outer_products(order[:n], rows, weight, matrix)
            for f in range(d):
                matrix[f, f] += alpha * total
            cholesky(matrix)
            solve_cholesky(matrix, z)


@njit(nogil=True, cache=True, fastmath=FAST)
def add_local_scores(vectors, of_row, of_items, items, wanted, total, weight):
    """Add up a row's weighted scores of some items, and the weights, over the local models.

    Parameters
    ----------
    vectors : ndarray of float64 of shape (n_local, d + 1)
        Vectors of the row.
    of_row : ndarray of float64 of shape (n_local,)
    of_items : ndarray of float64 of shape (n_local, n_items)
    items : ndarray of float32 of shape (n_local, n_items, d + 1)
    wanted : ndarray of intp of shape (n_wanted,)
        The items.
    total, weight : ndarray of float64 of shape (n_wanted,), added to
    """
    d = items.shape[2] - 1
    for t in range(items.shape[0]):
        if not of_row[t] > 0:
            continue
        z = vectors[t]
        for k in range(wanted.shape[0]):
            i = wanted[k]
            w = of_row[t] * of_items[t, i]
            if not w > 0:
                continue
            q = items[t, i]
            score = z[d] + q[d]
            for f in range(d):
                score += z[f] * q[f]
            total[k] += w * score
            weight[k] += w


@njit(nogil=True, cache=True)
def blend_dense(vectors, of_rows, of_items, items, intercept, scores, start, stop):
    """Replace the scores of covered pairs by the local models' weighted mean.

    Parameters
    ----------
    vectors : ndarray of float64 of shape (n_rows, n_local, d + 1)
    of_rows, of_items, items
        See `local_vectors`.
    intercept : float
    scores : ndarray of shape (n_rows, n_items), changed
        Scores of the global model.
    """
    wanted = np.arange(scores.shape[1])
    total, weight = np.empty(scores.shape[1]), np.empty(scores.shape[1])
    for u in range(start, stop):
        total[:] = 0
        weight[:] = 0
        add_local_scores(vectors[u], of_rows[u], of_items, items, wanted, total, weight)
        for i in range(scores.shape[1]):
            if weight[i] > 0:
                scores[u, i] = intercept + total[i] / weight[i]


@njit(nogil=True, cache=True)
def blend_pairs(vectors, of_rows, of_items, items, intercept, rows, columns, scores, start, stop):
    """As `blend_dense`, for pairs of a row and an item; scores have the shape (n_pairs,)."""
    total, weight = np.empty(1), np.empty(1)
    for n in range(start, stop):
        total[:] = 0
        weight[:] = 0
        u = rows[n]
        add_local_scores(vectors[u], of_rows[u], of_items, items, columns[n : n + 1], total, weight)
        if weight[0] > 0:
            scores[n] = intercept + total[0] / weight[0]
