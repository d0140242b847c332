"""ResidualMF, written down slowly: one sample after the other, and networks pair by pair."""

import math

import numpy as np


def output(P, Q, of_users, of_items, b, u, i):
    return b + of_users[u] + of_items[i] + sum(x * y for x, y in zip(P[u], Q[i], strict=True))


def loss(y, target):
    """Minus the log likelihood of 1 or 0 with the logit y."""
    return math.log(1 + math.exp(-y)) if target else math.log(1 + math.exp(y))


def steps(users, items, model, b, rate, alpha):
    """Descent as in the authors' code: the user's vector has moved when the item's does."""
    P, Q, of_users, of_items = model
    total = 0.0
    for u, i in zip(users, items, strict=True):
        target = i >= 0
        i = i if target else -1 - i
        y = output(P, Q, of_users, of_items, b, u, i)
        total += loss(y, target)
        gradient = target - 1 / (1 + math.exp(-y))
        P[u] += rate * (gradient * Q[i] - alpha * P[u])
        Q[i] += rate * (gradient * P[u] - alpha * Q[i])
        of_users[u] += rate * (gradient - alpha * of_users[u])
        of_items[i] += rate * (gradient - alpha * of_items[i])
        b += rate * (gradient - alpha * b)
    return total, b


def objective_of_row(v, items, vectors, offset, n_negatives, alpha):
    """What training sums over a row, in expectation, by its vector and bias."""
    p, bias = v[:-1], v[-1]
    y = vectors @ p + bias + offset
    total = sum(loss(y[i], True) for i in items)
    share = n_negatives * len(items) / len(vectors)
    total += share * sum(loss(z, False) for z in y)
    return total + alpha / 2 * len(items) * (1 + n_negatives) * (v @ v)


def network(weights, p, q):
    """The branch of one pair, from the concatenation of its vectors."""
    first = np.hstack([weights["user.weight"], weights["item.weight"]])
    hidden = np.maximum(first @ np.concatenate([p, q]) + weights["user.bias"], 0)
    layer = 0
    while f"hidden.{layer}.weight" in weights:
        hidden = weights[f"hidden.{layer}.weight"] @ hidden + weights[f"hidden.{layer}.bias"]
        hidden = np.maximum(hidden, 0)
        layer += 2
    return (weights["output.weight"] @ hidden + weights["output.bias"])[0]
