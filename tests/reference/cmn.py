"""CMN's scores and objective, pair by pair in NumPy."""

import numpy as np


def score(m, item, weights, memories, external, neighbors, own=None):
    """Score of an item for a user with memory m; `own` is left out of the item's users.

    `neighbors` is a dense array (n_items, n_users), nonzero where a user is read.
    """
    e = weights["item.weight"][item]
    users = [v for v in np.flatnonzero(neighbors[item]) if v != own]
    n_hops = 1 + sum(name.startswith("hops.") for name in weights) // 2
    z = m + e
    for hop in range(n_hops):
        if hop:
            W, b = (weights[f"hops.{hop - 1}.{part}"] for part in ("weight", "bias"))
            z = np.maximum(0, W @ z + b + o)  # noqa: F821
        o = np.zeros_like(m)
        if users:
            logit = memories[users] @ z
            share = np.exp(logit - logit.max())
            o = share / share.sum() @ external[users]
    hidden = weights["hidden.weight"] @ np.concatenate([m * e, o]) + weights["hidden.bias"]
    return float(weights["output.weight"][0] @ np.maximum(0, hidden))


def objective(pairs, weights, memories, external, neighbors, alpha):
    """Mean over (user, item, negatives) of BPR's losses, with the penalty."""
    total = 0.0
    for user, item, negatives in pairs:
        parts = (weights, memories, external, neighbors, user)
        mine = score(memories[user], item, *parts)
        for other in negatives:
            total += np.log1p(np.exp(score(memories[user], other, *parts) - mine))
    layers = [
        value
        for name, value in weights.items()
        if name.endswith("weight") and not name.startswith(("item", "user", "external"))
    ]
    return total / len(pairs) + alpha / 2 * sum((layer**2).sum() for layer in layers)


def clipped_rmsprop(gradients, rate, decay=0.9, momentum=0.9, longest=5.0, epsilon=1e-8):
    """How far one parameter has moved after each of some gradients."""
    square = velocity = moved = np.zeros_like(gradients[0])
    for gradient in gradients:
        size = np.sqrt((gradient**2).sum())
        gradient = gradient * min(1.0, longest / max(size, 1e-300))
        square = decay * square + (1 - decay) * gradient**2
        velocity = momentum * velocity + gradient / (np.sqrt(square) + epsilon)
        moved = moved - rate * velocity
        yield moved
