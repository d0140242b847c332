"""The divergence between two mixtures: what is known of it, and of its approximations."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from skrec._loss._mixture_kl import Mixture, monte_carlo_kl, upper_bound_kl, variational_kl


def mixture(seed, n_parts, d, *, full, spread=2.0):
    random = np.random.default_rng(seed)
    weights = random.dirichlet(np.ones(n_parts))
    means = spread * random.standard_normal((n_parts, d))
    if not full:
        return Mixture(weights, means, random.uniform(0.3, 3, size=(n_parts, d)))
    roots = random.standard_normal((n_parts, d, d + 2))
    return Mixture(weights, means, roots @ roots.transpose(0, 2, 1) / (d + 2) + 0.1 * np.eye(d))


def closed_form(f, g):
    """The divergence of two normal distributions, from inverse and determinant."""
    (m, n), (s, t) = (
        (f.means[0], g.means[0]),
        (
            x.covariances[0] if x.covariances.ndim == 3 else np.diag(x.covariances[0])
            for x in (f, g)
        ),
    )
    inverse = np.linalg.inv(t)
    log_det = np.log(np.linalg.det(t) / np.linalg.det(s))
    return 0.5 * (np.trace(inverse @ s) + (n - m) @ inverse @ (n - m) - len(m) + log_det)


CASES = {
    "seed": st.integers(0, 10**6),
    "n": st.integers(1, 4),
    "m": st.integers(1, 4),
    "d": st.integers(1, 3),
    "full": st.booleans(),
}


@settings(max_examples=25)
@given(**CASES)
def test_upper_bound_is_above_monte_carlo(seed, n, m, d, full):
    f, g = mixture(seed, n, d, full=full), mixture(seed + 1, m, d, full=not full)
    found = monte_carlo_kl(f, g, n_draws=2000, random_state=seed)
    assert upper_bound_kl(f, g) >= found.value - 4 * found.standard_error


@settings(max_examples=25)
@given(CASES["seed"], CASES["d"], CASES["full"], CASES["full"])
def test_exact_for_one_part(seed, d, full, other_full):
    f, g = mixture(seed, 1, d, full=full), mixture(seed + 1, 1, d, full=other_full)
    known = closed_form(f, g)
    assert variational_kl(f, g) == pytest.approx(known, rel=1e-9, abs=1e-9)
    assert upper_bound_kl(f, g) == pytest.approx(known, rel=1e-9, abs=1e-9)
    found = monte_carlo_kl(f, g, n_draws=2000, random_state=seed)
    assert abs(found.value - known) <= 6 * found.standard_error  # 6: of 50 heavy-tailed cases


@settings(max_examples=25)
@given(CASES["seed"], CASES["n"], CASES["d"], CASES["full"])
def test_zero_for_identical_mixtures(seed, n, d, full):
    f = mixture(seed, n, d, full=full)
    order = np.random.default_rng(seed).permutation(n)
    g = Mixture(*(np.asarray(part)[order] for part in f))
    assert variational_kl(f, g) == pytest.approx(0, abs=1e-12)
    found = monte_carlo_kl(f, g, n_draws=10, random_state=0)
    assert found == pytest.approx((0, 0), abs=1e-9)
    assert upper_bound_kl(f, g) == pytest.approx(0, abs=1e-12)


def test_zero_for_identical_mixtures_with_near_parts():
    f = Mixture([1 / 20] * 20, np.arange(20.0)[:, None] * 0.03, np.ones((20, 1)))
    assert upper_bound_kl(f, f) == 0
    assert upper_bound_kl(f, f, max_iter=1) == 0
    other = Mixture([1 / 19] * 19, f.means[1:], f.covariances[1:])
    assert upper_bound_kl(f, other) > 0


@settings(max_examples=25)
@given(**CASES)
def test_rounds_never_make_the_bound_worse(seed, n, m, d, full):
    f, g = mixture(seed, n, d, full=full), mixture(seed + 1, m, d, full=full)
    bounds = [upper_bound_kl(f, g, max_iter=rounds) for rounds in (1, 2, 5, 50)]
    assert all(
        later <= earlier + 1e-12 for earlier, later in zip(bounds[:-1], bounds[1:], strict=True)
    )
    # The first round is the minimum over phi with psi_ab = pi_a omega_b.
    by_hand = -sum(
        weight * np.log(sum(
            other * np.exp(-closed_form(_part(f, a), _part(g, b)))
            for b, other in enumerate(g.weights)
        ))
        for a, weight in enumerate(f.weights)
    )  # fmt: skip
    if n == m:  # or that of the best pairs
        by_hand = min(by_hand, *(
            sum(
                weight * (np.log(weight / g.weights[b]) + closed_form(_part(f, a), _part(g, b)))
                for a, (weight, b) in enumerate(zip(f.weights, order, strict=True))
            )
            for order in permutations(range(n))
        ), np.inf)  # fmt: skip
    assert bounds[0] == pytest.approx(by_hand, rel=1e-9, abs=1e-9)


def _part(mixture, index):
    return Mixture(np.ones(1), *(part[index : index + 1] for part in mixture[1:]))


def test_variational_by_hand():
    f, g = mixture(3, 3, 2, full=True), mixture(4, 2, 2, full=True)
    known = 0
    for a in range(3):
        own = [f.weights[b] * np.exp(-closed_form(_part(f, a), _part(f, b))) for b in range(3)]
        other = [g.weights[b] * np.exp(-closed_form(_part(f, a), _part(g, b))) for b in range(2)]
        known += f.weights[a] * np.log(sum(own) / sum(other))
    assert variational_kl(f, g) == pytest.approx(known, rel=1e-12)


def test_monte_carlo_finds_the_integral():
    f, g = mixture(5, 3, 1, full=False), mixture(6, 2, 1, full=False)

    def density(x, of):
        scales = np.sqrt(of.covariances[:, 0])
        return of.weights @ (norm.pdf((x - of.means[:, 0]) / scales) / scales)

    integral = quad(
        lambda x: density(x, f) * np.log(density(x, f) / density(x, g)), -15, 15, limit=200
    )[0]
    found = monte_carlo_kl(f, g, n_draws=100_000, random_state=0)
    assert abs(found.value - integral) < 4 * found.standard_error
    assert found.standard_error < 0.02 * integral
    assert found == monte_carlo_kl(f, g, n_draws=100_000, random_state=0)
    assert upper_bound_kl(f, g) > integral


def test_parts_of_weight_zero_do_not_count():
    f, g = mixture(7, 2, 2, full=False), mixture(8, 2, 2, full=False)
    more = Mixture(
        *(
            np.concatenate([part, [extra]])
            for part, extra in zip(g, (0, [9, 9], [1, 1]), strict=True)
        )
    )
    for function in (variational_kl, upper_bound_kl):
        assert function(f, more) == function(f, g)
        assert function(more, f) == function(g, f)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Mixture([0.5, 0.4], np.zeros((2, 2)), np.ones((2, 2))), "sum 1"),
        (Mixture([1.5, -0.5], np.zeros((2, 2)), np.ones((2, 2))), ">= 0"),
        (Mixture([1.0], [[np.nan, 0]], np.ones((1, 2))), "finite"),
        (Mixture([1.0], np.zeros((2, 2)), np.ones((2, 2))), "n_parts"),
        (Mixture([1.0], np.zeros((1, 3)), np.ones((1, 3))), "dimensions"),
        (Mixture([1.0], np.zeros((1, 2)), np.ones((1, 3))), "covariances of shape"),
        (Mixture([1.0], np.zeros((1, 2)), -np.ones((1, 2))), "positive definite"),
        (Mixture([1.0], np.zeros((1, 2)), [[[1.0, 0.5], [0.0, 1.0]]]), "symmetric"),
    ],
)
def test_what_is_not_a_mixture_is_refused(broken, message):
    good = Mixture([1.0], np.zeros((1, 2)), np.ones((1, 2)))
    for function in (variational_kl, upper_bound_kl, monte_carlo_kl):
        with pytest.raises(ValueError, match=message):
            function(good, broken)


def test_too_few_draws():
    good = Mixture([1.0], [[0.0]], [[1.0]])
    with pytest.raises(ValueError, match="at least 2"):
        monte_carlo_kl(good, good, n_draws=1)
