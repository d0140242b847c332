"""RecVAE: its prior, its weights of users, its alternating steps, its encoder."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp, softmax
from scipy.stats import norm

import skrec
from skrec._loss._divergences import kl_to_standard_normal
from skrec._torch._layers import unit_length
from skrec._torch._rows import DeviceRows
from skrec.autoencoder import RecVAE, _rec_vae
from skrec.autoencoder._dense_residual_net import RecVAENet, initialise_by_inputs
from skrec.autoencoder._priors import composite_divergence
from skrec.datasets import make_interactions
from tests.problems import problem_of

SMALL = {"max_iter": 3, "batch_size": 32, "learning_rate": 0.01, "random_state": 0}


def small(**options):
    return RecVAE(4, hidden_layer_sizes=(12, 12), **{**SMALL, "device": "cpu", **options})


@pytest.fixture(scope="module")
def X():
    return make_interactions(150, 40, random_state=0, return_X=True)


def begun(model, X):
    """A module with drawn weights, and all rows."""
    problem = problem_of(X)
    module = model._build_module(X.shape, problem).double()
    rows = DeviceRows(X, torch.device("cpu"), dtype=torch.float64).everything()
    return module, rows


def latent_of(seed, n_rows=5, d=3):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((5, n_rows, d), generator=generator, dtype=torch.float64)


def test_composite_divergence_is_that_of_scipys_densities():
    latent, mean, log_variance, old_mean, old_log_variance = latent_of(0)

    def log_density(m, v):
        return norm.logpdf(latent.numpy(), m, np.exp(np.asarray(v) / 2)).sum(1)

    parts = [
        np.log(weight) + log_density(m, v)
        for weight, m, v in (
            (0.2, 0.0, 0.0),
            (0.7, old_mean.numpy(), old_log_variance.numpy()),
            (0.1, 0.0, 10.0),
        )
    ]
    expected = log_density(mean.numpy(), log_variance.numpy()) - logsumexp(parts, axis=0)
    found = composite_divergence(
        latent, mean, log_variance, old_mean, old_log_variance, (2.0, 7.0, 1.0)
    )
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-10)


def test_composite_divergence_of_known_priors():
    n = 40_000
    _, mean, log_variance, *_ = latent_of(1, n_rows=1)
    mean, log_variance = mean.expand(n, 3), log_variance.expand(n, 3)
    noise = torch.randn((n, 3), generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    latent = mean + torch.exp(log_variance / 2) * noise
    arguments = latent, mean, log_variance, mean, log_variance
    standard = composite_divergence(*arguments, (1.0, 0.0, 0.0)).numpy()
    known = kl_to_standard_normal(mean[:1], log_variance[:1]).item()
    assert abs(standard.mean() - known) < 4 * standard.std() / np.sqrt(n)
    # Of the distribution itself there is no divergence.
    assert composite_divergence(*arguments, (0.0, 1.0, 0.0)).abs().max() < 1e-12
    # Half of it: at most log 2.
    assert composite_divergence(*arguments, (1.0, 1.0, 0.0)).max() <= np.log(2) + 1e-12


SHARE = st.floats(0.01, 10)


@given(seed=st.integers(0, 10_000), weights=st.tuples(SHARE, SHARE, SHARE))
def test_a_part_of_the_prior_bounds_the_divergence(seed, weights):
    """With the weights w, log q - log p is at most log q - log p_k - log w_k."""
    drawn = latent_of(seed)
    found = composite_divergence(*drawn, weights)
    for k in range(3):
        alone = tuple(float(k == part) for part in range(3))
        bound = composite_divergence(*drawn, alone) - np.log(weights[k] / sum(weights))
        assert (found <= bound + 1e-9).all()
    scaled = composite_divergence(*drawn, tuple(3 * weight for weight in weights))
    np.testing.assert_allclose(scaled.numpy(), found.numpy(), rtol=1e-9, atol=1e-9)


def test_an_epoch_alternates(X):
    batches = small(batch_size=100)._batches(problem_of(X))
    steps = list(batches)
    assert len(steps) == len(batches) == 8
    assert [step.part for step in steps] == ["encoder"] * 6 + ["decoder"] * 2
    assert [step.begins for step in steps] == [True] + [False] * 7
    assert [step.n_rows for step in steps] == [100, 50] * 4


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_only_one_part_learns(part, X):
    model = small()
    module, rows = begun(model, X)
    generator = torch.Generator().manual_seed(0)
    step = _rec_vae._Step(rows, part, True)
    model._loss(module, step, 0, generator)[0].backward()
    learned = {name for name, p in module.named_parameters() if p.grad is not None}
    assert learned == {name for name, _ in module.named_parameters() if name.startswith(part)}
    assert all(p.grad.abs().max() > 0 for p in module.parameters() if p.grad is not None)


def test_rows_are_corrupted_for_the_encoder_only(X, monkeypatch):
    calls, dropped = [], _rec_vae.dropped
    monkeypatch.setattr(_rec_vae, "dropped", lambda *a: calls.append(a[1]) or dropped(*a))
    model = small()
    module, rows = begun(model, X)
    for part in ("encoder", "decoder"):
        model._loss(module, _rec_vae._Step(rows, part, True), 0, torch.Generator())
    assert calls == [0.5]


def test_the_prior_follows_the_encoder_once_an_epoch(X):
    model = small()
    module, rows = begun(model, X)
    generator = torch.Generator().manual_seed(0)
    before = {name: value.clone() for name, value in module.encoder.state_dict().items()}
    optimizer = torch.optim.Adam(module.parameters(), lr=0.1)
    for begins in (True, False, False):
        optimizer.zero_grad()
        step = _rec_vae._Step(rows, "encoder", begins)
        model._loss(module, step, 0, generator)[0].backward()
        optimizer.step()
        assert all(
            torch.equal(value, before[name]) for name, value in module._old[0].state_dict().items()
        )
    assert not any("old" in name for name in module.state_dict())
    model._loss(module, _rec_vae._Step(rows, "encoder", True), 0, generator)
    assert torch.equal(module._old[0].latent.weight, module.encoder.latent.weight)


@pytest.mark.parametrize("beta", [None, 0.3])
def test_the_divergence_weighs_by_the_user(beta, X):
    weighted = X.copy()
    weighted.data = np.arange(1.0, X.nnz + 1) % 4 + 1
    module, rows = begun(small(), weighted)
    step = _rec_vae._Step(rows, "decoder", True)
    value = {}
    for gamma, constant in ((0.0, None), (0.25, beta)):
        model = small(gamma=gamma, beta=constant)
        loss, kl = model._loss(module, step, 0, torch.Generator().manual_seed(1))
        value[gamma] = loss.item()
    model = small(gamma=0.25, beta=beta)
    whole = unit_length(rows)
    mean, log_variance = module.encoder(rows, whole)
    noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    latent = mean + torch.exp(log_variance / 2) * noise
    each = composite_divergence(
        latent, mean, log_variance, mean, log_variance, model.prior_weights
    ).detach()
    total = np.asarray(weighted.sum(axis=1)).ravel() if beta is None else 1.2
    expected = (0.25 * total * each.numpy()).mean()
    assert value[0.25] - value[0.0] == pytest.approx(expected, rel=1e-9)
    assert kl.item() == pytest.approx(each.mean().item())


def test_the_encoder_is_what_numpy_makes_of_it(X):
    module, rows = begun(small(), X)
    weights = {name: value.numpy() for name, value in module.encoder.state_dict().items()}

    def normed(x, at):
        x = x - x.mean(axis=1, keepdims=True)
        x = x / np.sqrt((x**2).mean(axis=1, keepdims=True) + 0.1)
        return x * weights[f"norms.{at}.weight"] + weights[f"norms.{at}.bias"]

    dense = X.toarray() / np.linalg.norm(X.toarray(), axis=1, keepdims=True)
    total = dense @ weights["first.weight"] + weights["first.bias"]
    first = normed(total / (1 + np.exp(-total)), 0)
    inner = first @ weights["layers.0.weight"].T + weights["layers.0.bias"] + first
    # swish is taken of the layer's own outputs and of those added up.
    second = normed(inner / (1 + np.exp(-inner)), 1)
    expected = second @ weights["latent.weight"].T + weights["latent.bias"]
    found = torch.cat(module.encoder(rows, unit_length(rows)), 1).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_gradients_of_the_encoder_are_those_of_differences(X):
    model = small(dropout=0.0)
    module, rows = begun(model, X[:20])
    module.remember()
    step = _rec_vae._Step(rows, "encoder", False)

    def loss():
        return model._loss(module, step, 0, torch.Generator().manual_seed(3))[0]

    loss().backward()
    rng = np.random.default_rng(0)
    for name, parameter in module.encoder.named_parameters():
        flat, slope = parameter.data.view(-1), parameter.grad.view(-1)
        at = int(rng.integers(len(flat)))
        old, value = flat[at].item(), []
        for change in (1e-6, -1e-6):
            flat[at] = old + change
            value.append(loss().item())
        flat[at] = old
        assert slope[at].item() == pytest.approx(
            (value[0] - value[1]) / 2e-6, rel=1e-4, abs=1e-7
        ), name


def test_first_weights():
    module = RecVAENet(50, (20, 20), 4)
    initialise_by_inputs(module, torch.Generator().manual_seed(0))
    limit = {"encoder.first": 50, "encoder.layers.0": 20, "encoder.latent": 20, "decoder": 4}
    for name, n_inputs in limit.items():
        part = module.get_submodule(name)
        for parameter in (part.weight, part.bias):
            assert 0.5 < parameter.abs().max().item() * np.sqrt(n_inputs) <= 1
    for norm_ in module.encoder.norms:
        assert (norm_.weight == 1).all()
        assert not norm_.bias.any()


def test_it_learns_and_repeats(X):
    model = small(max_iter=12).fit(X)
    again = small(max_iter=12).fit(X)
    for name, value in model.weights_.items():
        np.testing.assert_array_equal(value, again.weights_[name])
    assert model.score(X) > 1.1 * skrec.dummy.DummyRecommender().fit(X).score(X)
    assert len(model.loss_curve_) == len(model.divergence_curve_) == 12
    np.testing.assert_allclose(
        model.predict_proba(X[:5]), softmax(model.decision_function(X[:5]), axis=1), rtol=1e-6
    )
    mean, std = model.transform(X[:3], return_std=True)
    np.testing.assert_array_equal(mean, model.transform(X[:3]))
    assert (std > 0).all()


def test_a_fit_goes_on(X):
    whole = small(max_iter=1, warm_start=True).fit(X)
    first = whole.weights_
    whole.fit(X)
    assert whole.n_iter_ == 2
    assert np.any(whole.weights_["decoder.weight"] != first["decoder.weight"])
    assert whole._n_updates == 2 * 4 * 5


@pytest.mark.cuda
@pytest.mark.usefixtures("host_noise")
def test_cuda_agrees(X):
    there, here = small(device="cuda").fit(X), small().fit(X)
    np.testing.assert_allclose(there.loss_curve_, here.loss_curve_, rtol=1e-3)
    there.set_params(device="cpu")
    np.testing.assert_allclose(
        there.decision_function(X), here.decision_function(X), rtol=1e-2, atol=1e-2
    )


@pytest.mark.parametrize(
    "options",
    [{"hidden_layer_sizes": (8, 4)}, {"prior_weights": (0, 1, 0)}, {"prior_weights": (1, 2)}],
)
def test_wrong_parameters(options, X):
    with pytest.raises(ValueError, match=next(iter(options))):
        small().set_params(**options).fit(X)
