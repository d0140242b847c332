"""`MultVAE` with an encoder that gives a mixture of normal distributions."""

import torch

from skrec._loss._likelihoods import layer_loss
from skrec._loss._mixture_kl import mixture_kl
from skrec._torch._layers import standard_normal, unit_length


def mixture_terms(module, rows, value, model, divergence, generator):
    """Loss of the reconstruction, and divergence, of each row; each of shape (n_rows,).

    One draw of every part is decoded, and counts with the weight of the part. So both terms and
    their gradients, the gradients of the weights included, have no bias.

    Parameters
    ----------
    module : VariationalNet
        With more than one part and a `prior`.
    rows : Rows
    value : tensor
        Values of the rows for the encoder.
    model : Multinomial, Gaussian or Logistic
    divergence : str
        One of `MIXTURE_DIVERGENCES`.
    generator : torch.Generator
    """
    posterior = module.encode_mixture(rows, value)
    noise = standard_normal(posterior.mean.shape, posterior.mean, generator)
    latent = posterior.mean + torch.exp(posterior.log_variance / 2) * noise
    losses = [layer_loss(model, module.last, module.decoder(z), rows) for z in latent.unbind(1)]
    kl = mixture_kl(divergence, posterior, module.prior.mixture(latent), latent)
    return posterior.average(torch.stack(losses, 1)), kl


def mixture_scores(module, rows, model):
    """Outputs of the mixture of the decoded means; shape (n_rows, n_items)."""
    posterior = module.encode_mixture(rows, unit_length(rows))
    outputs = (module.decode(mean) for mean in posterior.mean.unbind(1))
    return model.mixed(posterior.log_weight, outputs)


def mixture_moments(module, rows):
    """Means of the mixtures, and standard deviations, each (n_rows, n_components)."""
    log_weight, means, log_variance = module.encode_mixture(rows, unit_length(rows))
    weight = log_weight.exp()[:, :, None]
    mean = (weight * means).sum(1)
    variance = (weight * (log_variance.exp() + (means - mean[:, None]).square())).sum(1)
    return mean, variance.sqrt()


def mixture_weights(module, rows):
    """Weights of the parts, shape (n_rows, n_parts)."""
    return module.encode_mixture(rows, unit_length(rows)).log_weight.exp()
