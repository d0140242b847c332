"""Factorization machines: the identity, gradients, what they become without vectors."""

import copy

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score

from skrec._torch._rows import DeviceRows
from skrec.content import FMClassifier, FMRegressor
from tests.instances import scikit_learn_checks
from tests.reference.fm import fm_score

RNG = np.random.default_rng(0)
PLAIN = {"early_stopping": False, "random_state": 0}


@pytest.mark.parametrize(
    ("estimator", "check"), scikit_learn_checks([FMClassifier(), FMRegressor()])
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def multi_hot(n=60, seed=0):
    """Rows of two one-hot fields, a multi-hot one and numbers, with their fields."""
    rng = np.random.default_rng(seed)
    parts = [np.eye(4)[rng.integers(4, size=n)], np.eye(5)[rng.integers(5, size=n)]]
    parts += [(rng.random((n, 3)) < 0.5).astype(float), rng.random((n, 1))]
    X = np.column_stack(parts)
    y = (X[:, 0] * X[:, 4] + X[:, 9] * X[:, 1] + 0.3 * rng.normal(size=n) > 0.4).astype(int)
    return X, y, np.repeat(["b", "a", "genres", "n"], [4, 5, 3, 1])


def drawn(model, seed=0):
    """A fitted model with weights that are not small."""
    model, rng = copy.deepcopy(model), np.random.default_rng(seed)
    model.weights_ = {
        name: rng.normal(size=value.shape).astype(np.float32)
        for name, value in model.weights_.items()
    }
    return model


@pytest.mark.parametrize("with_fields", [True, False])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_scores_are_those_of_a_loop_over_pairs(with_fields, n_classes):
    X, _, fields = multi_hot()
    y = np.arange(len(X)) % n_classes
    options = {"fields": fields if with_fields else None, "max_iter": 1, **PLAIN}
    model = drawn(FMClassifier(3, **options).fit(csr_array(X), y))
    rows = model.fields_.scaled(model.fields_.encode(csr_array(X))).toarray()
    linear, bias = model.weights_["linear.weight"], model.weights_["linear.bias"]
    vectors = model.weights_["vectors"].astype(float)
    field = model.fields_.field_
    scores = model.decision_function(csr_array(X)).reshape(len(X), -1)
    for c in range(scores.shape[1]):
        of_class = vectors[:, 3 * c : 3 * c + 3]
        for row, score in zip(rows, scores, strict=True):
            expected = fm_score(row, field, float(bias[c]), linear[:, c].astype(float), of_class)
            np.testing.assert_allclose(score[c], expected, rtol=1e-10)


def _net(model, seed=0):
    """The network in float64, with drawn weights, and what it reads of some rows."""
    module = drawn(model, seed)._module(torch.float64, torch.device("cpu"))
    for parameter in module.parameters():
        parameter.requires_grad_(True)
    return module


def _rows(model, X):
    X = model.fields_.scaled(model.fields_.encode(X))
    return DeviceRows(X, "cpu", dtype=torch.float64).everything()


@pytest.mark.parametrize("with_fields", [True, False])
def test_gradients_are_those_of_finite_differences(with_fields):
    X, y, fields = multi_hot(20)
    X = csr_array(X)
    options = {"fields": fields if with_fields else None, "max_iter": 1, **PLAIN}
    model = FMClassifier(2, **options).fit(X, y)
    module, rows = _net(model), _rows(model, X)
    names = [name for name, _ in module.named_parameters()]
    values = [p.detach().clone().requires_grad_(True) for p in module.parameters()]

    def loss(*values):
        out = torch.func.functional_call(module, dict(zip(names, values, strict=True)), (rows,))
        return (out.sigmoid().square()).sum()

    assert torch.autograd.gradcheck(loss, values, eps=1e-6, atol=1e-6)


def test_permuted_fields_change_neither_scores_nor_gradients():
    n = 40
    X = np.column_stack([RNG.integers(5, size=(n, 3)), RNG.normal(size=(n, 2))])
    y = RNG.integers(2, size=n)
    order = np.array([4, 2, 0, 3, 1])
    found = []
    for columns in (np.arange(5), order):
        categorical = np.isin(columns, [0, 1, 2])
        model = FMClassifier(3, categorical_features=categorical, max_iter=1, **PLAIN)
        model.fit(X[:, columns], y)
        first = np.searchsorted(model.fields_.field_, np.arange(6))
        spans = [np.arange(first[f], first[f + 1]) for f in np.argsort(columns)]
        place = np.concatenate(spans)  # where the columns of the first order stand
        module = _net(model)
        with torch.no_grad():
            for parameter in (module.linear.weight, module.vectors):
                drawn_in_order = np.random.default_rng(1).normal(size=parameter.shape)
                parameter[place] = torch.from_numpy(drawn_in_order)
        out = module(_rows(model, X[:, columns]))
        out.square().sum().backward()
        found.append((out.detach(), module.vectors.grad[place], module.linear.weight.grad[place]))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def _converged(cls, **options):
    falling = {"learning_rate": 0.05, "schedule": "linear", "max_iter": 1500}
    return cls(0, batch_size=10_000, **falling, **PLAIN, **options)


def test_without_vectors_it_is_logistic_regression():
    n, alpha = 300, 0.02
    Z = RNG.normal(size=(n, 3))
    y = (Z[:, 0] - Z[:, 1] + RNG.logistic(size=n) > 0.5).astype(int)
    model = _converged(FMClassifier, linear_alpha=alpha).fit(Z, y)
    scaled = (Z - Z.mean(0)) / Z.std(0)
    twin = LogisticRegression(C=1 / (alpha * n), tol=1e-10).fit(scaled, y)
    np.testing.assert_allclose(model.predict_proba(Z), twin.predict_proba(scaled), atol=2e-5)


def test_without_vectors_more_classes_are_multinomial_logistic_regression():
    n, alpha = 300, 0.02
    X = RNG.integers(4, size=(n, 2))
    y = np.array(["c", "a", "b"])[(X[:, 0] + RNG.integers(3, size=n)) % 3]
    model = _converged(FMClassifier, linear_alpha=alpha, categorical_features=[0, 1]).fit(X, y)
    hot = np.column_stack([np.eye(4)[X[:, 0]], np.eye(4)[X[:, 1]]])
    twin = LogisticRegression(C=1 / (alpha * n), tol=1e-10).fit(hot, y)
    assert model.classes_.tolist() == ["a", "b", "c"]
    np.testing.assert_allclose(model.predict_proba(X), twin.predict_proba(hot), atol=2e-5)


def test_without_vectors_it_is_ridge_regression():
    n, alpha = 300, 0.05
    Z = RNG.normal(size=(n, 3)) * [1, 10, 100] + 7
    y = 1000 + Z @ [3, 0.2, -0.1] + RNG.normal(size=n)
    weight = RNG.integers(1, 4, size=n)
    model = _converged(FMRegressor, linear_alpha=alpha).fit(Z, y, sample_weight=weight)
    mean = np.average(Z, axis=0, weights=weight)
    scaled = (Z - mean) / np.sqrt(np.average((Z - mean) ** 2, axis=0, weights=weight))
    twin = Ridge(alpha=alpha * weight.sum()).fit(scaled, y, sample_weight=weight)
    np.testing.assert_allclose(model.predict(Z), twin.predict(scaled), rtol=1e-5)


def test_pairs_are_learned_that_a_linear_model_cannot():
    X = RNG.integers(6, size=(1500, 2))
    taste = RNG.normal(size=(6, 2)) @ RNG.normal(size=(2, 6))
    y = (taste[X[:, 0], X[:, 1]] > 0).astype(int)
    options = {"categorical_features": [0, 1], "learning_rate": 0.03, **PLAIN}
    train, test = slice(1000), slice(1000, None)
    auc = [
        roc_auc_score(
            y[test],
            FMClassifier(d, **options).fit(X[train], y[train]).decision_function(X[test]),
        )
        for d in (0, 4)
    ]
    assert auc[0] < 0.9
    assert auc[1] > 0.97


def test_penalties_draw_weights_to_zero():
    X, y, fields = multi_hot(200)
    sizes = {}
    for penalty in ({}, {"alpha": 0.1}, {"linear_alpha": 0.1}):
        model = FMClassifier(4, fields=fields, max_iter=40, learning_rate=0.02, **penalty, **PLAIN)
        model.fit(csr_array(X), y)
        sizes[next(iter(penalty), "none")] = [
            np.square(model.weights_[name]).sum() for name in ("vectors", "linear.weight")
        ]
    assert sizes["alpha"][0] < 0.1 * sizes["none"][0]
    assert sizes["linear_alpha"][1] < 0.5 * sizes["none"][1]
