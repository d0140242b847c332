"""Small recommenders and data that the tests of the metrics share."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from skrec.base import BaseRecommender


class Popular(BaseRecommender):
    """Scores an item by how many users have it, plus a little of its neighbours' overlap."""

    _parameter_rules = {}

    def __init__(self, mix=0.5):
        self.mix = mix

    def fit(self, X, y=None, sample_weight=None):
        X = self._start_fit(X)
        gram = (X.T @ X).toarray()
        np.fill_diagonal(gram, 0.0)
        self.popularity_ = np.asarray(X.sum(axis=0)).ravel()
        self.gram_ = gram
        return self

    def _scores(self, X):
        found = X @ self.gram_.astype(X.dtype)
        return (self.mix * found + (1 - self.mix) * self.popularity_).astype(X.dtype)


class MeanRating(BaseRecommender):
    """Predicts the item's mean rating; a rating model."""

    _parameter_rules = {}

    def fit(self, X, y=None):
        X = self._start_fit(X)
        counts = np.maximum(np.bincount(X.indices, minlength=X.shape[1]), 1)
        self.mean_ = np.asarray(X.sum(axis=0)).ravel() / counts
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.recommender_tags.predicts_ratings = True
        return tags

    def _scores(self, X):
        return np.tile(self.mean_, (X.shape[0], 1)).astype(X.dtype)


@pytest.fixture
def popular():
    return Popular


@pytest.fixture
def mean_rating():
    return MeanRating


@pytest.fixture
def ratings():
    """A matrix of ratings 1..5 with long-tailed popularity, some empty and short rows."""
    rng = np.random.default_rng(3)
    chance = np.linspace(0.5, 0.05, 40)
    X = (rng.random((90, 40)) < chance) * rng.integers(1, 6, size=(90, 40))
    X[0] = 0
    X[1] = 0
    X[1, 4] = 5
    return csr_array(X.astype(np.float64))
