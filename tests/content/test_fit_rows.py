"""Logs with several rows for a pair, and interactions that weigh their values."""

import numpy as np
import pytest
import sklearn
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer, MaxAbsScaler

from skrec import InteractionContext
from skrec.content import ContentRecommender, DeepFM, FMClassifier, WideAndDeep
from skrec.datasets import make_interactions
from skrec.ensemble import TwoStageRecommender
from skrec.linear_model import EASE

RNG = np.random.default_rng(0)
F = RNG.normal(size=(20, 3))
U = RNG.normal(size=(40, 2))
ALL = [
    ContentRecommender(random_state=0),
    ContentRecommender(FMClassifier(2, max_iter=3), pairs="concatenate", random_state=0),
    DeepFM(2, max_iter=3, random_state=0),
    DeepFM(2, hidden_layer_sizes=(), max_iter=3, random_state=0),
    WideAndDeep(2, cross_features=[("context", "item")], max_iter=3, random_state=0),
]
# Without a penalty, so that what is learned has a closed form.
EXACT = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000)


@pytest.fixture(scope="module")
def X():
    return make_interactions(40, 20, 300, random_state=0, return_X=True)


def entries(X):
    return np.repeat(np.arange(X.shape[0]), np.diff(X.indptr)), X.indices


@pytest.mark.parametrize("model", ALL, ids=repr)
def test_a_log_of_the_entries_of_a_matrix_is_the_matrix(X, model):
    values = np.random.default_rng(2).normal(size=(X.nnz, 2))
    side = {"item_features": F, "user_features": U}
    now = {"user_features": U, "context": np.ones((40, 2))}
    model.fit(X, context=InteractionContext(values, X.indptr), **side)
    expected, means = model.decision_function(X, **now), model.context_means_
    users, items = entries(X)
    model.fit_rows(users, items, context=values, shape=X.shape, **side)
    np.testing.assert_array_equal(model.decision_function(X, **now), expected)
    np.testing.assert_array_equal(model.context_means_, means)
    assert model.n_features_in_ == 20
    assert model.n_context_features_in_ == 2


def test_a_pair_in_two_situations():
    """All users take all items, those of even number at noon and again at night."""
    users = np.repeat(np.arange(30), 8)
    items = np.tile([0, 1, 2, 3, 4, 5, 0, 2], 30)
    night = np.tile([0, 0, 0, 0, 0, 0, 1, 1], 30)
    keep = RNG.random(240) < 0.7
    users, items, night = users[keep], items[keep], night[keep]
    for y in (None, np.ones(len(users))):
        model = WideAndDeep(
            0, cross_features=[("context", "item")], learning_rate=0.05, random_state=0
        )
        model.fit_rows(users, items, y, context=np.eye(2)[night])
        scores = model.decision_function(np.zeros((2, 6)), context=np.eye(2))
        difference = scores[1] - scores[0]
        assert difference[[0, 2]].min() > difference[[1, 3, 4, 5]].max() + 1
    # A pair of a user and an item is one entry of the matrix that is known again.
    X = csr_array((np.ones(len(users)), (users, items)), shape=(30, 6))
    X.sum_duplicates()
    plain = ContentRecommender(random_state=0).fit(X)
    np.testing.assert_array_equal(plain.user_hashes_, model.user_hashes_)


def test_what_was_shown_is_taken_as_it_is():
    """No item is drawn where the log says what was not taken."""
    users, items = RNG.integers(12, size=300), RNG.integers(7, size=300)
    y, context = RNG.integers(2, size=300), RNG.normal(size=(300, 2))
    model = ContentRecommender(pairs="concatenate", random_state=0)
    model.fit_rows(users, items, y, context=context, user_features=U[:12])
    rows = np.hstack([np.eye(12)[users], U[users], context, np.eye(7)[items]])
    twin = LogisticRegression(max_iter=1000).fit(rows, y)
    np.testing.assert_allclose(model.estimator_.coef_, twin.coef_, atol=1e-4)
    taken = csr_array((y.astype(float), (users, items)), shape=(12, 7))
    taken.sum_duplicates()
    now = RNG.normal(size=(12, 2))
    said = model.decision_function(taken, user_features=U[:12], context=now)
    row = np.hstack([np.eye(12)[3], U[3], now[3], np.eye(7)[5]])
    np.testing.assert_allclose(said[3, 5], twin.decision_function(row[None])[0], atol=1e-3)


def test_rows_of_ratings():
    users, items = RNG.integers(12, size=100), RNG.integers(7, size=100)
    y = RNG.integers(1, 6, size=100)
    model = ContentRecommender(Ridge(tol=1e-12), pairs="concatenate", feedback="rating")
    model.fit_rows(users, items, y)
    twin = Ridge().fit(np.hstack([np.eye(12)[users], np.eye(7)[items]]), y)
    count = np.zeros((12, 7))
    np.add.at(count, (users, items), 1)
    total = np.zeros((12, 7))
    np.add.at(total, (users, items), y)
    mean = total / np.maximum(count, 1)
    rows = np.hstack([np.repeat(np.eye(12), 7, axis=0), np.tile(np.eye(7), (12, 1))])
    expected = twin.predict(rows).reshape(12, 7)
    np.testing.assert_allclose(model.decision_function(mean), expected, atol=1e-6)


def test_logs_that_are_refused(X):
    model = ContentRecommender(random_state=0)
    ones = np.ones(3)
    for arguments, options, message in (
        (([0, 1], [0, 1, 2]), {}, "one length"),
        (([], []), {}, "at least 1"),
        (([0.0, 1.0], [0, 1]), {}, "whole numbers"),
        (([0, -1], [0, 1]), {}, "`users` must lie in"),
        (([0, 1, 2], [0, 1, 2]), {"shape": (3, 2)}, "`items` must lie in"),
        (([0, 1, 2], [0, 1, 2]), {"shape": (3,)}, "shape must be"),
        (([0, 1, 2], [0, 1, 2]), {"shape": (3.0, 4.0)}, "shape must be"),
        (([0, 1, 2], [0, 1, 2], ones[:2]), {}, "a value for each of 3 rows"),
        (([0, 1, 2], [0, 1, 2], -ones), {}, "y must be >= 0"),
        (([0, 1, 2], [0, 1, 2], ones * np.nan), {}, "NaN"),
        (([0, 1, 2], [0, 1, 2]), {"context": np.ones((2, 2))}, "row of the log"),
        (([0, 1, 2], [0, 1, 2]), {"user_features": np.ones((2, 2))}, "user_features"),
        (([0, 1, 2], [0, 1, 2]), {"item_features": np.ones((2, 2))}, "item_features"),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit_rows(*arguments, **options)
        assert not hasattr(model, "estimator_")
    model.fit(X)
    before = dict(vars(model))
    with pytest.raises(ValueError, match="2-D"):
        model.fit_rows([0, 1], [0, 1], user_features=np.ones(2))
    assert vars(model) == before


@pytest.mark.parametrize("model", ALL[:-1], ids=repr)
def test_equal_weights_are_the_logistic_model(X, model):
    ones = csr_array((np.ones(X.nnz), X.indices, X.indptr), shape=X.shape)
    expected = model.fit(ones, item_features=F).decision_function(ones)
    heavy = csr_array((X.data * 3 + X.indices, X.indices, X.indptr), shape=X.shape)
    found = model.fit(heavy, item_features=F).decision_function(heavy)
    np.testing.assert_array_equal(found, expected)
    weighted = sklearn.clone(model).set_params(weights="value")
    found = weighted.fit(ones, item_features=F).decision_function(ones)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert not np.allclose(
        weighted.fit(heavy, item_features=F).decision_function(heavy), expected, atol=1e-3
    )


@pytest.mark.parametrize(
    "estimator",
    [
        EXACT,
        make_pipeline(MaxAbsScaler(), EXACT),
        make_pipeline(make_pipeline(MaxAbsScaler()), make_pipeline(EXACT)),
        GridSearchCV(EXACT, {"fit_intercept": [True]}, cv=3),
        GridSearchCV(make_pipeline(MaxAbsScaler(), EXACT), {}, cv=3),
    ],
    ids=lambda one: type(one).__name__,
)
def test_odds_are_the_watch_time_for_each_impression_that_was_not_watched(estimator):
    """YouTube's law, on a log of impressions of three items where the optimum has a closed form."""
    rng = np.random.default_rng(0)
    items = rng.integers(3, size=3000)
    watched = rng.random(3000) < np.array([0.02, 0.05, 0.1])[items]
    minutes = np.where(watched, rng.gamma(2.0, np.array([20.0, 4.0, 1.0])[items]), 0.0)
    users = np.arange(3000) % 50
    model = ContentRecommender(
        estimator, pairs="concatenate", use_ids=False, weights="value", random_state=0
    )
    model.fit_rows(users, items, minutes)
    odds = np.exp(model.decision_function(np.zeros((1, 3)))[0])
    total, shown = np.bincount(items, minutes), np.bincount(items)
    exact = total / np.bincount(items, ~watched)
    np.testing.assert_allclose(odds, exact, rtol=1e-3)
    # So the odds are the expected watch time, but for the share that was watched.
    expected, share = total / shown, np.bincount(items, watched) / shown
    np.testing.assert_allclose(odds, expected / (1 - share), rtol=1e-3)
    assert (np.abs(odds / expected - 1) < 0.15).all()
    # Likelihood of a watch has another order.
    model.set_params(weights="uniform").fit_rows(users, items, minutes)
    assert model.predict(np.zeros((1, 3)))[0] == 2
    assert odds.argmax() == 0


def test_weights_reach_a_pipeline_with_routing_too(X):
    heavy = csr_array((X.data + 5 * (X.indices == 3), X.indices, X.indptr), shape=X.shape)
    steps = [MaxAbsScaler(), LogisticRegression(max_iter=1000)]
    model = ContentRecommender(make_pipeline(*steps), weights="value", random_state=0)
    expected = model.fit(heavy, item_features=F).decision_function(heavy)
    with sklearn.config_context(enable_metadata_routing=True):
        steps[1].set_fit_request(sample_weight=True)
        model.set_params(estimator=make_pipeline(*steps))
        found = model.fit(heavy, item_features=F).decision_function(heavy)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert not np.allclose(
        model.set_params(weights="uniform").fit(heavy, item_features=F).decision_function(heavy),
        expected,
    )


def test_weights_that_nobody_takes_are_refused(X):
    model = ContentRecommender(KNeighborsClassifier(), weights="value")
    with pytest.raises(ValueError, match=r"takes sample_weight.*KNeighborsClassifier"):
        model.fit(X)
    with pytest.raises(ValueError, match="values are ratings"):
        DeepFM(feedback="rating", weights="value").fit(X)
    with pytest.raises(ValueError, match="weights"):
        DeepFM(weights="values").fit(X)


def test_watch_time_orders_what_the_retriever_shows():
    """Items of odd number are watched for long; all are taken as often."""
    rng = np.random.default_rng(0)
    dense = (rng.random((200, 20)) < 0.3).astype(float)
    minutes = dense * np.where(np.arange(20) % 2, 30.0, 1.0)
    ranker = ContentRecommender(pairs="concatenate", weights="value", random_state=0)
    model = TwoStageRecommender(
        make_pipeline(Binarizer(), EASE()), ranker, n_candidates=20, negatives="retrieved"
    )
    lists = model.fit(minutes).recommend(minutes, k=4)
    assert (lists % 2 == 1).mean() > 0.95
    ranker.set_params(weights="uniform")
    assert (model.fit(minutes).recommend(minutes, k=4) % 2 == 1).mean() < 0.8
