"""LOCA, written down slowly: anchors by brute force, kernel and scores one pair at a time."""

import math

import numpy as np


def distance(a, b):
    """(2 / pi) arccos(cosine rounded to 2**-20); 2 where a vector is zero."""
    lengths = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(x * x for x in b))
    if lengths == 0:
        return 2.0
    cosine = sum(x * y for x, y in zip(a, b, strict=True)) / lengths
    cosine = round(cosine * 2**20) / 2**20
    return 2.0 / math.pi * math.acos(max(-1.0, min(1.0, cosine)))


def kernel(a, b, bandwidth):
    d = distance(a, b)
    return 0.75 * (1.0 - (d / bandwidth) ** 2) if d < bandwidth else 0.0


def coverage(vectors, n_anchors, bandwidth):
    """Greedy anchors, with a fresh round each time every user is covered."""
    users = [u for u in range(len(vectors)) if np.any(vectors[u])]
    covers = {
        u: {v for v in users if u == v or distance(vectors[u], vectors[v]) < bandwidth}
        for u in users
    }
    anchors, uncovered = [], set(users)
    while len(anchors) < min(n_anchors, len(users)):
        if not uncovered:
            uncovered = set(users)
        free = [u for u in users if u not in anchors]
        best = max(free, key=lambda u: (len(covers[u] & uncovered), -u))
        anchors.append(best)
        uncovered -= covers[best]
    return anchors


def scores(rows, vectors, anchors, local_scores, global_scores, bandwidth, global_weight):
    """Mean of the models' scores of each row, weighted by the kernel."""
    result = np.empty(global_scores.shape)
    for u in range(len(rows)):
        total, weights = np.zeros(global_scores.shape[1]), 0.0
        for anchor, of_model in zip(anchors, local_scores, strict=True):
            weight = kernel(vectors[u], anchor, bandwidth)
            total += weight * of_model[u]
            weights += weight
        if weights == 0.0:
            result[u] = global_scores[u]
        else:
            total += global_weight * global_scores[u]
            result[u] = total / (weights + global_weight)
    return result
