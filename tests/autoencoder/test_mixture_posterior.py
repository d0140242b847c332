"""MultVAE whose encoder gives a mixture: beside NumPy, beside one normal, and its extras."""

import math

import numpy as np
import pytest
import torch

import skrec
from skrec._loss._divergences import kl_to_unit_variance, maximum_mean_discrepancy
from skrec._loss._likelihoods import layer_loss, likelihood
from skrec._loss._mixture_kl import MIXTURE_DIVERGENCES
from skrec._torch._layers import dropped, standard_normal, unit_length
from skrec._torch._rows import DeviceRows
from skrec._torch._schedules import annealed
from skrec._torch._variational_net import full_precision
from skrec.autoencoder import MultVAE
from skrec.autoencoder._mixture_posterior import mixture_terms
from skrec.datasets import make_interactions
from tests.reference import mixture_kl as reference

SMALL = {"max_iter": 15, "batch_size": 32, "learning_rate": 0.01, "random_state": 0}
ITEMS, D, PARTS = 40, 4, 3


def vae(cls=MultVAE, **options):
    options = {"hidden_layer_sizes": (12,), "n_prior_components": 3, **SMALL, **options}
    return cls(D, **options)


def mixed(**options):
    return vae(n_posterior_components=PARTS, **{"prior": "gaussian_mixture", **options})


@pytest.fixture(scope="module")
def X():
    return make_interactions(150, ITEMS, random_state=0, return_X=True)


PRIORS = pytest.mark.parametrize("prior", ["standard", "gaussian_mixture"])
LIKELIHOODS = pytest.mark.parametrize("likelihood", ["multinomial", "gaussian", "logistic"])
MIXTURES = pytest.mark.parametrize("divergence", MIXTURE_DIVERGENCES)


class OneNormal(MultVAE):
    """The loss and the scores as they were before there were mixtures, line by line."""

    def _loss(self, module, batch, step, generator):
        value = dropped(unit_length(batch), self.dropout, generator)
        mean, log_variance = map(full_precision, module.encode(batch, value))
        noise = standard_normal(mean.shape, mean, generator)
        latent = mean + torch.exp(log_variance / 2) * noise
        model = likelihood(self.likelihood, self.confidence)
        losses = layer_loss(model, module.last, module.decoder(latent), batch)
        beta = annealed(step, self.beta, self.n_annealing_steps_)
        if self.divergence == "kl":
            kl = module.prior.divergence(latent, mean, log_variance, module.encode_dense)
            return (batch.weight * (losses + beta * kl)).mean(), (batch.weight * kl).mean()
        losses = losses + self.variance_penalty * kl_to_unit_variance(log_variance)
        n_draws = max(2, len(latent))
        draws = module.prior.sample(n_draws, latent, module.encode_dense, generator)
        scale = 2 * self.n_components
        mmd = maximum_mean_discrepancy(latent, draws, scale, batch.weight)
        return (batch.weight * losses).mean() + beta * mmd, mmd

    def _score(self, module, rows):
        return module.decode(module.encode(rows, unit_length(rows))[0])


@pytest.mark.parametrize("prior", ["standard", "gaussian_mixture", "vamp"])
@LIKELIHOODS
def test_one_component_is_the_model_without_mixtures(prior, likelihood, X):
    options = {"prior": prior, "likelihood": likelihood, "max_iter": 3}
    for divergence in ("kl", "mmd"):
        known = vae(OneNormal, divergence=divergence, **options).fit(X)
        for name in MIXTURE_DIVERGENCES if divergence == "kl" else ("monte_carlo",):
            found = vae(divergence=divergence, mixture_divergence=name, **options).fit(X)
            assert list(found.weights_) == list(known.weights_)
            for key, value in known.weights_.items():
                np.testing.assert_array_equal(found.weights_[key], value)
            assert found.loss_curve_ == known.loss_curve_
            assert found.divergence_curve_ == known.divergence_curve_
            scores = known.decision_function(X)
            np.testing.assert_array_equal(found.decision_function(X), scores)


def test_the_network_of_one_component_is_what_it_was():
    """Names, order and shapes, upon which the first weights depend."""
    assert {name: value.shape for name, value in vae().fit(np.eye(5)).weights_.items()} == {
        "first.weight": (5, 12), "first.bias": (12,),
        "latent.weight": (2 * D, 12), "latent.bias": (2 * D,),
        "decoder.0.weight": (12, D), "decoder.0.bias": (12,),
        "last.weight": (5, 12), "last.bias": (5,),
    }  # fmt: skip


def by_hand(model, X):
    """Weights, means and variances of the users, of the prior, and the decoder, in NumPy."""
    w = {name: value.astype(np.float64) for name, value in model.weights_.items()}
    rows = X.toarray() / np.linalg.norm(X.toarray(), axis=1, keepdims=True)
    hidden = np.tanh(rows @ w["first.weight"] + w["first.bias"])
    outputs = hidden @ w["latent.weight"].T + w["latent.bias"]
    means, log_variances, logits = np.split(outputs, [PARTS * D, 2 * PARTS * D], axis=1)
    weights = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    shape = (len(rows), PARTS, D)
    users = weights, means.reshape(shape), np.exp(log_variances).reshape(shape)
    if model.prior == "standard":
        prior = np.ones(1), np.zeros((1, D)), np.ones((1, D))
    else:
        weight = np.exp(w["prior.logit"])
        prior = weight / weight.sum(), w["prior.mean"], np.exp(w["prior.log_variance"])

    def decode(z):
        hidden = np.tanh(z @ w["decoder.0.weight"].T + w["decoder.0.bias"])
        return hidden @ w["last.weight"].T + w["last.bias"]

    return users, prior, decode


def terms(model, X, n_draws=1):
    """`mixture_terms` of a fitted model, in float64, averaged over repetitions of the rows."""
    module = model._module(torch.float64, torch.device("cpu"))
    rows = DeviceRows(X[np.tile(np.arange(X.shape[0]), n_draws)], "cpu", dtype=torch.float64)
    rows = rows.everything()
    with torch.no_grad():
        found = mixture_terms(
            module,
            rows,
            unit_length(rows),
            likelihood(model.likelihood, model.confidence),
            model.mixture_divergence,
            torch.Generator().manual_seed(0),
        )
    return [part.numpy().reshape(n_draws, -1) for part in found]


@PRIORS
@MIXTURES
def test_divergence_is_that_of_numpy(prior, divergence, X):
    model = mixed(prior=prior, mixture_divergence=divergence, beta=1.0).fit(X)
    X = X[:5]
    users, of_prior, _ = by_hand(model, X)
    users = list(zip(*users, strict=True))
    if divergence == "monte_carlo":
        found = terms(model, X, 4000)[1]
        for user, draws in zip(users, found.T, strict=True):
            value, error = reference.monte_carlo(user, of_prior, 50_000, 0)
            error = math.hypot(error, draws.std(ddof=1) / math.sqrt(len(draws)))
            assert abs(draws.mean() - value) < 4 * error
        return
    twin = reference.variational if divergence == "variational" else reference.upper_bound
    rounds = () if divergence == "variational" else (10,)
    known = [twin(user, of_prior, *rounds) for user in users]
    np.testing.assert_allclose(terms(model, X)[1][0], known, rtol=1e-9)
    if divergence == "upper":
        for user, bound in zip(users, known, strict=True):
            value, error = reference.monte_carlo(user, of_prior, 50_000, 0)
            assert bound > value - 4 * error


@LIKELIHOODS
def test_reconstruction_is_the_mean_over_draws_from_the_mixture(likelihood, X):
    model = mixed(likelihood=likelihood).fit(X)
    X = X[:3]
    (weights, means, variances), _, decode = by_hand(model, X)
    random, n_draws = np.random.default_rng(0), 20_000
    found = terms(model, X, 4000)[0]
    for user, x in enumerate(X.toarray()):
        part = random.choice(PARTS, size=n_draws, p=weights[user])
        noise = random.standard_normal((n_draws, D))
        outputs = decode(means[user, part] + np.sqrt(variances[user, part]) * noise)
        if likelihood == "multinomial":
            log_p = outputs - np.log(np.exp(outputs).sum(axis=1, keepdims=True))
            losses = -log_p @ x
        elif likelihood == "gaussian":
            losses = ((1 + model.confidence * (x > 0)) * (x - outputs) ** 2).sum(axis=1) / 2
        else:
            losses = (np.log1p(np.exp(outputs)) - (x > 0) * outputs).sum(axis=1)
        error = losses.std(ddof=1) / math.sqrt(n_draws)
        of_found = found[:, user].std(ddof=1) / math.sqrt(len(found))
        assert abs(losses.mean() - found[:, user].mean()) < 4 * math.hypot(error, of_found)


@LIKELIHOODS
def test_scores_expect_what_the_parts_expect(likelihood, X):
    model = mixed(likelihood=likelihood).fit(X)
    (weights, means, _), _, decode = by_hand(model, X)
    outputs, scores = decode(means), model.decision_function(X)  # (n_users, PARTS, n_items)

    def expected(outputs):
        if likelihood == "gaussian":
            return outputs
        if likelihood == "logistic":
            return 1 / (1 + np.exp(-outputs))
        return np.exp(outputs) / np.exp(outputs).sum(axis=-1, keepdims=True)

    known = (weights[:, :, None] * expected(outputs)).sum(axis=1)
    np.testing.assert_allclose(expected(scores), known, rtol=1e-9)
    if likelihood == "multinomial":
        np.testing.assert_allclose(model.predict_proba(X), known, rtol=1e-9)
    else:
        assert not hasattr(model, "predict_proba")


def test_transform_has_the_moments_of_the_mixture(X):
    model = mixed().fit(X)
    (weights, means, variances), *_ = by_hand(model, X)
    mean, std = model.transform(X, return_std=True)
    first = np.einsum("ua,uad->ud", weights, means)
    second = np.einsum("ua,uad->ud", weights, variances + means**2)
    np.testing.assert_allclose(mean, first, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(std, np.sqrt(second - first**2), rtol=1e-7)
    np.testing.assert_array_equal(model.transform(X), mean)
    found = model.posterior_weights(X)
    np.testing.assert_allclose(found, weights, rtol=1e-9)
    assert found.min() < 0.9 * found.max()
    np.testing.assert_array_equal(vae().fit(X).posterior_weights(X), np.ones((150, 1)))


def as_a_mixture(one, weight):
    """Weights of a net with PARTS equal parts, of those of a net with one part."""
    found = dict(one)
    for name in ("latent.weight", "latent.bias"):
        mean, log_variance = np.split(one[name], 2)
        logit = np.zeros((PARTS, *one[name].shape[1:]), np.float32)
        if name == "latent.bias":
            logit[:] = np.log(weight)
        found[name] = np.concatenate([mean] * PARTS + [log_variance] * PARTS + [logit])
    return found


@LIKELIHOODS
def test_equal_components_are_one_normal(likelihood, X):
    """Scores, moments, loss and divergence are those of the model with one component."""
    one = vae(prior="gaussian_mixture", likelihood=likelihood, dropout=0.0).fit(X)
    for name in ("variational", "upper"):
        twin = mixed(likelihood=likelihood, mixture_divergence=name, max_iter=1).fit(X)
        twin.weights_ = as_a_mixture(one.weights_, [0.2, 0.3, 0.5])
        same = twin.decision_function(X) - one.decision_function(X)
        if likelihood == "multinomial":
            same -= same[:, :1]
        np.testing.assert_allclose(same, 0, atol=1e-7)
        for a, b in zip(*(m.transform(X, return_std=True) for m in (one, twin)), strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-6, atol=1e-7)
        # D(N || g) <= -log sum_b omega_b e^-D(N || g_b), of which the draws' mean stays below.
        users, prior, _ = by_hand(twin, X[:4])
        known = [
            reference.variational((np.ones(1), m[:1], v[:1]), prior)
            for _, m, v in zip(*users, strict=True)
        ]
        np.testing.assert_allclose(terms(twin, X[:4])[1][0], known, rtol=1e-6)


@PRIORS
@MIXTURES
@LIKELIHOODS
def test_learns(prior, divergence, likelihood, X):
    options = {"prior": prior, "mixture_divergence": divergence, "likelihood": likelihood}
    options |= {"max_iter": 60, "dropout": 0.2, "beta": 0.5, "confidence": 3.0}
    model = mixed(**options).fit(X)
    assert model.loss_curve_[-1] < 0.95 * model.loss_curve_[0]
    popular = skrec.dummy.DummyRecommender().fit(X).score(X)
    assert model.score(X) > popular * (1.0 if likelihood == "gaussian" else 1.1)
    assert len(model.divergence_curve_) == 60


@MIXTURES
def test_same_seed_same_bits(divergence, X):
    one, two, other = (
        mixed(mixture_divergence=divergence, random_state=seed).fit(X) for seed in (0, 0, 1)
    )
    for name, value in one.weights_.items():
        np.testing.assert_array_equal(value, two.weights_[name])
        assert value.dtype == np.float32
    assert one.loss_curve_ == two.loss_curve_ != other.loss_curve_


@MIXTURES
def test_every_part_learns(divergence, X):
    first, last = (mixed(mixture_divergence=divergence, max_iter=n).fit(X) for n in (1, 5))
    for name, value in first.weights_.items():
        moved = np.any((value != last.weights_[name]).reshape(len(value), -1), axis=1)
        assert moved.all(), name
    # Parts that began alike by chance have parted.
    (_, means, _), *_ = by_hand(last, X)
    assert np.linalg.norm(means[:, 0] - means[:, 1], axis=1).min() > 0


def test_gradient_of_the_loss(X):
    """By all weights, against finite differences along random directions."""
    for divergence in ("variational", "monte_carlo"):
        model = mixed(mixture_divergence=divergence, n_annealing_steps=0, max_iter=2).fit(X)
        module = model._module(torch.float64, torch.device("cpu"))
        rows = DeviceRows(X[:20], "cpu", dtype=torch.float64).everything()
        for parameter in module.parameters():
            parameter.requires_grad_(True)

        def loss(model=model, module=module, rows=rows):
            return model._loss(module, rows, 0, torch.Generator().manual_seed(1))[0]

        gradient = torch.autograd.grad(loss(), list(module.parameters()))
        random, step = torch.Generator().manual_seed(0), 1e-6
        for parameter, slope in zip(module.parameters(), gradient, strict=True):
            direction = torch.randn(parameter.shape, generator=random, dtype=torch.float64)
            values = []
            with torch.no_grad():
                for sign in (1, -2, 1):
                    parameter.add_(direction, alpha=sign * step)
                    values.append(loss().item())
            numeric = (values[0] - values[1]) / (2 * step)
            assert (slope * direction).sum().item() == pytest.approx(numeric, rel=1e-5, abs=1e-6)


def test_a_mixture_bounds_the_likelihood(X):
    """The bound with draws is below log p(x), by importance sampling from the mixture."""
    model = mixed(max_iter=40, n_annealing_steps=0, beta=1.0, dropout=0.0).fit(X)
    losses, kl = terms(model, X[:3], 4000)
    ratio = -losses - kl
    bound, error = ratio.mean(0), ratio.std(0) / math.sqrt(len(ratio))
    users, prior, decode = by_hand(model, X[:3])
    random, n_draws = np.random.default_rng(0), 20_000
    for u, x in enumerate(X[:3].toarray()):
        user = [part[u] for part in users]
        part = random.choice(PARTS, size=n_draws, p=user[0])
        z = user[1][part] + np.sqrt(user[2][part]) * random.standard_normal((n_draws, D))
        outputs = decode(z)
        log_p = outputs @ x - x.sum() * np.log(np.exp(outputs).sum(axis=1))
        log_p += reference.log_density(z, prior) - reference.log_density(z, user)
        evidence = np.log(np.mean(np.exp(log_p - log_p.max()))) + log_p.max()
        assert bound[u] - 4 * error[u] <= evidence
        assert log_p.mean() == pytest.approx(bound[u], abs=4 * error[u] + 0.05)


def test_rows_alone_and_together(X):
    model = mixed().fit(X)
    whole = model.decision_function(X)
    alone = np.vstack([model.decision_function(X[i : i + 1]) for i in range(20)])
    np.testing.assert_allclose(alone, whole[:20], rtol=1e-10, atol=1e-12)


@LIKELIHOODS
def test_saves(likelihood, X, tmp_path):
    model = mixed(likelihood=likelihood).fit(X)
    skrec.save(model, tmp_path / "model.skops")
    loaded = skrec.load(tmp_path / "model.skops")
    np.testing.assert_array_equal(loaded.decision_function(X), model.decision_function(X))
    np.testing.assert_array_equal(loaded.transform(X), model.transform(X))


@MIXTURES
def test_bfloat16_is_near(divergence, X):
    options = {"max_iter": 60, "mixture_divergence": divergence}
    exact, rough = mixed(**options).fit(X), mixed(precision="bfloat16", **options).fit(X)
    assert rough.loss_curve_[-1] == pytest.approx(exact.loss_curve_[-1], rel=0.03)
    assert rough.score(X) > 0.9 * exact.score(X)


def test_warm_start_early_stopping_and_weights(X):
    model = mixed(warm_start=True).fit(X)
    first = model.loss_curve_[-1]
    assert np.mean(model.fit(X).loss_curve_[15:]) < first + 0.2
    with pytest.raises(ValueError, match="warm_start"):
        model.set_params(n_posterior_components=2).fit(X)
    stopped = mixed(early_stopping=True, max_iter=200, n_iter_no_change=3).fit(X)
    assert stopped.best_validation_score_ == max(stopped.validation_scores_)
    assert stopped.n_iter_ < 200
    quiet = {"batch_size": 10**6, "max_iter": 3, "dropout": 0.0}
    weight, changed = np.repeat([1.0, 0.0], 75), X.toarray()
    changed[75:] = changed[75:, ::-1]
    one, two = (mixed(**quiet)._fit_weighted(each, weight) for each in (X, changed))
    np.testing.assert_allclose(one.loss_curve_, two.loss_curve_, rtol=1e-5)


def test_without_hidden_layers(X):
    model = mixed(hidden_layer_sizes=()).fit(X)
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    assert model.transform(X).shape == (150, D)


@pytest.mark.parametrize(
    "options",
    [{"prior": "vamp"}, {"divergence": "mmd"}, {"prior": "standard", "divergence": "mmd"}],
)
def test_what_does_not_go_together_is_refused(options, X):
    with pytest.raises(ValueError, match="n_posterior_components=3 needs") as caught:
        mixed(**options).fit(X)
    assert all(repr(value) in str(caught.value) for value in options.values())
    fitted = mixed().fit(X)
    before = dict(vars(fitted))
    with pytest.raises(ValueError, match="needs divergence"):
        fitted.set_params(**options).fit(X)
    assert vars(fitted.set_params(prior="gaussian_mixture", divergence="kl")) == before


@pytest.mark.parametrize("bad", [{"n_posterior_components": 0}, {"mixture_divergence": "lower"}])
def test_bad_parameters(bad, X):
    with pytest.raises(ValueError, match=next(iter(bad))):
        MultVAE().set_params(**bad).fit(X)
