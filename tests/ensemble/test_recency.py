"""Recency: the model within sees ones, or decayed rows, and is asked about decayed rows."""

import inspect
import warnings

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer
from sklearn.utils import get_tags

import skrec
from skrec.datasets import make_interactions
from skrec.decomposition import BPR, BiasedMF
from skrec.dummy import DummyRecommender
from skrec.ensemble import Fallback, Recency
from skrec.linear_model import EASE
from skrec.metrics import compare_models, make_ranking_scorer
from skrec.neighbors import ItemKNN, UserKNN
from skrec.preprocessing import TimeDecay
from skrec.utils._search_grid import search_grid
from tests.side_recommenders import ContentKNN, SituationRidge


@pytest.fixture(scope="module")
def X():
    """Times of a few thousand units, the same for several entries of a row now and then."""
    X = make_interactions(120, 30, 1400, random_state=0, return_X=True)
    times = np.random.default_rng(0).integers(1, 400, X.nnz).astype(float) * 10
    return csr_array((times, X.indices, X.indptr), shape=X.shape)


def _ones(X):
    return csr_array((np.ones(X.nnz, X.dtype), X.indices, X.indptr), shape=X.shape)


@pytest.mark.parametrize("model", [EASE(20.0), ItemKNN()], ids=str)
def test_without_decay_it_is_the_model_on_ones(X, model):
    found = Recency(model, half_life=np.inf).fit(X)
    expected = clone(model).fit(_ones(X))
    np.testing.assert_array_equal(found.decision_function(X), expected.decision_function(_ones(X)))
    np.testing.assert_array_equal(found.recommend(X, 5), expected.recommend(_ones(X), 5))


@pytest.mark.parametrize("unit", ["time", "position"])
@pytest.mark.parametrize("fit_half_life", [None, 100.0])
def test_rows_are_decayed_when_they_are_scored(X, unit, fit_half_life):
    options = {"unit": unit, "floor": 0.01}
    model = Recency(EASE(20.0), half_life=3.0, fit_half_life=fit_half_life, **options).fit(X)
    fitted = _ones(X)
    if fit_half_life is not None:
        fitted = TimeDecay(fit_half_life, **options).fit_transform(X)
    asked = TimeDecay(3.0, **options).fit_transform(X)
    inner = EASE(20.0).fit(fitted)
    np.testing.assert_array_equal(model.decision_function(X), inner.decision_function(asked))
    rows, items = np.divmod(np.arange(X.shape[0] * X.shape[1]), X.shape[1])
    np.testing.assert_allclose(
        model.score_pairs(X, rows, items), model.decision_function(X).ravel(), atol=1e-14
    )
    lists = model.recommend(X, 3)
    np.testing.assert_array_equal(model.similar_items([4], 3), inner.similar_items([4], 3))
    parts = model.explain(X, lists[:, 0])
    np.testing.assert_array_equal(parts.toarray(), inner.explain(asked, lists[:, 0]).toarray())
    seen = X.toarray()[np.arange(len(lists))[:, None], lists]
    assert not seen[lists >= 0].any()


def test_the_half_life_of_a_fitted_model(X):
    model = Recency(EASE(20.0), half_life=50.0).fit(X)
    other = Recency(EASE(20.0), half_life=500.0).fit(X)
    np.testing.assert_array_equal(
        model.set_params(half_life=500.0).decision_function(X), other.decision_function(X)
    )
    with pytest.raises(ValueError, match="half_life"):
        model.set_params(half_life=-500.0).decision_function(X)


def test_what_the_model_within_lacks(X):
    model = Recency(DummyRecommender(), half_life=np.inf).fit(X)
    assert not hasattr(model, "explain")
    assert not hasattr(model, "similar_items")
    assert not hasattr(model, "with_items")
    pipeline = Recency(make_pipeline(Normalizer(), EASE(1.0)), half_life=30.0).fit(X)
    expected = pipeline.decision_function(X)[[3, 5], [1, 2]]
    np.testing.assert_allclose(pipeline.score_pairs(X, [3, 5], [1, 2]), expected)


def test_a_model_that_cannot_see_the_decay(X):
    for blind in (DummyRecommender(), BPR(2, max_iter=1, random_state=0)):
        with pytest.warns(UserWarning, match="reads which items a row has, but no values"):
            Recency(blind, half_life=30.0).fit(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Recency(EASE(20.0), half_life=30.0).fit(X)
        Recency(DummyRecommender(), half_life=np.inf).fit(X)
        Recency(DummyRecommender(), half_life=1e9).fit(X)


def test_a_matrix_without_times(X):
    with pytest.warns(UserWarning, match=r"Recency takes .* each row has a single time"):
        Recency(EASE(20.0)).fit(_ones(X))
    # Rows may have a time each, and empty ones and a single entry say nothing.
    rows = np.array([[0, 0, 0], [2, 2, 0], [0, 0, 0], [5, 5, 5], [7, 0, 0], [0, 0, 0]])
    with pytest.warns(UserWarning, match="each row has a single time"):
        Recency(EASE(20.0)).fit(rows)
    rows[3, 1] = 6
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Recency(EASE(20.0)).fit(rows)
        Recency(EASE(20.0)).fit(np.eye(3) + np.arange(3))
        Recency(EASE(20.0), half_life=np.inf).fit(_ones(X))


def test_weights_of_users(X):
    weight = np.arange(1.0, X.shape[0] + 1)
    model = Recency(EASE(20.0), half_life=30.0).fit(X, sample_weight=weight)
    expected = EASE(20.0).fit(_ones(X), sample_weight=weight)
    np.testing.assert_array_equal(model.estimator_.coef_, expected.coef_)
    assert "sample_weight" not in inspect.signature(Recency(ItemKNN()).fit).parameters


def test_side_information_reaches_the_model_within(X):
    users = np.random.default_rng(1).normal(size=(X.shape[0], 3))
    model = Recency(SituationRidge(), half_life=30.0).fit(X, user_features=users)
    inner = SituationRidge().fit(_ones(X), user_features=users)
    asked = TimeDecay(30.0).fit_transform(X)
    np.testing.assert_array_equal(
        model.decision_function(X, user_features=users),
        inner.decision_function(asked, user_features=users),
    )
    np.testing.assert_allclose(
        model.score_pairs(X, [4, 2], [0, 7], user_features=users),
        model.decision_function(X, user_features=users)[[4, 2], [0, 7]],
    )
    features = np.random.default_rng(2).normal(size=(X.shape[1], 4))
    content = Recency(ContentKNN(), half_life=30.0).fit(X, item_features=features)
    longer = content.with_items(features[:2])
    assert longer.n_features_in_ == X.shape[1] + 2
    wide = csr_array((X.data, X.indices, X.indptr), shape=(X.shape[0], X.shape[1] + 2))
    assert longer.decision_function(wide).shape == wide.shape
    with pytest.raises(TypeError, match="Recency reads no side information"):
        Recency(EASE()).fit(X, user_features=users)


def test_searches(X):
    search = GridSearchCV(
        Recency(EASE(), unit="position"),
        {"estimator__alpha": [1.0, 50.0], "half_life": [1.0, 5.0]},
        scoring=make_ranking_scorer(["ndcg@10"], holdout="last"),
        refit="ndcg@10",
        cv=2,
        error_score="raise",
    ).fit(X)
    assert set(search.best_params_) == {"estimator__alpha", "half_life"}
    grid = search_grid(Recency(EASE()))
    assert {setting["unit"] for setting in grid} == {"position"}
    assert len({setting["half_life"] for setting in grid}) == len(grid) == 4
    assert search_grid(Recency(EASE(), half_life=3600.0)) == []
    found = compare_models({"r": Recency(EASE())}, X, X, metrics="ndcg@10", search={"r": grid[:2]})
    assert found.names == ["r"]


def test_within_a_fallback_and_around_one(X):
    nobody = csr_array((1, X.shape[1]))
    outer = Fallback(Recency(EASE(20.0), half_life=30.0)).fit(X)
    inner = Recency(Fallback(EASE(20.0)), half_life=30.0).fit(X)
    np.testing.assert_allclose(outer.decision_function(X), inner.decision_function(X))
    np.testing.assert_array_equal(outer.recommend(nobody, 4), inner.recommend(nobody, 4))


def test_tags():
    assert get_tags(Recency(BPR())).recommender_tags.learned_users
    assert get_tags(Recency()).input_tags.positive_only
    assert not get_tags(Recency(BiasedMF())).recommender_tags.predicts_ratings


def test_no_model_of_ratings_and_no_recommender(X):
    with pytest.raises(
        ValueError, match=r"must not predict ratings, because X holds times\. Got UserKNN"
    ):
        Recency(UserKNN(feedback="rating")).fit(X)
    with pytest.raises(TypeError, match=r"`estimator` of Recency must be.*PCA"):
        Recency(PCA()).fit(X)
    with pytest.raises(ValueError, match="'half_life' parameter of Recency"):
        Recency(half_life=-1).fit(X)


def test_times_that_float32_cannot_tell_apart(X):
    late = csr_array((X.data + 1.7e9, X.indices, X.indptr), shape=X.shape)
    model = Recency(EASE(20.0)).fit(late)
    for call in (
        lambda late: Recency().fit(late),
        model.recommend,
        lambda late: model.score_pairs(late, [0], [0]),
        lambda late: model.explain(late, np.zeros(late.shape[0], dtype=int)),
    ):
        with pytest.raises(ValueError, match=r"Recency takes .*float32 cannot tell apart"):
            call(late.astype(np.float32))


def test_saves_and_clones(X, tmp_path):
    model = Recency(
        EASE(20.0), half_life=30.0, fit_half_life=300.0, unit="position", floor=0.1
    ).fit(X)
    loaded = skrec.load(skrec.save(model, tmp_path / "model.skops"))
    np.testing.assert_array_equal(loaded.decision_function(X), model.decision_function(X))
    np.testing.assert_array_equal(clone(model).fit(X).recommend(X, 3), model.recommend(X, 3))
