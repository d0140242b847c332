"""ResidualMF against a slow twin, SciPy's minima and the laws of its two solvers."""

import warnings

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning

from skrec.dummy import DummyRecommender
from skrec.neural_network import ResidualMF
from skrec.neural_network import _residual_factors as module_of_factors
from skrec.neural_network import _residual_fit as module
from skrec.neural_network._residual_branch import ShuffledSamples, branch_loss
from skrec.neural_network._residual_factors import (
    Arrays,
    Factors,
    LogisticDescent,
    first_arrays,
    fold_in_logistic,
)
from skrec.neural_network._residual_kernels import draw_samples
from skrec.utils._cells import Cells
from skrec.utils._mix_kernels import mix
from tests.reference import residual_mf as twin

SMALL = {"n_components": 4, "max_iter": 4, "learning_rate": 0.05, "random_state": 0}


def _tastes(n_users=60, n_items=24, seed=0):
    """Users who like one half of the items; the last user has none."""
    rng = np.random.RandomState(seed)
    group = rng.randint(2, size=(n_users, 1))
    likes = np.where(np.arange(n_items) % 2 == group, 0.5, 0.05)
    X = (rng.rand(n_users, n_items) < likes).astype(np.float64)
    X[-1] = 0
    return csr_array(X)


def _ratings(seed=0):
    X = _tastes(seed=seed)
    X.data[:] = np.random.RandomState(seed).randint(1, 6, X.nnz)
    return X


def _slow_epoch(arrays, n_negatives, rate, alpha, draws):
    """A kernel for `Cells.train` that draws as ours does, and steps as the twin does."""

    def kernel(cells, dealt, pools, key, totals, start, stop):
        assert len(cells) == 1, "one block"
        first, last = dealt.bounds[:2]
        n = (last - first) * (1 + n_negatives)
        users, items = np.empty(n, np.int32), np.empty(n, np.int32)
        cell = dealt.users[first:last], dealt.items[first:last]
        draw_samples(*cell, pools.items, n_negatives, np.uint64(mix(key)), users, items)
        draws.append((users, items))
        totals[0], b = twin.steps(users, items, arrays[:4], arrays.intercept[0], rate, alpha)
        arrays.intercept[0] = b

    return kernel


def test_descent_equals_the_slow_twin_on_the_same_draws():
    X, draws = _tastes(), []
    fast, slow = (first_arrays(X.shape, 5, 0.1, np.random.default_rng(1), 0.0) for _ in range(2))
    descent = LogisticDescent(
        X, fast, alpha=0.02, n_negatives=3, rng=np.random.default_rng(2), n_jobs=1
    )
    cells = Cells(X, np.random.default_rng(2))
    for _ in range(3):
        loss = descent(0.05)
        expected = cells.train(_slow_epoch(slow, 3, 0.05, 0.02, draws)) / X.nnz
        assert loss == pytest.approx(expected, rel=1e-5)
    for found, wanted in zip(fast, slow, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-5)
    users, items = draws[0]
    positive = items >= 0
    visited = csr_array((np.ones(X.nnz), (users[positive], items[positive])), shape=X.shape)
    assert (visited != X).nnz == 0  # each once
    np.testing.assert_array_equal(np.bincount(users), 4 * np.bincount(users[positive]))
    assert positive[: X.nnz].mean() == pytest.approx(0.25, abs=0.1)  # among the negatives


def test_a_step_goes_along_minus_the_gradient():
    rng = np.random.default_rng(0)
    b, alpha, tiny = 0.3, 0.1, 1e-6
    for item, target in ((2, True), (-3, False)):
        model = [rng.normal(size=(2, 3)), rng.normal(size=(3, 3)), *rng.normal(size=(2, 3))]
        before = [part.copy() for part in model]

        def objective(parts, target=target):
            P, Q, of_users, of_items = parts
            y = twin.output(P, Q, of_users, of_items, b, 1, 2)
            squares = P[1] @ P[1] + Q[2] @ Q[2] + of_users[1] ** 2 + of_items[2] ** 2
            return twin.loss(y, target) + alpha / 2 * squares

        twin.steps([1], [item], model, b, tiny, alpha)
        for k, part in enumerate(before):
            for place in np.ndindex(part.shape):
                up, down = ([p.copy() for p in before] for _ in range(2))
                up[k][place] += 1e-5
                down[k][place] -= 1e-5
                slope = (objective(up) - objective(down)) / 2e-5
                assert (model[k][place] - part[place]) / tiny == pytest.approx(-slope, abs=1e-4)


def test_negatives_are_uniform_over_all_items():
    users, items = np.zeros(4000, np.int32), np.zeros(4000, np.int32)
    pool, n = np.arange(10, dtype=np.int32), 5 * 4000
    found = np.empty(n, np.int32), np.empty(n, np.int32)
    draw_samples(users, items, pool, 4, np.uint64(3), *found)
    drawn = -1 - found[1][found[1] < 0]
    counts = np.bincount(drawn, minlength=10)  # item 0 too, which the user has
    assert counts.sum() == 16_000
    assert ((counts - 1600) ** 2 / 1600).sum() < 30


def test_fold_in_is_the_minimum_of_the_row(monkeypatch):
    X = _tastes()
    rng = np.random.default_rng(0)
    items, bias = rng.normal(size=(24, 3)).astype(np.float32), rng.normal(size=24)
    options = {"n_negatives": 4, "alpha": 0.01, "seed": 0, "n_jobs": 1}
    found = fold_in_logistic(X, items, bias, -1.0, **options)
    np.testing.assert_array_equal(found[-1], 0)  # without items
    for u in range(3):
        mine = X.indices[X.indptr[u] : X.indptr[u + 1]]
        best = minimize(
            twin.objective_of_row,
            np.zeros(4),
            args=(mine, items.astype(float), bias - 1.0, 4, 0.01),
            options={"gtol": 1e-9},
        )
        np.testing.assert_allclose(found[u], best.x, atol=1e-5)
    monkeypatch.setattr(module_of_factors, "_MAX_SAMPLE", 20)  # a sample stands for all
    part = fold_in_logistic(X, items, bias, -1.0, **options)
    np.testing.assert_array_equal(part[5:9], fold_in_logistic(X[5:9], items, bias, -1.0, **options))
    assert 0.01 < np.abs(part - found).max() < 2


def test_ratings_are_folded_in_by_least_squares():
    X = _ratings()
    model = ResidualMF(3, feedback="rating", alpha=0.1, max_iter=3, random_state=0).fit(X)
    row = X[:1]
    vector = model.set_params(known_users="fold_in")._vectors(row)[0]
    A = np.column_stack([model.components_[:, row.indices].T, np.ones(row.nnz)])
    rest = row.data - model.intercept_ - model.item_bias_[row.indices]
    normal = A.T @ A + 0.1 * row.nnz * np.eye(4)
    np.testing.assert_allclose(vector, np.linalg.solve(normal, A.T @ rest), rtol=1e-6)
    scores = model.decision_function(row)
    expected = model.intercept_ + model.item_bias_ + vector[3] + vector[:3] @ model.components_
    np.testing.assert_allclose(scores[0], expected, rtol=1e-6)


@pytest.mark.parametrize("feedback", ["implicit", "rating"])
def test_a_network_of_zeros_is_the_plain_model(feedback):
    X = _ratings() if feedback == "rating" else _tastes()
    new = np.vstack([X[:6].toarray(), np.eye(24)[:2]])
    plain = ResidualMF(feedback=feedback, **SMALL).fit(X)
    deep = ResidualMF(
        feedback=feedback, hidden_layer_sizes=(5, 3), branch_max_iter=2, batch_size=16,
        branch_learning_rate=0.05, **SMALL,
    ).fit(X)  # fmt: skip
    assert len(deep.branch_loss_curve_) == 2
    assert np.abs(deep.decision_function(new) - plain.decision_function(new)).max() > 1e-3
    vectors = deep._vectors(csr_array(new))[:, :-1]
    for u, i in ((0, 3), (7, 20)):
        added = twin.network(deep.weights_, vectors[u], deep.components_[:, i])
        expected = plain.decision_function(new)[u, i] + added
        assert deep.decision_function(new)[u, i] == pytest.approx(expected, rel=1e-6)
    rows, items = [0, 7, 7], [3, 20, 5]
    np.testing.assert_allclose(
        deep.score_pairs(new, rows, items), deep.decision_function(new)[rows, items], rtol=1e-12
    )
    for name in ("output.weight", "output.bias"):
        deep.weights_[name] = np.zeros_like(deep.weights_[name])
    for dtype in (np.float32, np.float64):
        found, wanted = (m.decision_function(new.astype(dtype)) for m in (deep, plain))
        np.testing.assert_array_equal(found, wanted)


def test_the_networks_loss_is_that_of_the_scores():
    X = _tastes()
    deep = ResidualMF(hidden_layer_sizes=(5,), branch_max_iter=1, **SMALL).fit(X)
    branch = deep._first_branch(False, torch.Generator().manual_seed(0))
    with torch.no_grad():
        branch.output.weight.normal_(generator=torch.Generator().manual_seed(1))
    arrays = deep._arrays_of(X)
    arrays = arrays._replace(**{k: v.astype(np.float32) for k, v in arrays._asdict().items()})
    factors = Factors(arrays)
    batches = ShuffledSamples(X, 3, 50, torch.Generator().manual_seed(2), torch.device("cpu"))
    batches = list(batches)
    assert sum(batch.n_rows for batch in batches) == X.nnz
    found = branch_loss(branch, batches[0], factors, 0.1, logistic=True).item()
    weights = {name: value.numpy() for name, value in branch.state_dict().items()}
    total = 0.0
    for u, items in zip(batches[0].users.numpy(), batches[0].items.numpy(), strict=True):
        for k, i in enumerate(items):
            y = twin.output(*arrays[:4], arrays.intercept[0], u, i)
            total += twin.loss(y + twin.network(weights, arrays.users[u], arrays.items[i]), k == 0)
    squares = sum((v**2).sum() for name, v in weights.items() if name.endswith("weight"))
    assert found == pytest.approx(total / 50 + 0.05 * squares, rel=1e-5)


def test_it_learns_tastes_and_ratings():
    X = _tastes(200)
    model = ResidualMF(8, max_iter=40, learning_rate=0.05, random_state=0).fit(X[:150])
    popular = DummyRecommender().fit(X[:150])
    assert model.score(X[150:]) > popular.score(X[150:]) + 0.1
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    rng = np.random.RandomState(0)
    full = 3 + rng.normal(size=(80, 1)) * rng.normal(size=30)
    R = csr_array(np.where(rng.rand(80, 30) < 0.5, full, 0))
    rating = ResidualMF(
        4, feedback="rating", alpha=0.02, learning_rate=0.05, max_iter=60, random_state=0
    )
    assert rating.fit(R).score(R) > -0.6


def test_same_bits_whatever_the_threads():
    rng = np.random.RandomState(0)
    X = csr_array((rng.rand(40, 1100) < 0.05).astype(float))  # two blocks
    one, two = (
        ResidualMF(4, max_iter=2, n_jobs=n_jobs, random_state=0).fit(X) for n_jobs in (1, 2)
    )
    np.testing.assert_array_equal(one.components_, two.components_)
    assert one.intercept_ == two.intercept_ != 0


def test_early_stopping_keeps_the_best_of_both_solvers():
    X = _tastes(100)
    options = SMALL | {"max_iter": 12, "early_stopping": True, "learning_rate": 0.2}
    model = ResidualMF(
        hidden_layer_sizes=(6,), branch_max_iter=3, branch_learning_rate=0.1, **options
    ).fit(X)
    n = len(model.loss_curve_) + len(model.branch_loss_curve_)
    assert len(model.validation_scores_) == n
    assert model.best_validation_score_ == max(model.validation_scores_)
    held = model._hold_out(X)
    arrays = Arrays(  # rows that are equal have vectors of their own here
        model.user_factors_, model.components_.T, model.user_bias_, model.item_bias_,
        np.array([model.intercept_], dtype=np.float32),
    )  # fmt: skip
    assert held.score(arrays, model._scorer(np.dtype(np.float32))) == pytest.approx(
        model.best_validation_score_
    )
    rating = ResidualMF(feedback="rating", **options).fit(_ratings())
    assert rating.best_validation_score_ == max(rating.validation_scores_) < 0
    with pytest.warns(UserWarning, match="no user has two items"):
        ResidualMF(**options).fit(np.eye(4))


def test_warm_start_goes_on():
    X = _tastes()
    model = ResidualMF(warm_start=True, **SMALL).fit(X)
    before = model.loss_curve_[-1], model.components_.copy()
    order = np.random.RandomState(0).permutation(60)
    model.set_params(hidden_layer_sizes=(4,), branch_max_iter=1, max_iter=2).fit(X[order])
    assert model.n_iter_ == len(model.loss_curve_) == 6
    assert model.loss_curve_[4] < before[0] + 0.05
    assert np.abs(model.components_ - before[1]).max() < 0.5
    assert "user.weight" in model.weights_
    with pytest.raises(ValueError, match="asks for another one"):
        model.set_params(hidden_layer_sizes=(3,)).fit(X)
    with pytest.raises(ValueError, match="n_components=2"):
        model.set_params(n_components=2).fit(X)
    assert model.n_iter_ == 6


def test_a_fit_that_diverges_or_is_interrupted(monkeypatch):
    X = _tastes()
    model = ResidualMF(**SMALL).fit(X)
    with pytest.raises(ValueError, match="use a smaller"):
        model.set_params(learning_rate=1e6, init_scale=1e3, alpha=0.0).fit(X)
    assert model.n_iter_ == 4
    calls = []

    class Interrupted(LogisticDescent):
        def __call__(self, rate):
            calls.append(rate)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return super().__call__(rate)

    monkeypatch.setattr(module, "LogisticDescent", Interrupted)
    with pytest.warns(ConvergenceWarning, match="interrupted in epoch 3"):
        model = ResidualMF(**SMALL).fit(X)
    assert model.n_iter_ == 2
    assert calls == pytest.approx([0.05, 0.0375, 0.025])  # in a straight line


def test_ratings_are_known_by_their_values():
    X = _ratings()
    model = ResidualMF(feedback="rating", **SMALL).fit(X)
    other = X.copy()
    other.data = 6 - X.data
    assert np.abs(model.decision_function(other) - model.decision_function(X)).max() > 0.1
    implicit = ResidualMF(**SMALL).fit(X)
    np.testing.assert_array_equal(implicit.decision_function(other), implicit.decision_function(X))


@pytest.mark.cuda
def test_cuda_learns_the_network_that_the_cpu_learns():
    X = _tastes()
    fits = [
        ResidualMF(hidden_layer_sizes=(6,), branch_max_iter=2, device=device, **SMALL).fit(X)
        for device in ("cpu", "cuda")
    ]
    np.testing.assert_allclose(*(m.branch_loss_curve_ for m in fits), rtol=1e-4)
    np.testing.assert_allclose(*(m.decision_function(X) for m in fits), atol=1e-3)


@pytest.mark.filterwarnings("error")
def test_one_row_and_no_item():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = ResidualMF(hidden_layer_sizes=(2,), **SMALL).fit(np.zeros((2, 3)))
    assert np.isfinite(model.decision_function(np.eye(3))).all()
