"""YouTubeRecommender against its objective written out, and what follows from it."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array, hstack, vstack

from skrec._loss import _shared_negatives
from skrec._loss._shared_negatives import cosine_contrastive, shared_softmax, unit
from skrec._torch._rows import DeviceRows
from skrec._torch._shared_negatives import SharedNegatives, seen_places
from skrec.datasets import make_interactions
from skrec.dummy import DummyRecommender
from skrec.neural_network import YouTubeRecommender
from tests.reference.youtube import cosine_loss, softmax_loss, user_vector

CCL = "cosine_contrastive"
SMALL = {"n_components": 6, "max_iter": 3, "batch_size": 16, "device": "cpu", "random_state": 0}


@pytest.fixture(scope="module")
def X():
    X = make_interactions(60, 30, 700, random_state=0, return_X=True)
    single = csr_array(([2.0], ([0], [4])), shape=(1, 30))
    return vstack([X, single, csr_array((1, 30))]).tocsr()


class Recorded(YouTubeRecommender):
    """Keeps the weights before each batch, the batch, the noise and the loss."""

    def _loss(self, module, batch, step, generator):
        state = {name: w.detach().numpy().copy() for name, w in module.named_parameters()}
        noise = torch.Generator()
        noise.set_state(generator.get_state())
        value = super()._loss(module, batch, step, generator)
        vars(self).setdefault("seen_", []).append((state, batch, noise, float(value.detach())))
        return value


CASES = [
    {"hidden_layer_sizes": (), "tied": True, "holdout": None},
    {"hidden_layer_sizes": (5,), "tied": True, "n_negatives": 12},
    {"hidden_layer_sizes": (5, 4), "tied": False, "n_negatives": 40, "negatives": "popularity"},
    {"hidden_layer_sizes": (5,), "tied": False, "holdout": None, "max_examples": 3},
    {"hidden_layer_sizes": (), "tied": True, "alpha": 0.3, "holdout": 0.3},
    {"hidden_layer_sizes": (), "tied": False, "alpha": 0.3, "max_examples": 4},
    {"hidden_layer_sizes": (), "tied": True, "loss": CCL, "n_negatives": 12, "margin": 0.2},
    {"hidden_layer_sizes": (5,), "tied": False, "loss": CCL, "holdout": None, "margin": 0.1},
]


@pytest.mark.parametrize("options", CASES, ids=lambda o: "-".join(map(str, o.values())))
def test_an_epoch_equals_numpy(X, options, monkeypatch):
    """The loss that an epoch meets, batch by batch, is the docstring's, example by example."""
    monkeypatch.setattr(_shared_negatives, "_N_OUTPUTS_CPU", 200)  # several blocks
    model = Recorded(**{**SMALL, "max_iter": 1, "learning_rate": 0.05, **options}).fit(X)
    n_examples = total = 0
    for state, batch, noise, value in model.seen_:
        found = [_loss(model, X, state, batch, place) for place in _examples(model, batch, noise)]
        n_examples, total = n_examples + batch.n_rows, total + batch.n_rows * value
        if found:
            assert value == pytest.approx(np.mean(found), rel=2e-5)
    assert model.loss_curve_[0] == pytest.approx(total / n_examples, rel=1e-5)
    if options.get("max_examples"):
        lengths = np.minimum(np.diff(X.indptr), options["max_examples"])
        assert n_examples == lengths.sum()
    else:
        assert n_examples == X.nnz


def _examples(model, batch, noise):
    """(entry, items of its bag) of each example."""
    rows = batch.rows
    kept = np.ones(len(rows.row), dtype=bool)
    if model.holdout is not None:
        kept = torch.rand(len(rows.row), generator=noise).numpy() >= model.holdout
    row, column = rows.row.numpy(), rows.column.numpy()
    for e in batch.chosen.tolist():
        if model.holdout is None or not kept[e]:
            others = (row == row[e]) & kept
            others[e] = False
            yield e, column[others]


def _loss(model, X, state, batch, place):
    e, bag = place
    rows, shared = batch.rows, batch.shared
    target, negatives = int(rows.column[e]), shared.items.tolist()
    x = user_vector(state, bag, len(model.hidden_layer_sizes), model.tied)
    if model.loss == CCL:
        mine = set(X[[int(rows.users[rows.row[e]])]].indices.tolist())
        loss = cosine_loss(state, x, target, negatives, mine, model.margin, model.negative_weight)
    else:
        log_count, log_expected = shared.log_count.tolist(), shared.log_expected.tolist()
        loss = softmax_loss(state, x, target, negatives, log_count, log_expected)
    for name in ("item.weight", "output.weight"):
        if name in state:
            loss += model.alpha / 2 * np.square(state[name][target].astype(float)).sum()
    return loss


def test_all_items_as_negatives_are_the_full_softmax(X):
    """Drawn with their expectation taken off, or not drawn: the same bits but for the draws."""
    n_present = int((np.bincount(X.indices, minlength=30) > 0).sum())
    options = {**SMALL, "hidden_layer_sizes": (7,), "tied": False, "alpha": 0.0}
    full = Recorded(**options).fit(X)
    drawn = Recorded(n_negatives=n_present, **options).fit(X)
    np.testing.assert_array_equal(full.weights_["item.weight"], drawn.weights_["item.weight"])
    state, batch, noise, value = full.seen_[0]
    found = []
    for e, bag in _examples(full, batch, noise):
        scores = state["output.weight"] @ user_vector(state, bag, 1, False) + state["bias"]
        found.append(np.log(np.exp(scores).sum()) - scores[int(batch.rows.column[e])])
    assert value == pytest.approx(np.mean(found), rel=1e-5)


@pytest.mark.parametrize("by_popularity", [False, True])
def test_draws_have_the_expectation_that_is_taken_off(by_popularity):
    popularity = np.array([0, 5, 1, 0, 30, 2, 1, 1, 0, 7])
    generator = torch.Generator().manual_seed(0)
    draws = SharedNegatives(popularity, 4, by_popularity, torch.device("cpu"), generator)
    count = np.zeros(10)
    for _ in range(3000):
        shared = draws()
        assert np.all(np.diff(shared.items.numpy()) > 0)
        count[shared.items.numpy()] += shared.log_count.exp().numpy()
    present = popularity > 0
    assert not count[~present].any()
    expected = shared.log_expected.exp().numpy()[present]
    np.testing.assert_allclose(count[present] / 3000, expected, atol=0.03)
    share = popularity[present] if by_popularity else np.ones(present.sum())
    np.testing.assert_allclose(expected, 4 * share / share.sum(), rtol=1e-5)


def test_slopes_are_those_of_finite_differences(monkeypatch):
    monkeypatch.setattr(_shared_negatives, "_N_OUTPUTS_CPU", 70 * 9)
    generator = torch.Generator().manual_seed(1)

    def normal(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    vectors, own, shared, offset = normal(80, 3), normal(200), normal(9, 3), normal(9)
    row = torch.randint(80, (200,), generator=generator).sort()[0]
    place = torch.randint(-1, 9, (200,), generator=generator)
    weight = normal(200).abs()
    inputs = [each.requires_grad_() for each in (vectors, own, shared, offset)]
    assert torch.autograd.gradcheck(
        lambda *some: shared_softmax(*some, row, place, weight), inputs, fast_mode=True
    )
    own = normal(200, 3).requires_grad_()
    seen, user = torch.rand(20, 9, generator=generator) < 0.3, torch.arange(80) // 4
    for margin in (0.1, 0.95):  # most and few above it
        options = {"margin": margin, "negative_weight": 3.0}

        def loss(*some, options=options):
            return cosine_contrastive(*some, row, seen, user, weight, **options)

        assert torch.autograd.gradcheck(loss, [vectors, own, shared], fast_mode=True)


def test_a_dense_and_a_sparse_product_of_slopes_agree(monkeypatch):
    generator = torch.Generator().manual_seed(1)
    vectors, shared = (unit(torch.randn(n, 4, generator=generator)) for n in (90, 50))
    seen, user = torch.zeros(90, 50, dtype=torch.bool), torch.arange(90)
    found = []
    for few in (0.0, 1.1):
        monkeypatch.setattr(_shared_negatives, "_FEW", few)
        inputs = [each.clone().requires_grad_() for each in (vectors, shared)]
        value = _shared_negatives.shared_hinge(*inputs, 0.8, seen, user, torch.ones(90))
        value.backward()
        found.append([value.detach(), *(each.grad for each in inputs)])
    for one, two in zip(*found, strict=True):
        torch.testing.assert_close(one, two)


def test_the_zero_vector_has_a_cosine_and_a_slope():
    vectors = torch.zeros(2, 3, requires_grad=True)
    unit(vectors)[:, 0].sum().backward()
    assert not unit(vectors).any()
    assert torch.isfinite(vectors.grad).all()


def test_seen_places_are_those_of_the_rows(X):
    rows = DeviceRows(X, "cpu").everything()
    shared = SharedNegatives(np.ones(30, int), 11, False, "cpu", torch.Generator().manual_seed(0))()
    np.testing.assert_array_equal(
        seen_places(rows, shared).numpy(), X.toarray()[:, shared.items.numpy()] > 0
    )


@pytest.mark.parametrize("loss", ["softmax", CCL])
@pytest.mark.parametrize("solver", ["adam", "sparse_adam"])
def test_learns_and_scores_any_row(loss, solver, X):
    options = {"margin": 0.5, "negative_weight": 5.0, "n_negatives": 20} if loss == CCL else {}
    model = YouTubeRecommender(
        (), tied=True, loss=loss, solver=solver,
        **{**SMALL, "max_iter": 15, "learning_rate": 0.03, **options},
    ).fit(X)  # fmt: skip
    assert model.loss_curve_[-1] < 0.98 * model.loss_curve_[0]
    again = YouTubeRecommender(**model.get_params()).fit(X)
    np.testing.assert_array_equal(again.weights_["item.weight"], model.weights_["item.weight"])
    odd = vstack([X[:4], csr_array((1, 30)), csr_array(np.ones((1, 30)))]).tocsr()
    scores = model.decision_function(odd)
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(model.decision_function(9 * odd), scores)
    Z = model.weights_["item.weight"].astype(float)
    x = np.stack([user_vector(model.weights_, row, 0, True) for row in (odd[[0]].indices,)])
    if loss == CCL:
        x, Z = (V / np.maximum(np.linalg.norm(V, axis=1, keepdims=True), 1e-30) for V in (x, Z))
        np.testing.assert_allclose(scores[0], Z @ x[0], atol=1e-6)
        popularity = np.bincount(X.indices, minlength=30)
        np.testing.assert_allclose(scores[4], popularity / popularity.max(), rtol=1e-6)
    else:
        np.testing.assert_allclose(scores[0], Z @ x[0] + model.weights_["bias"], rtol=1e-5)
        np.testing.assert_allclose(scores[4], model.weights_["bias"], rtol=1e-6)
    np.testing.assert_allclose(model.transform(odd)[0], x[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("loss", ["softmax", CCL])
def test_ranks_better_than_popularity(loss):
    X = make_interactions(300, 100, 6000, random_state=0, return_X=True)
    options = {"negative_weight": 20.0, "n_negatives": 64} if loss == CCL else {}
    model = YouTubeRecommender(
        (), tied=True, n_components=16, loss=loss, learning_rate=0.01, max_iter=30,
        batch_size=20, device="cpu", random_state=0, **options,
    ).fit(X)  # fmt: skip
    assert model.score(X) > DummyRecommender().fit(X).score(X) + 0.05


@pytest.mark.parametrize("loss", ["softmax", CCL])
def test_items_without_users_teach_nothing(loss, X):
    """Empty columns at the end change no other weight, whatever is drawn."""
    wide = hstack([X, csr_array((X.shape[0], 7))]).tocsr()
    for n_negatives in (None, 9):
        options = {**SMALL, "loss": loss, "n_negatives": n_negatives, "hidden_layer_sizes": (5,)}
        options["tied"] = False
        one, two = (YouTubeRecommender(**options).fit(matrix) for matrix in (X, wide))
        for name in ("item.weight", "output.weight"):
            np.testing.assert_allclose(
                two.weights_[name][:30], one.weights_[name], rtol=1e-3, atol=1e-6
            )
            assert not two.weights_[name][30:].any()


def test_weights_of_users_are_repetitions_in_the_mean(X):
    """A user of weight zero teaches nothing."""
    X = X[:-2]
    weight = np.ones(X.shape[0])
    weight[::2] = 0
    options = {**SMALL, "batch_size": 100, "holdout": None, "hidden_layer_sizes": ()}
    model = Recorded(**options, tied=True)
    model._fit_weighted(X, weight)
    state, batch, noise, value = model.seen_[0]
    found = [
        (2 - 2 * (int(batch.rows.users[batch.rows.row[e]]) % 2 == 0))
        * _loss(model, X, state, batch, (e, bag))
        for e, bag in _examples(model, batch, noise)
    ]
    assert value == pytest.approx(np.mean(found), rel=1e-5)


@pytest.mark.cuda
@pytest.mark.usefixtures("host_noise")
@pytest.mark.parametrize("loss", ["softmax", CCL])
def test_cuda_agrees_with_the_cpu(loss, X):
    options = {**SMALL, "loss": loss, "n_negatives": 12, "margin": 0.3, "max_iter": 2}
    models = [
        YouTubeRecommender((5,), **{**options, "device": device}).fit(X)
        for device in ("cpu", "cuda")
    ]
    np.testing.assert_allclose(models[0].loss_curve_, models[1].loss_curve_, rtol=1e-3)
    np.testing.assert_allclose(
        models[1].decision_function(X),
        models[1].set_params(device="cpu").decision_function(X),
        rtol=1e-4, atol=1e-4,
    )  # fmt: skip
