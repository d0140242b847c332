"""CuratorNet in NumPy, an item, a profile and a triplet at a time."""

import numpy as np

_ALPHA, _SCALE = 1.6732632423543772, 1.0507009873554805  # Klambauer et al.'s


def selu(x):
    return _SCALE * np.where(x > 0, x, _ALPHA * np.expm1(np.minimum(x, 0)))


def standardised(features, kept):
    """Columns at mean 0 and deviation 1 over the rows that are kept and hold something."""
    known = [i for i in range(len(features)) if kept[i] and features[i].any()]
    mean, deviation = features[known].mean(0), features[known].std(0)
    rows = [(row - mean) / deviation if row.any() else 0 * row for row in features]
    return np.array(rows)


def _layers(weights, name, x):
    n = 0
    while f"{name}.{n}.weight" in weights:  # a layer and its activation take two places
        x = selu(weights[f"{name}.{n}.weight"].astype(float) @ x + weights[f"{name}.{n}.bias"])
        n += 2
    return x


def item_vector(weights, features):
    """The vector of an item with standardised features."""
    first = features @ weights["first.weight"].astype(float) + weights["first.bias"]
    return _layers(weights, "item", selu(first))


def profile(vectors, items):
    """Mean and maximum of the vectors of some items, component by component."""
    d = vectors.shape[1]
    mean = [sum(vectors[i, f] for i in items) / len(items) for f in range(d)]
    largest = [max(vectors[i, f] for i in items) for f in range(d)]
    return np.array(mean + largest)


def user_vector(weights, vectors, items):
    return _layers(weights, "user", profile(vectors, items))


def loss(weights, vectors, triplets):
    """Mean over triplets of the items of a profile, an item above, and one below."""
    total = 0.0
    for items, above, below in triplets:
        x = user_vector(weights, vectors, items)
        total += np.log1p(np.exp(-(x @ (vectors[above] - vectors[below]))))
    return total / len(triplets)
