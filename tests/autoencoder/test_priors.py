"""Priors and divergences of MultVAE: known values, bounds, and what the default must not feel."""

import math

import numpy as np
import pytest
import torch

import skrec
from skrec._loss._divergences import kl_to_standard_normal, log_normal
from skrec._loss._likelihoods import Multinomial
from skrec._torch._layers import unit_length
from skrec._torch._rows import DeviceRows
from skrec.autoencoder import MultVAE
from skrec.autoencoder._priors import MixturePrior, VampPrior, make_prior
from skrec.datasets import make_interactions
from tests.problems import drawing_from

SMALL = {"max_iter": 15, "batch_size": 32, "learning_rate": 0.01, "random_state": 0}


def vae(**options):
    return MultVAE(
        4, hidden_layer_sizes=(12,), n_prior_components=3, **{**SMALL, "beta": 1.0, **options}
    )


@pytest.fixture(scope="module")
def X():
    return make_interactions(150, 40, random_state=0, return_X=True)


PRIORS = pytest.mark.parametrize("prior", ["standard", "gaussian_mixture", "vamp"])
DIVERGENCES = pytest.mark.parametrize("divergence", ["kl", "mmd"])


@PRIORS
@DIVERGENCES
def test_learns(prior, divergence, X):
    beta = 1.0 if divergence == "kl" else 10.0
    model = vae(prior=prior, divergence=divergence, max_iter=60, dropout=0.2, beta=beta).fit(X)
    assert model.score(X) > 1.1 * skrec.dummy.DummyRecommender().fit(X).score(X)
    again = vae(prior=prior, divergence=divergence, max_iter=60, dropout=0.2, beta=beta).fit(X)
    for name, value in model.weights_.items():
        np.testing.assert_array_equal(value, again.weights_[name])


@DIVERGENCES
@pytest.mark.parametrize("prior", ["gaussian_mixture", "vamp"])
def test_prior_is_learned(prior, divergence, X):
    first = vae(prior=prior, divergence=divergence, n_annealing_steps=0, max_iter=1).fit(X)
    last = vae(prior=prior, divergence=divergence, n_annealing_steps=0, max_iter=5).fit(X)
    moved = {
        name: bool(np.any(value != last.weights_[name]))
        for name, value in first.weights_.items()
        if name.startswith("prior")
    }
    known = {"prior.pseudo_row": True}
    if prior == "gaussian_mixture":
        # Draws do not depend smoothly on the weights of the mixture.
        learns = divergence == "kl"
        known = {"prior.logit": learns, "prior.mean": True, "prior.log_variance": True}
    assert moved == known


def test_first_weights_do_not_depend_on_the_prior():
    modules = []
    for prior in ("standard", "gaussian_mixture", "vamp"):
        generator = torch.Generator().manual_seed(0)
        modules.append(vae(prior=prior)._build_module((None, 40), drawing_from(generator)))
    assert not list(modules[0].prior.parameters())
    for name, value in modules[0].state_dict().items():
        for other in modules[1:]:
            assert torch.equal(value, other.state_dict()[name])


@pytest.mark.parametrize("prior", ["gaussian_mixture", "vamp"])
def test_prior_is_not_penalised(prior):
    model = vae(prior=prior, alpha=0.5)
    module = model._build_module((None, 40), drawing_from(torch.Generator().manual_seed(0)))
    groups = model._parameter_groups(module)
    penalised = {id(p) for g in groups if g.get("weight_decay", 0) > 0 for p in g["params"]}
    every = [id(p) for g in groups for p in g["params"]]
    assert sorted(every) == sorted(id(p) for p in module.parameters())
    names = {name for name, p in module.named_parameters() if id(p) in penalised}
    assert names == {f"{x}.weight" for x in ("first", "latent", "decoder.0", "last")}


def encoded(n_rows=1, d=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mean, log_variance = torch.randn((2, n_rows, d), generator=generator, dtype=torch.float64)
    return mean, log_variance, generator


def drawn(mean, log_variance, generator, n_draws):
    noise = torch.randn((n_draws, mean.shape[1]), generator=generator, dtype=mean.dtype)
    return mean + torch.exp(log_variance / 2) * noise


@pytest.mark.parametrize("n_parts", [1, 3])
def test_mixture_of_standard_normals_is_the_closed_form(n_parts):
    mean, log_variance, generator = encoded()
    prior = MixturePrior(n_parts, 4).double()
    prior.initialise(generator)
    with torch.no_grad():
        prior.mean.zero_()
        prior.logit.normal_(generator=generator)
    latent = drawn(mean, log_variance, generator, 50_000)
    found = prior.divergence(latent, mean, log_variance, None).detach().numpy()
    error = found.std(ddof=1) / math.sqrt(len(found))
    known = kl_to_standard_normal(mean, log_variance).item()
    assert abs(found.mean() - known) < 4 * error
    assert error < 0.02 * known


def test_vamp_prior_of_one_pseudo_row():
    """Its density is that of the encoder's distribution for the row, which has length 1."""
    mean, log_variance, generator = encoded()
    prior = VampPrior(1, 7).double()
    prior.initialise(generator)
    rows = []

    def encode(values):
        rows.append(values)
        return mean + 1, log_variance

    latent = drawn(mean, log_variance, generator, 10)
    found = prior.divergence(latent, mean, log_variance, encode)
    other = log_normal(latent, mean + 1, log_variance)
    torch.testing.assert_close(found, log_normal(latent, mean, log_variance) - other)
    parameters = prior.pseudo_row.detach()
    positive = torch.log1p(torch.exp(parameters))
    torch.testing.assert_close(rows[0].detach(), positive / positive.norm())


def test_dense_rows_are_encoded_as_sparse_ones(X):
    module = (
        vae()._build_module((None, 40), drawing_from(torch.Generator().manual_seed(0))).double()
    )
    rows = DeviceRows(X, "cpu", dtype=torch.float64).everything()
    sparse = module.encode(rows, unit_length(rows))
    dense = torch.from_numpy(X.toarray() / np.linalg.norm(X.toarray(), axis=1, keepdims=True))
    for one, other in zip(sparse, module.encode_dense(dense), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("prior", ["gaussian_mixture", "vamp"])
def test_draws_have_the_moments_of_the_prior(prior):
    generator = torch.Generator().manual_seed(0)
    module = make_prior(prior, 3, 2, 5).double()
    module.initialise(generator)
    weight = torch.full((3,), 1 / 3, dtype=torch.float64)
    mean, log_variance = torch.randn((2, 3, 2), generator=generator, dtype=torch.float64)
    if prior == "gaussian_mixture":
        weight = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
        with torch.no_grad():
            for parameter, value in zip(
                (module.logit, module.mean, module.log_variance),
                (weight.log(), mean, log_variance),
                strict=True,
            ):
                parameter.copy_(value)
    n_draws = 50_000
    draws = module.sample(n_draws, mean, lambda _: (mean, log_variance), generator).detach()
    for power in (1, 2):
        moments = mean if power == 1 else mean.square() + log_variance.exp()
        error = draws.pow(power).std(0) / math.sqrt(n_draws)
        assert torch.all((draws.pow(power).mean(0) - weight @ moments).abs() < 4 * error)


@PRIORS
def test_bound_is_below_the_likelihood(prior, X):
    """E log p(x|z) - KL <= log p(x), estimated by importance sampling from q and from p."""
    model = vae(prior=prior, max_iter=40, n_annealing_steps=0, dropout=0.0).fit(X)
    module = model._module(torch.float64, torch.device("cpu"))
    n_draws, generator = 20_000, torch.Generator().manual_seed(0)
    with torch.inference_mode():
        for user in (0, 1, 2):
            row = DeviceRows(X[[user]], "cpu", dtype=torch.float64).everything()
            mean, log_variance = module.encode(row, unit_length(row))
            z = drawn(mean, log_variance, generator, n_draws)
            gap = module.prior.divergence(z, mean, log_variance, module.encode_dense)
            if prior == "standard":  # the closed form, else that of each draw
                gap = log_normal(z, mean, log_variance) - log_normal(z, 0 * z, 0 * z)
            ratio = log_likelihood(module, z, row) - gap
            bound, error = ratio.mean(), ratio.std() / math.sqrt(n_draws)
            by_q = log_mean(ratio)
            z = module.prior.sample(n_draws, mean, module.encode_dense, generator)
            by_p = log_mean(log_likelihood(module, z, row))
            assert bound - 4 * error <= by_q
            assert bound < by_q - 1e-3  # the posterior is not exactly normal
            assert by_q.item() == pytest.approx(by_p.item(), abs=0.3)


def log_likelihood(module, z, row):
    n = len(z)
    repeated = row._replace(
        start=torch.arange(n) * len(row.value),
        row=torch.arange(n).repeat_interleave(len(row.value)),
        column=row.column.repeat(n),
        value=row.value.repeat(n),
    )
    return -Multinomial().negative_log(module.decode(z), repeated)


def log_mean(logs):
    return torch.logsumexp(logs, 0) - math.log(len(logs))


def test_variance_penalty_keeps_the_variances(X):
    def spread(penalty):
        model = vae(divergence="mmd", variance_penalty=penalty, max_iter=100, dropout=0.0)
        return model.fit(X).transform(X, return_std=True)[1].mean()

    assert spread(0.0) < 0.7 * spread(10.0)
    assert spread(10.0) == pytest.approx(1, abs=0.15)


def test_mmd_pulls_the_latent_vectors_to_the_prior(X):
    def second_moment(beta):
        model = vae(divergence="mmd", beta=beta, max_iter=100, n_annealing_steps=0)
        mean, std = model.fit(X).transform(X, return_std=True)
        return (mean**2 + std**2).mean()

    free, held = second_moment(0.0), second_moment(1000.0)
    assert abs(held - 1) < 0.3 < abs(free - 1)


@PRIORS
@DIVERGENCES
def test_one_user(prior, divergence):
    model = vae(prior=prior, divergence=divergence, max_iter=3).fit(np.ones((1, 5)))
    assert np.isfinite(model.decision_function(np.ones((1, 5)))).all()


@DIVERGENCES
def test_users_of_weight_zero_teach_nothing(divergence, X):
    """With one batch and no noise in the weights, such users' rows could be any others."""
    options = {"divergence": divergence, "batch_size": 10**6, "max_iter": 3, "dropout": 0.0}
    weight = np.repeat([1.0, 0.0], 75)
    changed = X.toarray()
    changed[75:] = changed[75:, ::-1]
    one = vae(**options)._fit_weighted(X, weight)
    two = vae(**options)._fit_weighted(changed, weight)
    np.testing.assert_allclose(one.loss_curve_, two.loss_curve_, rtol=1e-5)
    three = vae(**options)._fit_weighted(changed, weight[::-1])
    assert abs(three.loss_curve_[-1] / one.loss_curve_[-1] - 1) > 1e-4


@pytest.mark.parametrize(
    "bad",
    [
        {"prior": "flat"},
        {"n_prior_components": 0},
        {"divergence": "wasserstein"},
        {"variance_penalty": -1},
    ],
)
def test_bad_parameters(bad, X):
    with pytest.raises(ValueError, match=next(iter(bad))):
        MultVAE().set_params(**bad).fit(X)
