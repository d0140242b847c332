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
# This many factors of at most 2 multiply without overflow, see train_cells.
_FLUSH = 500


@njit(nogil=True, cache=True, fastmath=_FAST)
def _dot(a, b):
    total = a.dtype.type(0)
    for f in range(a.shape[0]):
        total += a[f] * b[f]
    return total


@njit(nogil=True, cache=True, fastmath=_FAST, inline="always")
def _margin(P, Q, u, i, j):
    """p . (a - b), |a - b|^2 and |p|^2 of the vectors of the triplet (u, i, j)."""
    zero = P.dtype.type(0)
    margin, distance, norm = zero, zero, zero
    for f in range(P.shape[1]):
        p, away = P[u, f], Q[i, f] - Q[j, f]
        margin += p * away
        distance += away * away
        norm += p * p
    return margin, distance, norm


@njit(nogil=True, cache=True, fastmath=_FAST, inline="always")
def _learn(u, i, j, terms, P, Q, bias, of_users, of_items, settings):
    """One step down the gradient of the triplet (u, i, j).

    `terms` are minus the slope of its loss, and the squares of `_margin`. Adagrad has one
    accumulator for a whole vector: the mean square of its gradients.
    """
    slope, distance, norm = terms
    rate, alpha, adaptive = settings
    one = P.dtype.type(1)
    step_p, step_a, step_b = rate, rate, rate
    if adaptive:
        d = P.dtype.type(P.shape[1])
        of_users[u] += slope * slope * distance / d
        added = slope * slope * (norm + one) / (d + one)
        of_items[i] += added
        of_items[j] += added
        step_p = rate / math.sqrt(of_users[u])
        step_a, step_b = rate / math.sqrt(of_items[i]), rate / math.sqrt(of_items[j])
    keep_p, keep_a = kept(one, step_p, alpha), kept(one, step_a, alpha)
    keep_b = kept(one, step_b, alpha)
    step_p, step_a, step_b = step_p * slope, step_a * slope, step_b * slope
    for f in range(P.shape[1]):
        p, a, b = P[u, f], Q[i, f], Q[j, f]
        P[u, f] = keep_p * p + step_p * (a - b)
        Q[i, f] = keep_a * a + step_a * p
        Q[j, f] = keep_b * b - step_b * p
    bias[i] = keep_a * bias[i] + step_a
    bias[j] = keep_b * bias[j] - step_b


@njit(nogil=True, cache=True, fastmath=_FAST)
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
    # Arrays are unpacked here, and no row is sliced below: either would count references for each
    # interaction.
    loss, harmonic, max_sampled, rate, alpha, adaptive = descent
    P, Q, bias, of_users, of_items = model
    bounds, cell_user, cell_item = dealt
    pool_items, pool_bounds, sizes = pools
    n_blocks = pool_bounds.shape[0] - 1
    settings = (rate, alpha, adaptive)
    one = P.dtype.type(1)
    most = max_sampled if loss == WARP else 1
    mark = np.full(Q.shape[0], -1, dtype=np.int32)
    for c in range(start, stop):
        cell = cells[c]
        block = cell % n_blocks
        lowest, n_pool = pool_bounds[block], pool_bounds[block + 1] - pool_bounds[block]
        state = mix(key + np.uint64(cell) * GOLDEN)
        # The logarithm of a product sums the log losses log(1 + e).
        total, product, n_factors = 0.0, 1.0, 0
        first, last = bounds[cell], bounds[cell + 1]
        while first < last:
            u = cell_user[first]
            end = first
            while end < last and cell_user[end] == u:
                mark[cell_item[end]] = u
                end += 1
            begin, first = first, end
            if end - begin == sizes[block]:
                continue  # the user has the whole block, so it has no negative
            for t in range(begin, end):
                i = cell_item[t]
                n_draws = 0
                while n_draws < most:
                    state += GOLDEN
                    j = pool_items[lowest + pick(state, n_pool)]
                    if mark[j] == u:
                        continue
                    n_draws += 1
                    x, distance, norm = _margin(P, Q, u, i, j)
                    x += bias[i] - bias[j]
                    slope = P.dtype.type(0)
                    if loss == LOG:
                        e = P.dtype.type(math.exp(-abs(x)))
                        slope = (e if x > 0 else one) / (one + e)
                        total += max(-x, P.dtype.type(0))
                        product *= 1.0 + e
                        n_factors += 1
                        if n_factors == _FLUSH:
                            total += math.log(product)
                            product, n_factors = 1.0, 0
                    elif loss == HINGE:
                        slope = one if x < one else P.dtype.type(0)
                        total += max(one - x, P.dtype.type(0))
                    elif x < one:
                        slope = harmonic[(Q.shape[0] - 1) // n_draws]
                        total += slope * (one - x)
                        n_draws = most
                    else:
                        continue  # WARP steps at a violating draw only, margin included
                    terms = (slope, distance, norm)
                    _learn(u, i, j, terms, P, Q, bias, of_users, of_items, settings)
        totals[cell] = total + math.log(product)


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
                    distance = out.dtype.type(0)
                    for f in range(p.shape[0]):
                        distance += (a[f] - b[f]) * (a[f] - b[f])
                    square += slope * slope * distance / p.shape[0]
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
