"""numba part of `skrec.neural_network._pair_net`: batches of pairs through a network, and back.

A batch reads each row of the tables of users and of items once: the first layer is a half of the
user plus a half of the item, W [p; q] = A_u + C_i, so its products are made for each user and
each item of the batch and not for each pair. Gradients of rows are summed in the order of the
batch: the same bits each time.

Adam is that of all rows at each step. A row that no batch reads moves on by its momentum alone:
what k such steps come to is known in closed form, and is made up for when the row is next read.
"""

import math
from typing import NamedTuple

import numpy as np

from skrec.neural_network._pair_loss_kernels import pair_loss
from skrec.utils._compile import njit

ADAM, SPARSE_ADAM, SGD = 0, 1, 2

# What lets sums be vectorised; infinities and NaN keep their meaning.
FAST = {"reassoc", "contract", "nsz", "arcp"}
_BETA1, _BETA2, _EPS = 0.9, 0.999, 1e-8
_LOG1, _LOG2 = math.log(_BETA1), math.log(_BETA2)
# By so much the move of a row shrinks with each step that does not read it.
_RATIO = _BETA1 / math.sqrt(_BETA2)


class Sizes(NamedTuple):
    """Widths of the network.

    Attributes
    ----------
    product : int
        Of the vectors that are multiplied (GMF's), the first part of a row.
    side : int
        Of the vectors that the perceptron reads, the rest of a row.
    layers : ndarray of int64 of shape (n_layers,)
    """

    product: int
    side: int
    layers: np.ndarray


class Table(NamedTuple):
    """The vectors of all users or of all items, float32, with Adam's moments.

    Attributes
    ----------
    rows, mean, square : ndarray of shape (n, d)
    seen : ndarray of int64 of shape (n,)
        The step until which a row is up to date.
    slot : ndarray of int32 of shape (n,)
        Place of a row in the batch; -1 for those that it does not read.
    """

    rows: np.ndarray
    mean: np.ndarray
    square: np.ndarray
    seen: np.ndarray
    slot: np.ndarray


class Dense(NamedTuple):
    """All other parameters, one after another, float32.

    The user half (h_1, side) and the item half of the first layer and its bias; the weight
    (h_l, h_{l-1}) and the bias of each further layer; the prediction's weights of the product and
    of the last layer, and its bias.

    Attributes
    ----------
    values, mean, square, slope : ndarray of shape (n,)
    """

    values: np.ndarray
    mean: np.ndarray
    square: np.ndarray
    slope: np.ndarray


class Run(NamedTuple):
    """Some interactions, in order, and how to learn from them.

    Attributes
    ----------
    users : ndarray of int64 of shape (n,)
    items : ndarray of int64 of shape (n, 1 + n_negatives)
        The item that the user has, and others.
    weight : ndarray of float32 of shape (n,)
    batch_size, loss, solver : int
    rate, alpha : float
    ahead : ndarray of float64
        `moves_ahead`.
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
    r"""What is left to move after step t of a row that is read no more, shape (n_steps + 1,).

    In units of the rate times m / sqrt(v) it is :math:`S_t = \sum_{j > 0} r^j c_{t+j}` with the
    correction of bias :math:`c_t = \sqrt{1 - \beta_2^t} / (1 - \beta_1^t)`, which is 1 after some
    20,000 steps. The first k of these steps move it by :math:`S_t - r^k S_{t+k}`.
    """
    left = _RATIO / (1 - _RATIO)
    ahead = np.empty(n_steps + 1)
    for step in range(n_steps, -1, -1):
        ahead[step] = left
        if step:
            left = _RATIO * (math.sqrt(1 - _BETA2**step) / (1 - _BETA1**step) + left)
    return ahead


@njit(nogil=True, cache=True, fastmath=FAST)
def _catch_up(table, row, step, rate, ahead):
    """Make up for the steps between the last one that read a row and `step`."""
    start = table.seen[row]
    missed = step - start
    table.seen[row] = step
    if missed == 0 or start == 0:  # before its first step it has no momentum
        return
    w, m, v = table.rows[row], table.mean[row], table.square[row]
    one, last = w.dtype.type, ahead.shape[0] - 1
    keep_mean, keep_square = math.exp(missed * _LOG1), math.exp(missed * _LOG2)
    shrunk = keep_mean / math.sqrt(keep_square)
    move = one(rate * (ahead[min(start, last)] - shrunk * ahead[min(step, last)]))
    eps = one(_EPS * math.sqrt(1 - math.exp(start * _LOG2)))
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
def _adam(w, m, v, g, move, eps):
    one = w.dtype.type
    keep, new = one(_BETA1), one(1 - _BETA1)
    keep_square, new_square = one(_BETA2), one(1 - _BETA2)
    for f in range(w.shape[0]):
        m[f] = keep * m[f] + new * g[f]
        v[f] = keep_square * v[f] + new_square * g[f] * g[f]
        w[f] -= move * m[f] / (math.sqrt(v[f]) + eps)


@njit(nogil=True, cache=True, fastmath=FAST)
def _sgd(w, g, rate):
    for f in range(w.shape[0]):
        w[f] -= rate * g[f]


@njit(nogil=True, cache=True)
def _read(table, chosen, slots, sizes, step, run):
    """The rows that a batch reads, up to date, and the place of each choice among them."""
    most, g = min(chosen.shape[0], table.rows.shape[0]), sizes.product
    which = np.empty(most, np.int64)
    product = np.empty((most, g), table.rows.dtype)
    side = np.empty((most, sizes.side), table.rows.dtype)
    n = 0
    for k in range(chosen.shape[0]):
        row = chosen[k]
        if table.slot[row] < 0:
            table.slot[row] = n
            which[n] = row
            if run.solver == ADAM:
                _catch_up(table, row, step, run.rate, run.ahead)
            w = table.rows[row]
            product[n] = w[:g]
            side[n] = w[g:]
            n += 1
        slots[k] = table.slot[row]
    return Rows(which[:n], product[:n], side[:n])


@njit(nogil=True, cache=True)
def _step_rows(table, rows, slope, run, step, moves):
    """One step of the rows that a batch has read; `slope` has the shapes of `rows`."""
    g = rows.product.shape[1]
    for k in range(rows.which.shape[0]):
        row = rows.which[k]
        table.slot[row] = -1
        w = table.rows[row]
        if run.solver == SGD:
            _sgd(w[:g], slope.product[k], moves[2])
            _sgd(w[g:], slope.side[k], moves[2])
        else:
            m, v = table.mean[row], table.square[row]
            _adam(w[:g], m[:g], v[:g], slope.product[k], moves[0], moves[1])
            _adam(w[g:], m[g:], v[g:], slope.side[k], moves[0], moves[1])
            table.seen[row] = step


@njit(nogil=True, cache=True, inline="always")
def part(flat, start, rows, columns):
    """A matrix within a flat array."""
    return flat[start : start + rows * columns].reshape(rows, columns)


@njit(nogil=True, cache=True, fastmath=FAST)
def _first_layer(of_users, of_items, user, item, hidden):
    """relu(A_u + C_i) of each pair."""
    for n in range(hidden.shape[0]):
        a, c, h = of_users[user[n]], of_items[item[n]], hidden[n]
        for f in range(h.shape[0]):
            z = a[f] + c[f]
            h[f] = z if z > 0 else 0


@njit(nogil=True, cache=True, fastmath=FAST)
def relu_plus(z, bias):
    """relu(z + bias), in place."""
    for n in range(z.shape[0]):
        for f in range(z.shape[1]):
            x = z[n, f] + bias[f]
            z[n, f] = x if x > 0 else 0


@njit(nogil=True, cache=True, fastmath=FAST)
def masked(slope, hidden):
    """Slopes before a ReLU from those behind it, in place."""
    for n in range(slope.shape[0]):
        for f in range(slope.shape[1]):
            slope[n, f] = slope[n, f] if hidden[n, f] > 0 else 0


@njit(nogil=True, cache=True, fastmath=FAST)
def _add_column_sums(matrix, total):
    for n in range(matrix.shape[0]):
        for f in range(matrix.shape[1]):
            total[f] += matrix[n, f]


@njit(nogil=True, cache=True)
def _halves(rows, weight):
    found = np.empty((rows.shape[0], weight.shape[0]), rows.dtype)
    np.dot(rows, weight.T, found)
    return found


@njit(nogil=True, cache=True)
def _forward(values, sizes, users, items, user, item):
    """Hidden layers of the pairs, flat and one after another, and the outputs."""
    layers, e, n = sizes.layers, sizes.side, user.shape[0]
    width = layers[0]
    of_users = _halves(users.side, part(values, 0, width, e))
    of_items = _halves(items.side, part(values, width * e, width, e))
    start = 2 * width * e
    of_users += values[start : start + width]
    hiddens = np.empty(n * layers.sum(), values.dtype)
    hidden = part(hiddens, 0, n, width)
    _first_layer(of_users, of_items, user, item, hidden)
    start, done = start + width, n * width
    for layer in range(1, layers.shape[0]):
        before, width = width, layers[layer]
        further = part(hiddens, done, n, width)
        np.dot(hidden, part(values, start, width, before).T, further)
        start += width * before
        relu_plus(further, values[start : start + width])
        start, done, hidden = start + width, done + n * width, further
    y = np.empty(n, values.dtype)
    _predict(values[start:], users.product, items.product, user, item, hidden, y)
    return hiddens, y


@njit(nogil=True, cache=True, fastmath=FAST)
def _predict(values, p, q, user, item, hidden, y):
    g, width = p.shape[1], hidden.shape[1]
    for n in range(y.shape[0]):
        a, c, h = p[user[n]], q[item[n]], hidden[n]
        total = values[g + width]
        for f in range(g):
            total += values[f] * a[f] * c[f]
        for f in range(width):
            total += values[g + f] * h[f]
        y[n] = total


@njit(nogil=True, cache=True, fastmath=FAST)
def _back_from_outputs(slope, values, rows, pairs, hidden, found, of_values, of_hidden):
    """Through the prediction: adds to the slopes of products and weights, writes `of_hidden`."""
    (users, items), (user, item), (of_users, of_items) = rows, pairs, found
    g, width = users.product.shape[1], hidden.shape[1]
    for n in range(slope.shape[0]):
        s, h, back = slope[n], hidden[n], of_hidden[n]
        p, q = users.product[user[n]], items.product[item[n]]
        of_p, of_q = of_users.product[user[n]], of_items.product[item[n]]
        for f in range(g):
            of_p[f] += s * values[f] * q[f]
            of_q[f] += s * values[f] * p[f]
            of_values[f] += s * p[f] * q[f]
        for f in range(width):
            of_values[g + f] += s * h[f]
            back[f] = s * values[g + f] if h[f] > 0 else 0
        of_values[g + width] += s


@njit(nogil=True, cache=True, fastmath=FAST)
def _back_to_rows(slope, user, item, of_users, of_items):
    for n in range(slope.shape[0]):
        s, a, c = slope[n], of_users[user[n]], of_items[item[n]]
        for f in range(s.shape[0]):
            a[f] += s[f]
            c[f] += s[f]


@njit(nogil=True, cache=True)
def _backward(dense, sizes, rows, pairs, hiddens, slope):
    """Slopes of the rows, by those of the outputs; those of all else go to ``dense.slope``."""
    layers, e, n, (users, items) = sizes.layers, sizes.side, slope.shape[0], rows
    values, of_values = dense.values, dense.slope
    of_values[:] = 0
    found = (_zeros_like(users), _zeros_like(items))
    width, done = layers[-1], n * layers.sum() - n * layers[-1]
    start = values.shape[0] - (sizes.product + width + 1)
    hidden, back = part(hiddens, done, n, width), np.empty((n, width), values.dtype)
    _back_from_outputs(
        slope, values[start:], rows, pairs, hidden, found, of_values[start:], back
    )
    for layer in range(layers.shape[0] - 1, 0, -1):
        width, before = layers[layer], layers[layer - 1]
        start -= width * before + width
        done -= n * before
        hidden = part(hiddens, done, n, before)
        np.dot(back.T, hidden, part(of_values, start, width, before))
        _add_column_sums(back, of_values[start + width * before : start + width * before + width])
        lower = np.empty((n, before), values.dtype)
        np.dot(back, part(values, start, width, before), lower)
        masked(lower, hidden)
        back = lower
    width = layers[0]
    of_users = np.zeros((users.which.shape[0], width), values.dtype)
    of_items = np.zeros((items.which.shape[0], width), values.dtype)
    _back_to_rows(back, pairs[0], pairs[1], of_users, of_items)
    _add_column_sums(of_users, of_values[2 * width * e : 2 * width * e + width])
    np.dot(of_users.T, users.side, part(of_values, 0, width, e))
    np.dot(of_items.T, items.side, part(of_values, width * e, width, e))
    np.dot(of_users, part(values, 0, width, e), found[0].side)
    np.dot(of_items, part(values, width * e, width, e), found[1].side)
    return found


@njit(nogil=True, cache=True)
def _zeros_like(rows):
    return Rows(rows.which, np.zeros_like(rows.product), np.zeros_like(rows.side))


@njit(nogil=True, cache=True)
def _losses(run, start, y, slope):
    """Sum of the losses of a batch; the slopes of their mean by the outputs are written."""
    b, s = y.shape
    total, outputs, slopes = 0.0, np.empty(s), np.empty(s)
    for k in range(b):
        outputs[:] = y[k]
        weight = run.weight[start + k]
        total += weight * pair_loss(run.loss, outputs, 1, 1.0, slopes)
        for j in range(s):
            slope[k, j] = weight / b * slopes[j]
    return total


@njit(nogil=True, cache=True)
def _penalise(run, start, s, rows, slots, slope):
    """alpha / 2 times the squares of the rows that interactions read, and its slopes, added.

    ``slots`` has s places for each interaction. Returns b times what the mean loss gains.
    """
    share = np.zeros(rows.which.shape[0], rows.side.dtype)
    b, total = slots.shape[0] // s, 0.0
    for k in range(slots.shape[0]):
        share[slots[k]] += run.alpha * run.weight[start + k // s] / b
    for k in range(share.shape[0]):
        slope.product[k] += share[k] * rows.product[k]
        slope.side[k] += share[k] * rows.side[k]
        total += share[k] * ((rows.product[k] ** 2).sum() + (rows.side[k] ** 2).sum())
    return b * total / 2


@njit(nogil=True, cache=True)
def train(users, items, dense, sizes, run, step):
    """Go through the batches of a run.

    Parameters
    ----------
    users, items : Table, written
    dense : Dense, written
    sizes : Sizes
    run : Run
    step : int
        Steps made before.

    Returns
    -------
    total : float
        Sum of the losses of the interactions, as met on the way.
    """
    total, s = 0.0, run.items.shape[1]
    one = dense.values.dtype.type
    for start in range(0, run.users.shape[0], run.batch_size):
        stop = min(start + run.batch_size, run.users.shape[0])
        n = (stop - start) * s
        slots, item = np.empty(stop - start, np.int64), np.empty(n, np.int64)
        of_users = _read(users, run.users[start:stop], slots, sizes, step, run)
        of_items = _read(items, run.items[start:stop].reshape(n), item, sizes, step, run)
        # The pairs of an interaction share its user.
        rows, pairs = (of_users, of_items), (np.repeat(slots, s), item)
        hiddens, y = _forward(dense.values, sizes, of_users, of_items, pairs[0], item)
        slope = np.empty_like(y)
        total += _losses(run, start, y.reshape(stop - start, s), slope.reshape(stop - start, s))
        found = _backward(dense, sizes, rows, pairs, hiddens, slope)
        if run.alpha > 0:
            total += _penalise(run, start, 1, of_users, slots, found[0])
            total += _penalise(run, start, s, of_items, item, found[1])
        step += 1
        corrected = math.sqrt(1 - _BETA2**step)
        move = run.rate * corrected / (1 - _BETA1**step)
        moves = (one(move), one(_EPS * corrected), one(run.rate))
        _step_rows(users, of_users, found[0], run, step, moves)
        _step_rows(items, of_items, found[1], run, step, moves)
        if run.solver == SGD:
            _sgd(dense.values, dense.slope, moves[2])
        else:
            _adam(dense.values, dense.mean, dense.square, dense.slope, moves[0], moves[1])
    return total
