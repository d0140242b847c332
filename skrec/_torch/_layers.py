"""Layers that read sparse rows, draw from a given generator, and are initialised as papers do."""

import math

import torch
from torch import nn

from skrec._torch._products import by_column, sparse_product

ACTIVATIONS = {
    "identity": nn.Identity,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "relu": nn.ReLU,
    "selu": nn.SELU,
}


class SparseLinear(nn.Module):
    """A linear layer of sparse rows: what is zero is never touched, in its gradient neither.

    Parameters
    ----------
    n_inputs, n_outputs : int
    """

    def __init__(self, n_inputs, n_outputs):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_inputs, n_outputs))
        self.bias = nn.Parameter(torch.empty(n_outputs))

    def forward(self, rows, value, turned=None):
        """Shape (n_rows, n_outputs), of `Rows` with other values in their places.

        `turned`, the entries by column, is made here if there is none and a gradient is wanted.
        """
        if turned is None and torch.is_grad_enabled():
            turned = by_column(rows, len(self.weight))
        return sparse_product(rows, value, self.weight, turned) + self.bias


def dropped(value, rate, generator):
    """Set each value to zero with probability `rate`, and scale up the others.

    Parameters
    ----------
    value : float tensor
    rate : float
        In [0, 1).
    generator : torch.Generator or None
        On the CPU. None: nothing is dropped.
    """
    if generator is None or rate == 0:
        return value
    kept = torch.empty(value.shape, dtype=value.dtype)
    kept.bernoulli_(1 - rate, generator=generator).div_(1 - rate)
    return value * kept.to(value.device)


def standard_normal(shape, like, generator):
    """Draws of the standard normal distribution, with the dtype and device of a tensor."""
    return torch.randn(shape, dtype=like.dtype, generator=generator).to(like.device)


def unit_length(rows):
    """Values of `Rows`, divided by the L2 norm of their row."""
    zero = torch.zeros(rows.n_rows, dtype=rows.value.dtype, device=rows.value.device)
    # Squares of very small or large values would not be numbers.
    largest = zero.scatter_reduce(0, rows.row, rows.value.abs(), "amax")
    value = rows.value / largest[rows.row]
    return value / zero.index_add(0, rows.row, value.square()).sqrt()[rows.row]


def dense_layers(sizes, activation, *, last=True):
    """Linear layers from size to size, with activations after each, or all but the last."""
    layers = []
    for n_in, n_out in zip(sizes[:-1], sizes[1:], strict=True):
        layers += [nn.Linear(n_in, n_out), ACTIVATIONS[activation]()]
    return nn.Sequential(*(layers if last else layers[:-1]))


def initialise(module, generator):
    """Glorot's uniform weights, and biases from a narrow normal distribution.

    Biases are normal with standard deviation .001, truncated at two deviations, as in Liang
    et al.'s code.
    """
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name.rsplit(".", 1)[-1] == "bias":
                nn.init.trunc_normal_(parameter, std=1e-3, a=-2e-3, b=2e-3, generator=generator)
            else:
                limit = math.sqrt(6 / sum(parameter.shape[-2:]))
                parameter.uniform_(-limit, limit, generator=generator)


def full_precision(tensor):
    """The tensor; one that autocast made bfloat16 as float32, for what is no matrix product."""
    return tensor.float() if tensor.dtype == torch.bfloat16 else tensor
