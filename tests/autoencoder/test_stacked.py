"""StackedAutoencoder: depth, tied weights, pretraining, noise."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from skrec._torch._rows import DeviceRows
from skrec._torch._stacked_net import StackedNet, corrupted
from skrec.autoencoder import StackedAutoencoder, UserAutoRec
from tests.problems import problem_of

SMALL = {"alpha": 1.0, "max_iter": 15, "batch_size": 16, "learning_rate": 0.01, "random_state": 0}
SMALL["schedule"] = "constant"  # as pretraining has it


def small(sizes=(8, 4), **options):
    return StackedAutoencoder(sizes, **{**SMALL, **options})


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    taste = rng.normal(0, 1, (80, 2)) @ rng.normal(0, 1, (2, 25))
    ratings = np.clip(np.round(3 + rng.normal(0, 0.5, (1, 25)) + taste), 1, 5)
    return csr_array(ratings * (rng.random(ratings.shape) < 0.5))


def dense_outputs(R, w, n_hidden, *, tied):
    """The network in NumPy."""

    def active(x):
        return 1 / (1 + np.exp(-x))

    weights = [w["first.weight"]] + [w[f"encoder.{at}.weight"].T for at in range(n_hidden - 1)]
    biases = [w["first.bias"]] + [w[f"encoder.{at}.bias"] for at in range(n_hidden - 1)]
    code = (R - w["center"]) * (R != 0)
    for weight, bias in zip(weights, biases, strict=True):
        code = active(code @ weight + bias)
    inner = code
    for at in range(n_hidden):
        back = weights[n_hidden - 1 - at].T if tied else w[f"decoder.{at}.weight"].T
        code = code @ back + w[f"decoder.{at}.bias"]
        code = active(code) if at < n_hidden - 1 else code
    return inner, code


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("sizes", [(6,), (8, 5, 3)])
def test_outputs_are_those_of_the_dense_network(sizes, tied, X):
    model = small(sizes, tied_weights=tied, clip=False).fit(X)
    w = {name: value.astype(np.float64) for name, value in model.weights_.items()}
    inner, outputs = dense_outputs(X.toarray(), w, len(sizes), tied=tied)
    np.testing.assert_allclose(model.decision_function(X), outputs, rtol=1e-10)
    np.testing.assert_allclose(model.transform(X), inner, rtol=1e-10)
    names = [name for name in w if name.startswith("decoder") and name.endswith("weight")]
    assert len(names) == (0 if tied else len(sizes))


@pytest.mark.parametrize("tied", [False, True])
def test_gradients_are_those_of_finite_differences(tied, X):
    """All parameters, the shared ones too, moved together along a direction."""
    torch.manual_seed(0)
    module = StackedNet(25, (5, 3), "sigmoid", tied=tied).double()
    parameters = list(module.parameters())
    with torch.no_grad():
        for parameter in parameters:
            parameter.normal_(0, 0.3)
    rows = DeviceRows(X, "cpu", dtype=torch.float64)[torch.tensor([3, 1, 7])]

    def loss():
        return (module.observed(rows, rows.value) - rows.value).square().sum()

    gradients = torch.autograd.grad(loss(), parameters)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        direction = torch.randn_like(parameter)
        values = []
        for step in (1e-6, -2e-6):
            with torch.no_grad():
                parameter += step * direction
                values.append(float(loss()))
        with torch.no_grad():
            parameter += 1e-6 * direction
        slope = (values[0] - values[1]) / 2e-6
        assert slope == pytest.approx(float((gradient * direction).sum()), rel=1e-5, abs=1e-6)


def test_the_network_reads_ratings_less_the_means_of_items(X):
    model, count = small((6,)).fit(X), np.diff(X.tocsc().indptr)
    np.testing.assert_allclose(model.weights_["center"], X.sum(axis=0) / count, rtol=1e-6)
    plain = small((6,), center=False).fit(X)
    assert not plain.weights_["center"].any()
    assert np.abs(plain.decision_function(X) - model.decision_function(X)).max() > 0.01


def test_one_layer_without_noise_is_user_auto_rec(X):
    """The same bits."""
    stacked, plain = small((6,)).fit(X), UserAutoRec(6, **SMALL).fit(X)
    assert stacked.loss_curve_ == plain.loss_curve_
    for name, value in plain.weights_.items():
        np.testing.assert_array_equal(stacked.weights_[name], value)


@pytest.mark.parametrize("corruption", [None, "mask", "gaussian"])
@pytest.mark.parametrize("pretraining", [None, "layerwise"])
@pytest.mark.parametrize("tied_weights", [False, True])
def test_learns_and_repeats(corruption, pretraining, tied_weights, X):
    options = {
        "corruption": corruption,
        "pretraining": pretraining,
        "tied_weights": tied_weights,
        "max_iter": 40,
    }
    one, two = small(**options).fit(X), small(**options).fit(X)
    for name, value in one.weights_.items():
        np.testing.assert_array_equal(value, two.weights_[name])
    means = X.sum(axis=0) / (X != 0).sum(axis=0)
    rows = np.repeat(np.arange(80), np.diff(X.indptr))
    baseline = np.sqrt(np.mean((X.data - means[X.indices]) ** 2))
    assert len(rows) == X.nnz
    assert one.reconstruction_error(X) < 0.95 * baseline
    np.testing.assert_array_equal(one.decision_function(X), one.decision_function(X))


def test_pretraining_computes_in_the_given_precision(X, monkeypatch):
    seen = []
    for name in ("_rating_loss", "_code_loss"):
        original = getattr(StackedAutoencoder, name)

        def watched(*args, original=original):
            seen.append(torch.is_autocast_enabled("cpu"))
            return original(*args)

        monkeypatch.setattr(StackedAutoencoder, name, watched)
    for precision in ("float32", "bfloat16"):
        seen.clear()
        model = StackedAutoencoder((6, 4), pretraining="layerwise", precision=precision, **SMALL)
        model.fit(X)
        assert set(seen) == {precision == "bfloat16"}
        assert np.isfinite(model.pretraining_curves_).all()


def test_pretraining_learns_layer_after_layer(X):
    plain = small((12, 6), max_iter=1).fit(X)
    options = {"pretraining": "layerwise", "pretraining_max_iter": 30}
    model = small((12, 6), max_iter=1, alpha=0.1, **options).fit(X)
    assert plain.pretraining_curves_ == []
    assert [len(curve) for curve in model.pretraining_curves_] == [30, 30]
    for curve in model.pretraining_curves_:
        assert curve[-1] < 0.8 * curve[0]
    # The first layer of the pretraining is a one-layer autoencoder of the ratings.
    shallow = UserAutoRec(12, **{**SMALL, "alpha": 0.1, "max_iter": 30}).fit(X)
    assert model.pretraining_curves_[0][-1] == pytest.approx(shallow.loss_curve_[-1], rel=0.1)
    assert model.loss_curve_[0] < plain.loss_curve_[0]


def test_a_layer_is_pretrained_without_the_others(X):
    """The pretraining of the first layer moves nothing of the second one, and the reverse."""
    model = small((8, 4), pretraining="layerwise", pretraining_max_iter=2)
    model.n_features_in_, model._n_examples = 25, 80
    model.pretraining_curves_, module = [], StackedNet(25, (8, 4), "sigmoid")
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(0, 0.1)
    batches = model._batches(problem_of(X))
    outer = {"first.weight", "first.bias", "decoder.1.weight", "decoder.1.bias"}
    for level in range(2):
        before = {name: value.clone() for name, value in module.state_dict().items()}
        model._pretrain_layer(module, level, batches, None)
        moved = {n for n, value in module.state_dict().items() if not torch.equal(value, before[n])}
        assert moved == (outer if level == 0 else set(before) - outer - {"center"})


def test_noise():
    value = torch.full((20_000,), 3.0)
    generator = torch.Generator().manual_seed(0)
    masked = corrupted(value, "mask", 0.4, generator)
    assert set(masked.unique().tolist()) == {0.0, 5.0}
    assert float((masked == 0).float().mean()) == pytest.approx(0.4, abs=0.02)
    noisy = corrupted(value, "gaussian", 0.5, generator)
    assert float(noisy.std()) == pytest.approx(0.5, rel=0.03)
    assert float(noisy.mean()) == pytest.approx(3.0, abs=0.02)
    assert corrupted(value, None, 0.5, generator) is value


def test_the_target_has_no_noise(X):
    """With constant outputs the loss is that of the clean ratings."""
    model = small((4,), corruption="gaussian", corruption_level=3.0)
    module = StackedNet(25, (4,), "sigmoid")
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
    rows = DeviceRows(X, "cpu").everything()
    loss = model._loss(module, rows, 0, torch.Generator().manual_seed(0)).item()
    assert loss == pytest.approx((X.data**2).sum() / 80, rel=1e-5)


def test_curves_and_early_stopping(X):
    model = small(early_stopping=True, validation_fraction=0.2, corruption="mask").fit(X, X_test=X)
    assert set(model.error_curves_) == {
        f"{users}_{error}"
        for users in ("validation", "test")
        for error in ("reconstruction", "prediction")
    } | {"train_reconstruction"}
    assert {len(curve) for curve in model.error_curves_.values()} == {model.n_iter_}


def test_bad_parameters(X):
    with pytest.raises(ValueError, match=r"corruption_level .* must be < 1. Got 1\.0"):
        small(corruption="mask", corruption_level=1.0).fit(X)
    with pytest.raises(ValueError, match="pretraining"):
        small(pretraining="greedy").fit(X)
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        small(()).fit(X)


@pytest.mark.cuda
@pytest.mark.usefixtures("host_noise")
def test_cuda_agrees_with_cpu(X):
    options = {"pretraining": "layerwise", "corruption": "mask"}
    cpu, cuda = (small(device=device, **options).fit(X) for device in ("cpu", "cuda"))
    cuda.set_params(device="cpu")
    found, expected = cuda.decision_function(X), cpu.decision_function(X)
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-2)


def test_a_wrong_X_test_is_found_before_pretraining(X, monkeypatch):
    model = small(pretraining="layerwise")
    monkeypatch.setattr(type(model), "_pretrain", lambda *args: pytest.fail("it was pretrained"))
    with pytest.raises(ValueError, match="features"):
        model.fit(X, X_test=np.ones((3, X.shape[1] + 1)))
