"""why_not: where an item stands, and why."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

import skrec
from skrec.datasets import make_interactions
from skrec.linear_model import EASE
from tests.side_recommenders import SituationRidge


@pytest.fixture(scope="module")
def X():
    return make_interactions(40, 20, 250, random_state=0, return_X=True)


@pytest.mark.parametrize("exclude_seen", [True, False])
@pytest.mark.parametrize("restricted", ["no", "indices", "mask per row"])
def test_ranks_are_those_of_the_lists(X, exclude_seen, restricted):
    model = EASE(20.0).fit(X)
    items = {
        "no": None,
        "indices": np.arange(0, 20, 2),
        "mask per row": csr_array(np.random.default_rng(0).random(X.shape) < 0.6),
    }[restricted]
    lists = model.recommend(X, 20, items=items, exclude_seen=exclude_seen)
    short = model.recommend(X, 4, items=items, exclude_seen=exclude_seen, return_scores=True)
    scores = model.decision_function(X)
    for row in range(8):
        for item in range(20):
            why = skrec.why_not(model, X, row, item, k=4, items=items, exclude_seen=exclude_seen)
            assert why.is_seen == (item in X[[row]].indices)
            assert why.n_ranked == (lists[row] >= 0).sum()
            assert why.score == pytest.approx(scores[row, item])
            assert why.last_score == pytest.approx(short[1][row, -1])
            if item in lists[row]:
                assert lists[row, why.rank - 1] == item
                assert ("is in the list" in why.reason) == (item in short[0][row])
            elif why.is_seen and exclude_seen:
                assert "already" in why.reason
            else:
                assert not why.is_candidate
                assert "candidates" in why.reason


def test_ties_are_named(X):
    model = EASE(20.0).fit(X)
    empty = csr_array((1, 20))
    assert "ties" in skrec.why_not(model, empty, 0, 15, k=3).reason
    assert "rank 2 of 20" in skrec.why_not(model, empty, 0, 1, k=3).reason


def test_pipelines_frames_and_context(X):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X.toarray(), columns=[f"i{j}" for j in range(20)])
    piped = make_pipeline(Normalizer(), EASE(20.0)).set_output(transform="pandas").fit(frame)
    lists = skrec.recommend(piped, frame, 20)
    assert skrec.why_not(piped, frame, 3, int(lists[3, 5])).rank == 6
    values = np.random.default_rng(0).random((X.nnz, 2))
    context = skrec.InteractionContext(values, X.indptr)
    model = SituationRidge().fit(X, context=context)
    situation = values[: X.shape[0]]
    lists = model.recommend(X, 20, context=situation)
    why = skrec.why_not(model, X, 7, int(lists[7, 2]), context=situation)
    assert why.rank == 3


def test_a_list_that_is_not_full_and_bad_input(X):
    model = EASE(20.0).fit(X)
    row = np.ones((1, 20))
    row[0, 4] = 0
    why = skrec.why_not(model, row, 0, 4, k=5)
    assert why.rank == 1
    assert why.last_score == -np.inf
    assert skrec.why_not(model, row, 0, 4, k=50).last_score == -np.inf
    for name, bad in (("row", 40), ("item", 20), ("row", -1), ("item", 1.5), ("k", 0)):
        with pytest.raises(ValueError, match=name):
            skrec.why_not(model, X, **({"row": 0, "item": 0} | {name: bad}))
    with pytest.raises(ValueError, match="one row per row"):
        skrec.why_not(model, X, 0, 0, context=[[1.0]])
