"""Sampled pairs, their losses, and Newton's method on the rows of users who are folded in."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.sparse import csr_array

from skrec._loss._pairs import PAIR_LOSSES
from skrec._torch import _pairs
from skrec._torch._newton import minimise_rows
from skrec._torch._pairs import ShuffledPairs
from skrec._torch._pairs_kernels import missing_items
from tests.problems import problem_of

EVERY = pytest.mark.parametrize("name", sorted(PAIR_LOSSES))
# Users with 3 items, none, all that anybody has, 1; nobody has items 2 and 6.
X = csr_array(
    np.array(
        [[1, 0, 0, 1, 0, 1, 0], [0] * 7, [1, 1, 0, 1, 1, 1, 0], [0, 1, 0, 0, 0, 0, 0]], dtype=float
    )
)


def drawn(batches):
    batches = list(batches)
    parts = (torch.cat([getattr(b, name) for b in batches]) for name in batches[0]._fields)
    return [part.numpy() for part in parts]


@pytest.mark.parametrize("chunk", [2**20, 3])
def test_each_pass_has_every_interaction_once(monkeypatch, chunk):
    monkeypatch.setattr(_pairs, "_CHUNK", chunk)
    pairs = ShuffledPairs(problem_of(X, np.array([1.0, 1.0, 1.0, 5.0])), 2, 3)
    assert len(pairs) == len(list(pairs)) == 2
    orders = set()
    for _ in range(20):
        users, items, negatives, weight = drawn(pairs)
        orders.add(tuple(items))
        found = sorted(zip(users.tolist(), items.tolist(), strict=True))
        assert found == [(0, 0), (0, 3), (0, 5), (3, 1)]  # the third user has no negative
        assert negatives.shape == (4, 3)
        np.testing.assert_allclose(weight, np.where(users == 3, 2.5, 0.5))
    assert len(orders) > 5


def test_negatives_are_uniform_among_what_others_have():
    users, _, negatives, _ = drawn(ShuffledPairs(problem_of(X), 100, 4000))
    times = np.zeros(X.shape)
    np.add.at(times, (np.repeat(users, 4000), negatives.ravel()), 1)
    expected = np.zeros(X.shape)
    expected[0, [1, 4]] = 6000
    expected[3, [0, 3, 4, 5]] = 1000
    np.testing.assert_array_equal(times > 0, expected > 0)
    assert (np.abs(times - expected) <= 5 * np.sqrt(expected)).all()


def test_places_among_missing_items_are_found_by_bisection():
    rng = np.random.default_rng(0)
    matrix = csr_array((rng.random((9, 40)) < rng.random((9, 1))).astype(float))
    lengths = np.diff(matrix.indptr).astype(np.int64)
    rank = np.concatenate([np.arange(n) for n in lengths])
    users, uniform = rng.integers(0, 9, 500), rng.random((500, 3))
    users = users[lengths[users] < 40]
    found = np.empty((len(users), 3), np.int64)
    below = (matrix.indices - rank).astype(np.int32)
    missing_items(users, uniform, below, matrix.indptr.astype(np.int64), 40 - lengths, found)
    for user, draws, items in zip(users, uniform, found, strict=False):
        missing = np.flatnonzero(matrix[[user]].toarray()[0] == 0)
        np.testing.assert_array_equal(items, missing[(draws * len(missing)).astype(int)])


def test_empty_columns_change_no_draw():
    wide = csr_array((X.data, X.indices, X.indptr), shape=(4, 11))
    for one, two in zip(
        drawn(ShuffledPairs(problem_of(X), 2, 3)),
        drawn(ShuffledPairs(problem_of(wide), 2, 3)),
        strict=True,
    ):
        np.testing.assert_array_equal(one, two)


def test_nothing_to_tell_apart_is_no_batch():
    for full in (csr_array(np.ones((3, 4))), csr_array((3, 4))):
        pairs = ShuffledPairs(problem_of(full), 2, 3)
        assert len(pairs) == 0
        assert list(pairs) == []


def terms(seed=0, n=3, p=4, m=5, d=2):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    w = (normal(n, p) > -0.5).double()
    return normal(n, d), normal(n, p, d), normal(n, m, d), w, 0.3 * (1 + normal(n, m).abs())


def value_of(name, vectors, P, N, w, v):
    positive, negative = (P @ vectors[:, :, None])[..., 0], (N @ vectors[:, :, None])[..., 0]
    return PAIR_LOSSES[name].value(positive, negative, w, v)


@EVERY
def test_values_equal_numpy(name):
    vectors, P, N, w, v = (part.numpy() for part in terms())
    found = value_of(name, *terms()).numpy()
    for u in range(3):
        total, y, z = 0.0, P[u] @ vectors[u], N[u] @ vectors[u]
        for i in range(4):
            if name in ("logistic", "square"):
                own = {"logistic": np.log1p(np.exp(-y[i])), "square": (1 - y[i]) ** 2 / 2}
                other = {"logistic": np.log1p(np.exp(z)), "square": z**2 / 2}
                total += w[u, i] * (own[name] + v[u] @ other[name])
            elif name == "softmax":
                total += w[u, i] * (np.log(np.exp(y[i]) + v[u] @ np.exp(z)) - y[i])
            else:
                x = y[i] - z
                losses = {"bpr": np.log1p(np.exp(-x)), "hinge": np.maximum(0, 1 - x)}
                total += w[u, i] * (v[u] @ losses[name])
        assert found[u] == pytest.approx(total, rel=1e-12)


@EVERY
def test_derivatives_equal_autograd(name):
    vectors, P, N, w, v = terms()
    positive, negative = (P @ vectors[:, :, None])[..., 0], (N @ vectors[:, :, None])[..., 0]
    of_items, of_negatives = PAIR_LOSSES[name].slopes(positive, negative, w, v)
    outputs = [positive.requires_grad_(), negative.requires_grad_()]
    loss = PAIR_LOSSES[name].value(*outputs, w, v).sum()
    for found, expected in zip(
        (of_items, of_negatives), torch.autograd.grad(loss, outputs), strict=True
    ):
        torch.testing.assert_close(found, expected)
    found = PAIR_LOSSES[name].hessian(positive.detach(), negative.detach(), w, v, P, N)
    if name == "hinge":  # no second derivative: a parabola that lies above
        assert torch.linalg.eigvalsh(found).min() > 0
        return
    hessian = torch.autograd.functional.hessian(
        lambda vectors: value_of(name, vectors, P, N, w, v).sum(), vectors
    )
    for u in range(3):
        torch.testing.assert_close(found[u], hessian[u, :, u])


def test_the_parabola_of_the_hinge_lies_above_it_and_touches():
    hinge = PAIR_LOSSES["hinge"].loss
    x = torch.linspace(-3, 5, 801, dtype=torch.float64)
    for at in torch.tensor([-2.0, 0.0, 0.9, 1.1, 3.0], dtype=torch.float64):
        parabola = (
            hinge.value(at) + hinge.slope(at) * (x - at) + hinge.curvature(at) / 2 * (x - at) ** 2
        )
        assert (parabola >= hinge.value(x) - 1e-12).all()


@EVERY
@pytest.mark.parametrize("alpha", [0.01, 1.0])
def test_newton_finds_the_minimum(name, alpha):
    vectors, P, N, w, v = terms(1, n=4, p=6, m=7, d=3)
    loss = PAIR_LOSSES[name]

    def outputs(x):
        return (P @ x[:, :, None])[..., 0], (N @ x[:, :, None])[..., 0], w, v

    def value(x):
        return loss.value(*outputs(x)) + alpha / 2 * x.square().sum(1)

    def derivatives(x):
        of_items, of_negatives = loss.slopes(*outputs(x))
        slope = (of_items[:, None] @ P)[:, 0] + (of_negatives[:, None] @ N)[:, 0] + alpha * x
        hessian = loss.hessian(*outputs(x), P, N)
        hessian.diagonal(dim1=1, dim2=2).add_(alpha)
        return slope, hessian

    found = minimise_rows(torch.zeros_like(vectors), value, derivatives)
    reached = value(found)
    for u in range(4):

        def of_row(x, u=u):
            whole = found.clone()
            whole[u] = torch.from_numpy(x)
            return float(value(whole)[u])

        options = {"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000}
        best = minimize(of_row, np.zeros(3), method="Nelder-Mead", options=options)
        # The hinge has corners, where steps get short.
        assert float(reached[u]) <= best.fun + (2e-2 if name == "hinge" else 1e-8)


def test_a_row_alone_has_the_result_that_it_has_among_others():
    vectors, P, N, w, v = terms(2, n=5)
    loss = PAIR_LOSSES["bpr"]

    def solve(rows):
        def outputs(x):
            y = (P[rows] @ x[:, :, None])[..., 0]
            return y, (N[rows] @ x[:, :, None])[..., 0], w[rows], v[rows]

        def derivatives(x):
            of_items, of_negatives = loss.slopes(*outputs(x))
            slope = (of_items[:, None] @ P[rows])[:, 0] + (of_negatives[:, None] @ N[rows])[:, 0]
            hessian = loss.hessian(*outputs(x), P[rows], N[rows])
            hessian.diagonal(dim1=1, dim2=2).add_(0.1)
            return slope + 0.1 * x, hessian

        def value(x):
            return loss.value(*outputs(x)) + 0.05 * x.square().sum(1)

        return minimise_rows(torch.zeros_like(vectors[rows]), value, derivatives)

    together = solve(slice(None))
    for u in range(5):
        torch.testing.assert_close(solve(slice(u, u + 1))[0], together[u], rtol=1e-9, atol=1e-11)
