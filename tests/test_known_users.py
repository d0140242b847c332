"""Matching and folding in, on a small model with a learned vector per training user."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.estimator_checks import check_estimator

from skrec.autoencoder import RBMRecommender
from skrec.base import BaseRecommender
from skrec.decomposition import BiasedMF
from skrec.neural_network import ResidualMF
from skrec.utils._hashing import keyed_negatives, row_hashes
from skrec.utils._known_users import KNOWN_USERS, user_vectors
from skrec.utils._params import RANDOM_STATE
from skrec.utils.estimator_checks import check_recommender


class LearnedUsers(BaseRecommender):
    """Least squares on a row's items (1) and as many sampled negatives (0).

    Training users get a small random shift, so that a learned vector differs from a
    folded-in one, as in a model trained by SGD.
    """

    _parameter_rules = {"known_users": KNOWN_USERS, "random_state": RANDOM_STATE}

    def __init__(self, *, known_users="match", random_state=None):
        self.known_users = known_users
        self.random_state = random_state

    def fit(self, X, y=None):
        X = self._start_fit(X)
        rng = check_random_state(self.random_state)
        self.seed_ = int(rng.randint(2**31 - 1))
        self.components_ = rng.normal(size=(3, X.shape[1]))
        self.user_hashes_ = row_hashes(X)
        folded = self._fold_in(X, self.user_hashes_)
        self.user_factors_ = folded + rng.normal(scale=0.5, size=folded.shape)
        return self

    def _fold_in(self, X, hashes):
        negatives = keyed_negatives(X, 6, self.seed_, hashes=hashes)
        vectors = np.empty((X.shape[0], 3))
        for u in range(X.shape[0]):
            seen = X.indices[X.indptr[u] : X.indptr[u + 1]]
            drawn = negatives[u][negatives[u] >= 0]
            V = self.components_[:, np.concatenate([seen, drawn])]
            target = V[:, : len(seen)].sum(axis=1)
            vectors[u] = np.linalg.solve(V @ V.T + np.eye(3), target)
        return vectors

    def _scores(self, X):
        vectors = user_vectors(
            X, self.user_hashes_, self.user_factors_, self._fold_in, known_users=self.known_users
        )
        return (vectors @ self.components_).astype(X.dtype)


@pytest.fixture(scope="module")
def X():
    rng = np.random.RandomState(0)
    dense = (rng.uniform(size=(40, 12)) < 0.3).astype(float)
    dense[7] = dense[3]
    return csr_array(dense)


def test_known_rows_reuse_their_vector_and_the_first_duplicate_wins(X):
    model = LearnedUsers(random_state=0).fit(X)
    expected = model.user_factors_ @ model.components_
    expected[7] = expected[3]
    first = {}
    for u, row in enumerate(map(tuple, X.toarray())):
        expected[u] = expected[first.setdefault(row, u)]
    np.testing.assert_allclose(model.decision_function(X), expected)
    np.testing.assert_allclose(model.decision_function(X[::-1]), expected[::-1])


def test_new_rows_are_folded_in_and_fold_in_treats_all_rows_so(X):
    model = LearnedUsers(random_state=0).fit(X)
    new = X.toarray()[:5]
    new[:, 0] = 2.0  # no training row has a two
    by_match = model.decision_function(new)
    all_folded = model.set_params(known_users="fold_in")
    np.testing.assert_allclose(all_folded.decision_function(new), by_match)
    moved = all_folded.decision_function(X) - model.user_factors_ @ model.components_
    assert np.abs(moved).min(axis=1).max() > 0.01


def test_contract(X):
    check_estimator(LearnedUsers())
    drawn = ["check_item_permutation", "check_duplicate_items_tie"]  # item by item
    check_recommender(LearnedUsers(), skip=drawn)
    check_recommender(LearnedUsers(known_users="fold_in"), skip=drawn)


@pytest.mark.parametrize(
    "model",
    [
        BiasedMF(3, solver="sgd", max_iter=5, random_state=0),
        RBMRecommender(3, orientation="item", max_iter=5, random_state=0),
        ResidualMF(3, feedback="rating", max_iter=5, random_state=0),
    ],
    ids=lambda model: type(model).__name__,
)
def test_models_of_ratings_know_rows_by_their_values(model):
    rng = np.random.default_rng(0)
    X = csr_array(rng.integers(1, 6, (20, 9)) * (rng.random((20, 9)) < 0.6))
    other = X.copy()
    other.data = 6 - X.data
    other.data[X.data == 3] = 1  # no row is what it was
    folding = clone(model).set_params(known_users="fold_in")
    matching, folding = model.fit(X), folding.fit(X)
    np.testing.assert_array_equal(
        matching.decision_function(other[:5]), folding.decision_function(other[:5])
    )
    known = matching.decision_function(X[:5])
    assert np.abs(known - folding.decision_function(X[:5])).max() > 1e-6
