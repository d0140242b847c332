"""EASE against ridge regressions, column by column, and its extras."""

import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.linear_model import Ridge

from skrec.datasets import make_interactions
from skrec.linear_model import EASE, SLIM
from skrec.utils import _memory


def _data(n_users=60, n_items=15, seed=0):
    rng = np.random.RandomState(seed)
    return csr_array((rng.uniform(size=(n_users, n_items)) < 0.3) * rng.randint(1, 4, n_items))


@pytest.mark.parametrize("alpha", [0.5, 20.0])
def test_each_column_is_a_ridge_regression_on_the_others(alpha):
    X = _data().toarray()
    coef = EASE(alpha).fit(X).coef_
    assert not np.diagonal(coef).any()
    for j in range(X.shape[1]):
        others = np.arange(X.shape[1]) != j
        ridge = Ridge(alpha, fit_intercept=False, solver="cholesky").fit(X[:, others], X[:, j])
        np.testing.assert_allclose(coef[others, j], ridge.coef_, atol=1e-10)


@pytest.mark.parametrize("p", [0.2, 0.6])
def test_dropout_is_the_expectation_over_dropped_inputs(p):
    # Minimise E ||X - Z B||^2 + (1 - p)^2 alpha ||B||^2 over B with a zero diagonal, where Z keeps
    # each entry of X with chance 1 - p; predictions from all of X then use (1 - p) B.
    X, alpha = _data().toarray(), 3.0
    gram = X.T @ X
    keep = 1 - p
    expected_zz = keep**2 * gram + keep * p * np.diag(np.diag(gram))
    coef = EASE(alpha, dropout=p).fit(X).coef_
    for j in range(X.shape[1]):
        others = np.arange(X.shape[1]) != j
        left = expected_zz[np.ix_(others, others)] + keep**2 * alpha * np.eye(others.sum())
        b = keep * np.linalg.solve(left, keep * gram[others, j])
        np.testing.assert_allclose(coef[others, j], b, atol=1e-10)


def test_scores_are_the_product_with_the_weights():
    X = _data()
    model = EASE(5.0).fit(X)
    np.testing.assert_allclose(model.decision_function(X), X @ model.coef_, atol=1e-12)
    assert not model.decision_function(csr_array((2, 15))).any()


@given(st.integers(0, 1000), st.floats(0.1, 100.0))
def test_weights_solve_the_constrained_problem(seed, alpha):
    X = _data(12, 6, seed).toarray()
    B = EASE(alpha).fit(X).coef_
    # Off the diagonal the gradient vanishes; the diagonal is the constraint's multiplier.
    gradient = X.T @ X @ (B - np.eye(6)) + alpha * B
    np.fill_diagonal(gradient, 0)
    np.testing.assert_allclose(gradient, 0, atol=1e-8)


def test_sample_weight_is_repetition():
    X = _data()
    weight = np.random.RandomState(1).randint(0, 4, X.shape[0])
    weighted = EASE(2.0).fit(X, sample_weight=weight).coef_
    repeated = EASE(2.0).fit(np.repeat(X.toarray(), weight, axis=0)).coef_
    np.testing.assert_allclose(weighted, repeated, atol=1e-12)


@pytest.mark.parametrize("model", [EASE(5.0), SLIM(5.0)])
def test_partial_fit_does_not_silently_forget_the_users_of_fit(model):
    X = _data()
    model = clone(model).fit(X)
    with pytest.warns(UserWarning, match=f"begins anew: this {type(model).__name__}") as warned:
        model.partial_fit(X[:20])
    assert {each.filename for each in warned} == {__file__}  # the caller's line
    expected = clone(model).fit(X[:20]).decision_function(X)
    np.testing.assert_allclose(model.decision_function(X), expected, atol=1e-8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.partial_fit(X[20:])
        with pytest.raises(ValueError, match=">= 0"):  # refused, so nothing is forgotten
            clone(model).fit(X).partial_fit(-X)
    expected = clone(model).fit(X).decision_function(X)
    np.testing.assert_allclose(model.decision_function(X), expected, atol=1e-8)
    with pytest.warns(UserWarning, match="begins anew"):
        model.fit(X).partial_fit(X, solve=False)
    assert not hasattr(model, "coef_")


def test_partial_fit_on_chunks_equals_fit():
    X = _data()
    weight = np.linspace(0.5, 2, X.shape[0])
    whole = EASE(2.0, dropout=0.2).fit(X, sample_weight=weight)
    chunked = EASE(2.0, dropout=0.2)
    for start in range(0, X.shape[0], 25):
        last = start + 25 >= X.shape[0]
        part, part_weight = X[start : start + 25], weight[start : start + 25]
        chunked.partial_fit(part, sample_weight=part_weight, solve=last)
    np.testing.assert_allclose(chunked.coef_, whole.coef_, atol=1e-12)
    assert not hasattr(chunked.fit(X), "gram_")
    with pytest.raises(ValueError, match="features"):
        EASE().partial_fit(X).partial_fit(X[:, :3])


def test_float32_is_close_to_float64():
    X = _data(500, 80)
    narrow, wide = EASE(10.0, dtype="float32").fit(X), EASE(10.0, dtype="float64").fit(X)
    assert narrow.coef_.dtype == np.float32
    assert np.abs(narrow.coef_ - wide.coef_).max() < 1e-5 * np.abs(wide.coef_).max()
    assert narrow.decision_function(X).dtype == np.float64


def test_threads_do_not_change_the_result():
    X = _data(500, 80)
    one, two = EASE(10.0, n_jobs=1).fit(X), EASE(10.0, n_jobs=2).fit(X)
    np.testing.assert_array_equal(one.coef_, two.coef_)
    np.testing.assert_array_equal(one.decision_function(X), two.decision_function(X))


def test_explain_adds_up_to_the_score():
    X = _data()
    model = EASE(5.0).fit(X)
    items = model.recommend(X, k=3)
    scores = np.take_along_axis(model.decision_function(X), items, axis=1)
    contributions = model.explain(X, items)
    np.testing.assert_allclose(contributions.sum(axis=1), scores.ravel(), atol=1e-12)
    first = contributions[[0]].toarray()[0]
    np.testing.assert_allclose(first, X.toarray()[0] * model.coef_[:, items[0, 0]], atol=1e-15)
    one = model.explain(X, model.predict(X))
    np.testing.assert_allclose(one.toarray(), contributions[::3].toarray())
    with pytest.raises(ValueError, match="shape"):
        model.explain(X, [0])


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_memory_is_checked_before_it_is_taken(monkeypatch, positive, method):
    n_items = 3000
    model, X = EASE(positive=positive), csr_array(np.eye(20, n_items))
    monkeypatch.setattr(_memory, "available_memory", lambda: 1000)
    tracemalloc.start()
    try:
        with pytest.raises(MemoryError, match="ItemKNN"):
            getattr(model, method)(X)
        peak = tracemalloc.get_traced_memory()[1]
        # What would be taken is seen, if it is taken.
        np.empty((n_items, n_items), dtype=np.float32)
        assert tracemalloc.get_traced_memory()[1] >= 4 * n_items**2
    finally:
        tracemalloc.stop()
    assert peak < n_items**2 / 10
    assert not hasattr(model, "coef_")
    assert not hasattr(model, "gram_")


def test_a_singular_matrix_is_an_error_that_names_alpha():
    X = np.ones((3, 8))
    with pytest.raises(ValueError, match="alpha"):
        EASE(1e-300).fit(X)


def test_torch_device_agrees():
    import torch

    X = _data()
    expected = EASE(5.0).fit(X)
    np.testing.assert_allclose(
        EASE(5.0, device=torch.device("cpu")).fit(X).coef_, expected.coef_, atol=1e-10
    )


@pytest.mark.cuda
def test_cuda_agrees():
    X = _data(500, 80)
    expected = EASE(5.0, dtype="float32").fit(X).coef_
    actual = EASE(5.0, dtype="float32", device="cuda").fit(X).coef_
    np.testing.assert_allclose(actual, expected, atol=1e-4)


def test_ncf_protocol_on_movielens_1m(data_home):
    """He et al.'s split: HR@10 and nDCG@10 near the published .7192 and .4494."""
    folder = data_home / "ml-1m"
    if not folder.is_dir():
        pytest.skip("ml-1m is not there")
    log, split = np.load(folder / "interactions.npz"), np.load(folder / "ncf_leave_one_out.npz")
    test_item, negatives = split["test_item"].astype(np.intp), split["negatives"].astype(np.intp)
    train = log["item"] != test_item[log["user"]]
    users, items = log["user"][train], log["item"][train]
    X = csr_array((np.ones(len(users), np.float32), (users, items)), shape=(6040, 3706))
    model = EASE(1320.0).fit(X)
    everyone = np.arange(len(test_item))
    positive = model.score_pairs(X, everyone, test_item)
    others = model.score_pairs(X, np.repeat(everyone, 99), negatives.ravel()).reshape(-1, 99)
    ahead = (others >= positive[:, np.newaxis]) & (negatives != test_item[:, np.newaxis])
    rank = ahead.sum(axis=1)
    assert np.mean(rank < 10) == pytest.approx(0.7192, abs=0.005)
    assert np.mean((rank < 10) / np.log2(rank + 2)) == pytest.approx(0.4494, abs=0.005)


def test_similar_items_have_the_largest_weights():
    X = make_interactions(60, 20, random_state=0, return_X=True)
    model = EASE(10.0).fit(X)
    found, weights = model.similar_items([4, 11], k=5, return_scores=True)
    for row, item in enumerate([4, 11]):
        column = model.coef_[:, item].copy()
        column[item] = -np.inf
        np.testing.assert_array_equal(found[row], np.argsort(-column)[:5])
        np.testing.assert_array_equal(weights[row], np.sort(column)[::-1][:5])
    assert item not in model.similar_items(item, k=30)[0]
    with pytest.raises(ValueError, match="items"):
        model.similar_items([20])


def test_positive_solves_the_constrained_problem():
    X = make_interactions(120, 30, random_state=1, return_X=True)
    model = EASE(5.0, positive=True).fit(X)
    B, A = model.coef_, X.toarray()
    assert B.min() >= 0
    assert not B.diagonal().any()
    assert 1 <= model.n_iter_ < 1000
    # KKT: the slope is zero where a weight is positive, and not negative where it is zero.
    slope = A.T @ (A @ B - A) + 5.0 * B
    np.fill_diagonal(slope, 0.0)
    assert np.abs(slope[B > 0]).max() < 1e-7
    assert slope.min() > -1e-7

    def loss(W):
        return ((A - A @ W) ** 2).sum() + 5.0 * (W**2).sum()

    assert loss(B) < loss(np.maximum(EASE(5.0).fit(X).coef_, 0)) - 0.1
    parts = EASE(5.0, positive=True).partial_fit(X[:50], solve=False).partial_fit(X[50:])
    np.testing.assert_allclose(parts.coef_, B, atol=1e-9)
    assert not hasattr(model.set_params(positive=False).fit(X), "n_iter_")
