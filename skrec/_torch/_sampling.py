"""Negative items for batches of rows, and outputs at some entries only."""

from typing import NamedTuple

import torch

from skrec._torch._products import _bags, by_column

# Entries whose vectors are gathered at once: few enough to stay in a processor's cache.
_N_GATHERED = 2**14


class Entries(NamedTuple):
    """Observed entries of rows, in each row followed by its negatives.

    Attributes
    ----------
    start : int64 tensor of shape (n_rows,)
        Where the entries of each row begin.
    row : int64 tensor of shape (n_entries,)
        Ascending.
    column : int64 tensor of shape (n_entries,)
    target : float tensor of shape (n_entries,)
        1 for observed entries, 0 for negatives.
    """

    start: torch.Tensor
    row: torch.Tensor
    column: torch.Tensor
    target: torch.Tensor

    @property
    def n_rows(self):
        """Number of rows."""
        return len(self.start)


def negatives(rows, n_columns, n_negatives, generator):
    """Items drawn uniformly, with replacement, among those that a row has not.

    Parameters
    ----------
    rows : Rows
        Of a canonical matrix.
    n_columns : int
    n_negatives : int
        Draws for each entry of a row; none where a row has every item.
    generator : torch.Generator
        On the CPU, whatever the device.

    Returns
    -------
    row, column : int64 tensor of shape (n_draws,)
        `row` ascends.
    """
    device = rows.column.device
    length = torch.bincount(rows.row, minlength=rows.n_rows)
    left = n_columns - length
    row = torch.repeat_interleave(length * n_negatives * (left > 0))
    uniform = torch.rand(len(row), dtype=torch.float64, generator=generator).to(device)
    place = (uniform * left[row]).long()  # among the items that are left, in their order
    # Below the k-th item c_k of a row, c_k - k items are left, so as many of the row's items
    # stand before the place as have c_k - k <= place. Keys of later rows are larger.
    rank = torch.arange(len(rows.row), device=device) - rows.start[rows.row]
    key = rows.row * (n_columns + 1) + rows.column - rank
    before = torch.searchsorted(key, row * (n_columns + 1) + place, right=True)
    return row, place + before - rows.start[row]


def with_negatives(rows, n_columns, n_negatives, generator):
    """The entries of `Rows` and negatives drawn for them, as `Entries`; see `negatives`."""
    device = rows.column.device
    row, column = negatives(rows, n_columns, n_negatives, generator)
    drawn = torch.bincount(row, minlength=rows.n_rows)
    first_drawn = drawn.cumsum(0) - drawn
    # Observed entries move by the draws before their row, draws by the entries up to theirs.
    place = torch.arange(len(rows.row), device=device) + first_drawn[rows.row]
    length = torch.bincount(rows.row, minlength=rows.n_rows)
    other = torch.arange(len(row), device=device) + (rows.start + length)[row]
    n_entries = len(place) + len(other)
    all_rows = torch.empty(n_entries, dtype=torch.int64, device=device)
    all_columns, target = torch.empty_like(all_rows), torch.zeros(n_entries, device=device)
    all_rows[place], all_rows[other] = rows.row, row
    all_columns[place], all_columns[other] = rows.column, column
    target[place] = 1
    return Entries(rows.start + first_drawn, all_rows, all_columns, target)


class _SampledOutputs(torch.autograd.Function):
    @staticmethod
    def forward(ctx, hidden, weight, bias, row, column, start, turned):
        ctx.save_for_backward(hidden, weight, row, column, start, *turned)
        outputs = [
            (hidden.index_select(0, r) * weight.index_select(0, c)).sum(1)
            for r, c in zip(row.split(_N_GATHERED), column.split(_N_GATHERED), strict=True)
        ]
        return torch.cat(outputs) + bias[column]

    @staticmethod
    def backward(ctx, grad):
        hidden, weight, _, column, start, first, turned_row, order = ctx.saved_tensors
        grad = grad.contiguous()
        of_bias = torch.zeros(len(weight), dtype=grad.dtype, device=grad.device)
        of_bias.index_add_(0, column, grad)
        of_hidden = _bags(column, start, weight, grad)
        of_weight = _bags(turned_row, first, hidden, grad[order])
        return of_hidden, of_weight, of_bias, None, None, None, None


def sampled_outputs(entries, hidden, weight, bias):
    """``hidden @ weight.T + bias`` at the entries, and nowhere else.

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
