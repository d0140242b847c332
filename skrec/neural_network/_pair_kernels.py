"""numba part of `skrec.neural_network._pair_net`: batches of pairs through a network, and back.

The first layer is a half of the user plus a half of the item, W [p; q] = A_u + C_i. Its products
are made once for each user and each item of the batch, not for each pair.
"""

import math
from typing import NamedTuple

import numpy as np

from skrec.neural_network._pair_loss_kernels import pair_loss
from skrec.neural_network._pair_table_kernels import (
    BETA1,
    BETA2,
    EPS,
    FAST,
    SGD,
    SPARSE_ADAM,
    adam,
    penalise,
    read,
    sgd,
    step_rows,
    zeros_like,
)
from skrec.utils._compile import njit


class Sizes(NamedTuple):
    """Widths of the network.

    Attributes
    ----------
    product : int
        Width of the multiplied vectors (GMF's), the first part of a row.
    side : int
        Width of the perceptron's vectors, the rest of a row.
    layers : ndarray of int64 of shape (n_layers,)
    total : int
        Sum of the layers' widths.
    """

    product: int
    side: int
    layers: np.ndarray
    total: int


class Dense(NamedTuple):
    """All parameters but the vectors, one after another, float32.

    The order is: the user half (h_1, side), the item half and the bias of the first layer; the
    weight (h_l, h_{l-1}) and the bias of each further layer; the output weights of the product
    and of the last layer, and the output bias.

    Attributes
    ----------
    values, mean, square, slope : ndarray of shape (n,)
    """

    values: np.ndarray
    mean: np.ndarray
    square: np.ndarray
    slope: np.ndarray


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
def _add_to_rows(matrix, row):
    for n in range(matrix.shape[0]):
        for f in range(matrix.shape[1]):
            matrix[n, f] += row[f]


@njit(nogil=True, cache=True, fastmath=FAST)
def relu_plus(z, bias):
    """relu(z + bias), in place."""
    for n in range(z.shape[0]):
        for f in range(z.shape[1]):
            x = z[n, f] + bias[f]
            z[n, f] = x if x > 0 else 0


@njit(nogil=True, cache=True, fastmath=FAST)
def masked(slope, hidden):
    """Turn slopes after a ReLU into slopes before it, in place."""
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
    """Hidden layers of the pairs, flat, one after another; and the outputs."""
    layers, e, n = sizes.layers, sizes.side, user.shape[0]
    width = layers[0]
    of_users = _halves(users.side, part(values, 0, width, e))
    of_items = _halves(items.side, part(values, width * e, width, e))
    start = 2 * width * e
    _add_to_rows(of_users, values[start : start + width])
    hiddens = np.empty(n * sizes.total, values.dtype)
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
    """Back through the prediction: adds slopes of products and weights, writes `of_hidden`."""
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
    """Slopes of the rows, from the outputs' slopes; all other slopes go to ``dense.slope``."""
    layers, e, n, (users, items) = sizes.layers, sizes.side, slope.shape[0], rows
    values, of_values = dense.values, dense.slope
    of_values[:] = 0
    found = (zeros_like(users), zeros_like(items))
    width, done = layers[-1], n * sizes.total - n * layers[-1]
    start = values.shape[0] - (sizes.product + width + 1)
    hidden, back = part(hiddens, done, n, width), np.empty((n, width), values.dtype)
    _back_from_outputs(slope, values[start:], rows, pairs, hidden, found, of_values[start:], back)
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
def _losses(run, start, y, slope):
    """Sum of the losses of a batch; writes the slopes of their mean by the outputs."""
    b, s = y.shape
    total, outputs, slopes = 0.0, np.empty(s), np.empty(s)
    one, v = np.int64(1), 1.0
    for k in range(b):
        for j in range(s):
            outputs[j] = y[k, j]
        weight = run.weight[start + k]
        total += weight * pair_loss(run.loss, outputs, one, v, slopes)
        for j in range(s):
            slope[k, j] = weight / b * slopes[j]
    return total


@njit(nogil=True, cache=True)
def _repeated(values, times):
    found = np.empty(values.shape[0] * times, values.dtype)
    for k in range(found.shape[0]):
        found[k] = values[k // times]
    return found


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
        Number of earlier steps.

    Returns
    -------
    total : float
        Sum of the losses of the interactions, each computed before its step.
    """
    total, s = 0.0, run.items.shape[1]
    one, widths = dense.values.dtype.type, (sizes.product, sizes.side)
    for start in range(0, run.users.shape[0], run.batch_size):
        stop = min(start + run.batch_size, run.users.shape[0])
        n = (stop - start) * s
        slots, item = np.empty(stop - start, np.int64), np.empty(n, np.int64)
        of_users = read(users, run.users[start:stop], slots, widths, step, run)
        of_items = read(items, run.items[start:stop].reshape(n), item, widths, step, run)
        # The pairs of an interaction share its user.
        rows, pairs = (of_users, of_items), (_repeated(slots, s), item)
        hiddens, y = _forward(dense.values, sizes, of_users, of_items, pairs[0], item)
        slope = np.empty_like(y)
        total += _losses(run, start, y.reshape(stop - start, s), slope.reshape(stop - start, s))
        found = _backward(dense, sizes, rows, pairs, hiddens, slope)
        if run.alpha > 0:
            total += penalise(run, start, stop - start, of_users, slots, found[0])
            total += penalise(run, start, stop - start, of_items, item, found[1])
        step += 1
        corrected = math.sqrt(1 - BETA2**step)
        move = run.rate * corrected / (1 - BETA1**step)
        eps = EPS if run.solver == SPARSE_ADAM else EPS * corrected  # as in torch's two
        moves = (one(move), one(eps), one(run.rate))
        step_rows(users, of_users, found[0], run, step, moves)
        step_rows(items, of_items, found[1], run, step, moves)
        if run.solver == SGD:
            sgd(dense.values, dense.slope, moves[2])
        else:
            adam(
                dense.values, dense.mean, dense.square, dense.slope, moves[0], one(EPS * corrected)
            )
    return total
