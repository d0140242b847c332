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
from skrec.autoencoder._clusters import cluster_moments, k_means
from skrec.autoencoder._gaussian_mixture_vae import log_responsibilities
from skrec.datasets import make_interactions
from tests.problems import drawing_from, problem_of


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


def agreement(model, X, group):
    return adjusted_rand_score(group, model.responsibilities(X).argmax(axis=1))


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 5))]
)
def test_finds_planted_groups(seed):
    X, group = planted(seed)
    model = GaussianMixtureVAE(5, max_iter=50, random_state=seed).fit(X)  # half the default
    assert agreement(model, X, group) >= 0.9
    assert agreement(model, *planted(seed + 1)) >= 0.9  # other users of the same groups


@pytest.mark.parametrize(
    "options",
    [
        {"hidden_layer_sizes": (16,), "n_components": 5, "max_iter": 80},
        {"n_components": 8, "batch_size": 500, "learning_rate": 0.003},
        {"likelihood": "logistic", "max_iter": 40},
        {"activation": "relu", "n_annealing_steps": 0, "max_iter": 40},
        {"beta": 0.0, "max_iter": 20},
        {"max_iter": 20},
    ],
)
def test_finds_planted_groups_with_other_settings(options):
    X, group = planted(2)
    assert agreement(GaussianMixtureVAE(5, random_state=2, **options).fit(X), X, group) >= 0.9


@pytest.mark.parametrize(("n_groups", "n_users"), [(3, 300), (10, 600)])
def test_finds_few_and_many_groups(n_groups, n_users):
    X, group = planted(0, n_users=n_users, n_groups=n_groups)
    model = GaussianMixtureVAE(n_groups, max_iter=30, random_state=0).fit(X)
    assert agreement(model, X, group) >= 0.9


def test_k_means_takes_weights():
    """A point of weight 2 is as two points; each cluster has its mean, all one variance."""
    random = np.random.RandomState(0)
    points = np.concatenate([random.normal(centre, 0.1, (20, 3)) for centre in (-2.0, 0.0, 3.0)])
    weight = random.randint(1, 3, size=60).astype(float)
    label = k_means(points, weight, 3, random)
    assert adjusted_rand_score(np.repeat([0, 1, 2], 20), label) == 1
    means, variance = cluster_moments(points, np.full_like(points, 0.5), weight, label, 3)
    times = weight.astype(int)
    rows, of = np.repeat(points, times, axis=0), np.repeat(label, times)
    expected = np.array([rows[of == k].mean(axis=0) for k in range(3)])
    np.testing.assert_allclose(means, expected)
    np.testing.assert_allclose(variance, 0.5 + ((rows - expected[of]) ** 2).mean(axis=0))


def test_k_means_of_equal_points():
    points, weight = np.ones((4, 2)), np.ones(4)
    label = k_means(points, weight, 3, np.random.RandomState(0))
    means, variance = cluster_moments(points, 0 * points, weight, label, 3)
    np.testing.assert_array_equal(means, np.ones((3, 2)))
    np.testing.assert_array_equal(variance, np.zeros(2))


def test_clusters_are_set_once(X, monkeypatch):
    calls = []
    monkeypatch.setattr(GaussianMixtureVAE, "_set_clusters", lambda *args: calls.append(args))
    model = gmvae(max_iter=3, warm_start=True).fit(X)
    assert len(calls) == 1
    model.fit(X)  # resumed
    gmvae(max_iter=1).fit(X)
    assert len(calls) == 1


def test_clusters_leave_out_users_without_weight(X):
    """Of fewer users with weight than clusters, none are set; of enough, by these alone."""
    model = gmvae()
    module = model._build_module(X.shape, drawing_from(torch.Generator().manual_seed(0)))
    before = module.clusters.bias.detach().clone()
    model._set_clusters(module, problem_of(X, np.arange(150) < 2))
    assert torch.equal(module.clusters.bias, before)
    model._set_clusters(module, problem_of(X, np.where(np.arange(150) < 60, 0.7, 0)))
    found = module.clusters.bias.detach().clone()
    assert not torch.equal(found, before)
    assert not module.clusters.weight.any()
    model._set_clusters(module, problem_of(X[:60]))
    torch.testing.assert_close(module.clusters.bias.detach(), found)


def test_lower_precision_sets_clusters(X):
    model = gmvae(precision="bfloat16", max_iter=3).fit(X)
    assert np.isfinite(model.weights_["clusters.bias"]).all()


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
    module = gmvae()._build_module((None, 10), drawing_from(generator)).double()
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
