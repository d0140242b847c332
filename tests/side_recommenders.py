"""Two small recommenders that read side information, written on the public base alone."""

import numpy as np

from skrec.base import BaseRecommender, UserSideMixin
from skrec.utils._params import POSITIVE, POSITIVE_INTEGER


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
