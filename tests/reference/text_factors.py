"""CTR, CDL and CVAE in NumPy: dense least squares, networks a text at a time."""

import numpy as np


def solved(cells, weights, others, penalty, mean):
    """The vector that is least for a row of preferences."""
    matrix = (others.T * weights) @ others + penalty * np.eye(others.shape[1])
    return np.linalg.solve(matrix, others.T @ (weights * cells) + penalty * mean)


def sweeps(X, items, prior, n, *, confidence, unobserved_weight, alpha, item_alpha):
    """Vectors of users and items after n sweeps, and the objective in each, as `fit` tells it."""
    weights, cells = unobserved_weight + confidence * X, (X > 0) * 1.0
    zero, curve = np.zeros(items.shape[1]), []
    for _ in range(n):
        users = np.array(
            [solved(x, c, items, alpha, zero) for x, c in zip(cells, weights, strict=True)]
        )
        away = np.sum((items - prior) ** 2)
        loss = np.sum(weights * (cells - users @ items.T) ** 2)
        curve.append(loss + alpha * np.sum(users**2) + item_alpha * away)
        items = np.array(
            [
                solved(cells[:, i], weights[:, i], users, item_alpha, prior[i])
                for i in range(len(items))
            ]
        )
    return users, items, curve


def shrunk(users, theta, unobserved_weight, item_alpha):
    """Vectors of items that nobody has."""
    zeros, weights = np.zeros(len(users)), np.full(len(users), unobserved_weight)
    return np.array([solved(zeros, weights, users, item_alpha, row) for row in theta])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def cross_entropy(x, outputs):
    return np.sum(np.logaddexp(0, outputs) - x * outputs)


def half_squares(x, outputs):
    return np.sum((x - outputs) ** 2) / 2


WORD_LOSSES = {"logistic": cross_entropy, "gaussian": half_squares}


def cdl_code(weights, x):
    """The innermost layer of one text; `weights` are those of the network."""
    code = sigmoid(x @ weights["first.weight"] + weights["first.bias"])
    return sigmoid(weights["encoder.0.weight"] @ code + weights["encoder.0.bias"])


def cdl_outputs(weights, code):
    hidden = sigmoid(weights["decoder.0.weight"] @ code + weights["decoder.0.bias"])
    return weights["decoder.1.weight"] @ hidden + weights["decoder.1.bias"]


def cdl_loss(weights, texts, noisy, items, rated, *, likelihood, text_weight, item_alpha):
    """Mean over the texts of the network's part of the objective."""
    total = 0.0
    for x, with_noise, v, has_users in zip(texts, noisy, items, rated, strict=True):
        outputs = cdl_outputs(weights, cdl_code(weights, with_noise))
        total += text_weight * WORD_LOSSES[likelihood](x, outputs)
        total += item_alpha * has_users * np.sum((v - cdl_code(weights, x)) ** 2)
    return total / len(texts)


def cvae_loss(weights, texts, noise, items, rated, *, likelihood, text_weight, item_alpha, beta):
    """The same of CVAE, with the standard normal draws of each text."""
    total = 0.0
    for x, e, v, has_users in zip(texts, noise, items, rated, strict=True):
        hidden = sigmoid(x @ weights["first.weight"] + weights["first.bias"])
        latent = weights["latent.weight"] @ hidden + weights["latent.bias"]
        mean, log_variance = np.split(latent, 2)
        z = mean + np.exp(log_variance / 2) * e
        hidden = sigmoid(weights["decoder.0.weight"] @ z + weights["decoder.0.bias"])
        outputs = weights["last.weight"] @ hidden + weights["last.bias"]
        kl = 0.5 * np.sum(mean**2 + np.exp(log_variance) - 1 - log_variance)
        total += text_weight * (WORD_LOSSES[likelihood](x, outputs) + beta * kl)
        total += item_alpha * has_users * np.sum((v - z) ** 2)
    return total / len(texts)
