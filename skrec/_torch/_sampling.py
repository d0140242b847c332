"""Negative items for batches of rows, and outputs at some entries only."""

from typing import NamedTuple

import torch
from torch.nn import functional

from skrec._torch._products import _bags, by_column
from skrec.utils import _device

# Entries whose vectors are gathered at once: few enough to stay in a processor's cache.
_N_GATHERED = 2**14
# The same on a GPU: many at once.
_N_GATHERED_APART = 2**20


class Entries(NamedTuple):
    """Observed entries of rows; in each row, its negatives follow.

    Attributes
    ----------
    start : int64 tensor of shape (n_rows,)
        Where the entries of each row begin.
    row : int64 tensor of shape (n_entries,)
        Ascending.
    column : int64 tensor of shape (n_entries,)
    target : float tensor of shape (n_entries,)
        1 for observed entries, 0 for negatives.
    weight : float tensor of shape (n_entries,) or None
        0 for the negatives of rows that have every item, since they have no real ones; None: no
        such rows.
    """

    start: torch.Tensor
    row: torch.Tensor
    column: torch.Tensor
    target: torch.Tensor
    weight: torch.Tensor | None = None

    @property
    def n_rows(self):
        """Number of rows."""
        return len(self.start)


def negatives(rows, n_columns, n_negatives, generator):
    """Items drawn uniformly, with replacement, among those that a row does not have.

    Parameters
    ----------
    rows : Rows
        Rows of a canonical matrix.
    n_columns : int
    n_negatives : int
        Draws for each entry of a row; none for a row that has every item.
    generator : torch.Generator

    Returns
    -------
    row, column : int64 tensor of shape (n_draws,)
        `row` ascends. On a GPU rows that have every item get draws, too: any items.
    """
    device, n_entries = rows.column.device, len(rows.row)
    left = n_columns - _lengths(rows)
    if _device.apart(device):  # the largest number, which the host knows without waiting
        row = rows.row.repeat_interleave(int(n_negatives))
    else:
        row = torch.repeat_interleave((n_columns - left) * n_negatives * (left > 0))
    uniform = torch.rand(
        len(row), dtype=torch.float64, generator=generator, device=generator.device
    ).to(device)
    place = (uniform * left[row]).long()  # among the items that are left, in their order
    # Below the k-th item c_k of a row, c_k - k items are left, so as many of the row's items
    # stand before the place as have c_k - k <= place. Keys of later rows are larger.
    rank = torch.arange(n_entries, device=device) - rows.start[rows.row]
    key = rows.row * (n_columns + 1) + rows.column - rank
    before = torch.searchsorted(key, row * (n_columns + 1) + place, right=True)
    column = place + before - rows.start[row]
    return row, column.clamp_(max=n_columns - 1) if _device.apart(device) else column


def _lengths(rows):
    """Numbers of entries of the rows."""
    return functional.pad(rows.start, (0, 1), value=len(rows.row)).diff()


def with_negatives(rows, n_columns, n_negatives, generator):
    """The entries of `Rows` and negatives drawn for them, as `Entries`; see `negatives`."""
    device = rows.column.device
    row, column = negatives(rows, n_columns, n_negatives, generator)
    length, weight = _lengths(rows), None
    if _device.apart(device):
        first_drawn = rows.start * n_negatives
    else:
        drawn = torch.bincount(row, minlength=rows.n_rows)
        first_drawn = drawn.cumsum(0) - drawn
    # Observed entries move by the draws before their row, draws by the entries up to theirs.
    place = torch.arange(len(rows.row), device=device) + first_drawn[rows.row]
    other = torch.arange(len(row), device=device) + (rows.start + length)[row]
    n_entries = len(place) + len(other)
    all_rows = torch.empty(n_entries, dtype=torch.int64, device=device)
    all_columns, target = torch.empty_like(all_rows), torch.zeros(n_entries, device=device)
    all_rows[place], all_rows[other] = rows.row, row
    all_columns[place], all_columns[other] = rows.column, column
    target[place] = 1
    if _device.apart(device):
        weight = torch.maximum(target, (length < n_columns)[all_rows].to(target.dtype))
    return Entries(rows.start + first_drawn, all_rows, all_columns, target, weight)


class _SampledOutputs(torch.autograd.Function):
    @staticmethod
    def forward(ctx, hidden, weight, bias, row, column, start, turned):
        ctx.save_for_backward(hidden, weight, row, column, start, *turned)
        some = _N_GATHERED if not _device.apart(row.device) else _N_GATHERED_APART
        outputs = [
            (hidden.index_select(0, r) * weight.index_select(0, c)).sum(1)
            for r, c in zip(row.split(some), column.split(some), strict=True)
        ]
        return torch.cat(outputs) + bias[column]

    @staticmethod
    def backward(ctx, grad):
        hidden, weight, _, column, start, first, turned_row, order = ctx.saved_tensors
        grad = grad.contiguous()
        if _device.apart(grad.device):  # index_add_ would add in any order
            of_bias = _bags(order, first, grad[:, None], torch.ones_like(grad))[:, 0]
        else:
            of_bias = torch.zeros(len(weight), dtype=grad.dtype, device=grad.device)
            of_bias.index_add_(0, column, grad)
        of_hidden = _bags(column, start, weight, grad)
        of_weight = _bags(turned_row, first, hidden, grad[order])
        return of_hidden, of_weight, of_bias, None, None, None, None


def sampled_outputs(entries, hidden, weight, bias):
    """``hidden @ weight.T + bias`` at the entries only.

    Parameters
    ----------
    entries : Entries
    hidden : float tensor of shape (n_rows, d)
    weight : float tensor of shape (n_columns, d)
    bias : float tensor of shape (n_columns,)

    Returns
    -------
    outputs : float tensor of shape (n_entries,)
    """
    turned = by_column(entries, len(weight))
    return _SampledOutputs.apply(
        hidden, weight, bias, entries.row, entries.column, entries.start, turned
    )
