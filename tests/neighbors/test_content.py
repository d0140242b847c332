"""ItemKNN with features of items and UserKNN with features of users."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, issparse
from sklearn.model_selection import GridSearchCV

from skrec import ItemFeatures
from skrec.metrics import make_ranking_scorer
from skrec.neighbors import ItemKNN, UserKNN
from skrec.neighbors._options import rating_deviation
from skrec.utils._unit_rows import unit_rows
from tests.reference.neighbors import (
    dense_data,
    item_scores,
    joined_similarities,
    nearest,
    nearest_with_users,
    similarities,
    user_scores,
)

RNG = np.random.default_rng(0)
F = RNG.normal(size=(18, 6)) * (RNG.random((18, 6)) < 0.6)
U = RNG.normal(size=(25, 5)) * (RNG.random((25, 5)) < 0.7)
F[3], U[7] = 0, 0
# Options that can be joined with features.
JOINED = [
    {},
    {"n_neighbors": 4, "shrinkage": 0.3, "feature_weight": 0.4},
    {"metric": "asymmetric_cosine", "source_exponent": 1.3, "target_exponent": 0.4},
    {"metric": "pearson", "n_neighbors": 5, "feature_weight": 2.0},
    {"weighting": "tfidf", "n_neighbors": 4},
    {"weighting": "bm25", "metric": "pearson"},
    {"feedback": "rating", "metric": "pearson", "deviation": "user"},
    {"feedback": "rating", "metric": "adjusted_cosine", "deviation": "both", "damping": 2.0},
]
ALONE = [
    {},
    {"metric": "asymmetric_cosine", "source_exponent": 1.3, "target_exponent": 0.4},
    {"metric": "adjusted_cosine", "shrinkage": 0.5},
    {"metric": "pearson", "n_neighbors": 5},
    {"metric": "jaccard"},
    {"weighting": "bm25", "n_neighbors": 4},
    {"feedback": "rating", "deviation": "both"},
]


def _how(model):
    exponent, weighting = getattr(model, "activity_exponent", None), model.weighting
    implicit, alone = model.feedback == "implicit", model.feature_weight is None
    if exponent == "auto":
        exponent = 0.0 if alone else 1.0
    target = model.target_exponent
    if target == "auto":
        target = 1.0 if alone else 0.7
    if weighting == "auto":
        counts = implicit and not alone and model.metric != "jaccard"
        weighting = "tfidf" if counts else None
    return {
        "metric": model.metric,
        "rating": not implicit,
        "weighting": weighting,
        "exponent": model.popularity_exponent if exponent is None else exponent,
        "shrinkage": model.shrinkage,
        "source": model.source_exponent,
        "target": target,
    }


def _of(options):
    return ",".join(f"{name}={value}" for name, value in options.items())


def _rating(model):
    return {
        "rating": model.feedback == "rating",
        "deviation": rating_deviation(model),
        "damping": model.damping,
    }


@pytest.mark.parametrize("options", JOINED, ids=_of)
@pytest.mark.parametrize("exponent", [0.0, 0.6, "auto"])
def test_joined_items_equal_the_slow_twin(options, exponent):
    X = dense_data(rating=options.get("feedback") == "rating")
    model = ItemKNN(activity_exponent=exponent, **options).fit(X, item_features=F)
    full = joined_similarities(X.T, F, model.feature_weight, **_how(model))
    np.fill_diagonal(full, 0.0)
    has_users = (X != 0).any(axis=0)
    expected = nearest_with_users(full, has_users, model.n_neighbors).T
    assert not has_users.all()
    np.testing.assert_allclose(model.similarity_.toarray(), expected, rtol=1e-9, atol=1e-12)
    scores = item_scores(X, expected, X, **_rating(model))
    np.testing.assert_allclose(model.decision_function(X), scores, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("options", JOINED, ids=_of)
def test_joined_users_equal_the_slow_twin(options):
    X = dense_data(rating=options.get("feedback") == "rating")
    model = UserKNN(**options).fit(X, user_features=U)
    full = joined_similarities(X, U, model.feature_weight, everybody=True, **_how(model))
    full[:, ~(X != 0).any(axis=1)] = 0  # who has nothing is nobody's neighbour
    neighbors = nearest(full, model.n_neighbors)
    expected = user_scores(X, neighbors, X, **_rating(model))
    scores = model.decision_function(X, user_features=U)
    np.testing.assert_allclose(scores, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("options", ALONE, ids=_of)
def test_features_alone_take_the_place_of_interactions(options):
    X, features = dense_data(rating="feedback" in options), np.abs(F)
    X[:, 5] = 1  # statistics are of items with users: here of all
    alone = ItemKNN(feature_weight=None, **options).fit(X, item_features=features)
    how = _how(alone) | {"rating": False}
    full = similarities(features, features, **how)
    np.fill_diagonal(full, 0.0)
    expected = nearest(full, alone.n_neighbors).T
    np.testing.assert_allclose(alone.similarity_.toarray(), expected, rtol=1e-9, atol=1e-12)
    users = np.abs(U)
    users[4] = 0
    model = UserKNN(feature_weight=None, **options).fit(X, user_features=users)
    neighbors = nearest(
        similarities(users, users, **_how(model) | {"rating": False}), model.n_neighbors
    )
    np.testing.assert_allclose(
        model.decision_function(X, user_features=users),
        user_scores(X, neighbors, X, **_rating(model)),
        rtol=1e-9, atol=1e-11,
    )  # fmt: skip


@settings(max_examples=25)
@given(
    options=st.sampled_from([*JOINED, *({"feature_weight": None, **o} for o in ALONE)]),
    seed=st.integers(0, 1000),
    n_new=st.integers(1, 5),
)
def test_longer_catalogues_equal_a_fit_with_empty_columns(options, seed, n_new):
    X = dense_data(seed, rating=options.get("feedback") == "rating")
    new = np.abs(np.random.default_rng(seed).normal(size=(n_new + 1, 6)))
    features = np.abs(F)
    longer = ItemKNN(**options).fit(X, item_features=features)
    longer = longer.with_items(new[:1]).with_items(new[1:])
    wide = np.hstack([X, np.zeros((25, n_new + 1))])
    at_once = ItemKNN(**options).fit(wide, item_features=np.vstack([features, new]))
    wide[::3, -1] = 2  # users may have new items
    np.testing.assert_array_equal(longer.similarity_.toarray(), at_once.similarity_.toarray())
    np.testing.assert_array_equal(longer.decision_function(wide), at_once.decision_function(wide))


@pytest.mark.parametrize("options", [{}, {"n_neighbors": 3, "weighting": "bm25"}], ids=_of)
def test_empty_columns_take_nobody_s_place(options):
    X, new = dense_data(), RNG.normal(size=(9, 6))
    narrow = ItemKNN(**options).fit(X, item_features=F)
    wide = ItemKNN(**options).fit(
        np.hstack([X, np.zeros((25, 9))]), item_features=np.vstack([F, new])
    )
    shown = np.hstack([X, np.zeros((25, 9))])
    np.testing.assert_array_equal(
        wide.decision_function(shown)[:, :18], narrow.decision_function(X)
    )


@pytest.mark.parametrize(
    ("cls", "keyword"), [(ItemKNN, "item_features"), (UserKNN, "user_features")]
)
def test_without_features_the_weight_does_nothing(cls, keyword):
    X = dense_data()
    plain = cls(4).fit(X).decision_function(X)
    for weight in (None, 3.0):
        np.testing.assert_array_equal(
            cls(4, feature_weight=weight).fit(X).decision_function(X), plain
        )
    model = cls(4).fit(X, **{keyword: F if cls is ItemKNN else U})
    np.testing.assert_array_equal(model.fit(X).decision_function(X), plain)
    assert not hasattr(model, "_content")


@pytest.mark.parametrize("weight", [0.7, None])
def test_order_and_container_of_features_do_not_matter(weight):
    X, order = dense_data(), RNG.permutation(6)
    model = ItemKNN(5, feature_weight=weight).fit(X, item_features=F)
    permuted = ItemKNN(5, feature_weight=weight).fit(X, item_features=F[:, order])
    sparse = ItemKNN(5, feature_weight=weight).fit(X, item_features=csr_array(F))
    np.testing.assert_allclose(
        permuted.similarity_.toarray(), model.similarity_.toarray(), rtol=1e-12
    )
    np.testing.assert_array_equal(sparse.similarity_.toarray(), model.similarity_.toarray())
    assert issparse(model._content["vectors"])


def test_the_scale_of_an_item_s_features_does_not_matter_unless_they_are_alone():
    X, scale = dense_data(), np.exp2(RNG.integers(-400, 400, size=(18, 1)))
    one, two = (ItemKNN(5).fit(X, item_features=f).similarity_ for f in (F, F * scale))
    np.testing.assert_array_equal(one.toarray(), two.toarray())
    assert np.isfinite(unit_rows(F * 1e300, np.float64)).all()


def test_items_with_long_features_do_not_win_where_features_are_alone():
    X, longer = dense_data(), np.abs(F)
    expected = ItemKNN(5, feature_weight=None).fit(X, item_features=longer)
    longer = longer.copy()
    longer[3] *= 64
    found = ItemKNN(5, feature_weight=None).fit(X, item_features=longer)
    np.testing.assert_array_equal(found.similarity_.toarray(), expected.similarity_.toarray())
    more = [model.with_items(longer[:4]).similarity_.toarray() for model in (expected, found)]
    np.testing.assert_array_equal(*more)


def test_cold_items_are_ranked_by_features_and_say_something_once_taken():
    X = np.array([[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0]] * 5)
    features = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [1, 0], [0, 1]])
    model = ItemKNN(1).fit(X, item_features=features)
    lists = model.recommend(X[:2], k=1, items=[4, 5])
    np.testing.assert_array_equal(lists, [[4], [5]])
    np.testing.assert_array_equal(model.item_has_users_, [True] * 4 + [False] * 2)
    # One neighbour with users each; a cold one beside it only where it is as near.
    assert model.similarity_[4, 0] == 0
    assert model.similarity_[0, 4] > 0
    both = np.zeros((1, 6))
    both[0, 4] = 1
    two = ItemKNN(5).fit(X, item_features=features)
    assert two.predict(both)[0] in (0, 1)


@pytest.mark.parametrize("weight", [1.0, None])
def test_a_user_without_items_gets_what_like_users_have(weight):
    X = np.array([[1, 1, 0, 0], [0, 0, 1, 1]] * 5)
    users = np.array([[1, 0], [0, 1]] * 5)
    model = UserKNN(3, feature_weight=weight).fit(X, user_features=users)
    nothing = np.zeros((2, 4))
    np.testing.assert_array_equal(model.predict(nothing, user_features=users[:2]), [0, 2])
    assert set(model.similar_users(nothing, 3, user_features=users[:2])[1]) == {1, 3, 5}
    with pytest.warns(UserWarning, match="user_features"):
        model.similar_users(nothing)
    found = model.explain(X[:2], [[0], [2]], user_features=users[:2]).sum(axis=1)
    scores = model.decision_function(X[:2], user_features=users[:2])[[0, 1], [0, 2]]
    share = 0.5 if weight else 0.0  # half of each similarity is the items'
    np.testing.assert_allclose(np.ravel(found), share * scores)


@pytest.mark.parametrize("cls", [ItemKNN, UserKNN])
def test_what_cannot_be_joined_is_refused(cls):
    X = dense_data()
    keyword = "item_features" if cls is ItemKNN else "user_features"
    features = {keyword: F if cls is ItemKNN else U}
    for metric in ("jaccard", "adjusted_cosine"):
        with pytest.raises(ValueError, match="feature_weight=None"):
            cls(metric=metric).fit(X, **features)
        cls(metric=metric, feature_weight=None).fit(X, **features)
    with pytest.raises(ValueError, match="weighs counts, and some features are negative"):
        cls(weighting="tfidf", feature_weight=None).fit(X, **features)
    for weight in (0, -1, np.inf, "all"):
        with pytest.raises(ValueError, match="feature_weight"):
            cls(feature_weight=weight).fit(X, **features)


def test_a_search_over_the_weight_with_as_many_users_as_items():
    X = dense_data(shape=(18, 18))
    grid = {"feature_weight": [0.1, 1.0, None]}
    search = GridSearchCV(ItemKNN(), grid, scoring=make_ranking_scorer("ndcg@5"), cv=3)
    with pytest.raises(ValueError, match="ItemFeatures"):
        search.fit(X, item_features=F)
    search.fit(X, item_features=ItemFeatures(F))
    best = ItemKNN(**search.best_params_).fit(X, item_features=F)
    np.testing.assert_array_equal(
        search.best_estimator_.similarity_.toarray(), best.similarity_.toarray()
    )


def test_ratings_of_cold_items_are_those_of_like_items():
    X = dense_data(rating=True)
    X[:, 5] = 0
    features = F.copy()
    features[5] = features[6]
    how = {"n_neighbors": 1, "feedback": "rating", "feature_weight": 0.5}
    model = ItemKNN(**how, deviation=None).fit(X, item_features=features)
    rated = X[:, 6] != 0
    # Its nearest item is the one with its features, unless that has no say.
    assert model.similarity_[:, [5]].toarray().argmax() == 6
    np.testing.assert_allclose(model.decision_function(X)[rated, 5], X[rated, 6])
    # By deviations it has no bias of its own, and takes the like item's deviation.
    model = ItemKNN(**how).fit(X, item_features=features)
    np.testing.assert_allclose(
        model.decision_function(X)[rated, 5], X[rated, 6] - model.item_bias_[6]
    )


@pytest.mark.parametrize("metric", ["pearson", "adjusted_cosine"])
@pytest.mark.parametrize("n_others", [0, 1, 5, 30])
def test_a_product_that_cancels_to_zero_is_centred_as_any_other(metric, n_others):
    # <a, b> = 0, and above zero when both are centred; further items must not change it.
    a, b, other = [1, 1, 1, 1, 1, -1], [-1, -1, -1, 1, 1, -1], [5, 0, 0, 0, 0, 0]
    F = np.array([a, b] + [other] * n_others, dtype=np.float64)
    options = {"metric": metric, "feature_weight": None, "n_neighbors": None}
    model = ItemKNN(**options).fit(np.eye(len(F)), item_features=F)
    G = F - F.mean(axis=1 if metric == "pearson" else 0, keepdims=True)
    norms = np.linalg.norm(G, axis=1)
    expected = np.divide(G @ G.T, np.outer(norms, norms), out=np.zeros((len(F),) * 2),
                         where=np.outer(norms, norms) > 0)  # fmt: skip
    shared = (np.abs(F) @ np.abs(F).T) > 0
    expected = np.where(shared & (expected > 1e-12) & ~np.eye(len(F), dtype=bool), expected, 0.0)
    np.testing.assert_allclose(model.similarity_.toarray(), expected, atol=1e-9)
