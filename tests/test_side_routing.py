"""Side information on its way through evaluate, recommend, scorers, pipelines and searches."""

import warnings

import numpy as np
import pytest
import sklearn
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer

import skrec
from skrec import InteractionContext, ItemFeatures
from skrec.base import BaseRecommender, UserSideMixin
from skrec.content import VBPR
from skrec.linear_model import EASE
from skrec.metrics import evaluate, make_ranking_scorer
from skrec.model_selection import leave_one_out_split
from skrec.utils._parallel import row_chunks
from skrec.utils._params import BOOLEAN

N_USERS, N_ITEMS = 40, 40


class Told(UserSideMixin, BaseRecommender):
    """Is told the answer: scores are the user's features (or context), one for each item.

    So any row that gets the features of another one ranks wrongly.
    """

    _parameter_rules = {"rating": BOOLEAN}

    def __init__(self, rating=False):
        self.rating = rating

    def fit(self, X, y=None, *, item_features=None, user_features=None, context=None):
        X = self._start_fit(X)
        side = self._start_side(
            X, item_features=item_features, user_features=user_features, context=context
        )
        if side.user_features is not None and not (side.user_features >= X.toarray()).all():
            raise ValueError("user_features are not those of X")
        if side.context is not None and not (side.context[:, 0] == X.data).all():
            raise ValueError("context is not that of X")
        if side.item_features is not None and not (np.diff(side.item_features[:, 0]) == 1).all():
            raise ValueError("item_features were cut or moved")
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.recommender_tags.predicts_ratings = self.rating
        return tags

    def _scores(self, X, side):
        told = side.user_features if side.user_features is not None else side.context
        return np.zeros(X.shape, dtype=X.dtype) if told is None else told


@pytest.fixture
def X():
    """As many users as items, so that nothing can be told apart by its length."""
    rng = np.random.RandomState(0)
    dense = (rng.uniform(size=(N_USERS, N_ITEMS)) < 0.3) * rng.randint(
        1, 6, size=(N_USERS, N_ITEMS)
    )
    dense[:, 0] = np.arange(N_USERS) % 5 + 1  # no row is empty
    return csr_array(dense.astype(float))


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setitem(row_chunks.__kwdefaults__, "chunk_bytes", 8 * N_ITEMS * 7)
    assert len(list(row_chunks(N_USERS, 8 * N_ITEMS))) == 6


@pytest.mark.usefixtures("small_chunks")
def test_evaluate_gives_each_row_its_own_features(X):
    model = Told().fit(X, user_features=X.toarray())
    metrics = ["ndcg@10", "auc", "recall@40", "rmse"]
    result = evaluate(model, X, None, metrics, user_features=X.toarray())
    assert result.mean["ndcg@10"] == result.mean["auc"] == result.mean["recall@40"] == 1.0
    assert result.mean["rmse"] == 0.0
    assert evaluate(model, X, None, "rmse", user_features=csr_array(X)).mean["rmse"] == 0.0
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X.toarray())
    assert evaluate(model, frame, None, "rmse", user_features=frame).mean["rmse"] == 0.0
    moved = evaluate(model, X, None, metrics, user_features=X.toarray()[::-1])
    assert moved.mean["auc"] < 0.8
    with pytest.raises(ValueError, match="one row per row of X"):
        evaluate(model, X, user_features=X.toarray()[:-1])
    with pytest.raises(TypeError, match=r"EASE.*no side information"):
        evaluate(EASE().fit(X), X, user_features=X.toarray())


@pytest.mark.usefixtures("small_chunks")
def test_evaluate_gives_each_row_its_own_context(X):
    wide = InteractionContext(np.tile(X.data[:, None], (1, N_ITEMS)), X.indptr)
    model = Told().fit(X, context=wide)
    result = evaluate(model, X, None, ["auc", "rmse"], context=X.toarray())
    assert result.mean == {"auc": 1.0, "rmse": 0.0}
    assert evaluate(model, X, None, "rmse", context=X.toarray()).mean["rmse"] == 0.0
    with pytest.raises(ValueError, match="InteractionContext"):
        evaluate(model, X, context=wide)


@pytest.mark.usefixtures("small_chunks")
def test_candidates_get_the_features_of_their_row(X):
    X_train, y = leave_one_out_split(X, random_state=0)
    model = Told().fit(X_train, user_features=X.toarray())
    others = np.random.RandomState(1).randint(N_ITEMS, size=(N_USERS, 8))
    told = y.toarray()
    result = evaluate(model, X_train, y, "hr@1", candidates=others, user_features=told)
    assert result.mean["hr@1"] == 1.0
    moved = evaluate(model, X_train, y, "hr@1", candidates=others, user_features=told[::-1])
    assert moved.mean["hr@1"] < 0.5


@pytest.mark.usefixtures("small_chunks")
def test_score_and_recommend_give_each_row_its_own(X):
    U = X.toarray()
    model = Told().fit(X, user_features=U)
    assert model.score(X, user_features=U) == 1.0
    assert Told(rating=True).fit(X, user_features=U).score(X, user_features=U) == 0.0
    expected = model.recommend(X, k=4, user_features=U, exclude_seen=False)
    np.testing.assert_array_equal(
        skrec.recommend(model, X, k=4, user_features=U, exclude_seen=False), expected
    )
    np.testing.assert_array_equal(
        skrec.recommend(model, X, k=4, user_features=U.tolist(), exclude_seen=False), expected
    )
    np.testing.assert_array_equal(expected[:, 0], np.argmax(U, axis=1))


@pytest.mark.usefixtures("small_chunks")
def test_one_warning_for_many_chunks(X):
    model = Told().fit(X, user_features=X.toarray())
    calls = [
        lambda: evaluate(model, X),
        lambda: evaluate(model, X, None, "rmse"),
        lambda: make_ranking_scorer("ndcg@5")(model, X),
        lambda: skrec.recommend(model, X),
        lambda: model.recommend(X),
        lambda: model.score(X),
    ]
    for call in calls:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call()
            call()
        assert len([w for w in caught if "unknown users" in str(w.message)]) == 2


def test_without_routing_a_search_is_loud(X):
    search = GridSearchCV(Told(), {}, cv=3, scoring=make_ranking_scorer("ndcg@5"))
    with pytest.warns(UserWarning, match="enable metadata routing.*set_score_request"):
        search.fit(X, user_features=X.toarray())


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.fixture
def loud():
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        yield


@pytest.mark.usefixtures("routing", "loud")
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_search_over_a_pipeline_carries_features_to_fit_and_scorer(X, n_jobs):
    X = csr_array((X > 0).astype(float))
    told = Told().set_fit_request(user_features=True, item_features=True)
    told.set_decision_function_request(user_features=True)
    scorer = make_ranking_scorer(["ndcg@10", "auc"]).set_score_request(user_features=True)
    search = GridSearchCV(
        make_pipeline(Binarizer(), told),
        {"told__rating": [False, True]},
        cv=KFold(3, shuffle=True, random_state=0),
        scoring=scorer,
        refit="auc",
        n_jobs=n_jobs,
        error_score="raise",
    )
    items = ItemFeatures(np.arange(N_ITEMS)[:, None])
    search.fit(X, user_features=X.toarray(), item_features=items)
    assert (search.cv_results_["mean_test_auc"] == 1.0).all()
    assert (search.cv_results_["mean_test_ndcg@10"] == 1.0).all()
    lists = skrec.recommend(search.best_estimator_, X, k=1, user_features=X.toarray())
    assert lists.shape == (N_USERS, 1)


@pytest.mark.usefixtures("routing", "loud")
def test_the_default_score_in_a_search(X):
    told = Told().set_fit_request(user_features=True).set_score_request(user_features=True)
    search = GridSearchCV(told, {}, cv=3, error_score="raise").fit(X, user_features=X.toarray())
    assert search.best_score_ == 1.0


@pytest.mark.usefixtures("routing")
def test_a_request_that_is_not_set_is_an_error(X):
    with pytest.raises(UnsetMetadataPassedError, match="user_features"):
        GridSearchCV(Told(), {}, cv=3).fit(X, user_features=X.toarray())
    with pytest.raises(TypeError, match="user_features"):
        EASE().set_fit_request(user_features=True)


@pytest.mark.parametrize(("on", "n_jobs"), [(False, 1), (True, 1), (False, 2)])
@pytest.mark.filterwarnings("ignore:Told was fitted with context")
def test_context_is_sliced_with_its_users_in_a_shuffled_search(X, on, n_jobs):
    context = InteractionContext(X.data[:, None], X.indptr)
    told, scorer = Told(), make_ranking_scorer("auc")
    with sklearn.config_context(enable_metadata_routing=on):
        if on:
            told.set_fit_request(context=True).set_score_request(context=False)
            scorer.set_score_request(context=False)  # that of entries is not that of rows
        folds = KFold(3, shuffle=True, random_state=1)
        search = GridSearchCV(
            told, {}, cv=folds, scoring=scorer, n_jobs=n_jobs, error_score="raise"
        ).fit(X, context=context)
        assert search.best_estimator_.n_context_features_in_ == 1
        for wrong in (context[::-1], X.data[:, None]):
            with pytest.raises((ValueError, TypeError)):
                GridSearchCV(told, {}, cv=folds, error_score="raise").fit(X, context=wrong)


@pytest.mark.usefixtures("routing", "loud")
def test_context_of_fit_and_of_scoring_have_names_of_their_own(X):
    wide = InteractionContext(np.tile(X.data[:, None], (1, N_ITEMS)), X.indptr)
    told = Told().set_fit_request(context=True)
    scorer = make_ranking_scorer("auc").set_score_request(context="situation")
    search = GridSearchCV(told, {}, cv=3, scoring=scorer, error_score="raise")
    search.fit(X, context=wide, situation=X.toarray())
    assert search.best_score_ == 1.0


def test_without_routing_a_square_search_over_users_is_right(X, loud):
    """n_users == n_items: features of users are cut with the rows, those of items stay whole."""
    items = ItemFeatures(np.arange(N_ITEMS)[:, None])
    folds = KFold(4, shuffle=True, random_state=2)
    result = cross_validate(
        Told(),
        X,
        cv=folds,
        params={"user_features": X.toarray(), "item_features": items},
        scoring=lambda estimator, X, y=None: 0.0,
        error_score="raise",
    )
    assert len(result["test_score"]) == 4
    with pytest.raises(ValueError, match=r"skrec\.ItemFeatures"):
        cross_validate(
            Told(),
            X,
            cv=folds,
            params={"item_features": items.values},
            scoring=lambda estimator, X, y=None: 0.0,
            error_score="raise",
        )


@pytest.mark.usefixtures("loud")
def test_a_square_search_over_vbpr_is_right_or_refuses(X):
    vbpr, folds = VBPR(4, n_content_components=4, max_iter=2, random_state=0), KFold(3)
    items = np.random.RandomState(0).uniform(size=(N_ITEMS, 5))
    how = {"cv": folds, "scoring": make_ranking_scorer("ndcg@5"), "error_score": "raise"}
    search = GridSearchCV(vbpr, {"alpha": [0.02]}, **how).fit(X, item_features=ItemFeatures(items))
    by_hand = [
        make_ranking_scorer("ndcg@5")(
            clone(vbpr).set_params(alpha=0.02).fit(X[train], item_features=items), X[test]
        )
        for train, test in folds.split(X)
    ]
    assert search.cv_results_["mean_test_score"][0] == pytest.approx(np.mean(by_hand))
    with pytest.raises(ValueError, match=r"skrec\.ItemFeatures"):
        GridSearchCV(vbpr, {"alpha": [0.02]}, **how).fit(X, item_features=items)
