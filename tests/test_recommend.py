"""The free function, the base class's defaults, and validation."""

import itertools

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer

import skrec
from skrec.base import BaseRecommender
from skrec.dummy import DummyRecommender
from skrec.linear_model import EASE
from skrec.utils._sparse import sparse_dot_dense, sparse_dot_dense_pairs
from skrec.utils._validation import canonical_csr


@pytest.fixture(scope="module")
def ratings():
    rng = np.random.RandomState(0)
    dense = rng.randint(1, 6, size=(50, 20)) * (rng.uniform(size=(50, 20)) < 0.4)
    return sparse.csr_array(dense.astype(float))


def test_function_equals_method(ratings):
    model = EASE(2.0).fit(ratings)
    items, scores = skrec.recommend(model, ratings, k=30, return_scores=True)
    expected, values = model.recommend(ratings, k=30, return_scores=True)
    np.testing.assert_array_equal(items, expected)
    np.testing.assert_array_equal(scores, values)
    assert (scores[items == -1] == -np.inf).all()


def test_pipeline_hides_what_the_raw_row_has(ratings):
    pipeline = make_pipeline(Binarizer(threshold=3.5), EASE(2.0)).fit(ratings)
    items = skrec.recommend(pipeline, ratings, k=20)
    seen = ratings.toarray() != 0
    for user, row in enumerate(items):
        assert not seen[user, row[row >= 0]].any()
        assert (row >= 0).sum() == (~seen[user]).sum()
    some = skrec.recommend(pipeline, ratings, k=5, items=[3, 4, 5], exclude_seen=False)
    assert (np.sort(some[:, :3], axis=1) == [3, 4, 5]).all()
    assert (some[:, 3:] == -1).all()


def test_dataframes_keep_their_names(ratings, recwarn):
    names = [f"i{j}" for j in range(20)]
    frame = pd.DataFrame(ratings.toarray(), columns=names)
    model = EASE(2.0).fit(frame)
    expected = model.recommend(frame, k=3)
    np.testing.assert_array_equal(skrec.recommend(model, frame, k=3), expected)
    assert not [w for w in recwarn if "feature names" in str(w.message)]
    pytest.importorskip("sklearn", minversion="1.7", reason="reads names of today's polars")
    polars = pl.DataFrame(ratings.toarray(), schema=names)
    np.testing.assert_array_equal(skrec.recommend(model, polars, k=3), expected)
    np.testing.assert_array_equal(model.recommend(polars, k=3), expected)
    assert not [w for w in recwarn if "feature names" in str(w.message)]


@pytest.mark.parametrize("form", ["coo", "csc", "lil"])
def test_function_takes_any_format(ratings, form):
    model = EASE(2.0).fit(ratings)
    expected = model.recommend(ratings, k=3)
    np.testing.assert_array_equal(skrec.recommend(model, ratings.asformat(form), k=3), expected)
    np.testing.assert_array_equal(skrec.recommend(model, ratings.toarray().tolist(), k=3), expected)


def test_a_step_that_drops_items_is_refused(ratings):
    pipeline = make_pipeline(TruncatedSVD(3), DummyNonNegative()).fit(ratings)
    with pytest.raises(ValueError, match="one score per item"):
        skrec.recommend(pipeline, ratings)


class DummyNonNegative(DummyRecommender):
    """Takes the negative values that a decomposition makes."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = False
        return tags


class Broken(BaseRecommender):
    """Scores that are not finite."""

    def fit(self, X, y=None):
        self.fitted_ = self._start_fit(X) is not None
        return self

    def _scores(self, X):
        return np.full(X.shape, np.nan)


def test_nan_scores_are_an_error_not_a_ranking(ratings):
    with pytest.raises(ValueError, match="NaN"):
        Broken().fit(ratings).recommend(ratings)


def test_default_pair_scores_are_the_dense_ones():
    class Slow(EASE):
        _pair_scores = BaseRecommender._pair_scores

    rng = np.random.RandomState(1)
    X = sparse.csr_array((rng.uniform(size=(3000, 40)) < 0.2).astype(float))
    rows, items = rng.randint(3000, size=5000), rng.randint(40, size=5000)
    fast, slow = EASE(5.0).fit(X), Slow(5.0).fit(X)
    expected = fast.decision_function(X)[rows, items]
    np.testing.assert_array_equal(slow.score_pairs(X, rows, items), expected)
    np.testing.assert_allclose(fast.score_pairs(X, rows, items), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weights_dtype", [np.float32, np.float64])
def test_sparse_products(dtype, weights_dtype):
    rng = np.random.RandomState(2)
    dense = rng.uniform(size=(70, 33)) * (rng.uniform(size=(70, 33)) < 0.3)
    X = sparse.csr_array(dense, dtype=dtype)
    W = rng.normal(size=(33, 4500)).astype(weights_dtype)
    product = sparse_dot_dense(X, W, n_jobs=2)
    assert product.dtype == dtype
    tolerance = 1e-5 if np.float32 in (dtype, weights_dtype) else 1e-12
    np.testing.assert_allclose(product, X.toarray() @ W, atol=tolerance)
    np.testing.assert_array_equal(sparse_dot_dense(X[[5]], W)[0], product[5])
    rows, items = rng.randint(70, size=99), rng.randint(4500, size=99)
    pairs = sparse_dot_dense_pairs(X, W, rows, items)
    np.testing.assert_allclose(pairs, product[rows, items], atol=tolerance)


def test_canonical_form_shares_what_is_canonical(ratings):
    assert np.shares_memory(canonical_csr(ratings).data, ratings.data)
    stale = ratings.copy()
    for start, stop in itertools.pairwise(stale.indptr):
        stale.indices[start:stop] = stale.indices[start:stop][::-1].copy()
        stale.data[start:stop] = stale.data[start:stop][::-1].copy()
    stale.has_sorted_indices = True  # a lie
    stale.has_canonical_format = True
    np.testing.assert_array_equal(canonical_csr(stale).toarray(), ratings.toarray())
    assert canonical_csr(stale).has_sorted_indices


def test_negative_values_name_minimum_and_remedy():
    with pytest.raises(ValueError, match=r"minimum of -2.*Binarizer"):
        EASE().fit([[1.0, -2.0], [1.0, 1.0]])


def test_strategies_of_the_dummy(ratings):
    popular = DummyRecommender().fit(ratings)
    np.testing.assert_array_equal(popular.item_popularity_, (ratings.toarray() != 0).sum(axis=0))
    weighted = DummyRecommender().fit(ratings, sample_weight=np.arange(50))
    counts = (ratings.toarray() != 0).T @ np.arange(50)
    np.testing.assert_allclose(weighted.item_popularity_, counts)
    uniform = DummyRecommender("uniform", random_state=0).fit(ratings)
    scores = uniform.decision_function(ratings)
    assert 0 <= scores.min() < 0.05 < 0.95 < scores.max() < 1
    assert (scores[0] != scores[1]).any()
    other = DummyRecommender("uniform", random_state=1).fit(ratings)
    assert (other.decision_function(ratings) != scores).any()


def test_stratified_draws_follow_popularity():
    # Many different rows over 3 items of popularity 1 : 2 : 5; the best item is a draw.
    rng = np.random.RandomState(0)
    X = np.zeros((800, 4))
    X[:100, 0] = X[100:300, 1] = X[300:, 2] = 1
    model = DummyRecommender("stratified", random_state=0).fit(X)
    rows = rng.uniform(size=(20000, 4))
    best = model.recommend(rows, k=1, exclude_seen=False)[:, 0]
    share = np.bincount(best, minlength=4) / len(best)
    np.testing.assert_allclose(share, [1 / 8, 2 / 8, 5 / 8, 0], atol=0.015)


def test_a_mask_of_dates_is_refused(ratings):
    mask = sparse.csr_array(np.ones(ratings.shape))
    mask.data = mask.data.astype("M8[s]")
    model = EASE().fit(ratings)
    for recommend in (model.recommend, lambda X, **options: skrec.recommend(model, X, **options)):
        with pytest.raises(ValueError, match="must hold booleans or numbers"):
            recommend(ratings, k=2, items=mask)
