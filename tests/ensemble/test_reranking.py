"""MMR, CalibratedReranker, ReservedSlots: orders against slow twins, and scores that hold them."""

import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

import skrec
from skrec.content import VBPR
from skrec.datasets import make_interactions
from skrec.decomposition import BiasedMF, PureSVD
from skrec.dummy import DummyRecommender
from skrec.ensemble import MMR, CalibratedReranker, Fallback, ReservedSlots
from skrec.ensemble._list_head import with_head
from skrec.linear_model import EASE
from skrec.metrics import diversity_score
from skrec.neighbors import ItemKNN
from skrec.utils._ties import quantize_scores
from tests.side_recommenders import SituationRidge

N_ITEMS = 30


@pytest.fixture(scope="module")
def X():
    return make_interactions(80, N_ITEMS, 600, random_state=0, return_X=True)


@pytest.fixture(scope="module")
def genres():
    drawn = np.random.default_rng(1).random((N_ITEMS, 5)) < 0.3
    drawn[:2] = False  # two items of no genre
    return drawn.astype(float)


def _relevance(scores, items):
    """Scores of the candidates of a row between 0 and 1."""
    keys = quantize_scores(scores[None])[0][items]
    span = keys[0] - keys[-1]
    return (keys - keys[-1]) / span if span else np.ones(len(items))


def _base_list(model, X, row, n_candidates):
    scores = model.estimator_.decision_function(X[[row]])[0]
    items = skrec.recommend(model.estimator_, X[[row]], n_candidates)[0]
    return scores, items[items >= 0]


def _mmr_twin(relevance, vectors, trade_off):
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-300)
    chosen, left = [], list(range(len(relevance)))
    while left:
        values = []
        for j in left:
            near = max((unit[j] @ unit[c] for c in chosen), default=0.0)
            values.append(trade_off * relevance[j] - (1 - trade_off) * near)
        best = left[int(np.argmax(np.round(values, 6)))]
        chosen.append(best)
        left.remove(best)
    return chosen


@pytest.mark.parametrize("trade_off", [0.0, 0.3, 0.8])
@pytest.mark.parametrize("similarity", ["features", "interactions", "components"])
def test_mmr_equals_the_slow_twin(X, trade_off, similarity):
    features = np.random.default_rng(0).normal(size=(N_ITEMS, 4))
    base = PureSVD(6, random_state=0)
    model = MMR(base, trade_off=trade_off, n_candidates=12, similarity=similarity)
    model.fit(X, item_features=features)
    vectors = {
        "features": features,
        "interactions": X.toarray().T,
        "components": model.estimator_.components_.T,
    }[similarity]
    lists = model.recommend(X, 12)
    for row in range(20):
        scores, items = _base_list(model, X, row, 12)
        order = _mmr_twin(_relevance(scores, items), vectors[items], trade_off)
        np.testing.assert_array_equal(lists[row, : len(items)], items[order])


@pytest.mark.parametrize("sparse", [False, True])
def test_sparse_features_are_dense_ones(X, genres, sparse):
    given_ = csr_array(genres) if sparse else genres
    model = MMR(trade_off=0.4, n_candidates=10).fit(X, item_features=given_)
    expected = MMR(trade_off=0.4, n_candidates=10).fit(X, item_features=genres * 7.0)
    np.testing.assert_array_equal(model.recommend(X, 10), expected.recommend(X, 10))


def test_mmr_makes_lists_more_diverse(X, genres):
    plain = EASE().fit(X).recommend(X, 5)
    model = MMR(EASE(), trade_off=0.3, n_candidates=25).fit(X, item_features=genres)
    assert diversity_score(model.recommend(X, 5), genres) > diversity_score(plain, genres) + 0.05


def _calibration_twin(relevance, mixes, target, trade_off, smoothing):
    chosen, left = [], list(range(len(relevance)))
    while left:
        values = []
        for j in left:
            group = mixes[[*chosen, j]]
            group = group[group.sum(axis=1) > 0]
            q = group.mean(axis=0) if len(group) else np.zeros(len(target))
            here = target > 0
            p, found = target[here], ((1 - smoothing) * q + smoothing * target)[here]
            total = relevance[[*chosen, j]].sum()
            values.append(trade_off * total - (1 - trade_off) * (p * np.log(p / found)).sum())
        best = left[int(np.argmax(np.round(values, 10)))]
        chosen.append(best)
        left.remove(best)
    return chosen


@pytest.mark.parametrize("trade_off", [0.0, 0.4, 0.9])
def test_calibrated_lists_equal_the_slow_twin(X, genres, trade_off):
    weighted = genres * np.random.default_rng(2).uniform(0.5, 2, size=genres.shape)
    model = CalibratedReranker(EASE(20.0), trade_off=trade_off, n_candidates=12, smoothing=0.05)
    model.fit(X, item_features=weighted)
    mixes = weighted / np.maximum(weighted.sum(axis=1, keepdims=True), 1e-300)
    lists = model.recommend(X, 12)
    for row in range(20):
        scores, items = _base_list(model, X, row, 12)
        own = mixes[X[[row]].indices]
        own = own[own.sum(axis=1) > 0]
        target = own.mean(axis=0) if len(own) else np.zeros(mixes.shape[1])
        order = _calibration_twin(_relevance(scores, items), mixes[items], target, trade_off, 0.05)
        np.testing.assert_array_equal(lists[row, : len(items)], items[order])


def test_calibrated_lists_are_nearer_to_the_row(X, genres):
    def distance(lists):
        total = 0.0
        for row, items in enumerate(lists):
            own, found = genres[X[[row]].indices].mean(axis=0), genres[items].mean(axis=0)
            total += np.abs(own / own.sum() - found / max(found.sum(), 1e-300)).sum()
        return total

    model = CalibratedReranker(EASE(), trade_off=0.2, n_candidates=20)
    found = model.fit(X, item_features=genres).recommend(X, 6)
    assert distance(found) < 0.8 * distance(EASE().fit(X).recommend(X, 6))


def test_reserved_slots_hold_the_best_reserved_items(X):
    reserved, places = np.array([3, 4, 9, 20, 21, 22]), (0, 3, 4)
    model = ReservedSlots(EASE(20.0), items=reserved, positions=places).fit(X)
    base = EASE(20.0).fit(X).recommend(X, N_ITEMS)
    lists = model.recommend(X, N_ITEMS)
    for mine, theirs in zip(lists, base, strict=True):
        theirs = [item for item in theirs if item >= 0]
        expected = []
        for place in range(len(theirs)):
            left = [item for item in theirs if item not in expected]
            special = [item for item in left if item in reserved]
            expected.append(special[0] if place in places and special else left[0])
        assert list(mine[: len(expected)]) == expected
        assert (mine[len(expected) :] == -1).all()


def test_slots_are_kept_for_new_items_by_default(X):
    wide = csr_array((X.data, X.indices, X.indptr), shape=(X.shape[0], N_ITEMS + 3))
    features = np.random.default_rng(0).random((N_ITEMS + 3, 4))
    model = ReservedSlots(ItemKNN(), positions=(1,)).fit(wide, item_features=features)
    assert (model.recommend(wide, 5)[:, 1] >= N_ITEMS).all()
    longer = ReservedSlots(ItemKNN(), positions=(1,)).fit(X, item_features=features[:N_ITEMS])
    assert not longer.is_reserved_.any()
    longer = longer.with_items(features[N_ITEMS:])
    np.testing.assert_array_equal(longer.recommend(wide, 5), model.recommend(wide, 5))


RERANKERS = [
    MMR(ItemKNN(), trade_off=0.4, n_candidates=9),
    CalibratedReranker(ItemKNN(), trade_off=0.3, n_candidates=9),
    ReservedSlots(ItemKNN(), items=[2, 5, 7, 11], positions=(0, 3)),
]


@pytest.mark.parametrize("model", RERANKERS, ids=lambda model: type(model).__name__)
class TestAll:
    def test_lists_of_different_lengths_agree_with_each_other_and_with_the_scores(
        self, model, X, genres
    ):
        model.fit(X, item_features=genres)
        long = model.recommend(X, 15)
        for k in (1, 4, 9):
            np.testing.assert_array_equal(model.recommend(X, k), long[:, :k])
        np.testing.assert_array_equal(model.predict(X), long[:, 0])
        scores = model.decision_function(X)
        scores[X.toarray() > 0] = -np.inf
        order = np.argsort(-scores, axis=1, kind="stable")[:, :15]
        here = np.take_along_axis(scores, order, axis=1) > -np.inf
        np.testing.assert_array_equal(np.where(here, order, -1), long)

    def test_float32_rows_get_the_same_lists(self, model, X, genres):
        model.fit(X, item_features=genres)
        np.testing.assert_array_equal(
            model.recommend(X.astype(np.float32), 12), model.recommend(X, 12)
        )

    def test_a_row_depends_on_no_other(self, model, X, genres):
        model.fit(X, item_features=genres)
        one = np.vstack([model.decision_function(X[[row]]) for row in range(10)])
        np.testing.assert_allclose(one, model.decision_function(X)[:10], rtol=1e-9)

    def test_other_items_keep_their_scores(self, model, X, genres):
        model.fit(X, item_features=genres)
        found, base = model.decision_function(X), model.estimator_.decision_function(X)
        head = model.recommend(X, 9)
        moved = ~np.isclose(found, base, rtol=1e-10)
        for row in range(X.shape[0]):
            assert set(np.flatnonzero(moved[row])) <= set(head[row])

    def test_new_items_equal_a_fit_with_them(self, model, X, genres):
        new = np.random.default_rng(5).random((4, 5)).round(1)
        wide = csr_array((X.data, X.indices, X.indptr), shape=(X.shape[0], N_ITEMS + 4))
        longer = model.fit(X, item_features=genres).with_items(new)
        expected = model.fit(wide, item_features=np.vstack([genres, new]))
        if isinstance(model, ReservedSlots):
            assert (longer.is_reserved_ == expected.is_reserved_).all()
        if not isinstance(model, MMR):  # in X nobody has the new items, nor in wide
            np.testing.assert_array_equal(longer.recommend(wide, 9), expected.recommend(wide, 9))
        np.testing.assert_allclose(
            longer.decision_function(wide), expected.decision_function(wide), rtol=1e-9
        )

    def test_models_that_it_cannot_hold_are_refused(self, model, X):
        with pytest.raises(TypeError, match="decision_function"):
            model.__class__(Normalizer()).fit(X)
        with pytest.raises(ValueError, match="ratings"):
            model.__class__(BiasedMF(2)).fit(X)
        with pytest.raises(ValueError, match="estimator"):
            model.__class__(EASE).fit(X)

    def test_weights_and_pipelines_and_searches(self, model, X):
        kind = type(model)
        assert "sample_weight" in inspect.signature(kind(EASE()).fit).parameters
        assert "sample_weight" not in inspect.signature(kind(ItemKNN()).fit).parameters
        weight = np.arange(X.shape[0]) % 3
        repeated = X[np.repeat(np.arange(X.shape[0]), weight)]
        found = kind(EASE(20.0)).fit(X, sample_weight=weight)
        expected = kind(EASE(20.0)).fit(repeated)
        np.testing.assert_allclose(found.decision_function(X), expected.decision_function(X))
        piped = kind(make_pipeline(Normalizer(), EASE(20.0))).fit(X)
        assert np.isfinite(piped.decision_function(X)).all()
        search = GridSearchCV(kind(EASE()), {"estimator__alpha": [10.0, 100.0]}, cv=2).fit(X)
        assert search.best_estimator_.recommend(X, 3).shape == (X.shape[0], 3)

    def test_rows_with_few_items_left(self, model, genres):
        X = np.ones((4, N_ITEMS))
        X[0, [3, 8]] = 0
        X[1, :] = 0
        X[2, :29] = 0
        model.fit(X, item_features=genres)
        lists = model.recommend(X, N_ITEMS)
        assert sorted(lists[0, :2]) == [3, 8]
        assert (lists[0, 2:] == -1).all()
        assert (lists[3] == -1).all()
        assert sorted(lists[1]) == list(range(N_ITEMS))
        assert model.predict(X)[3] == -1

    def test_save_and_load(self, model, X, genres, tmp_path):
        model.fit(X, item_features=genres)
        skrec.save(model, tmp_path / "model.skrec")
        loaded = skrec.load(tmp_path / "model.skrec")
        np.testing.assert_array_equal(loaded.decision_function(X), model.decision_function(X))


@pytest.mark.parametrize("kind", [MMR, CalibratedReranker])
def test_trade_off_one_is_the_model(X, genres, kind):
    model = kind(EASE(20.0), trade_off=1.0, n_candidates=10).fit(X, item_features=genres)
    np.testing.assert_array_equal(model.recommend(X, 20), EASE(20.0).fit(X).recommend(X, 20))


def test_ties_of_the_model_are_kept_apart_in_the_order_of_the_list():
    X = np.zeros((1, 6))
    model = ReservedSlots(DummyRecommender(), items=[5], positions=(1,)).fit(np.ones((2, 6)))
    assert model.recommend(X, 6).tolist() == [[0, 5, 1, 2, 3, 4]]


def test_features_reach_a_model_that_reads_them(X, genres):
    model = MMR(VBPR(2, n_content_components=2, max_iter=2, random_state=0))
    model.fit(X, item_features=genres)
    assert model.estimator_.n_item_features_in_ == 5
    assert model.with_items(genres[:2]).recommend(
        csr_array((X.shape[0], N_ITEMS + 2)), 3
    ).shape == (X.shape[0], 3)
    with pytest.raises(ValueError, match="EASE"):
        MMR().fit(X, item_features=genres).with_items(genres[:2])


def test_context_reaches_a_model_that_reads_it(X):
    values = np.random.default_rng(0).random((X.nnz, 2))
    situation = values[: X.shape[0]]
    context = skrec.InteractionContext(values, X.indptr)
    base = SituationRidge().fit(X, context=context)
    model = ReservedSlots(SituationRidge(), items=[], positions=()).fit(X, context=context)
    np.testing.assert_array_equal(
        model.recommend(X, 5, context=situation), base.recommend(X, 5, context=situation)
    )


def test_what_is_asked_of_vectors_and_groups_is_there(X, genres):
    with pytest.raises(ValueError, match="item_features"):
        MMR(similarity="features").fit(X)
    with pytest.raises(ValueError, match="components_"):
        MMR(similarity="components").fit(X)
    with pytest.raises(ValueError, match=">= 0"):
        CalibratedReranker().fit(X, item_features=-genres)
    with pytest.raises(ValueError, match="positions"):
        ReservedSlots(positions=(1, 1)).fit(X)
    with pytest.raises(ValueError, match="items"):
        ReservedSlots(items=[N_ITEMS]).fit(X)


def test_fallback_can_stand_within(X, genres):
    model = CalibratedReranker(Fallback(EASE(20.0))).fit(X, item_features=genres)
    assert (model.recommend(csr_array((1, N_ITEMS)), 5) >= 0).all()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 12),
    st.integers(0, 12),
    st.sampled_from([np.float32, np.float64]),
    st.integers(0, 10_000),
)
def test_a_head_stands_in_its_order_before_all_others(n_items, length, dtype, seed):
    rng = np.random.default_rng(seed)
    scores = rng.choice([-2.0, 0.0, 0.5, 0.5000001, 3.0], size=(5, n_items)).astype(dtype)
    seen = csr_array((rng.random((5, n_items)) < 0.3).astype(float))
    head = np.full((5, length), -1)
    for row in range(5):
        left = np.setdiff1d(np.arange(n_items), seen[[row]].indices)
        chosen = rng.permutation(left)[:length]
        head[row, : len(chosen)] = chosen
    ordered = with_head(scores, seen, head)
    assert ordered.dtype == dtype
    keys = quantize_scores(ordered)
    for row in range(5):
        chosen = head[row][head[row] >= 0]
        assert (np.diff(keys[row, chosen]) < 0).all()
        rest = np.setdiff1d(np.arange(n_items), np.append(seen[[row]].indices, chosen))
        if len(chosen) and len(rest):
            assert keys[row, chosen].min() > keys[row, rest].max()
        others = np.setdiff1d(np.arange(n_items), chosen)
        np.testing.assert_array_equal(ordered[row, others], scores[row, others])
