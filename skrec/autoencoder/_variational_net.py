"""The network of the variational autoencoder."""

import torch
from torch import nn

from skrec._torch._layers import ACTIVATIONS, SparseLinear, dense_layers


class VariationalNet(nn.Module):
    """n_items - h_1 - ... - h_m - (mean, log variance) - h_m - ... - h_1 - n_items.

    Without hidden layers both halves are linear, n_items - (mean, log variance) - n_items.

    Parameters
    ----------
    n_items : int
    hidden : tuple of int
        h_1 ... h_m of the encoder; the decoder mirrors it.
    n_components : int
        Length of the latent vector.
    activation : str
    """

    def __init__(self, n_items, hidden, n_components, activation):
        super().__init__()
        outputs, inputs = 2 * n_components, n_components  # of the encoder, of the decoder
        self.first = SparseLinear(n_items, hidden[0] if hidden else outputs)
        self.activation = ACTIVATIONS[activation]() if hidden else nn.Identity()
        self.encoder = dense_layers(hidden, activation)
        self.latent = nn.Linear(hidden[-1], outputs) if hidden else nn.Identity()
        self.decoder = dense_layers((inputs, *hidden[::-1]), activation)
        self.last = nn.Linear(hidden[0] if hidden else inputs, n_items)

    def encode(self, rows, value):
        """Mean and log variance of the latent vectors, each (n_rows, n_components)."""
        return self._latent(self.first(rows, value))

    def encode_dense(self, values):
        """The same of a tensor of shape (n_rows, n_items)."""
        return self._latent(values @ self.first.weight + self.first.bias)

    def _latent(self, first):
        return self.latent(self.encoder(self.activation(first))).chunk(2, dim=1)

    def decode(self, latent):
        """Outputs of shape (n_rows, n_items)."""
        return self.last(self.decoder(latent))


def full_precision(tensor):
    """The tensor; one that autocast made bfloat16 as float32, for what is no matrix product."""
    return tensor.float() if tensor.dtype == torch.bfloat16 else tensor
