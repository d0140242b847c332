"""Attention over lists of different lengths, without padding: numba on a CPU, torch elsewhere."""

from typing import NamedTuple

import numpy as np
import torch

from skrec.utils._parallel import plain_interrupts, run_ranges

# Numbers that are gathered at once without a kernel.
_N_GATHERED = 2**24
# A smaller sum of products of exponentials, each at most 1, may not be exact.
_LEAST_SUM = 1e-20


class Lists(NamedTuple):
    """Lists of members, one after another.

    Attributes
    ----------
    start : int64 tensor of shape (n_lists + 1,)
        The members of list i stand from ``start[i]`` to ``start[i + 1]``.
    member : int64 tensor of shape (n_entries,)
    """

    start: torch.Tensor
    member: torch.Tensor

    @classmethod
    def of_rows(cls, X, device):
        """The columns of the entries of each row of a csr_array."""
        parts = (torch.from_numpy(a.astype(np.int64)) for a in (X.indptr, X.indices))
        return cls(*(part.to(device) for part in parts))

    def lengths(self, place):
        """Lengths of some lists."""
        return self.start[place + 1] - self.start[place]


class Reading(NamedTuple):
    """The list that each of n queries reads.

    Attributes
    ----------
    start, member : int64 tensors
        As in `Lists`.
    place : int64 tensor of shape (n,)
        The list of each query.
    without : int64 tensor of shape (n,)
        A member that the query leaves out; -1: none.
    first : int64 tensor of shape (n,)
        Number of entries that earlier queries read.
    """

    start: torch.Tensor
    member: torch.Tensor
    place: torch.Tensor
    without: torch.Tensor
    first: torch.Tensor


def attend(query, keys, values, lists, place, without):
    """Mean of the values of a list's members, weighted by the softmax of query . key.

    Parameters
    ----------
    query : float tensor of shape (n, d)
    keys, values : float tensors of shape (n_members, d)
    lists : Lists
    place : int64 tensor of shape (n,)
        The list that each query reads.
    without : int64 tensor of shape (n,)
        A member that each query leaves out; -1: none.

    Returns
    -------
    mean : float tensor of shape (n, d)
        Zero for a list without members.
    """
    end = lists.lengths(place).cumsum(0)
    n_read = int(end[-1]) if len(end) else 0
    first = end - lists.lengths(place)
    return _Attention.apply(query.contiguous(), keys, values, n_read, *lists, place, without, first)


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, query, keys, values, n_read, *reading):
        share, out = query.new_empty(n_read), torch.empty_like(query)
        tensors = (query, keys, values, Reading(*reading), share, out)
        if query.device.type == "cpu":
            from skrec._torch import _segment_kernels

            with plain_interrupts():
                _segment_kernels.attend(0, len(query), *_arrays(tensors))
        else:
            _forward_gathered(*tensors)
        ctx.save_for_backward(query, keys, values, share, out, *reading)
        return out

    @staticmethod
    def backward(ctx, grad):
        query, keys, values, share, out, *reading = ctx.saved_tensors
        # The fold-in of users keeps the memories of other users fixed.
        only = not any(ctx.needs_input_grad[1:3])
        others = [keys.new_empty(0, 0)] * 2 if only else map(torch.zeros_like, (keys, values))
        gradients = (torch.zeros_like(query), *others)
        tensors = (query, keys, values, Reading(*reading), share, out, grad.contiguous(), gradients)
        if grad.device.type == "cpu":
            from skrec._torch import _segment_kernels

            with plain_interrupts():
                _segment_kernels.attend_backward(*_arrays(tensors), only)
        else:
            _backward_gathered(*tensors, only)
        return (*((*gradients[:1], None, None) if only else gradients), *[None] * 6)


def _arrays(parts):
    """Tensors, and tensors in tuples, as arrays."""
    return tuple(
        tuple(each.numpy() for each in part) if isinstance(part, tuple) else part.detach().numpy()
        for part in parts
    )


def _gathered(reading, width, n_read):
    """Yield groups of queries: their slice and, for each entry that they read, the place of its
    query in the group, its own place among all entries read, and its member."""
    start, member, place, _, first = reading
    bounds = [0, len(place)]
    if n_read * width > _N_GATHERED:
        # Bounds of the chunks; the entries of one query stay in one chunk.
        wanted = torch.arange(0, n_read, max(1, _N_GATHERED // width), device=first.device)
        bounds = sorted({*bounds, *torch.searchsorted(first, wanted).tolist()})
    for begin, end in zip(bounds[:-1], bounds[1:], strict=True):
        some = slice(begin, end)
        row = torch.repeat_interleave(start[place[some] + 1] - start[place[some]])
        position = torch.arange(len(row), device=row.device) + first[begin]
        entry = position - first[some][row] + start[place[some]][row]
        yield some, row, position, member[entry]


def _forward_gathered(query, keys, values, reading, share, out):
    for some, row, position, v in _gathered(reading, query.shape[1], len(share)):
        logit = (query[some][row] * keys[v]).sum(1)
        logit = logit.masked_fill(v == reading.without[some][row], -torch.inf)
        top = logit.new_full((some.stop - some.start,), -torch.inf)
        top = top.scatter_reduce(0, row, logit, "amax")
        weight = (logit - torch.where(top.isfinite(), top, 0)[row]).exp()
        total = torch.zeros_like(top).index_add(0, row, weight)
        weight = weight / total.clamp(min=torch.finfo(total.dtype).tiny)[row]
        share[position] = weight
        out[some] = torch.zeros_like(out[some]).index_add(0, row, weight[:, None] * values[v])


def _backward_gathered(query, keys, values, reading, share, out, grad, gradients, of_query_only):
    of_query, of_keys, of_values = gradients
    mean = (grad * out).sum(1)
    for some, row, position, v in _gathered(reading, query.shape[1], len(share)):
        weight, towards = share[position], grad[some][row]
        slope = weight * ((towards * values[v]).sum(1) - mean[some][row])
        of_query[some] = of_query[some].index_add(0, row, slope[:, None] * keys[v])
        if not of_query_only:
            of_keys.index_add_(0, v, slope[:, None] * query[some][row])
            of_values.index_add_(0, v, weight[:, None] * towards)


class AllLists:
    """Attention of users to all lists, one user after another, on a CPU and without gradients.

    The first queries of a user are ``vector + base[i]``. Their exponentials are products of one
    factor for each member and one for each entry of a list. The entries' factors are computed once,
    here. So each entry costs a user a multiplication of vectors of length d, and no exponential.

    Parameters
    ----------
    base : float tensor of shape (n_lists, d)
    keys, values : float tensors of shape (n_members, d)
    lists : Lists
    """

    def __init__(self, base, keys, values, lists):
        self._base, self._keys, self._values, self._lists = _arrays(
            (base.contiguous(), keys, values, lists)
        )
        start, member = self._lists
        self._lengths, n = np.diff(start), len(start) - 1
        self._all = (*self._lists, np.arange(n), np.full(n, -1), start[:-1])
        # Each entry's factor of the exponentials of a first query, and room for shares.
        self._factor, self._share = np.empty((2, len(member)), self._base.dtype)
        self._run("list_factors", self._base, self._keys, self._lists, self._factor)

    def _run(self, name, *arguments):
        from skrec._torch import _segment_kernels

        kernel = getattr(_segment_kernels, name)
        run_ranges(
            lambda begin, end: kernel(begin, end, *arguments),
            len(self._lengths),
            weights=self._lengths + 1,
        )

    def first(self, vector):
        """Means for the queries of a user of shape (d,): shape (n_lists, d)."""
        logit = self._keys @ vector
        of_member = np.exp(logit - logit.max(initial=-np.inf))
        query, out = vector + self._base, np.empty_like(self._base)
        model = (query, self._keys, self._values, self._lists)
        self._run("attend_factored", *model, self._factor, of_member, _LEAST_SUM, self._share, out)
        return out

    def further(self, query):
        """Means for other queries, one for each list: shape (n_lists, d)."""
        out = np.empty_like(self._base)
        self._run("attend", query, self._keys, self._values, self._all, self._share, out)
        return out
