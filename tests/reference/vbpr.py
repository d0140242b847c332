"""VBPR's scores and objective in NumPy, an interaction at a time."""

import numpy as np


def score(user, item, weights, features):
    """x_ui of a user with the vectors gamma and theta, one after the other.

    `weights` are those of the module, float64; `features` are divided by their scale.
    """
    gamma_i = weights["item.weight"][item]
    gamma_u, theta_u = np.split(user, [len(gamma_i)])
    E, beta_of_content = weights["projection"][:, :-1], weights["projection"][:, -1]
    content = theta_u @ (E.T @ features[item]) + beta_of_content @ features[item]
    return weights["bias.weight"][item, 0] + gamma_u @ gamma_i + content


def loss(x, kind):
    """Of the difference of two scores."""
    return np.log1p(np.exp(-x)) if kind == "bpr" else max(0.0, 1 - x)


def objective(triplets, weights, features, alpha, feature_alpha, kind="bpr"):
    """Mean over (user, item, negatives), with all three penalties."""
    total = 0.0
    for u, i, negatives in triplets:
        user = weights["user.weight"][u]
        own = score(user, i, weights, features)
        for j in negatives:
            total += loss(own - score(user, j, weights, features), kind)
        squares = user @ user
        for k in (i, *negatives):
            squares += weights["item.weight"][k] @ weights["item.weight"][k]
            squares += weights["bias.weight"][k, 0] ** 2
        total += alpha / 2 * squares
    return total / len(triplets) + feature_alpha / 2 * np.sum(weights["projection"] ** 2)
