"""numba part of `skrec.neural_network.ResidualMF`; imported only when it is called.

The interactions come in cells, see `skrec.utils._cells`. Each cell draws from its own stream
(splitmix64, keyed by epoch and cell).
"""

import math

import numpy as np

from skrec.utils._cell_kernels import pick
from skrec.utils._compile import njit
from skrec.utils._mix_kernels import GOLDEN, mix
from skrec.utils._ridge_kernels import (
    FAST,
    add_outer_products,
    add_products,
    cholesky,
    dot,
    kept,
    longest_row,
    solve_cholesky,
)

# Most Newton steps of a row, and most halvings of a step.
_N_STEPS, _N_HALVINGS = 50, 40
# A row's vector is at its minimum when its slope falls below this share of the first slope.
_NEAR = 1e-7


@njit(nogil=True, cache=True)
def draw_samples(users, items, pool, n_negatives, state, sample_user, sample_item):
    """Put interactions and their drawn negatives in a random order.

    Parameters
    ----------
    users, items : ndarray of int32 of shape (n,)
        The interactions of a cell.
    pool : ndarray of int32
        Items to draw from, the user's own items included.
    n_negatives : int
        Negatives of each interaction.
    state : uint64
        State of the cell's stream.
    sample_user, sample_item : ndarray of int32, (n * (1 + n_negatives),) or longer, written
        A negative item i is stored as ``-1 - i``.
    """
    k = 0
    for t in range(users.shape[0]):
        for draw in range(1 + n_negatives):
            item = np.int64(items[t])
            if draw > 0:
                state += GOLDEN
                item = -1 - np.int64(pool[pick(state, pool.shape[0])])
            # Fisher and Yates: the new sample takes a random place, the old one moves to the end.
            state += GOLDEN
            place = pick(state, k + 1)
            sample_user[k], sample_item[k] = sample_user[place], sample_item[place]
            sample_user[place], sample_item[place] = users[t], item
            k += 1


# Inlined: as a separate function, a process that compiles it and one that loads it from the cache
# would link copies that sum in different orders.
@njit(nogil=True, cache=True, fastmath=FAST, inline="always")
def logistic_steps(users, items, n, model, b, rate, alpha):
    """One step down on each sample in turn; returns the sum of the losses, and the intercept.

    A sample with the output y has the loss ln(1 + e^-y), or ln(1 + e^y) for a negative, and
    alpha / 2 times the squares of the parameters in y. The item's step sees the user's vector
    after its own step.
    """
    P, Q, of_users, of_items = model
    one = P.dtype.type(1)
    keep = kept(one, rate, alpha)
    total = 0.0
    for k in range(n):
        u, i = users[k], items[k]
        target = one
        if i < 0:
            i, target = -1 - i, one - one
        p, q = P[u], Q[i]
        y = dot(p, q) + of_users[u] + of_items[i] + b
        e = P.dtype.type(math.exp(-abs(y)))
        chance = (one if y > 0 else e) / (one + e)
        # Minus ln of the probability of the sample's label.
        total += math.log(1.0 + e) + max(y, one - one) - target * y
        step = rate * (target - chance)
        for f in range(p.shape[0]):
            pf = keep * p[f] + step * q[f]
            p[f] = pf
            q[f] = keep * q[f] + step * pf
        of_users[u] = keep * of_users[u] + step
        of_items[i] = keep * of_items[i] + step
        b = keep * b + step
    return total, b


@njit(nogil=True, cache=True, fastmath=FAST)
def train_cells(
    model, intercept, of_cells, n_negatives, rate, alpha, cells, dealt, pools, key, totals, start,
    stop,
):  # fmt: skip
    """One pass over the interactions of ``cells[start:stop]``.

    Parameters
    ----------
    model : tuple of ndarray of float32
        User vectors, item vectors, user biases, item biases.
    intercept : ndarray of float32 of shape (1,)
        The intercept that each cell starts with.
    of_cells : ndarray of float32 of shape (n_cells,), written
        The intercept that each cell ends with.
    n_negatives : int
    rate, alpha : float32
    cells, dealt, pools, key, totals, start, stop
        See `skrec.utils._cells.Cells.train`.
    """
    bounds, cell_user, cell_item = dealt
    pool_items, pool_bounds, _ = pools
    n_blocks = pool_bounds.shape[0] - 1
    size = 0
    for c in range(start, stop):
        size = max(size, bounds[cells[c] + 1] - bounds[cells[c]])
    sample_user = np.empty(size * (1 + n_negatives), dtype=np.int32)
    sample_item = np.empty(size * (1 + n_negatives), dtype=np.int32)
    for c in range(start, stop):
        cell = cells[c]
        first, last = bounds[cell], bounds[cell + 1]
        pool = pool_items[pool_bounds[cell % n_blocks] : pool_bounds[cell % n_blocks + 1]]
        state = mix(key + np.uint64(cell) * GOLDEN)
        draw_samples(
            cell_user[first:last], cell_item[first:last], pool, n_negatives, state, sample_user,
            sample_item,
        )  # fmt: skip
        n = (last - first) * (1 + n_negatives)
        totals[cell], of_cells[cell] = logistic_steps(
            sample_user, sample_item, n, model, intercept[0], rate, alpha
        )


@njit(nogil=True, cache=True, fastmath=FAST)
def _outputs(rows, vectors, offset, v, out):
    """Write ``out[j] = offset[i] + y_i . v`` for the items i in `rows`."""
    for j in range(rows.shape[0]):
        out[j] = offset[rows[j]] + dot(vectors[rows[j]], v)


@njit(nogil=True, cache=True)
def _softplus(x):
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


@njit(nogil=True, cache=True)
def _sigmoid(x):
    e = math.exp(-abs(x))
    return (1.0 if x > 0 else e) / (1.0 + e)


@njit(nogil=True, cache=True)
def _combine(out, a, x, b, y):
    """Write ``out = a * x + b * y``; array expressions would take seconds to compile."""
    for f in range(out.shape[0]):
        out[f] = a * x[f] + b * y[f]


@njit(nogil=True, cache=True)
def _value(own, others, each, penalty, v):
    """The objective of a row, from the outputs of its items and of the others."""
    total = 0.0
    for j in range(own.shape[0]):
        total += _softplus(-own[j])
    total /= own.shape[0]
    for j in range(others.shape[0]):
        total += each * _softplus(others[j])
    return total + penalty / 2 * dot(v, v)


@njit(nogil=True, cache=True)
def mean_curvature(vectors, offset, sample, n_negatives, alpha):
    """Cholesky factor of an approximate Hessian of a row: at v = 0, for likely items.

    `fold_in_rows` describes the parameters.

    Returns
    -------
    upper : ndarray of float64 of shape (d, d)
        The upper triangle.
    """
    d, n_sample = vectors.shape[1], sample.shape[0]
    slope, total = np.empty(n_sample), 1e-300
    for j in range(n_sample):
        total += _sigmoid(offset[sample[j]])
    for j in range(n_sample):
        chance = _sigmoid(offset[sample[j]])
        slope[j] = (chance / total + n_negatives / n_sample) * chance * (1.0 - chance)
    matrix = np.zeros((d, d))
    add_outer_products(sample, vectors, slope, matrix)
    for f in range(d):
        matrix[f, f] += alpha * (1.0 + n_negatives)
    cholesky(matrix)
    return matrix


@njit(nogil=True, cache=True)
def _conjugate_gradients(groups, penalty, upper, slope, out, work):
    """Solve (sum of the groups' sum_j c_j y_j y_j^T + penalty) out = -slope, roughly.

    The residual falls to the slope's length times its root, or times .1 if that is less: so
    Newton's steps converge superlinearly. `mean_curvature` preconditions.
    """
    own, of_own, others, of_others, vectors = groups
    residual, direction, product, near, zeros, dots = work
    _combine(out, 0.0, slope, 0.0, slope)
    _combine(residual, -1.0, slope, 0.0, slope)
    length = math.sqrt(dot(residual, residual))
    wanted = min(0.1, math.sqrt(length)) * length
    _combine(near, 1.0, residual, 0.0, residual)
    solve_cholesky(upper, near)
    _combine(direction, 1.0, near, 0.0, near)
    square = dot(residual, near)
    for _ in range(2 * slope.shape[0]):
        _combine(product, penalty, direction, 0.0, direction)
        add_products(own, vectors, zeros, of_own, direction, product, dots)
        add_products(others, vectors, zeros, of_others, direction, product, dots)
        curvature = dot(direction, product)
        if not curvature > 0:
            break
        step = square / curvature
        _combine(out, 1.0, out, step, direction)
        _combine(residual, 1.0, residual, -step, product)
        if dot(residual, residual) <= wanted * wanted:
            break
        _combine(near, 1.0, residual, 0.0, residual)
        solve_cholesky(upper, near)
        before, square = square, dot(residual, near)
        _combine(direction, 1.0, near, square / before, direction)


@njit(nogil=True, cache=True)
def fold_in_rows(
    indptr, indices, vectors, offset, sample, upper, n_negatives, alpha, out, start, stop
):
    """The vectors of rows that minimise the training objective per item of a row, items fixed.

    With the offsets o, the items' vectors y and the sample S, Newton's method minimises
    mean_i ln(1 + e^-(o_i + y_i . v)) + m mean_{j in S} ln(1 + e^(o_j + y_j . v))
    + alpha (1 + m) / 2 |v|^2.

    Parameters
    ----------
    indptr, indices : ndarray
        Rows of a CSR matrix.
    vectors : ndarray of float64 of shape (n_items, d)
        y.
    offset : ndarray of float64 of shape (n_items,)
        o.
    sample : ndarray of intp of shape (n_sample,)
        S.
    upper : ndarray of float64 of shape (d, d)
        See `mean_curvature`.
    n_negatives : int
        m.
    alpha : float
    out : ndarray of float64 of shape (n_rows, d), written
        v; zeros for rows without items.
    """
    d, n_sample = vectors.shape[1], sample.shape[0]
    longest = max(longest_row(indptr, start, stop), n_sample)
    each, penalty = n_negatives / n_sample, alpha * (1.0 + n_negatives)
    of_others, slopes, zeros, dots = (
        np.empty(n_sample), np.empty(longest), np.zeros(longest), np.empty(longest),
    )  # fmt: skip
    others, tried_others = np.empty(n_sample), np.empty(n_sample)
    slope, step, trial = np.empty(d), np.empty(d), np.empty(d)
    work = (np.empty(d), np.empty(d), np.empty(d), np.empty(d), zeros, dots)
    for u in range(start, stop):
        v = out[u]
        for f in range(d):
            v[f] = 0
        items = indices[indptr[u] : indptr[u + 1]]
        n = items.shape[0]
        if n == 0:
            continue
        own, tried_own, of_own = np.empty(n), np.empty(n), np.empty(n)
        _outputs(items, vectors, offset, v, own)
        _outputs(sample, vectors, offset, v, others)
        value, first = _value(own, others, each, penalty, v), 0.0
        for n_steps in range(_N_STEPS):
            _combine(slope, penalty, v, 0.0, v)
            for j in range(n):
                chance = _sigmoid(own[j])
                slopes[j], of_own[j] = (chance - 1.0) / n, chance * (1.0 - chance) / n
            add_products(items, vectors, slopes, zeros, v, slope, dots)
            for j in range(n_sample):
                chance = _sigmoid(others[j])
                slopes[j], of_others[j] = each * chance, each * chance * (1.0 - chance)
            add_products(sample, vectors, slopes, zeros, v, slope, dots)
            length = math.sqrt(dot(slope, slope))
            first = length if n_steps == 0 else first
            if not length > _NEAR * first:
                break
            groups = (items, of_own, sample, of_others, vectors)
            _conjugate_gradients(groups, penalty, upper, slope, step, work)
            share, fell = 1.0, False
            for _ in range(_N_HALVINGS):
                _combine(trial, 1.0, v, share, step)
                _outputs(items, vectors, offset, trial, tried_own)
                _outputs(sample, vectors, offset, trial, tried_others)
                tried = _value(tried_own, tried_others, each, penalty, trial)
                if tried <= value + 1e-4 * share * dot(slope, step):
                    fell = True
                    break
                share /= 2
            if not fell:
                break
            _combine(v, 1.0, trial, 0.0, trial)
            _combine(own, 1.0, tried_own, 0.0, tried_own)
            _combine(others, 1.0, tried_others, 0.0, tried_others)
            value = tried
