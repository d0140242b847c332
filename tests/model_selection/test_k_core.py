import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal
from scipy.sparse import coo_matrix, csr_array

from skrec.model_selection import k_core


def _slow(D, p, q):
    users, items = np.ones(D.shape[0], bool), np.ones(D.shape[1], bool)
    while True:
        kept = (D != 0) & users[:, None] & items
        new_users = users & (kept.sum(axis=1) >= p)
        new_items = items & (kept.sum(axis=0) >= q)
        if (new_users == users).all() and (new_items == items).all():
            return np.flatnonzero(users), np.flatnonzero(items)
        users, items = new_users, new_items


@given(
    D=arrays(np.int64, st.tuples(st.integers(1, 12), st.integers(1, 12)),
             elements=st.sampled_from([0, 0, 1, 2])),
    p=st.integers(1, 4),
    q=st.integers(1, 4),
)  # fmt: skip
def test_slow_twin(D, p, q):
    core = k_core(csr_array(D), min_user_count=p, min_item_count=q)
    users, items = _slow(D, p, q)
    assert_array_equal(core.users, users)
    assert_array_equal(core.items, items)
    assert_array_equal(core.X.toarray(), D[np.ix_(users, items)])
    assert isinstance(core.X, csr_array)


def test_long_chain_falls_to_the_last_link():
    n = 2000
    rows = np.repeat(np.arange(n), 2)
    cols = rows + np.tile([0, 1], n)
    X = csr_array((np.ones(2 * n), (rows, cols)), shape=(n, n + 1))
    core = k_core(X, min_user_count=2, min_item_count=2)
    assert core.X.shape == (0, 0)
    assert k_core(X, min_user_count=2, min_item_count=1).X.shape == (n, n + 1)


def test_zeros_and_duplicates_do_not_count():
    X = coo_matrix(([1.0, 1.0, 0.0, 3.0], ([0, 0, 0, 1], [0, 0, 1, 1])), shape=(2, 2))
    before = X.copy()
    core = k_core(X, min_user_count=2, min_item_count=1)
    assert core.X.shape == (0, 0)
    assert_array_equal(X.data, before.data)
    core = k_core(X, min_user_count=1, min_item_count=1)
    assert_array_equal(core.X.toarray(), [[2.0, 0.0], [0.0, 3.0]])


def test_amazon_beauty_is_a_five_core(data_home):
    path = data_home / "amazon-beauty" / "interactions.npz"
    if not path.exists():
        pytest.skip("no amazon-beauty")
    with np.load(path) as file:
        X = csr_array((np.ones(len(file["user"])), (file["user"], file["item"])))
    assert k_core(X, min_user_count=5, min_item_count=5).X.shape == X.shape  # as published
    core = k_core(X, min_user_count=8, min_item_count=8)
    assert 0 < core.X.nnz < X.nnz
    assert np.diff(core.X.indptr).min() >= 8
    assert np.bincount(core.X.indices).min() >= 8


@pytest.mark.parametrize("bad", [0, -1, 1.5, True, "2"])
def test_bad_minimum(bad):
    with pytest.raises(ValueError, match=r"min_user_count must be a whole number >= 1"):
        k_core(np.eye(3), min_user_count=bad)
    with pytest.raises(ValueError, match=r"min_item_count must be"):
        k_core(np.eye(3), min_item_count=bad)


def test_bad_matrix():
    with pytest.raises(ValueError, match="NaN"):
        k_core(np.array([[np.nan]]))
