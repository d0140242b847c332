"""LLORMA, written down slowly: one pair of a user and an item at a time."""

import numpy as np

from tests.reference.loca import distance


def kernel(a, b, bandwidth):
    return max(0.0, 1.0 - (distance(a, b) / bandwidth) ** 2)


def steps(ratings, of_users, of_items, P, Q, rate, alpha):
    """A step down on each rating in turn; the last column of P and Q holds the biases."""
    for u, i, r in ratings:
        w = of_users[u] * of_items[i]
        if w == 0:
            continue
        p, q = P[u].copy(), Q[i].copy()
        error = r - p[:-1] @ q[:-1] - p[-1] - q[-1]
        P[u, :-1] += rate * w * (error * q[:-1] - alpha * p[:-1])
        Q[i, :-1] += rate * w * (error * p[:-1] - alpha * q[:-1])
        P[u, -1] += rate * w * (error - alpha * p[-1])
        Q[i, -1] += rate * w * (error - alpha * q[-1])


def local_row(row, mean, weights, Q, alpha):
    """p and b of a dense row in a local model: least squares on weighted, stacked equations."""
    rated = np.flatnonzero(row * weights)
    A = np.column_stack([Q[rated, :-1], np.ones(len(rated))])
    target = row[rated] - mean - Q[rated, -1]
    root = np.sqrt(weights[rated])
    penalty = np.sqrt(alpha * weights[rated].sum()) * np.eye(A.shape[1])
    stacked = np.vstack([A * root[:, None], penalty])
    return np.linalg.lstsq(stacked, np.append(target * root, np.zeros(len(penalty))), rcond=None)[0]


def scores(row, e_u, mean, anchors, global_scores, bandwidth, alpha):
    """Weighted mean of the local predictions of a dense row; anchors: (e_user, kernels, Q)."""
    found = global_scores.copy()
    for i in range(len(row)):
        total = weight = 0.0
        for e_anchor, of_items, Q in anchors:
            w = kernel(e_u, e_anchor, bandwidth) * of_items[i]
            if w == 0:
                continue
            z = local_row(row, mean, of_items, Q, alpha)
            total += w * (mean + z[-1] + Q[i, -1] + z[:-1] @ Q[i, :-1])
            weight += w
        if weight:
            found[i] = total / weight
    return found
