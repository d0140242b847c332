"""Products with the graph of users and items, and pairs of users who are drawn alike."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from skrec._torch import _graph, _pairs
from skrec._torch._graph import Graph, mean_of_layers, step
from skrec._torch._pairs import PairsOfUsers
from skrec.datasets import make_interactions
from tests.problems import problem_of
from tests.reference.graphs import adjacency, light_gcn, random_walk, symmetric

CPU = torch.device("cpu")
X = csr_array(make_interactions(9, 7, 25, random_state=0, return_X=True))
X = csr_array((X.data, X.indices, np.append(X.indptr, X.nnz)), shape=(10, 8))  # empty ones too


def vectors(d=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(n, d, generator=generator) for n in X.shape)


@pytest.mark.parametrize("n_layers", [1, 2, 3, 4])
def test_mean_of_layers_equals_dense_powers(n_layers):
    users, items = vectors()
    expected = light_gcn(symmetric(adjacency(X)), torch.cat([users, items]).numpy(), n_layers)
    of_users, of_items = torch.tensor([3, 3, 9, 0]), torch.tensor([[1, 7], [1, 1], [0, 6]])
    graph = Graph(X, CPU)
    found = mean_of_layers(graph, users, items, n_layers, of_users, of_items)
    np.testing.assert_allclose(found[0], expected[of_users], atol=1e-6)
    np.testing.assert_allclose(found[1], expected[10 + of_items], atol=1e-6)
    assert torch.equal(found[2], users[of_users])
    assert torch.equal(found[3], items[of_items])
    every = torch.cat(graph.summed(users, items, n_layers)) / (n_layers + 1)
    np.testing.assert_allclose(every, expected, atol=1e-6)


@pytest.mark.parametrize("n_layers", [1, 3])
def test_gradient_of_the_mean_is_that_of_dense_powers(n_layers):
    users, items = (part.requires_grad_() for part in vectors())
    of_users, of_items = torch.tensor([3, 3, 9, 0]), torch.tensor([[1, 7], [1, 1], [0, 6]])

    def total(u, i, u0, i0):
        return (u.square().sum(1) * i.sum((-1, -2))[0] + u0.sum(1)).sum() + (i * i0 + i).sum()

    found = total(*mean_of_layers(Graph(X, CPU), users, items, n_layers, of_users, of_items))
    A = torch.from_numpy(symmetric(adjacency(X))).float()
    first = torch.cat([users, items])
    layers = [first]
    for _ in range(n_layers):
        layers.append(A @ layers[-1])
    mean = sum(layers) / (n_layers + 1)
    expected = total(mean[of_users], mean[10 + of_items], users[of_users], items[of_items])
    for ours, theirs in zip(
        torch.autograd.grad(found, [users, items]),
        torch.autograd.grad(expected, [users, items]),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize("exponents", [(0.5, 0.5), (1.0, 0.0)])
def test_a_step_and_its_gradient_equal_dense_ones(exponents, rows):
    users, items = (part.requires_grad_() for part in vectors())
    normalised = symmetric if exponents[0] == 0.5 else random_walk
    P = torch.from_numpy(normalised(adjacency(X))).float()
    some = torch.tensor([0, 4, 9]), torch.tensor([2, 7])
    found = step(Graph(X, CPU, exponents), users, items, *(some if rows else (None, None)))
    every = P @ torch.cat([users, items])
    expected = every[:10], every[10:]
    if rows:
        expected = tuple(part[index] for part, index in zip(expected, some, strict=True))
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)
    gradients = (
        torch.autograd.grad(sum((part**3).sum() for part in parts), [users, items])
        for parts in (found, expected)
    )
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_threads_change_no_bit(monkeypatch):
    monkeypatch.setattr(_graph, "_SMALL", 0)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    users, items = vectors()
    many = Graph(X, CPU).summed(users, items, 3)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    for one, other in zip(many, Graph(X, CPU).summed(users, items, 3), strict=True):
        assert torch.equal(one, other)


# Users with 3 items, none, all that anybody has, 1; nobody has items 2 and 6.
ROWS = csr_array(
    np.array(
        [[1, 0, 0, 1, 0, 1, 0], [0] * 7, [1, 1, 0, 1, 1, 1, 0], [0, 1, 0, 0, 0, 0, 0]], dtype=float
    )
)


def drawn(batches):
    batches = list(batches)
    parts = (torch.cat([getattr(b, name) for b in batches]) for name in batches[0]._fields)
    return [part.numpy() for part in parts]


@pytest.mark.parametrize("chunk", [2**20, 300])
def test_users_are_drawn_alike_and_their_items_too(monkeypatch, chunk):
    monkeypatch.setattr(_pairs, "_CHUNK", chunk)
    pairs = PairsOfUsers(problem_of(ROWS), 100, 2, 12_050)
    assert len(pairs) == len(list(pairs)) == 121
    users, items, negatives, _ = drawn(pairs)
    times = np.zeros(ROWS.shape)
    np.add.at(times, (users, items), 1)
    expected = np.zeros(ROWS.shape)
    expected[0, [0, 3, 5]], expected[3, 1] = 12_050 / 6, 12_050 / 2
    np.testing.assert_array_equal(times > 0, expected > 0)
    assert (np.abs(times - expected) <= 5 * np.sqrt(expected)).all()
    assert set(negatives[users == 0].ravel()) == {1, 4}
    assert set(negatives[users == 3].ravel()) == {0, 3, 4, 5}
    assert sum(len(batch.users) for batch in PairsOfUsers(problem_of(ROWS), 3, 1)) == 4


def test_nobody_to_draw_is_no_batch():
    for full in (csr_array(np.ones((3, 4))), csr_array((3, 4))):
        for n_samples in (None, 5):
            pairs = PairsOfUsers(problem_of(full), 2, 3, n_samples)
            assert len(pairs) == 0
            assert list(pairs) == []


@pytest.mark.cuda
@pytest.mark.parametrize("exponents", [(0.5, 0.5), (1.0, 0.0)])
def test_cuda_agrees(exponents):
    users, items = vectors()
    index = torch.tensor([3, 3, 9, 0]), torch.tensor([[1, 7], [1, 1], [0, 6]])

    def gradients(device):
        there = [part.to(device).requires_grad_() for part in (users, items)]
        graph = Graph(X, torch.device(device), exponents)
        where = [part.to(device) for part in index]
        parts = step(graph, *there)
        if exponents[0] == exponents[1]:
            parts += mean_of_layers(graph, *there, 3, *where)
        total = sum(part.pow(3).sum() for part in parts)
        return [total, *torch.autograd.grad(total, there)]

    for ours, theirs in zip(gradients("cuda"), gradients("cpu"), strict=True):
        torch.testing.assert_close(ours.cpu(), theirs, atol=1e-4, rtol=1e-4)
