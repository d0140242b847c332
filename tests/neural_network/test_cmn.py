"""CMN: against a twin in NumPy, gradients, what it keeps, what it leaves out."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array, vstack

from skrec._torch._pairs import Pairs
from skrec.datasets import make_interactions
from skrec.dummy import DummyRecommender
from skrec.neural_network import CMN, _cmn
from skrec.neural_network._memory_net import ClippedRMSprop, FirstMemories, MemoryNet, drawn_lists
from skrec.utils._hashing import row_hashes
from tests.reference.cmn import clipped_rmsprop, objective, score

FAST = {"pretraining_max_iter": 2, "max_iter": 3, "learning_rate": 0.01, "random_state": 0}


@pytest.fixture(scope="module")
def X():
    X = make_interactions(60, 25, 500, random_state=0, return_X=True)
    X = X[np.sort(np.unique(row_hashes(X), axis=0, return_index=True)[1])]
    # An item without users, one with one user only.
    wide = csr_array((X.data, X.indices, X.indptr), shape=(X.shape[0], 27))
    wide = wide.tolil()
    wide[3, 26] = 1
    return csr_array(wide)


@pytest.fixture(scope="module")
def new():
    return make_interactions(6, 27, 40, random_state=1, return_X=True)


@pytest.mark.parametrize("options", [{"n_hops": 1}, {"max_neighbors": 4}, {"n_hops": 3}], ids=str)
def test_scores_are_those_of_the_twin(options, X, new):
    model = CMN(6, **FAST, **options).fit(X)
    both = vstack([new, X[:4]]).tocsr().astype(np.float64)
    m = model.transform(both)
    parts = (model.weights_, model.user_factors_, model.external_factors_)
    neighbors = model.neighbors_.toarray()
    expected = [[score(row, item, *parts, neighbors) for item in range(27)] for row in m]
    found = model.decision_function(both)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)  # weights are float32
    rows, items = np.nonzero(np.ones(both.shape))
    pairs = model.score_pairs(both, rows[::-1], items[::-1])[::-1].reshape(both.shape)
    np.testing.assert_allclose(pairs, found, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(model.decision_function(both.astype("f")), found, atol=1e-4)


def test_pairs_go_in_chunks(X, monkeypatch):
    model = CMN(4, **FAST).fit(X)
    rows, items = np.nonzero(np.ones((5, 27)))
    expected = model.score_pairs(X[:5], rows, items)
    monkeypatch.setattr("skrec.neural_network._memory_net._N_READ", 30)
    np.testing.assert_allclose(model.score_pairs(X[:5], rows, items), expected, rtol=1e-5)
    assert model.score_pairs(X[:5], rows[:0], items[:0]).shape == (0,)


def network(X, n_hops=2):
    """A network in float64 with large weights, and a batch for it."""
    generator = torch.Generator().manual_seed(0)
    net = MemoryNet(*X.shape, 3, n_hops, drawn_lists(X, None, generator)).double()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.normal_(std=0.7, generator=generator)
    users, items = (torch.from_numpy(a[:8].astype(np.int64)) for a in X.nonzero())
    negatives = torch.tensor([[0, 25], [26, 1], [2, 2], [3, 4], [25, 24], [5, 6], [7, 8], [9, 1]])
    weight = torch.ones(8, dtype=torch.float64)
    return net, Pairs(users, items, negatives, weight)


def test_the_loss_is_that_of_the_twin_and_so_are_its_gradients(X):
    net, batch = network(X)
    model = CMN(3, alpha=0.3)
    value = model._loss(net, batch, 0, None)
    state = {name: w.detach().numpy().copy() for name, w in net.named_parameters()}
    pairs = [tuple(np.asarray(part) for part in pair) for pair in zip(*batch[:3], strict=True)]
    neighbors = net.graph.toarray()

    def twin():
        memories, external = state["user.weight"], state["external.weight"]
        return objective(pairs, state, memories, external, neighbors, 0.3)

    assert value.item() == pytest.approx(twin(), rel=1e-10)
    value.backward()
    rng = np.random.default_rng(0)
    for name, parameter in net.named_parameters():
        step = rng.normal(size=state[name].shape)
        ends = []
        for sign in (1, -1):
            state[name] += sign * 1e-6 * step
            ends.append(twin())
            state[name] -= sign * 1e-6 * step
        slope = (parameter.grad.numpy() * step).sum()
        assert slope == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-4, abs=1e-7), name


def test_an_own_memory_is_not_read_in_training(X):
    net, batch = network(X)
    user, item = batch.users[:1], batch.items[:1, None]
    assert net.graph[[int(item)]].sum() > 1
    for own, is_read in ((user, False), (None, True)):
        output = net(net.user(user), item, own).sum()
        (slope,) = torch.autograd.grad(output, net.external.weight)
        assert bool(slope[user].any()) == is_read
        assert slope.any()
    # The only user of an item: nothing is told.
    user, item = torch.tensor([3]), torch.tensor([[26]])
    with torch.no_grad():
        told = net(net.user(user), item, user)
        net.external.weight.zero_()
        torch.testing.assert_close(told, net(net.user(user), item))


def test_it_learns_and_the_same_seed_gives_the_same_bits(X, new):
    options = {"max_iter": 8, "pretraining_max_iter": 5, "learning_rate": 0.01}
    one, two = (CMN(8, batch_size=32, random_state=0, **options).fit(X) for _ in range(2))
    assert one.loss_curve_ == two.loss_curve_
    for name in ("user_factors_", "external_factors_"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    np.testing.assert_array_equal(one.decision_function(new), two.decision_function(new))
    assert one.pretraining_curve_[0] == pytest.approx(4 * np.log(2), rel=1e-2)
    assert one.pretraining_curve_[-1] < one.pretraining_curve_[0]
    assert one.loss_curve_[-1] < 0.8 * one.loss_curve_[0]
    assert one.score(X) > DummyRecommender().fit(X).score(X)
    np.testing.assert_array_equal(one.weights_["item.weight"][25], 0)  # no user, no memory


def test_half_of_the_pretrained_memories_enter(X, monkeypatch):
    options = {"pretraining_max_iter": 5, "max_iter": 1, "learning_rate": 1e-12}
    half = CMN(4, random_state=0, **options).fit(X)
    monkeypatch.setattr(_cmn, "_FIRST_SHARE", 1.0)
    whole = CMN(4, random_state=0, **options).fit(X)
    np.testing.assert_allclose(2 * half.user_factors_, whole.user_factors_, rtol=1e-5)
    without = CMN(4, random_state=0, pretraining=None, **options).fit(X)
    assert without.pretraining_curve_ == []
    assert np.abs(without.user_factors_).max() <= 0.02 + 1e-6
    np.testing.assert_allclose(  # the external ones are not pretrained
        half.external_factors_, without.external_factors_, rtol=1e-5
    )


def test_the_loss_of_the_pretraining(X):
    net, batch = network(X)
    first = FirstMemories(net, torch.Generator().manual_seed(1)).double()
    m, e, w = (p.detach().numpy() for p in (net.user.weight, net.item.weight, first.weight))
    total = 0.0
    for user, item, negatives in zip(*batch[:3], strict=True):
        mine, *others = (max(0, w[0] @ (m[user] * e[k])) for k in (item, *negatives))
        total += sum(np.log1p(np.exp(other - mine)) for other in others)
    expected = total / 8 + 0.1 * (w**2).sum()
    assert first.loss(batch, 0.2).item() == pytest.approx(expected)


def test_steps_are_shortened_and_have_momentum():
    gradients = [np.array([30.0, -40.0]), np.array([0.3, 0.1]), np.array([0.0, 2.0])]
    parameter = torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))
    other = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))  # shortened on its own
    optimizer = ClippedRMSprop([parameter, other], lr=0.01)
    for gradient, expected in zip(gradients, clipped_rmsprop(gradients, 0.01), strict=True):
        parameter.grad, other.grad = torch.tensor(gradient), torch.full_like(other, 3.0)
        optimizer.step()
        np.testing.assert_allclose(parameter.detach(), expected, rtol=1e-5)
        assert float(other.grad) == pytest.approx(3.0)


def test_users_of_items_are_drawn_once(X):
    whole, some = CMN(4, **FAST).fit(X), CMN(4, max_neighbors=3, **FAST).fit(X)
    np.testing.assert_array_equal(whole.neighbors_.toarray(), (X.toarray() > 0).T)
    count = np.diff(whole.neighbors_.indptr)
    np.testing.assert_array_equal(np.diff(some.neighbors_.indptr), np.minimum(count, 3))
    assert not (some.neighbors_.toarray() > whole.neighbors_.toarray()).any()
    again = CMN(4, max_neighbors=3, **FAST).fit(X)
    np.testing.assert_array_equal(again.neighbors_.indices, some.neighbors_.indices)
    draws = [drawn_lists(X, 1, torch.Generator().manual_seed(s)).toarray() for s in range(400)]
    item = int(np.argmax(count))  # each user as often as any other
    share = np.mean(draws, axis=0)[item][whole.neighbors_.toarray()[item] > 0]
    np.testing.assert_allclose(share, 1 / count[item], atol=5 * np.sqrt(1 / count[item] / 400))


def test_folded_in_users_have_a_lower_objective(X, new):
    """Of the whole row with the negatives that count, and with the prior of the memories."""
    model = CMN(5, known_users="fold_in", **FAST).fit(X)
    hashes = row_hashes((new > 0) * 1.0)
    found, drawn = model.transform(new), model._drawn(new, hashes)
    parts = (model.weights_, model.user_factors_, model.external_factors_)
    neighbors = model.neighbors_.toarray()

    def total(u, m):
        mine = new.indices[new.indptr[u] : new.indptr[u + 1]]
        s = np.array([score(m, i, *parts, neighbors) for i in range(27)])
        margin = s[mine][:, None] - s[drawn[u]]
        away = m - model.user_mean_
        return 4 / 256 * np.log1p(np.exp(-margin)).sum() + away @ model.user_precision_ @ away / 2

    for u in range(3):
        assert total(u, found[u]) < total(u, model.user_mean_) - 1e-6
        steps = np.random.default_rng(u).normal(scale=0.1, size=(5, 5))
        assert min(total(u, found[u] + step) for step in steps) > total(u, found[u]) - 1e-3


def test_a_resumed_fit_knows_both_memories(X):
    model = CMN(4, warm_start=True, **FAST).fit(X[:40])
    before = model.user_factors_.copy(), model.external_factors_.copy()
    curve = list(model.pretraining_curve_)
    model.set_params(max_iter=1, learning_rate=1e-12).fit(X[::-1])
    n_new = X.shape[0] - 40
    np.testing.assert_allclose(model.user_factors_[n_new:], before[0][::-1], atol=1e-6)
    np.testing.assert_allclose(model.external_factors_[n_new:], before[1][::-1], atol=1e-6)
    mean = np.tile(before[1].mean(axis=0), (n_new, 1))
    np.testing.assert_allclose(model.external_factors_[:n_new], mean, atol=1e-6)
    assert model.pretraining_curve_ == curve
    assert model.neighbors_.shape == (27, X.shape[0])


@pytest.mark.cuda
def test_cuda_agrees(X, new):
    options = {"early_stopping": True, "max_neighbors": 8, "n_hops": 2} | FAST
    there, here = (CMN(6, device=device, **options).fit(X) for device in ("cuda", "cpu"))
    np.testing.assert_allclose(there.loss_curve_, here.loss_curve_, rtol=1e-3)
    on_cuda = there.decision_function(new)
    np.testing.assert_allclose(on_cuda, here.decision_function(new), rtol=1e-2, atol=1e-2)
    there.set_params(device="cpu")
    np.testing.assert_allclose(there.decision_function(new), on_cuda, rtol=1e-5, atol=1e-6)
