"""TwoStageRecommender: candidates of one model in the order of another one."""

import numpy as np
import pytest
from scipy.sparse import csr_array, issparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

import skrec
from skrec.content import ContentRecommender
from skrec.content._pair_rows import sampled_among
from skrec.datasets import make_interactions
from skrec.decomposition import WMF, BiasedMF, PureSVD
from skrec.dummy import DummyRecommender
from skrec.ensemble import TwoStageRecommender
from skrec.linear_model import EASE
from skrec.neighbors import ItemKNN, UserKNN
from tests.side_recommenders import SituationRidge

N_ITEMS = 40


@pytest.fixture(scope="module")
def X():
    return make_interactions(90, N_ITEMS, 800, random_state=0, return_X=True)


@pytest.mark.parametrize("model", [EASE(20.0), PureSVD(5, random_state=0), UserKNN()], ids=str)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_with_the_retriever_as_ranker_lists_are_the_same(X, model, dtype):
    X = X.astype(dtype)
    both = TwoStageRecommender(model, clone(model), n_candidates=8).fit(X)
    expected = clone(model).fit(X).recommend(X, N_ITEMS)
    np.testing.assert_array_equal(both.recommend(X, N_ITEMS), expected)


@pytest.mark.parametrize("n_candidates", [N_ITEMS, 1000])
def test_with_all_items_as_candidates_it_is_the_ranker(X, n_candidates):
    model = TwoStageRecommender(UserKNN(), EASE(20.0), n_candidates=n_candidates).fit(X)
    ranker = EASE(20.0).fit(X)
    np.testing.assert_allclose(model.decision_function(X), ranker.decision_function(X))
    np.testing.assert_array_equal(model.recommend(X, 10), ranker.recommend(X, 10))


def test_candidates_are_ordered_by_the_ranker_and_others_by_the_retriever(X):
    model = TwoStageRecommender(UserKNN(), EASE(20.0), n_candidates=7).fit(X)
    lists = model.recommend(X, N_ITEMS)
    first = UserKNN().fit(X).recommend(X, N_ITEMS)
    wanted = EASE(20.0).fit(X).decision_function(X)
    for row in range(X.shape[0]):
        candidates = first[row, :7]
        assert set(lists[row, :7]) == set(candidates)
        assert (np.diff(wanted[row, lists[row, :7]]) <= 1e-9).all()
        np.testing.assert_array_equal(lists[row, 7:], first[row, 7:])
    scores = model.decision_function(X)
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(scores[0, lists[0, :7]], wanted[0, lists[0, :7]])
    seen = X[[0]].indices
    np.testing.assert_allclose(scores[0, seen], wanted[0, seen])


def test_scores_of_very_different_size_keep_both_orders(X):
    """Retrieved by scores about a million times as large, and as small, as the ranker's."""

    class Scaled(EASE):
        factor = 1.0

        def _scores(self, X):
            return self.factor * super()._scores(X)

    for factor in (1e-7, 1e7):
        big = type("Big", (Scaled,), {"factor": factor})(20.0)
        model = TwoStageRecommender(big, UserKNN(), n_candidates=6).fit(X)
        expected = TwoStageRecommender(EASE(20.0), UserKNN(), n_candidates=6).fit(X)
        np.testing.assert_array_equal(model.recommend(X, N_ITEMS), expected.recommend(X, N_ITEMS))


def test_ties_of_the_retriever_stay(X):
    model = TwoStageRecommender(DummyRecommender(), EASE(20.0), n_candidates=3)
    popular = csr_array(np.ones((4, N_ITEMS)))
    scores = model.fit(popular).decision_function(csr_array((1, N_ITEMS)))[0]
    assert len(set(scores[3:])) == 1
    assert (scores[:3] > scores[3]).all()


def test_only_candidates_and_the_rows_items_are_ranked(X):
    asked = []

    class Counting(EASE):
        def _pair_scores(self, X, rows, items):
            asked.append(len(rows))
            return super()._pair_scores(X, rows, items)

    model = TwoStageRecommender(UserKNN(), Counting(20.0), n_candidates=5).fit(X)
    asked.clear()
    model.recommend(X, 3)
    assert sum(asked) == X.nnz + 5 * X.shape[0]


def test_a_pipeline_can_retrieve_and_rank(X):
    piped = make_pipeline(Normalizer(), EASE(20.0))
    model = TwoStageRecommender(piped, make_pipeline(Normalizer(), UserKNN())).fit(X)
    assert model.recommend(X, 5).shape == (X.shape[0], 5)


def test_context_goes_to_the_ranker(X):
    values = np.random.default_rng(0).random((X.nnz, 2))
    context = skrec.InteractionContext(values, X.indptr)
    situation = values[: X.shape[0]]
    model = TwoStageRecommender(EASE(20.0), SituationRidge(), n_candidates=N_ITEMS)
    model.fit(X, context=context)
    expected = SituationRidge().fit(X, context=context)
    np.testing.assert_allclose(
        model.decision_function(X, context=situation),
        expected.decision_function(X, context=situation),
    )


def test_retrieved_negatives_are_items_that_the_retriever_shows(X):
    rng = np.random.RandomState(0)
    shown = csr_array((rng.random_sample(X.shape) < 0.1) & (X.toarray() == 0), dtype=float)
    entries, items = sampled_among(X, shown, 3, rng)
    users = np.searchsorted(X.indptr, entries, side="right") - 1
    assert (shown.toarray()[users, items] == 1).all()
    has_some = np.diff(shown.indptr) > 0
    assert len(entries) == 3 * np.diff(X.indptr)[has_some].sum()
    # All of them are drawn, each as often as the others of its row.
    many = np.concatenate([sampled_among(X, shown, 20, rng)[1] for _ in range(20)])
    assert set(many) == set(shown[np.diff(X.indptr) > 0].indices)


def _dense(rows):
    return rows.toarray() if issparse(rows) else rows


def test_a_ranker_learns_from_retrieved_negatives(X):
    features = np.random.default_rng(0).random((N_ITEMS, 3))
    seen = {}

    class Watched(LogisticRegression):
        def fit(self, rows, labels):
            seen["rows"], seen["labels"] = _dense(rows), labels
            return super().fit(rows, labels)

    ranker = ContentRecommender(Watched(max_iter=300), use_ids=False, pairs="concatenate")
    options = {"n_candidates": 5, "random_state": 0}
    model = TwoStageRecommender(UserKNN(), ranker, negatives="retrieved", **options)
    model.fit(X, item_features=features)
    shown = UserKNN().fit(X).recommend(X, 5)
    allowed = {tuple(features[item]) for item in np.unique(shown)}
    negatives = seen["rows"][seen["labels"] == 0][:, -3:]
    assert {tuple(row) for row in negatives} <= allowed
    plain = TwoStageRecommender(UserKNN(), ranker, **options).fit(X, item_features=features)
    assert not np.allclose(model.decision_function(X), plain.decision_function(X))
    with pytest.raises(ValueError, match="ContentRecommender"):
        TwoStageRecommender(UserKNN(), WMF(), negatives="retrieved").fit(X)


def test_models_that_it_cannot_hold_are_refused(X):
    with pytest.raises(TypeError, match="decision_function"):
        TwoStageRecommender(EASE(), Normalizer()).fit(X)
    with pytest.raises(ValueError, match="ratings"):
        TwoStageRecommender(BiasedMF(2)).fit(X)
    with pytest.raises(ValueError, match="n_candidates"):
        TwoStageRecommender(n_candidates=0).fit(X)
    with pytest.raises(TypeError, match="item_features"):
        TwoStageRecommender().fit(X, item_features=np.ones((N_ITEMS, 1)))


def test_new_items_and_searches_and_files(X, tmp_path):
    features = np.random.default_rng(0).random((N_ITEMS + 3, 4))
    model = TwoStageRecommender(ItemKNN(), DummyRecommender(), n_candidates=6)
    longer = model.fit(X, item_features=features[:N_ITEMS]).with_items(features[N_ITEMS:])
    wide = csr_array((X.data, X.indices, X.indptr), shape=(X.shape[0], N_ITEMS + 3))
    expected = clone(model).fit(wide, item_features=features)
    np.testing.assert_allclose(longer.decision_function(wide), expected.decision_function(wide))
    skrec.save(longer, tmp_path / "model.skrec")
    loaded = skrec.load(tmp_path / "model.skrec")
    np.testing.assert_array_equal(loaded.decision_function(wide), longer.decision_function(wide))
    grid = {"n_candidates": [5, 20], "ranker__alpha": [10.0, 100.0]}
    search = GridSearchCV(TwoStageRecommender(UserKNN(), EASE()), grid, cv=2).fit(X)
    assert set(search.best_params_) == set(grid)
