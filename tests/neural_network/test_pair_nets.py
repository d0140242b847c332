"""MLPRecommender and NeuMF: the kernel against torch and NumPy, pretraining, new users."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, KFold

import skrec
from skrec._torch._learned_users import LearnedUserRecommender
from skrec.datasets import make_interactions
from skrec.dummy import DummyRecommender
from skrec.metrics import make_ranking_scorer
from skrec.neural_network import GMF, MLPRecommender, NeuMF, _pair_recommender
from skrec.neural_network._pair_net import PairNet
from skrec.neural_network._pair_table_kernels import Table, catch_up_all, moves_ahead
from skrec.utils._hashing import row_hashes
from skrec.utils._sparse import pattern

LOSSES = ["logistic", "square", "bpr", "hinge", "softmax"]
EACH = pytest.mark.parametrize("make", [MLPRecommender, NeuMF], ids=lambda make: make.__name__)


@pytest.fixture(scope="module")
def X():
    return make_interactions(80, 30, 900, random_state=0, return_X=True)


@pytest.fixture(scope="module")
def new():
    return make_interactions(20, 30, 200, random_state=1, return_X=True)


@pytest.fixture(scope="module")
def parts(X):
    """A GMF and a perceptron that have learned from X."""
    options = {"max_iter": 5, "learning_rate": 0.02, "random_state": 0}
    mlp = MLPRecommender(6, hidden_layer_sizes=(8, 5), **options)
    return GMF(4, **options).fit(X), mlp.fit(X)


def like(parts, **options):
    """A NeuMF that can begin with the parts."""
    sizes = {"hidden_layer_sizes": (8, 5), "n_mlp_components": 6}
    return NeuMF(4, **sizes, pretrained=parts, **options)


class BySteps(NeuMF):
    """The same without its kernel: torch makes the steps on the CPU, too."""

    _by_kernel = False


BySteps.__name__ = "NeuMF"


@EACH
def test_scores_are_those_of_the_paper(make, X):
    """Written with both vectors side by side, for each pair."""
    model = make(4, hidden_layer_sizes=(8, 5), max_iter=1, random_state=0).fit(X)
    w = {name: value.astype(float) for name, value in model.weights_.items()}
    split = 0 if make is MLPRecommender else 4
    scores = model.decision_function(X)
    first = np.hstack([w["from_user.weight"], w["from_item.weight"]])
    for u, i in [(0, 0), (3, 29), (79, 11)]:
        p, q = model.user_factors_[u].astype(float), w["item.weight"][i]
        z = np.maximum(0, first @ np.append(p[split:], q[split:]) + w["from_item.bias"])
        z = np.maximum(0, w["hidden.0.weight"] @ z + w["hidden.0.bias"])
        last = np.append(p[:split] * q[:split], z)
        expected = w["output.weight"][0] @ last + w["output.bias"][0]
        assert scores[u, i] == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    ("loss", "solver", "alpha"),
    [
        *((loss, "adam", 0.05) for loss in LOSSES),
        ("logistic", "adam", 0.0),
        ("bpr", "sparse_adam", 0.05),
        ("square", "sgd", 0.0),
    ],
)
def test_the_kernel_makes_the_steps_of_torch(X, loss, solver, alpha):
    """From the same draws; the last batch is not full."""
    options = {
        "loss": loss, "solver": solver, "alpha": alpha, "batch_size": 37, "max_iter": 2,
        "hidden_layer_sizes": (8, 5), "n_mlp_components": 6, "random_state": 0, "device": "cpu",
        "learning_rate": 0.1 if solver == "sgd" else 0.005,
    }  # fmt: skip
    kernel, steps = (make(4, **options).fit(X) for make in (NeuMF, BySteps))
    np.testing.assert_allclose(kernel.loss_curve_, steps.loss_curve_, rtol=1e-4)
    if loss == "hinge":  # a margin that rounding moves across the kink has another slope
        return
    np.testing.assert_allclose(kernel.user_factors_, steps.user_factors_, atol=5e-3)
    of_one = ["output.bias"] if loss in ("bpr", "softmax") else []  # differences do not tell it
    for name in kernel.weights_.keys() - of_one:
        found, expected = kernel.weights_[name], steps.weights_[name]
        np.testing.assert_allclose(found, expected, atol=5e-3, err_msg=name)


def test_weights_of_users_are_those_of_the_loss(X):
    weight = np.random.default_rng(0).integers(0, 3, X.shape[0]).astype(float)
    options = {"batch_size": 50, "max_iter": 1, "random_state": 0, "device": "cpu"}
    kernel, steps = (make(4, **options)._fit_weighted(X, weight) for make in (NeuMF, BySteps))
    np.testing.assert_allclose(kernel.loss_curve_, steps.loss_curve_, rtol=1e-5)


@pytest.mark.parametrize("start", [1, 7, 30_000])
def test_what_a_row_misses_is_what_adam_would_have_done(start):
    rng = np.random.default_rng(0)
    w, m = rng.normal(size=(3, 5)), rng.normal(size=(3, 5))
    v = rng.uniform(0.1, 2, size=(3, 5))
    rows, mean, square = (part.astype(np.float32) for part in (w, m, v))
    seen = np.array([start, start + 40, 0])  # the last has not been read yet
    for row in range(2):
        for step in range(seen[row] + 1, start + 200):
            m[row] *= 0.9
            v[row] *= 0.999
            unbiased = m[row] / (1 - 0.9**step), v[row] / (1 - 0.999**step)
            w[row] -= 0.01 * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8)
    table = Table(rows, mean, square, seen.copy(), np.full(3, -1, np.int32))
    catch_up_all(table, start + 199, 0.01, moves_ahead())
    np.testing.assert_allclose(rows, w, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(mean, m, rtol=1e-4, atol=1e-30)
    np.testing.assert_allclose(square, v, rtol=1e-5)
    assert (table.seen == start + 199).all()


def test_runs_of_the_kernel_are_no_boundaries(X, monkeypatch):
    options = {"batch_size": 20, "max_iter": 2, "random_state": 0, "device": "cpu"}
    whole = NeuMF(4, **options).fit(X)
    monkeypatch.setattr(_pair_recommender, "_RUN", 50)
    cut = NeuMF(4, **options).fit(X)
    np.testing.assert_allclose(cut.loss_curve_, whole.loss_curve_, rtol=1e-5)
    np.testing.assert_allclose(cut.user_factors_, whole.user_factors_, atol=1e-3)


@EACH
def test_same_seed_same_bits_and_better_than_popularity(make, X):
    options = {"max_iter": 40, "learning_rate": 0.005, "batch_size": 32, "random_state": 0}
    options["hidden_layer_sizes"] = (16, 8)
    one, two = make(8, **options).fit(X), make(8, **options).fit(X)
    np.testing.assert_array_equal(one.decision_function(X), two.decision_function(X))
    assert one.loss_curve_ == two.loss_curve_
    assert one.loss_curve_[-1] < 0.6 * one.loss_curve_[0]
    assert make is MLPRecommender or one.score(X) > DummyRecommender().fit(X).score(X)


@EACH
def test_scores_in_parts_are_those_of_the_whole(make, X, monkeypatch):
    model = make(4, hidden_layer_sizes=(8, 5), max_iter=1, random_state=0).fit(X)
    scores = model.decision_function(X)
    monkeypatch.setattr(_pair_recommender, "_N_HIDDEN", 1)
    np.testing.assert_allclose(model.decision_function(X), scores, rtol=1e-12)
    np.testing.assert_allclose(model.decision_function(X[7:8]), scores[7:8], rtol=1e-12)
    item = torch.arange(30)[None]
    with torch.inference_mode():
        module = model._module(torch.float64, "cpu")
        vector = torch.from_numpy(model.user_factors_[:1].astype(float))
        expected = module(vector, item).numpy()
    np.testing.assert_allclose(scores[:1], expected, rtol=1e-10)


@pytest.mark.parametrize("loss", LOSSES)
def test_users_are_folded_in_as_by_autograd(loss, X, new, parts):
    alpha = 0.01 if loss == "bpr" else 0.0
    options = {"alpha": alpha, "learning_rate": 0.001, "max_iter": 1, "random_state": 0}
    model = like(parts, loss=loss, **options).fit(X)
    rows = pattern(new, dtype=float)
    hashes = row_hashes(rows)
    found = model._fold_in(rows, hashes)
    expected = LearnedUserRecommender._fold_in(model, rows, hashes)
    np.testing.assert_allclose(found, expected, atol=2e-4)
    assert np.abs(expected - expected[0]).max() > 0.01
    alone = np.vstack([model._fold_in(rows[[u]], hashes[[u]]) for u in range(5)])
    np.testing.assert_array_equal(alone, found[:5])


def test_pretraining_gives_the_mean_of_the_two_outputs(X, parts):
    """Before any step; the one that a fit must make moves nothing here."""
    model = like(parts, learning_rate=1e-30, max_iter=1, random_state=0).fit(X[::-1])
    taught = X[np.diff(X.indptr) < X.shape[1]]
    gmf, mlp = (part.decision_function(taught) for part in parts)
    np.testing.assert_allclose(model.decision_function(taught), (gmf + mlp) / 2, rtol=1e-6)
    assert model.loss_curve_[0] < NeuMF(4, max_iter=1, random_state=0).fit(X).loss_curve_[0]


def test_what_is_pretrained_goes_on_by_plain_steps(X, parts):
    """By Adam only where it is asked for."""
    options = {"max_iter": 2, "learning_rate": 0.01, "random_state": 0}
    found = {
        solver: like(parts, solver=solver, **options).fit(X).loss_curve_
        for solver in ("auto", "sgd", "adam")
    }
    assert found["auto"] == found["sgd"] != found["adam"]
    free = {solver: NeuMF(4, solver=solver, **options).fit(X) for solver in ("auto", "adam")}
    assert free["auto"].loss_curve_ == free["adam"].loss_curve_


def test_what_is_pretrained_stays_fitted(X, parts, tmp_path):
    model = like(parts, max_iter=1, random_state=0)
    expected = clone(model).fit(X).decision_function(X)
    frozen = tuple(FrozenEstimator(part) for part in parts)  # a search clones what it sets
    for same in (model, like(frozen, max_iter=1, random_state=0)):
        np.testing.assert_array_equal(clone(same).fit(X).decision_function(X), expected)
    search = GridSearchCV(
        model, {"learning_rate": [0.1, 1.0], "pretrained": [None, frozen]}, cv=KFold(2),
        scoring=make_ranking_scorer("ndcg@10"), error_score="raise",
    )  # fmt: skip
    assert np.isfinite(search.fit(X).best_score_)
    skrec.save(model.fit(X), tmp_path / "model")
    loaded = skrec.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.decision_function(X), expected)
    np.testing.assert_array_equal(loaded.fit(X).decision_function(X), expected)


def test_early_stopping_and_resuming_with_what_is_pretrained(X, new, parts):
    options = {"max_iter": 2, "early_stopping": True, "validation_fraction": 0.3}
    model = like(parts, warm_start=True, random_state=0, **options).fit(X)
    assert len(model.validation_scores_) == 2
    model.fit(new)  # other users: the parts are not asked for again
    assert model.n_iter_ == 4


def test_models_that_do_not_fit_are_refused(X, new, parts):
    gmf, mlp = parts
    other = clone(mlp).set_params(n_components=7).fit(X)
    for pretrained, message in [
        ((clone(gmf), mlp), "fit both to the X of NeuMF first"),
        ((clone(gmf).fit(X[:, :20]), mlp), "with 20 items and X with 30"),
        ((gmf, clone(mlp).fit(X[:40])), "has not seen 36 of 80 rows"),
        ((clone(gmf).set_params(n_components=3).fit(X), mlp), "n_components is 4, .* is 3"),
        ((gmf, other), "n_mlp_components is 6, .* is 7"),
        ((mlp, gmf), "a tuple of a fitted GMF and a fitted MLPRecommender. Got"),
        ((gmf,), "a tuple of a fitted GMF"),
    ]:
        with pytest.raises(ValueError, match=message):
            like(pretrained).fit(X)
    with pytest.raises(ValueError, match=r"hidden_layer_sizes is \(8,\), .* is \(8, 5\)"):
        like(parts).set_params(hidden_layer_sizes=(8,)).fit(X)
    with pytest.raises(ValueError, match="has not seen 19 of 20 rows"):
        like(parts).fit(new)


def test_first_weights_are_those_of_the_authors():
    X = make_interactions(400, 300, 5000, random_state=0, return_X=True)
    model = NeuMF(64, hidden_layer_sizes=(128, 64), learning_rate=1e-30, max_iter=1, random_state=0)
    model.fit(X)
    w = model.weights_
    assert w["item.weight"][model.item_has_users_].std() == pytest.approx(0.01, rel=0.05)
    for names, limit in [
        (("from_user.weight", "from_item.weight"), (6 / (256 + 128)) ** 0.5),
        (("hidden.0.weight",), (6 / (128 + 64)) ** 0.5),
        (("output.weight",), (3 / 128) ** 0.5),
    ]:
        for name in names:
            assert np.abs(w[name]).max() == pytest.approx(limit, rel=0.05)
            assert w[name].std() == pytest.approx(limit / 3**0.5, rel=0.15)
    for name in ("from_item.bias", "hidden.0.bias", "output.bias"):
        np.testing.assert_allclose(w[name], 0, atol=1e-20)


def test_gradients_of_the_network_are_those_of_differences():
    torch.manual_seed(0)
    module = PairNet(3, 5, 2, 3, (4, 3)).double()
    item = torch.tensor([[0, 1, 4], [2, 3, 1]])
    vector = torch.randn(2, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: module(x, item), vector)


@pytest.mark.cuda
@pytest.mark.parametrize("solver", ["adam", "sparse_adam", "sgd"])
def test_cuda_agrees(solver, X, new, parts):
    options = {"solver": solver, "max_iter": 3, "early_stopping": True, "random_state": 0}
    there, here = (like(parts, device=device, **options).fit(X) for device in ("cuda", "cpu"))
    np.testing.assert_allclose(there.loss_curve_, here.loss_curve_, rtol=1e-3)
    on_cuda = there.decision_function(new)
    np.testing.assert_allclose(on_cuda, here.decision_function(new), rtol=1e-2, atol=1e-2)
    there.set_params(device="cpu")
    np.testing.assert_allclose(there.decision_function(new), on_cuda, rtol=1e-2, atol=1e-2)


def test_few_interactions_get_many_epochs(X):
    found = {n: NeuMF()._n_epochs(SimpleNamespace(nnz=n)) for n in (0, 1, 10**4, 10**6, 10**9)}
    assert found == {0: 60, 1: 60, 10**4: 44, 10**6: 7, 10**9: 1}
    model = NeuMF(4, hidden_layer_sizes=(4,), random_state=0).fit(X)
    assert model.n_iter_ == len(model.loss_curve_) == 60
    assert clone(model).set_params(max_iter=2).fit(X).n_iter_ == 2
    with pytest.raises(ValueError, match="max_iter"):
        NeuMF(max_iter="many").fit(X)
