"""Divergences between the distribution of latent vectors and their prior."""

import math

import torch

LOG_2_PI = math.log(2 * math.pi)


def kl_to_standard_normal(mean, log_variance):
    """KL(N(mean, diag(exp(log_variance))) || N(0, I)) for each row, shape (n_rows,)."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)


def kl_to_unit_variance(log_variance):
    """KL(N(m, diag(exp(log_variance))) || N(m, I)) for each row and any m, shape (n_rows,)."""
    return 0.5 * (log_variance.exp() - 1 - log_variance).sum(1)


def kl_between_normals(mean, log_variance, other_mean, other_log_variance):
    """KL of diagonal normal distributions, summed over the last axis; the rest broadcasts."""
    difference = log_variance - other_log_variance
    distance = (mean - other_mean).square() * torch.exp(-other_log_variance)
    return 0.5 * (difference.exp() + distance - 1 - difference).sum(-1)


def log_normal(points, mean, log_variance):
    """log N(point; mean, diag(exp(log_variance))), summed over the last axis."""
    scaled = (points - mean).square() * torch.exp(-log_variance)
    return -0.5 * (scaled + log_variance + LOG_2_PI).sum(-1)


def log_mixture(points, log_weight, mean, log_variance):
    """Log density of a mixture of diagonal normal distributions at some points.

    Parameters
    ----------
    points : tensor of shape (n_points, d)
    log_weight : tensor of shape (n_parts,)
        Logs of weights that sum to 1.
    mean, log_variance : tensor of shape (n_parts, d)

    Returns
    -------
    log_density : tensor of shape (n_points,)
    """
    # The multiplied-out square needs matrix products only, and no (n_points, n_parts, d) tensor.
    # In bfloat16 its terms would cancel to nothing, so autocast is off.
    with torch.autocast(points.device.type, enabled=False):
        precision = torch.exp(-log_variance)
        scaled = points.square() @ precision.T - 2 * points @ (mean * precision).T
        rest = (mean.square() * precision + log_variance + LOG_2_PI).sum(1)
        return torch.logsumexp(log_weight - 0.5 * (scaled + rest), dim=1)


def maximum_mean_discrepancy(points, draws, scale, weight=None):
    """Estimate the squared MMD of two samples without bias (inverse multiquadratic kernel).

    The kernel is k(a, b) = scale / (scale + ||a - b||^2), and the estimate (Tolstikhin et
    al. 2018)::

        mean of k(a_i, a_j), i != j  +  mean of k(b_i, b_j), i != j  -  2 mean of k(a_i, b_j)

    The estimate may be negative.

    Parameters
    ----------
    points : tensor of shape (n_points, d)
        The points a. A single point makes no pair: the first mean is then left out.
    draws : tensor of shape (n_draws, d)
        The points b, at least two.
    scale : float
        The C of the paper, > 0: twice the dimension times the variance of the prior.
    weight : tensor of shape (n_points,), default=None
        Weights of the points in the means, >= 0. A pair weighs the product of its two weights.

    Returns
    -------
    discrepancy : scalar tensor
    """
    weight = torch.ones_like(points[:, 0]) if weight is None else weight
    pair = weight[:, None] * weight
    pair = pair - torch.diag_embed(pair.diagonal())
    within = (pair * _kernel(points, points, scale)).sum() / pair.sum().clamp(min=1e-30)
    n_draws = len(draws)
    # k(b, b) = 1 on the diagonal.
    drawn = (_kernel(draws, draws, scale).sum() - n_draws) / (n_draws * (n_draws - 1))
    cross = (weight @ _kernel(points, draws, scale)).sum() / (weight.sum() * n_draws)
    return within + drawn - 2 * cross


def _kernel(points, others, scale):
    with torch.autocast(points.device.type, enabled=False):
        distance = points.square().sum(1)[:, None] + others.square().sum(1)
        distance = (distance - 2 * points @ others.T).clamp(min=0)
        return scale / (scale + distance)
