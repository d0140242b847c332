"""Content-keyed hashes and draws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array, random_array

from skrec.utils._hashing import (
    keyed_entry_words,
    keyed_negatives,
    keyed_words,
    match_rows,
    mix64,
    row_hashes,
)


def _matrix(n_rows=200, n_items=40, density=0.2, seed=0):
    rng = np.random.default_rng(seed)
    X = random_array((n_rows, n_items), density=density, random_state=rng, format="csr")
    X.data = np.ceil(X.data * 5)
    return csr_array(X)


def test_mix64_known_values():
    # splitmix64 with state 0 gives these first outputs (Steele et al. 2014, public domain code).
    golden = np.uint64(0x9E3779B97F4A7C15)
    states = golden * np.arange(1, 4, dtype=np.uint64)
    expected = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert [int(w) for w in mix64(states)] == expected


def test_equal_rows_and_only_those_have_equal_hashes():
    X = _matrix()
    X = csr_array(np.vstack([X.toarray(), X.toarray()[:50]]))
    hashes = row_hashes(X)
    np.testing.assert_array_equal(hashes[:50], hashes[200:])
    distinct = len(np.unique(X.toarray(), axis=0))
    assert len(np.unique(hashes, axis=0)) == distinct


def test_hash_does_not_depend_on_order_of_entries_or_dtype():
    X = _matrix()
    turned = X.copy()
    for a, b in zip(X.indptr, X.indptr[1:], strict=False):
        turned.indices[a:b] = X.indices[a:b][::-1]
        turned.data[a:b] = X.data[a:b][::-1]
    np.testing.assert_array_equal(row_hashes(turned), row_hashes(X))
    np.testing.assert_array_equal(row_hashes(X.astype(np.float32)), row_hashes(X))


def test_hash_sees_values_items_and_swaps():
    base = np.array([[1.0, 2.0, 0.0]])
    others = [[2.0, 1.0, 0.0], [1.0, 2.0, 1.0], [1.0, 0.0, 2.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    mine = row_hashes(csr_array(base))[0]
    for other in others:
        theirs = row_hashes(csr_array([other]))[0]
        assert (theirs != mine).all()


def test_match_rows_finds_the_first_of_duplicates():
    X = _matrix(60)
    known = csr_array(np.vstack([X.toarray()[:30], X.toarray()[:10]]))
    positions = match_rows(row_hashes(known), row_hashes(X))
    dense, reference = X.toarray(), known.toarray()
    for row, position in zip(dense, positions, strict=True):
        equal = np.flatnonzero((reference == row).all(axis=1))
        assert position == (equal[0] if len(equal) else -1)


def test_match_rows_without_rows():
    none = np.empty((0, 2), dtype=np.uint64)
    some = row_hashes(_matrix(5))
    assert (match_rows(none, some) == -1).all()
    assert match_rows(some, none).shape == (0,)


@given(st.integers(0, 2**63 - 1), st.integers(0, 50))
def test_words_depend_on_row_seed_and_counter_alone(seed, row):
    hashes = row_hashes(_matrix(51))
    counters = np.arange(8)
    batch = keyed_words(hashes[:, np.newaxis], seed, counters[np.newaxis])
    alone = keyed_words(hashes[row], seed, counters)
    np.testing.assert_array_equal(batch[row], alone)
    assert (keyed_words(hashes[row], seed + 1, counters) != alone).all()
    assert len(np.unique(alone)) == 8


def test_words_are_uniform():
    words = keyed_words(row_hashes(_matrix(2000))[:, np.newaxis], 7, np.arange(50)[np.newaxis])
    uniform = words.ravel() / 2.0**64
    counts = np.bincount((uniform * 20).astype(int), minlength=20)
    expected = len(uniform) / 20
    chi2 = ((counts - expected) ** 2 / expected).sum()
    assert chi2 < 43.8  # 0.999 quantile with 19 degrees of freedom
    assert abs(np.corrcoef(uniform[:-1], uniform[1:])[0, 1]) < 0.02


def test_entry_words_follow_their_entry():
    X = _matrix()
    words = keyed_entry_words(X, 3)
    order = np.random.default_rng(0).permutation(X.shape[0])
    shuffled = X[order]
    moved = keyed_entry_words(shuffled, 3)
    for at, row in enumerate(order):
        mine = words[X.indptr[row] : X.indptr[row + 1]]
        np.testing.assert_array_equal(moved[shuffled.indptr[at] : shuffled.indptr[at + 1]], mine)


@pytest.mark.parametrize("density", [0.1, 0.95])
def test_negatives_are_unseen_and_independent_of_the_batch(density):
    X = _matrix(80, 25, density)
    X = csr_array(np.vstack([X.toarray(), np.ones(25)]))
    draws = keyed_negatives(X, 12, seed=5)
    dense = X.toarray()
    full = (dense != 0).all(axis=1)
    assert (draws[full] == -1).all()
    rows, slots = np.nonzero(~full[:, np.newaxis] & np.ones((1, 12), dtype=bool))
    assert (dense[rows, draws[rows, slots]] == 0).all()
    np.testing.assert_array_equal(keyed_negatives(X[[7, 3]], 12, seed=5), draws[[7, 3]])
    # Fewer draws are a prefix of more.
    np.testing.assert_array_equal(keyed_negatives(X, 4, seed=5), draws[:, :4])


def test_negatives_are_uniform_over_what_is_left():
    X = csr_array(np.tile([1.0, 0, 0, 0, 0, 0], (1, 1)))
    draws = keyed_negatives(X, 30000, seed=1)[0]
    counts = np.bincount(draws, minlength=6)
    assert counts[0] == 0
    np.testing.assert_allclose(counts[1:], 6000, atol=5 * np.sqrt(6000))


def test_negatives_of_empty_rows():
    draws = keyed_negatives(csr_array((3, 7)), 5, seed=0)
    assert draws.shape == (3, 5)
    assert ((draws >= 0) & (draws < 7)).all()
