r"""Kullback-Leibler divergence between two mixtures of normal distributions.

.. math:: f = \sum_a \pi_a f_a, \quad g = \sum_b \omega_b g_b, \qquad
    D(f \| g) = \int f(x) \log \frac{f(x)}{g(x)} \, dx

has no closed form. Hershey and Olsen [1]_ compare what there is instead; here are their
variational approximation, their variational upper bound, and the estimate by Monte Carlo.

References
----------
.. [1] J. R. Hershey and P. A. Olsen, "Approximating the Kullback Leibler divergence between
   Gaussian mixture models", ICASSP 2007.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.linalg import solve_triangular
from scipy.optimize import linear_sum_assignment
from scipy.special import logsumexp


class Mixture(NamedTuple):
    """A mixture of normal distributions.

    Parameters
    ----------
    weights : array-like of shape (n_parts,)
        >= 0, with sum 1.
    means : array-like of shape (n_parts, d)
    covariances : array-like of shape (n_parts, d) or (n_parts, d, d)
        Variances of diagonal covariance matrices, or the matrices, positive definite.
    """

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray


class Estimate(NamedTuple):
    """An estimate by Monte Carlo and its standard error."""

    value: float
    standard_error: float


def variational_kl(f, g):
    r"""Approximate the divergence between two mixtures; neither a lower nor an upper bound.

    .. math:: \sum_a \pi_a \log
        \frac{\sum_{a'} \pi_{a'} e^{-D(f_a \| f_{a'})}}{\sum_b \omega_b e^{-D(f_a \| g_b)}}

    It is 0 for identical mixtures, and exact where each has one part.

    Parameters
    ----------
    f, g : Mixture
        Of any numbers of parts, in as many dimensions.

    Returns
    -------
    divergence : float
        In nats.

    Raises
    ------
    ValueError
        If a mixture is not one, or the dimensions differ.

    Examples
    --------
    >>> from skrec._loss._mixture_kl import Mixture, variational_kl
    >>> f = Mixture([1.0], [[0.0]], [[1.0]])
    >>> round(variational_kl(f, Mixture([0.5, 0.5], [[1.0], [-1.0]], [[1.0], [1.0]])), 12)
    0.5
    """
    f, g = _checked_pair(f, g)
    own = logsumexp(-_pairwise_kl(f, f), b=f.weights, axis=1)
    other = logsumexp(-_pairwise_kl(f, g), b=g.weights, axis=1)
    return float(f.weights @ (own - other))


def upper_bound_kl(f, g, *, max_iter=1000, tol=1e-12):
    r"""Bound the divergence between two mixtures from above.

    Splits the weights of both, :math:`\sum_b \phi_{ab} = \pi_a` and
    :math:`\sum_a \psi_{ab} = \omega_b`, and minimises by turns

    .. math:: \sum_{ab} \phi_{ab} \log \frac{\phi_{ab}}{\psi_{ab}}
        + \sum_{ab} \phi_{ab} D(f_a \| g_b) \ge D(f \| g)

    starting from :math:`\phi_{ab} = \pi_a \omega_b`. Any split is a bound; no step makes it
    worse. Where both have as many parts, the best one-to-one split is tried as well, to which
    the steps would come in the limit only. It is 0 for identical mixtures, and exact where each
    has one part.

    Parameters
    ----------
    f, g : Mixture
        Of any numbers of parts, in as many dimensions.
    max_iter : int, default=1000
        Rounds at most.
    tol : float, default=1e-12
        Stops when a round improves the bound by no more than this.

    Returns
    -------
    bound : float
        In nats.

    Raises
    ------
    ValueError
        If a mixture is not one, or the dimensions differ.

    Examples
    --------
    >>> from skrec._loss._mixture_kl import Mixture, upper_bound_kl
    >>> f = Mixture([0.5, 0.5], [[0.0], [9.0]], [[1.0], [1.0]])
    >>> round(upper_bound_kl(f, f), 9)
    0.0
    """
    f, g = _checked_pair(f, g)
    cost = _pairwise_kl(f, g)
    log_pi, log_omega = np.log(f.weights)[:, None], np.log(g.weights)
    one_to_one = _one_to_one_bound(log_pi - log_omega + cost, f.weights)
    if one_to_one <= 0:  # there is no lower one
        return 0.0
    log_phi, best = log_pi + log_omega, np.inf
    for _ in range(max_iter):
        # psi_ab = omega_b phi_ab / sum_a' phi_a'b, then phi_ab = pi_a psi_ab e^-D_ab / n_a.
        log_psi = log_omega + log_phi - logsumexp(log_phi, axis=0)
        log_n = logsumexp(log_psi - cost, axis=1, keepdims=True)
        log_phi = log_pi + log_psi - cost - log_n
        bound = float(f.weights @ (log_pi - log_n)[:, 0])
        if best - bound <= tol:
            break
        best = bound
    return max(0.0, min(one_to_one, best, bound))


def _one_to_one_bound(cost, weights):
    """Least sum of weighted costs of pairs; infinite where not all parts have a partner."""
    if cost.shape[0] != cost.shape[1]:
        return np.inf
    cost = weights[:, np.newaxis] * cost
    return float(cost[linear_sum_assignment(cost)].sum())


def monte_carlo_kl(f, g, *, n_draws=10_000, random_state=None):
    """Estimate the divergence between two mixtures by draws from f; without bias.

    Parameters
    ----------
    f, g : Mixture
        Of any numbers of parts, in as many dimensions.
    n_draws : int, default=10_000
        At least 2.
    random_state : int, Generator or None, default=None
        Seed of the draws.

    Returns
    -------
    estimate : Estimate
        ``value``, the mean of log f(x) - log g(x), in nats, and ``standard_error``.

    Raises
    ------
    ValueError
        If a mixture is not one, the dimensions differ, or there are too few draws.

    Examples
    --------
    >>> from skrec._loss._mixture_kl import Mixture, monte_carlo_kl
    >>> f = Mixture([1.0], [[0.0]], [[1.0]])
    >>> found = monte_carlo_kl(f, Mixture([1.0], [[1.0]], [[1.0]]), random_state=0)
    >>> abs(found.value - 0.5) < 4 * found.standard_error
    True
    """
    f, g = _checked_pair(f, g)
    if n_draws < 2:
        raise ValueError(f"n_draws must be at least 2, for a standard error. Got {n_draws}.")
    random = np.random.default_rng(random_state)
    part = random.choice(len(f.weights), size=n_draws, p=f.weights)
    noise = random.standard_normal((n_draws, f.means.shape[1]))
    points = np.empty_like(noise)
    for a, root in enumerate(np.linalg.cholesky(f.covariances)):
        points[part == a] = f.means[a] + noise[part == a] @ root.T
    ratio = _log_density(points, f) - _log_density(points, g)
    return Estimate(float(ratio.mean()), float(ratio.std(ddof=1) / math.sqrt(n_draws)))


def _log_density(points, mixture):
    terms = np.empty((len(points), len(mixture.weights)))
    for b, root in enumerate(np.linalg.cholesky(mixture.covariances)):
        scaled = solve_triangular(root, (points - mixture.means[b]).T, lower=True)
        log_det = 2 * np.log(np.diagonal(root)).sum()
        terms[:, b] = -0.5 * ((scaled**2).sum(axis=0) + log_det + len(root) * math.log(2 * math.pi))
    return logsumexp(terms, b=mixture.weights, axis=1)


def _pairwise_kl(f, g):
    """D(f_a || g_b), shape (n_parts of f, n_parts of g)."""
    divergence = np.empty((len(f.weights), len(g.weights)))
    f_roots, g_roots = np.linalg.cholesky(f.covariances), np.linalg.cholesky(g.covariances)
    for b, unit in enumerate(np.linalg.inv(g_roots)):
        ratio = unit @ f_roots  # (n_parts of f, d, d), triangular
        shift = (f.means - g.means[b]) @ unit.T
        log_det = 2 * np.log(np.diagonal(ratio, axis1=1, axis2=2)).sum(axis=1)
        squares = (ratio**2).sum(axis=(1, 2)) + (shift**2).sum(axis=1)
        twice = squares - f.means.shape[1] - log_det
        divergence[:, b] = np.maximum(0, twice / 2)  # rounding may fall below 0
    return divergence


def _checked_pair(f, g):
    f, g = _checked(f, "f"), _checked(g, "g")
    if f.means.shape[1] != g.means.shape[1]:
        raise ValueError(
            f"f has {f.means.shape[1]} dimensions and g has {g.means.shape[1]}; they must agree."
        )
    return f, g


def _checked(mixture, name):
    """As float64 with full covariance matrices."""
    weights, means, covariances = (np.asarray(part, dtype=np.float64) for part in mixture)
    n_parts = len(weights) if weights.ndim == 1 else 0
    if not n_parts or means.ndim != 2 or len(means) != n_parts or means.shape[1] == 0:
        raise ValueError(
            f"{name} must have weights of shape (n_parts,) and means of shape (n_parts, d). "
            f"Got {weights.shape} and {means.shape}."
        )
    if not (np.all(weights >= 0) and abs(weights.sum() - 1) < 1e-6 and np.isfinite(means).all()):
        raise ValueError(
            f"{name} must have weights >= 0 with sum 1, and finite means. Got weights {weights}."
        )
    d = means.shape[1]
    if covariances.shape == (n_parts, d):
        covariances = covariances[:, :, None] * np.eye(d)
    if covariances.shape != (n_parts, d, d):
        raise ValueError(
            f"{name} must have covariances of shape {(n_parts, d)} or {(n_parts, d, d)}. "
            f"Got {covariances.shape}."
        )
    try:
        np.linalg.cholesky(covariances)
        definite = np.isfinite(covariances).all()
    except np.linalg.LinAlgError:
        definite = False
    if not definite or not np.allclose(covariances, covariances.transpose(0, 2, 1)):
        raise ValueError(
            f"{name} must have covariance matrices that are symmetric and positive definite."
        )
    taken = weights > 0
    return Mixture(weights[taken] / weights.sum(), means[taken], covariances[taken])
