"""Items held out whole, and rankings among some items only."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from skrec.datasets import make_interactions
from skrec.dummy import DummyRecommender
from skrec.linear_model import EASE
from skrec.metrics import evaluate, make_ranking_scorer, top_k_ndcg_score
from skrec.model_selection import cold_item_split


@pytest.fixture(scope="module")
def X():
    return make_interactions(50, 30, 400, random_state=0, return_X=True)


def test_the_parts_are_x_and_share_no_item(X):
    train, held_out, cold = cold_item_split(X, test_size=0.3, random_state=1)
    assert len(cold) == 9
    np.testing.assert_array_equal((train + held_out).toarray(), X.toarray())
    assert train[:, cold].nnz == 0
    warm = np.setdiff1d(np.arange(30), cold)
    assert held_out[:, warm].nnz == 0
    np.testing.assert_array_equal(cold_item_split(X, test_size=0.3, random_state=1)[2], cold)


def test_the_draw_is_that_of_the_protocol(X):
    cold = cold_item_split(X, random_state=0)[2]
    np.testing.assert_array_equal(cold, np.sort(np.random.RandomState(0).permutation(30)[:6]))
    assert len(cold_item_split(X, test_size=4, random_state=0)[2]) == 4
    assert len(cold_item_split(np.ones((2, 3)), test_size=0.1, random_state=0)[2]) == 1


@pytest.mark.parametrize("size", [0, 1.0, -0.1, 30, True, "all", 0.0])
def test_sizes_that_are_refused(X, size):
    with pytest.raises(ValueError, match="test_size"):
        cold_item_split(X, test_size=size)


def test_a_ranking_among_some_items_is_that_of_a_narrower_matrix(X):
    train, held_out, cold = cold_item_split(X, random_state=0)
    model = DummyRecommender("uniform", random_state=0).fit(train)
    scores = model.decision_function(train)
    narrow = held_out[:, cold]
    expected = top_k_ndcg_score(narrow, scores[:, cold], k=3)
    mask = np.isin(np.arange(30), cold)
    per_row = csr_array(np.tile(mask, (50, 1)))
    for items in (cold, mask, per_row):
        result = evaluate(model, train, held_out, ["ndcg@3", "auc"], items=items)
        assert result.mean["ndcg@3"] == pytest.approx(expected)
        np.testing.assert_array_equal(result.n_held_out, np.diff(narrow.indptr))
    everywhere = evaluate(model, train, held_out, "ndcg@3").mean["ndcg@3"]
    assert everywhere < result.mean["ndcg@3"]
    for items in (cold, mask):
        score = make_ranking_scorer("ndcg@3", items=items)(model, train, held_out)
        assert score == pytest.approx(expected)


def test_what_is_held_out_of_other_items_does_not_count(X):
    some = np.arange(10)
    train = X.toarray()
    held_out = np.where(np.random.default_rng(0).random(X.shape) < 0.3, train, 0)
    train = train - held_out
    model = EASE().fit(train)
    result = evaluate(model, train, held_out, ["recall@5", "rmse"], items=some)
    among = held_out * np.isin(np.arange(30), some)
    has = among.any(axis=1)
    np.testing.assert_array_equal(np.isnan(result.per_user["recall@5"]), ~has)
    error = (model.decision_function(train) - among)[among > 0]
    assert result.mean["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)))
    per_row = np.random.default_rng(1).random(X.shape) < 0.5
    found = evaluate(model, train, held_out, "recall@5", items=csr_array(per_row))
    np.testing.assert_array_equal(found.n_held_out, ((held_out > 0) & per_row).sum(axis=1))


def test_items_that_are_refused(X):
    model = DummyRecommender().fit(X)
    with pytest.raises(ValueError, match="candidates"):
        evaluate(model, X, X, "ndcg@3", items=[1], candidates=np.ones((50, 1), dtype=int))
    with pytest.raises(ValueError, match="items"):
        evaluate(model, X, X, "ndcg@3", items=[30])
