"""The multinomial likelihood of a wide linear layer on the CPU, with the layer inside.

Outputs of shape (n_rows, n_items) are by far the largest thing in a step of training. Here
they are made once, turned into the softmax where they lie, and that into the gradient; all
but the products of matrices goes through them in blocks that stay in the processor's cache.
The products are NumPy's, whose BLAS does these shapes 1.1 to 1.6 times faster than torch's own
on the processors that were tried (AMD EPYC, docs/benchmarks/bench_mult_vae.py has the whole).
"""

import numpy as np
import torch

_BLOCK_BYTES = 2**21


class _Multinomial(torch.autograd.Function):
    """n_u logsumexp(f_u) - sum_i x_ui f_ui of f = hidden @ weight.T + bias, for each row."""

    @staticmethod
    def forward(ctx, hidden, weight, bias, row, column, value):
        outputs = _product(hidden.detach().numpy(), weight.detach().numpy().T)
        zero = torch.zeros(len(outputs), dtype=outputs.dtype)
        total = zero.index_add(0, row, value)
        hit = zero.index_add(0, row, value * (outputs[row, column] + bias[column]))
        largest, mass = torch.empty_like(zero), torch.empty_like(zero)
        for rows in _blocks(outputs):
            block = outputs[rows].add_(bias)
            torch.amax(block, 1, out=largest[rows])
            torch.sum(block.sub_(largest[rows, None]).exp_(), 1, out=mass[rows])
        ctx.save_for_backward(hidden, weight, total / mass, row, column, value)
        ctx.exponentials = outputs
        return total * (largest + mass.log()) - hit

    @staticmethod
    def backward(ctx, grad):
        hidden, weight, scale, row, column, value = ctx.saved_tensors
        slope, scale = ctx.exponentials, (grad * scale)[:, None]
        ctx.exponentials = None  # they become the gradient, once
        entry = (-value * grad[row]).split(_entries_of_blocks(slope, row))
        of_bias, start = torch.zeros_like(weight[:, 0]), 0
        for rows, of_entries in zip(_blocks(slope), entry, strict=True):
            block, some = slope[rows].mul_(scale[rows]), slice(start, start + len(of_entries))
            start = some.stop
            at = row[some] - rows.start, column[some]
            block.index_put_(at, of_entries, accumulate=True)
            of_bias += block.sum(0)
        slope = slope.numpy()
        of_hidden = _product(slope, weight.detach().numpy())
        of_weight = _product(slope.T, hidden.detach().numpy())
        return of_hidden, of_weight, of_bias, None, None, None


def _product(left, right):
    # A fit that diverges is told by its loss, once and in full.
    with np.errstate(all="ignore"):
        return torch.from_numpy(np.matmul(left, right))


def _blocks(outputs):
    """Slices of rows, each of them a block."""
    n_rows = max(1, _BLOCK_BYTES // max(1, outputs.shape[1] * outputs.element_size()))
    return [slice(at, min(at + n_rows, len(outputs))) for at in range(0, len(outputs), n_rows)]


def _entries_of_blocks(outputs, row):
    """How many entries each block has; `row` ascends."""
    ends = torch.tensor([rows.stop for rows in _blocks(outputs)])
    last = torch.searchsorted(row, ends)
    return torch.diff(last, prepend=torch.zeros(1, dtype=last.dtype)).tolist()


def multinomial_of_layer(hidden, layer, rows):
    """-log p of each row under the multinomial of a layer's outputs, on the CPU.

    Parameters
    ----------
    hidden : float tensor of shape (n_rows, d)
        On the CPU, of the layer's dtype.
    layer : torch.nn.Linear
        From d to n_items, with a bias.
    rows : Rows

    Returns
    -------
    losses : float tensor of shape (n_rows,)
        Without the multinomial coefficient. To be differentiated once.
    """
    value = rows.value.to(hidden.dtype)
    return _Multinomial.apply(hidden, layer.weight, layer.bias, rows.row, rows.column, value)
