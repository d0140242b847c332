"""holdout="last": the next item is hidden, whatever the order of rows and the ties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array, random_array

from skrec._evaluation._entries import hide_latest
from skrec.dummy import DummyRecommender
from skrec.linear_model import EASE
from skrec.metrics import evaluate, make_ranking_scorer
from skrec.model_selection import leave_one_out_split, user_train_test_split


def _times(seed=0, shape=(60, 20)):
    rng = np.random.default_rng(seed)

    def times(size):
        return 1.0 + rng.permutation(size)

    return csr_array(random_array(shape, density=0.3, random_state=rng, data_sampler=times))


@given(
    values=st.lists(st.lists(st.integers(0, 4), min_size=6, max_size=6), min_size=1, max_size=5),
    seed=st.integers(0, 99),
    order=st.randoms(use_true_random=False),
)
def test_what_is_hidden_is_latest_and_depends_on_the_row_alone(values, seed, order):
    dense = np.array(values, dtype=float)
    shown, hidden = (part.toarray() for part in hide_latest(csr_array(dense), seed))
    np.testing.assert_array_equal(shown + hidden, dense)
    n_hidden = np.count_nonzero(hidden, axis=1)
    np.testing.assert_array_equal(n_hidden, np.count_nonzero(dense, axis=1) > 1)
    late = n_hidden > 0
    np.testing.assert_array_equal(hidden.max(axis=1)[late], dense.max(axis=1)[late])
    rows = list(range(len(dense)))
    order.shuffle(rows)
    again = hide_latest(csr_array(dense[rows]), seed)[1].toarray()
    np.testing.assert_array_equal(again, hidden[rows])


def test_ties_are_drawn_by_the_seed():
    row = csr_array(np.array([[3.0, 7.0, 7.0, 7.0, 1.0]]))
    chosen = {int(hide_latest(row, seed)[1].indices[0]) for seed in range(40)}
    assert chosen == {1, 2, 3}


def test_scorers_hide_the_last_item():
    X = _times()
    model = EASE(5.0).fit(X > 0)
    shown, held_out = leave_one_out_split(X, timestamps=X)
    expected = evaluate(model, shown, held_out, ["ndcg@10", "hit_rate@5"])
    found = evaluate(model, X, metrics=["ndcg@10", "hit_rate@5"], holdout="last")
    assert found.mean == expected.mean
    scorer = make_ranking_scorer(["ndcg@10", "hit_rate@5"], holdout="last")
    assert scorer(model, X) == pytest.approx(expected.mean)
    shuffled = np.random.default_rng(0).permutation(X.shape[0])
    assert scorer(model, X[shuffled]) == pytest.approx(expected.mean)
    assert scorer(model, shown, held_out) == pytest.approx(expected.mean)


def test_only_what_was_hidden_late_is_relevant():
    X = _times()
    latest = X.max(axis=1).toarray().ravel()
    when = np.median(latest)
    found = evaluate(
        DummyRecommender().fit(X), X, metrics="ndcg@10", holdout="last", relevance_threshold=when
    )
    assert found.n_users["ndcg@10"] == np.sum((latest > when) & (np.diff(X.indptr) > 1))


def test_test_users_with_their_last_item_held_out():
    X = _times()
    X_train, shown, held_out, train, test = user_train_test_split(
        X, holdout="last", random_state=0, return_users=True
    )
    np.testing.assert_array_equal(X_train.toarray(), X[train].toarray())
    np.testing.assert_array_equal((shown + held_out).toarray(), X[test].toarray())
    latest = X[test].max(axis=1).toarray().ravel() * (np.diff(X[test].indptr) > 1)
    np.testing.assert_array_equal(held_out.max(axis=1).toarray().ravel(), latest)


def test_errors():
    X = _times()
    model = EASE(5.0).fit(X)
    with pytest.raises(ValueError, match=r"holdout.*'last'"):
        make_ranking_scorer("ndcg@10", holdout="first")(model, X)
    with pytest.raises(ValueError, match=r"holdout must be.*'last'"):
        evaluate(model, X, holdout=1)
    late = csr_array((X.data + 1.7e9, X.indices, X.indptr), shape=X.shape)
    with pytest.raises(ValueError, match=r"holdout='last' takes .*float32 cannot tell apart"):
        evaluate(model, late.astype(np.float32), holdout="last")
    with pytest.raises(ValueError, match="graded"):
        evaluate(model, late, holdout="last", graded=True)
