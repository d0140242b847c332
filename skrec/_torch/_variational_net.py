"""The network of the variational autoencoder."""

import torch
from torch import nn

from skrec._loss._mixture_kl import Mixture
from skrec._torch._layers import (
    ACTIVATIONS,
    Linear,
    SparseLinear,
    dense_layers,
    full_precision,
)


class VariationalNet(nn.Module):
    """n_items - h_1 - ... - h_m - (means, log variances) - h_m - ... - h_1 - n_items.

    Without hidden layers both halves are linear, n_items - (means, log variances) - n_items.

    Parameters
    ----------
    n_items : int
    hidden : tuple of int
        h_1 ... h_m of the encoder; the decoder mirrors it.
    n_components : int
        Length of the latent vector.
    activation : str
    n_parts : int, default=1
        Number of normal distributions in the encoder's mixture; 1: no mixture.
    """

    def __init__(self, n_items, hidden, n_components, activation, n_parts=1):
        super().__init__()
        self.shape = (n_parts, n_components)
        outputs, inputs = 2 * n_components, n_components  # of the encoder, of the decoder
        if n_parts > 1:
            outputs = n_parts * (outputs + 1)
        self.first = SparseLinear(n_items, hidden[0] if hidden else outputs)
        self.activation = ACTIVATIONS[activation]() if hidden else nn.Identity()
        self.encoder = dense_layers(hidden, activation)
        self.latent = Linear(hidden[-1], outputs) if hidden else nn.Identity()
        self.decoder = dense_layers((inputs, *hidden[::-1]), activation)
        self.last = Linear(hidden[0] if hidden else inputs, n_items)

    def encode(self, rows, value):
        """Mean and log variance of the latent vectors, each (n_rows, n_components)."""
        return self._latent(self.first(rows, value)).chunk(2, dim=1)

    def encode_mixture(self, rows, value):
        """`Mixture` of the latent vectors of each row, for more than one part."""
        n_parts, d = self.shape
        outputs = full_precision(self._latent(self.first(rows, value)))
        mean, log_variance, logit = outputs.split([n_parts * d, n_parts * d, n_parts], dim=1)
        log_weight = torch.log_softmax(logit, dim=1)
        return Mixture(
            log_weight, mean.unflatten(1, self.shape), log_variance.unflatten(1, self.shape)
        )

    def encode_dense(self, values):
        """`encode` for a dense tensor of shape (n_rows, n_items)."""
        return self._latent(
            values @ self.first.weight.to(values.dtype) + self.first.bias.to(values.dtype)
        ).chunk(2, dim=1)

    def _latent(self, first):
        return self.latent(self.encoder(self.activation(first)))

    def decode(self, latent):
        """Outputs of shape (n_rows, n_items)."""
        return self.last(self.decoder(latent))
