"""Whole protocols: parts that share nothing, split alike for the choice and the test."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from skrec.datasets import make_interactions
from skrec.model_selection import (
    draw_candidates,
    evaluation_split,
    holdout_split,
    leave_one_out_split,
    strong_generalization_split,
    temporal_split,
)
from skrec.model_selection._protocols import round_number


@pytest.fixture(scope="module")
def log():
    return make_interactions(160, 60, 2400, timestamps=True, random_state=3)


def _equal(a, b):
    assert a.shape == b.shape
    assert (a != b).nnz == 0


def test_strong(log):
    split = evaluation_split(log.X, random_state=4)
    own = strong_generalization_split(
        log.X, n_validation=20, n_test=20, random_state=np.random.RandomState(4)
    )
    _equal(split.X_train, own.X_train)
    _equal(split.X_test, own.X_test)
    _equal(split.y_test, own.y_test)
    _equal(split.validation[1], own.X_validation)
    assert split.validation[0] is split.X_train
    np.testing.assert_array_equal(split.test_users, own.test_users)
    assert "120 users to train on, 20 for validation, 20 to test" in split.sizes


def test_weak_and_leave_one_out(log):
    rng = np.random.RandomState(0)
    first = holdout_split(log.X, 0.2, random_state=rng)
    second = holdout_split(first[0], 0.2, random_state=rng)
    split = evaluation_split(log.X, "weak", random_state=0)
    assert split.X_test is split.X_train
    for found, own in zip(
        (split.X_train, split.y_test, *split.validation[1:3]), (*first, *second), strict=True
    ):
        _equal(found, own)
    times = csr_array((log.timestamp, (log.user, log.item)), shape=log.X.shape)
    split = evaluation_split(log.X, "leave_one_out", timestamps=times)
    X_train, last = leave_one_out_split(log.X, timestamps=times)
    _equal(split.y_test, last)
    _equal(split.validation[2], leave_one_out_split(X_train, timestamps=times)[1])
    assert "the last item" in split.protocol
    assert "a random item" in evaluation_split(log.X, "leave_one_out").protocol


def test_temporal(log):
    split = evaluation_split(log.X, "temporal", timestamps=log.timestamp)
    X_past, X_later = temporal_split(log.X, log.timestamp, quantile=0.8)
    _equal(split.X_train, X_past)
    _equal(split.y_test, X_later)
    times = csr_array((log.timestamp, (log.user, log.item)), shape=log.X.shape)
    before = (split.validation[0] > 0).astype(float) * times
    after = (split.validation[2] > 0).astype(float) * times
    assert before.data.max() < after.data.min()
    with pytest.raises(ValueError, match="needs timestamps"):
        evaluation_split(log.X, "temporal")


def test_ratings():
    X = csr_array(np.random.default_rng(0).integers(1, 6, (40, 30)).astype(float))
    split = evaluation_split(X, "ratings", holdout=0.1, random_state=7)
    assert split.y_test.nnz == 120
    _equal(split.X_train + split.y_test, X)
    held_out = np.zeros(X.nnz, dtype=bool)
    held_out[np.random.default_rng(7).permutation(X.nnz)[:120]] = True
    np.testing.assert_array_equal(split.X_train.data, X.data[~held_out])
    assert split.validation[2].nnz == 108


def test_candidates(log):
    split = evaluation_split(log.X, "leave_one_out", n_candidates=9)
    assert split.candidates.shape == (len(split.test_users), 9)
    assert (np.diff(split.y_test.indptr) == 1).all()
    dense = log.X.toarray() > 0
    for user, drawn in zip(split.test_users, split.candidates, strict=True):
        assert len(set(drawn)) == 9
        assert not dense[user][drawn].any()
    X_fit, shown, held_out, candidates = split.validation
    assert len(candidates) == shown.shape[0] == held_out.nnz
    _equal(X_fit[split.test_users[:5]], shown[:5])
    rng = np.random.default_rng(3)
    own = [rng.choice(np.flatnonzero(~row), 9, replace=False) for row in dense]
    np.testing.assert_array_equal(draw_candidates(log.X, 9, random_state=3), own)


def test_mistakes(log):
    for arguments, options, text in [
        (("stong",), {}, "protocol must be one of"),
        (("weak",), {"n_candidates": 9}, "n_candidates is for"),
        (("weak",), {"holdout": 1}, "holdout"),
        (("leave_one_out",), {"n_candidates": 60}, "some user lacks only"),
        (("leave_one_out",), {"n_candidates": 0}, "whole number >= 1"),
    ]:
        with pytest.raises(ValueError, match=text):
            evaluation_split(log.X, *arguments, **options)
    with pytest.raises(ValueError, match="2 are too few"):
        evaluation_split(np.eye(2))
    with pytest.raises(ValueError, match="No interaction of the test users is held out"):
        evaluation_split(np.eye(20), "weak")


def test_round_number():
    assert [round_number(n) for n in (0.3, 7, 84, 117, 754, 12_345)] == [1, 7, 84, 120, 750, 12_000]
