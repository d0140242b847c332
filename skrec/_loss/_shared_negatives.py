r"""Losses of examples against negatives that all examples of a batch share.

Example e has a vector x_e and negative j a vector v_j, so the outputs x_e v_j are a product of
matrices. They are computed in blocks, and losses and slopes overwrite each block. So all outputs,
of shape (n_examples, n_negatives), are never in memory at once.
"""

from typing import NamedTuple

import torch
from torch.nn import functional

# Outputs of one block: few enough to stay in a processor's cache.
_N_OUTPUTS_CPU = 2**18
_N_OUTPUTS = 2**26
# Below this share of non-zero slopes, a product goes through the non-zero slopes only.
_FEW = 0.03


class Shared(NamedTuple):
    """Negatives of a batch.

    Attributes
    ----------
    items : int64 tensor of shape (n_negatives,)
        Ascending, each once.
    log_count : float tensor of shape (n_negatives,)
        Logarithm of how often an item was drawn.
    log_expected : float tensor of shape (n_items,)
        Logarithm of how often an item is drawn in expectation.
    """

    items: torch.Tensor
    log_count: torch.Tensor
    log_expected: torch.Tensor

    def places(self, item):
        """Positions of items among the negatives, -1 for others; in the shape of `item`."""
        table = torch.full_like(self.log_expected, -1, dtype=torch.int64)
        table[self.items] = torch.arange(len(self.items), device=table.device)
        return table[item]


class _SharedSoftmax(torch.autograd.Function):
    """See `shared_softmax`. Forward also computes the slopes, for one backward pass."""

    @staticmethod
    def forward(ctx, vectors, own, shared, offset, row, place, weight):
        of_vectors, of_own = torch.zeros_like(vectors), torch.zeros_like(own)
        of_shared, of_offset = torch.zeros_like(shared), torch.zeros_like(offset)
        loss, blocks = own.new_zeros(()), _blocks(vectors, shared)
        for rows, some in zip(blocks, _examples_of(blocks, row), strict=True):
            x, r, at = vectors[rows], row[some] - rows.start, place[some].clamp(min=0)
            outputs = torch.addmm(offset, x, shared.t())  # (r, m)
            largest = outputs.amax(1).scatter_reduce(0, r, own[some], "amax")
            outputs.sub_(largest[:, None]).exp_()
            mine = (own[some] - largest[r]).exp()
            twice = torch.where(place[some] < 0, 0, outputs[r, at])
            total = outputs.sum(1)[r] - twice + mine
            total = torch.maximum(total, mine)  # rounding
            share = weight[some] / total
            loss += (weight[some] * (total.log() - (own[some] - largest[r]))).sum()
            outputs.mul_(torch.zeros_like(largest).index_add_(0, r, share)[:, None])
            outputs.index_put_((r, at), -share * twice, accumulate=True)
            of_own[some] = share * mine - weight[some]
            torch.mm(outputs, shared, out=of_vectors[rows])
            of_shared.addmm_(outputs.t(), x)
            of_offset.add_(outputs.sum(0))
        ctx.save_for_backward(of_vectors, of_own, of_shared, of_offset)
        return loss

    @staticmethod
    def backward(ctx, grad):
        return *(grad * each for each in ctx.saved_tensors), None, None, None


class _SharedHinge(torch.autograd.Function):
    """See `shared_hinge`. Forward also computes the slopes, for one backward pass."""

    @staticmethod
    def forward(ctx, vectors, shared, margin, hidden, row, weight):
        of_vectors, of_shared = torch.zeros_like(vectors), torch.zeros_like(shared)
        total = vectors.new_zeros(())
        for rows in _blocks(vectors, shared):
            x, share = vectors[rows], weight[rows, None]
            outputs = (x @ shared.t()).sub_(margin)  # (r, m)
            outputs.masked_fill_(hidden[row[rows]], 0)
            outputs.clamp_(min=0)
            total += (share * outputs.sum(1, keepdim=True)).sum()
            slope = outputs.sign_().mul_(share)
            if slope.device.type == "cpu" and (found := slope.nonzero()).shape[0] < _FEW * len(
                slope
            ) * len(shared):
                at, j = found.t().contiguous()
                value = slope[at, j, None]
                of_vectors[rows] = of_vectors[rows].index_add_(0, at, value * shared[j])
                of_shared.index_add_(0, j, value * x[at])
            else:
                torch.mm(slope, shared, out=of_vectors[rows])
                of_shared.addmm_(slope.t(), x)
        ctx.save_for_backward(of_vectors, of_shared)
        return total

    @staticmethod
    def backward(ctx, grad):
        return *(grad * each for each in ctx.saved_tensors), None, None, None, None


def _blocks(vectors, shared):
    """Slices of examples, one for each block."""
    limit = _N_OUTPUTS_CPU if vectors.device.type == "cpu" else _N_OUTPUTS
    n_rows = max(64, limit // max(1, len(shared)))
    return [slice(at, min(at + n_rows, len(vectors))) for at in range(0, len(vectors), n_rows)]


def _examples_of(blocks, row):
    """Slices of the examples that belong to blocks of rows; `row` ascends."""
    if len(blocks) == 1:
        return [slice(0, len(row))]
    ends = torch.tensor([rows.stop for rows in blocks], device=row.device)
    ends = [0, *torch.searchsorted(row, ends).tolist()]
    return [slice(*bounds) for bounds in zip(ends[:-1], ends[1:], strict=True)]


def unit(vectors):
    """Vectors divided by their lengths; a zero vector stays zero and has a finite gradient."""
    square = vectors.square().sum(-1, keepdim=True)
    return vectors * torch.where(square > 0, square, 1).rsqrt()


def shared_softmax(vectors, own, shared, offset, row, place, weight):
    """Weighted sum of minus the log probabilities of the examples' own items.

    The classes of an example are its own item and the negatives other than it. The loss can be
    differentiated only once.

    Parameters
    ----------
    vectors : float tensor of shape (n_vectors, d)
    own : float tensor of shape (n_examples,)
        Outputs of the examples' own items.
    shared : float tensor of shape (n_negatives, d)
    offset : float tensor of shape (n_negatives,)
        Added to the outputs of the negatives.
    row : int64 tensor of shape (n_examples,)
        Index of each example's vector; ascending.
    place : int64 tensor of shape (n_examples,)
        Position of each example's own item among the negatives, or -1.
    weight : float tensor of shape (n_examples,)

    Returns
    -------
    loss : scalar tensor
    """
    return _SharedSoftmax.apply(vectors, own, shared, offset, row, place, weight)


def shared_hinge(vectors, shared, margin, hidden, row, weight):
    """Weighted sum of ``max(0, x_e v_j - margin)`` over vectors and negatives.

    The loss can be differentiated only once.

    Parameters
    ----------
    vectors : float tensor of shape (n_vectors, d)
    shared : float tensor of shape (n_negatives, d)
    margin : float
    hidden : bool tensor of shape (n_users, n_negatives)
        True where a negative does not count for a user's vectors.
    row : int64 tensor of shape (n_vectors,)
        The user of each vector.
    weight : float tensor of shape (n_vectors,)

    Returns
    -------
    loss : scalar tensor
    """
    return _SharedHinge.apply(vectors, shared, margin, hidden, row, weight)


def cosine_contrastive(vectors, own, others, row, seen, user, weight, *, margin, negative_weight):
    """Weighted sum of the cosine contrastive losses of examples (Mao et al. 2021).

    The loss of an example is ``1 - cos(x, own)``, plus `negative_weight` times the mean of
    ``max(0, cos(x, v_j) - margin)`` over the negatives that its user does not have.

    Parameters
    ----------
    vectors : float tensor of shape (n_vectors, d)
    own : float tensor of shape (n_examples, d)
        Vectors of the examples' own items.
    others : float tensor of shape (n_negatives, d)
        Vectors of the negatives.
    row : int64 tensor of shape (n_examples,)
        Index of each example's vector.
    seen : bool tensor of shape (n_users, n_negatives)
        True where the user has the negative.
    user : int64 tensor of shape (n_vectors,)
        The user of each vector.
    weight : float tensor of shape (n_examples,)
    margin, negative_weight : float

    Returns
    -------
    loss : scalar tensor
    """
    vectors = unit(vectors)
    cosine = (functional.embedding(row, vectors) * unit(own)).sum(1)
    left = (~seen).sum(1).clamp(min=1)
    each = torch.zeros_like(vectors[:, 0]).index_add_(0, row, weight) / left[user]
    negative = shared_hinge(vectors, unit(others), margin, seen, user, each)
    return (weight * (1 - cosine)).sum() + negative_weight * negative
