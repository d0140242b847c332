"""Coverage, Gini, novelty, diversity, calibration: the twin, by hand, odd cases."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics.pairwise import cosine_similarity

from skrec import ItemFeatures
from skrec import metrics as m
from tests.reference import metrics as twin


def _lists(seed, n_users=12, k=5, n_items=9):
    rng = np.random.default_rng(seed)
    lists = np.array([rng.permutation(n_items)[:k] for _ in range(n_users)])
    for u in range(n_users):
        lists[u, rng.integers(0, k + 1) :] = -1
    lists[0], lists[1, 1:] = -1, -1
    lists[1, 0] = 2
    return lists


def _expect(values, expected):
    expected = np.array([np.nan if value is None else value for value in expected])
    np.testing.assert_allclose(values, expected, rtol=1e-12, atol=1e-14)


@given(st.integers(0, 10**6))
def test_catalogue_matches_twin(seed):
    lists = _lists(seed)
    real = set(lists.ravel().tolist()) - {-1}
    assert m.catalogue_coverage_score(lists, 9) == len(real) / 9
    assert m.gini_index_score(lists, 9) == pytest.approx(twin.gini(lists.tolist(), 9), rel=1e-12)
    assert 0 <= m.gini_index_score(lists, 9) < 1


@given(st.integers(0, 10**6))
def test_novelty_matches_twin(seed):
    rng = np.random.default_rng(seed)
    lists = _lists(seed)
    X = (rng.random((30, 9)) < np.linspace(0, 0.6, 9)).astype(float)
    values = m.novelty_score(lists, csr_array(X), average=None)
    _expect(values, [twin.novelty(row, X.sum(axis=0), 30) for row in lists.tolist()])
    assert (np.isnan(values) | ((values >= 0) & (values <= np.log2(30)))).all()
    assert m.novelty_score(lists, X) == pytest.approx(np.nanmean(values))


@given(st.integers(0, 10**6), st.booleans())
def test_diversity_matches_twin(seed, negative):
    rng = np.random.default_rng(seed)
    lists = _lists(seed)
    features = rng.integers(-2 if negative else 0, 3, size=(9, 4)).astype(float)
    expected = [
        twin.diversity(row, lambda i, j: twin.cosine(features[i], features[j]))
        for row in lists.tolist()
    ]
    similarity = cosine_similarity(features)
    for kind in (np.asarray, csr_array):
        _expect(m.diversity_score(lists, kind(features), average=None), expected)
        found = m.diversity_score(lists, kind(similarity), metric="precomputed", average=None)
        _expect(found, expected)
    values = m.diversity_score(lists, ItemFeatures(features), average=None)
    _expect(values, expected)
    if not negative:
        assert (np.isnan(values) | ((values > -1e-12) & (values < 1 + 1e-12))).all()


def test_diversity_in_chunks():
    rng = np.random.default_rng(0)
    lists = np.array([rng.permutation(50)[:4] for _ in range(3000)])
    features = rng.random((50, 3))
    whole = m.diversity_score(lists, features, average=None)
    expected = [
        twin.diversity(row, lambda i, j: twin.cosine(features[i], features[j]))
        for row in lists[::500].tolist()
    ]
    _expect(whole[::500], expected)


@given(st.integers(0, 10**6))
def test_calibration_matches_twin(seed):
    rng = np.random.default_rng(seed)
    lists = _lists(seed)
    X = (rng.random((12, 9)) < np.linspace(0.8, 0.1, 9)).astype(float)
    X[2] = 0
    # Groups by hand: walk down the items by popularity.
    counts, seen, group = X.sum(axis=0), 0.0, {}
    for i in sorted(range(9), key=lambda i: (-counts[i], i)):
        share = seen / counts.sum()
        group[i] = 0 if share < 0.3 else 2 if share >= 1 - 0.25 else 1
        seen += counts[i]

    def mix(items):
        return [sum(group[i] == g for i in items) / len(items) for g in range(3)]

    expected = []
    for row, own in zip(lists.tolist(), X, strict=True):
        row, own = [i for i in row if i >= 0], np.flatnonzero(own).tolist()
        expected.append(twin.jensen_shannon(mix(own), mix(row)) if row and own else None)
    values = m.popularity_calibration_error(lists, X, head=0.3, tail=0.25, average=None)
    _expect(values, expected)
    assert (np.isnan(values) | ((values >= 0) & (values <= 1))).all()
    again = m.popularity_calibration_error(lists, X, X_train=X, head=0.3, tail=0.25, average=None)
    np.testing.assert_array_equal(again, values)


def test_calibration_at_the_borders_of_the_groups():
    # Four items of equal popularity: exactly a quarter of the interactions comes before
    # item 1, which is thus not head any more, and three quarters before item 3, tail.
    values = m.popularity_calibration_error(
        [[0], [1], [3]], np.ones((3, 4)), head=0.25, tail=0.25, average=None
    )
    groups = ([1, 0, 0], [0, 1, 0], [0, 0, 1])
    _expect(values, [twin.jensen_shannon([0.25, 0.5, 0.25], q) for q in groups])


def test_calibration_is_zero_for_ones_own_items():
    X = np.triu(np.ones((6, 6)))
    own = np.where(X > 0, np.arange(6), -1)
    assert m.popularity_calibration_error(own, X) == 0.0


def test_labels_do_not_matter():
    rng = np.random.default_rng(2)
    lists, items, users = _lists(3), rng.permutation(9), rng.permutation(12)
    moved = np.where(lists >= 0, items[lists], -1)[users]
    counts = rng.permutation(9) + 1  # no ties in popularity
    X = (np.arange(12)[:, None] < counts).astype(float)
    features = rng.random((9, 3))
    X_moved, features_moved = np.empty_like(X), np.empty_like(features)
    X_moved[:, items], features_moved[items] = X[users], features
    assert m.catalogue_coverage_score(moved, 9) == m.catalogue_coverage_score(lists, 9)
    assert m.gini_index_score(moved, 9) == m.gini_index_score(lists, 9)
    for function, a, b in (
        (m.novelty_score, X, X_moved),
        (m.diversity_score, features, features_moved),
        (m.popularity_calibration_error, X, X_moved),
    ):
        np.testing.assert_allclose(
            function(moved, b, average=None), function(lists, a, average=None)[users], rtol=1e-12
        )


def test_by_hand():
    assert m.catalogue_coverage_score([[-1, -1]], 5) == 0
    assert m.gini_index_score([[0, 1], [0, 2]], 3) == pytest.approx((-2 * 1 + 0 * 1 + 2 * 2) / 12)
    # Two of four users have item 0, nobody has item 1: as if one had.
    X = np.array([[1, 0], [1, 0], [0, 0], [0, 0]])
    np.testing.assert_array_equal(m.novelty_score([[0, -1], [1, 0]], X, average=None), [1, 1.5])


def test_sample_weight():
    lists, X = np.array([[0], [1], [-1]]), np.array([[1, 1], [1, 0], [1, 0], [1, 0]])
    assert m.novelty_score(lists, X, sample_weight=[1, 3, 100]) == pytest.approx(1.5)


@pytest.mark.parametrize(
    "call",
    [
        lambda lists: m.gini_index_score(lists, 4),
        lambda lists: m.novelty_score(lists, np.eye(4)),
        lambda lists: m.diversity_score(lists, np.eye(4)),
        lambda lists: m.popularity_calibration_error(lists, np.eye(4)[:2]),
    ],
)
def test_odd_lists(call):
    with pytest.warns(UndefinedMetricWarning, match="It is NaN"):
        assert np.isnan(call([[-1, -1], [-1, -1]]))
    with pytest.raises(ValueError, match=r"must lie in \[-1, 3\]"):
        call([[0, 4], [1, 2]])
    with pytest.raises(ValueError, match="an item twice"):
        call([[0, 0], [1, 2]])
    with pytest.raises(ValueError, match=r"must have shape \(n_users, k\)"):
        call([0, 1])
    with pytest.raises(ValueError, match="whole numbers"):
        call([[0.5, 1.0], [1.0, 2.0]])


def test_bad_input():
    with pytest.raises(ValueError, match="n_items must be a whole number"):
        m.catalogue_coverage_score([[0]], 0)
    with pytest.raises(ValueError, match=r"\(n_items, n_items\). Got \(4, 2\)"):
        m.diversity_score([[0, 1]], np.ones((4, 2)), metric="precomputed")
    with pytest.raises(ValueError, match="metric must be"):
        m.diversity_score([[0, 1]], np.ones((4, 2)), metric="jaccard")
    with pytest.raises(ValueError, match="one list per row of X"):
        m.popularity_calibration_error([[0]], np.eye(3))
    with pytest.raises(ValueError, match=r"head \+ tail <= 1"):
        m.popularity_calibration_error([[0]], np.eye(1), head=0.8, tail=0.3)
    with pytest.raises(ValueError, match=r"head \+ tail <= 1"):
        m.popularity_calibration_error([[0]], np.eye(3)[:1], tail=(0.1,))
