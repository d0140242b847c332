"""The network of the rating autoencoders, and their loss."""

import torch
from torch import nn
from torch.nn import functional

from skrec._torch._layers import ACTIVATIONS, SparseLinear, dropped, standard_normal
from skrec._torch._products import by_column, observed_product


class DecoderLayer(nn.Module):
    """A linear layer with its own weight, or with only a bias and an encoder's weight.

    Parameters
    ----------
    n_inputs, n_outputs : int
    tied : bool
    """

    def __init__(self, n_inputs, n_outputs, tied):
        super().__init__()
        weight = None if tied else nn.Parameter(torch.empty(n_outputs, n_inputs))
        self.register_parameter("weight", weight)
        self.bias = nn.Parameter(torch.empty(n_outputs))


class StackedNet(nn.Module):
    """n_columns - h_1 - ... - h_m - ... - h_1 - n_columns, with activations except at the end.

    Parameters
    ----------
    n_columns : int
    hidden : tuple of int
        h_1 ... h_m; the decoder mirrors the encoder.
    activation : str
    tied : bool, default=False
        Whether the decoder's weights are the encoder's, transposed.

    Attributes
    ----------
    center : float tensor of shape (n_columns,)
        Subtracted from the values of each column before the network reads them.
    """

    def __init__(self, n_columns, hidden, activation, *, tied=False):
        super().__init__()
        self.activation = ACTIVATIONS[activation]()
        pairs = list(zip(hidden[:-1], hidden[1:], strict=True))
        self.register_buffer("center", torch.zeros(n_columns))
        self.first = SparseLinear(n_columns, hidden[0])
        self.first.keeps_narrow = False  # the decoder may read its weight
        self.encoder = nn.ModuleList([nn.Linear(n, m) for n, m in pairs])
        self.decoder = nn.ModuleList([DecoderLayer(m, n, tied) for n, m in reversed(pairs)])
        self.decoder.append(DecoderLayer(hidden[0], n_columns, tied))

    def inputs(self, rows):
        """The values that the network reads from `Rows`, shape (n_entries,)."""
        return rows.value - self.center[rows.column]

    def decoder_weight(self, layer):
        """Weight of a layer of the decoder, counted from 0, shape (n_outputs, n_inputs)."""
        own = self.decoder[layer].weight
        if own is not None:
            return own
        level = len(self.decoder) - 1 - layer
        return self.encoder[level - 1].weight.t() if level else self.first.weight

    def encode(self, rows, value, turned=None, *, depth=None):
        """The innermost layer, shape (n_rows, h_m), or the layer at `depth`, counted from 1."""
        code = self.first_code(rows, value, turned)
        for layer in self.encoder[: None if depth is None else depth - 1]:
            code = self.activation(layer(code))
        return code

    def first_code(self, rows, value, turned=None):
        """The first hidden layer, shape (n_rows, h_1); `turned` serves its gradient."""
        return self.activation(self.first(rows, value, turned))

    def unfold(self, code):
        """The last hidden layer from the innermost one, shape (n_rows, h_1)."""
        for layer in range(len(self.decoder) - 1):
            weight, bias = self.decoder_weight(layer), self.decoder[layer].bias
            code = self.activation(functional.linear(code, weight, bias))
        return code

    def outputs(self, hidden):
        """Outputs of shape (n_rows, n_columns), from the last hidden layer."""
        weight = self.decoder_weight(len(self.decoder) - 1)
        return functional.linear(hidden, weight, self.decoder[-1].bias)

    def forward(self, rows, value):
        """Outputs of shape (n_rows, n_columns)."""
        return self.outputs(self.unfold(self.encode(rows, value)))

    def observed(self, rows, value):
        """Outputs at the entries of the rows only, shape (n_entries,)."""
        turned = by_column(rows, len(self.first.weight))
        return self.outputs_at(rows, self.unfold(self.encode(rows, value, turned)), turned)

    def outputs_at(self, rows, hidden, turned):
        """Outputs at the entries of the rows, from the last hidden layer."""
        weight = self.decoder_weight(len(self.decoder) - 1)
        product = observed_product(rows, hidden, weight, turned)
        return product + self.decoder[-1].bias[rows.column]


def masked_squares(outputs, rows, weight):
    """Sum of weighted squared errors over the entries, divided by the number of rows.

    Parameters
    ----------
    outputs : float tensor of shape (n_entries,)
    rows : Rows
    weight : float tensor of shape (n_entries,)
    """
    return (weight * (outputs.float() - rows.value).square()).sum() / rows.n_rows


def corrupted(value, corruption, level, generator):
    """Values with noise: "mask" zeroes some and scales up the others, "gaussian" adds noise."""
    if corruption == "mask":
        return dropped(value, level, generator)
    if corruption == "gaussian":
        return value + level * standard_normal(value.shape, value, generator)
    return value
