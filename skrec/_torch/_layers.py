"""Layers that read sparse rows, draw from a given generator, and start as in the papers."""

import math

import torch
from torch import nn
from torch.nn import functional

from skrec._loss._scattered import goes_dense, scattered
from skrec._torch._products import by_column, sparse_product
from skrec.utils._products import FEW_ROWS, rows_product

# From this many weights on, row-by-row products beat torch's for a few rows, in float32, too.
_LARGE = 1 << 20

ACTIVATIONS = {
    "identity": nn.Identity,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "relu": nn.ReLU,
    "selu": nn.SELU,
}


class NarrowWeight:
    """A layer that scores float64 rows with a float32 `weight`; place it left of the module.

    Products are summed in float64, which loses nothing of a float32 weight. To convert the weights
    of a catalogue to float64 takes twenty times as long as to score one row.
    """

    # A network that reads the weight itself sets this to False.
    keeps_narrow = True
    _wide = None

    def _mixes(self, value):
        return value.dtype == torch.float64 and self.weight.dtype == torch.float32

    def _wide_weight(self):
        if self._wide is None:  # kept, since the layer lives only for one call
            self._wide = self.weight.detach().double()
        return self._wide


def narrow_weights(module):
    """Names of the weights in a module's state that may stay float32."""
    layers = module.named_modules()
    return {f"{name}.weight" for name, layer in layers if getattr(layer, "keeps_narrow", False)}


class Linear(NarrowWeight, nn.Linear):
    """torch's linear layer; products of a few rows to score are computed row by row.

    Parameters
    ----------
    n_inputs, n_outputs : int
    """

    def reset_parameters(self):
        """Draw the first weights, unless they have no memory (meta device)."""
        if not self.weight.is_meta:
            super().reset_parameters()

    def forward(self, value):
        """Shape (..., n_outputs)."""
        mixes = self._mixes(value)
        if self._has_few(value) and (mixes or self.is_large):
            table = self.weight.detach().numpy()
            outputs = rows_product(value.numpy(), table, n_jobs=torch.get_num_threads())
            return torch.from_numpy(outputs) + self.bias
        if mixes:
            return functional.linear(value, self._wide_weight(), self.bias)
        return super().forward(value)

    @property
    def is_large(self):
        """Whether the products of a few rows are computed row by row, in float32 too."""
        return self.weight.numel() > _LARGE

    def _has_few(self, value):
        """Whether `value` holds a few rows that are scored on the CPU."""
        few = value.dim() == 2 and len(value) <= FEW_ROWS and value.device.type == "cpu"
        exact = value.dtype in (torch.float32, torch.float64)
        return few and exact and torch.is_inference_mode_enabled()


# With fewer outputs, to read the entries alone is faster than to make rows dense.
_DENSE_OUTPUTS = 4


class SparseLinear(NarrowWeight, nn.Module):
    """A linear layer of sparse rows; neither it nor its gradient touches zeros.

    Parameters
    ----------
    n_inputs, n_outputs : int
    """

    def __init__(self, n_inputs, n_outputs):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_inputs, n_outputs))
        self.bias = nn.Parameter(torch.empty(n_outputs))

    def forward(self, rows, value, turned=None):
        """Outputs of shape (n_rows, n_outputs), for `Rows` with other values.

        `turned` are the entries by column; made here if it is None and a gradient is needed.
        """
        if self.weight.shape[1] >= _DENSE_OUTPUTS and goes_dense(rows, len(self.weight)):
            return torch.addmm(self.bias, scattered(rows, value, len(self.weight)), self.weight)
        if turned is None and torch.is_grad_enabled():
            turned = by_column(rows, len(self.weight))
        weight = self.weight
        if self._mixes(value):
            if turned is None and len(value) < len(weight) // 8:  # the weights of the entries alone
                weight = weight[rows.column].double()
                rows = rows._replace(column=torch.arange(len(value)))
            else:
                weight = self._wide_weight()
        return sparse_product(rows, value, weight, turned) + self.bias


def dropped(value, rate, generator):
    """Set each value to zero with probability `rate`, and scale up the others.

    Parameters
    ----------
    value : float tensor
    rate : float
        In [0, 1).
    generator : torch.Generator or None
        None: nothing is dropped.
    """
    if generator is None or rate == 0:
        return value
    kept = torch.empty(value.shape, dtype=value.dtype, device=generator.device)
    kept.bernoulli_(1 - rate, generator=generator).div_(1 - rate)
    return value * kept.to(value.device)


def standard_normal(shape, like, generator):
    """Draws of the standard normal distribution, with the dtype and device of a tensor."""
    place = generator.device
    return torch.randn(shape, dtype=like.dtype, generator=generator, device=place).to(like.device)


def unit_length(rows):
    """Values of `Rows`, each divided by the L2 norm of its row."""
    if rows.unit is not None:
        return rows.unit
    zero = torch.zeros(rows.n_rows, dtype=rows.value.dtype, device=rows.value.device)
    # Squares of very small or large values would vanish or overflow.
    largest = zero.scatter_reduce(0, rows.row, rows.value.abs(), "amax")
    value = rows.value / largest[rows.row]
    return value / zero.index_add(0, rows.row, value.square()).sqrt()[rows.row]


def dense_layers(sizes, activation, *, last=True):
    """Linear layers from size to size, with activations after each, or after all but the last."""
    layers = []
    for n_in, n_out in zip(sizes[:-1], sizes[1:], strict=True):
        layers += [Linear(n_in, n_out), ACTIVATIONS[activation]()]
    return nn.Sequential(*(layers if last else layers[:-1]))


def initialise(module, generator):
    """Draw Glorot's uniform weights, and biases from a narrow normal distribution.

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
    """The tensor, as float32 if autocast made it bfloat16: only matrix products use bfloat16."""
    return tensor.float() if tensor.dtype == torch.bfloat16 else tensor
