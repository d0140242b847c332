"""RankFusion: places of several lists, against a slow twin."""

import inspect

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import Normalizer

import skrec
from skrec.datasets import make_interactions
from skrec.decomposition import BiasedMF, PureSVD
from skrec.dummy import DummyRecommender
from skrec.ensemble import RankFusion
from skrec.linear_model import EASE
from skrec.neighbors import ItemKNN, UserKNN
from skrec.utils._ties import quantize_scores
from tests.side_recommenders import ContentKNN, SituationRidge


@pytest.fixture(scope="module")
def X():
    return make_interactions(70, 25, 500, random_state=0, return_X=True)


def _models():
    return [("ease", EASE(20.0)), ("knn", ItemKNN()), ("popular", DummyRecommender())]


def _place(value, others):
    """Place among others, from 1, of equals the mean."""
    return 1 + (others > value).sum() + (others == value).sum() / 2


def _twin(scores, seen, method, constant):
    cells = quantize_scores(scores[None])[0]
    points = np.empty(len(cells))
    unseen = np.setdiff1d(np.arange(len(cells)), seen)
    for item, value in enumerate(cells):
        others = cells[unseen[unseen != item]]
        if method == "reciprocal_rank":
            points[item] = 1 / (constant + _place(value, others))
        elif method == "borda":
            points[item] = (len(unseen) - _place(value, others)) / len(unseen)
        else:
            spread = cells[unseen].std()
            points[item] = (value - cells[unseen].mean()) / spread if spread else 0.0
    return points


@pytest.mark.parametrize("method", ["reciprocal_rank", "borda", "scores"])
def test_scores_equal_the_slow_twin(X, method):
    weights = [2.0, 0.5, 1.0]
    model = RankFusion(_models(), weights=weights, method=method, rank_constant=3.0).fit(X)
    scores = model.decision_function(X)
    inner = [clone(one).fit(X).decision_function(X) for _, one in _models()]
    for row in np.flatnonzero(np.diff(X.indptr) < X.shape[1])[:15]:
        seen = X[[row]].indices
        expected = sum(
            weight * _twin(one[row], seen, method, 3.0)
            for weight, one in zip(weights, inner, strict=True)
        )
        np.testing.assert_allclose(scores[row], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("method", ["reciprocal_rank", "borda", "scores"])
def test_one_model_keeps_its_lists(X, method):
    expected = EASE(20.0).fit(X).recommend(X, 10)
    one = RankFusion([("ease", EASE(20.0))], method=method).fit(X)
    np.testing.assert_array_equal(one.recommend(X, 10), expected)
    without = RankFusion(_models(), weights=[1, 0, 0], method=method).fit(X)
    np.testing.assert_array_equal(without.recommend(X, 10), expected)


@pytest.mark.parametrize("method", ["reciprocal_rank", "borda", "scores"])
def test_a_model_that_knows_nothing_of_a_row_changes_nothing(X, method):
    models = [("popular", DummyRecommender()), ("ease", EASE(20.0))]
    model = RankFusion(models, method=method).fit(X)
    empty = csr_array((1, X.shape[1]))
    expected = DummyRecommender().fit(X).recommend(empty, 25)
    np.testing.assert_array_equal(model.recommend(empty, 25), expected)


def test_items_of_the_row_move_no_other(X):
    """Places count unseen items only: one model has the row's items at the top, one has not."""
    row = np.zeros((1, 25))
    row[0, [0, 1, 2]] = 1
    models = [("knn", UserKNN()), ("ease", EASE(20.0))]
    model = RankFusion(models, rank_constant=0.0).fit(X)
    scores = model.decision_function(row)[0]
    best = [one.predict(row)[0] for one in model.estimators_]
    assert scores[best].min() >= 1.0  # 1 / 1 for the first place


def test_parameters_of_models_go_by_their_names(X):
    model = RankFusion(_models())
    assert model.get_params()["ease__alpha"] == 20.0
    model.set_params(ease__alpha=5.0, knn=PureSVD(2, random_state=0), weights=[1, 2, 3])
    assert model.estimators[0][1].alpha == 5.0
    assert isinstance(model.estimators[1][1], PureSVD)
    model.set_params(estimators=[("a", EASE())], a__alpha=3.0)
    assert model.get_params()["a__alpha"] == 3.0
    with pytest.raises(ValueError, match="nonsense"):
        model.set_params(nonsense=1)
    twin = clone(model)
    assert twin.estimators[0][1] is not model.estimators[0][1]
    assert twin.estimators[0][1].alpha == 3.0


def test_a_search_finds_weights_and_parameters(X):
    grid = {"weights": [(1, 0, 0), (0, 0, 1)], "ease__alpha": [5.0, 50.0]}
    search = GridSearchCV(RankFusion(_models()), grid, cv=2).fit(X)
    assert search.best_params_["weights"] == (1, 0, 0)
    assert len(set(search.cv_results_["mean_test_score"])) == 3


def test_what_cannot_be_fused_is_refused(X):
    for estimators in ([], [EASE()], [("a", EASE)], "ease", [("a", EASE()), ("a", EASE())]):
        with pytest.raises(ValueError, match="RankFusion"):
            RankFusion(estimators).fit(X)
    with pytest.raises(ValueError, match="double underscores"):
        RankFusion([("a__b", EASE())]).fit(X)
    with pytest.raises(ValueError, match="own parameters"):
        RankFusion([("weights", EASE())]).fit(X)
    with pytest.raises(ValueError, match="ratings"):
        RankFusion([("a", BiasedMF(2))]).fit(X)
    with pytest.raises(TypeError, match="decision_function"):
        RankFusion([("a", Normalizer())]).fit(X)
    with pytest.raises(ValueError, match="one weight for each"):
        RankFusion(_models(), weights=[1, 1]).fit(X)
    for weights in ([0, 0, 0], [1, -1, 1], [1, np.nan, 1], "abc"):
        with pytest.raises(ValueError, match="weights"):
            RankFusion(_models(), weights=weights).fit(X)
    model = RankFusion(_models()).fit(X)
    with pytest.raises(ValueError, match="one weight for each"):
        model.set_params(weights=[1]).predict(X)


def test_side_information_goes_to_those_who_read_it(X):
    features = np.random.default_rng(0).random((25, 4))
    values = np.random.default_rng(0).random((X.nnz, 2))
    context = skrec.InteractionContext(values, X.indptr)
    models = [("content", ContentKNN()), ("ridge", SituationRidge()), ("ease", EASE(20.0))]
    model = RankFusion(models, weights=[0, 1, 0])
    model.fit(X, item_features=features, context=context)
    situation = values[: X.shape[0]]
    expected = SituationRidge().fit(X, context=context).recommend(X, 5, context=situation)
    np.testing.assert_array_equal(model.recommend(X, 5, context=situation), expected)
    assert "sample_weight" in inspect.signature(RankFusion([("a", EASE())]).fit).parameters
    assert "sample_weight" not in inspect.signature(RankFusion(models).fit).parameters


def test_new_items_are_known_to_all_models(X):
    features = np.random.default_rng(0).random((28, 4))
    models = [("knn", ItemKNN()), ("popular", DummyRecommender())]
    longer = RankFusion(models).fit(X, item_features=features[:25]).with_items(features[25:])
    wide = csr_array((X.data, X.indices, X.indptr), shape=(X.shape[0], 28))
    expected = RankFusion(models).fit(wide, item_features=features)
    np.testing.assert_array_equal(longer.recommend(wide, 10), expected.recommend(wide, 10))


def test_saved_and_loaded(X, tmp_path):
    model = RankFusion(_models(), weights=[1, 2, 3]).fit(X)
    skrec.save(model, tmp_path / "model.skrec")
    loaded = skrec.load(tmp_path / "model.skrec")
    np.testing.assert_array_equal(loaded.decision_function(X), model.decision_function(X))
