"""The multinomial likelihood of a wide linear layer on the CPU, with the layer inside.

The outputs, of shape (n_rows, n_items), are by far the largest array of a training step. This
module computes them once. The softmax overwrites them, and the gradient overwrites the softmax,
in blocks that stay in the processor's cache. Matrix products take a few hundred items at a time:
on the processors that were tried, torch's BLAS is faster so than with all items at once
(docs/benchmarks/bench_mult_vae.py measures a whole epoch).
"""

import torch

_BLOCK_BYTES = 2**21
_N_ITEMS = 512


class _Multinomial(torch.autograd.Function):
    """n_u logsumexp(f_u) - sum_i x_ui f_ui of f = hidden @ weight.T + bias, for each row."""

    @staticmethod
    def forward(ctx, hidden, weight, bias, row, column, value):
        outputs, largest = _outputs(hidden, weight, bias)
        zero = torch.zeros_like(largest)
        total = zero.index_add(0, row, value)
        hit = zero.index_add(0, row, value * outputs[row, column])
        mass = torch.empty_like(zero)
        for rows in _blocks(outputs):
            torch.sum(outputs[rows].sub_(largest[rows, None]).exp_(), 1, out=mass[rows])
        ctx.save_for_backward(hidden, weight, total / mass, row, column, value)
        ctx.exponentials = outputs
        return total * (largest + mass.log()) - hit

    @staticmethod
    def backward(ctx, grad):
        hidden, weight, scale, row, column, value = ctx.saved_tensors
        slope, scale = ctx.exponentials, (grad * scale)[:, None]
        ctx.exponentials = None  # the gradient overwrites them
        entry = (-value * grad[row]).split(_entries_of_blocks(slope, row))
        of_bias, start = torch.zeros_like(weight[:, 0]), 0
        for rows, of_entries in zip(_blocks(slope), entry, strict=True):
            block, some = slope[rows].mul_(scale[rows]), slice(start, start + len(of_entries))
            start = some.stop
            at = row[some] - rows.start, column[some]
            block.index_put_(at, of_entries, accumulate=True)
            of_bias += block.sum(0)
        of_hidden = slope @ weight if ctx.needs_input_grad[0] else None
        if not ctx.needs_input_grad[1]:  # the layer is frozen
            return of_hidden, None, of_bias, None, None, None
        of_weight = torch.empty_like(weight)
        for items in _item_blocks(weight):
            torch.mm(slope[:, items].t(), hidden, out=of_weight[items])
        return of_hidden, of_weight, of_bias, None, None, None


def _outputs(hidden, weight, bias):
    """The outputs, and the largest of each row."""
    outputs = torch.empty(len(hidden), len(weight), dtype=hidden.dtype)
    largest = torch.full_like(outputs[:, 0], -torch.inf)
    for items in _item_blocks(weight):
        block = torch.addmm(bias[items], hidden, weight[items].t())
        outputs[:, items] = block
        # NaN stays NaN here, and then shows in the loss.
        largest = torch.maximum(largest, block.amax(1))
    return outputs, largest


def _item_blocks(weight):
    return [slice(at, at + _N_ITEMS) for at in range(0, len(weight), _N_ITEMS)]


def _blocks(outputs):
    """Slices of rows, one for each block."""
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
        On the CPU, in the layer's dtype.
    layer : torch.nn.Linear
        From d to n_items, with a bias.
    rows : Rows

    Returns
    -------
    losses : float tensor of shape (n_rows,)
        Without the multinomial coefficient. Can be differentiated only once.
    """
    value = rows.value.to(hidden.dtype)
    return _Multinomial.apply(hidden, layer.weight, layer.bias, rows.row, rows.column, value)
