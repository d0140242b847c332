"""Products with sparse rows; they and their gradients touch only stored entries.

torch's gradient for the weight of an ``embedding_bag`` scatters row by row. On a CPU this is much
slower than the sum over the entries sorted by column, here.
"""

from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse import csr_array
from torch.nn import functional

from skrec.utils import _device


class ByColumn(NamedTuple):
    """The entries of `Rows` in the order of their columns.

    Attributes
    ----------
    start : int64 tensor of shape (n_columns,)
        Where the entries of each column begin.
    row : int64 tensor of shape (n_entries,)
    order : int64 tensor of shape (n_entries,)
        Places of these entries among the entries of the rows.
    """

    start: torch.Tensor
    row: torch.Tensor
    order: torch.Tensor


def by_column(rows, n_columns):
    """Sort the entries of `Rows` by column, as `ByColumn`."""
    if not _device.apart(rows.column.device):  # counting, not comparing
        first = np.append(rows.start.numpy(), len(rows.column))
        entries = (np.arange(len(rows.column)), rows.column.numpy(), first)
        turned = csr_array(entries, shape=(rows.n_rows, n_columns)).tocsc()
        parts = (turned.indptr[:-1], turned.indices, turned.data)
        return ByColumn(*(torch.from_numpy(part.astype(np.int64)) for part in parts))
    column, order = torch.sort(rows.column, stable=True)
    # Not bincount, since the host would wait for it.
    start = torch.searchsorted(column, torch.arange(n_columns, device=column.device))
    return ByColumn(start, rows.row[order], order)


def _bags(index, start, weight, value):
    """Sums of rows of `weight`: shape (len(start), weight.shape[1])."""
    return functional.embedding_bag(
        index, weight, start, mode="sum", per_sample_weights=value.to(weight.dtype)
    )


def row_sums(rows):
    """Sums of the values of `Rows`, shape (n_rows,), in the order of the entries on any device."""
    entry = torch.arange(len(rows.value), device=rows.value.device)
    return _bags(entry, rows.start, rows.value[:, None], torch.ones_like(rows.value))[:, 0]


class _SparseProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weight, value, column, start, turned):
        ctx.save_for_backward(value, *turned)
        return _bags(column, start, weight, value)

    @staticmethod
    def backward(ctx, grad):
        value, start, row, order = ctx.saved_tensors
        return _bags(row, start, grad.contiguous(), value[order]), None, None, None, None


class _ObservedProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx, hidden, weight, row, column, first, turned):
        ctx.save_for_backward(hidden, weight, column, first, *turned)
        return (hidden @ weight.t())[row, column].to(weight.dtype)

    @staticmethod
    def backward(ctx, grad):
        hidden, weight, column, first, start, row, order = ctx.saved_tensors
        of_hidden = _bags(column, first, weight, grad)
        of_weight = _bags(row, start, hidden, grad[order])
        return of_hidden, of_weight, None, None, None, None


def sparse_product(rows, value, weight, turned):
    """``X @ weight`` of the rows X with other values in their places.

    Parameters
    ----------
    rows : Rows
    value : float tensor of shape (n_entries,)
        No gradient flows to it.
    weight : float tensor of shape (n_columns, d)
    turned : ByColumn or None
        None: no gradient is needed.

    Returns
    -------
    product : float tensor of shape (n_rows, d)
    """
    if turned is None:
        return _bags(rows.column, rows.start, weight, value)
    return _SparseProduct.apply(weight, value, rows.column, rows.start, turned)


def observed_product(rows, hidden, weight, turned):
    """``hidden @ weight.T`` at the entries of the rows.

    Parameters
    ----------
    rows : Rows
    hidden : float tensor of shape (n_rows, d)
    weight : float tensor of shape (n_columns, d)
    turned : ByColumn

    Returns
    -------
    outputs : float tensor of shape (n_entries,)
    """
    hidden = hidden.to(weight.dtype)
    return _ObservedProduct.apply(hidden, weight, rows.row, rows.column, rows.start, turned)
