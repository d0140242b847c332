"""Three small recommenders that read side information, written on the public base alone."""

import numpy as np
from sklearn.utils import check_random_state

from skrec.base import BaseRecommender, UserSideMixin
from skrec.utils._params import POSITIVE, POSITIVE_INTEGER, RANDOM_STATE


def unit_rows(table):
    """Rows of a dense or sparse table as an ndarray of unit length; empty ones stay empty."""
    table = table.toarray() if hasattr(table, "toarray") else table
    return table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-12)


class ContentKNN(BaseRecommender):
    """Scores an item by its likeness to the items of the row, among its nearest warm ones.

    The neighbours of every item are sought among the items that a training user has, so an
    item that nobody has takes nobody's place.
    """

    _parameter_rules = {"n_neighbors": POSITIVE_INTEGER}

    def __init__(self, n_neighbors=5):
        self.n_neighbors = n_neighbors

    def fit(self, X, y=None, *, item_features=None):
        X = self._start_fit(X)
        features = self._start_side(X, item_features=item_features).item_features
        self.features_ = unit_rows(np.eye(X.shape[1]) if features is None else features)
        self.warm_ = np.bincount(X.indices, minlength=X.shape[1]) > 0
        self.similarity_ = self._similarity(self.features_, self.warm_)
        return self

    def _similarity(self, features, warm):
        """Column i: weights of the nearest warm items of item i."""
        similarity = np.where(warm[:, None], features @ features.T, 0.0)
        np.fill_diagonal(similarity, 0.0)
        ranks = np.argsort(np.argsort(-similarity, axis=0, kind="stable"), axis=0)
        return np.where(ranks < self.n_neighbors, similarity, 0.0)

    def _extended(self, item_features):
        features = np.concatenate([self.features_, unit_rows(item_features)])
        warm = np.concatenate([self.warm_, np.zeros(len(features) - len(self.warm_), dtype=bool)])
        similarity = self._similarity(features, warm)
        return {"features_": features, "warm_": warm, "similarity_": similarity}

    def _scores(self, X):
        return X @ self.similarity_.astype(X.dtype)


class SampledContent(BaseRecommender):
    """Learns which features go together from sampled pairs of items, as BPR does.

    ``scores = p W F^T`` with p the mean features of the row's items. Negatives are drawn among
    items that a training user has, so a catalogue with empty columns draws the same ones.
    """

    _parameter_rules = {"max_iter": POSITIVE_INTEGER, "random_state": RANDOM_STATE}

    def __init__(self, max_iter=5, *, random_state=None):
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, X, y=None, *, item_features=None):
        X = self._start_fit(X)
        features = self._start_side(X, item_features=item_features).item_features
        self.features_ = unit_rows(np.eye(X.shape[1]) if features is None else features)
        random_state = check_random_state(self.random_state)
        width = self.features_.shape[1]
        weights = 0.1 * random_state.normal(size=(width, width))
        profile = self._profiles(X)[np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))]
        for _ in range(self.max_iter if X.nnz else 0):
            negatives = random_state.choice(self._candidates(X), size=X.nnz)
            gap = self.features_[X.indices] - self.features_[negatives]
            margin = np.einsum("pd,de,pe->p", profile, weights, gap)
            weights += profile.T @ (gap / (1 + np.exp(margin))[:, None]) / X.nnz
        self.weights_ = weights
        return self

    def _candidates(self, X):
        return np.unique(X.indices)

    def _profiles(self, X):
        counts = np.maximum(np.diff(X.indptr), 1)[:, None]
        return (X != 0).astype(X.dtype) @ self.features_.astype(X.dtype) / counts

    def _extended(self, item_features):
        return {"features_": np.concatenate([self.features_, unit_rows(item_features)])}

    def _scores(self, X):
        scores = self._profiles(X) @ (self.weights_ @ self.features_.T).astype(X.dtype)
        return scores.astype(X.dtype, copy=False)


class SituationRidge(UserSideMixin, BaseRecommender):
    """Scores by what users like this one took, and by what is taken in a situation like this.

    ``scores = x C + u W + c V`` with co-occurrence counts C, ridge weights W of the user's
    features, and V, how much of each context feature an item's interactions had.
    """

    _parameter_rules = {"alpha": POSITIVE}

    def __init__(self, alpha=1.0):
        self.alpha = alpha

    def fit(self, X, y=None, *, user_features=None, context=None):
        X = self._start_fit(X)
        side = self._start_side(X, user_features=user_features, context=context)
        self.cooccurrence_ = (X.T @ X).toarray() / X.shape[0]
        self.user_weights_ = self.context_weights_ = None
        if side.user_features is not None:
            U = (
                side.user_features.toarray()
                if hasattr(side.user_features, "toarray")
                else (side.user_features)
            )
            gram = U.T @ U + self.alpha * np.eye(U.shape[1])
            self.user_weights_ = np.linalg.solve(gram, (X.T @ U).T)
        if side.context is not None:
            weights = np.zeros((side.context.shape[1], X.shape[1]))
            np.add.at(weights.T, X.indices, X.data[:, None] * side.context)
            self.context_weights_ = weights / X.shape[0]
        return self

    def _scores(self, X, side):
        scores = X @ self.cooccurrence_.astype(X.dtype)
        if side.user_features is not None:
            scores = scores + side.user_features @ self.user_weights_.astype(X.dtype)
        if side.context is not None:
            scores = scores + side.context @ self.context_weights_.astype(X.dtype)
        return scores
