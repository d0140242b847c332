r"""Kullback-Leibler divergence between mixtures of normal distributions, one mixture per row.

.. math:: f = \sum_a \pi_a f_a, \quad g = \sum_b \omega_b g_b, \qquad
    D(f \| g) = \int f(x) \log \frac{f(x)}{g(x)} \, dx

has no closed form. Hershey and Olsen [1]_ compare its approximations. This module has their
variational approximation, their variational upper bound, and the Monte Carlo estimate with draws
from each part of f [2]_. All are differentiable.

References
----------
.. [1] J. R. Hershey and P. A. Olsen, "Approximating the Kullback Leibler divergence between
   Gaussian mixture models", ICASSP 2007.
.. [2] W. Morningstar, S. Vikram, C. Ham, A. Gallagher and J. Dillon, "Automatic differentiation
   variational inference with mixtures", AISTATS 2021.
"""

from typing import NamedTuple

import torch

from skrec._loss._divergences import kl_between_normals, log_mixture, log_normal

MIXTURE_DIVERGENCES = ("variational", "upper", "monte_carlo")
# Rounds of the upper bound. Ten mostly reach the minimum for mixtures of a few parts.
N_ROUNDS = 10


class Mixture(NamedTuple):
    """Mixtures of diagonal normal distributions: one per row, or one without the row axis.

    Parameters
    ----------
    log_weight : tensor of shape ([n_rows,] n_parts)
        Logs of weights that sum to 1.
    mean, log_variance : tensor of shape ([n_rows,] n_parts, d)
    """

    log_weight: torch.Tensor
    mean: torch.Tensor
    log_variance: torch.Tensor

    def average(self, values):
        """Mean of values of shape (n_rows, n_parts) over the parts, shape (n_rows,)."""
        return (self.log_weight.exp() * values).sum(1)


def mixture_kl(name, f, g, draws):
    """The divergence that `name` selects from `MIXTURE_DIVERGENCES`, shape (n_rows,)."""
    if name == "monte_carlo":
        return monte_carlo_kl(f, g, draws)
    return upper_bound_kl(f, g) if name == "upper" else variational_kl(f, g)


def variational_kl(f, g):
    r"""Approximate the divergence of each row; neither a lower nor an upper bound.

    .. math:: \sum_a \pi_a \log
        \frac{\sum_{a'} \pi_{a'} e^{-D(f_a \| f_{a'})}}{\sum_b \omega_b e^{-D(f_a \| g_b)}}

    It is 0 for identical mixtures, and exact where each has one part.

    Parameters
    ----------
    f : Mixture
        One for each row.
    g : Mixture
        One for all rows.

    Returns
    -------
    divergence : tensor of shape (n_rows,)
        In nats.
    """
    between = kl_between_normals(  # (n_rows, n_parts, n_parts)
        f.mean[:, :, None], f.log_variance[:, :, None], f.mean[:, None], f.log_variance[:, None]
    )
    own = torch.logsumexp(f.log_weight[:, None] - between, dim=2)
    other = torch.logsumexp(g.log_weight - _kl_to_parts(f, g), dim=2)
    return f.average(own - other)


def upper_bound_kl(f, g, *, n_rounds=N_ROUNDS):
    r"""Bound the divergence of each row from above.

    Splits the weights of both mixtures, :math:`\sum_b \phi_{ab} = \pi_a` and
    :math:`\sum_a \psi_{ab} = \omega_b`. Starts from :math:`\phi_{ab} = \pi_a \omega_b` and
    minimises over psi and phi in turns

    .. math:: \sum_{ab} \phi_{ab} \log \frac{\phi_{ab}}{\psi_{ab}}
        + \sum_{ab} \phi_{ab} D(f_a \| g_b) \ge D(f \| g)

    Any split gives a bound, and no round makes the bound worse. The result uses the best phi for
    the last psi. The gradient treats the shares psi_ab / omega_b as constants, which is right at
    a minimum.

    Parameters
    ----------
    f : Mixture
        One for each row.
    g : Mixture
        One for all rows.
    n_rounds : int, default=10
        At least 1.

    Returns
    -------
    bound : tensor of shape (n_rows,)
        In nats.
    """
    cost = _kl_to_parts(f, g)
    with torch.no_grad():
        log_phi = f.log_weight[:, :, None] + g.log_weight
        for _ in range(n_rounds - 1):
            log_psi = g.log_weight + torch.log_softmax(log_phi, dim=1)
            log_phi = f.log_weight[:, :, None] + torch.log_softmax(log_psi - cost, dim=2)
        share = torch.log_softmax(log_phi, dim=1)  # log psi_ab / omega_b
    # The minimum over phi: sum_a pi_a log(pi_a / sum_b psi_ab e^-D_ab).
    return f.average(f.log_weight - torch.logsumexp(g.log_weight + share - cost, dim=2))


def monte_carlo_kl(f, g, draws):
    r"""Estimate the divergence of each row without bias, from one draw of each part of f.

    .. math:: \sum_a \pi_a \log \frac{f(x_a)}{g(x_a)}, \qquad x_a \sim f_a

    The gradient has no bias either: all parts are drawn from, so no part is chosen by chance.

    Parameters
    ----------
    f : Mixture
        One for each row.
    g : Mixture
        One for all rows.
    draws : tensor of shape (n_rows, n_parts of f, d)
        Draw a of a row comes from part a of its f.

    Returns
    -------
    estimate : tensor of shape (n_rows,)
        In nats; may be below 0.
    """
    of_parts = log_normal(draws[:, :, None], f.mean[:, None], f.log_variance[:, None])
    log_f = torch.logsumexp(f.log_weight[:, None] + of_parts, dim=2)
    log_g = log_mixture(draws.flatten(0, 1), *g).unflatten(0, log_f.shape)
    return f.average(log_f - log_g)


def _kl_to_parts(f, g):
    """D(f_a || g_b) of each row, shape (n_rows, n_parts of f, n_parts of g)."""
    # The multiplied-out square needs matrix products only, and no tensor of four axes. In
    # bfloat16 its terms would cancel to nothing, so autocast is off.
    with torch.autocast(f.mean.device.type, enabled=False):
        precision = torch.exp(-g.log_variance)  # (n_parts of g, d)
        squares = (f.log_variance.exp() + f.mean.square()) @ precision.T
        squares = squares - 2 * f.mean @ (g.mean * precision).T
        rest = (g.mean.square() * precision + g.log_variance - 1).sum(1)
        return 0.5 * (squares + rest - f.log_variance.sum(2, keepdim=True))
