"""VisRank and IBR, one pair after the other."""

import numpy as np


def cosine(first, second):
    length = np.linalg.norm(first) * np.linalg.norm(second)
    return first @ second / length if length else 0.0


def minus_distance(first, second):
    return -float(np.sum((first - second) ** 2))


def profile_score(row, target, vectors, likeness, aggregate, n_neighbors):
    """Score of one item for a dense row."""
    items = np.flatnonzero(row)
    if not len(items):
        return 0.0
    found = np.array([likeness(vectors[j], vectors[target]) for j in items])
    if aggregate == "mean":
        return float(found @ row[items] / row[items].sum())
    n = {"max": 1, "top_k": n_neighbors}[aggregate]
    return float(np.mean(sorted(found, reverse=True)[:n]))


def style_loss(projection, intercept, features, related, others, alpha):
    """The objective of IBR."""
    losses = []
    for pairs, together in ((related, True), (others, False)):
        for i, j in pairs:
            distance = np.sum((projection.T @ (features[i] - features[j])) ** 2)
            chance = 1 / (1 + np.exp(distance - intercept))
            losses.append(-np.log(chance if together else 1 - chance))
    return np.mean(losses) + alpha / 2 * np.sum(projection**2)
