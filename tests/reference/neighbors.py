"""Slow dense twins of the neighbour models, written from the formulas of their docstrings.

Vectors are rows of a dense matrix V, features its columns; a zero is a missing entry.
"""

import numpy as np


def dense_data(seed=0, *, rating=False, shape=(25, 18), density=0.35):
    """Counts or ratings with an empty row (4) and an empty column (5)."""
    rng = np.random.default_rng(seed)
    values = rng.integers(1, 6, shape) if rating else rng.choice([1, 1, 1, 2, 7], shape)
    X = np.where(rng.random(shape) < density, values, 0).astype(float)
    X[4], X[:, 5] = 0, 0
    return X


def feature_weights(V, *, weighting=None, exponent=0.0):
    """Weight of each feature, idf not included, and idf."""
    n, frequency = V.shape[0], (V != 0).sum(axis=0)
    weight = np.array([max(f, 1) ** -float(exponent) for f in frequency])
    if weighting == "tfidf":
        idf = 1 + np.log((1 + n) / (1 + frequency))
    elif weighting == "bm25":
        idf = np.log(1 + (n - frequency + 0.5) / (frequency + 0.5))
    else:
        idf = np.ones(V.shape[1])
    return weight, idf


def compared_values(V, train, *, metric, rating, weighting):
    """Dense values of V that enter products, given the training vectors."""
    if metric == "jaccard":
        return (V != 0).astype(float)
    values = V.astype(float)
    if weighting == "bm25":
        average = train.sum() / len(train) or 1.0
        length = V.sum(axis=1, keepdims=True)
        values = np.where(V != 0, 2.2 * V / (V + 0.3 + 0.9 * length / average), 0.0)
    return values


def centred(values, V, train, train_values, *, metric, rating, weight, idf):
    """Centre rows on their own means, or on those of the features."""
    seen, train_seen = V != 0, train != 0
    if metric == "pearson" and rating:
        mean = values.sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
        return np.where(seen, values - mean[:, None], 0.0)
    if metric == "pearson":  # values times idf, less their mean, divided by idf again
        return values - (values * idf @ weight / weight.sum())[:, None] / idf
    if metric == "adjusted_cosine" and rating:
        count = train_seen.sum(axis=0)
        overall = train.sum() / max(train_seen.sum(), 1)
        mean = np.where(count > 0, train.sum(axis=0) / np.maximum(count, 1), overall)
        return np.where(seen, values - mean, 0.0)
    if metric == "adjusted_cosine":
        return values - train_values.mean(axis=0)
    return values


def similarities(
    Q, V, *, metric, rating=False, weighting=None, exponent=0.0, shrinkage=0.0, source=1.0,
    target=1.0,
):  # fmt: skip
    """Similarity of every vector of V (columns) for every query of Q (rows), or 0."""
    weight, idf = feature_weights(V, weighting=weighting, exponent=exponent)
    how = {"metric": metric, "rating": rating}
    raw_v = compared_values(V, V, **how, weighting=weighting)
    raw_q = compared_values(Q, V, **how, weighting=weighting)
    v = centred(raw_v, V, V, raw_v, **how, weight=weight, idf=idf)
    q = centred(raw_q, Q, V, raw_v, **how, weight=weight, idf=idf)
    weight = weight * idf**2
    result = np.zeros((len(Q), len(V)))
    for a in range(len(Q)):
        for b in range(len(V)):
            if not ((Q[a] != 0) & (V[b] != 0)).any():
                continue  # only vectors with a common feature are compared
            product = float(np.sum(weight * q[a] * v[b]))
            norm_q = float(np.sum(weight * q[a] ** 2)) ** 0.5
            norm_v = float(np.sum(weight * v[b] ** 2)) ** 0.5
            if metric == "jaccard":
                below = norm_q**2 + norm_v**2 - product + shrinkage
            elif metric == "asymmetric_cosine":
                below = norm_q**target * norm_v**source + shrinkage
            else:
                below = norm_q * norm_v + shrinkage
            if norm_q < 1e-6 or norm_v < 1e-6 or abs(product) < 1e-12 * norm_q * norm_v:
                continue  # rounding of zero
            result[a, b] = product / below
    return result


def nearest(similarity, n_neighbors):
    """Keep the largest similarities above zero of each row; of equal ones the first."""
    result = np.zeros_like(similarity)
    for a, row in enumerate(similarity):
        order = sorted(range(len(row)), key=lambda b: (-float(f"{row[b]:.11g}"), b))
        for b in order if n_neighbors is None else order[:n_neighbors]:
            if row[b] > 0:
                result[a, b] = row[b]
    return result


def expected_ratings(X, train, *, deviation, damping):
    """The ratings b that are expected without neighbours, dense, for the rows of X."""
    seen = train != 0
    mean = train.sum() / max(seen.sum(), 1)
    n_items = train.shape[1]
    item = np.zeros(n_items)
    if deviation != "user":
        for i in range(n_items):
            rest = train[seen[:, i], i] - mean
            item[i] = rest.sum() / (len(rest) + damping) if len(rest) else 0.0
    result = np.empty(X.shape)
    for u, row in enumerate(X):
        bias, has = 0.0, row != 0
        if deviation in ("user", "both") and has.any():
            bias = (row - mean - item)[has].sum() / (has.sum() + damping)
        result[u] = mean + item + bias
    return result


def item_scores(X, similarity, train, *, rating=False, deviation=None, damping=0.0):
    """Scores of ItemKNN; similarity[j, i] is what item j says for item i."""
    if not rating:
        return X @ similarity
    expected = expected_ratings(X, train, deviation=deviation, damping=damping)
    scores = expected.copy()
    for u, row in enumerate(X):
        for i in range(X.shape[1]):
            told = [(j, similarity[j, i]) for j in np.flatnonzero(row) if similarity[j, i] > 0]
            if told:
                below = sum(s for _, s in told)
                if deviation is None:
                    scores[u, i] = sum(s * row[j] for j, s in told) / below
                else:
                    scores[u, i] += sum(s * (row[j] - expected[u, j]) for j, s in told) / below
    return scores


def user_scores(X, neighbors, train, *, rating=False, deviation=None, damping=0.0):
    """Scores of UserKNN; neighbors[u, v] is the similarity of training user v for row u."""
    if not rating:
        return neighbors @ train
    expected = expected_ratings(X, train, deviation=deviation, damping=damping)
    before = expected_ratings(train, train, deviation=deviation, damping=damping)
    scores = expected.copy()
    for u in range(len(X)):
        for i in range(X.shape[1]):
            raters = [v for v in np.flatnonzero(train[:, i]) if neighbors[u, v] > 0]
            if raters:
                s, below = neighbors[u, raters], neighbors[u, raters].sum()
                if deviation is None:
                    scores[u, i] = s @ train[raters, i] / below
                else:
                    scores[u, i] += s @ (train[raters, i] - before[raters, i]) / below
    return scores


def walk_weights(X, *, exponent, beta=0.0, n_neighbors=None, normalize=False, weight=None):
    """T[i, t] of P3alpha and RP3beta: step by step, walk by walk."""
    n_users, n_items = X.shape
    weight = np.ones(n_users) if weight is None else weight
    popularity = weight @ X
    T = np.zeros((n_items, n_items))
    for i in range(n_items):
        for t in range(n_items):
            for v in range(n_users):
                if i != t and weight[v] and X[v, i] and X[v, t]:
                    to_user, to_item = X[v, i] / popularity[i], X[v, t] / X[v].sum()
                    T[i, t] += weight[v] * (to_user * to_item) ** exponent
            if T[i, t]:
                T[i, t] /= popularity[t] ** beta
    for t in range(n_items if n_neighbors else 0):
        # Those of rounding are equal, of equal ones the lower index stays.
        order = np.argsort(-np.round(T[:, t], 12), kind="stable")
        T[order[n_neighbors:], t] = 0
    if normalize:
        total = T.sum(axis=1, keepdims=True)
        T /= np.where(total > 0, total, 1)
    return T


def walk_scores(X, T, *, exponent):
    """Scores of rows of X, which may be empty."""
    total = X.sum(axis=1, keepdims=True)
    share = np.where(X > 0, X / np.where(total > 0, total, 1), 0.0)
    return np.where(X > 0, share**exponent, 0.0) @ T


def joined_similarities(
    V, F, feature_weight, *, metric, rating=False, weighting=None, exponent=0.0, shrinkage=0.0,
    source=1.0, target=1.0, everybody=False,
):  # fmt: skip
    """Similarity of vector b (columns) for vector a (rows), of interactions V and features F.

    Statistics are of the vectors with interactions, or of all.
    """
    seen = (V != 0).any(axis=1) | everybody
    weight, idf = feature_weights(V[seen], weighting=weighting, exponent=exponent)
    how = {"metric": metric, "rating": rating}
    train = compared_values(V[seen], V[seen], **how, weighting=weighting)
    raw = compared_values(V, V[seen], **how, weighting=weighting)
    x = centred(raw, V, V[seen], train, **how, weight=weight, idf=idf)
    weight = weight * idf**2
    norm = np.sqrt((weight * x**2).sum(axis=1))
    norm[norm < 1e-6] = 0
    length = np.linalg.norm(F, axis=1)
    block = np.sqrt((norm > 0) + feature_weight**2 * (length > 0))
    p, q = (source, target) if metric == "asymmetric_cosine" else (1.0, 1.0)
    result = np.zeros((len(V), len(V)))
    for a in range(len(V)):
        for b in range(len(V)):
            shared = ((V[a] != 0) & (V[b] != 0)).any() or ((F[a] != 0) & (F[b] != 0)).any()
            if not shared or not block[a] * block[b]:
                continue
            product = 0.0
            if norm[a] and norm[b]:
                product += np.sum(weight * x[a] * x[b]) / (norm[b] ** p * norm[a] ** q)
            if length[a] and length[b]:
                product += feature_weight**2 * F[a] @ F[b] / (length[a] * length[b])
            if abs(product) > 1e-12:
                result[a, b] = product / (block[a] * block[b] + shrinkage)
    return result


def nearest_with_users(similarity, has_users, n_neighbors):
    """Lists among items with users, and beside them the items without that are as near."""
    lists = nearest(np.where(has_users, similarity, 0.0), n_neighbors)
    cold = nearest(np.where(has_users, 0.0, similarity), n_neighbors)
    full = (lists > 0).sum(axis=1) == (n_neighbors or -1)
    least = np.where(full, np.where(lists > 0, lists, np.inf).min(axis=1), 0.0)
    return lists + np.where(cold >= least[:, None] * (1 - 1e-10), cold, 0.0)
