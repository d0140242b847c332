"""Splits of interactions and of users: exact counts, disjointness, seeds, times."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array, csr_array, csr_matrix

from skrec._evaluation._entries import (
    draw_seed,
    entry_positions,
    held_out_counts,
    hide_entries,
    lowest_of_rows,
)
from skrec.model_selection import (
    holdout_split,
    leave_one_out_split,
    strong_generalization_split,
    temporal_split,
    user_train_test_split,
)


def _matrix(seed=0, shape=(60, 25)):
    rng = np.random.default_rng(seed)
    X = (rng.random(shape) < rng.random((shape[0], 1)) * 0.8) * rng.integers(1, 6, shape)
    X[0] = 0
    X[1] = 0
    X[1, 3] = 4
    return csr_array(X.astype(float))


def _lengths(X):
    return np.diff(X.indptr)


def _is_partition(X, *parts):
    total = parts[0].copy()
    for part in parts[1:]:
        total = total + part
    assert (total != csr_array(X)).nnz == 0
    assert sum(part.nnz for part in parts) == csr_array(X).nnz
    for part in parts:
        assert isinstance(part, csr_array)
        assert part.shape == X.shape
        fresh = csr_array((part.data, part.indices, part.indptr), shape=part.shape)
        assert fresh.has_canonical_format


# The rule.


@given(st.integers(2, 100_000), st.integers(1, 99))
def test_counts_are_exact_floors(n, percent):
    expected = max(1, n * percent // 100)
    found = held_out_counts(np.array([n]), percent / 100)[0]
    assert found == min(expected, n - 1)


def test_counts_by_hand():
    lengths = np.array([0, 1, 2, 3, 4, 5, 9, 10, 14, 15])
    np.testing.assert_array_equal(held_out_counts(lengths, 0.2), [0, 0, 1, 1, 1, 1, 1, 2, 2, 3])
    np.testing.assert_array_equal(held_out_counts(np.array([100]), 0.29), [29])
    np.testing.assert_array_equal(held_out_counts(np.array([2, 3]), 0.999), [1, 2])
    np.testing.assert_array_equal(held_out_counts(lengths, 1), [0, 0, 1, 1, 1, 1, 1, 1, 1, 1])
    np.testing.assert_array_equal(held_out_counts(lengths, 4), [0, 0, 0, 0, 0, 4, 4, 4, 4, 4])


@given(st.integers(0, 10**6), st.sampled_from(["uint64", "int64", "float64"]))
def test_lowest_of_rows_is_a_stable_sort(seed, dtype):
    rng = np.random.default_rng(seed)
    X = csr_array((rng.random((7, 9)) < 0.6) * 1.0)
    keys = rng.integers(0, 4, X.nnz).astype(dtype)  # many ties
    counts = rng.integers(0, np.diff(X.indptr) + 1)
    mask = lowest_of_rows(X, keys, counts)
    for u in range(7):
        row = keys[X.indptr[u] : X.indptr[u + 1]]
        lowest = np.argsort(row, kind="stable")[: counts[u]]
        np.testing.assert_array_equal(
            np.flatnonzero(mask[X.indptr[u] : X.indptr[u + 1]]), np.sort(lowest)
        )


def test_hiding_depends_on_content_and_seed_only():
    X = _matrix()
    shown, hidden = hide_entries(X, 0.3, 7)
    _is_partition(X, shown, hidden)
    np.testing.assert_array_equal(_lengths(hidden), held_out_counts(_lengths(X), 0.3))
    order = np.random.default_rng(0).permutation(X.shape[0])
    _, moved = hide_entries(X[order], 0.3, 7)
    assert (moved != hidden[order]).nnz == 0
    for u in (2, 30):
        assert (hide_entries(X[[u]], 0.3, 7)[1] != hidden[[u]]).nnz == 0
    assert (hide_entries(X.astype(np.float32), 0.3, 7)[1] != hidden).nnz == 0
    assert (hide_entries(X, 0.3, 8)[1] != hidden).nnz > 0
    twice = csr_array(np.repeat(X[[5]].toarray(), 2, axis=0))
    _, hidden = hide_entries(twice, 0.3, 7)
    assert (hidden[[0]] != hidden[[1]]).nnz == 0


def test_hiding_is_even_over_items():
    # 400 different rows over the same ten items: each is hidden in about a fifth of them.
    X = np.ones((400, 10)) + np.arange(400)[:, None]
    _, hidden = hide_entries(csr_array(X), 0.2, 0)
    counts = np.bincount(hidden.indices, minlength=10)
    # Binomial(400, .2): a standard deviation of 8.
    assert (np.abs(counts - 80) < 5 * 8).all()


def test_seeds():
    assert draw_seed(3) == draw_seed(3) != draw_seed(4)
    state = np.random.RandomState(0)
    assert draw_seed(state) != draw_seed(state)


@given(st.integers(0, 10**6))
def test_entry_positions(seed):
    rng = np.random.default_rng(seed)
    A, B = (csr_array((rng.random((6, 5)) < 0.4) * 1.0) for _ in range(2))
    rows = np.repeat(np.arange(6), np.diff(A.indptr))
    stored = {
        (u, i): p
        for p, (u, i) in enumerate(
            zip(
                np.repeat(np.arange(6), np.diff(B.indptr)).tolist(), B.indices.tolist(), strict=True
            )
        )
    }
    expected = [
        stored.get((u, i), -1) for u, i in zip(rows.tolist(), A.indices.tolist(), strict=True)
    ]
    np.testing.assert_array_equal(entry_positions(A, B), expected)


# holdout_split, leave_one_out_split.


@pytest.mark.parametrize("holdout", [0.2, 0.5, 1, 3])
def test_holdout_is_a_partition(holdout):
    X = _matrix()
    train, held = holdout_split(X, holdout, random_state=0)
    _is_partition(X, train, held)
    np.testing.assert_array_equal(_lengths(held), held_out_counts(_lengths(X), holdout))
    again = holdout_split(X, holdout, random_state=0)[1]
    assert (again != held).nnz == 0
    np.testing.assert_array_equal(again.data, held.data)
    assert (holdout_split(X, holdout, random_state=1)[1] != held).nnz > 0


def test_equal_rows_are_split_on_their_own():
    train, _ = holdout_split(np.ones((200, 2)), 0.5, random_state=0)
    # A coin for each row: 100 expected, a standard deviation of 7.
    assert abs(np.bincount(train.indices)[0] - 100) < 36


def test_every_container():
    X = _matrix()
    expected = holdout_split(X, random_state=0)[1]
    zeros = csr_array(X.toarray() + 1)
    zeros.data -= 1
    reverse = X.tocoo()
    reverse = coo_array((reverse.data[::-1], (reverse.row[::-1], reverse.col[::-1])), X.shape)
    for kind in (X.toarray(), X.toarray().tolist(), csr_matrix(X), zeros, reverse):
        assert (holdout_split(kind, random_state=0)[1] != expected).nnz == 0
    frame = pd.DataFrame(X.toarray())
    assert (holdout_split(frame, random_state=0)[1] != expected).nnz == 0
    assert zeros.nnz == X.shape[0] * X.shape[1], "the input was changed"
    assert holdout_split(X.astype(np.float32))[0].dtype == np.float32


def _times(X, seed=0):
    T = X.copy()
    T.data = np.random.default_rng(seed).permutation(X.nnz).astype(float)  # a stored zero too
    return T


@pytest.mark.parametrize("holdout", [0.3, 1, 2])
def test_latest_are_held_out(holdout):
    X = _matrix()
    T = _times(X)
    train, held = holdout_split(X, holdout, timestamps=T)
    _is_partition(X, train, held)
    np.testing.assert_array_equal(_lengths(held), held_out_counts(_lengths(X), holdout))
    dense = T.toarray()
    for u in range(X.shape[0]):
        if _lengths(held)[u]:
            assert dense[u, train[[u]].indices].max() < dense[u, held[[u]].indices].min()
    # The same times in the order of the entries, as dates, in any container.
    dates = np.datetime64("2020-01-01") + T.data.astype("timedelta64[h]")
    shuffle = np.random.default_rng(1).permutation(X.nnz)
    coo = T.tocoo()
    coo = coo_array((coo.data[shuffle], (coo.row[shuffle], coo.col[shuffle])), T.shape)
    for times in (T.data, T.data.tolist(), dates, pd.Series(dates), coo, csr_matrix(T)):
        assert (holdout_split(X, holdout, timestamps=times)[1] != held).nnz == 0


def test_leave_one_out():
    X = _matrix()
    T = _times(X)
    train, held = leave_one_out_split(X, timestamps=T)
    assert (held != holdout_split(X, 1, timestamps=T)[1]).nnz == 0
    assert _lengths(held).tolist() == [int(n > 1) for n in _lengths(X)]
    _is_partition(X, train, held)
    assert (leave_one_out_split(X, random_state=0)[1] != held).nnz > 0
    assert (
        leave_one_out_split(X, random_state=0)[1] != leave_one_out_split(X, random_state=0)[1]
    ).nnz == 0


def test_time_ties_and_unsorted_entries():
    # Columns of the first row in reverse; its two latest share a time: the lower index goes.
    X = csr_array((np.ones(4), [3, 2, 0, 1], [0, 3, 4]), shape=(2, 4))
    _, held = leave_one_out_split(X, timestamps=[9, 9, 1, 5])
    np.testing.assert_array_equal(held.toarray(), [[0, 0, 1, 0], [0, 0, 0, 0]])
    assert X.indices.tolist() == [3, 2, 0, 1], "the input was changed"
    # A stored zero of X is no interaction, and its time is dropped with it.
    X = csr_array((np.array([1.0, 0.0, 1.0]), [0, 1, 2], [0, 3]), shape=(1, 3))
    _, held = leave_one_out_split(X, timestamps=[3, 99, 2])
    assert held.indices.tolist() == [0]


def test_bad_times():
    X = csr_array(np.ones((2, 3)))
    T = csr_array(np.array([[1.0, 2.0, 3.0], [4.0, 0.0, 5.0]]))
    with pytest.raises(ValueError, match="row 1, column 1"):
        leave_one_out_split(X, timestamps=T)
    with pytest.raises(ValueError, match=r"Got \(2, 2\), expected \(2, 3\)"):
        leave_one_out_split(X, timestamps=T[:, :2])
    with pytest.raises(ValueError, match=r"shape \(3,\), expected \(6,\)"):
        leave_one_out_split(X, timestamps=[1, 2, 3])
    with pytest.raises(ValueError, match="needs X in CSR format"):
        leave_one_out_split(np.ones((2, 3)), timestamps=np.arange(6))
    with pytest.raises(ValueError, match="NaN or infinity"):
        leave_one_out_split(X, timestamps=[1, 2, 3, 4, 5, np.nan])
    with pytest.raises(ValueError, match="NaT"):
        leave_one_out_split(X, timestamps=np.array(["NaT"] * 6, dtype="datetime64[s]"))
    with pytest.raises(ValueError, match="numbers or datetime64"):
        leave_one_out_split(X, timestamps=list("abcdef"))
    twice = csr_array((np.ones(2), [1, 1], [0, 2]), shape=(1, 3))
    with pytest.raises(ValueError, match="X stores an interaction more than once"):
        leave_one_out_split(twice, timestamps=[1, 2])
    with pytest.raises(ValueError, match="timestamps stores an interaction more than once"):
        leave_one_out_split(np.ones((1, 3)), timestamps=twice)


@pytest.mark.parametrize("holdout", [0, 1.0, 0.0, -1, 1.5, True, "0.2", None])
def test_bad_holdout(holdout):
    with pytest.raises(ValueError, match="holdout must be a share"):
        holdout_split(np.eye(3), holdout)


def test_bad_matrix():
    with pytest.raises(ValueError, match="NaN"):
        holdout_split(np.array([[np.nan, 1.0]]))
    with pytest.raises(ValueError, match="2D array"):
        holdout_split(np.ones(3))


# temporal_split.


def test_temporal_split_by_quantile():
    X = _matrix()
    T = _times(X)
    train, held = temporal_split(X, T, quantile=0.8)
    _is_partition(X, train, held)
    assert train.nnz == int(0.8 * X.nnz)
    dense = T.toarray()
    assert dense[train.nonzero()].max() < dense[held.nonzero()].min()
    assert (temporal_split(X, T.data, quantile=0.8)[1] != held).nnz == 0
    assert (temporal_split(X, T)[1] != held).nnz == 0
    tied = T.copy()
    tied.data = np.floor(tied.data / 50)
    train, held = temporal_split(X, tied, quantile=0.8)
    assert 0.8 * X.nnz - 50 <= train.nnz <= 0.8 * X.nnz
    assert tied.toarray()[train.nonzero()].max() < tied.toarray()[held.nonzero()].min()


def test_temporal_split_by_threshold():
    X = _matrix()
    T = _times(X)
    train, held = temporal_split(X, T, threshold=100)
    assert train.nnz == 100
    _is_partition(X, train, held)
    dates = np.datetime64("2020-01-01T00", "h") + T.data.astype("timedelta64[h]")
    by_date = temporal_split(
        X, dates, threshold=np.datetime64("2020-01-01") + 100 * np.timedelta64(1, "h")
    )
    assert (by_date[1] != held).nnz == 0


def test_temporal_split_edges():
    X = csr_array(np.ones((2, 2)))
    with pytest.raises(ValueError, match="at or after the threshold"):
        temporal_split(X, [5, 5, 5, 5])
    with pytest.raises(ValueError, match="before the threshold"):
        temporal_split(X, [1, 2, 3, 4], threshold=9)
    for quantile in (0, 1.0, "a"):
        with pytest.raises(ValueError, match="quantile must satisfy"):
            temporal_split(X, [1, 2, 3, 4], quantile=quantile)
    with pytest.raises(ValueError, match="no interactions"):
        temporal_split(csr_array((2, 2)), [])
    with pytest.raises(ValueError, match="is a date, but timestamps are none"):
        temporal_split(X, [1, 2, 3, 4], threshold=np.datetime64("2020-01-01"))


# Users.


def test_user_split():
    X = _matrix()
    train, test, y_test, a, b = user_train_test_split(
        X, test_size=0.25, holdout=0.3, random_state=0, return_users=True
    )
    assert (len(a), len(b)) == (45, 15)
    np.testing.assert_array_equal(np.sort(np.concatenate([a, b])), np.arange(60))
    assert (np.diff(a) > 0).all()
    assert (train != X[a]).nnz == 0
    _is_partition(X[b], test, y_test)
    np.testing.assert_array_equal(_lengths(y_test), held_out_counts(_lengths(X[b]), 0.3))
    again = user_train_test_split(X, test_size=15, holdout=0.3, random_state=0)
    assert (again[2] != y_test).nnz == 0
    other = user_train_test_split(X, test_size=15, random_state=1, return_users=True)
    assert not np.array_equal(other[4], b)


def test_strong_generalization():
    rng = np.random.default_rng(0)
    chance = rng.random((200, 1)) ** 2 * rng.random(60) ** 3
    X = csr_array((rng.random((200, 60)) < chance).astype(float))
    split = strong_generalization_split(X, n_validation=30, n_test=0.1, random_state=0)
    assert (split.X_train.shape[0], split.X_validation.shape[0], split.X_test.shape[0]) == (
        150,
        30,
        20,
    )
    users = [split.train_users, split.validation_users, split.test_users]
    np.testing.assert_array_equal(np.sort(np.concatenate(users)), np.arange(200))
    seen = np.flatnonzero(X[split.train_users].sum(axis=0))
    np.testing.assert_array_equal(split.kept_items, seen)
    assert len(split.kept_items) < 60, "the data has items that no training user has"
    assert (split.X_train != X[split.train_users][:, split.kept_items]).nnz == 0
    whole = 0
    for name in ("validation", "test"):
        part = X[split[f"{name}_users"]][:, split.kept_items]
        _is_partition(part, split[f"X_{name}"], split[f"y_{name}"])
        lengths = _lengths(part)
        np.testing.assert_array_equal(
            _lengths(split[f"y_{name}"]), np.where(lengths >= 5, lengths // 5, 0)
        )
        whole += np.sum(lengths < 5)
    assert whole > 0, "the data has users with fewer than five items"
    again = strong_generalization_split(X, n_validation=30, n_test=20, random_state=0)
    for name, value in split.items():
        same = again[name]
        assert (value != same).nnz == 0 if hasattr(value, "nnz") else np.array_equal(value, same)
    other = strong_generalization_split(X, n_validation=30, n_test=20, random_state=1)
    assert not np.array_equal(other.test_users, split.test_users)


def test_strong_generalization_options():
    X = csr_array(np.ones((20, 10)))
    split = strong_generalization_split(
        X, n_validation=2, n_test=2, holdout=0.5, min_items=11, random_state=0
    )
    assert split.y_test.nnz == 0
    split = strong_generalization_split(X, n_validation=2, n_test=2, holdout=0.05, random_state=0)
    assert split.y_test.nnz == 0, "the floor, without the at least one of holdout_split"


def test_bad_users():
    with pytest.raises(ValueError, match="No user is left to train on"):
        strong_generalization_split(np.eye(4), n_validation=2, n_test=2)
    with pytest.raises(ValueError, match="n_test must be a number of users"):
        strong_generalization_split(np.eye(4), n_test=1.5)
    with pytest.raises(ValueError, match="test_size must be"):
        user_train_test_split(np.eye(4), test_size=0)
    with pytest.raises(ValueError, match="min_items must be"):
        strong_generalization_split(np.eye(4), min_items=1)
    with pytest.raises(ValueError, match=r"0 < holdout < 1\. Got 2"):
        strong_generalization_split(np.eye(4), holdout=2)
