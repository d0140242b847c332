"""LLORMA against a dense twin, and as one factorisation where all weights are equal."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from skrec.decomposition import BPR, BiasedMF
from skrec.ensemble import LLORMA
from skrec.ensemble._anchors import random_cells
from skrec.ensemble._llorma_kernels import learn_local_model
from skrec.linear_model import EASE
from skrec.neighbors import UserKNN
from skrec.utils._rating_ridge import rating_penalty, solve_side
from tests.reference import llorma as twin


def _ratings(n_users=40, n_items=25, seed=0):
    """Two groups of users with tastes of their own; the last user and item have no ratings."""
    rng = np.random.RandomState(seed)
    group = np.sign(rng.normal(size=(n_users, 1)))
    full = 3.5 + group * np.sign(rng.normal(size=n_items)) + 0.3 * rng.normal(size=(n_users, 1))
    R = np.where(rng.rand(n_users, n_items) < 0.5, np.clip(full, 1, 5), 0)
    R[-1], R[:, -1] = 0, 0
    return csr_array(R)


def _model(**options):
    options = {"n_estimators": 4, "n_components": 3, "random_state": 0} | options
    return LLORMA(BiasedMF(3, random_state=0), **options)


def test_scores_equal_those_of_the_dense_twin():
    X = _ratings()
    model = _model(bandwidth=0.7, alpha=0.1).fit(X)
    new = np.vstack([X[:2].toarray(), X[-1:].toarray(), 6.0 - 5 * np.eye(25)[:2]])
    users, items = model.estimator_.transform(new), model.estimator_.components_.T
    kernels = [
        [twin.kernel(e, items[i], 0.7) if e.any() else 0.0 for e in items]
        for i in model.anchor_items_
    ]
    np.testing.assert_allclose(model.item_weights_, kernels, atol=1e-5)
    anchors = [
        (e, np.array(k), Q.astype(float))
        for e, k, Q in zip(
            model.anchor_vectors_, model.item_weights_, model.local_components_, strict=True
        )
    ]
    of_global = model.estimator_.decision_function(new)
    expected = [
        twin.scores(row, e, model.intercept_, anchors, g, 0.7, 0.1)
        for row, e, g in zip(new, users, of_global, strict=True)
    ]
    found = model.decision_function(new)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    covered = np.abs(found - of_global) > 1e-9
    assert covered[0].any()
    assert not covered.all()
    np.testing.assert_array_equal(found[2], of_global[2])  # no ratings, no anchor
    rows, columns = [4, 0, 0, 2], [3, 7, 24, 1]
    np.testing.assert_allclose(model.score_pairs(new, rows, columns), found[rows, columns])


def test_rows_of_few_ratings_have_the_least_vectors_without_a_penalty():
    X = _ratings()
    model = _model(bandwidth=1e6, alpha=0.0).fit(X)
    new = np.zeros((3, 25))
    new[0, 4], new[1, [2, 7]], new[2, [1, 3, 9]] = 5, [4, 2], [1, 3, 5]
    limits = [
        [
            model.intercept_ + Q[:, -1] + np.c_[Q[:, :-1], np.ones(25)] @ z
            for Q in model.local_components_.astype(float)
            for z in [twin.local_row(row, model.intercept_, np.ones(25), Q, 0.0)]
        ]
        for row in new
    ]
    np.testing.assert_allclose(model.decision_function(new), np.mean(limits, axis=1), atol=1e-3)


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_descent_equals_the_twin_and_skips_what_weighs_nothing(share):
    rng = np.random.default_rng(0)
    users, items = (rng.integers(9, size=200).astype(np.int32) for _ in range(2))
    values = rng.normal(size=200).astype(np.float32)
    weights = tuple(
        np.where(rng.random(9) < share, rng.random(9), 0).astype(np.float32) for _ in "ui"
    )
    fast = tuple(rng.normal(size=(9, 4)).astype(np.float32) for _ in "ui")
    slow = tuple(part.astype(float) for part in fast)
    before = fast[0].copy()
    rates = np.array([0.1, 0.05], dtype=np.float32)
    ratings = (users, items, values)
    n, error = learn_local_model(ratings, weights, fast, rates, np.float32(0.2), 0.0, np.uint64(1))
    for rate in (0.1, 0.05)[:n]:
        twin.steps(zip(*ratings, strict=True), *weights, *slow, rate, 0.2)
    for found, expected in zip(fast, slow, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_array_equal(fast[0][weights[0] == 0], before[weights[0] == 0])
    assert 0 < error < 2


def test_one_anchor_and_equal_weights_are_one_factorisation():
    X = _ratings()
    model = _model(n_estimators=1, bandwidth=1e9, alpha=0.05, max_iter=100, tol=0.0).fit(X)
    np.testing.assert_allclose(model.item_weights_, 1)
    factors, bias = model.local_components_[0, :, :-1], model.local_components_[0, :, -1]
    centred = X.copy()
    centred.data = X.data - model.intercept_
    penalty = rating_penalty(np.diff(X.indptr), 0.05, 1.0)
    w, b, _ = solve_side(centred, factors, bias, penalty)
    expected = model.intercept_ + b[:, None] + bias + w @ factors.T
    np.testing.assert_allclose(model.decision_function(X), expected, rtol=1e-6)
    # It is as good a minimum as that of the model which has no weights.
    alike = BiasedMF(3, solver="sgd", alpha=0.05, max_iter=100, learning_rate=0.06, random_state=0)
    assert model.local_rmse_[0] == pytest.approx(np.sqrt(alike.fit(X).loss_curve_[-1]), abs=0.03)


def test_local_models_are_better_than_one_for_all():
    rng = np.random.RandomState(1)
    X = _ratings(120, 40, seed=1)
    hidden = rng.rand(X.nnz) < 0.2
    train, test = X.copy(), X.copy()
    train.data[hidden], test.data[~hidden] = 0, 0
    model = LLORMA(
        BiasedMF(1, alpha=0.3, random_state=0), n_estimators=20, n_components=3, random_state=0
    )
    model.fit(train)
    assert model.score(train, test) > model.estimator_.score(train, test) + 0.02


def test_anchors_are_ratings_of_embedded_users_and_items():
    X = _ratings()
    users, items = np.ones((40, 2)), np.ones((25, 2))
    users[3], items[5] = 0, 0
    rows, columns = random_cells(X, users, items, 30, np.random.RandomState(0))
    assert len(rows) == len(set(rows)) == 30
    assert not {3, 39} & set(rows)
    assert 5 not in columns
    assert (X[rows, columns] != 0).all()
    everyone, _ = random_cells(X, users, items, 100, np.random.RandomState(0))
    assert len(everyone) == 38
    model = _model(n_estimators=100).fit(X)
    assert len(model.anchors_) == len(model.local_components_) == 39
    assert not model.local_components_[:, -1].any()  # an item that nobody has rated


def test_same_bits_whatever_the_threads_and_chunks(monkeypatch):
    X = _ratings()
    one, two = (_model(n_jobs=n_jobs).fit(X) for n_jobs in (1, 2))
    np.testing.assert_array_equal(one.local_components_, two.local_components_)
    monkeypatch.setattr(LLORMA, "_row_bytes", lambda self: 2**24)  # two rows at a time
    rows, items = [5, 1, 5, 0], [0, 1, 2, 3]
    found = two.decision_function(X)
    np.testing.assert_array_equal(found, one.decision_function(X))
    # Pairs of the model for all are summed in another order than whole rows.
    np.testing.assert_allclose(two.score_pairs(X, rows, items), found[rows, items], rtol=1e-14)
    np.testing.assert_array_equal(found[7], two.decision_function(X[7:8])[0])


def test_clipping_tolerance_and_errors():
    X = _ratings()
    wide = X.copy()
    wide.data = np.where(np.arange(X.nnz) % 2, 1.0, 5.0)
    free, kept = (_model(alpha=1e-3, clip=clip).fit(wide) for clip in (False, True))
    scores = free.decision_function(X)
    assert scores.max() > 5
    np.testing.assert_array_equal(kept.decision_function(X), np.clip(scores, 1, 5))
    assert _model(tol=0.5).fit(X).n_iter_ == 2
    with pytest.raises(ValueError, match="smaller learning_rate"):
        _model(learning_rate=1e4).fit(X)
    for wrong in (EASE(), BPR(), UserKNN(feedback="rating")):
        with pytest.raises(TypeError, match="factor model of ratings"):
            LLORMA(wrong).fit(X)
