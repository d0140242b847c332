"""DeepFM and Wide & Deep: the deep part, what is left without it, crosses that really cross."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

import skrec
from skrec._persistence import write
from skrec.content import (
    DeepFMClassifier,
    DeepFMRegressor,
    FMClassifier,
    FMRegressor,
    WideAndDeepClassifier,
    WideAndDeepRegressor,
)
from tests.content.test_fm import PLAIN, _net, _rows, drawn, multi_hot
from tests.content.test_row_models import said, table
from tests.instances import scikit_learn_checks
from tests.reference.fm import deep_score, fm_score

RNG = np.random.default_rng(0)
NO_DEEP = {"hidden_layer_sizes": ()}


@pytest.mark.parametrize(
    ("estimator", "check"),
    scikit_learn_checks(
        [DeepFMClassifier(), DeepFMRegressor(), WideAndDeepClassifier(), WideAndDeepRegressor()]
    ),
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    ("deep", "plain"), [(DeepFMClassifier, FMClassifier), (DeepFMRegressor, FMRegressor)]
)
def test_without_layers_deepfm_is_the_factorization_machine(deep, plain):
    frame, y = table()
    options = {"n_components": 3, "max_iter": 5, "batch_size": 32, **PLAIN}
    model, twin = deep(**NO_DEEP, **options).fit(frame, y), plain(**options).fit(frame, y)
    assert model.weights_.keys() == twin.weights_.keys()
    for name, value in twin.weights_.items():
        np.testing.assert_array_equal(model.weights_[name], value)
    np.testing.assert_array_equal(said(model, frame), said(twin, frame))


@pytest.mark.parametrize("cls", [DeepFMClassifier, WideAndDeepClassifier])
def test_without_vectors_it_is_logistic_regression(cls):
    n, alpha = 200, 0.05
    Z = RNG.normal(size=(n, 3))
    y = (Z[:, 0] + RNG.logistic(size=n) > 0.3).astype(int)
    falling = {"learning_rate": 0.05, "schedule": "linear", "max_iter": 1500}
    model = cls(0, linear_alpha=alpha, batch_size=n, **falling, **PLAIN).fit(Z, y)
    scaled = (Z - Z.mean(0)) / Z.std(0)
    twin = LogisticRegression(C=1 / (alpha * n), tol=1e-10).fit(scaled, y)
    np.testing.assert_allclose(model.predict_proba(Z), twin.predict_proba(scaled), atol=2e-5)


@pytest.mark.parametrize("cls", [WideAndDeepClassifier, WideAndDeepRegressor])
def test_without_layers_there_are_no_vectors_that_nothing_reads(cls, tmp_path):
    frame, y = table()
    options = {"max_iter": 3, "batch_size": 32, "cross_features": [("city", "kind")], **PLAIN}
    model = cls(3, hidden_layer_sizes=(), alpha=0.1, **options).fit(frame, y)
    twin = cls(0, **options).fit(frame, y)
    assert model.weights_.keys() == twin.weights_.keys()
    np.testing.assert_array_equal(said(model, frame), said(twin, frame))
    model.weights_["vectors"] = np.zeros((model.fields_.n_columns, 3), np.float32)
    with open(tmp_path / "old.skops", "wb") as file:
        write(model, file)
    with pytest.raises(skrec.ModelFileError, match=r"weights_\['vectors'\].*expected none"):
        skrec.load(tmp_path / "old.skops")


@pytest.mark.parametrize("cls", [DeepFMClassifier, WideAndDeepClassifier])
@pytest.mark.parametrize("with_fields", [True, False])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_scores_are_those_of_a_slow_twin(cls, with_fields, batch_norm):
    X, y, fields = multi_hot(20)
    options = {"hidden_layer_sizes": (4, 3), "batch_norm": batch_norm, "max_iter": 1, **PLAIN}
    model = cls(2, fields=fields if with_fields else None, **options).fit(csr_array(X), y)
    model = drawn(model)
    norms = None
    if batch_norm:
        parts = ("mean", "variance", "weight", "bias")
        for i in (0, 1):
            model.weights_[f"norms.{i}.variance"] **= 2
        norms = [[model.weights_[f"norms.{i}.{part}"] for part in parts] for i in (0, 1)]
    rows = model.fields_.scaled(model.fields_.encode(csr_array(X))).toarray()
    weights = {name: value.astype(float) for name, value in model.weights_.items()}
    vectors, field = weights["vectors"], model.fields_.field_
    of_pairs = vectors if cls is DeepFMClassifier else vectors * 0
    layers = [(weights[f"hidden.{i}.weight"], weights[f"hidden.{i}.bias"]) for i in (0, 2)]
    linear, bias = weights["linear.weight"][:, 0], weights["linear.bias"][0]
    for row, score in zip(rows, model.decision_function(csr_array(X)), strict=True):
        expected = fm_score(row, field, bias, linear, of_pairs)
        expected += deep_score(row, field, vectors, layers, weights["head.weight"][0], norms)
        np.testing.assert_allclose(score, expected, rtol=1e-10)


@pytest.mark.parametrize("cls", [DeepFMClassifier, WideAndDeepClassifier])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_gradients_are_those_of_finite_differences(cls, batch_norm):
    X, y, fields = multi_hot(15)
    X, options = csr_array(X), {"hidden_layer_sizes": (3,), "max_iter": 1, **PLAIN}
    options["batch_norm"] = batch_norm
    if cls is WideAndDeepClassifier:
        options["cross_features"] = [("a", "genres"), ("a", "b")]
    model = cls(2, fields=fields, **options).fit(X, y)
    module, rows = _net(model).train(), _rows(model, X)
    encoded = model.fields_.scaled(model.fields_.encode(X))
    crossed = model._crossed(encoded)
    if crossed is not None:
        from skrec._torch._rows import DeviceRows

        crossed = DeviceRows(crossed, "cpu", dtype=torch.float64).everything()
    names = [name for name, _ in module.named_parameters()]
    values = [p.detach().clone().requires_grad_(True) for p in module.parameters()]
    assert ("crosses" in names) == (cls is WideAndDeepClassifier)

    def loss(*values):
        state = dict(zip(names, values, strict=True))
        return torch.func.functional_call(module, state, (rows, crossed)).sigmoid().square().sum()

    assert torch.autograd.gradcheck(loss, values, eps=1e-6, atol=1e-6)


def test_dropout_is_in_the_fit_only():
    frame, y = table()
    options = {"n_components": 3, "max_iter": 4, **PLAIN}
    model = DeepFMClassifier(dropout=0.5, **options).fit(frame, y)
    np.testing.assert_array_equal(said(model, frame), said(model, frame))
    other = DeepFMClassifier(dropout=0.0, **options).fit(frame, y)
    assert (model.weights_["head.weight"] != other.weights_["head.weight"]).any()


@pytest.mark.parametrize(
    "cls", [DeepFMClassifier, DeepFMRegressor, WideAndDeepClassifier, WideAndDeepRegressor]
)
def test_with_batch_norm_a_weight_is_as_many_copies_and_rows_do_not_meet(cls):
    frame, y = table()
    weight = np.random.default_rng(1).integers(0, 4, len(y))
    options = {"n_components": 3, "max_iter": 4, "batch_norm": True, "batch_size": 17}
    options |= {"early_stopping": True, "random_state": 0}
    model = cls(**options).fit(frame, y, sample_weight=weight)
    rows = np.repeat(np.arange(len(y)), weight)
    copied = cls(**options).fit(frame.iloc[rows].reset_index(drop=True), y[rows])
    np.testing.assert_array_equal(said(model, frame), said(copied, frame))
    np.testing.assert_allclose(said(model, frame[:5]), said(model, frame)[:5], rtol=1e-10)
    mean = model.weights_["norms.0.mean"]
    assert (mean != 0).all()
    plain = cls(**options | {"batch_norm": False}).fit(frame, y, sample_weight=weight)
    assert "norms.0.mean" not in plain.weights_


def test_with_batch_norm_a_warm_start_goes_on_from_the_running_means(tmp_path):
    frame, y = table()
    options = {"n_components": 3, "max_iter": 3, "batch_norm": True, "random_state": 0}
    model = DeepFMClassifier(**options, early_stopping=True, warm_start=True).fit(frame, y)
    again = skrec.load(skrec.save(model, tmp_path / "model.skops"))
    np.testing.assert_array_equal(said(again, frame), said(model, frame))
    best = model.best_validation_score_
    model.set_params(learning_rate=1e-12).fit(frame, y)
    # The first look is at the model as it was, by its running means.
    assert model.best_validation_score_ >= best
    model.weights_["norms.0.mean"] = model.weights_["norms.0.mean"][:-1]
    with pytest.warns(UserWarning, match="norms"):
        skrec.save(model, tmp_path / "model.skops")


def exclusive_or(n=2000, size=8):
    """Rows whose class is whether two of three categories are both odd or both even."""
    X = RNG.integers(size, size=(n, 3))
    return X, (X[:, 0] + X[:, 1]) % 2


@pytest.mark.parametrize("n_cross_buckets", [2**18, 40])
def test_crosses_cross(n_cross_buckets):
    X, y = exclusive_or()
    train, test = slice(1500), slice(1500, None)
    wide = {"categorical_features": [0, 1, 2], "learning_rate": 0.05, **NO_DEEP, **PLAIN}
    auc = {}
    for pairs in (None, [(0, 2)], [(0, 1)]):
        model = WideAndDeepClassifier(
            cross_features=pairs, n_cross_buckets=n_cross_buckets, **wide
        ).fit(X[train], y[train])
        auc[str(pairs)] = roc_auc_score(y[test], model.decision_function(X[test]))
    assert auc["None"] < 0.6
    assert auc["[(0, 2)]"] < 0.6
    assert auc["[(0, 1)]"] > (0.999 if n_cross_buckets > 64 else 0.75)
    assert auc["[(0, 1)]"] < 0.999 or n_cross_buckets > 64  # hashed ones share weights


def test_crosses_by_name_and_of_unseen_categories():
    frame, y = table(400)
    options = {"cross_features": [("city", "kind"), ("kind", "city")], **NO_DEEP, **PLAIN}
    model = WideAndDeepClassifier(learning_rate=0.05, **options).fit(frame, y)
    assert model.cross_pairs_.tolist() == [[0, 2], [2, 0]]
    assert model.cross_sizes_.tolist() == [5 * 5, 5 * 5]  # three and what is missing or unseen
    assert np.mean(model.predict(frame) == y) > 0.99
    rows = frame.iloc[:2].assign(city=["nowhere", "rome"])
    crossed = model._crossed(model.fields_.scaled(model.fields_.encode(rows)))
    assert np.diff(crossed.indptr).tolist() == [0, 2]
    # Missing is a category, and crossed.
    rows = frame[frame.city.isna()].iloc[:1]
    assert model._crossed(model.fields_.scaled(model.fields_.encode(rows))).nnz == 2


def test_crosses_of_several_values_are_products():
    X = csr_array([[1.0, 0, 1, 1], [0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 1, 1]])
    model = WideAndDeepClassifier(
        fields=["u", "u", "g", "g"], cross_features=[("u", "g")], max_iter=1, **PLAIN
    ).fit(X, [0, 1, 0, 1])
    crossed = model._crossed(model.fields_.scaled(model.fields_.encode(X))).toarray()
    half = 1 / np.sqrt(2)
    n_g = 3  # two columns and one for rows without any
    expected = np.zeros((4, 3 * n_g))
    expected[0, [0, 1]] = half
    expected[1, n_g + 1] = 1
    expected[2, 0] = 1
    expected[3, [n_g, n_g + 1]] = half
    np.testing.assert_allclose(crossed, expected)


def test_bad_crosses(tmp_path):
    frame, y = table()
    for pairs, message in [
        ([("city", "price")], "holds numbers"),
        ([("city", "nothing")], "no column named"),
        ([(0, 9)], "no column 9"),
        ([(0, 0)], "with itself"),
        ([(0, 1, 2)], "a list of pairs"),
        ("city", "a list of pairs"),
    ]:
        with pytest.raises(ValueError, match=message):
            WideAndDeepClassifier(cross_features=pairs, **PLAIN).fit(frame, y)
    model = WideAndDeepClassifier(cross_features=[(0, 2)], max_iter=1, **PLAIN).fit(frame, y)
    model.cross_pairs_ = model.cross_pairs_ + 9
    with pytest.warns(UserWarning, match="cross_pairs_"):
        skrec.save(model, tmp_path / "m.skops")
    with pytest.raises(skrec.ModelFileError, match="cross_pairs_"):
        skrec.load(tmp_path / "m.skops")


def test_too_many_fields_for_layers():
    X = csr_array((np.ones(3), ([0, 1, 2], [0, 1, 1500])), shape=(3, 1600))
    with pytest.raises(ValueError, match=r"1,600 fields.*`fields`"):
        DeepFMClassifier(**PLAIN).fit(X, [0, 1, 0])
    fields = np.repeat(["user", "item"], 800)
    assert DeepFMClassifier(fields=fields, max_iter=1, **PLAIN).fit(X, [0, 1, 0]).n_iter_ == 1


def test_layers_learn_what_no_pair_says():
    X = RNG.integers(4, size=(3000, 3))
    y = (X.sum(1) % 2 == 0).astype(int)  # a matter of all three fields
    train, test = slice(2500), slice(2500, None)
    options = {"categorical_features": [0, 1, 2], "learning_rate": 0.01, "init_scale": 0.3, **PLAIN}
    auc = [
        roc_auc_score(y[test], cls(8, **options).fit(X[train], y[train]).decision_function(X[test]))
        for cls in (FMClassifier, DeepFMClassifier, WideAndDeepClassifier)
    ]
    assert auc[0] < 0.7
    assert min(auc[1:]) > 0.95
