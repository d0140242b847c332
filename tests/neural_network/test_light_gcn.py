"""LightGCN against dense powers of the adjacency matrix, and its fold-in."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.sparse import csr_array, vstack
from scipy.stats import spearmanr

from skrec.datasets import make_interactions
from skrec.dummy import DummyRecommender
from skrec.metrics import evaluate
from skrec.model_selection import strong_generalization_split
from skrec.neural_network import LightGCN
from skrec.utils._hashing import keyed_negatives, match_rows, row_hashes
from tests.problems import problem_of
from tests.reference.graphs import adjacency, bpr, light_gcn, symmetric

FAST = {"learning_rate": 0.02, "batch_size": 256, "random_state": 0, "device": "cpu"}


@pytest.fixture(scope="module")
def X():
    X = csr_array(make_interactions(90, 30, 1000, random_state=0, return_X=True))
    return X[np.sort(np.unique(row_hashes(X), axis=0, return_index=True)[1])][:80]


@pytest.fixture(scope="module")
def new():
    return csr_array(make_interactions(20, 30, 200, random_state=1, return_X=True))


def first_layer(model):
    return np.vstack([model.weights_["user.weight"], model.weights_["item.weight"]]).astype(float)


@pytest.mark.parametrize("n_layers", [1, 3])
def test_vectors_are_those_of_the_graph(n_layers, X):
    model = LightGCN(4, n_layers=n_layers, max_iter=5, **FAST).fit(X)
    expected = light_gcn(symmetric(adjacency(X)), first_layer(model), n_layers)
    np.testing.assert_allclose(model.user_factors_, expected[:80], atol=1e-6)
    np.testing.assert_allclose(model.components_.T, expected[80:], atol=1e-6)
    scores = expected[:80] @ expected[80:].T
    np.testing.assert_allclose(model.decision_function(X), scores, atol=1e-5)


@pytest.mark.parametrize("n_layers", [1, 2, 3, 4])
def test_fold_in_is_a_propagation_that_reaches_the_new_user_alone(n_layers, X, new):
    """Items keep their degrees, and take nothing from the new user, whose layer 0 is zero."""
    model = LightGCN(
        4, n_layers=n_layers, own_layer="zero", known_users="fold_in", max_iter=3, **FAST
    ).fit(X)
    A = symmetric(adjacency(X))
    degrees = np.maximum(np.bincount(X.indices, minlength=30), 1)
    for row, found in zip(new.toarray() > 0, model.transform(new), strict=True):
        wide = np.zeros((111, 111))
        wide[:110, :110] = A
        wide[110, 80:110] = row / np.sqrt(row.sum() * degrees)
        first = np.vstack([first_layer(model), np.zeros(4)])
        np.testing.assert_allclose(found, light_gcn(wide, first, n_layers)[110], atol=1e-6)
        # With two layers at most nothing of the user's comes back: an ordinary graph does too.
        wide[80:110, 110] = wide[110, 80:110]
        if n_layers <= 2:
            np.testing.assert_allclose(found, light_gcn(wide, first, n_layers)[110], atol=1e-6)
    # A known row has a share of its own layer 0 beside what its items give.
    own = model.weights_["user.weight"] / (n_layers + 1)
    np.testing.assert_allclose(model.transform(X), model.user_factors_ - own, atol=1e-6)


@pytest.mark.parametrize("prior_weight", [0.1, 0.0])
def test_own_layer_may_be_solved_for(X, new, prior_weight):
    model = LightGCN(
        4, prior_weight=prior_weight, alpha=0.02, known_users="fold_in", max_iter=20, **FAST
    )
    vectors = model.fit(X).transform(new)
    given = model.set_params(own_layer="zero").transform(new)
    Q = model.components_.T.astype(float)
    drawn = keyed_negatives(new, 256, model.seed_, hashes=row_hashes((new > 0) * 1.0))
    taught = drawn[:, 0] >= 0  # others have every item
    np.testing.assert_array_equal(vectors[~taught], given[~taught])
    for u in np.flatnonzero(taught)[:5]:
        mine = Q[new.indices[new.indptr[u] : new.indptr[u + 1]]]

        def objective(own, mine=mine, u=u):
            z, away = given[u] + own / 4, own - model.user_mean_
            total = np.log1p(np.exp((Q[drawn[u]] @ z)[:, None] - mine @ z)).sum() / 256
            total += prior_weight / 2 * away @ model.user_precision_ @ away
            return total + 0.01 * len(mine) * own @ own

        found = minimize(objective, np.zeros(4), tol=1e-10).x
        np.testing.assert_allclose(4 * (vectors[u] - given[u]), found, rtol=1e-3, atol=1e-4)


def test_without_a_penalty_the_prior_bounds_the_own_layer(X, new):
    model = LightGCN(4, alpha=0.0, known_users="fold_in", max_iter=3, **FAST).fit(X)
    expected = model.set_params(prior_weight=0.1).transform(new)
    np.testing.assert_array_equal(model.set_params(prior_weight=0.0).transform(new), expected)
    assert (model.set_params(prior_weight=0.01).transform(new) != expected).any()


def test_loss_and_gradient_equal_numpy(X):
    model = LightGCN(3, alpha=0.3, **FAST)
    problem = problem_of(X)
    module = model._build_module(X.shape, problem)
    batch = next(iter(model._batches(problem)))
    loss = model._loss(module, batch, 0, problem.generator)
    loss.backward()
    A, where = symmetric(adjacency(X)), (batch.users, 80 + batch.items, 80 + batch.negatives[:, 0])
    weights = [module.user.weight, module.item.weight]
    first = torch.cat(weights).detach().numpy().astype(float)

    def value(first):
        return bpr(light_gcn(A, first, 3), first, *(part.numpy() for part in where), 0.3)

    assert float(loss.detach()) == pytest.approx(value(first), rel=1e-5)
    gradient = torch.cat([weight.grad for weight in weights]).numpy()
    assert np.abs(gradient).max() > 1e-3
    for at in [(0, 0), (17, 2), (80, 1), (95, 0), (109, 2)]:
        ends = []
        for sign in (1, -1):
            moved = first.copy()
            moved[at] += sign * 1e-4
            ends.append(value(moved))
        assert gradient[at] == pytest.approx((ends[0] - ends[1]) / 2e-4, rel=1e-3, abs=1e-6)


def test_it_learns_and_the_same_seed_gives_the_same_bits(X):
    one, two = (LightGCN(8, max_iter=40, **FAST).fit(X) for _ in range(2))
    np.testing.assert_array_equal(one.components_, two.components_)
    np.testing.assert_array_equal(one.user_factors_, two.user_factors_)
    assert one.loss_curve_ == two.loss_curve_
    assert one.loss_curve_[-1] < 0.8 * one.loss_curve_[0]
    assert one.score(X) > DummyRecommender().fit(X).score(X)
    learned = one.decision_function(X)
    folded = one.set_params(known_users="fold_in").decision_function(X)
    shown = np.diff(X.indptr) > 4
    alike = [spearmanr(a, b).statistic for a, b in zip(learned[shown], folded[shown], strict=True)]
    assert np.mean(alike) > 0.8


def test_warm_start_goes_on_from_layer_0(X, new):
    model = LightGCN(4, max_iter=4, warm_start=True, **FAST).fit(X)
    first, vectors = {n: w.copy() for n, w in model.weights_.items()}, model.user_factors_.copy()
    model.set_params(max_iter=1, learning_rate=1e-30).fit(X)
    assert model.n_iter_ == len(model.loss_curve_) == 5
    for name, weight in first.items():
        np.testing.assert_array_equal(model.weights_[name], weight)
    np.testing.assert_array_equal(model.user_factors_, vectors)
    model.fit(vstack([new, X]).tocsr())
    np.testing.assert_array_equal(model.weights_["user.weight"][20:], first["user.weight"])
    fresh = match_rows(row_hashes(X), row_hashes(new)) < 0
    assert fresh.sum() > 10
    np.testing.assert_allclose(model.weights_["user.weight"][:20][fresh], 0, atol=1e-20)


def test_early_stopping_looks_at_the_learned_vectors(X):
    model = LightGCN(4, max_iter=6, early_stopping=True, validation_fraction=0.3, **FAST).fit(X)
    held = model._hold_out(X, model._split_seed)
    dense = X.toarray()
    rows = np.repeat(np.arange(80), np.diff(X.indptr))
    held_out = np.zeros(X.shape)
    held_out[rows[~held.entries], X.indices[~held.entries]] = 1
    shown = csr_array(np.where(held_out > 0, 0, dense))

    class Fixed:
        def decision_function(self, X):
            return model.user_factors_ @ model.components_

    expected = evaluate(Fixed(), shown, csr_array(held_out), ["ndcg@100"]).mean["ndcg@100"]
    assert model.best_validation_score_ == pytest.approx(expected, rel=1e-5)


def test_who_has_nothing_scores_zero(X):
    wide = csr_array((X.data, X.indices, np.append(X.indptr, X.nnz)), shape=(81, 34))
    model = LightGCN(4, max_iter=3, **FAST).fit(wide)
    scores = model.decision_function(wide)
    np.testing.assert_array_equal(scores[80], 0)
    np.testing.assert_array_equal(scores[:, 30:], 0)
    alone = LightGCN(4, max_iter=3, **FAST).fit(X)
    np.testing.assert_array_equal(alone.components_, model.components_[:, :30])
    np.testing.assert_array_equal(alone.user_factors_, model.user_factors_[:80])


@pytest.mark.parametrize("full", [np.ones((4, 6)), np.zeros((4, 6))], ids=["full", "empty"])
def test_a_fit_without_a_pair_ends_and_scores(full):
    model = LightGCN(4, max_iter=2, random_state=0).fit(full)
    assert model.loss_curve_ == [0.0, 0.0]
    assert np.isfinite(model.decision_function(np.eye(6))).all()


def ml_100k(data_home):
    """Strong generalisation: ratings >= 4, 150 users validate and 150 test."""
    log = np.load(data_home / "ml-100k" / "interactions.npz")
    liked = log["rating"] >= 4
    ones = np.ones(liked.sum(), dtype=np.float32)
    X = csr_array((ones, (log["user"][liked], log["item"][liked])))
    X = X[np.diff(X.indptr) >= 5]
    return strong_generalization_split(X, n_validation=150, n_test=150, random_state=0)


@pytest.mark.slow
def test_folded_in_users_rank_as_after_retraining(data_home):
    split = ml_100k(data_home)
    options = FAST | {"learning_rate": 0.005, "batch_size": 2048, "max_iter": 25}
    model = LightGCN(**options).fit(split.X_train)
    whole = vstack([split.X_train, split.X_test]).tocsr()
    retrained = LightGCN(**options).fit(whole)
    known = np.bincount(split.X_train.indices, minlength=whole.shape[1]) > 0
    ours, theirs = (m.decision_function(split.X_test)[:, known] for m in (model, retrained))
    alike = [spearmanr(a, b).statistic for a, b in zip(ours, theirs, strict=True)]
    assert np.mean(alike) >= 0.95
    found = [
        evaluate(m, split.X_test, split.y_test, ["ndcg@100"]).mean["ndcg@100"]
        for m in (model, retrained, DummyRecommender().fit(split.X_train))
    ]
    assert found[0] > found[1] - 0.015
    assert found[0] > found[2] + 0.1


@pytest.mark.cuda
def test_cuda_agrees(X, new):
    options = FAST | {"max_iter": 5, "early_stopping": True}
    there, here = (LightGCN(8, **(options | {"device": d})).fit(X) for d in ("cuda", "cpu"))
    np.testing.assert_allclose(there.loss_curve_, here.loss_curve_, rtol=1e-3)
    for rows in (X, new):
        np.testing.assert_allclose(
            there.decision_function(rows), here.decision_function(rows), rtol=1e-2, atol=1e-3
        )
