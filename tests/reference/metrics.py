"""Slow twins of the metrics: plain Python, one user at a time, written from the definitions.

They share no code with skrec. Exact fractions where a formula has no logarithm.
"""

import math
from fractions import Fraction


def keys_of(scores, eps):
    """Cells of the grid of the tie rule; None for an item that takes no part."""
    finite = [abs(s) for s in scores if math.isfinite(s)]
    scale = max(finite, default=0.0)
    cell = scale * 64.0 * eps if scale > 0 else 1.0
    keys = []
    for s in scores:
        if s == -math.inf:
            keys.append(None)
        elif s == math.inf:
            keys.append(math.inf)
        else:
            keys.append(round(s / cell))  # half to even, like rint
    return keys


def ranking(scores, eps):
    """All items that take part, best first, lower index first among equals."""
    keys = keys_of(scores, eps)
    return sorted((i for i, key in enumerate(keys) if key is not None), key=lambda i: (-keys[i], i))


def relevant_items(truth, scores, threshold):
    """Items that are held out above the threshold, and take part."""
    return {
        i: truth[i]
        for i in range(len(truth))
        if truth[i] != 0 and truth[i] > threshold and scores[i] != -math.inf
    }


def user_metric(name, truth, scores, eps, threshold=0, graded=False, normalize="min"):
    """One metric of one user; None where the user is not evaluated."""
    relevant = relevant_items(truth, scores, threshold)
    if not relevant:
        return None
    if name == "auc":
        return _auc(relevant, keys_of(scores, eps))
    kind, k = name.split("@")
    k = int(k)
    top = ranking(scores, eps)[:k]
    hits = [item in relevant for item in top]
    if kind == "ndcg":
        gain = {i: 2.0**v - 1.0 if graded else 1.0 for i, v in relevant.items()}
        dcg = sum(gain[i] / math.log2(r + 2) for r, i in enumerate(top) if i in gain)
        best = sorted(gain.values(), reverse=True)[:k]
        return dcg / sum(g / math.log2(r + 2) for r, g in enumerate(best))
    if kind == "recall":
        below = len(relevant) if normalize == "relevant" else min(k, len(relevant))
        return float(Fraction(sum(hits), below))
    if kind == "precision":
        return float(Fraction(sum(hits), k))
    if kind == "hit_rate":
        return 1.0 if any(hits) else 0.0
    if kind == "mrr":
        return 1.0 / (hits.index(True) + 1) if any(hits) else 0.0
    if kind == "map":
        total = sum(Fraction(sum(hits[: r + 1]), r + 1) for r, hit in enumerate(hits) if hit)
        return float(total / min(k, len(relevant)))
    raise ValueError(name)


def _auc(relevant, keys):
    others = [i for i, key in enumerate(keys) if key is not None and i not in relevant]
    if not others:
        return None
    twice = 0
    for i in relevant:
        for j in others:
            twice += 2 if keys[i] > keys[j] else 1 if keys[i] == keys[j] else 0
    return float(Fraction(twice, 2 * len(relevant) * len(others)))


def candidate_rank(positive, candidates, score, eps):
    """Place of the positive among the candidates, ties before it; and how many others."""
    others = sorted({c for c in candidates if c >= 0 and c != positive})
    keys = keys_of([score[positive], *(score[c] for c in others)], eps)
    return 1 + sum(key >= keys[0] for key in keys[1:]), len(others)


def rmse(pairs):
    """Root mean squared error of (rating, prediction) pairs."""
    return math.sqrt(sum((r - p) ** 2 for r, p in pairs) / len(pairs))


def mae(pairs):
    """Mean absolute error of (rating, prediction) pairs."""
    return sum(abs(r - p) for r, p in pairs) / len(pairs)


def gini(lists, n_items):
    """Mean absolute difference of the counts of all pairs of items, over twice their mean."""
    counts = [sum(item in row for row in lists) for item in range(n_items)]
    total = sum(counts)
    differences = sum(abs(a - b) for a in counts for b in counts)
    return float(Fraction(differences, 2 * n_items * total))


def novelty(row, users_of, n_users):
    """Mean self-information of one list, None for an empty one."""
    row = [i for i in row if i >= 0]
    if not row:
        return None
    return sum(-math.log2(max(users_of[i], 1) / n_users) for i in row) / len(row)


def diversity(row, similarity):
    """One minus the mean similarity of the ordered pairs of a list, None below two items."""
    row = [i for i in row if i >= 0]
    pairs = [(i, j) for i in row for j in row if i != j]
    if not pairs:
        return None
    return 1 - sum(similarity(i, j) for i, j in pairs) / len(pairs)


def cosine(a, b):
    """Cosine of two vectors, 0 where one is zero."""
    norms = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(x * x for x in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / norms if norms else 0.0


def jensen_shannon(p, q):
    """Jensen-Shannon divergence of two distributions, in bits."""

    def entropy(distribution):
        return -sum(x * math.log2(x) for x in distribution if x > 0)

    middle = [(x + y) / 2 for x, y in zip(p, q, strict=True)]
    return entropy(middle) - (entropy(p) + entropy(q)) / 2
