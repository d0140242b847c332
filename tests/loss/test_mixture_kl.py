"""The divergence between two mixtures: what is known of it, and of its approximations."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from skrec._loss._mixture_kl import (
    MIXTURE_DIVERGENCES,
    Mixture,
    mixture_kl,
    monte_carlo_kl,
    upper_bound_kl,
    variational_kl,
)
from tests.reference import mixture_kl as reference


def mixture(seed, n_parts, d, spread=2.0):
    random = np.random.default_rng(seed)
    means = spread * random.standard_normal((n_parts, d))
    return random.dirichlet(np.ones(n_parts)), means, random.uniform(0.3, 3, size=(n_parts, d))


def tensors(*mixtures):
    """One `Mixture` with a row of each of some NumPy mixtures."""
    weight, mean, variance = (
        torch.from_numpy(np.stack(part)) for part in zip(*mixtures, strict=True)
    )
    return Mixture(weight.log(), mean, variance.log())


def shared(one):
    """A NumPy mixture as a `Mixture` without rows."""
    return Mixture(*(part[0] for part in tensors(one)))


def drawn(f, n_draws, seed=0):
    """n_draws rows of the first row of f, and draws from each part."""
    f = Mixture(*(part[:1].expand(n_draws, *part.shape[1:]) for part in f))
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(f.mean.shape, generator=generator, dtype=f.mean.dtype)
    return f, f.mean + torch.exp(f.log_variance / 2) * noise


CASES = {
    "seed": st.integers(0, 10**6),
    "n": st.integers(1, 4),
    "m": st.integers(1, 4),
    "d": st.integers(1, 3),
}


@settings(max_examples=25)
@given(**CASES)
def test_values_are_those_of_numpy(seed, n, m, d):
    fs, g = [mixture(seed + i, n, d) for i in range(3)], mixture(seed + 9, m, d)
    f, shared_g = tensors(*fs), shared(g)
    np.testing.assert_allclose(
        variational_kl(f, shared_g), [reference.variational(one, g) for one in fs], rtol=1e-8
    )
    for n_rounds in (1, 2, 10):
        np.testing.assert_allclose(
            upper_bound_kl(f, shared_g, n_rounds=n_rounds),
            [reference.upper_bound(one, g, n_rounds) for one in fs],
            rtol=1e-8,
        )
    points = torch.from_numpy(np.random.default_rng(seed).standard_normal((3, n, d)))
    found = monte_carlo_kl(f, shared_g, points)
    known = [
        one[0] @ (reference.log_density(x, one) - reference.log_density(x, g))
        for one, x in zip(fs, points.numpy(), strict=True)
    ]
    np.testing.assert_allclose(found, known, rtol=1e-8, atol=1e-10)


@settings(max_examples=25)
@given(**CASES)
def test_upper_bound_is_above_monte_carlo(seed, n, m, d):
    f, g = mixture(seed, n, d), mixture(seed + 1, m, d)
    value, error = reference.monte_carlo(f, g, 20_000, seed)
    assert upper_bound_kl(tensors(f), shared(g)).item() >= value - 4 * error


@settings(max_examples=25)
@given(**CASES)
def test_rounds_never_make_the_bound_worse(seed, n, m, d):
    f, g = tensors(mixture(seed, n, d)), shared(mixture(seed + 1, m, d))
    bounds = [upper_bound_kl(f, g, n_rounds=n_rounds).item() for n_rounds in (1, 2, 5, 50)]
    assert all(
        later <= earlier + 1e-12 for earlier, later in zip(bounds[:-1], bounds[1:], strict=True)
    )


@settings(max_examples=25)
@given(CASES["seed"], CASES["n"], CASES["d"])
def test_zero_for_identical_mixtures(seed, n, d):
    f = mixture(seed, n, d)
    order = np.random.default_rng(seed).permutation(n)
    g = shared(tuple(part[order] for part in f))
    assert variational_kl(tensors(f), g).item() == pytest.approx(0, abs=1e-10)
    np.testing.assert_allclose(monte_carlo_kl(*_with_draws(f, g)), 0, atol=1e-10)
    # Rounds come to 0 in the limit only, and where parts are far apart at once.
    far = (f[0], f[1] + 100.0 * np.arange(n)[:, None], f[2])
    assert upper_bound_kl(tensors(far), shared(far)).item() == pytest.approx(0, abs=1e-8)


def _with_draws(f, g, n_draws=10):
    rows, draws = drawn(tensors(f), n_draws)
    return rows, g, draws


@settings(max_examples=25)
@given(CASES["seed"], CASES["m"], CASES["d"])
def test_a_part_that_stands_twice_counts_as_one(seed, m, d):
    one, g = mixture(seed, 1, d), shared(mixture(seed + 1, m, d))
    twice = np.array([0.3, 0.7]), *(np.repeat(part, 2, axis=0) for part in one[1:])
    for function in (variational_kl, upper_bound_kl):
        torch.testing.assert_close(function(tensors(twice), g), function(tensors(one), g))
    _, draws = drawn(tensors(one), 1)
    torch.testing.assert_close(
        monte_carlo_kl(tensors(twice), g, draws.expand(1, 2, d)),
        monte_carlo_kl(tensors(one), g, draws),
    )


@pytest.mark.parametrize("n", [1, 3])
def test_monte_carlo_finds_the_integral(n):
    f, g = mixture(5, n, 1), mixture(6, 2, 1)

    def density(x, of):
        scales = np.sqrt(of[2][:, 0])
        return of[0] @ (norm.pdf((x - of[1][:, 0]) / scales) / scales)

    integral = quad(
        lambda x: density(x, f) * np.log(density(x, f) / density(x, g)), -15, 15, limit=200
    )[0]
    found = monte_carlo_kl(*_with_draws(f, shared(g), 100_000)).numpy()
    error = found.std(ddof=1) / math.sqrt(len(found))
    assert abs(found.mean() - integral) < 4 * error
    assert error < 0.02 * integral
    assert upper_bound_kl(tensors(f), shared(g)).item() > integral - (1e-9 if n == 1 else 0)
    value, error = reference.monte_carlo(f, g, 100_000, 0)
    assert abs(value - integral) < 4 * error


def test_expected_gradient_of_monte_carlo_is_that_of_the_integral():
    """By the weights, means and variances of f and of g, in one dimension."""
    f, g = tensors(mixture(5, 2, 1)), shared(mixture(6, 2, 1))
    logit = f.log_weight.clone()
    leaves = [part.clone().requires_grad_(True) for part in (logit, *f[1:], *g)]
    n_draws = 200_000

    def parts(leaves):
        one = Mixture(torch.log_softmax(leaves[0], 1), leaves[1], leaves[2])
        other = Mixture(torch.log_softmax(leaves[3], 0), leaves[4], leaves[5])
        return one, other

    def integral(leaves):
        one, other = parts(leaves)
        x = torch.linspace(-20, 20, 20_001, dtype=torch.float64)[:, None]

        def log_of(weight, mean, log_variance):
            square = (x[:, None] - mean).square() * torch.exp(-log_variance)
            logs = -0.5 * (square + log_variance + math.log(2 * math.pi)).sum(-1)
            return torch.logsumexp(weight + logs, 1)

        log_f, log_g = log_of(*(part[0] for part in one)), log_of(*other)
        return torch.trapezoid(log_f.exp() * (log_f - log_g), x[:, 0])

    known = torch.autograd.grad(integral(leaves), leaves)
    one, other = parts(leaves)
    rows, draws = drawn(one, n_draws)
    found = torch.autograd.grad(monte_carlo_kl(rows, other, draws).mean(), leaves)
    for a, b in zip(found, known, strict=True):
        torch.testing.assert_close(a, b, atol=0.02, rtol=0.02)


@pytest.mark.parametrize("name", ["variational", "monte_carlo"])
def test_gradient(name):
    f, g = tensors(mixture(1, 3, 2), mixture(2, 3, 2)), shared(mixture(3, 2, 2))
    leaves = [part.clone().requires_grad_(True) for part in (*f, *g)]
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal(f.mean.shape))

    def value(*leaves):
        one, other = Mixture(*leaves[:3]), Mixture(*leaves[3:])
        return mixture_kl(name, one, other, one.mean + torch.exp(one.log_variance / 2) * noise)

    assert torch.autograd.gradcheck(value, leaves)


def test_gradient_of_the_upper_bound():
    """At the minimum it is that of the bound, the shares of psi being held or not."""
    f, g = tensors(mixture(1, 3, 2, spread=0.5)), shared(mixture(3, 2, 2, spread=0.5))
    leaves = [part.clone().requires_grad_(True) for part in (*f, *g)]

    def value(*leaves):
        return upper_bound_kl(Mixture(*leaves[:3]), Mixture(*leaves[3:]), n_rounds=3000)

    assert torch.autograd.gradcheck(value, leaves, atol=1e-4)


@pytest.mark.parametrize("name", MIXTURE_DIVERGENCES)
def test_in_float32_with_many_parts(name):
    """With as many dimensions and parts as a fit has."""
    fs, g = [mixture(i, 3, 200, spread=0.3) for i in range(4)], mixture(9, 100, 200, spread=0.3)
    f, shared_g = tensors(*fs), shared(g)
    draws = f.mean + 0.5
    known = mixture_kl(name, f, shared_g, draws)
    single = [Mixture(*(part.float() for part in one)) for one in (f, shared_g)]
    found = mixture_kl(name, *single, draws.float())
    torch.testing.assert_close(found.double(), known, rtol=1e-5, atol=1e-3)
