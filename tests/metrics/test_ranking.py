"""Ranking metrics: the twin, scikit-learn, hand-computed cases, properties, odd cases."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import coo_array, csr_array, csr_matrix
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import (
    average_precision_score,
    ndcg_score,
    precision_score,
    roc_auc_score,
    top_k_accuracy_score,
)

from skrec import metrics as m
from tests.reference import metrics as twin

LISTS = {
    "hit_rate": m.top_k_hit_rate_score,
    "map": m.top_k_average_precision_score,
    "mrr": m.top_k_reciprocal_rank_score,
    "ndcg": m.top_k_ndcg_score,
    "precision": m.top_k_precision_score,
    "recall": m.top_k_recall_score,
}
NAMES = [f"{kind}@{k}" for kind in LISTS for k in (1, 3, 10, 200)] + ["auc"]


def call(name, y_true, y_score, **options):
    options.setdefault("average", None)
    if name == "auc":
        return m.ranking_auc_score(y_true, y_score, **options)
    kind, k = name.split("@")
    return LISTS[kind](y_true, y_score, k=int(k), **options)


def twin_values(name, y_true, y_score, **options):
    eps = float(np.finfo(y_score.dtype).eps)
    found = [
        twin.user_metric(name, t.tolist(), s.tolist(), eps, **options)
        for t, s in zip(y_true, y_score, strict=True)
    ]
    return np.array([np.nan if value is None else value for value in found])


def _case(seed, n_users=25, n_items=30, ties=False, masked=0.0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    y_true = (rng.random((n_users, n_items)) < 0.15) * rng.integers(1, 6, (n_users, n_items))
    y_true[np.arange(n_users), rng.integers(0, n_items, n_users)] = 2
    y_true[0] = 0
    y_score = rng.integers(0, 4, y_true.shape) if ties else rng.standard_normal(y_true.shape)
    y_score = y_score.astype(dtype)
    y_score[rng.random(y_true.shape) < masked] = -np.inf
    return y_true.astype(float), y_score


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("masked", [0.0, 0.5, 0.95])
def test_matches_twin(name, ties, masked):
    for dtype in (np.float32, np.float64):
        y_true, y_score = _case(4, ties=ties, masked=masked, dtype=dtype)
        found = call(name, csr_array(y_true), y_score)
        np.testing.assert_allclose(found, twin_values(name, y_true, y_score), rtol=1e-13)


@pytest.mark.parametrize("name", ["recall@3", "ndcg@3", "ndcg@100", "map@5", "auc"])
def test_options_match_twin(name):
    y_true, y_score = _case(8)
    for threshold in (0, 2, 2.5, 4):
        np.testing.assert_allclose(
            call(name, y_true, y_score, relevance_threshold=threshold),
            twin_values(name, y_true, y_score, threshold=threshold),
            rtol=1e-13,
        )
    if name.startswith("ndcg"):
        np.testing.assert_allclose(
            call(name, y_true, y_score, graded=True),
            twin_values(name, y_true, y_score, graded=True),
            rtol=1e-13,
        )
    if name.startswith("recall"):
        np.testing.assert_allclose(
            call(name, y_true, y_score, normalize="relevant"),
            twin_values(name, y_true, y_score, normalize="relevant"),
            rtol=1e-13,
        )


# Against scikit-learn, without ties.


@pytest.mark.parametrize("k", [1, 5, 30, 100])
@pytest.mark.parametrize("graded", [False, True])
def test_ndcg_is_that_of_sklearn(k, graded):
    y_true, y_score = _case(1)
    gains = 2.0**y_true - 1.0 if graded else (y_true > 0).astype(float)
    found = call(f"ndcg@{k}", y_true, y_score, graded=graded)
    for u in range(1, len(y_true)):
        expected = ndcg_score(gains[u : u + 1], y_score[u : u + 1], k=k, ignore_ties=True)
        assert found[u] == pytest.approx(expected, rel=1e-12)


def test_auc_is_that_of_sklearn():
    for ties in (False, True):
        y_true, y_score = _case(2, ties=ties)
        found = call("auc", y_true, y_score)
        for u in range(1, len(y_true)):
            assert found[u] == pytest.approx(roc_auc_score(y_true[u] > 0, y_score[u]), rel=1e-12)


def test_full_average_precision_is_that_of_sklearn():
    y_true, y_score = _case(3)
    found = call("map@30", y_true, y_score)
    for u in range(1, len(y_true)):
        expected = average_precision_score(y_true[u] > 0, y_score[u])
        assert found[u] == pytest.approx(expected, rel=1e-12)


def test_precision_and_recall_are_those_of_sklearn():
    y_true, y_score = _case(6)
    top = np.zeros_like(y_true)
    np.put_along_axis(top, np.argsort(-y_score, axis=1)[:, :5], 1, axis=1)
    found = call("precision@5", y_true, y_score)
    recall = call("recall@5", y_true, y_score, normalize="relevant")
    for u in range(1, len(y_true)):
        assert found[u] == pytest.approx(precision_score(y_true[u] > 0, top[u]))
        assert recall[u] == pytest.approx((top[u] * (y_true[u] > 0)).sum() / (y_true[u] > 0).sum())


def test_hit_rate_of_one_item_is_top_k_accuracy():
    rng = np.random.default_rng(0)
    y_score = rng.standard_normal((40, 12))
    label = rng.integers(0, 12, size=40)
    y_true = np.eye(12)[label]
    expected = top_k_accuracy_score(label, y_score, k=4, labels=np.arange(12))
    for function in (m.top_k_hit_rate_score, m.top_k_recall_score):
        assert function(y_true, y_score, k=4) == pytest.approx(expected)


# By hand.


def test_by_hand():
    # The list is 4, 0, 3, 1, 2; relevant are 0, 1 and 2, found at places 2, 4 and 5.
    y_true = [[1, 5, 2, 0, 0]]
    y_score = [[0.8, 0.4, 0.2, 0.6, 0.9]]
    assert call("recall@2", y_true, y_score) == [1 / 2]
    assert call("recall@2", y_true, y_score, normalize="relevant") == [1 / 3]
    assert call("precision@4", y_true, y_score) == [2 / 4]
    assert call("hit_rate@1", y_true, y_score) == [0]
    assert call("mrr@3", y_true, y_score) == [1 / 2]
    assert call("map@4", y_true, y_score) == pytest.approx([(1 / 2 + 2 / 4) / 3])
    assert call("map@2", y_true, y_score) == pytest.approx([(1 / 2) / 2])
    log = np.log2
    assert call("ndcg@4", y_true, y_score) == pytest.approx(
        [(1 / log(3) + 1 / log(5)) / (1 + 1 / log(3) + 1 / log(4))]
    )
    # Gains 1, 31 and 3.
    assert call("ndcg@4", y_true, y_score, graded=True) == pytest.approx(
        [(1 / log(3) + 31 / log(5)) / (31 + 3 / log(3) + 1 / log(4))]
    )
    # Pairs: 0 beats 3; 1 and 2 beat none.
    assert call("auc", y_true, y_score) == pytest.approx([1 / 6])


def test_perfect_lists_score_one_exactly():
    rng = np.random.default_rng(0)
    y_true = (rng.random((60, 50)) < 0.3) * rng.integers(1, 6, (60, 50)).astype(float)
    y_true[:, 0] = 3
    for name in ("recall@20", "ndcg@20", "ndcg@100", "map@20", "mrr@20", "hit_rate@20", "auc"):
        assert (call(name, y_true, y_true) == 1.0).all(), name
    assert (call("ndcg@20", y_true, y_true, graded=True) == 1.0).all()


# Odd cases, as the docstrings have them.


def test_users_without_relevant_items_are_not_evaluated():
    y_true = np.array([[0, 0, 0], [0, 1, 0], [2, 0, 0]])
    y_score = np.array([[3.0, 2.0, 1.0]] * 3)
    for name in NAMES:
        values = call(name, y_true, y_score)
        np.testing.assert_array_equal(np.isnan(values), [True, False, False])
        assert call(name, y_true, y_score, average="samples") == pytest.approx(
            np.nanmean(values), rel=1e-15
        )


@pytest.mark.parametrize("name", ["recall@2", "auc"])
def test_nobody_to_evaluate(name):
    with pytest.warns(UndefinedMetricWarning, match=r"no user can be evaluated. It is NaN"):
        value = call(name, np.zeros((3, 4)), np.zeros((3, 4)), average="samples")
    assert isinstance(value, float)
    assert np.isnan(value)


def test_fewer_candidates_than_k():
    y_true = np.array([[1, 0, 0, 1, 0]])
    y_score = np.array([[0.1, -np.inf, 0.3, -np.inf, -np.inf]])
    # Item 3 takes no part; candidates are 2 and 0.
    assert call("precision@4", y_true, y_score) == [1 / 4]
    assert call("recall@4", y_true, y_score) == [1]
    assert call("ndcg@4", y_true, y_score) == pytest.approx([1 / np.log2(3)])
    assert call("mrr@4", y_true, y_score) == [1 / 2]
    assert call("auc", y_true, y_score) == [0]


def test_k_beyond_the_catalogue():
    y_true, y_score = np.array([[0, 1, 1]]), np.array([[3.0, 2.0, 1.0]])
    assert call("precision@10", y_true, y_score) == [2 / 10]
    assert call("recall@10", y_true, y_score) == [1]
    for kind in ("ndcg", "map", "mrr", "hit_rate"):
        assert call(f"{kind}@10", y_true, y_score) == call(f"{kind}@3", y_true, y_score)


def test_no_other_candidate_for_auc():
    assert np.isnan(call("auc", np.array([[1, 1]]), np.array([[1.0, 2.0]])))
    assert np.isnan(call("auc", np.array([[1, 0]]), np.array([[1.0, -np.inf]])))


def test_masked_items_are_neither_candidates_nor_relevant():
    y_true = np.array([[1, 0, 0]])
    assert np.isnan(call("recall@2", y_true, np.array([[-np.inf, 1.0, 0.0]])))


def test_constant_score_is_the_tie_rule():
    rng = np.random.default_rng(0)
    y_true = (rng.random((20, 15)) < 0.3).astype(float)
    y_true[:, 3] = 1
    by_index = np.tile(-np.arange(15.0), (20, 1))
    for name in NAMES:
        if name == "auc":
            assert (call(name, y_true, np.full(y_true.shape, 2.0)) == 0.5).all()
        else:
            expected = call(name, y_true, by_index)
            np.testing.assert_array_equal(call(name, y_true, np.full(y_true.shape, 7.3)), expected)
            np.testing.assert_array_equal(call(name, y_true, np.zeros(y_true.shape)), expected)


def test_infinite_scores_come_first():
    y_true, y_score = np.array([[0, 0, 1]]), np.array([[5.0, 4.0, np.inf]])
    assert call("recall@1", y_true, y_score) == [1]
    assert call("auc", y_true, y_score) == [1]


def test_negative_relevance_threshold_counts_stored_values_only():
    y_true = np.array([[-3.0, 2.0, 0.0]])
    y_score = np.array([[1.0, 2.0, 3.0]])
    assert call("recall@3", y_true, y_score, relevance_threshold=-5) == [1]
    assert call("precision@3", y_true, y_score, relevance_threshold=-5) == [2 / 3]
    assert call("precision@3", y_true, y_score) == [1 / 3]


def test_sample_weight_is_the_same_as_repeating():
    y_true, y_score = _case(5)
    weight = np.random.default_rng(0).integers(0, 4, size=len(y_true))
    for name in NAMES:
        repeated = call(
            name, y_true.repeat(weight, axis=0), y_score.repeat(weight, axis=0), average="samples"
        )
        weighted = call(name, y_true, y_score, sample_weight=weight, average="samples")
        assert weighted == pytest.approx(repeated, rel=1e-12)


def test_all_kinds_of_input():
    y_true, y_score = _case(7)
    expected = m.top_k_ndcg_score(y_true, y_score, k=5)
    coo = coo_array(y_true)
    shuffled = np.random.default_rng(0).permutation(coo.nnz)
    unsorted = coo_array((coo.data[shuffled], (coo.row[shuffled], coo.col[shuffled])), coo.shape)
    for kind in (csr_array, csr_matrix, coo_array):
        assert m.top_k_ndcg_score(kind(y_true), y_score, k=5) == expected
    assert m.top_k_ndcg_score(unsorted, y_score.tolist(), k=5) == expected
    assert m.top_k_ndcg_score(y_true.astype(int), y_score, k=5) == expected
    stored_zeros = csr_array(y_true + 1.0)
    stored_zeros.data -= 1.0
    frozen = y_score.copy()
    frozen.flags.writeable = False
    assert m.top_k_ndcg_score(stored_zeros, frozen, k=5) == expected
    assert stored_zeros.nnz == y_true.size, "the input was changed"
    assert isinstance(expected, float)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"k": 0}, "k must be a whole number >= 1"),
        ({"k": 2.0}, "k must be a whole number >= 1"),
        ({"average": "macro"}, "average must be 'samples' or None. Got 'macro'"),
        ({"normalize": "max"}, "normalize must be 'min' or 'relevant'"),
        ({"sample_weight": [1.0]}, "one weight per user"),
    ],
)
def test_bad_options(options, text):
    with pytest.raises(ValueError, match=text):
        m.top_k_recall_score(np.eye(3), np.eye(3), **options)


def test_bad_scores():
    with pytest.raises(ValueError, match=r"Got shape \(3, 4\), expected \(3, 3\)"):
        m.top_k_recall_score(np.eye(3), np.ones((3, 4)))
    with pytest.raises(ValueError, match="NaN"):
        m.top_k_recall_score(np.eye(3), np.full((3, 3), np.nan))
    with pytest.raises(ValueError, match="NaN"):
        m.ranking_auc_score(np.eye(3), np.full((3, 3), np.nan))
    with pytest.raises(ValueError, match="y_true"):
        m.top_k_recall_score(np.full((2, 2), np.nan), np.ones((2, 2)))
    with pytest.raises(ValueError, match=r"values above 0 and at most 100"):
        m.top_k_ndcg_score(np.array([[200.0]]), np.ones((1, 1)), graded=True)


# Properties.

_TRUTH = arrays(np.int64, st.tuples(st.integers(1, 5), st.just(9)), elements=st.integers(0, 4))


def _distinct_scores(shape, seed):
    rng = np.random.default_rng(seed)
    return np.array([rng.permutation(shape[1]) for _ in range(shape[0])], dtype=float)


@given(_TRUTH, st.integers(0, 10**6), st.integers(1, 12), st.booleans())
def test_values_lie_in_the_unit_interval(y_true, seed, k, graded):
    y_score = np.random.default_rng(seed).integers(0, 5, size=y_true.shape).astype(float)
    for kind in LISTS:
        options = {"graded": graded} if kind == "ndcg" else {}
        values = call(f"{kind}@{k}", y_true, y_score, **options)
        known = values[~np.isnan(values)]
        assert ((known >= 0) & (known <= 1)).all()
    values = call("auc", y_true, y_score)
    assert ((values >= 0) & (values <= 1) | np.isnan(values)).all()


@given(_TRUTH, st.integers(0, 10**6), st.integers(1, 10))
def test_labels_do_not_matter(y_true, seed, k):
    rng = np.random.default_rng(seed)
    y_score = _distinct_scores(y_true.shape, seed)
    users, items = rng.permutation(len(y_true)), rng.permutation(y_true.shape[1])
    for name in [f"{kind}@{k}" for kind in LISTS] + ["auc"]:
        values = call(name, y_true, y_score)
        relabelled = call(name, y_true[users][:, items], y_score[users][:, items])
        np.testing.assert_allclose(relabelled, values[users], rtol=1e-13)


@given(_TRUTH, st.integers(0, 10**6))
def test_monotone_in_k(y_true, seed):
    y_score = _distinct_scores(y_true.shape, seed)
    for kind, options in (
        ("recall", {"normalize": "relevant"}),
        ("hit_rate", {}),
        ("mrr", {}),
    ):
        values = [call(f"{kind}@{k}", y_true, y_score, **options) for k in (1, 2, 3, 5, 9, 11)]
        known = np.array(values)[:, ~np.isnan(values[0])]
        assert (np.diff(known, axis=0) >= 0).all(), kind


@given(_TRUTH, st.integers(0, 10**6), st.floats(0.01, 100), st.integers(-3, 3))
def test_increasing_maps_of_the_scores_change_nothing(y_true, seed, scale, exponent):
    y_score = _distinct_scores(y_true.shape, seed)
    for name in ("ndcg@5", "map@5", "auc"):
        np.testing.assert_array_equal(
            call(name, y_true, y_score), call(name, y_true, y_score * scale * 10.0**exponent)
        )


def test_many_rows_are_chunked(monkeypatch):
    from skrec._evaluation import _rows

    y_true, y_score = _case(9, n_users=2500)
    expected = call("ndcg@10", y_true, y_score)
    sizes = []
    chunk = _rows.rank_chunk

    def spy(metrics, scores, *args, **options):
        sizes.append(len(scores))
        return chunk(metrics, scores, *args, **options)

    monkeypatch.setattr(_rows, "rank_chunk", spy)
    np.testing.assert_array_equal(call("ndcg@10", y_true, y_score), expected)
    assert len(sizes) >= 3
    assert max(sizes) <= 1024
    one_by_one = [call("ndcg@10", y_true[[u]], y_score[[u]])[0] for u in range(0, 2500, 100)]
    np.testing.assert_array_equal(expected[::100], one_by_one)
