"""numba part of `skrec.utils._wmf_als`; imported only when it is called.

Take one row with stored values x_j and a prior mean p of its vector; the other side has vectors
y_j with weights s_j. The penalised least squares problem has the normal equations A z = b with

    A = G + sum_j e_j y_j y_j^T + penalty I        e_j = confidence x_j s_j
    b = sum_j (e_j + m_j) y_j + penalty p          G   = sum_all m y y^T

where sums over j run over the stored entries of the row, and m_j is the weight of a missing
entry: unobserved s_j, or 0.
"""

import math

import numpy as np

from skrec.utils._compile import njit
from skrec.utils._ridge_kernels import (
    FAST,
    add_outer_products,
    add_products,
    cholesky,
    dot,
    longest_row,
    solve_cholesky,
)

# Least penalty, in units of eps times the trace of A. A matrix with a smaller penalty is
# numerically singular, and its pivots are rounding noise.
LEAST_RIDGE = 4


@njit(nogil=True, cache=True)
def _coefficients(items, values, weight, missing, confidence, slope, gain):
    """Write e_j and e_j + m_j."""
    for j in range(items.shape[0]):
        slope[j] = confidence * values[j] * weight[items[j]]
        gain[j] = slope[j] + missing[items[j]]


@njit(nogil=True, cache=True, fastmath=FAST)
def _row_loss(n, slope, gain, dots):
    """Sum of c (1 - y)^2 - m y^2 over the entries; the rest of the loss is dense."""
    total = 0.0
    for j in range(n):
        y = np.float64(dots[j])
        total += gain[j] * (1.0 - y) ** 2 - (gain[j] - slope[j]) * y**2
    return total


@njit(nogil=True, cache=True, fastmath=FAST)
def _sum_of_sizes(r):
    total = r.dtype.type(0)
    for f in range(r.shape[0]):
        total += abs(r[f])
    return total


@njit(nogil=True, cache=True)
def _largest_size(r):
    largest = r.dtype.type(0)
    for f in range(r.shape[0]):
        if not abs(r[f]) <= largest:  # true for NaN too, so NaN propagates
            largest = abs(r[f])
    return largest


@njit(nogil=True, cache=True)  # not FAST, which would move the unit out of later sums
def _scale(r):
    """Divide r by the power of two below the sum of its elements' sizes; return that power.

    Returns 0, and leaves r unchanged, if r is zero or close to underflow. Where the sum may be
    out of range, the largest element stands for it.
    """
    size = _sum_of_sizes(r)
    info = np.finfo(r.dtype)
    if not (size > r.shape[0] * info.tiny / info.eps and math.isfinite(size)):
        size = _largest_size(r)
        if size < info.tiny / info.eps:
            return r.dtype.type(0)
        if not math.isfinite(size):
            return r.dtype.type(1)
    unit = r.dtype.type(math.ldexp(1.0, math.frexp(size)[1] - 1))
    for f in range(r.shape[0]):
        r[f] /= unit
    return unit


@njit(nogil=True, cache=True, fastmath=FAST)
def _noise(square, x, unit, gain, dots, n):
    """The |r|^2 below which r is rounding noise, relative to the first r and to b.

    r is in units. The bound for b is |b| >= b.x / |x|, with b.x = sum_j gain_j (y_j.x).
    """
    of_b, length = 0.0, 0.0
    for j in range(n):
        of_b += np.float64(gain[j]) * np.float64(dots[j])
    for f in range(x.shape[0]):
        length += np.float64(x[f]) ** 2
    largest = np.float64(square)
    if of_b > 0 and length > 0:
        largest = max(largest, (of_b / math.sqrt(length) / np.float64(unit)) ** 2)
    return np.float64(np.finfo(x.dtype).eps) ** 2 * largest


@njit(nogil=True, cache=True, fastmath=FAST)
def cg_rows(problems, n_steps, out, losses, going, start, stop):
    """Run a few steps of conjugate gradients for each row, starting from `out`.

    A row stops when its residual is only rounding noise: it has its solution, and the ratio of
    two residuals that are zero or denormal would be growing noise.

    Parameters
    ----------
    problems : skrec.utils._wmf_als.RowProblems
        Its Gram matrix is diagonal, see `skrec.utils._wmf_basis`.
    n_steps : int
    out : ndarray of shape (n_rows, d), changed
    losses : ndarray of float64 of shape (n_rows,), written
        The sparse part of the loss before the steps.
    going : ndarray of bool of shape (n_rows,), written
        Whether the residual of a row is more than rounding noise after `n_steps`.
    """
    (indptr, indices, values, vectors, weight, missing, gram, confidence, penalty, prior) = problems
    d = vectors.shape[1]
    longest = longest_row(indptr, start, stop)
    slope, gain, dots = (
        np.empty(longest, vectors.dtype), np.empty(longest, vectors.dtype),
        np.empty(longest, vectors.dtype),
    )  # fmt: skip
    none = np.zeros(longest, vectors.dtype)
    r, p, product = (
        np.empty(d, vectors.dtype),
        np.empty(d, vectors.dtype),
        np.empty(d, vectors.dtype),
    )
    diagonal = np.empty(d, vectors.dtype)
    for f in range(d):
        diagonal[f] = gram[f, f]
    has_prior = prior.shape[0] > 0
    for u in range(start, stop):
        x = out[u]
        items = indices[indptr[u] : indptr[u + 1]]
        n = items.shape[0]
        losses[u] = 0.0
        going[u] = False
        if n == 0 and not has_prior:
            x[:] = 0
            continue
        _coefficients(
            items, values[indptr[u] : indptr[u + 1]], weight, missing, confidence, slope, gain
        )
        for f in range(d):
            r[f] = -(penalty[u] + diagonal[f]) * x[f]
        if has_prior:
            for f in range(d):
                r[f] += penalty[u] * prior[u, f]
        for j in range(n):
            slope[j] = -slope[j]
        add_products(items, vectors, gain, slope, x, r, dots)
        for j in range(n):
            slope[j] = -slope[j]
        losses[u] = _row_loss(n, slope, gain, dots)
        # Solve A z = r / unit and set x + unit z, so that no square under- or overflows.
        unit = _scale(r)
        if unit == 0:  # the residual is zero
            continue
        p[:] = r
        square = dot(r, r)
        enough = _noise(square, x, unit, gain, dots, n)
        for _ in range(n_steps):
            if square <= enough:
                break
            for f in range(d):
                product[f] = (penalty[u] + diagonal[f]) * p[f]
            add_products(items, vectors, none, slope, p, product, dots)
            curvature = dot(p, product)
            if curvature <= 0:  # only by rounding; NaN propagates
                break
            length = square / curvature
            for f in range(d):
                x[f] += (unit * length) * p[f]
                r[f] -= length * product[f]
            last, square = square, dot(r, r)
            ratio = square / last
            for f in range(d):
                p[f] = r[f] + ratio * p[f]
        going[u] = not square <= enough


@njit(nogil=True, cache=True, fastmath=FAST)
def _normal_equations(items, vectors, gram, penalty, slope, gain, matrix, b):
    """Write A (upper triangle) and b for one row."""
    d = vectors.shape[1]
    for r in range(d):
        row, of_gram = matrix[r, r:], gram[r, r:]
        for f in range(row.shape[0]):
            row[f] = of_gram[f]
        row[0] += penalty
    add_outer_products(items, vectors, slope, matrix)
    missing = -penalty
    for r in range(d):
        missing += LEAST_RIDGE * np.finfo(matrix.dtype).eps * matrix[r, r]
    if missing > 0:  # after rounding, A would have no Cholesky factor
        for r in range(d):
            matrix[r, r] += missing
    b[:] = 0
    for j in range(items.shape[0]):
        y = vectors[items[j]]
        for f in range(d):
            b[f] += gain[j] * y[f]


@njit(nogil=True, cache=True)
def cholesky_rows(problems, out, losses, start, stop):
    """Solve exactly for each row; parameters as in `cg_rows`."""
    (indptr, indices, values, vectors, weight, missing, gram, confidence, penalty, prior) = problems
    d = vectors.shape[1]
    longest = longest_row(indptr, start, stop)
    slope, gain, dots = (
        np.empty(longest, vectors.dtype), np.empty(longest, vectors.dtype),
        np.empty(longest, vectors.dtype),
    )  # fmt: skip
    matrix = np.empty((d, d), vectors.dtype)
    has_prior = prior.shape[0] > 0
    for u in range(start, stop):
        x = out[u]
        items = indices[indptr[u] : indptr[u + 1]]
        losses[u] = 0.0
        if items.shape[0] == 0 and not has_prior:
            x[:] = 0
            continue
        _coefficients(
            items, values[indptr[u] : indptr[u + 1]], weight, missing, confidence, slope, gain
        )
        for j in range(items.shape[0]):
            dots[j] = dot(vectors[items[j]], x)
        losses[u] = _row_loss(items.shape[0], slope, gain, dots)
        _normal_equations(items, vectors, gram, penalty[u], slope, gain, matrix, x)
        if has_prior:
            for f in range(d):
                x[f] += penalty[u] * prior[u, f]
        cholesky(matrix)
        solve_cholesky(matrix, x)


@njit(nogil=True, cache=True)
def explain_rows(problems, targets, out, start, stop):
    """Compute the contribution of each entry of a row to the scores of some items.

    The score of item i is y_i^T A^-1 b: entry j adds (e_j + m_j) y_j^T A^-1 y_i. The prior mean
    is ignored.

    Parameters
    ----------
    problems : skrec.utils._wmf_als.RowProblems
    targets : ndarray of intp of shape (n_rows, m)
        Items i; -1 means no item.
    out : ndarray of shape (m * nnz,), written
        For each row, the values at its entries, once per item i.
    """
    (indptr, indices, values, vectors, weight, missing, gram, confidence, penalty, _) = problems
    d = vectors.shape[1]
    m = targets.shape[1]
    longest = longest_row(indptr, start, stop)
    slope, gain = np.empty(longest, vectors.dtype), np.empty(longest, vectors.dtype)
    matrix = np.empty((d, d), vectors.dtype)
    z = np.empty(d, vectors.dtype)
    for u in range(start, stop):
        first, last = indptr[u], indptr[u + 1]
        items = indices[first:last]
        n = items.shape[0]
        _coefficients(items, values[first:last], weight, missing, confidence, slope, gain)
        _normal_equations(items, vectors, gram, penalty[u], slope, gain, matrix, z)
        cholesky(matrix)
        for t in range(m):
            part = out[m * first + t * n : m * first + (t + 1) * n]
            if targets[u, t] < 0:
                part[:] = 0
                continue
            z[:] = vectors[targets[u, t]]
            solve_cholesky(matrix, z)
            for j in range(n):
                part[j] = gain[j] * dot(vectors[items[j]], z)
