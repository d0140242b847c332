"""MultDAE and MultVAE: what they share, what they are to each other, and their extras."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array, vstack
from sklearn.base import clone

import skrec
from skrec.autoencoder import MultDAE, MultVAE
from skrec.datasets import make_interactions
from tests.problems import problem_of

SMALL = {"max_iter": 15, "batch_size": 32, "learning_rate": 0.01, "random_state": 0}


def dae(**options):
    return MultDAE((12,), **{**SMALL, **options})


def vae(**options):
    return MultVAE(4, hidden_layer_sizes=(12,), **{**SMALL, **options})


@pytest.fixture(scope="module")
def X():
    return make_interactions(150, 40, random_state=0, return_X=True)


BOTH = pytest.mark.parametrize("make", [dae, vae])


@BOTH
@pytest.mark.parametrize("likelihood", ["multinomial", "gaussian", "logistic"])
def test_learns(make, likelihood, X):
    options = {"max_iter": 60, "likelihood": likelihood, "confidence": 3.0}
    model = make(**options).fit(X)
    assert model.loss_curve_[-1] < 0.95 * model.loss_curve_[0]
    assert len(model.loss_curve_) == model.n_iter_ == 60
    popular = skrec.dummy.DummyRecommender().fit(X)
    assert model.score(X) > popular.score(X) * (1.0 if likelihood == "gaussian" else 1.1)


@BOTH
def test_same_seed_same_bits(make, X):
    one, two, other = make().fit(X), make().fit(X), make(random_state=1).fit(X)
    for name, value in one.weights_.items():
        np.testing.assert_array_equal(value, two.weights_[name])
    assert one.loss_curve_ == two.loss_curve_ != other.loss_curve_
    assert all(value.dtype == np.float32 for value in one.weights_.values())


def test_without_noise_the_vae_is_the_dae(X):
    """beta = 0, variance forced to 0, no dropout: the same outputs and gradients."""
    wide = {"dropout": 0.0, "activation": "identity"}
    auto = MultDAE((12, 4), **{**SMALL, **wide})
    auto.set_params(max_iter=1).fit(X)
    variational = vae(beta=0.0, **wide).set_params(max_iter=1).fit(X)
    w = auto.weights_
    mean = np.zeros((8, 12), np.float32)
    mean[:4] = w["encoder.0.weight"]
    bias = np.full(8, -200.0, np.float32)  # exp(-200 / 2) is 0: no variance
    bias[:4] = w["encoder.0.bias"]
    variational.weights_ = {
        "first.weight": w["first.weight"],
        "first.bias": w["first.bias"],
        "latent.weight": mean,
        "latent.bias": bias,
        "decoder.0.weight": w["decoder.0.weight"],
        "decoder.0.bias": w["decoder.0.bias"],
        "last.weight": w["last.weight"],
        "last.bias": w["last.bias"],
    }
    np.testing.assert_allclose(
        variational.decision_function(X), auto.decision_function(X), rtol=1e-12, atol=1e-12
    )
    losses, gradients = [], []
    for model in (auto, variational):
        module = model._module(torch.float32, torch.device("cpu"))
        for parameter in module.parameters():
            parameter.requires_grad_(True)
        batch = model._batches(problem_of(X))._rows.everything()
        loss = model._loss(module, batch, 0, torch.Generator().manual_seed(1))
        loss = loss[0] if model is variational else loss
        loss.backward()
        losses.append(loss.item())
        gradients.append(module.first.weight.grad.numpy())
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)  # float32, as in a fit
    np.testing.assert_allclose(gradients[1], gradients[0], rtol=1e-3, atol=1e-6)


def test_the_divergence_of_each_epoch_is_kept(X):
    """With beta = 0 the loss is that of the reconstruction, and the divergence is still told."""
    options = {"max_iter": 3, "random_state": 0, "warm_start": True}
    model = MultVAE(4, hidden_layer_sizes=(8,), beta=0.0, **options).fit(X)
    first = list(model.divergence_curve_)
    assert len(first) == 3
    assert min(first) > 0
    model.fit(X)
    assert model.divergence_curve_[:3] == first
    assert len(model.divergence_curve_) == 6
    strong = MultVAE(4, hidden_layer_sizes=(8,), beta=50.0, n_annealing_steps=0, **options).fit(X)
    assert strong.divergence_curve_[-1] < first[-1]
    model = MultVAE(4, divergence="mmd", beta=0.0, **options).fit(X)
    assert len(model.divergence_curve_) == 3
    assert np.abs(model.divergence_curve_).max() < 0.1  # draws like the prior's, before learning


def test_weights_of_users_are_repetition(X):
    """In one batch without noise, a weight of 2 is the same as the row twice."""
    X = X[:60]
    weight = np.random.default_rng(0).integers(0, 3, size=60)
    quiet = {"dropout": 0.0, "batch_size": 10**6, "max_iter": 5}
    weighted = dae(**quiet)._fit_weighted(X, weight)
    repeated = dae(**quiet).fit(X[np.repeat(np.arange(60), weight)])
    plain = dae(**quiet).fit(X)
    np.testing.assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-5)
    np.testing.assert_allclose(
        weighted.decision_function(X), repeated.decision_function(X), rtol=1e-3, atol=1e-3
    )
    assert abs(weighted.loss_curve_[-1] / plain.loss_curve_[-1] - 1) > 1e-3


@BOTH
def test_warm_start_goes_on(make, X):
    model = make(warm_start=True).fit(X)
    first = model.loss_curve_[-1]
    model.fit(X)
    assert model.n_iter_ == len(model.loss_curve_) == 30
    assert np.mean(model.loss_curve_[15:]) < first + 0.2
    cold = make().fit(X).fit(X)
    assert cold.n_iter_ == 15


@BOTH
def test_early_stopping_keeps_the_best(make, X):
    model = make(
        early_stopping=True, max_iter=200, n_iter_no_change=3, validation_fraction=0.2
    ).fit(X)
    assert model.n_iter_ == len(model.validation_scores_) < 200
    assert model.best_validation_score_ == max(model.validation_scores_)
    with pytest.warns(UserWarning, match="has two items"):
        assert make(early_stopping=True).fit(X[:1]).validation_scores_ == []
    assert len(make(early_stopping=True, validation_fraction=0.9).fit(X[:2]).validation_scores_)


@BOTH
def test_divergence_is_told(make, X):
    with pytest.raises(ValueError, match="learning_rate=1e"):
        make(learning_rate=1e30, activation="identity").fit(X)


@BOTH
def test_probabilities(make, X):
    model = make().fit(X)
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_allclose(
        np.log(probabilities[3, 5] / probabilities[3, 6]),
        np.subtract(*model.decision_function(X)[3, [5, 6]]),
    )
    assert not hasattr(clone(model).set_params(likelihood="logistic"), "predict_proba")
    assert not hasattr(model.fit(csr_array(X * 0.5)), "predict_proba")
    with pytest.raises(AttributeError) as caught:
        model.predict_proba(X)
    assert "whole numbers only" in str(caught.value.__cause__)


def test_transform(X):
    model = vae().fit(X)
    mean, std = model.transform(X, return_std=True)
    assert mean.shape == std.shape == (150, 4)
    assert (std > 0).all()
    np.testing.assert_array_equal(model.transform(X), mean)
    assert list(model.get_feature_names_out()) == [f"multvae{i}" for i in range(4)]
    assert dae().fit(X).transform(X).shape == (150, 12)


def test_annealing(X):
    n_updates = 15 * 5  # 150 users in batches of 32
    assert vae(beta=0.5).fit(X).n_annealing_steps_ == 0.8 * n_updates / 0.5
    assert vae(n_annealing_steps=7).fit(X).n_annealing_steps_ == 7
    # Epochs after `n_iter_no_change` may not be made.
    stops = {"early_stopping": True, "validation_fraction": 0.2}
    for patience, n_epochs in ((2, 2), (50, 15)):
        model = vae(beta=0.5, n_iter_no_change=patience, **stops).fit(X)
        assert model.n_annealing_steps_ == 0.8 * n_epochs * 4 / 0.5  # 120 users in batches of 32
    free, tied = vae(beta=0.0).fit(X), vae(beta=20.0, n_annealing_steps=0).fit(X)
    # A large weight pulls q(z | x) to the prior.
    assert np.abs(tied.transform(X)).mean() < 0.2 * np.abs(free.transform(X)).mean()


@BOTH
def test_rows_alone_and_together(make, X):
    model = make().fit(X)
    whole = model.decision_function(X)
    alone = np.vstack([model.decision_function(X[i : i + 1]) for i in range(20)])
    np.testing.assert_allclose(alone, whole[:20], rtol=1e-10, atol=1e-12)
    empty = csr_array((1, 40), dtype=float)
    again = model.decision_function(vstack([X, empty]).tocsr())
    np.testing.assert_allclose(again[:150], whole, rtol=1e-10, atol=1e-12)
    assert np.isfinite(again[150]).all()


@BOTH
def test_bfloat16_is_near(make, X):
    exact, rough = make(max_iter=60).fit(X), make(max_iter=60, precision="bfloat16").fit(X)
    assert rough.loss_curve_[-1] == pytest.approx(exact.loss_curve_[-1], rel=0.03)
    assert rough.weights_["last.weight"].dtype == np.float32
    assert rough.score(X) > 0.9 * exact.score(X)


@BOTH
def test_saves(make, X, tmp_path):
    model = make().fit(X)
    skrec.save(model, tmp_path / "model.skops")
    loaded = skrec.load(tmp_path / "model.skops")
    np.testing.assert_array_equal(loaded.decision_function(X), model.decision_function(X))


@BOTH
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_layer_sizes", (3, 0)),
        ("hidden_layer_sizes", 5),
        ("activation", "softmax"),
        ("likelihood", "poisson"),
        ("dropout", 1.0),
        ("alpha", -1),
        ("learning_rate", 0),
        ("precision", "float16"),
        ("validation_fraction", 1.0),
    ],
)
def test_bad_parameters(make, name, value, X):
    with pytest.raises(ValueError, match=name):
        clone(make()).set_params(**{name: value}).fit(X)


def test_a_code_needs_a_layer(X):
    with pytest.raises(ValueError, match="at least one"):
        MultDAE(()).fit(X)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"likelihood": "gaussian", "prior": "vamp", "n_prior_components": 3},
        {"divergence": "mmd", "prior": "gaussian_mixture", "n_prior_components": 3},
    ],
)
def test_without_hidden_layers_both_halves_are_linear(options, X):
    model = MultVAE(4, hidden_layer_sizes=(), **{**SMALL, **options}).fit(X)
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    w = {name: value.astype(np.float64) for name, value in model.weights_.items()}
    rows = X[:5].toarray()
    code = rows / np.linalg.norm(rows, axis=1)[:, None] @ w["first.weight"] + w["first.bias"]
    mean, std = model.transform(X[:5], return_std=True)
    np.testing.assert_allclose(mean, code[:, :4], rtol=1e-9)
    np.testing.assert_allclose(std, np.exp(code[:, 4:] / 2), rtol=1e-9)
    scores = mean @ w["last.weight"].T + w["last.bias"]
    np.testing.assert_allclose(model.decision_function(X[:5]), scores, rtol=1e-9)


@pytest.mark.cuda
@pytest.mark.usefixtures("host_noise")
@BOTH
def test_cuda_agrees(make, X):
    there, here = make(device="cuda").fit(X), make(device="cpu").fit(X)
    np.testing.assert_allclose(there.loss_curve_, here.loss_curve_, rtol=1e-3)
    there.set_params(device="cpu")
    np.testing.assert_allclose(
        there.decision_function(X), here.decision_function(X), rtol=1e-2, atol=1e-2
    )


@BOTH
def test_transform_of_more_users_than_a_chunk(make, X):
    model = make(max_iter=1).fit(X)
    many = vstack([X] * 8, format="csr")  # 1,200 rows
    codes = model.transform(csr_array(many))
    assert codes.shape[0] == 1200
    np.testing.assert_allclose(codes, np.tile(model.transform(X), (8, 1)), rtol=1e-10, atol=1e-12)
