"""CDAE: its gradient, its negatives, known users and users who are folded in."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array, vstack
from sklearn.base import clone
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import skrec
from skrec._torch._fold_in import N_DRAWS
from skrec._torch._rows import DeviceRows
from skrec._torch._sampling import negatives, with_negatives
from skrec.autoencoder._cdae import CDAE
from skrec.datasets import make_interactions
from skrec.utils._hashing import keyed_negatives, row_hashes
from tests.problems import drawing_from
from tests.reference.cdae import ACTIVATIONS, loss_and_gradients, node_objective

EVERY = pytest.mark.parametrize("activation", ["identity", "sigmoid", "tanh"])
BOTH = pytest.mark.parametrize("loss", ["logistic", "square"])


def cdae(**options):
    small = {"max_iter": 15, "batch_size": 32, "learning_rate": 0.01, "random_state": 0}
    plain = {"activation": "sigmoid", "dropout": 0.2, "normalize": False, "alpha": 1e-4}
    return CDAE(6, **{**small, **plain, **options})


@pytest.fixture(scope="module")
def X():
    return make_interactions(150, 40, random_state=0, return_X=True)


@pytest.fixture(scope="module")
def new():
    """Rows that are not among those of X."""
    return make_interactions(30, 40, random_state=1, return_X=True)


def rows_of(X, dtype=torch.float32):
    return DeviceRows(X, "cpu", dtype=dtype).everything()


@pytest.mark.parametrize("normalize", [False, True])
@EVERY
@BOTH
def test_gradient_equals_numpy(activation, loss, normalize, X):
    X = X[:9]
    X.data[:] = 1
    options = {"activation": activation, "loss": loss, "normalize": normalize}
    model = cdae(dropout=0.3, **options).fit(X)
    torch.manual_seed(0)
    module = model._build_module((9, 40), drawing_from(torch.Generator().manual_seed(1))).double()
    weight = np.linspace(0, 2, 9)
    batch = DeviceRows(X, "cpu", dtype=torch.float64, weight=weight).everything()
    model._loss(module, batch, 0, torch.Generator().manual_seed(7)).backward()
    value = model._loss(module, batch, 0, torch.Generator().manual_seed(7)).item()

    generator = torch.Generator().manual_seed(7)  # the same draws: negatives, then dropout
    entries = with_negatives(batch, 40, 5, generator)
    kept = torch.empty(X.nnz, dtype=torch.float64).bernoulli_(0.7, generator=generator)
    inputs = X.toarray()
    inputs[batch.row, batch.column] = kept / 0.7
    if normalize:
        inputs /= np.sqrt(X.sum(1))[:, None]
    assert 0 < (kept == 0).sum() < X.nnz
    times = np.zeros(X.shape)
    np.add.at(times, (entries.row.numpy(), entries.column.numpy()), 1)
    weights = {name: w.detach().numpy() for name, w in module.state_dict().items()}
    expected, gradients = loss_and_gradients(
        weights, inputs, times, X.toarray(), weight, activation, loss
    )
    assert value == pytest.approx(expected, rel=1e-12)
    for name, parameter in module.named_parameters():
        np.testing.assert_allclose(parameter.grad, gradients[name], rtol=1e-9, atol=1e-13)


def test_negatives_are_unseen_and_uniform():
    X = csr_array(np.array([[1, 0, 0, 1, 0, 1], [0] * 6, [1] * 6, [0, 1, 0, 0, 0, 0]]))
    rows = rows_of(X)
    row, column = negatives(rows, 6, 4000, torch.Generator().manual_seed(0))
    assert (np.diff(row) >= 0).all()
    times = np.zeros(X.shape)
    np.add.at(times, (row.numpy(), column.numpy()), 1)
    # 3 items of 4,000 draws among 3 others; none; all, so that nothing is left; 1 among 5.
    expected = np.array([[0, 4, 4, 0, 4, 0], [0] * 6, [0] * 6, [0.8, 0, 0.8, 0.8, 0.8, 0.8]])
    expected *= 1000
    np.testing.assert_array_equal(times > 0, expected > 0)
    assert (np.abs(times - expected) <= 5 * np.sqrt(expected)).all()


def test_entries_stand_in_their_rows(X):
    rows = rows_of(X)
    entries = with_negatives(rows, 40, 2, torch.Generator().manual_seed(0))
    first = np.append(entries.start, len(entries.row))
    for u in range(X.shape[0]):
        mine = slice(first[u], first[u + 1])
        seen = X.indices[X.indptr[u] : X.indptr[u + 1]]
        assert (entries.row[mine] == u).all()
        np.testing.assert_array_equal(entries.column[mine][: len(seen)], seen)
        assert not np.isin(entries.column[mine][len(seen) :], seen).any()
        np.testing.assert_array_equal(
            entries.target[mine], np.repeat([1, 0], [len(seen), 2 * len(seen)])
        )


@EVERY
@BOTH
def test_learns(activation, loss, X, new):
    model = cdae(activation=activation, loss=loss, max_iter=60).fit(X)
    assert model.loss_curve_[-1] < 0.8 * model.loss_curve_[0]
    assert len(model.loss_curve_) == model.n_iter_ == 60
    popular = skrec.dummy.DummyRecommender().fit(X)
    assert model.score(X) > 1.1 * popular.score(X)
    assert model.score(new) > popular.score(new)


def test_same_seed_same_bits(X, new):
    one, two, other = cdae().fit(X), cdae().fit(X), cdae(random_state=1).fit(X)
    for name, value in one.weights_.items():
        np.testing.assert_array_equal(value, two.weights_[name])
        assert value.dtype == np.float32
    np.testing.assert_array_equal(one.user_factors_, two.user_factors_)
    np.testing.assert_array_equal(one.decision_function(new), two.decision_function(new))
    assert one.loss_curve_ == two.loss_curve_ != other.loss_curve_


def test_nothing_is_as_large_as_the_scores_of_a_batch():
    """No tensor of the loss or its gradient has batch x n_items or n_users x n_items."""
    items = np.random.default_rng(0).integers(3000, size=1200)
    X = csr_array((np.ones(1200), (np.arange(1200) // 4, items)), shape=(300, 3000))
    model = cdae(batch_size=100, max_iter=1)
    largest = [0]

    class Sizes(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            out = function(*args, **(kwargs or {}))
            sizes = [t.numel() for t in tree_leaves(out) if isinstance(t, torch.Tensor)]
            largest[0] = max(largest[0], *sizes, 0)
            return out

    with Sizes():
        model.fit(X)
    assert 3000 * 6 <= largest[0] < 100 * 3000 / 4


@EVERY
def test_known_users_have_their_nodes(activation, X):
    model = cdae(activation=activation).fit(X)
    w, h = model.weights_, ACTIVATIONS[activation][0]
    some = np.array([7, 3, 99])
    inner = (X[some].toarray() > 0) @ w["first.weight"] + w["first.bias"]
    hidden = h((inner + model.user_factors_[some]).astype(np.float64))
    np.testing.assert_allclose(model.transform(X[some]), hidden, rtol=1e-5)
    # The items of a row are what matters, not their values.
    np.testing.assert_array_equal(model.transform(X[some] * 3.5), model.transform(X[some]))
    scores = hidden @ w["last.weight"].T + w["last.bias"]
    np.testing.assert_allclose(model.decision_function(X[some]), scores, rtol=1e-5, atol=1e-5)
    folded = model.set_params(known_users="fold_in").transform(X[some])
    assert np.abs(folded - hidden).max() > 1e-3


@pytest.mark.parametrize("normalize", [False, True])
@EVERY
@BOTH
def test_fold_in_is_stationary(activation, loss, normalize, X, new):
    options = {"activation": activation, "loss": loss, "normalize": normalize}
    model = cdae(max_iter=60, alpha=3e-3, **options).fit(X)
    new = (new > 0).astype(np.float64)
    nodes = model._vectors(new)
    drawn = keyed_negatives(new, N_DRAWS, model.seed_, hashes=row_hashes(new))
    weights = {name: value.astype(np.float64) for name, value in model.weights_.items()}
    options = (5, activation, loss, 3e-3 * X.shape[0])
    rng = np.random.default_rng(0)
    first_weight = weights["first.weight"]
    for node, row, mine in zip(nodes, new.toarray(), drawn, strict=True):
        if normalize:
            weights["first.weight"] = first_weight / np.sqrt(max(row.sum(), 1))
        value, slope = node_objective(node, weights, row, mine, *options)
        at_zero, first = node_objective(np.zeros(6), weights, row, mine, *options)
        assert np.abs(slope).max() < 1e-8 * np.abs(first).max()
        assert value < at_zero
        for step in rng.normal(scale=1e-2, size=(5, 6)):
            assert node_objective(node + step, weights, row, mine, *options)[0] > value


def test_normalized_rows_score_as_the_network_says(X):
    model = cdae(normalize=True, known_users="fold_in").fit(X)
    w = {name: value.astype(np.float64) for name, value in model.weights_.items()}
    some = (X[:5].toarray() > 0) * 1.0
    nodes = model._vectors(csr_array(some))
    inner = some / np.sqrt(some.sum(1))[:, None] @ w["first.weight"] + w["first.bias"]
    hidden = ACTIVATIONS["sigmoid"][0](inner + nodes)
    np.testing.assert_allclose(model.transform(some), hidden, rtol=1e-9)
    assert (
        np.abs(model.transform(some) - model.set_params(normalize=False).transform(some)).max()
        > 1e-3
    )


def test_square_loss_folds_in_by_ridge_regression(X, new):
    model = cdae(activation="identity", loss="square", alpha=2e-3).fit(X)
    w = {name: value.astype(np.float64) for name, value in model.weights_.items()}
    drawn = keyed_negatives(new, N_DRAWS, model.seed_, hashes=row_hashes((new > 0) * 1.0))
    for u in range(5):
        row = (new[[u]].toarray()[0] > 0) * 1.0
        share = row.copy()
        np.add.at(share, drawn[u], row.sum() * 5 / N_DRAWS)
        inner = row @ w["first.weight"] + w["first.bias"]
        gram = (w["last.weight"].T * share) @ w["last.weight"]
        missing = row - w["last.bias"] - w["last.weight"] @ inner
        right = (w["last.weight"].T * share) @ missing
        node = np.linalg.solve(gram + 2e-3 * 150 * np.eye(6), right)
        np.testing.assert_allclose(model.transform(new[[u]])[0], inner + node, rtol=1e-8)


def test_rows_alone_and_together(X, new):
    model = cdae(max_iter=40).fit(X)
    both = vstack([new, X[:5], csr_array((1, 40)), csr_array(np.ones((1, 40)))]).tocsr()
    whole = model.decision_function(both)
    alone = np.vstack([model.decision_function(both[[i]]) for i in range(37)])
    np.testing.assert_allclose(alone, whole, rtol=1e-9, atol=1e-11)
    turned = model.decision_function(both[::-1])[::-1]
    np.testing.assert_allclose(turned, whole, rtol=1e-9, atol=1e-11)
    assert np.isfinite(whole).all()
    single = model.decision_function(both.astype(np.float32))
    np.testing.assert_allclose(single, whole, rtol=1e-4, atol=1e-4)


def test_users_without_items_have_no_node(X):
    model = cdae().fit(vstack([csr_array((2, 40)), X]).tocsr())
    np.testing.assert_array_equal(model.user_factors_[:2], 0)
    assert np.abs(model.user_factors_[2:]).max(axis=1).min() > 0
    w = model.weights_
    empty = 1 / (1 + np.exp(-w["first.bias"]))
    for known_users in ("match", "fold_in"):
        found = model.set_params(known_users=known_users).transform(csr_array((1, 40)))[0]
        np.testing.assert_allclose(found, empty, rtol=1e-6)


def test_without_penalty_scores_are_finite(X, new):
    model = cdae(alpha=0.0).fit(X)
    assert np.isfinite(model.decision_function(new)).all()


def test_penalty_shrinks_nodes(X):
    free, tied = cdae(alpha=1e-4, max_iter=60).fit(X), cdae(alpha=0.1, max_iter=60).fit(X)
    assert np.linalg.norm(tied.user_factors_) < 0.3 * np.linalg.norm(free.user_factors_)
    folded = [m.set_params(known_users="fold_in") for m in (free, tied)]
    at_zero = [clone(m).set_params(max_iter=1, alpha=1e9).fit(X) for m in folded]
    for model in at_zero:  # whoever is folded in under a huge penalty has no node
        w = model.weights_
        inner = (X.toarray() > 0) @ w["first.weight"] + w["first.bias"]
        np.testing.assert_allclose(model.transform(X), 1 / (1 + np.exp(-inner)), rtol=1e-5)


def test_warm_start_goes_on(X, new):
    X = X[np.sort(np.unique(row_hashes(X), axis=0, return_index=True)[1])]  # no row twice
    model = cdae(warm_start=True, max_iter=40).fit(X)
    first = model.loss_curve_[-1]
    nodes = model.user_factors_.copy()
    model.set_params(max_iter=1, learning_rate=1e-6).fit(X[::-1])
    assert model.n_iter_ == len(model.loss_curve_) == 41
    assert model.loss_curve_[-1] < 1.1 * first
    np.testing.assert_allclose(model.user_factors_[::-1], nodes, atol=1e-4)
    known, folded = model.transform(X), model.transform(new)
    model.fit(vstack([new, X]).tocsr())  # new users begin folded in
    np.testing.assert_allclose(model.transform(new), folded, atol=1e-3)
    np.testing.assert_allclose(model.transform(X), known, atol=1e-3)
    assert cdae().fit(X).fit(X).n_iter_ == 15


def test_early_stopping_keeps_the_best(X):
    model = cdae(early_stopping=True, max_iter=100, n_iter_no_change=2, validation_fraction=0.2)
    model.fit(X)
    assert model.n_iter_ == len(model.validation_scores_) < 100
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert len(model.user_factors_) == len(model.user_hashes_) == 150
    assert np.isfinite(model.decision_function(X)).all()


def test_divergence_is_told(X):
    with pytest.raises(ValueError, match="learning_rate=1e"):
        cdae(learning_rate=1e30, activation="identity", loss="square").fit(X)


def test_saves(X, new, tmp_path):
    model = cdae().fit(X)
    skrec.save(model, tmp_path / "model.skops")
    loaded = skrec.load(tmp_path / "model.skops")
    both = vstack([X, new]).tocsr()
    np.testing.assert_array_equal(loaded.decision_function(both), model.decision_function(both))
    assert list(model.get_feature_names_out()) == [f"cdae{i}" for i in range(6)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_components", 0),
        ("activation", "relu"),
        ("loss", "multinomial"),
        ("dropout", 1.0),
        ("n_negatives", 0),
        ("alpha", -1),
        ("known_users", "fold"),
        ("learning_rate", 0),
    ],
)
def test_bad_parameters(name, value, X):
    with pytest.raises(ValueError, match=name):
        cdae().set_params(**{name: value}).fit(X)


@pytest.mark.cuda
@pytest.mark.usefixtures("host_noise")
@EVERY
@BOTH
def test_cuda_agrees(activation, loss, X, new):
    options = {"activation": activation, "loss": loss}
    there, here = cdae(device="cuda", **options).fit(X), cdae(device="cpu", **options).fit(X)
    np.testing.assert_allclose(there.loss_curve_, here.loss_curve_, rtol=1e-3)
    on_cuda = there.decision_function(new)
    np.testing.assert_allclose(on_cuda, here.decision_function(new), rtol=1e-2, atol=1e-2)
    there.set_params(device="cpu")
    np.testing.assert_allclose(there.decision_function(new), on_cuda, rtol=1e-8, atol=1e-9)
