"""Sums of vectors by field, pairs and linear terms of rows, in one pass over their entries.

On a CPU a kernel goes from row to row, forward and backward. The same computation in torch sorts
the entries by column for the gradients and writes each intermediate result to memory: an epoch of
DeepFM took twice as long.
"""

import numpy as np
import torch

from skrec.utils._parallel import plain_interrupts


def field_sums(rows, field, n_fields, linear, vectors, *, pairs):
    """Linear terms with the pairs of fields, and the sums of vectors in each field; on a CPU.

    Parameters
    ----------
    rows : Rows
    field : int64 tensor of shape (n_columns,)
        Field of each column.
    n_fields : int
    linear : float tensor of shape (n_columns, n_outputs)
    vectors : float tensor of shape (n_columns, width)
    pairs : bool
        Whether to add up the products of two fields' sums; each output then has
        ``width // n_outputs`` columns of `vectors`.

    Returns
    -------
    out : float tensor of shape (n_rows, n_outputs)
    sums : float tensor of shape (n_rows, n_fields, width)
    """
    first = torch.from_numpy(np.append(rows.start.numpy(), len(rows.column)))
    return _FieldSums.apply(linear, vectors, first, rows.column, rows.value, field, n_fields, pairs)


class _FieldSums(torch.autograd.Function):
    @staticmethod
    def forward(ctx, linear, vectors, first, column, value, field, n_fields, pairs):
        from skrec._torch import _field_kernels

        out = linear.new_empty(len(first) - 1, linear.shape[1])
        sums = vectors.new_empty(len(out), n_fields, vectors.shape[1])
        value = value.to(vectors.dtype)
        entries = _entries(first, column, value, field)
        weights = [part.detach().contiguous().numpy() for part in (linear, vectors)]
        with plain_interrupts():
            _field_kernels.add_fields(*entries, *weights, pairs, out.numpy(), sums.numpy())
        ctx.save_for_backward(first, column, value, field, sums)
        ctx.pairs, ctx.n_columns = pairs, len(linear)
        return out, sums

    @staticmethod
    def backward(ctx, of_out, of_sums):
        from skrec._torch import _field_kernels

        first, column, value, field, sums = ctx.saved_tensors
        gradients = [part.new_zeros(ctx.n_columns, part.shape[-1]) for part in (of_out, of_sums)]
        with plain_interrupts():
            _field_kernels.add_field_gradients(
                *_entries(first, column, value, field),
                sums.detach().numpy(),
                ctx.pairs,
                tuple(part.contiguous().numpy() for part in (of_out, of_sums)),
                tuple(part.numpy() for part in gradients),
            )
        return (*gradients, *[None] * 6)


def _entries(first, column, value, field):
    """Arrays of the entries. Indices are unsigned, so kernels need no test for negative ones."""
    first, column, field = (part.numpy().view(np.uint64) for part in (first, column, field))
    return first, column, value.numpy(), field
