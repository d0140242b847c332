"""Divergences between two mixtures of diagonal normals, written out part by part in NumPy.

A mixture is (weights (n,), means (n, d), variances (n, d)).
"""

import numpy as np


def kl_of_parts(f, g):
    """D(f_a || g_b), shape (n_parts of f, n_parts of g)."""
    (_, means, variances), (_, others, other_variances) = f, g
    found = np.empty((len(means), len(others)))
    for a, (m, v) in enumerate(zip(means, variances, strict=True)):
        for b, (n, w) in enumerate(zip(others, other_variances, strict=True)):
            found[a, b] = np.sum(np.log(np.sqrt(w / v)) + (v + (m - n) ** 2) / (2 * w) - 0.5)
    return found


def variational(f, g):
    """Hershey and Olsen's approximation (2007), their equation 20."""
    own = np.exp(-kl_of_parts(f, f)) @ f[0]
    other = np.exp(-kl_of_parts(f, g)) @ g[0]
    return f[0] @ np.log(own / other)


def upper_bound(f, g, n_rounds):
    """Their upper bound after so many rounds: the sum over phi and psi itself."""
    pi, omega = f[0][:, None], g[0]
    cost, phi = kl_of_parts(f, g), pi * omega
    for _ in range(n_rounds):
        psi = omega * phi / phi.sum(axis=0)
        phi = psi * np.exp(-cost)
        phi *= pi / phi.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(phi.sum(axis=1), f[0])
    np.testing.assert_allclose(psi.sum(axis=0), g[0])
    return np.sum(phi * (np.log(phi / psi) + cost))


def log_density(points, f):
    """Of points of shape (n_points, d), shape (n_points,)."""
    density = np.zeros(len(points))
    for weight, m, v in zip(*f, strict=True):
        square = ((points - m) ** 2 / v).sum(axis=1)
        density += weight * np.exp(-square / 2) / np.sqrt(np.prod(2 * np.pi * v))
    return np.log(density)


def monte_carlo(f, g, n_draws, seed):
    """Mean of log f - log g at draws from f, and its standard error."""
    random = np.random.default_rng(seed)
    part = random.choice(len(f[0]), size=n_draws, p=f[0])
    points = f[1][part] + np.sqrt(f[2][part]) * random.standard_normal((n_draws, f[1].shape[1]))
    ratio = log_density(points, f) - log_density(points, g)
    return ratio.mean(), ratio.std(ddof=1) / np.sqrt(n_draws)
