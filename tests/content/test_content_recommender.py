"""ContentRecommender: its rows, drawn items, linear models, users without history."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils import get_tags

from skrec import InteractionContext
from skrec.content import ContentRecommender
from skrec.content._pair_log import drawn_log, log_of
from skrec.content._pair_rows import (
    id_columns,
    item_part,
    n_pair_columns,
    pair_rows,
    products,
    sampled_negatives,
    user_part,
)
from skrec.datasets import make_interactions
from skrec.decomposition import PureSVD

RNG = np.random.default_rng(0)
F = RNG.normal(size=(20, 3))
U = RNG.normal(size=(40, 2))


@pytest.fixture(scope="module")
def X():
    return make_interactions(40, 20, 300, random_state=0, return_X=True)


@pytest.fixture(scope="module")
def ratings(X):
    rng = np.random.default_rng(1)
    return csr_array((rng.integers(1, 6, X.nnz).astype(float), X.indices, X.indptr), shape=X.shape)


@given(st.integers(0, 10_000))
def test_drawn_items_are_those_that_the_user_has_not_and_somebody_has(seed):
    rng = np.random.default_rng(seed)
    dense = rng.random((6, 7)) < rng.random((1, 7))
    dense[0] = dense.any(axis=0)  # has all there is
    X = csr_array(dense.astype(float))
    entries, items = sampled_negatives(X, 200, np.random.RandomState(seed))
    user = np.repeat(np.arange(6), np.diff(X.indptr))[entries]
    assert not dense[user, items].any()
    for u in range(6):
        left = np.flatnonzero(dense.any(axis=0) & ~dense[u])
        n_drawn = 200 * dense[u].sum() * (len(left) > 0)
        assert (user == u).sum() == n_drawn
        if n_drawn:
            counts = np.bincount(items[user == u], minlength=7)
            np.testing.assert_array_equal(np.flatnonzero(counts), left)
            expected = n_drawn / len(left)
            assert (np.abs(counts[left] - expected) < 6 * np.sqrt(expected)).all()


def test_drawn_items_do_not_depend_on_empty_columns(X):
    wide = csr_array((X.data, 2 * X.indices, X.indptr), shape=(40, 41))
    narrow = sampled_negatives(X, 3, np.random.RandomState(0))
    found = sampled_negatives(wide, 3, np.random.RandomState(0))
    np.testing.assert_array_equal(found[0], narrow[0])
    np.testing.assert_array_equal(found[1], 2 * narrow[1])


def test_rows_hold_both_parts_and_their_products():
    has_users = np.array([True, False, True])
    items = item_part(np.array([[1.0, 0], [0, 2], [3, 4]]), has_users, True)
    assert items.ids.toarray().tolist() == [[1, 0], [0, 0], [0, 1]]
    users = user_part(np.array([1, -1, 0]), 2, np.array([[5.0], [6], [7]]), None)
    plain = pair_rows(users, items, "concatenate").toarray()
    np.testing.assert_array_equal(plain[0], [0, 1, 5, 1, 0, 1, 0])
    rows = pair_rows(users, items, "product").toarray()
    assert rows.shape[1] == n_pair_columns(users, items, "product") == 7 + 3 * 2 + 1 * 2
    # (id 0, id 1, feature) x (two features), then feature x (two ids)
    np.testing.assert_array_equal(rows[2, 7:], [3, 4, 0, 0, 21, 28, 0, 7])
    without = item_part(None, has_users, False)
    assert without.ids.shape == (3, 2)
    assert item_part(np.eye(3), has_users, False).ids.shape == (3, 0)
    assert id_columns(np.array([-1, -1]), 0).shape == (2, 0)


@given(st.integers(0, 10_000))
def test_products_are_those_of_numpy(seed):
    rng = np.random.default_rng(seed)
    A, B = (rng.normal(size=(5, n)) * (rng.random((5, n)) < 0.5) for n in rng.integers(1, 5, 2))
    expected = [np.kron(a, b) for a, b in zip(A, B, strict=True)]
    np.testing.assert_allclose(products(csr_array(A), csr_array(B)).toarray(), expected)


@pytest.mark.parametrize("estimator", [Ridge(), LogisticRegression(), None], ids=repr)
def test_a_linear_model_of_plain_rows_ranks_all_users_alike(X, estimator):
    given = {"item_features": F, "user_features": U}
    plain = ContentRecommender(estimator, pairs="concatenate", random_state=0).fit(X, **given)
    scores = plain.decision_function(X, user_features=U)
    np.testing.assert_allclose(
        scores - scores[:, :1], np.tile(scores[0] - scores[0, 0], (40, 1)), atol=1e-9
    )
    crossed = ContentRecommender(estimator, random_state=0).fit(X, **given)
    orders = np.argsort(crossed.decision_function(X, user_features=U), axis=1)
    assert len(np.unique(orders, axis=0)) > 10


@pytest.mark.parametrize("use_ids", [True, False])
@pytest.mark.parametrize("pairs", ["concatenate", "product"])
def test_ridge_on_ratings_is_the_regression_on_dense_rows(ratings, use_ids, pairs):
    model = ContentRecommender(Ridge(), feedback="rating", use_ids=use_ids, pairs=pairs)
    model.fit(ratings, item_features=F, user_features=U)
    rows = []
    for u, i in np.ndindex(ratings.shape):
        user = np.concatenate([np.eye(40)[u] if use_ids else [], U[u]])
        item = np.concatenate([np.eye(20)[i] if use_ids else [], F[i]])
        crossed = np.outer(user, item)
        if use_ids:
            crossed[:40, :20] = 0  # products of two ids are left out
        rows.append(np.concatenate([user, item, crossed.ravel() if pairs == "product" else []]))
    rows = np.array(rows).reshape(40, 20, -1)
    seen = ratings.toarray() > 0
    twin = Ridge(solver="cholesky").fit(rows[seen], ratings.toarray()[seen])
    expected = twin.predict(rows.reshape(800, -1)).reshape(40, 20)
    first = np.unique(ratings.toarray(), axis=0, return_index=True)[1]
    scores = model.decision_function(ratings, user_features=U)
    np.testing.assert_allclose(scores[first], expected[first], atol=5e-3)
    assert get_tags(model).recommender_tags.predicts_ratings


@pytest.mark.parametrize(
    "estimator",
    [
        DecisionTreeClassifier(max_depth=3),
        SGDClassifier(),
        HistGradientBoostingRegressor(max_iter=3),
        make_pipeline(MaxAbsScaler(), LogisticRegression()),
    ],
    ids=lambda one: type(one).__name__,
)
def test_estimators_of_every_kind(X, estimator):
    model = ContentRecommender(estimator, pairs="concatenate", random_state=0)
    model.fit(X, item_features=F, user_features=U)
    scores = model.decision_function(X, user_features=U)
    again = model.fit(X, item_features=F, user_features=U)
    np.testing.assert_array_equal(again.decision_function(X, user_features=U), scores)
    rows, items = np.indices(X.shape).reshape(2, -1)
    np.testing.assert_allclose(
        model.score_pairs(X, rows, items, user_features=U), scores.ravel(), atol=1e-10
    )


def test_a_classifier_of_ratings_predicts_their_mean(ratings):
    tree = DecisionTreeClassifier(max_depth=3, random_state=0)
    model = ContentRecommender(tree, feedback="rating", pairs="concatenate", use_ids=False)
    model.fit(ratings, item_features=F, user_features=U)
    regressor = DecisionTreeRegressor(max_depth=3, random_state=0)
    assert 1 < model.decision_function(ratings, user_features=U).mean() < 5
    rows = np.hstack([np.repeat(U, 20, axis=0), np.tile(F, (40, 1))])
    seen = (ratings.toarray() > 0).ravel()
    twin = DecisionTreeClassifier(max_depth=3, random_state=0)
    twin.fit(rows[seen], ratings.toarray().ravel()[seen])
    expected = twin.predict_proba(rows) @ twin.classes_
    found = model.decision_function(ratings, user_features=U)
    np.testing.assert_allclose(found.ravel(), expected)
    model.set_params(estimator=regressor).fit(ratings, item_features=F)
    assert model.score(ratings) < 0


def test_unknown_users_are_scored_by_what_is_known_of_them(X):
    model = ContentRecommender(random_state=0).fit(X, item_features=F, user_features=U)
    nothing = np.zeros((2, 20))
    other = np.zeros((1, 20))
    other[0, :7] = 1  # no training row
    scores = model.decision_function(nothing, user_features=U[:2])
    assert not np.allclose(scores[0], scores[1])
    np.testing.assert_allclose(
        model.decision_function(other, user_features=U[:1])[0], scores[0], rtol=1e-12
    )
    assert get_tags(model).recommender_tags.learned_users
    assert not get_tags(ContentRecommender(use_ids=False)).recommender_tags.learned_users


def test_drawn_items_have_the_context_of_their_interaction(X):
    hour = np.repeat([0.0, 1.0], [X.nnz // 2, X.nnz - X.nnz // 2])[:, None]
    context = InteractionContext(hour, X.indptr)
    model = ContentRecommender(n_negatives=3, use_ids=False, random_state=0)
    side = model._start_side(
        model._start_fit(X), item_features=F, context=context
    )  # as `fit` begins
    log = drawn_log(log_of(X, side.context), X, None, 3, np.random.RandomState(0))
    items = item_part(F, np.ones(20, dtype=bool), False)
    rows = pair_rows(model._log_users(log, side, 40), items.take(log.item), "concatenate")
    labels = log.label
    entries, drawn = sampled_negatives(X, 3, np.random.RandomState(0))
    np.testing.assert_array_equal(rows[:, [0]].toarray()[labels == 1], hour)
    np.testing.assert_array_equal(rows[:, [0]].toarray()[labels == 0], hour[entries])
    np.testing.assert_array_equal(rows[:, 1:4].toarray()[labels == 0], F[drawn])
    model.fit(X, item_features=F, context=context)
    early, late = (model.decision_function(X, context=np.full((40, 1), h)) for h in (0.0, 1.0))
    assert not np.allclose(np.argsort(early, axis=1), np.argsort(late, axis=1))


def test_nothing_to_tell_apart():
    for X in (np.ones((4, 3)), np.zeros((4, 3))):
        model = ContentRecommender().fit(X)
        assert np.ptp(model.decision_function(X)) == 0
    constant = ContentRecommender(feedback="rating").fit(3 * np.ones((4, 3)))
    np.testing.assert_allclose(constant.decision_function(np.ones((4, 3))), 3)


def test_what_is_no_classifier_and_no_regressor_is_refused(X):
    with pytest.raises(TypeError, match="a classifier or a regressor"):
        ContentRecommender(PureSVD()).fit(X)
    with pytest.raises(ValueError, match=r"[Nn]egative"):  # what the estimator says of its rows
        ContentRecommender(MultinomialNB()).fit(X, item_features=-np.abs(F))


def test_rows_that_do_not_fit_into_memory_are_refused(X, monkeypatch):
    from skrec.utils import _memory

    monkeypatch.setattr(_memory, "available_memory", lambda **_: 10_000)
    with pytest.raises(MemoryError, match="use use_ids=False"):
        ContentRecommender().fit(X, item_features=F)
