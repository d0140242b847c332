"""VisRank and IBR: against slow twins, features, cold items, figures on MovieLens and TikTok."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import check_grad
from scipy.sparse import csr_array
from sklearn.model_selection import GridSearchCV

import skrec
from skrec.content import IBR, VisRank
from skrec.content._ibr import StyleObjective, random_pairs, related_pairs
from skrec.metrics import make_ranking_scorer
from tests.reference.content import cosine, minus_distance, profile_score, style_loss

RNG = np.random.default_rng(0)
F = RNG.random((12, 5)) * (RNG.random((12, 5)) < 0.7)
F[3] = 0


def interactions(seed, n_users=7, n_items=12):
    rng = np.random.default_rng(seed)
    values = rng.integers(1, 4, (n_users, n_items)) * (rng.random((n_users, n_items)) < 0.4)
    values[0] = 0
    return values.astype(float)


def expected_scores(X, vectors, likeness, aggregate, n_neighbors):
    return np.array(
        [
            [profile_score(row, i, vectors, likeness, aggregate, n_neighbors) for i in range(12)]
            for row in X
        ]
    )


@given(
    st.integers(0, 10**6),
    st.sampled_from(["mean", "max", "top_k"]),
    st.integers(1, 6),
    st.booleans(),
    st.booleans(),
)
def test_vis_rank_is_its_slow_twin(seed, aggregate, n_neighbors, sparse, center):
    X = interactions(seed)
    model = VisRank(aggregate, n_neighbors=n_neighbors, center=center and not sparse)
    model.fit(X, item_features=csr_array(F) if sparse else F)
    vectors = F
    if model.center:
        known = (X.sum(axis=0) > 0) & F.any(axis=1)
        vectors = np.where(F.any(axis=1, keepdims=True), F - F[known].mean(axis=0), 0)
    expected = expected_scores(X, vectors, cosine, aggregate, n_neighbors)
    np.testing.assert_allclose(model.decision_function(X), expected, atol=1e-12)
    rows, items = np.divmod(np.arange(84), 12)
    np.testing.assert_allclose(model.score_pairs(X, rows, items), expected.ravel(), atol=1e-12)
    explained = model.explain(X, np.tile(np.arange(12), (7, 1)))
    np.testing.assert_allclose(explained.sum(axis=1), expected.ravel(), atol=1e-12)
    assert set(zip(*explained.nonzero(), strict=True)) <= set(
        zip(*np.repeat(X, 12, axis=0).nonzero(), strict=True)
    )


@pytest.mark.parametrize("aggregate", ["mean", "max", "top_k"])
def test_ibr_scores_by_distances(aggregate):
    X = interactions(1)
    model = IBR(3, aggregate=aggregate, n_pairs=200, random_state=0).fit(X, item_features=F)
    vectors = F / model.feature_scale_ @ model.projection_
    np.testing.assert_allclose(model.components_, vectors.T, atol=1e-12)
    expected = expected_scores(X, vectors, minus_distance, aggregate, 3)
    np.testing.assert_allclose(model.decision_function(X), expected, atol=1e-9)
    explained = model.explain(X, np.tile(np.arange(12), (7, 1)))
    np.testing.assert_allclose(explained.sum(axis=1), expected.ravel(), atol=1e-9)
    similar, scores = model.similar_items(np.arange(12), 11, return_scores=True)
    for item in range(12):
        distances = np.array([minus_distance(vectors[item], vector) for vector in vectors])
        np.testing.assert_allclose(
            scores[item], np.sort(np.delete(distances, item))[::-1], atol=1e-9
        )
        np.testing.assert_allclose(distances[similar[item]], scores[item], atol=1e-9)


@pytest.mark.parametrize("sparse", [False, True])
def test_the_objective_of_ibr_and_its_gradient(sparse):
    related, others = np.array([[0, 1], [2, 5], [0, 1]]), np.array([[3, 4], [7, 1], [0, 9]])
    objective = StyleObjective(csr_array(F) if sparse else F, related, others, 0.1)
    vector = np.random.default_rng(1).normal(size=11)
    expected = style_loss(vector[:-1].reshape(5, 2), vector[-1], F, related, others, 0.1)
    assert objective(vector)[0] == pytest.approx(expected)
    assert check_grad(lambda v: objective(v)[0], lambda v: objective(v)[1], vector) < 1e-6


def test_ibr_learns_and_says_how():
    X = interactions(2)
    one = IBR(3, n_pairs=300, random_state=0).fit(X, item_features=F)
    assert one.loss_curve_[-1] < one.loss_curve_[0]
    assert one.n_iter_ == len(one.loss_curve_) <= 50
    again = IBR(3, n_pairs=300, random_state=0).fit(X, item_features=F)
    np.testing.assert_array_equal(one.components_, again.components_)
    short = IBR(3, n_pairs=300, max_iter=2, random_state=0).fit(X, item_features=F)
    assert short.n_iter_ == 2


def test_pairs_are_of_one_row_and_of_two_items():
    X = csr_array(interactions(3))
    together = (X.T @ X).toarray() > 0
    pairs = related_pairs(X, 500, np.random.RandomState(0))
    assert together[pairs[:, 0], pairs[:, 1]].all()
    assert (pairs[:, 0] != pairs[:, 1]).all()
    assert len(related_pairs(csr_array(np.eye(4)), 10, np.random.RandomState(0))) == 0
    items = np.array([2, 5, 9])
    pairs = random_pairs(items, 600, np.random.RandomState(0))
    assert (pairs[:, 0] != pairs[:, 1]).all()
    counts = np.unique(pairs, axis=0, return_counts=True)[1]
    assert len(counts) == 6
    assert counts.min() > 60  # all are as likely: 100 are expected
    assert len(random_pairs(items[:1], 5, np.random.RandomState(0))) == 0


def test_ibr_finds_the_features_that_matter():
    rng = np.random.default_rng(0)
    taste, noise = rng.integers(2, size=60), rng.normal(size=(60, 8))
    X = np.zeros((80, 60))
    for row in X:
        row[rng.choice(np.flatnonzero(taste == rng.integers(2)), 8, replace=False)] = 1
    features = np.column_stack([taste * 2.0, noise])
    model = IBR(2, n_pairs=4000, random_state=0).fit(X, item_features=features)
    strength = np.linalg.norm(model.projection_, axis=1)
    assert strength[0] > 3 * strength[1:].max()


def test_a_penalty_that_is_too_large_warns():
    X = interactions(7, n_users=40)
    with pytest.warns(UserWarning, match=r"scores all items alike.*smaller alpha \(10.0\)"):
        IBR(3, alpha=10.0, n_pairs=500, tol=0.0, random_state=0).fit(X, item_features=F)


def test_cold_items_and_unseen_features_have_no_first_values():
    X = interactions(4)
    X[:, -1] = 0
    model = IBR(3, n_pairs=200, random_state=0).fit(X)
    assert not model.components_[:, -1].any()
    features = np.column_stack([F, np.arange(12) == 11])
    model = IBR(3, n_pairs=200, random_state=0).fit(X, item_features=features)
    assert not model.projection_[-1].any()


def test_new_items_of_sparse_and_dense_features():
    X = interactions(5)
    for features in (F, csr_array(F)):
        model = VisRank().fit(X, item_features=features)
        for new in (F[:2], csr_array(F[:2])):
            scores = model.with_items(new).decision_function(np.hstack([X, np.zeros((7, 2))]))
            np.testing.assert_allclose(scores[:, 12:], scores[:, :2], atol=1e-12)
    centered = [VisRank(center=True).fit(X, item_features=each) for each in (F, csr_array(F))]
    np.testing.assert_array_equal(*(model.decision_function(X) for model in centered))


def test_large_features_do_not_overflow():
    X = interactions(6)
    plain = VisRank().fit(X, item_features=F).decision_function(X)
    large = VisRank().fit(X, item_features=1e200 * F).decision_function(X)
    np.testing.assert_allclose(large, plain, atol=1e-12)


def test_searches_take_them():
    X = csr_array(interactions(8, n_users=60))
    search = GridSearchCV(
        VisRank(), {"aggregate": ["mean", "max"]},
        cv=3, scoring=make_ranking_scorer("ndcg@5"),
    ).fit(X, item_features=skrec.ItemFeatures(F))  # fmt: skip
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_no_torch_is_loaded():
    code = (
        "import sys; from skrec.content import IBR, VisRank; import numpy as np; F = np.eye(3);"
        "X = np.array([[1, 1, 0], [0, 1, 1]]); VisRank().fit(X, item_features=F).predict(X);"
        "IBR(2, n_pairs=9).fit(X, item_features=F).predict(X); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
