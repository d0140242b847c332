"""Priors of a latent vector: fixed, a learned mixture, the mixture of posteriors.

A prior computes the divergence of encoded rows from it, and makes draws. Both functions get
``encode(values)``, which encodes dense rows, since one of the priors needs it.
"""

import math

import torch
from torch import nn
from torch.nn import functional

from skrec._loss._divergences import kl_to_standard_normal, log_mixture, log_normal
from skrec._loss._mixture_kl import Mixture
from skrec._torch._layers import standard_normal

# Log variance of the composite prior's wide part.
_WIDE_LOG_VARIANCE = 10.0

PRIORS = ("standard", "gaussian_mixture", "vamp")


class StandardPrior(nn.Module):
    """N(0, I): it learns nothing, and its divergence has a closed form."""

    def initialise(self, generator):
        """Draws nothing."""

    def mixture(self, latent):
        """The prior as a `Mixture` of one part, with the dtype and device of `latent`."""
        zero = latent.new_zeros((1, latent.shape[-1]))
        return Mixture(zero[:, 0], zero, zero)

    def divergence(self, latent, mean, log_variance, encode):
        """KL(q(z|x) || p(z)) of each row, shape (n_rows,); it does not read the drawn z."""
        return kl_to_standard_normal(mean, log_variance)

    def sample(self, n_draws, latent, encode, generator):
        """Draws of shape (n_draws, n_components), on the device of `latent`."""
        return standard_normal((n_draws, latent.shape[1]), latent, generator)


class MixturePrior(nn.Module):
    """Mixture of normal distributions with learned weights, means and diagonal variances.

    Parameters
    ----------
    n_parts : int
    n_components : int
        Length d of the latent vector.
    """

    def __init__(self, n_parts, n_components):
        super().__init__()
        self.logit = nn.Parameter(torch.empty(n_parts))
        self.mean = nn.Parameter(torch.empty(n_parts, n_components))
        self.log_variance = nn.Parameter(torch.empty(n_parts, n_components))

    def initialise(self, generator):
        """Equal weights, unit variances, means at a distance of about 2 from 0."""
        with torch.no_grad():
            self.logit.zero_()
            self.mean.normal_(generator=generator).mul_(2 / math.sqrt(self.mean.shape[1]))
            self.log_variance.zero_()

    def mixture(self, latent):
        """The prior as a `Mixture`."""
        return Mixture(torch.log_softmax(self.logit, 0), self.mean, self.log_variance)

    def divergence(self, latent, mean, log_variance, encode):
        """log q(z|x) - log p(z) at the drawn z of each row, shape (n_rows,)."""
        return log_normal(latent, mean, log_variance) - log_mixture(latent, *self.mixture(latent))

    def sample(self, n_draws, latent, encode, generator):
        """Draws of shape (n_draws, n_components), on the device of `latent`."""
        return _draw(n_draws, self.mixture(latent), generator)


class VampPrior(nn.Module):
    """Mixture, with equal weights, of the posteriors of learned pseudo-rows [1]_.

    A pseudo-row is a dense row: the softplus of its parameters, scaled to length 1. So it is
    positive and has the length of users' rows.

    Parameters
    ----------
    n_parts : int
        Number of pseudo-rows.
    n_items : int

    References
    ----------
    .. [1] J. M. Tomczak and M. Welling, "VAE with a VampPrior", AISTATS 2018.
    """

    def __init__(self, n_parts, n_items):
        super().__init__()
        self.pseudo_row = nn.Parameter(torch.empty(n_parts, n_items))

    def initialise(self, generator):
        """Standard normal."""
        with torch.no_grad():
            self.pseudo_row.normal_(generator=generator)

    def _parts(self, encode):
        values = functional.normalize(functional.softplus(self.pseudo_row), dim=1)
        mean, log_variance = encode(values)
        n_parts = len(values)
        log_weight = torch.full((n_parts,), -math.log(n_parts), device=values.device)
        return log_weight.to(values.dtype), mean.to(values.dtype), log_variance.to(values.dtype)

    def divergence(self, latent, mean, log_variance, encode):
        """log q(z|x) - log p(z) at the drawn z of each row, shape (n_rows,)."""
        return log_normal(latent, mean, log_variance) - log_mixture(latent, *self._parts(encode))

    def sample(self, n_draws, latent, encode, generator):
        """Draws of shape (n_draws, n_components), on the device of `latent`."""
        return _draw(n_draws, self._parts(encode), generator)


def composite_divergence(latent, mean, log_variance, old_mean, old_log_variance, weights):
    """log q(z|x) - log p(z|x) at the drawn z; p is the composite prior of RecVAE [1]_.

    Parameters
    ----------
    latent, mean, log_variance : tensor of shape (n_rows, d)
        The drawn z, and the encoder's distribution.
    old_mean, old_log_variance : tensor of shape (n_rows, d)
        The distribution of an earlier encoder.
    weights : sequence of float of length 3
        Weights of N(0, I), the earlier encoder's distribution, and N(0, exp(10) I); any sum > 0.

    Returns
    -------
    divergence : tensor of shape (n_rows,)

    References
    ----------
    .. [1] I. Shenbin, A. Alekseev, E. Tutubalina, V. Malykh and S. I. Nikolenko, "RecVAE",
       WSDM 2020.
    """
    zero = torch.zeros_like(mean)
    parts = (zero, zero), (old_mean, old_log_variance), (zero, zero + _WIDE_LOG_VARIANCE)
    densities = [
        math.log(weight / sum(weights)) + log_normal(latent, *part)
        for weight, part in zip(weights, parts, strict=True)
        if weight > 0
    ]
    return log_normal(latent, mean, log_variance) - torch.logsumexp(torch.stack(densities), 0)


def _draw(n_draws, parts, generator):
    log_weight, mean, log_variance = parts
    weight = log_weight.detach().exp().to(generator.device)
    part = torch.multinomial(weight, n_draws, replacement=True, generator=generator)
    part = part.to(mean.device)
    noise = standard_normal((n_draws, mean.shape[1]), mean, generator)
    return mean[part] + torch.exp(log_variance[part] / 2) * noise


def make_prior(name, n_parts, n_components, n_items):
    """The prior that `name` selects from `PRIORS`, before its parameters are drawn."""
    if name == "gaussian_mixture":
        return MixturePrior(n_parts, n_components)
    return VampPrior(n_parts, n_items) if name == "vamp" else StandardPrior()
