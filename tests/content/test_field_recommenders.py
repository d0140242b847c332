"""DeepFM and WideAndDeep as recommenders: fields, crosses, contexts, users who are folded in."""

import warnings

import numpy as np
import pytest
import sklearn
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.special import expit
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils import get_tags

import skrec
from skrec import InteractionContext, ItemFeatures
from skrec.autoencoder import MultDAE
from skrec.content import (
    ContentRecommender,
    DeepFM,
    DeepFMClassifier,
    DeepFMRegressor,
    FMClassifier,
    WideAndDeep,
    WideAndDeepClassifier,
)
from skrec.content._fold_in_rows import Terms, own_numbers
from skrec.datasets import make_interactions
from skrec.metrics import make_ranking_scorer
from skrec.neural_network import GMF
from tests.reference.fm import deep_score, fm_score

RNG = np.random.default_rng(0)
F = RNG.normal(size=(20, 3))
U = RNG.normal(size=(40, 2))
PLAIN = {"early_stopping": False, "random_state": 0}
QUICK = {"n_components": 3, "max_iter": 3, "init_scale": 0.3, **PLAIN}
NO_DEEP = {"hidden_layer_sizes": ()}


@pytest.fixture(scope="module")
def X():
    return make_interactions(40, 20, 300, random_state=0, return_X=True)


@pytest.fixture(scope="module")
def ratings(X):
    rng = np.random.default_rng(1)
    return csr_array((rng.integers(1, 6, X.nnz).astype(float), X.indices, X.indptr), shape=X.shape)


def context_of(X, width=2):
    return InteractionContext(np.random.default_rng(2).normal(size=(X.nnz, width)), X.indptr)


def without(X, users):
    """Rows with one item less, which no training row is."""
    dense = X[users].toarray()
    dense[np.arange(len(dense)), dense.argmax(axis=1)] = 0
    return csr_array(dense)


@pytest.mark.parametrize("layers", [(), (4, 3)])
def test_scores_are_those_of_a_slow_twin_on_rows_by_hand(X, layers):
    fields = {"item_features": ["a", "b", "a"]}
    model = DeepFM(fields=fields, hidden_layer_sizes=layers, dropout=0, **QUICK)
    model.fit(X, item_features=F, user_features=U, context=context_of(X))
    inner = model.estimator_
    weights = {name: value.astype(float) for name, value in inner.weights_.items()}
    labels = ["user"] * 40 + ["user_features"] * 2 + ["context"] * 2 + ["item"] * 20
    labels = np.array([*labels, "a", "b", "a"])
    np.testing.assert_array_equal(inner.fields_.labels_, np.unique(labels))
    place = inner.fields_.place_
    largest = inner.fields_.scale_[place]
    now = np.array([0.3, -0.4])
    said = model.decision_function(X[:3], user_features=U[:3], context=np.tile(now, (3, 1)))
    for u, i in ((0, 0), (1, 7), (2, 19)):
        row = np.concatenate([np.eye(40)[u], U[u], now, np.eye(20)[i], F[i]]) / largest
        for label in np.unique(labels):
            row[labels == label] /= np.sqrt((row[labels == label] != 0).sum())
        vectors, linear = weights["vectors"][place], weights["linear.weight"][place, 0]
        number = np.unique(labels, return_inverse=True)[1]
        expected = fm_score(row, number, weights["linear.bias"][0], linear, vectors)
        if layers:
            parts = [(weights[f"hidden.{n}.weight"], weights[f"hidden.{n}.bias"]) for n in (0, 2)]
            expected += deep_score(row, number, vectors, parts, weights["head.weight"][0])
        np.testing.assert_allclose(said[u, i], expected, rtol=1e-9)


def test_without_layers_it_is_a_factorization_machine_around_rows(X):
    labels = ["user"] * 40 + ["item"] * 20 + ["item_features"] * 3
    row_model = FMClassifier(fields=labels, batch_size=64, **QUICK).set_params(random_state=None)
    twin = ContentRecommender(row_model, pairs="concatenate", random_state=0)
    twin.fit(X, item_features=F)
    model = DeepFM(batch_size=64, **NO_DEEP, **QUICK).fit(X, item_features=F)
    np.testing.assert_array_equal(model.decision_function(X), twin.decision_function(X))
    assert not np.allclose(
        model.decision_function(without(X, [0])), twin.decision_function(without(X, [0]))
    )


def test_row_models_have_the_parameters_of_the_recommender():
    options = {
        "n_components": 5, "alpha": 0.1, "dropout": 0.4, "batch_norm": True, "max_iter": 7,
        "tol": 0.2,
    }  # fmt: skip
    for cls, kind in ((DeepFM, DeepFMClassifier), (WideAndDeep, WideAndDeepClassifier)):
        base = cls(**options)._base()
        assert type(base) is kind
        assert options.items() <= base.get_params().items()


@pytest.mark.parametrize("cls", [DeepFM, WideAndDeep])
def test_layers_with_batch_norm(X, cls):
    """The fitted model says of a pair what its row model says of the row."""
    model = cls(hidden_layer_sizes=(4,), batch_norm=True, **QUICK).fit(X)
    inner = model.estimator_
    assert {"norms.0.mean", "norms.0.variance"} < inner.weights_.keys()
    rows = np.hstack([np.eye(40)[[3] * 20], np.eye(20)])
    expected = inner.decision_function(csr_array(rows))
    np.testing.assert_allclose(model.decision_function(X[3:4])[0], expected, rtol=1e-9)
    crossed = WideAndDeep(cross_features=[("user", "item")], n_cross_buckets=9)._base()
    assert crossed.cross_features == [("user", "item")]
    assert crossed.n_cross_buckets == 9
    assert type(DeepFM(feedback="rating")._base()) is DeepFMRegressor
    assert get_tags(DeepFM(feedback="rating")).recommender_tags.predicts_ratings
    assert get_tags(DeepFM()).recommender_tags.reads == {
        "item_features",
        "user_features",
        "context",
    }


@pytest.mark.parametrize("cls", [DeepFM, WideAndDeep])
def test_fields_that_do_not_fit_are_refused(X, cls):
    def fit(fields, **given):
        return cls(fields=fields, **QUICK).fit(X, **given)

    with pytest.raises(ValueError, match=r"'item_features'.*2 for 3 columns"):
        fit({"item_features": ["a", "b"]}, item_features=F)
    with pytest.raises(ValueError, match=r"'context'.*1 for 0 columns"):
        fit({"context": ["a"]})
    with pytest.raises(ValueError, match="Got 'item' twice"):
        fit({"item_features": ["item", "b", "b"]}, item_features=F)
    with pytest.raises(ValueError, match="Got 'a' twice"):
        fit(
            {"item_features": ["a", "b", "b"], "user_features": ["a", "c"]},
            item_features=F,
            user_features=U,
        )
    for wrong in ({"items": ["a"]}, {"item_features": "abc"}, {"item_features": [1, 2, 3]}, ["a"]):
        with pytest.raises(ValueError, match="fields"):
            fit(wrong, item_features=F)


def situations(n_users=60):
    """Everybody has all of six items, those of even number in the morning."""
    X = csr_array(np.ones((n_users, 6)))
    keep = RNG.random((n_users, 6)) < 0.6
    X = csr_array(X.toarray() * keep)
    morning = (X.indices % 2 == 0).astype(float)
    return X, InteractionContext(np.column_stack([morning, 1 - morning]), X.indptr)


def test_crosses_remember_what_goes_with_a_situation():
    X, context = situations()
    found = {}
    for pair in ("item", "user"):
        model = WideAndDeep(0, cross_features=[("context", pair)], learning_rate=0.05, **PLAIN).fit(
            X, context=context
        )
        scores = model.decision_function(np.zeros((2, 6)), context=np.eye(2))
        found[pair] = scores[0] - scores[1]
    assert (found["item"][::2] > 1).all()
    assert (found["item"][1::2] < -1).all()
    assert np.ptp(found["user"]) < 1e-9  # the same for all items


def test_crosses_of_unknown_fields_and_of_features(X):
    with pytest.raises(ValueError, match="no field 'genre'"):
        WideAndDeep(cross_features=[("user", "genre")], **QUICK).fit(X, item_features=F)
    model = WideAndDeep(
        fields={"item_features": ["genre", "genre", "year"]},
        cross_features=[("user", "genre")],
        n_components=0,
        **PLAIN,
    ).fit(X, item_features=F)
    assert model.estimator_.cross_sizes_.tolist() == [41 * 3]  # with those of none
    assert np.abs(model.estimator_.weights_["crosses"]).max() > 0
    scores = model.decision_function(X)
    assert not np.allclose(scores - scores[:, :1], scores[0] - scores[0, 0])


def test_many_crosses_of_a_user_are_not_folded_in(X):
    wide = {"cross_features": [("user", "item_features")], "max_iter": 2, **PLAIN}
    for width, folds in ((127, True), (128, False)):
        features = np.random.default_rng(0).normal(size=(20, width))
        model = WideAndDeep(0, **wide).fit(X, item_features=features)
        assert hasattr(model, "user_mean_") == folds
        scores = model.decision_function(without(X, [3, 5]))
        assert np.array_equal(scores[0], scores[1]) != folds


def test_long_vectors_of_users_are_folded_in(X):
    model = DeepFM(130, max_iter=2, init_scale=0.3, **NO_DEEP, **PLAIN).fit(X)
    assert len(model.user_mean_) == 131
    scores = model.decision_function(without(X, [3, 5]))
    assert not np.array_equal(scores[0], scores[1])


@pytest.mark.parametrize("cls", [DeepFM, WideAndDeep])
def test_with_layers_unknown_users_are_told_apart_by_what_is_known_of_them(X, cls):
    new = without(X, [3, 5])
    plain = cls(**QUICK).fit(X).decision_function(new)
    np.testing.assert_array_equal(plain[0], plain[1])
    model = cls(**QUICK).fit(X, user_features=U)
    scores = model.decision_function(new, user_features=U[:2])
    assert not np.allclose(scores[0] - scores[0].mean(), scores[1] - scores[1].mean())
    same = model.decision_function(new, user_features=U[[0, 0]])
    np.testing.assert_allclose(same[0], same[1], rtol=1e-12)


def terms(seed, logistic):
    rng = np.random.default_rng(seed)
    user = np.sort(rng.integers(4, size=60))
    user = user[user != 2]  # one without terms
    n = len(user)
    target = rng.integers(2, size=n).astype(float) if logistic else rng.normal(size=n)
    return Terms(user, rng.normal(size=(n, 3)), rng.normal(size=n), target, rng.random(n))


@pytest.mark.parametrize("logistic", [True, False])
def test_own_numbers_are_at_the_minimum_that_scipy_finds(logistic):
    rng = np.random.default_rng(5)
    given, mean, root = terms(4, logistic), rng.normal(size=3), rng.normal(size=(3, 3))
    precision = root @ root.T + np.eye(3)
    found = own_numbers(given, 4, mean, precision, logistic=logistic)
    for user in range(4):
        _, design, offset, target, weight = (part[given.user == user] for part in given)

        def value(numbers, parts=(design, offset, target, weight)):
            design, offset, target, weight = parts
            out = design @ numbers + offset
            losses = np.logaddexp(0, out) - target * out if logistic else (out - target) ** 2 / 2
            return weight @ losses + (numbers - mean) @ precision @ (numbers - mean) / 2

        expected = minimize(value, mean, tol=1e-12).x
        np.testing.assert_allclose(found[user], expected, atol=1e-5)
    np.testing.assert_array_equal(found[2], mean)


LINEAR = {
    "DeepFM": DeepFM(n_negatives=2, **NO_DEEP, **QUICK),
    "WideAndDeep": WideAndDeep(
        0,
        fields={"item_features": ["a", "a", "b"]},
        cross_features=[("user", "a"), ("context", "user"), ("b", "item")],
        n_negatives=2,
        learning_rate=0.05,
        max_iter=5,
        **PLAIN,
    ),
    "WideAndDeep, hashed": WideAndDeep(
        cross_features=[("item_features", "user")],
        n_cross_buckets=29,
        n_negatives=2,
        max_iter=5,
        **NO_DEEP,
        **PLAIN,
    ),
}


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("feedback", ["implicit", "rating"])
def test_what_was_learned_of_a_user_is_what_is_added_to_an_unknown_one(X, ratings, feedback, name):
    """Scores of training users, made of those of nobody and of the users' own numbers."""
    data = X if feedback == "implicit" else ratings
    model = clone(LINEAR[name]).set_params(feedback=feedback)
    model.fit(data, item_features=F, user_features=U, context=context_of(data))
    side = {"user_features": U, "context": np.ones((40, 2))}
    expected = model.decision_function(data, **side)
    inner = model.estimator_
    own = model._learned_numbers(inner, inner.fields_.place_[:40]).astype(np.float64)
    assert own.shape == (40, len(model.user_mean_))
    seen = inner.fields_.seen_[inner.fields_.place_[:40]]
    np.testing.assert_allclose(own[seen].mean(axis=0), model.user_mean_, atol=1e-7)
    # Of users with equal rows the first one is known.
    first = np.unique(model.user_hashes_, axis=0, return_index=True)[1]
    model.user_hashes_ = model.user_hashes_ + np.uint64(1)  # nobody is known
    model._folded_in = lambda X, *_: own
    found = model.decision_function(data, **side)
    np.testing.assert_allclose(found[first], expected[first], atol=1e-6)
    model._folded_in = lambda X, *_: own * 0
    found = model.decision_function(data, **side)
    assert not np.allclose(found[first], expected[first], atol=1e-3)


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("feedback", ["implicit", "rating"])
def test_the_slope_of_a_row_that_is_folded_in_is_zero(X, ratings, feedback, name):
    """With the objective written down pair by pair, from the rows' scores alone."""
    data = X if feedback == "implicit" else ratings
    model = clone(LINEAR[name]).set_params(feedback=feedback)
    model.fit(data, item_features=F, user_features=U, context=context_of(data))
    new = without(data, [1])
    mean = model.context_means_
    hashes = skrec.utils._hashing.row_hashes(model._content(new))
    own = model._folded_in(new, hashes, np.array([True]), U[:1])[0]
    inner = model.estimator_
    scale, center = (inner.target_scale_, inner.target_mean_) if feedback == "rating" else (1, 0)
    scores = model.decision_function(new, user_features=U[:1], context=mean[None])[0]
    items, drawn = new.indices, model._negatives(new, hashes)[0]
    assert not np.isin(drawn, items).any()
    if feedback == "rating":
        rows, weight, drawn = items, np.ones(len(items)), []
        slopes = (scores[rows] - center) / scale - (new.data - center) / scale
    else:
        rows = np.concatenate([items, drawn])
        weight = np.repeat([1, 2 * len(items) / 256], [len(items), 256])
        slopes = expit(scores[rows]) - np.repeat([1, 0], [len(items), 256])
    # What a step in each of the own numbers does to the scores, by differences.
    design, prior = np.empty((len(rows), len(own))), (model.user_mean_, model.user_precision_)
    for place in range(len(own)):
        model.user_mean_ = np.eye(len(own))[place]
        model.user_precision_ = np.eye(len(own)) * 1e12  # all rows are folded in to this
        said = model.decision_function(new, user_features=U[:1], context=mean[None])[0]
        model.user_mean_ = np.zeros(len(own))
        base = model.decision_function(new, user_features=U[:1], context=mean[None])[0]
        design[:, place] = ((said - base) / scale)[rows]
    slope = design.T @ (weight * slopes) + prior[1] @ (own - prior[0])
    assert np.abs(slope).max() < 1e-4 * np.abs(design.T @ (weight * np.abs(slopes))).max()


def test_rows_that_are_folded_in_do_not_depend_on_others(X):
    model = DeepFM(**NO_DEEP, **QUICK).fit(X, user_features=U)
    new = csr_array(np.vstack([without(X, range(6)).toarray(), np.zeros((1, 20))]))
    whole = model.decision_function(new, user_features=U[:7])
    for row in range(7):
        alone = model.decision_function(new[[row]], user_features=U[[row]])[0]
        np.testing.assert_allclose(alone, whole[row], rtol=1e-9)
    rows, items = np.indices((7, 20)).reshape(2, -1)
    said = model.score_pairs(new, rows[::-1], items[::-1], user_features=U[:7])
    np.testing.assert_allclose(said[::-1].reshape(7, 20), whole, rtol=1e-9)


@pytest.mark.slow
def test_folding_in_finds_the_taste_of_new_users():
    """Two groups of users and of items; new users have rows that no training user has."""
    rng = np.random.default_rng(3)
    group = np.arange(200) % 2
    dense = (rng.random((200, 40)) < np.where(group[:, None] == np.arange(40) % 2, 0.4, 0.03)) * 1.0
    model = DeepFM(4, learning_rate=0.02, **NO_DEEP, **PLAIN).fit(dense[:160])
    lists = model.recommend(dense[160:], k=5)
    assert (lists % 2 == group[160:, None]).mean() > 0.95
    # What a training row is folded in to is near what was learned for it.
    learned = model.decision_function(dense[:160])
    model.user_hashes_ = model.user_hashes_ + np.uint64(1)  # nobody is known
    folded = model.decision_function(dense[:160])
    model.user_precision_ = model.user_precision_ * 1e9  # everybody is the mean user
    mean = model.decision_function(dense[:160])
    alike = [np.corrcoef(learned.ravel(), scores.ravel())[0, 1] for scores in (folded, mean)]
    assert alike[0] > 0.85
    assert alike[1] < 0.4


def test_values_weigh_rows_that_are_folded_in_where_they_weigh_interactions(X):
    new = without(X, [2])
    heavy = new.copy()
    heavy.data[0] *= 20
    for weights, changes in (("uniform", False), ("value", True)):
        model = DeepFM(weights=weights, **NO_DEEP, **QUICK).fit(X)
        scores = [model.decision_function(rows)[0] for rows in (new, heavy)]
        assert np.allclose(*scores) != changes
        if changes:
            assert scores[1][new.indices[0]] > scores[0][new.indices[0]]


@pytest.mark.parametrize("cls", [DeepFM, WideAndDeep])
def test_pairs_have_a_situation_each(X, cls):
    model = cls(**QUICK).fit(X, item_features=F, user_features=U, context=context_of(X))
    now = RNG.normal(size=(40, 2))
    whole = model.decision_function(X, user_features=U, context=now)
    rows = np.array([7, 3, 7, 39])
    items = np.array([0, 19, 4, 4])
    said = model.score_pairs(X, rows, items, user_features=U, context=now[rows])
    np.testing.assert_allclose(said, whole[rows, items], rtol=1e-9)
    other = model.score_pairs(X, rows, items, user_features=U, context=now[rows] + 1)
    assert (np.abs(other - said) > 1e-6).all()


@pytest.mark.parametrize("routing", [True, False])
def test_a_search_slices_the_situations_where_all_lengths_are_one(routing):
    """As many users as items and as interactions: what is cut wrongly is found by its values."""
    rng = np.random.default_rng(0)
    n = 12
    X = csr_array((np.ones(n), rng.permutation(n), np.arange(n + 1)), shape=(n, n))
    values = np.column_stack([X.indices, np.arange(n)]).astype(float)
    context, features = InteractionContext(values, X.indptr), np.arange(2.0 * n).reshape(n, 2)
    seen = []

    class Spy(DeepFM):
        def _learn(self, X, log, side, *arguments):
            n_rows = len(X.indices)
            seen.append((X.indices.copy(), log.context[:n_rows].copy(), side.item_features.copy()))
            return super()._learn(X, log, side, *arguments)

    model = Spy(n_components=2, max_iter=1, hidden_layer_sizes=(), random_state=0)
    scorer = make_ranking_scorer("ndcg@5", holdout=0.5)
    with sklearn.config_context(enable_metadata_routing=routing):
        if routing:
            model.set_fit_request(item_features=True, context=True)
            model.set_decision_function_request(context=True)
            scorer.set_score_request(context="situation")
        given = {"situation": np.zeros((n, 2))} if routing else {}
        search = GridSearchCV(model, {}, scoring=scorer, cv=3, error_score="raise")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one item a row: nothing can be held out
            search.fit(X, item_features=ItemFeatures(features), context=context, **given)
    assert len(seen) == 4
    for items, situation, of_items in seen:
        np.testing.assert_array_equal(situation[:, 0], items)
        np.testing.assert_array_equal(of_items, features)


def test_a_search_scores_with_the_situation():
    X, context = situations()
    now = np.tile([1.0, 0.0], (X.shape[0], 1))
    model = WideAndDeep(0, cross_features=[("context", "item")], learning_rate=0.05, **PLAIN)
    with sklearn.config_context(enable_metadata_routing=True):
        model.set_fit_request(context=True).set_decision_function_request(context=True)
        scorer = make_ranking_scorer("ndcg@3").set_score_request(context="situation")
        search = GridSearchCV(model, {"max_iter": [1, 30]}, scoring=scorer, cv=3)
        search.fit(X, context=context, situation=now)
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()
        lists = skrec.recommend(
            search.best_estimator_, np.zeros((2, 6)), 3, context=np.eye(2), exclude_seen=False
        )
    assert sorted(lists[0]) == [0, 2, 4]
    assert sorted(lists[1]) == [1, 3, 5]


@pytest.mark.slow
@pytest.mark.parametrize("cls", [DeepFM, WideAndDeep])
def test_new_items_are_ranked_by_their_features(cls):
    rng = np.random.default_rng(0)
    genre, taste = np.arange(40) % 2, np.arange(200) % 2
    dense = ((rng.random((200, 40)) < 0.4) & (taste[:, None] == genre)).astype(float)
    dense[:, 38:] = 0
    options = {"cross_features": [("user", "item_features")]} if cls is WideAndDeep else {}
    model = cls(4, learning_rate=0.02, random_state=0, **options)
    model.fit(dense, item_features=np.eye(2)[genre])
    assert (model.item_columns_[38:] == -1).all()
    lists = model.recommend(dense, k=1, items=[38, 39])[:, 0]
    assert (lists % 2 == taste).mean() > 0.95
    longer = model.with_items(np.eye(2))
    wide = np.hstack([dense, np.zeros((200, 2))])
    np.testing.assert_allclose(
        longer.decision_function(wide)[:, 40:], model.decision_function(dense)[:, 38:], rtol=1e-12
    )


@pytest.mark.parametrize("cls", [DeepFM, WideAndDeep])
def test_empty_columns_change_nothing(X, cls):
    model = cls(**QUICK).fit(X)
    wide = csr_array((X.data, 2 * X.indices, X.indptr), shape=(40, 41))
    scores = cls(**QUICK).fit(wide).decision_function(wide)
    np.testing.assert_array_equal(scores[:, :40:2], model.decision_function(X))


def test_all_labels_alike_and_then_a_model_again(X):
    model = DeepFM(**NO_DEEP, **QUICK).fit(X)
    assert len(model.user_mean_) == 4
    assert len(model.loss_curve_) == model.n_iter_ == 3
    model.fit(np.ones((4, 3)))  # no item is left to be drawn
    assert not hasattr(model, "user_mean_")
    assert model.n_iter_ == 0
    assert np.ptp(model.decision_function(np.eye(3))) == 0


def test_layers_over_fields_do_not_grow_with_the_catalogue(monkeypatch):
    from skrec.utils import _memory

    monkeypatch.setattr(_memory, "available_memory", lambda **_: 1 << 30)
    _memory.check_model(DeepFM(), (10**6, 10**6))
    with pytest.raises(MemoryError, match="GMF"):
        _memory.check_model(GMF(n_components=10**4), (10**6, 10**6))
    with pytest.raises(MemoryError, match="MultDAE"):
        _memory.check_model(MultDAE(hidden_layer_sizes=(600,)), (10**6, 10**6))


def test_files_with_numbers_of_another_model_are_refused(X, tmp_path):
    model = DeepFM(**NO_DEEP, **QUICK).fit(X)
    skrec.save(model, tmp_path / "model.skops")
    loaded = skrec.load(tmp_path / "model.skops")
    new = without(X, [0, 1])
    np.testing.assert_array_equal(loaded.decision_function(new), model.decision_function(new))
    model.user_mean_, model.user_precision_ = np.zeros(3), np.eye(3)
    with pytest.raises(ValueError, match="user_mean_"):
        model.decision_function(new)


@pytest.mark.cuda
@pytest.mark.parametrize("cls", [DeepFM, WideAndDeep])
@pytest.mark.parametrize("layers", [(), (8,)])
def test_cuda_agrees(X, cls, layers):
    options = {**QUICK, "hidden_layer_sizes": layers, "dropout": 0}
    there, here = (
        cls(**options, device=device).fit(X, item_features=F, context=context_of(X))
        for device in ("cuda", "cpu")
    )
    new, now = without(X, [0, 1]), np.zeros((2, 2))
    on_cuda = there.decision_function(new, context=now)
    np.testing.assert_allclose(
        on_cuda, here.decision_function(new, context=now), rtol=1e-2, atol=1e-3
    )
    there.set_params(device="cpu")
    np.testing.assert_allclose(
        there.decision_function(new, context=now), on_cuda, rtol=1e-6, atol=1e-7
    )
