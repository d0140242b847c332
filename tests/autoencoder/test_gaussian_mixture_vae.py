"""GaussianMixtureVAE: planted groups, the bound, Bayes' rule, the floor."""

import math

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from scipy.stats import norm
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score

import skrec
from skrec._loss._divergences import kl_between_normals, kl_to_standard_normal, log_normal
from skrec._loss._likelihoods import Multinomial
from skrec._torch._layers import unit_length
from skrec._torch._rows import DeviceRows
from skrec.autoencoder import GaussianMixtureVAE
from skrec.autoencoder._gaussian_mixture_vae import log_responsibilities
from skrec.datasets import make_interactions


def gmvae(**options):
    small = {"max_iter": 15, "batch_size": 32, "learning_rate": 0.01, "random_state": 0}
    return GaussianMixtureVAE(
        3, n_components=4, n_style_components=2, hidden_layer_sizes=(12,), **{**small, **options}
    )


@pytest.fixture(scope="module")
def X():
    return make_interactions(150, 40, random_state=0, return_X=True)


def planted(seed, n_users=500, n_items=100, n_groups=5, noise=0.2, length=12):
    """Users of n_groups tastes: an item in five is any item, the others of the group's own."""
    random = np.random.RandomState(seed)
    group = random.randint(n_groups, size=n_users)
    own = n_items // n_groups
    X = np.zeros((n_users, n_items))
    for user in range(n_users):
        liked = group[user] * own + random.randint(own, size=length)
        any_item = random.randint(n_items, size=length)
        X[user, np.where(random.rand(length) < noise, any_item, liked)] = 1
    return csr_array(X), group


def test_finds_planted_groups():
    X, group = planted(0)
    model = GaussianMixtureVAE(
        5, n_components=8, n_style_components=4, hidden_layer_sizes=(64,), batch_size=50,
        learning_rate=0.003, random_state=0,
    ).fit(X)  # fmt: skip
    probabilities = model.responsibilities(X)
    assert adjusted_rand_score(group, probabilities.argmax(axis=1)) >= 0.9
    new, group = planted(1)  # other users of the same groups
    assert adjusted_rand_score(group, model.responsibilities(new).argmax(axis=1)) >= 0.9


@pytest.mark.parametrize("likelihood", ["multinomial", "gaussian", "logistic"])
def test_learns(likelihood, X):
    options = {"max_iter": 40, "likelihood": likelihood, "confidence": 3.0, "dropout": 0.2}
    model = gmvae(beta=0.2, **options).fit(X)
    assert model.score(X) > skrec.dummy.DummyRecommender().fit(X).score(X)
    again = gmvae(beta=0.2, **options).fit(X)
    for name, value in model.weights_.items():
        np.testing.assert_array_equal(value, again.weights_[name])


def test_representations(X):
    model = gmvae().fit(X)
    assert model.transform(X).shape == (150, 4)
    assert len(model.get_feature_names_out()) == 4
    probabilities = model.responsibilities(X)
    assert probabilities.shape == (150, 3)
    assert probabilities.dtype == np.float64
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    some = model.responsibilities(X.astype(np.float32)[[7, 3]])
    assert some.dtype == np.float32
    np.testing.assert_allclose(some, probabilities[[7, 3]], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    assert not hasattr(clone(model).set_params(likelihood="gaussian"), "predict_proba")


def test_bayes_rule():
    random = np.random.default_rng(0)
    x, mean, log_variance = (random.normal(size=s) for s in ((5, 2), (5, 3, 2), (5, 3, 2)))
    density = norm(mean, np.exp(log_variance / 2)).pdf(x[:, None]).prod(axis=2)
    found = log_responsibilities(*(torch.from_numpy(a) for a in (x, mean, log_variance))).exp()
    np.testing.assert_allclose(found, density / density.sum(axis=1, keepdims=True))


def prepared(model, X):
    """The fitted module in float64, all rows as one batch, and the noise that `_loss` draws."""
    module = model._module(torch.float64, torch.device("cpu"))
    batch = DeviceRows(X, "cpu", dtype=torch.float64).everything()
    generator = torch.Generator().manual_seed(7)
    noise = [
        torch.randn((X.shape[0], d), generator=generator, dtype=torch.float64).numpy()
        for d in (4, 2)
    ]
    return module, batch, noise


def by_numpy(module, batch, noise, X, beta, floor):
    """The objective of the class docstring, sum by sum."""
    with torch.inference_mode():
        parts = [p.numpy() for p in module.encode(batch, unit_length(batch))]
        xm, xv, wm, wv = parts[0], np.exp(parts[1]), parts[2], np.exp(parts[3])
        x, w = xm + np.sqrt(xv) * noise[0], wm + np.sqrt(wv) * noise[1]
        logits = module.decode(torch.from_numpy(x)).numpy()
        mean, log_variance = (p.numpy() for p in module.components(torch.from_numpy(w)))
    total = 0
    for u, row in enumerate(X.toarray()):
        total -= row @ (logits[u] - np.log(np.exp(logits[u]).sum()))
        scale = np.exp(log_variance[u] / 2)
        density = norm(mean[u], scale).pdf(x[u]).prod(axis=1)
        p = density / density.sum()
        kl_x = np.log(scale) - np.log(xv[u]) / 2 - 0.5
        kl_x += (xv[u] + (xm[u] - mean[u]) ** 2) / (2 * scale**2)
        kl_w = 0.5 * np.sum(wm[u] ** 2 + wv[u] - 1 - np.log(wv[u]))
        kl_z = np.sum(p * np.log(3 * p))
        total += beta * (p @ kl_x.sum(axis=1) + kl_w + max(kl_z, floor))
    return total / X.shape[0]


@pytest.mark.parametrize("floor", [0.0, 0.3, 5.0])
def test_objective(floor, X):
    model = gmvae(beta=0.7, min_information=floor, dropout=0.0, n_annealing_steps=0).fit(X)
    module, batch, noise = prepared(model, X)
    found = model._loss(module, batch, 0, torch.Generator().manual_seed(7))[0].item()
    assert found == pytest.approx(by_numpy(module, batch, noise, X, 0.7, floor), rel=1e-5)


def test_gradient_of_the_divergences():
    """By finite differences, through Bayes' rule and the network of w."""
    generator = torch.Generator().manual_seed(0)
    module = gmvae()._build_module(None, 10, generator).double()
    shapes = ((4, 4), (4, 4), (4, 2), (4, 2))
    inputs = [
        torch.randn(s, generator=generator, dtype=torch.float64).requires_grad_() for s in shapes
    ]

    def divergences(x_mean, x_log_variance, w_mean, w_log_variance):
        x, w = x_mean + torch.exp(x_log_variance / 2), w_mean + torch.exp(w_log_variance / 2)
        mean, log_variance = module.components(w)
        log_p = log_responsibilities(x, mean, log_variance)
        each = kl_between_normals(x_mean[:, None], x_log_variance[:, None], mean, log_variance)
        kl_w = kl_to_standard_normal(w_mean, w_log_variance)
        return (log_p.exp() * (each + log_p)).sum(1) + kl_w

    assert torch.autograd.gradcheck(divergences, inputs)


def test_bound_is_below_the_likelihood(X):
    """The objective with beta = 1 and no floor, against log p(y) by importance sampling."""
    options = {"min_information": 0.0, "n_annealing_steps": 0, "dropout": 0.0, "max_iter": 40}
    model = gmvae(**options).fit(X)
    module = model._module(torch.float64, torch.device("cpu"))
    n_draws, generator = 20_000, torch.Generator().manual_seed(0)
    with torch.inference_mode():
        for user in (0, 1, 2):
            row = csr_array(np.repeat(X[[user]].toarray(), n_draws, axis=0))
            batch = DeviceRows(row, "cpu", dtype=torch.float64).everything()
            xm, xl, wm, wl = module.encode(batch, unit_length(batch))
            x = xm + torch.exp(xl / 2) * torch.randn(xm.shape, generator=generator)
            w = wm + torch.exp(wl / 2) * torch.randn(wm.shape, generator=generator)
            mean, log_variance = module.components(w)
            log_y = -Multinomial().negative_log(module.decode(x), batch)
            log_x = torch.logsumexp(log_normal(x[:, None], mean, log_variance), 1) - math.log(3)
            log_w = log_normal(w, 0 * w, 0 * w) - log_normal(w, wm, wl)
            ratio = log_y + log_x - log_normal(x, xm, xl) + log_w
            likelihood = (torch.logsumexp(ratio, 0) - math.log(n_draws)).item()
            log_p = log_responsibilities(x, mean, log_variance)
            each = kl_between_normals(xm[:, None], xl[:, None], mean, log_variance)
            divergence = (log_p.exp() * (each + log_p + math.log(3))).sum(1)
            bounds = log_y - divergence - kl_to_standard_normal(wm, wl)
            assert bounds.mean() - 4 * bounds.std() / math.sqrt(n_draws) <= likelihood
            assert bounds.mean() < likelihood - 1e-3
            # The objective of `_loss`, in float32, is minus this bound.
            loss = model._loss(module, batch, 0, generator)[0].item()
            assert -loss == pytest.approx(bounds.mean().item(), abs=0.2)


def test_one_user_and_one_cluster():
    model = clone(gmvae(max_iter=3)).set_params(n_clusters=1).fit(np.ones((1, 5)))
    np.testing.assert_array_equal(model.responsibilities(np.ones((1, 5))), [[1.0]])


@pytest.mark.parametrize(
    "bad", [{"n_clusters": 0}, {"n_style_components": 0}, {"min_information": -0.1}]
)
def test_bad_parameters(bad, X):
    with pytest.raises(ValueError, match=next(iter(bad))):
        gmvae().set_params(**bad).fit(X)
