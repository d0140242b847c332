"""numba part of `skrec.neural_network._pair_net`: the rows that a batch reads, and their steps.

A batch reads each row of the tables of users and of items once. Gradients of rows are summed in
the order of the batch, which gives the same bits each time.

Adam moves all rows at each step. A row that no batch reads moves by its momentum alone. The sum
of k such moves has a closed form, which the kernel applies when it next reads the row.
"""

import math
from typing import NamedTuple

import numpy as np

from skrec.utils._compile import njit

ADAM, SPARSE_ADAM, SGD = 0, 1, 2

# Lets the compiler vectorise sums; infinities and NaN keep their meaning.
FAST = {"reassoc", "contract", "nsz", "arcp"}
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8
_LOG1, _LOG2 = math.log(BETA1), math.log(BETA2)
# Factor by which the move of a row shrinks with each step that does not read it.
_RATIO = BETA1 / math.sqrt(BETA2)


class Table(NamedTuple):
    """The vectors of all users or of all items, float32, with Adam's moments.

    Attributes
    ----------
    rows, mean, square : ndarray of shape (n, d)
    seen : ndarray of int64 of shape (n,)
        The step up to which a row is up to date.
    slot : ndarray of int32 of shape (n,)
        Place of a row in the batch; -1 if the batch does not read it.
    """

    rows: np.ndarray
    mean: np.ndarray
    square: np.ndarray
    seen: np.ndarray
    slot: np.ndarray


class Run(NamedTuple):
    """Some interactions, in order, and how to learn from them.

    Attributes
    ----------
    users : ndarray of int64 of shape (n,)
    items : ndarray of int64 of shape (n, 1 + n_negatives)
        The item that the user has, then the negatives.
    weight : ndarray of float32 of shape (n,)
    batch_size, loss, solver : int
    rate, alpha : float
    ahead : ndarray of float64
        The result of `moves_ahead`.
    """

    users: np.ndarray
    items: np.ndarray
    weight: np.ndarray
    batch_size: int
    loss: int
    solver: int
    rate: float
    alpha: float
    ahead: np.ndarray


class Rows(NamedTuple):
    """The rows of a table that a batch reads.

    Attributes
    ----------
    which : ndarray of int64 of shape (n,)
    product, side : ndarray of float32 of shapes (n, product), (n, side)
    """

    which: np.ndarray
    product: np.ndarray
    side: np.ndarray


def moves_ahead(n_steps=20_000):
    r"""The moves left after step t for a row that is read no more, shape (n_steps + 1,).

    In units of the rate times m / sqrt(v) they sum to :math:`S_t = \sum_{j > 0} r^j c_{t+j}` with
    the bias correction :math:`c_t = \sqrt{1 - \beta_2^t} / (1 - \beta_1^t)`, which is 1 after some
    20,000 steps. The first k of these moves sum to :math:`S_t - r^k S_{t+k}`.
    """
    left = _RATIO / (1 - _RATIO)
    ahead = np.empty(n_steps + 1)
    for step in range(n_steps, -1, -1):
        ahead[step] = left
        if step:
            left = _RATIO * (math.sqrt(1 - BETA2**step) / (1 - BETA1**step) + left)
    return ahead


@njit(nogil=True, cache=True, fastmath=FAST)
def _catch_up(table, row, step, rate, ahead):
    """Make up for the steps between the last one that read a row, and `step`."""
    start = table.seen[row]
    missed = step - start
    table.seen[row] = step
    if missed == 0 or start == 0:  # no momentum before the first step
        return
    w, m, v = table.rows[row], table.mean[row], table.square[row]
    one, last = w.dtype.type, ahead.shape[0] - 1
    keep_mean, keep_square = math.exp(missed * _LOG1), math.exp(missed * _LOG2)
    shrunk = keep_mean / math.sqrt(keep_square)
    move = one(rate * (ahead[min(start, last)] - shrunk * ahead[min(step, last)]))
    eps = one(EPS * math.sqrt(1 - math.exp(start * _LOG2)))
    keep_mean, keep_square = one(keep_mean), one(keep_square)
    for f in range(w.shape[0]):
        w[f] -= move * m[f] / (math.sqrt(v[f]) + eps)
        m[f] *= keep_mean
        v[f] *= keep_square


@njit(nogil=True, cache=True)
def catch_up_all(table, step, rate, ahead):
    """Bring all rows to one step."""
    for row in range(table.rows.shape[0]):
        _catch_up(table, row, step, rate, ahead)


@njit(nogil=True, cache=True, fastmath=FAST)
def adam(w, m, v, g, move, eps):
    one = w.dtype.type
    keep, new = one(BETA1), one(1 - BETA1)
    keep_square, new_square = one(BETA2), one(1 - BETA2)
    for f in range(w.shape[0]):
        m[f] = keep * m[f] + new * g[f]
        v[f] = keep_square * v[f] + new_square * g[f] * g[f]
        w[f] -= move * m[f] / (math.sqrt(v[f]) + eps)


@njit(nogil=True, cache=True, fastmath=FAST)
def sgd(w, g, rate):
    for f in range(w.shape[0]):
        w[f] -= rate * g[f]


@njit(nogil=True, cache=True)
def read(table, chosen, slots, widths, step, run):
    """The rows that a batch reads, up to date, and the place of each index among them."""
    most, (g, e) = min(chosen.shape[0], table.rows.shape[0]), widths
    which = np.empty(most, np.int64)
    product = np.empty((most, g), table.rows.dtype)
    side = np.empty((most, e), table.rows.dtype)
    n = 0
    for k in range(chosen.shape[0]):
        row = chosen[k]
        if table.slot[row] < 0:
            table.slot[row] = n
            which[n] = row
            if run.solver == ADAM:
                _catch_up(table, row, step, run.rate, run.ahead)
            for f in range(g):
                product[n, f] = table.rows[row, f]
            for f in range(e):
                side[n, f] = table.rows[row, g + f]
            n += 1
        slots[k] = table.slot[row]
    return Rows(which[:n], product[:n], side[:n])


@njit(nogil=True, cache=True)
def step_rows(table, rows, slope, run, step, moves):
    """Make one step of the rows that a batch has read; `slope` has the shapes of `rows`."""
    g = rows.product.shape[1]
    for k in range(rows.which.shape[0]):
        row = rows.which[k]
        table.slot[row] = -1
        w = table.rows[row]
        if run.solver == SGD:
            sgd(w[:g], slope.product[k], moves[2])
            sgd(w[g:], slope.side[k], moves[2])
        else:
            m, v = table.mean[row], table.square[row]
            adam(w[:g], m[:g], v[:g], slope.product[k], moves[0], moves[1])
            adam(w[g:], m[g:], v[g:], slope.side[k], moves[0], moves[1])
            table.seen[row] = step


@njit(nogil=True, cache=True)
def zeros_like(rows):
    real = rows.side.dtype
    product, side = np.zeros(rows.product.shape, real), np.zeros(rows.side.shape, real)
    return Rows(rows.which, product, side)


@njit(nogil=True, cache=True, fastmath=FAST)
def penalise(run, start, b, rows, slots, slope):
    """alpha / 2 times the squares of the rows that b interactions read; adds its slopes.

    In `slots` each interaction has the same number of places. Returns b times the increase of the
    mean loss.
    """
    s, real = slots.shape[0] // b, slope.side.dtype.type
    n_rows, total = rows.which.shape[0], 0.0
    share = np.zeros(n_rows)
    for k in range(slots.shape[0]):
        share[slots[k]] += run.alpha * run.weight[start + k // s]
    for k in range(n_rows):
        each = real(share[k] / b)
        total += share[k] * _penalised(rows.product[k], each, slope.product[k])
        total += share[k] * _penalised(rows.side[k], each, slope.side[k])
    return total / 2


@njit(nogil=True, cache=True, fastmath=FAST)
def _penalised(row, share, slope):
    """Sum of squares of a row; adds its share of the slope."""
    total = row.dtype.type(0)
    for f in range(row.shape[0]):
        total += row[f] * row[f]
        slope[f] += share * row[f]
    return total
