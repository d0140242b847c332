"""CDAE's objective and gradient, written out in dense NumPy."""

import numpy as np

ACTIVATIONS = {
    "identity": (lambda a: a, np.ones_like),
    "tanh": (np.tanh, lambda a: 1 - np.tanh(a) ** 2),
    "sigmoid": (
        lambda a: 1 / (1 + np.exp(-a)),
        lambda a: np.exp(-a) / (1 + np.exp(-a)) ** 2,
    ),
}
# Loss and slope of an output y with target t.
LOSSES = {
    "logistic": (lambda y, t: np.log1p(np.exp(y)) - t * y, lambda y, t: 1 / (1 + np.exp(-y)) - t),
    "square": (lambda y, t: (t - y) ** 2 / 2, lambda y, t: y - t),
}


def loss_and_gradients(weights, inputs, times, target, user_weight, activation, loss):
    """Mean loss of the users, and its gradient by each of the weights.

    `inputs` are the rows with what was dropped and scaled; `times` (n_users, n_items) says how
    often each output stands in the loss, `target` what it should be.
    """
    h, slope_of_h = ACTIVATIONS[activation]
    value, slope = LOSSES[loss]
    W, b, V = weights["first.weight"], weights["first.bias"], weights["user.weight"]
    U, c = weights["last.weight"], weights["last.bias"]
    inner = inputs @ W + b + V
    hidden = h(inner)
    output = hidden @ U.T + c
    share = times * user_weight[:, None] / len(inputs)
    of_output = share * slope(output, target)
    of_inner = of_output @ U * slope_of_h(inner)
    gradients = {
        "first.weight": inputs.T @ of_inner,
        "first.bias": of_inner.sum(0),
        "user.weight": of_inner,
        "last.weight": of_output.T @ hidden,
        "last.bias": of_output.sum(0),
    }
    return (share * value(output, target)).sum(), gradients


def node_objective(node, weights, row, negatives, n_negatives, activation, loss, alpha):
    """Objective of one user's node, and its gradient; `row` is the dense 0/1 row."""
    times, target = row.astype(float), row.astype(float)
    np.add.at(times, negatives, row.sum() * n_negatives / len(negatives))
    only = {**weights, "user.weight": node[None]}
    value, gradients = loss_and_gradients(
        only, row[None].astype(float), times[None], target[None], np.ones(1), activation, loss
    )
    return value + alpha / 2 * node @ node, gradients["user.weight"][0] + alpha * node
