"""Recommenders with a vector of each training user, written by a module and `_build_module`."""

import inspect

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array, vstack
from sklearn.base import clone
from torch import nn

import skrec
from skrec._evaluation._entries import held_out_counts, lowest_of_rows, select_entries
from skrec._torch._estimator import HOOKS, TorchRecommender
from skrec._torch._learned_users import (
    FACTOR_HOOKS,
    LEARNED_USER_HOOKS,
    PAIR_RULES,
    FactorRecommender,
    LearnedUserRecommender,
    first_rows,
    has_users,
)
from skrec.base import BaseRecommender
from skrec.content import VBPR
from skrec.datasets import make_interactions
from skrec.metrics import evaluate
from skrec.neural_network import GMF
from skrec.utils import all_recommenders
from skrec.utils._hashing import keyed_entry_words, keyed_negatives, row_hashes
from skrec.utils._known_users import LearnedUsersMixin
from skrec.utils.estimator_checks import check_recommender


class PerceptronNet(nn.Module):
    """A perceptron over a user's and an item's vector side by side, as in NeuMF."""

    def __init__(self, n_users, n_items):
        super().__init__()
        if n_users is not None:
            self.user = nn.Embedding(n_users, 6)
        self.item = nn.Embedding(n_items, 6)
        self.hidden, self.output = nn.Linear(12, 8), nn.Linear(8, 1)

    def forward(self, vector, item):
        items = self.item(item)
        both = torch.cat([vector[:, None].expand(-1, item.shape[1], -1), items], dim=2)
        return self.output(torch.relu(self.hidden(both)))[:, :, 0]


class Perceptron(LearnedUserRecommender):
    """A network that is not linear in its user."""

    _parameter_rules = PAIR_RULES

    def __init__(
        self, loss="logistic", n_negatives=3, alpha=0.0, known_users="match", solver="adam",
        learning_rate=0.01, batch_size=64, max_iter=10, early_stopping=False,
        validation_fraction=0.2, n_iter_no_change=3, tol=1e-4, warm_start=False, device="cpu",
        random_state=0, verbose=False,
    ):  # fmt: skip
        for name, value in locals().items():
            if name not in ("self", "__class__"):
                setattr(self, name, value)

    def _build_module(self, shape, problem=None):
        module = PerceptronNet(*shape)
        if problem is not None:
            first_rows(module.user.weight, None, 0.1, problem.generator)
            first_rows(module.item.weight, has_users(problem.X), 0.1, problem.generator)
        return module


@pytest.fixture(scope="module")
def X():
    return make_interactions(80, 30, 900, random_state=0, return_X=True)


@pytest.fixture(scope="module")
def new():
    return make_interactions(20, 30, 200, random_state=1, return_X=True)


def distinct(X):
    """The rows of X without those that an earlier one equals, or that have every item."""
    X = X[np.sort(np.unique(row_hashes(X), axis=0, return_index=True)[1])]
    return X[np.diff(X.indptr) < X.shape[1]]


def test_a_network_by_one_hook_learns_and_scores_any_row(X, new):
    model = Perceptron(max_iter=60).fit(X)
    popular = skrec.dummy.DummyRecommender().fit(X)
    assert model.loss_curve_[-1] < 0.9 * model.loss_curve_[0]
    assert model.score(X) > popular.score(X)
    both = vstack([new, X[:5], csr_array((1, 30)), csr_array(np.ones((1, 30)))]).tocsr()
    whole = model.decision_function(both)
    alone = np.vstack([model.decision_function(both[[i]]) for i in range(both.shape[0])])
    np.testing.assert_allclose(alone, whole, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(
        model.decision_function(both[::-1])[::-1], whole, rtol=1e-9, atol=1e-11
    )
    learned = model.user_factors_[:5]
    np.testing.assert_allclose(model.transform(X[:5]), learned, rtol=1e-6)


def test_a_network_passes_the_checks():
    # Its weights meet the same items in another order: sums of float32 differ.
    check_recommender(
        Perceptron(max_iter=2), skip=["check_item_permutation", "check_duplicate_items_tie"]
    )


@pytest.mark.parametrize("make", [Perceptron, GMF, VBPR], ids=lambda make: make.__name__)
def test_early_stopping_scores_the_users_whose_items_it_hides(make, X, monkeypatch):
    """The validation score is that of the learned vectors of just these users."""
    X = distinct(X)
    model = make(
        max_iter=8, early_stopping=True, validation_fraction=0.3, learning_rate=0.05,
        random_state=3, device="cpu",
    ).fit(X)  # fmt: skip
    counts = held_out_counts(np.diff(X.indptr), 0.3)
    hidden = lowest_of_rows(X, keyed_entry_words(X, model._split_seed), counts)
    shown, held = select_entries(X, ~hidden), select_entries(X, hidden)
    assert held.nnz > 50
    # Rows as they were given are known, and have what was learned of what was shown of them.
    scores = model.decision_function(X)

    class Fixed:
        def decision_function(self, X):
            return scores

    expected = evaluate(Fixed(), shown, held, ["ndcg@100"]).mean["ndcg@100"]
    assert max(model.validation_scores_) == pytest.approx(expected, rel=1e-5)
    shifted = np.roll(scores, 1, axis=0)  # other users' vectors would be seen

    class Shifted:
        def decision_function(self, X):
            return shifted

    other = evaluate(Shifted(), shown, held, ["ndcg@100"]).mean["ndcg@100"]
    assert abs(other - expected) > 3e-5


@pytest.mark.parametrize("loss", ["logistic", "square", "bpr", "hinge", "softmax"])
def test_factors_fold_in_at_the_minimum(loss, X, new):
    model = GMF(
        4, loss=loss, alpha=0.02, known_users="fold_in", max_iter=20, learning_rate=0.02,
        random_state=0,
    ).fit(X)  # fmt: skip
    vectors = model.transform(new)
    drawn = keyed_negatives(new, 256, model.seed_, hashes=row_hashes((new > 0) * 1.0))
    Q, b = model.components_.T.astype(np.float64), model.item_bias_.astype(np.float64)

    def objective(u, p):
        s, n = Q @ p + b, 4 / 256
        mine = s[new.indices[new.indptr[u] : new.indptr[u + 1]]]
        others = s[drawn[u]]
        if loss == "logistic":
            total = np.log1p(np.exp(-mine)).sum() + n * len(mine) * np.log1p(np.exp(others)).sum()
        elif loss == "square":
            total = ((1 - mine) ** 2).sum() / 2 + n * len(mine) * (others**2).sum() / 2
        elif loss == "softmax":
            total = (np.log(np.exp(mine) + n * np.exp(others).sum()) - mine).sum()
        else:
            x = mine[:, None] - others
            total = n * (np.log1p(np.exp(-x)) if loss == "bpr" else np.maximum(0, 1 - x)).sum()
        return total + 0.01 * len(mine) * p @ p

    rng = np.random.default_rng(0)
    for u in np.flatnonzero(drawn[:, 0] >= 0):  # others have every item
        at = objective(u, vectors[u])
        steps = rng.normal(scale=0.3, size=(20, 4))
        assert min(objective(u, vectors[u] + step) for step in steps) > at
        if loss != "hinge":
            small = [objective(u, vectors[u] + 1e-4 * step) for step in steps]
            assert min(small) > at - 1e-12 * abs(at)


def test_without_penalty_the_learned_vectors_are_the_prior(X, new):
    model = GMF(5, max_iter=30, known_users="fold_in", random_state=0)
    model.fit(vstack([X, csr_array((1, 30))]).tocsr())
    U = model.user_factors_[:80][np.diff(X.indptr) < 30].astype(np.float64)
    np.testing.assert_allclose(model.user_mean_, U.mean(0), rtol=1e-6)
    np.testing.assert_allclose(model.user_factors_[80], U.mean(0), rtol=1e-5)
    full = model.user_factors_[:80][np.diff(X.indptr) == 30]  # in no pair
    np.testing.assert_allclose(full, np.tile(U.mean(0), (len(full), 1)), rtol=1e-5)
    everything = csr_array(np.ones((1, 30)))
    np.testing.assert_allclose(model.transform(everything)[0], U.mean(0), rtol=1e-6)
    covariance = np.cov(U.T, bias=True)
    covariance += 1e-3 * np.trace(covariance) / 5 * np.eye(5)
    np.testing.assert_allclose(model.user_precision_ @ covariance, np.eye(5), atol=1e-6)
    np.testing.assert_allclose(model.transform(csr_array((1, 30)))[0], U.mean(0), rtol=1e-6)
    drawn = keyed_negatives(new, 256, model.seed_, hashes=row_hashes((new > 0) * 1.0))
    Q, b = model.components_.T.astype(np.float64), model.item_bias_.astype(np.float64)
    vectors = model.transform(new)
    for u in np.flatnonzero(drawn[:, 0] >= 0):
        mine = new.indices[new.indptr[u] : new.indptr[u + 1]]
        of_mine = 1 / (1 + np.exp(-(Q[mine] @ vectors[u] + b[mine]))) - 1
        of_drawn = 1 / (1 + np.exp(-(Q[drawn[u]] @ vectors[u] + b[drawn[u]])))
        slope = Q[mine].T @ of_mine + 4 / 256 * len(mine) * Q[drawn[u]].T @ of_drawn
        slope += model.user_precision_ @ (vectors[u] - model.user_mean_)
        assert np.abs(slope).max() < 1e-6


@pytest.mark.parametrize("solver", ["adam", "sparse_adam"])
@pytest.mark.parametrize("make", [GMF, VBPR], ids=lambda make: make.__name__)
def test_same_seed_same_bits_and_solvers_learn(make, solver, X, new):
    options = {"solver": solver, "max_iter": 30, "learning_rate": 0.02, "random_state": 0}
    one, two = make(8, **options).fit(X), make(8, **options).fit(X)
    np.testing.assert_array_equal(one.components_, two.components_)
    np.testing.assert_array_equal(one.decision_function(new), two.decision_function(new))
    assert one.loss_curve_ == two.loss_curve_
    assert one.loss_curve_[-1] < 0.9 * one.loss_curve_[0]
    assert one.score(X) > skrec.dummy.DummyRecommender().fit(X).score(X)


def test_one_step_of_gmf_equals_numpy(X):
    """Adam's first step goes by the sign of the gradient: that of the objective by hand."""
    model = GMF(3, alpha=0.1, batch_size=10**6, max_iter=1, learning_rate=1e-3, random_state=0)
    recorded = {}

    class Recorded(GMF):
        def _loss(self, module, batch, step, generator):
            recorded["state"] = {n: w.detach().numpy().copy() for n, w in module.named_parameters()}
            recorded["batch"] = batch
            return super()._loss(module, batch, step, generator)

    fitted = Recorded(**model.get_params()).fit(X)
    w, batch = recorded["state"], recorded["batch"]
    P, Q = w["user.weight"].astype(float), w["item.weight"].astype(float)
    h, b = w["output.weight"][0].astype(float), float(w["output.bias"][0])
    gradient, total = {n: np.zeros_like(v, dtype=float) for n, v in w.items()}, 0.0
    for u, i, negatives in zip(batch.users, batch.items, batch.negatives, strict=True):
        u, i = int(u), int(i)
        total += 0.05 * P[u] @ P[u]
        gradient["user.weight"][u] += 0.1 * P[u]
        for k, target in [(i, 1.0), *((int(j), 0.0) for j in negatives)]:
            s = h @ (P[u] * Q[k]) + b
            total += np.log1p(np.exp(s)) - target * s + 0.05 * Q[k] @ Q[k]
            slope = 1 / (1 + np.exp(-s)) - target
            gradient["user.weight"][u] += slope * h * Q[k]
            gradient["item.weight"][k] += slope * h * P[u] + 0.1 * Q[k]
            gradient["output.weight"][0] += slope * P[u] * Q[k]
            gradient["output.bias"][0] += slope
    assert fitted.loss_curve_[0] == pytest.approx(total / len(batch.users), rel=1e-5)
    moved = fitted.weights_["item.weight"] - w["item.weight"]
    clear = np.abs(gradient["item.weight"]) > 1e-4 * len(batch.users)
    assert clear.sum() > 10
    np.testing.assert_allclose(moved[clear], -1e-3 * np.sign(gradient["item.weight"])[clear], 1e-2)


@pytest.mark.parametrize("make", [Perceptron, GMF, VBPR], ids=lambda make: make.__name__)
def test_warm_start_goes_on_by_the_content_of_rows(make, X, new):
    X, new = distinct(X), distinct(new)
    model = make(max_iter=20, warm_start=True, random_state=0).fit(X)
    vectors, folded = model.user_factors_.copy(), model.transform(new)
    model.set_params(max_iter=1, learning_rate=1e-9).fit(vstack([new, X[::-1]]).tocsr())
    assert model.n_iter_ == len(model.loss_curve_) == 21
    np.testing.assert_allclose(model.transform(X), vectors, atol=1e-5)
    np.testing.assert_allclose(model.user_factors_[: new.shape[0]], folded, atol=1e-5)


@pytest.mark.parametrize("make", [Perceptron, GMF, VBPR], ids=lambda make: make.__name__)
@pytest.mark.parametrize("X", [np.ones((4, 6)), np.zeros((4, 6))], ids=["full", "empty"])
def test_a_fit_without_a_pair_ends_and_scores(make, X):
    model = make(max_iter=2, random_state=0).fit(X)
    assert model.loss_curve_ == [0.0, 0.0]
    assert np.isfinite(model.decision_function(np.eye(6))).all()


def test_a_penalty_that_spares_users_leaves_them_the_prior(X, new):
    class Spared(Perceptron):
        _user_penalty = 0.0

        def _penalty(self, module, vector, item):
            return module.item(item).square().sum((1, 2))

    penalised, spared = (make(alpha=0.1, max_iter=2).fit(X) for make in (Perceptron, Spared))
    empty = csr_array((1, 30))
    np.testing.assert_allclose(penalised.transform(empty), np.zeros((1, 6)), atol=1e-12)
    np.testing.assert_allclose(spared.transform(empty)[0], spared.user_mean_, rtol=1e-6)
    without = clone(spared).set_params(alpha=0.0)
    vars(without).update({k: v for k, v in vars(spared).items() if k != "alpha"})
    np.testing.assert_array_equal(without.transform(new), spared.transform(new))


@pytest.mark.parametrize("make", [Perceptron, GMF], ids=lambda make: make.__name__)
def test_users_are_folded_in_whatever_the_caller_set(make, X, new):
    model = make(max_iter=3, random_state=0).fit(X)
    expected = model.decision_function(new)
    for context in (torch.inference_mode, torch.no_grad):
        with context():
            np.testing.assert_array_equal(model.decision_function(new), expected)


def test_items_without_users_have_nothing_of_their_own(X):
    wide = csr_array((X.data, X.indices, X.indptr), shape=(80, 34))
    one, two = (GMF(4, max_iter=3, random_state=0).fit(matrix) for matrix in (X, wide))
    np.testing.assert_array_equal(two.weights_["item.weight"][30:], 0)
    np.testing.assert_array_equal(two.components_[:, :30], one.components_)
    np.testing.assert_array_equal(two.user_factors_, one.user_factors_)


def test_columns_without_users_change_nothing_for_new_users_and_stopping():
    X = make_interactions(150, 60, 2500, random_state=3, return_X=True)
    new = make_interactions(20, 60, 300, random_state=4, return_X=True)
    wide, new_wide = (
        csr_array((A.data, A.indices, A.indptr), shape=(A.shape[0], 90)) for A in (X, new)
    )
    for make in (GMF, VBPR):
        options = {"early_stopping": True, "max_iter": 8, "random_state": 0, "alpha": 0.01}
        one, two = make(4, **options).fit(X), make(4, **options).fit(wide)
        # VBPR's products of wider tables round in another way.
        assert one.validation_scores_ == pytest.approx(two.validation_scores_, rel=1e-3)
        np.testing.assert_allclose(one.user_factors_, two.user_factors_, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(
            two.decision_function(new_wide)[:, :60],
            one.decision_function(new),
            atol=1e-4,
        )


def test_parameters_may_change_after_the_fit(X, new):
    model = GMF(4, alpha=0.01, max_iter=2, random_state=0).fit(X).set_params(alpha=0.0)
    assert np.isfinite(model.decision_function(new)).all()
    longer = VBPR(4, max_iter=2, random_state=0).fit(X, item_features=np.eye(30))
    assert longer.set_params(n_components=5).with_items(np.eye(30)[:2]).n_features_in_ == 32


def test_at_most_so_many_users_are_looked_at(X, monkeypatch):
    monkeypatch.setattr("skrec._evaluation._entries._MAX_WATCHED", 7)
    held = GMF(validation_fraction=0.3)._hold_out(X, 0)
    rows = np.repeat(np.arange(80), np.diff(X.indptr))
    assert len(np.unique(rows[~held.entries])) == 7
    assert len(held.rows) == 80


@pytest.mark.parametrize("make", [GMF, VBPR], ids=lambda make: make.__name__)
def test_scores_need_nothing_but_the_vectors(make, X, new):
    model = make(4, max_iter=2, random_state=0).fit(X)
    bare = clone(model)
    users = ("user_factors_", "user_hashes_", "user_mean_", "user_precision_")
    for name in ("components_", "item_bias_", "item_has_users_", "seed_", *users):
        setattr(bare, name, getattr(model, name))
    bare.n_features_in_ = 30
    np.testing.assert_array_equal(bare.decision_function(new), model.decision_function(new))
    rows, items = np.array([3, 3, 0, 7]), np.array([1, 29, 5, 5])
    np.testing.assert_allclose(
        bare.score_pairs(new, rows, items), model.decision_function(new)[rows, items], rtol=1e-9
    )


def own_methods(cls):
    return {n for n, v in vars(cls).items() if inspect.isfunction(v) or isinstance(v, property)}


# What a class may write by the contract of all recommenders, and what belongs to no base.
CONTRACT = {
    "__init__", "__sklearn_tags__", "fit", "transform", "_n_features_out", "_extended",
    "_scores", "_pair_scores", "_start_fit", "_start_side",
}  # fmt: skip
# `BaseRecommender` decorates these where a class inherits them.
DECORATED = {"partial_fit", "fit_transform"}
ROOMS = (TorchRecommender, LearnedUserRecommender, FactorRecommender, LearnedUsersMixin)


def overridden(cls, bases):
    """Names of the rooms' own methods that a class writes anew."""
    written_once = set().union(*(own_methods(base) for base in (*bases, BaseRecommender)))
    return (own_methods(cls) & written_once) - DECORATED


@pytest.mark.parametrize(
    "cls", [cls for _, cls in all_recommenders() if issubclass(cls, TorchRecommender)]
)
def test_no_class_overrides_more_than_its_hooks(cls):
    allowed = set(HOOKS) | CONTRACT
    if issubclass(cls, LearnedUserRecommender):
        allowed |= set(LEARNED_USER_HOOKS)
    if issubclass(cls, FactorRecommender):
        allowed |= set(FACTOR_HOOKS)
    for part in cls.__mro__:
        if part in ROOMS or not issubclass(part, TorchRecommender):
            continue
        assert overridden(part, ROOMS) <= allowed, part


def test_an_override_that_is_no_hook_is_seen():
    class Wrong(GMF):
        def _prepare(self, *args):
            """Written once, in the base."""

    assert overridden(Wrong, ROOMS) == {"_prepare"}


@pytest.mark.cuda
@pytest.mark.parametrize("solver", ["adam", "sparse_adam"])
@pytest.mark.parametrize("make", [GMF, VBPR, Perceptron], ids=lambda make: make.__name__)
def test_cuda_agrees(make, solver, X, new):
    options = {"solver": solver, "max_iter": 5, "early_stopping": True, "random_state": 0}
    there, here = (make(device=device, **options).fit(X) for device in ("cuda", "cpu"))
    np.testing.assert_allclose(there.loss_curve_, here.loss_curve_, rtol=1e-3)
    on_cuda = there.decision_function(new)
    np.testing.assert_allclose(on_cuda, here.decision_function(new), rtol=1e-2, atol=1e-2)
    there.set_params(device="cpu")
    np.testing.assert_allclose(there.decision_function(new), on_cuda, rtol=1e-6, atol=1e-7)
