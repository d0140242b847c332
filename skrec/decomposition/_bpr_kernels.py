"""numba part of `skrec.decomposition._bpr_sgd`; imported only when it is called.

The interactions come in cells, see `skrec.utils._cells`. Each cell draws from a stream of its
own (splitmix64, keyed by epoch and cell).
"""

import math

import numpy as np

from skrec.utils._cell_kernels import pick
from skrec.utils._compile import njit
from skrec.utils._mix_kernels import GOLDEN, mix
from skrec.utils._ridge_kernels import kept

LOG, HINGE, WARP = 0, 1, 2

# These flags vectorise sums; infinities and NaN keep their meaning.
_FAST = {"reassoc", "contract", "nsz", "arcp"}
# This many factors of at most 2 multiply without overflow, see _pairwise_run.
_FLUSH = 500


@njit(nogil=True, cache=True, fastmath=_FAST)
def _dot(a, b):
    total = a.dtype.type(0)
    for f in range(a.shape[0]):
        total += a[f] * b[f]
    return total


@njit(nogil=True, cache=True, fastmath=_FAST, inline="always")
def _margin(p, a, b):
    """p . (a - b)"""
    total = p.dtype.type(0)
    for f in range(p.shape[0]):
        total += p[f] * (a[f] - b[f])
    return total


@njit(nogil=True, cache=True, fastmath=_FAST, inline="always")
def _squares(p, a, b):
    """|a - b|^2 and |p|^2"""
    distance, norm = p.dtype.type(0), p.dtype.type(0)
    for f in range(p.shape[0]):
        distance += (a[f] - b[f]) * (a[f] - b[f])
        norm += p[f] * p[f]
    return distance, norm


@njit(nogil=True, cache=True, fastmath=_FAST, inline="always")
def _descend(p, a, b, slope, step_p, step_a, step_b, alpha):
    """Step down the gradient of -slope * p . (a - b) + alpha / 2 (|p|^2 + |a|^2 + |b|^2)."""
    one = p.dtype.type(1)
    keep_p = kept(one, step_p, alpha)
    keep_a, keep_b = kept(one, step_a, alpha), kept(one, step_b, alpha)
    step_p, step_a, step_b = step_p * slope, step_a * slope, step_b * slope
    for f in range(p.shape[0]):
        pf, af, bf = p[f], a[f], b[f]
        p[f] = keep_p * pf + step_p * (af - bf)
        a[f] = keep_a * af + step_a * pf
        b[f] = keep_b * bf - step_b * pf


@njit(nogil=True, cache=True, fastmath=_FAST, inline="always")
def _learn(u, i, j, slope, P, Q, bias, of_users, of_items, rate, alpha, adaptive):
    """One step on the triplet (u, i, j), given minus the derivative of its loss.

    Adagrad has one accumulator for a whole vector: the mean square of its gradients.
    """
    p, a, b = P[u], Q[i], Q[j]
    one = p.dtype.type(1)
    step_u, step_i, step_j = rate, rate, rate
    if adaptive:
        distance, norm = _squares(p, a, b)
        d = p.dtype.type(p.shape[0])
        of_users[u] += slope * slope * distance / d
        added = slope * slope * (norm + one) / (d + one)
        of_items[i] += added
        of_items[j] += added
        step_u = rate / math.sqrt(of_users[u])
        step_i, step_j = rate / math.sqrt(of_items[i]), rate / math.sqrt(of_items[j])
    _descend(p, a, b, slope, step_u, step_i, step_j, alpha)
    bias[i] = kept(one, step_i, alpha) * bias[i] + step_i * slope
    bias[j] = kept(one, step_j, alpha) * bias[j] - step_j * slope


@njit(nogil=True, cache=True, fastmath=_FAST)
def _pairwise_run(u, items, pool, mark, state, descent, model):
    """Log loss or hinge on the interactions of one user in one cell; sums the losses.

    The logarithm of a product sums the log losses log(1 + e).
    """
    loss, _, _, rate, alpha, adaptive = descent
    P, Q, bias, of_users, of_items = model
    one = P.dtype.type(1)
    total, product = 0.0, 1.0
    for t in range(items.shape[0]):
        i = items[t]
        while True:
            state += GOLDEN
            j = pool[pick(state, pool.shape[0])]
            if mark[j] != u:
                break
        x = _margin(P[u], Q[i], Q[j]) + bias[i] - bias[j]
        if loss == LOG:
            e = P.dtype.type(math.exp(-abs(x)))
            slope = (e if x > 0 else one) / (one + e)
            total += max(-x, P.dtype.type(0))
            product *= 1.0 + e
        else:
            slope = one if x < one else P.dtype.type(0)
            total += max(one - x, P.dtype.type(0))
        if t % _FLUSH == _FLUSH - 1:
            total += math.log(product)
            product = 1.0
        _learn(u, i, j, slope, P, Q, bias, of_users, of_items, rate, alpha, adaptive)
    return total + math.log(product), state


@njit(nogil=True, cache=True, fastmath=_FAST)
def _warp_run(u, items, pool, mark, state, descent, model):
    """WARP on the interactions of one user in one cell; sums the weighted hinges.

    An item without a violating draw, margin included, gets no step.
    """
    _, harmonic, max_sampled, rate, alpha, adaptive = descent
    P, Q, bias, of_users, of_items = model
    one = P.dtype.type(1)
    total = 0.0
    for t in range(items.shape[0]):
        i = items[t]
        positive = _dot(P[u], Q[i]) + bias[i]
        n_draws = 0
        while n_draws < max_sampled:
            state += GOLDEN
            j = pool[pick(state, pool.shape[0])]
            if mark[j] == u:
                continue
            n_draws += 1
            x = positive - _dot(P[u], Q[j]) - bias[j]
            if x < one:
                weight = harmonic[(Q.shape[0] - 1) // n_draws]
                total += weight * (one - x)
                _learn(u, i, j, weight, P, Q, bias, of_users, of_items, rate, alpha, adaptive)
                break
    return total, state


@njit(nogil=True, cache=True)
def train_cells(descent, model, cells, dealt, pools, key, totals, start, stop):
    """One pass over the interactions of ``cells[start:stop]``.

    Parameters
    ----------
    descent : skrec.decomposition._bpr_sgd.Descent
    model : skrec.decomposition._bpr_sgd.Model
    cells : ndarray of int64
        Cells that share no block.
    dealt : skrec.utils._cells.Dealt
    pools : skrec.utils._cells.Pools
    key : uint64
        Key of the epoch.
    totals : ndarray of shape (n_blocks**2,), written
        Sum of the losses of each cell.
    """
    bounds, cell_user, cell_item = dealt
    pool_items, pool_bounds, sizes = pools
    n_blocks = pool_bounds.shape[0] - 1
    mark = np.full(model.item_factors.shape[0], -1, dtype=np.int32)
    for c in range(start, stop):
        cell = cells[c]
        pool = pool_items[pool_bounds[cell % n_blocks] : pool_bounds[cell % n_blocks + 1]]
        state = mix(key + np.uint64(cell) * GOLDEN)
        total = 0.0
        first, last = bounds[cell], bounds[cell + 1]
        while first < last:
            u = cell_user[first]
            end = first
            while end < last and cell_user[end] == u:
                mark[cell_item[end]] = u
                end += 1
            items = cell_item[first:end]
            first = end
            if items.shape[0] == sizes[cell % n_blocks]:
                continue  # the user has the whole block, so it has no negative
            if descent.loss == WARP:
                loss_of_run, state = _warp_run(u, items, pool, mark, state, descent, model)
            else:
                loss_of_run, state = _pairwise_run(u, items, pool, mark, state, descent, model)
            total += loss_of_run
        totals[cell] = total


@njit(nogil=True, cache=True, fastmath=_FAST)
def fold_in_rows(indptr, indices, negatives, items, descent, out, start, stop):
    """Train the vectors of new users, items frozen: one pass per rate over their own items.

    Parameters
    ----------
    indptr, indices : ndarray
        Rows of the new users.
    negatives : ndarray of intp of shape (n_rows, n_draws)
        Drawn once for each row and used in turn; -1 for a row that has every item.
    items : tuple of ndarray of shape (n_items, d) and (n_items,)
        Factors and biases of the items.
    descent : skrec.decomposition._bpr_sgd.Descent
        With the learning rate of each pass.
    out : ndarray of shape (n_rows, d), written
    """
    item_factors, bias = items
    loss, harmonic, max_sampled, rates, alpha, adaptive = descent
    one = out.dtype.type(1)
    n_draws = negatives.shape[1]
    for u in range(start, stop):
        p = out[u]
        p[:] = 0
        if negatives[u, 0] < 0:
            continue
        square = 1.0
        turn = 0
        for n in range(rates.shape[0]):
            for t in range(indptr[u], indptr[u + 1]):
                i = indices[t]
                positive = _dot(p, item_factors[i]) + bias[i]
                slope = out.dtype.type(0)
                for n_tried in range(1, (max_sampled if loss == WARP else 1) + 1):
                    j = negatives[u, turn]
                    turn = turn + 1 if turn + 1 < n_draws else 0
                    x = positive - _dot(p, item_factors[j]) - bias[j]
                    slope = _slope(x, loss)
                    if loss == WARP and slope > 0:
                        slope = harmonic[(item_factors.shape[0] - 1) // n_tried]
                        break
                if loss == WARP and slope == 0:
                    continue
                a, b = item_factors[i], item_factors[j]
                step = rates[n]
                if adaptive:
                    square += slope * slope * _squares(p, a, b)[0] / p.shape[0]
                    step = out.dtype.type(rates[n] / math.sqrt(square))
                keep = kept(one, step, alpha)
                for f in range(p.shape[0]):
                    p[f] = keep * p[f] + step * slope * (a[f] - b[f])


@njit(nogil=True, cache=True, inline="always")
def _slope(x, loss):
    """Minus the derivative of the loss by the margin x; for WARP without its weight."""
    if loss != LOG:
        return 1 if x < 1 else 0
    e = math.exp(-abs(x))
    return (e if x > 0 else 1) / (1 + e)
