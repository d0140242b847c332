"""YouTubeRecommender's objective in NumPy, an example at a time."""

import numpy as np


def user_vector(weights, items, n_layers, tied):
    """x of the items of a bag: their mean, ReLU layers, a linear map where vectors are tied."""
    Z = weights["item.weight"].astype(float)
    x = Z[items].mean(0) if len(items) else np.zeros(Z.shape[1])
    for n in range(n_layers):  # a linear layer and its activation take two places
        x = np.maximum(0, _linear(weights, f"layers.{2 * n}", x))
    if tied and n_layers:
        x = _linear(weights, f"layers.{2 * n_layers}", x)
    return x


def _linear(weights, name, x):
    return weights[f"{name}.weight"].astype(float) @ x + weights[f"{name}.bias"]


def table(weights):
    """The vectors of the outputs."""
    return weights.get("output.weight", weights["item.weight"]).astype(float)


def softmax_loss(weights, x, target, negatives, log_count, log_expected):
    """Minus the log probability of the target among itself and the other negatives."""
    V, b = table(weights), weights["bias"].astype(float)
    own = V[target] @ x + b[target] - log_expected[target]
    terms = [own] + [
        V[j] @ x + b[j] + count - log_expected[j]
        for j, count in zip(negatives, log_count, strict=True)
        if j != target
    ]
    return np.log(np.exp(terms).sum()) - own


def cosine_loss(weights, x, target, negatives, row, margin, negative_weight):
    """SimpleX's loss; negatives that the row has do not count."""
    V = table(weights)
    left = [j for j in negatives if j not in row]
    excess = [max(0, _cosine(x, V[j]) - margin) for j in left]
    return 1 - _cosine(x, V[target]) + negative_weight * (np.mean(excess) if left else 0)


def _cosine(a, b):
    length = np.linalg.norm(a) * np.linalg.norm(b)
    return a @ b / length if length else 0.0
