"""The network of RecVAE: a deep encoder whose layers add up all layers before them."""

import copy
import math

import torch
from torch import nn
from torch.nn import functional

from skrec._torch._layers import Linear, SparseLinear

# As in the authors' code: it keeps the normalisation from amplifying tiny differences.
_EPSILON = 0.1


class ResidualEncoder(nn.Module):
    """Means and log variances of latent vectors, by layers of one width.

    Layer l is ``norm(swish(W_l h_{l-1} + b_l + h_1 + ... + h_{l-1}))``, where `norm` is a layer
    normalisation. The first layer reads the row and adds up nothing.

    Parameters
    ----------
    n_items : int
    hidden : tuple of int
        Widths of the layers, all equal.
    n_components : int
    """

    def __init__(self, n_items, hidden, n_components):
        super().__init__()
        self.first = SparseLinear(n_items, hidden[0])
        self.layers = nn.ModuleList([Linear(width, width) for width in hidden[1:]])
        self.norms = nn.ModuleList([nn.LayerNorm(width, eps=_EPSILON) for width in hidden])
        self.latent = Linear(hidden[0], 2 * n_components)

    def forward(self, rows, value):
        """Mean and log variance, each (n_rows, n_components)."""
        hidden = self.norms[0](functional.silu(self.first(rows, value)))
        total = hidden
        for layer, norm in zip(self.layers, self.norms[1:], strict=True):
            hidden = norm(functional.silu(layer(hidden) + total))
            total = total + hidden
        return self.latent(hidden).chunk(2, dim=1)


class RecVAENet(nn.Module):
    """A `ResidualEncoder` and a linear decoder.

    Parameters
    ----------
    n_items, hidden, n_components :
        See `ResidualEncoder`.
    """

    def __init__(self, n_items, hidden, n_components):
        super().__init__()
        self.encoder = ResidualEncoder(n_items, hidden, n_components)
        self.decoder = Linear(n_components, n_items)
        # In a list, so it is not part of the module's state; see `remember`.
        self._old = []

    def remember(self):
        """Keep the encoder as it is now, for the prior."""
        self._old[:] = [copy.deepcopy(self.encoder).requires_grad_(False)]

    def old_encoder(self, rows, value):
        """The remembered encoder's distributions."""
        return self._old[0](rows, value)

    def learn_only(self, part):
        """Let the "encoder" or the "decoder" learn, and freeze the other."""
        self.encoder.requires_grad_(part == "encoder")
        self.decoder.requires_grad_(part == "decoder")


def initialise_by_inputs(module, generator):
    """Draw weights and biases uniformly up to ``1 / sqrt(n_inputs)``; normalisations start at 1."""
    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, nn.LayerNorm):
                part.weight.fill_(1)
                part.bias.zero_()
            elif isinstance(part, SparseLinear | nn.Linear):
                wide = part.weight.shape[0 if isinstance(part, SparseLinear) else 1]
                for parameter in (part.weight, part.bias):
                    parameter.uniform_(
                        -1 / math.sqrt(wide), 1 / math.sqrt(wide), generator=generator
                    )
