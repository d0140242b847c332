"""ColdStart: the regression against scikit-learn's, cold and new items, what stands within."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer
from sklearn.utils import get_tags

from skrec import InteractionContext, ItemFeatures
from skrec.content import VBPR, ColdStart
from skrec.content._cold_start import ridge
from skrec.datasets import make_interactions
from skrec.datasets._base import get_data_home
from skrec.decomposition import BPR, WMF, BiasedMF, GraphFilter, PureSVD
from skrec.dummy import DummyRecommender
from skrec.linear_model import EASE
from skrec.metrics import evaluate
from skrec.model_selection import cold_item_split
from skrec.neighbors import UserKNN

RNG = np.random.default_rng(0)
F = RNG.normal(size=(30, 5)) * (RNG.random((30, 5)) < 0.7)


@pytest.fixture(scope="module")
def X():
    X = make_interactions(60, 30, 500, random_state=0, return_X=True).toarray()
    X[:, [4, 17, 29]] = 0
    return csr_array(X)


COLD = np.array([4, 17, 29])
WARM = np.setdiff1d(np.arange(30), COLD)


def unit(features):
    lengths = np.linalg.norm(features[WARM], axis=1)
    return features / lengths[lengths > 0].mean()


@pytest.mark.parametrize("width", [5, 40])
def test_item_vectors_of_a_factor_model_are_those_of_scikit_learn_s_ridge(X, width):
    features = np.random.default_rng(1).normal(size=(30, width))
    model = ColdStart(PureSVD(6), alpha=0.7).fit(X, item_features=features)
    svd = PureSVD(6).fit(X[:, WARM])
    of_features = Ridge(alpha=0.7).fit(unit(features)[WARM], svd.components_.T)
    vectors = of_features.predict(unit(features)[COLD])
    expected = svd.transform(X[:, WARM]) @ vectors.T
    scores = model.decision_function(X)
    np.testing.assert_allclose(scores[:, COLD], expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(scores[:, WARM], svd.decision_function(X[:, WARM]))


@pytest.mark.parametrize(
    "estimator", [EASE(), GraphFilter(4, linear_weight=0.4), BiasedMF(3, random_state=0)], ids=repr
)
def test_scores_of_any_model_are_regressed_on_features(X, estimator):
    model = ColdStart(estimator, alpha=2.0).fit(X, item_features=F)
    scores = model.decision_function(X)
    within = ColdStart(estimator).fit(X[:, WARM]).decision_function(X[:, WARM])
    np.testing.assert_array_equal(scores[:, WARM], within)
    regression = Ridge(alpha=2.0).fit(unit(F)[WARM], within.T)
    np.testing.assert_allclose(
        scores[:, COLD], regression.predict(unit(F)[COLD]).T, rtol=1e-9, atol=1e-10
    )
    weights = (model.coef_ @ within.T).T  # of the features, in their unit
    mean = (within.mean(axis=1) - weights @ model.feature_means_)[:, None]
    np.testing.assert_allclose(scores[:, COLD], mean + weights @ F[COLD].T, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("estimator", [PureSVD(4), BPR(3, max_iter=3), WMF(3)], ids=repr)
def test_without_features_it_is_the_model(X, estimator):
    model = ColdStart(estimator, random_state=3).fit(X)
    twin = model.estimator_
    np.testing.assert_array_equal(model.decision_function(X), twin.decision_function(X))
    np.testing.assert_array_equal(
        model.score_pairs(X, [0, 3], [4, 5]), twin.score_pairs(X, [0, 3], [4, 5])
    )
    assert not [name for name in vars(model) if "feature" in name and name != "n_features_in_"]
    with pytest.raises(ValueError, match="without item_features"):
        model.with_items(F[:2])
    model.fit(X, item_features=F).fit(X)
    assert not hasattr(model, "coef_")


@settings(max_examples=15)
@given(seed=st.integers(0, 1000), n_new=st.integers(1, 4), width=st.sampled_from([2, 50]))
def test_longer_catalogues_and_empty_columns(seed, n_new, width):
    rng = np.random.default_rng(seed)
    X = csr_array((rng.random((12, 8)) < 0.4).astype(float))
    features, new = rng.normal(size=(8, width)), rng.normal(size=(n_new, width))
    model = ColdStart(BPR(2, max_iter=2, random_state=0)).fit(X, item_features=features)
    wide = csr_array((X.data, X.indices, X.indptr), shape=(12, 8 + n_new))
    at_once = ColdStart(BPR(2, max_iter=2, random_state=0))
    at_once.fit(wide, item_features=np.vstack([features, new]))
    longer = model.with_items(new)
    scores = at_once.decision_function(wide)
    np.testing.assert_array_equal(scores[:, :8], model.decision_function(X))
    np.testing.assert_allclose(longer.decision_function(wide), scores, rtol=1e-9, atol=1e-12)
    rows, items = np.indices(wide.shape).reshape(2, -1)
    np.testing.assert_allclose(
        longer.score_pairs(wide, rows, items), scores.ravel(), rtol=1e-9, atol=1e-12
    )


def test_ridge_keeps_columns_and_forms():
    for make in (np.asarray, csr_array):
        coef, means = ridge(make(F), 1.0)
        np.testing.assert_allclose(coef, ridge(F, 1.0)[0], rtol=1e-12)
        np.testing.assert_allclose(means, F.mean(axis=0))
    permuted = ridge(F[:, ::-1], 1.0)[0]
    np.testing.assert_allclose(permuted[::-1], ridge(F, 1.0)[0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(ridge(1024 * F, 1.0)[0], ridge(F, 1.0)[0] / 1024, rtol=1e-9)
    assert np.isfinite(ridge(np.zeros((3, 2)), 1.0)[0]).all()


def test_what_stands_within(X):
    users = RNG.normal(size=(60, 3))
    model = ColdStart(UserKNN(5)).fit(X, item_features=F, user_features=users)
    assert get_tags(model).recommender_tags.reads == {"item_features", "user_features"}
    assert np.isfinite(model.decision_function(X, user_features=users)).all()
    piped = ColdStart(make_pipeline(Binarizer(), PureSVD(3))).fit(X, item_features=F)
    assert (piped.recommend(X, k=3, items=COLD) >= 0).all()
    rates = ColdStart(BiasedMF(2, random_state=0)).fit(X, item_features=F)
    assert get_tags(rates).recommender_tags.predicts_ratings
    # Features are for the regression alone.
    assert not hasattr(
        ColdStart(VBPR(2, max_iter=1)).fit(X, item_features=F).estimator_, "n_item_features_in_"
    )
    with pytest.raises(TypeError, match="has no decision_function"):
        ColdStart(Ridge()).fit(X)
    with pytest.raises(TypeError, match="reads"):
        ColdStart(EASE()).fit(X, user_features=users)


def test_one_weight_for_all_users_changes_nothing(X):
    model = ColdStart(PureSVD(3)).fit(X, item_features=F, sample_weight=2.0)
    plain = ColdStart(PureSVD(3)).fit(X, item_features=F)
    np.testing.assert_array_equal(model.item_has_users_, plain.item_has_users_)
    with pytest.raises(ValueError, match="one weight per user"):
        model.fit(X, item_features=F, sample_weight=np.ones(3))
    with pytest.raises(ValueError, match="sample_weight"):
        model.fit(X, item_features=F, sample_weight=0)


def test_users_without_weight_make_no_item_known(X):
    weight = np.ones(60)
    taken = X[:, [8]].toarray().ravel() > 0
    weight[taken] = 0
    model = ColdStart(PureSVD(3)).fit(X, item_features=F, sample_weight=weight)
    without = X.toarray()
    without[taken] = 0
    same = ColdStart(PureSVD(3)).fit(without, item_features=F)
    np.testing.assert_array_equal(model.item_has_users_, same.item_has_users_)
    assert not model.item_has_users_[8]
    np.testing.assert_allclose(
        model.decision_function(X), same.decision_function(X), rtol=1e-8, atol=1e-10
    )


def test_context_goes_with_the_entries_that_are_left(X):
    from tests.side_recommenders import SituationRidge

    context = InteractionContext(RNG.normal(size=(X.nnz, 2)), X.indptr)
    model = ColdStart(SituationRidge()).fit(X, item_features=ItemFeatures(F), context=context)
    scores = model.decision_function(X, context=np.ones((60, 2)))
    alone = SituationRidge().fit(X[:, WARM], context=context)
    np.testing.assert_allclose(
        scores[:, WARM], alone.decision_function(X[:, WARM], context=np.ones((60, 2)))
    )


def test_nobody_has_anything():
    model = ColdStart(PureSVD(2)).fit(csr_array((4, 6)), item_features=F[:6])
    assert np.isfinite(model.decision_function(csr_array((4, 6)))).all()


@pytest.mark.slow
@pytest.mark.skipif(
    not (Path(get_data_home()) / "ml-100k").exists(),
    reason="MovieLens-100K is not in the data home",
)
def test_cold_items_of_movielens():
    from skrec.datasets import fetch_movielens

    data = fetch_movielens("100k")
    X = csr_array((data.X >= 4).astype(float))
    X_train, X_cold, cold = cold_item_split(X, random_state=0)
    model = ColdStart().fit(X_train, item_features=data.item_features)
    ours = evaluate(model, X_train, X_cold, "ndcg@100", items=cold).mean["ndcg@100"]
    random = DummyRecommender("uniform", random_state=0).fit(X_train)
    chance = evaluate(random, X_train, X_cold, "ndcg@100", items=cold).mean["ndcg@100"]
    assert ours > 0.25 > 0.2 > chance
