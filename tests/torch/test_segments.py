"""Attention over lists of different lengths: against dense softmax, and gradients."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from skrec._torch import _segments
from skrec._torch._segments import AllLists, Lists, attend


@pytest.fixture
def parts():
    """Queries, keys, values, a mask of 7 lists over 9 members, and what each query reads."""
    rng = np.random.default_rng(0)
    mask = rng.random((7, 9)) < 0.4
    mask[0], mask[1], mask[2] = False, False, True
    mask[1, 4] = True
    query, keys, values = (
        torch.tensor(rng.normal(size=(n, 5)), requires_grad=True) for n in (12, 9, 9)
    )
    place = torch.tensor([*range(7), 1, 2, 3, 2, 6])
    without = torch.tensor([-1] * 7 + [4, 0, 2, 8, 1])
    return query, keys, values, mask, place, without


def lists_of(mask, device="cpu"):
    return Lists.of_rows(csr_array(mask.astype(np.float32)), torch.device(device))


def dense(query, keys, values, mask, place, without):
    allowed = torch.tensor(mask)[place]
    allowed[torch.arange(len(place))[without >= 0], without[without >= 0]] = False
    logit = (query @ keys.T).masked_fill(~allowed, -torch.inf)
    return torch.nan_to_num(logit.softmax(1)) @ values


class _Gathered(torch.autograd.Function):
    """What CUDA does, here on the CPU and in chunks of a few entries."""

    @staticmethod
    def forward(ctx, query, keys, values, *lists):
        start, _, place, _ = lists
        length = start[place + 1] - start[place]
        reading = _segments.Reading(*lists, length.cumsum(0) - length)
        share, out = query.new_empty(int(length.sum())), torch.empty_like(query)
        _segments._forward_gathered(query, keys, values, reading, share, out)
        ctx.save_for_backward(query, keys, values, share, out, *reading)
        return out

    @staticmethod
    def backward(ctx, grad):
        query, keys, values, share, out, *reading = ctx.saved_tensors
        gradients = [torch.zeros_like(part) for part in (query, keys, values)]
        parts = (_segments.Reading(*reading), share, out, grad, gradients, False)
        _segments._backward_gathered(query, keys, values, *parts)
        return (*gradients, None, None, None, None)


def gathered(query, keys, values, lists, place, without):
    return _Gathered.apply(query, keys, values, *lists, place, without)


@pytest.mark.parametrize("function", [attend, gathered], ids=["kernel", "gathered"])
def test_it_is_a_dense_softmax(function, parts, monkeypatch):
    monkeypatch.setattr(_segments, "_N_GATHERED", 40)
    query, keys, values, mask, place, without = parts
    out = function(query, keys, values, lists_of(mask), place, without)
    expected = dense(query, keys, values, mask, place, without)
    torch.testing.assert_close(out, expected)
    torch.testing.assert_close(out[1], values[4])  # one member: p = 1
    assert not out[[0, 7]].any()  # no member, and none but the one that is left out
    towards = torch.randn(out.shape, dtype=out.dtype, generator=torch.Generator().manual_seed(0))
    found, wanted = (
        torch.autograd.grad(each, (query, keys, values), towards) for each in (out, expected)
    )
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)


def test_gradients_by_finite_differences(parts):
    query, keys, values, mask, place, without = parts
    lists = lists_of(mask)
    assert torch.autograd.gradcheck(
        lambda *some: attend(*some, lists, place, without), (query, keys, values)
    )
    fixed = (keys.detach(), values.detach(), lists, place, without)
    assert torch.autograd.gradcheck(lambda one: attend(one, *fixed), (query,))


def test_large_numbers_and_no_query(parts):
    query, keys, values, mask, place, without = (
        part.detach() if isinstance(part, torch.Tensor) else part for part in parts
    )
    out = attend(1e3 * query, 1e3 * keys, values, lists_of(mask), place, without)
    expected = dense(1e3 * query, 1e3 * keys, values, mask, place, without)
    torch.testing.assert_close(out, expected)
    nothing = torch.empty(0, dtype=torch.int64)
    assert attend(query[:0], keys, values, lists_of(mask), nothing, nothing).shape == (0, 5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_factored_exponentials_are_those_of_sums(dtype, scale, parts):
    """At the large scale the products of exponentials underflow, in some lists altogether."""
    _, keys, values, mask, _, _ = parts
    rng = np.random.default_rng(1)
    base, vector = (torch.tensor(rng.normal(size=size)) for size in ((7, 5), 5))
    base, vector, keys, values = (
        part.detach().to(dtype) for part in (base, scale * vector, scale * keys, values)
    )
    lists = lists_of(mask)
    attention = AllLists(base, keys, values, lists)
    none = torch.full((7,), -1)
    for query in (base + vector, base):
        found = attention.first if query is not base else attention.further
        found = found((vector if query is not base else base).numpy())
        expected = attend(query, keys, values, lists, torch.arange(7), none)
        np.testing.assert_allclose(found, expected, rtol=2e-4 if dtype is torch.float32 else 1e-9)


@pytest.mark.cuda
def test_cuda_agrees(parts, monkeypatch):
    monkeypatch.setattr(_segments, "_N_GATHERED", 40)
    query, keys, values, mask, place, without = parts
    out = attend(query, keys, values, lists_of(mask), place, without)
    there = attend(
        *(part.cuda() for part in (query, keys, values)),
        lists_of(mask, "cuda"), place.cuda(), without.cuda(),
    )  # fmt: skip
    torch.testing.assert_close(there.cpu(), out)
    found, expected = (
        torch.autograd.grad(each.square().sum(), (query, keys, values)) for each in (there, out)
    )
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)
