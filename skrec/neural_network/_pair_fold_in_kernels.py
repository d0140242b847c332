"""numba part of `skrec.neural_network._pair_fold_in`."""

import math
from typing import NamedTuple

import numpy as np

from skrec.neural_network._pair_kernels import Sizes, masked, part, relu_plus
from skrec.neural_network._pair_loss_kernels import pair_loss
from skrec.neural_network._pair_table_kernels import FAST
from skrec.utils._compile import njit


class Frozen(NamedTuple):
    """The parameters of a network without its users, float32.

    Attributes
    ----------
    products : ndarray of shape (n_items, product)
    of_items : ndarray of shape (n_items, h_1)
        The item half of the first layer, with its bias.
    values : ndarray of shape (n,)
        As in `Dense`.
    sizes : Sizes
    """

    products: np.ndarray
    of_items: np.ndarray
    values: np.ndarray
    sizes: Sizes


class Objective(NamedTuple):
    """The objective of a row's vector.

    Attributes
    ----------
    loss : int
    weight : float
        Weight of each negative, for each item of the row.
    penalty : float
    mean, precision : ndarray of float32 of shapes (d,), (d, d)
    """

    loss: int
    weight: float
    penalty: float
    mean: np.ndarray
    precision: np.ndarray


class Plan(NamedTuple):
    """Steps of Adam: how many, and the rate of the first."""

    n_steps: int
    rate: float


@njit(nogil=True, cache=True, fastmath=FAST)
def _first_layer(weight, product, vector, of_items, hidden):
    """relu(A + C_i) of one user; A is made here from the vector's second part."""
    of_user = np.empty(weight.shape[0], vector.dtype)
    for f in range(weight.shape[0]):
        total = vector.dtype.type(0)
        for g in range(weight.shape[1]):
            total += weight[f, g] * vector[product + g]
        of_user[f] = total
    for n in range(hidden.shape[0]):
        for f in range(hidden.shape[1]):
            z = of_user[f] + of_items[n, f]
            hidden[n, f] = z if z > 0 else 0


@njit(nogil=True, cache=True, fastmath=FAST)
def _predict(values, vector, products, hidden, y):
    g, width = products.shape[1], hidden.shape[1]
    for n in range(y.shape[0]):
        total = values[g + width]
        for f in range(g):
            total += values[f] * vector[f] * products[n, f]
        for f in range(width):
            total += values[g + f] * hidden[n, f]
        y[n] = total


@njit(nogil=True, cache=True)
def _outputs(vector, products, of_items, net, hiddens, y):
    """Write the outputs of one user for some items, and the hidden layers one after another."""
    values, sizes, n = net.values, net.sizes, y.shape[0]
    e, layers = sizes.side, sizes.layers
    width = layers[0]
    hidden = part(hiddens, 0, n, width)
    _first_layer(part(values, 0, width, e), sizes.product, vector, of_items, hidden)
    start, done = 2 * width * e + width, n * width
    for layer in range(1, layers.shape[0]):
        before, width = width, layers[layer]
        further = part(hiddens, done, n, width)
        np.dot(hidden, part(values, start, width, before).T, further)
        start += width * before
        relu_plus(further, values[start : start + width])
        start, done, hidden = start + width, done + n * width, further
    _predict(values[start:], vector, products, hidden, y)


@njit(nogil=True, cache=True, fastmath=FAST)
def _back_from_outputs(slope, values, products, hidden, of_vector, of_hidden):
    g, width = products.shape[1], hidden.shape[1]
    for n in range(slope.shape[0]):
        s = values.dtype.type(slope[n])
        for f in range(g):
            of_vector[f] += s * values[f] * products[n, f]
        for f in range(width):
            of_hidden[n, f] = s * values[g + f] if hidden[n, f] > 0 else 0


@njit(nogil=True, cache=True, fastmath=FAST)
def _back_to_vector(slope, weight, product, of_vector):
    total = np.zeros(weight.shape[0], slope.dtype)
    for n in range(slope.shape[0]):
        for f in range(slope.shape[1]):
            total[f] += slope[n, f]
    for f in range(weight.shape[0]):
        for g in range(weight.shape[1]):
            of_vector[product + g] += total[f] * weight[f, g]


@njit(nogil=True, cache=True)
def _backward(slope, products, net, hiddens, found):
    """Add the slope by the user's vector, made from the slopes of the outputs."""
    values, sizes, n = net.values, net.sizes, slope.shape[0]
    e, layers = sizes.side, sizes.layers
    width, done = layers[-1], n * (sizes.total - layers[-1])
    start = values.shape[0] - (sizes.product + width + 1)
    back = np.empty((n, width), values.dtype)
    hidden = part(hiddens, done, n, width)
    _back_from_outputs(slope, values[start:], products, hidden, found, back)
    for layer in range(layers.shape[0] - 1, 0, -1):
        width, before = layers[layer], layers[layer - 1]
        start -= width * before + width
        done -= n * before
        lower = np.empty((n, before), values.dtype)
        np.dot(back, part(values, start, width, before), lower)
        masked(lower, part(hiddens, done, n, before))
        back = lower
    _back_to_vector(back, part(values, 0, layers[0], e), sizes.product, found)


@njit(nogil=True, cache=True, fastmath=FAST)
def _back_from_prior(vector, penalty, mean, precision, slope):
    for f in range(vector.shape[0]):
        total = penalty * vector[f]
        for g in range(vector.shape[0]):
            total += precision[f, g] * (vector[g] - mean[g])
        slope[f] = total


@njit(nogil=True, cache=True)
def _step(vector, slope, mean, square, move, unbiased):
    # In float64: squared slopes of a large penalty overflow float32.
    for f in range(vector.shape[0]):
        mean[f] += 0.1 * (slope[f] - mean[f])
        square[f] += 0.001 * (slope[f] * slope[f] - square[f])
        vector[f] -= move * mean[f] / (math.sqrt(square[f]) * unbiased + 1e-8)


@njit(nogil=True, cache=True)
def _descended(items, n_positive, net, objective, plan, vector):
    """Steps of Adam whose rate falls linearly to 0, since a network is not convex."""
    n, d, real = items.shape[0], vector.shape[0], vector.dtype
    products = np.empty((n, net.products.shape[1]), real)
    of_items = np.empty((n, net.of_items.shape[1]), real)
    for k in range(n):
        for f in range(products.shape[1]):
            products[k, f] = net.products[items[k], f]
        for f in range(of_items.shape[1]):
            of_items[k, f] = net.of_items[items[k], f]
    hiddens, y = np.empty(n * net.sizes.total, real), np.empty(n)
    of_outputs, slope = np.empty(n), np.empty(d)
    mean, square = np.zeros(d), np.zeros(d)
    penalty = objective.penalty * n_positive
    for step in range(1, plan.n_steps + 1):
        _outputs(vector, products, of_items, net, hiddens, y)
        pair_loss(objective.loss, y, n_positive, objective.weight, of_outputs)
        _back_from_prior(vector, penalty, objective.mean, objective.precision, slope)
        _backward(of_outputs, products, net, hiddens, slope)
        rate = plan.rate * (1 - (step - 1) / plan.n_steps)
        move, unbiased = rate / (1 - 0.9**step), 1 / math.sqrt(1 - 0.999**step)
        _step(vector, slope, mean, square, move, unbiased)


@njit(nogil=True, cache=True)
def descend(indptr, indices, negatives, net, objective, plan, found):
    """Vectors of rows, each by itself; rows without an item or a negative have the mean.

    Parameters
    ----------
    indptr, indices : ndarray of int64
        Pointers and items of the rows.
    negatives : ndarray of int64 of shape (n_rows, m)
        -1 for rows without negatives.
    net : Frozen
    objective : Objective
    plan : Plan
    found : ndarray of float32 of shape (n_rows, d), written
    """
    for row in range(negatives.shape[0]):
        start, p, m = indptr[row], indptr[row + 1] - indptr[row], negatives.shape[1]
        for f in range(found.shape[1]):
            found[row, f] = objective.mean[f]
        if p > 0 and negatives[row, 0] >= 0:
            items = np.empty(p + m, np.int64)
            for k in range(p):
                items[k] = indices[start + k]
            for k in range(m):
                items[p + k] = negatives[row, k]
            _descended(items, p, net, objective, plan, found[row])
