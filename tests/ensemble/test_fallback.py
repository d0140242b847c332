"""Fallback: each row gets the scores of the model that it belongs to, and nothing else."""

import inspect
import warnings

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn import config_context
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer
from sklearn.utils import get_tags

import skrec
from skrec.autoencoder import MultVAE
from skrec.content import VBPR
from skrec.datasets import make_interactions
from skrec.decomposition import BPR, BiasedMF
from skrec.dummy import DummyRecommender
from skrec.ensemble import LOCA, Fallback
from skrec.linear_model import EASE, SLIM
from skrec.metrics import compare_models, make_ranking_scorer
from skrec.neighbors import ItemKNN, UserKNN
from skrec.utils._search_grid import search_grid
from tests.side_recommenders import ContentKNN, SituationRidge


@pytest.fixture(scope="module")
def X():
    X = make_interactions(200, 40, 2400, random_state=0, return_X=True).tolil()
    for row, n_kept in ((3, 0), (50, 1), (51, 2), (199, 0)):
        stored = X.rows[row][n_kept:]
        X[[row], stored] = 0
    return csr_array(X)


@pytest.mark.parametrize("least", [0, 1, 2, 3, 1000])
def test_rows_have_the_scores_of_their_model(X, least):
    model = Fallback(EASE(20.0), min_interactions=least).fit(X)
    short = np.array([X[[row]].nnz < least for row in range(X.shape[0])])
    np.testing.assert_array_equal(model.uses_fallback(X), short)
    expected = EASE(20.0).fit(X).decision_function(X)
    expected[short] = DummyRecommender().fit(X).decision_function(X)[short]
    np.testing.assert_array_equal(model.decision_function(X), expected)
    rows, items = np.repeat([199, 7, 3, 51, 50], 40), np.tile(np.arange(40), 5)
    np.testing.assert_allclose(model.score_pairs(X, rows, items), expected[rows, items])


def test_an_empty_row_gets_what_is_popular(X):
    nobody = csr_array((1, 40))
    popular = np.lexsort((np.arange(40), -X.sign().sum(axis=0)))[:5]
    np.testing.assert_array_equal(Fallback().fit(X).recommend(nobody, 5)[0], popular)
    np.testing.assert_array_equal(EASE().fit(X).recommend(nobody, 5)[0], np.arange(5))


def test_stored_zeros_are_no_interactions(X):
    rows = csr_array((np.array([0.0, 1.0]), ([0, 1], [2, 2])), shape=(2, 40))
    assert Fallback().fit(X).uses_fallback(rows).tolist() == [True, False]


def test_search_over_the_model_within(X):
    search = GridSearchCV(
        Fallback(EASE()),
        {"estimator__alpha": [1.0, 50.0], "min_interactions": [1, 4]},
        scoring=make_ranking_scorer(["ndcg@10"]),
        refit="ndcg@10",
        cv=3,
        error_score="raise",
    ).fit(X)
    assert set(search.best_params_) == {"estimator__alpha", "min_interactions"}
    inner = GridSearchCV(EASE(), {"alpha": [1.0, 50.0]}, cv=3)
    model = Fallback(inner).fit(X)
    np.testing.assert_array_equal(
        model.decision_function(X[:3]), inner.fit(X).decision_function(X[:3])
    )


def test_what_compare_models_searches_is_the_grid_within(X):
    assert search_grid(Fallback(BiasedMF())) == [
        {f"estimator__{name}": value for name, value in setting.items()}
        for setting in search_grid(BiasedMF())
    ]
    assert search_grid(Fallback(DummyRecommender())) == search_grid(Fallback())
    grid = {"f": [{"estimator__alpha": 5.0}, {"estimator__alpha": 50.0}]}
    found = compare_models({"f": Fallback(EASE())}, X, X, metrics="ndcg@10", search=grid)
    assert not found.failures
    assert len(found.trials["f"]) == 2


def test_features_go_to_the_model_that_reads_them(X):
    """Users of whom only features are known are scored by the model that reads them."""
    rng = np.random.default_rng(0)
    users = rng.normal(size=(X.shape[0], 3))
    model = Fallback(EASE(20.0), fallback=SituationRidge()).fit(X, user_features=users)
    assert get_tags(model).recommender_tags.reads >= {"user_features"}
    new = rng.normal(size=(2, 3))
    nobody = csr_array((2, X.shape[1]))
    alone = SituationRidge().fit(X, user_features=users)
    np.testing.assert_array_equal(
        model.decision_function(nobody, user_features=new),
        alone.decision_function(nobody, user_features=new),
    )
    with pytest.warns(UserWarning, match="user_features and got none"):
        model.decision_function(X[:4])
    with pytest.raises(TypeError, match="no side information"):
        Fallback(EASE()).fit(X, user_features=users)
    # A comparison hands features to those who read them only.
    found = compare_models([Fallback(EASE()), EASE()], X, X, metrics="ndcg@10", user_features=users)
    assert not found.failures


def test_features_are_routed_in_a_search(X):
    users = np.random.default_rng(0).normal(size=(X.shape[0], 3))
    model = Fallback(EASE(20.0), fallback=SituationRidge(), min_interactions=5)
    with config_context(enable_metadata_routing=True):
        model.set_fit_request(user_features=True).set_decision_function_request(user_features=True)
        scorer = make_ranking_scorer("ndcg@10").set_score_request(user_features=True)
        search = GridSearchCV(
            model,
            {"estimator__alpha": [5.0, 20.0]},
            scoring=scorer,
            cv=KFold(3),
            error_score="raise",
        ).fit(X, user_features=users)
    plain = make_ranking_scorer("ndcg@10")
    for place, alpha in enumerate((5.0, 20.0)):
        twin = clone(model).set_params(estimator__alpha=alpha)
        by_hand = [
            plain(twin.fit(X[a], user_features=users[a]), X[b], user_features=users[b])
            for a, b in KFold(3).split(X)
        ]
        assert search.cv_results_["mean_test_score"][place] == pytest.approx(np.mean(by_hand))


def test_new_items(X):
    rng = np.random.default_rng(1)
    features, new = rng.normal(size=(40, 4)), rng.normal(size=(2, 4))
    wide = csr_array((X.data, X.indices, X.indptr), shape=(X.shape[0], 42))
    model = Fallback(ContentKNN()).fit(X, item_features=features)
    longer = model.with_items(new)
    again = Fallback(ContentKNN()).fit(wide, item_features=np.vstack([features, new]))
    np.testing.assert_allclose(longer.decision_function(wide), again.decision_function(wide))
    assert model.decision_function(X).shape == X.shape, "the model itself stays as it is"
    other = Fallback(ContentKNN(), fallback=EASE()).fit(X, item_features=features)
    with pytest.raises(ValueError, match="EASE, which does not; use DummyRecommender"):
        other.with_items(new)
    assert not hasattr(Fallback(EASE()), "with_items")


@pytest.mark.parametrize(
    ("estimator", "fallback", "weighs"),
    [
        (None, None, True),
        (SLIM(), None, True),
        (ItemKNN(), None, False),
        (EASE(), ItemKNN(), False),
        (MultVAE(), None, False),
    ],
)
def test_weights_where_both_models_weigh(estimator, fallback, weighs):
    model = Fallback(estimator, fallback=fallback)
    assert ("sample_weight" in inspect.signature(model.fit).parameters) == weighs
    assert model.fit.__name__ == "fit"
    assert model.fit.__doc__ == Fallback.fit.__doc__


def test_weights_reach_both_models(X):
    weight = np.arange(1.0, X.shape[0] + 1)
    model = Fallback(EASE(20.0)).fit(X, sample_weight=weight)
    expected = EASE(20.0).fit(X, sample_weight=weight).decision_function(X[:2])
    np.testing.assert_array_equal(model.decision_function(X[:2]), expected)
    popularity = X.sign().T @ weight
    np.testing.assert_allclose(model.fallback_.item_popularity_, popularity)
    LOCA(Fallback(EASE(20.0)), n_estimators=2, random_state=0).fit(X).recommend(X[:3])


def test_ratings_need_ratings():
    X = make_interactions(200, 40, 2400, feedback="rating", random_state=0, return_X=True)
    assert get_tags(Fallback(BiasedMF())).recommender_tags.predicts_ratings
    with pytest.raises(ValueError, match=r"must predict ratings. Got DummyRecommender for Biased"):
        Fallback(BiasedMF(), fallback=DummyRecommender()).fit(X)
    model = Fallback(UserKNN(feedback="rating"), random_state=0).fit(X)
    of_nobody = model.decision_function(csr_array((1, 40)))[0]
    rated = np.asarray(X.sum(axis=0)) > 0
    means = (X.sum(axis=0) / np.maximum(X.sign().sum(axis=0), 1))[rated]
    assert np.corrcoef(of_nobody[rated], means)[0, 1] > 0.9
    assert model.score(X) <= 0


def test_no_recommender(X):
    with pytest.raises(TypeError, match=r"`fallback` of Fallback must be.*PCA"):
        Fallback(EASE(), fallback=PCA()).fit(X)
    for name in ("estimator", "fallback"):
        with pytest.raises(ValueError, match=f"'{name}' parameter of Fallback must be"):
            Fallback().set_params(**{name: EASE}).fit(X)
    with pytest.raises(ValueError, match="min_interactions"):
        Fallback(min_interactions=-1).fit(X)


def test_a_model_that_has_learned_nothing_says_so_once(X):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Fallback(EASE()).fit(np.eye(4))
    assert [str(one.message)[:32] for one in caught] == ["Fallback scores all items alike "]


def test_a_failed_fit_leaves_the_model(X):
    model = Fallback(EASE(20.0)).fit(X)
    before = model.decision_function(X[:5])
    model.set_params(fallback=PCA())
    with pytest.raises(TypeError):
        model.fit(X[:, :7])
    np.testing.assert_array_equal(model.decision_function(X[:5]), before)


@pytest.mark.parametrize(
    "model",
    [
        Fallback(),
        Fallback(make_pipeline(Binarizer(), EASE()), fallback=ItemKNN()),
        Fallback(BPR(4)),
    ],
)
def test_saves_and_clones(X, tmp_path, model):
    model = clone(model).set_params(random_state=0).fit(X)
    loaded = skrec.load(skrec.save(model, tmp_path / "model.skops"))
    np.testing.assert_array_equal(loaded.decision_function(X), model.decision_function(X))
    np.testing.assert_array_equal(
        clone(model).fit(X).decision_function(X), model.decision_function(X)
    )


def test_similar_items_of_the_model_within(X):
    model = Fallback(ItemKNN()).fit(X)
    np.testing.assert_array_equal(
        model.similar_items([3, 1], 4), ItemKNN().fit(X).similar_items([3, 1], 4)
    )
    assert not hasattr(Fallback(DummyRecommender()).fit(X), "similar_items")


def test_vbpr_and_a_warm_start(X):
    """The clone of each fit begins anew, whatever `warm_start` says."""
    features = np.eye(40)
    inner = VBPR(2, n_content_components=2, max_iter=2, warm_start=True, random_state=0)
    model = Fallback(inner).fit(X, item_features=features)
    once = model.decision_function(X)
    np.testing.assert_array_equal(model.fit(X, item_features=features).decision_function(X), once)
