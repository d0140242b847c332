"""EASE >= 0: the optimality conditions, the objective, and known answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize, nnls
from sklearn.exceptions import ConvergenceWarning

from skrec.linear_model._admm import admm_columns
from skrec.linear_model._inverse import ease_weights
from skrec.linear_model._nonnegative import nonnegative_ease_weights


def make_gram(n_users=60, n_items=20, *, seed=0, dtype=np.float64):
    """X, and its Gram matrix with nonsense below the diagonal."""
    rng = np.random.default_rng(seed)
    taste = rng.gamma(0.5, size=(n_users, 5)) @ rng.gamma(0.5, size=(5, n_items))
    X = (rng.uniform(size=taste.shape) < 0.3 * taste / taste.mean()).astype(np.float64)
    gram = X.T @ X
    gram[np.tril_indices(n_items, -1)] = np.nan
    return X, np.ascontiguousarray(gram, dtype=dtype)


def objective(X, B, penalty):
    penalised = 0.5 * np.sum(penalty[:, None] * B**2)
    return 0.5 * np.sum((X @ B) ** 2) + penalised - np.sum((X @ B) * X)


def violations(X, B, penalty):
    """Largest violation of each condition, in units of weights: that of the gradient is
    divided by the curvature of its weight."""
    H = X.T @ X + np.diag(penalty)
    slope = (H @ B - X.T @ X) / np.diag(H)[:, None]
    np.fill_diagonal(slope, 0.0)
    return {
        "feasibility": max(-B.min(), np.abs(np.diag(B)).max()),
        "zero weights": max(0.0, -slope[B == 0].min()),
        "other weights": np.abs(slope[B > 0]).max(initial=0.0),
    }


# In float64 with tol=1e-9 what remains is the last step, of at most tol times the largest
# weight; in float32 the rounding of the gradient, some 1e-6 of it.
ACCURACY = {np.float64: (1e-9, 1e-8), np.float32: (1e-5, 3e-5)}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("dropout_like", [False, True])
@pytest.mark.parametrize("size", [(60, 20), (300, 250)])
def test_conditions(dtype, dropout_like, size):
    X, gram = make_gram(*size, seed=1, dtype=dtype)
    n_items = size[1]
    penalty = np.full(n_items, 5.0)
    if dropout_like:
        penalty += 0.4 * np.diag(gram)
    tol, accuracy = ACCURACY[dtype]
    given_buffer = gram
    B, n_iter = nonnegative_ease_weights(gram, penalty, tol=tol)
    assert B is given_buffer
    assert B.dtype == dtype
    assert 1 <= n_iter < 1000
    assert (B > 0).mean() > 0.1
    found = violations(X, B.astype(np.float64), penalty)
    assert found["feasibility"] == 0
    assert max(found.values()) < accuracy, found


@given(
    seed=st.integers(0, 10**6),
    n_items=st.integers(1, 15),
    alpha=st.floats(0.01, 100),
    dropout=st.floats(0, 2),
)
def test_conditions_hold_on_anything(seed, n_items, alpha, dropout):
    X, gram = make_gram(30, n_items, seed=seed)
    penalty = alpha + dropout * np.diag(gram)
    B, _ = nonnegative_ease_weights(gram, penalty, tol=1e-10, max_iter=10**5)
    found = violations(X, B, penalty)
    assert max(found.values()) < 1e-8, found


def test_equals_nonnegative_least_squares():
    X, gram = make_gram(seed=2)
    penalty = np.linspace(1, 20, X.shape[1])
    B, _ = nonnegative_ease_weights(gram, penalty, tol=1e-10)
    stacked = np.vstack([X, np.diag(np.sqrt(penalty))])
    for j in range(X.shape[1]):
        others = np.arange(X.shape[1]) != j
        expected, _ = nnls(stacked[:, others], np.r_[X[:, j], np.zeros(X.shape[1])])
        np.testing.assert_allclose(B[others, j], expected, atol=1e-8)


def test_objective_is_that_of_a_general_minimiser():
    X, gram = make_gram(40, 6, seed=3)
    penalty = np.full(6, 3.0)
    B, _ = nonnegative_ease_weights(gram, penalty, tol=1e-10)
    off = ~np.eye(6, dtype=bool)

    def loss(values):
        candidate = np.zeros((6, 6))
        candidate[off] = values
        return objective(X, candidate, penalty)

    reference = minimize(loss, np.full(off.sum(), 0.1), bounds=[(0, None)] * off.sum(), tol=1e-14)
    assert objective(X, B, penalty) <= reference.fun + 1e-9
    np.testing.assert_allclose(B[off], reference.x, atol=1e-4)


def test_is_not_ease_with_its_negative_weights_set_to_zero():
    X, gram = make_gram(seed=4)
    penalty = np.full(X.shape[1], 5.0)
    clipped = np.maximum(ease_weights(gram.copy(), penalty), 0)
    B, _ = nonnegative_ease_weights(gram, penalty)
    assert objective(X, B, penalty) < objective(X, clipped, penalty) - 0.1
    assert np.abs(B - clipped).max() > 0.05


def test_equals_ease_where_no_weight_is_negative():
    # Two groups of duplicate items: no item has reason to speak against another.
    X = np.kron(np.eye(2), np.ones((4, 3)))
    gram = X.T @ X
    expected = ease_weights(gram.copy(), np.full(6, 2.0))
    assert expected.min() > -1e-12
    B, _ = nonnegative_ease_weights(gram, 2.0, tol=1e-12)
    np.testing.assert_allclose(B, expected, atol=1e-10)


def test_admm_agrees():
    """What other devices than the CPU take, here on the CPU."""
    X, gram = make_gram(200, 60, seed=5)
    penalty = 5.0 + 0.2 * np.diag(gram)
    exact, _ = nonnegative_ease_weights(gram.copy(), penalty, tol=1e-10)
    coef, n_iter = admm_columns(gram, penalty, tol=1e-7, max_iter=2000)
    assert 1 < n_iter < 2000
    B = coef.toarray()
    assert B.min() == 0
    assert abs(objective(X, B, penalty) - objective(X, exact, penalty)) < 1e-6
    np.testing.assert_allclose(B, exact, atol=1e-5)


@pytest.mark.cuda
def test_cuda_agrees():
    _, gram = make_gram(200, 60, seed=5)
    penalty = np.full(60, 5.0)
    exact, _ = nonnegative_ease_weights(gram.copy(), penalty, tol=1e-10)
    B, _ = nonnegative_ease_weights(gram, penalty, tol=1e-7, device="cuda")
    np.testing.assert_allclose(B, exact, atol=1e-5)


def test_too_few_iterations_warn():
    _, gram = make_gram(seed=6)
    with pytest.warns(ConvergenceWarning, match=r"max_iter=2\b"):
        B, n_iter = nonnegative_ease_weights(gram, 1.0, max_iter=2)
    assert n_iter == 2
    assert B.min() >= 0


def test_threads_do_not_change_a_bit():
    _, gram = make_gram(200, 300, seed=7)
    one, _ = nonnegative_ease_weights(gram.copy(), 5.0, n_jobs=1)
    four, _ = nonnegative_ease_weights(gram, 5.0, n_jobs=4)
    np.testing.assert_array_equal(one, four)


def test_an_item_that_nobody_has():
    _, gram = make_gram(seed=8)
    gram[3, :] = gram[:, 3] = 0
    B, _ = nonnegative_ease_weights(gram, 0.0)
    assert not B[3].any()
    assert not B[:, 3].any()


def test_wrong_buffer():
    with pytest.raises(ValueError, match="C-contiguous"):
        nonnegative_ease_weights(np.asfortranarray(np.ones((3, 3))).T[::-1], 1.0)
    with pytest.raises(ValueError, match="float32 or float64"):
        nonnegative_ease_weights(np.ones((3, 3), dtype=int), 1.0)
