"""The Gram kernel against dense products in float64."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp

from skrec.linear_model._gram import BLOCK_SIZE, add_gram, check_square, gram_memory, new_gram


def random_rows(n_users, n_items, *, seed=0, dtype=np.float64, binary=False, density=0.1):
    """Long-tailed rows with empty ones among them."""
    rng = np.random.default_rng(seed)
    popularity = density * n_items * rng.dirichlet(np.full(n_items, 0.5))
    activity = rng.lognormal(sigma=1.0, size=n_users) * rng.integers(0, 2, n_users)
    dense = rng.random((n_users, n_items)) < activity[:, None] * popularity
    values = np.ones(dense.shape) if binary else rng.uniform(0.5, 5.0, dense.shape)
    return sp.csr_array(np.where(dense, values, 0.0).astype(dtype))


def dense_gram(X, weight=None):
    dense = X.toarray().astype(np.float64)
    weight = np.ones(len(dense)) if weight is None else weight
    return np.triu(dense.T @ (weight[:, None] * dense))


@pytest.mark.parametrize("gram_dtype", [np.float32, np.float64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_equals_dense_product(gram_dtype, dtype, binary, weighted):
    X = random_rows(300, 80, dtype=dtype, binary=binary)
    weight = np.random.default_rng(1).uniform(0, 3, 300) if weighted else None
    expected = dense_gram(X, weight)
    gram = add_gram(X, new_gram(80, dtype=gram_dtype), sample_weight=weight, n_jobs=2)
    assert gram.dtype == gram_dtype
    # One rounding to the dtype of the Gram matrix; a few in the float64 sums.
    rtol = 2.0**-24 if gram_dtype == np.float32 else 1e-14
    np.testing.assert_allclose(gram, expected, rtol=rtol, atol=0)


def test_values_all_equal_but_not_one():
    X = random_rows(100, 30, binary=True)
    X.data[:] = 2.5
    np.testing.assert_array_equal(add_gram(X, new_gram(30)), dense_gram(X))


def test_sums_in_float64_before_rounding():
    # 1 + 4095 * 2**-24: in float32 each of the small terms would be lost.
    X = sp.csr_array(np.r_[1.0, np.full(4095, 2.0**-12)][:, None].astype(np.float32))
    gram = add_gram(X, new_gram(1))
    assert gram[0, 0] == np.float32(1 + 4095 * 2.0**-24) > 1


@pytest.mark.parametrize("binary", [True, False])
def test_same_bits_for_every_number_of_threads(binary):
    X = random_rows(400, 150, binary=binary)
    weight = np.random.default_rng(2).random(400)
    grams = [
        add_gram(X, new_gram(150, dtype=np.float64), sample_weight=weight, n_jobs=n_jobs)
        for n_jobs in (1, 2, 3, 7, 200)
    ]
    for gram in grams[1:]:
        np.testing.assert_array_equal(gram, grams[0])


def test_adds_to_what_is_there_and_leaves_the_lower_triangle():
    X = random_rows(200, 40, binary=True)
    gram = new_gram(40)
    gram[np.tril_indices(40, -1)] = -7.0
    add_gram(X[:60], gram)
    add_gram(X[60:], gram, n_jobs=2)
    np.testing.assert_array_equal(np.triu(gram), dense_gram(X))
    assert np.all(gram[np.tril_indices(40, -1)] == -7.0)


def test_integer_weights_equal_repeated_rows():
    X = random_rows(120, 25)
    weight = np.random.default_rng(3).integers(0, 4, 120)
    repeated = sp.csr_array(X[np.repeat(np.arange(120), weight)])
    weighted = add_gram(X, new_gram(25, dtype=np.float64), sample_weight=weight)
    np.testing.assert_allclose(
        weighted, add_gram(repeated, new_gram(25, dtype=np.float64)), rtol=1e-14
    )


def test_index_types_read_only_arrays_and_explicit_zeros():
    X = random_rows(90, 33)
    expected = add_gram(X, new_gram(33, dtype=np.float64))
    wide = X.copy()
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    assert wide.indices.dtype == np.int64
    np.testing.assert_array_equal(add_gram(wide, new_gram(33, dtype=np.float64)), expected)

    frozen = X.copy()
    for array in (frozen.data, frozen.indices, frozen.indptr):
        array.flags.writeable = False
    np.testing.assert_array_equal(add_gram(frozen, new_gram(33, dtype=np.float64)), expected)

    zeros = X.copy()
    zeros.data[::3] = 0.0
    np.testing.assert_allclose(
        add_gram(zeros, new_gram(33, dtype=np.float64)), dense_gram(zeros), rtol=1e-14
    )


@pytest.mark.parametrize("shape", [(0, 5), (5, 1), (1, 5), (4, 4)])
def test_empty_and_narrow(shape):
    X = sp.csr_array(np.ones(shape, dtype=np.float32))
    np.testing.assert_array_equal(add_gram(X, new_gram(shape[1]), n_jobs=2), dense_gram(X))
    nothing = sp.csr_array(shape, dtype=np.float32)
    assert not add_gram(nothing, new_gram(shape[1])).any()


def test_trailing_unused_storage_is_ignored():
    # scipy allows data and indices to be longer than indptr[-1].
    X = random_rows(50, 12)
    padded = sp.csr_array((50, 12), dtype=np.float64)
    padded.data = np.r_[X.data, np.full(5, 1e6)]
    padded.indices = np.r_[X.indices, np.zeros(5, X.indices.dtype)]
    padded.indptr = X.indptr
    np.testing.assert_allclose(
        add_gram(padded, new_gram(12, dtype=np.float64)), dense_gram(X), rtol=1e-14
    )


def test_no_memory_beyond_what_is_promised():
    X = random_rows(3000, 400, binary=True, dtype=np.float32)
    gram = new_gram(400)
    add_gram(X, gram, n_jobs=2)
    tracemalloc.start()
    add_gram(X, gram, n_jobs=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # 8 bytes an entry, the pointers and weights of the users, and small change. A dense
    # product or a Gram matrix for each thread would be 640,000 bytes more.
    assert peak < 8 * X.nnz + 3000 * 40 + 60_000 < X.nnz * 8 + 400 * 400 * 4


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda X: X[:, ::-1], "canonical"),
        (lambda X: sp.csr_array((np.ones(2), [1, 1], [0, 2]), shape=(1, 10)), "canonical"),
        (lambda X: X[:, :9], r"shape \(9, 9\)"),
    ],
)
def test_matrices_that_are_refused(change, match):
    X = sp.csr_array(np.ones((20, 10)))
    with pytest.raises(ValueError, match=match):
        add_gram(sp.csr_array(change(X)), new_gram(10))


@pytest.mark.parametrize(
    ("weight", "match"),
    [
        (np.ones(19), "each of the 20 rows"),
        (np.ones((20, 1)), "each of the 20 rows"),
        (np.r_[np.ones(19), -1.0], "-1.0"),
        (np.r_[np.ones(19), np.nan], "nan"),
    ],
)
def test_weights_that_are_refused(weight, match):
    X = sp.csr_array(np.ones((20, 10)))
    with pytest.raises(ValueError, match=match):
        add_gram(X, new_gram(10), sample_weight=weight)


@pytest.mark.parametrize(
    ("matrix", "match"),
    [
        (np.zeros((3, 3), dtype=np.int64), "int64"),
        (np.zeros((3, 4)), r"shape \(3, 4\)"),
        (np.zeros((3, 3), order="F"), "C-contiguous"),
        (np.zeros((6, 6))[::2, ::2], "C-contiguous"),
        (np.broadcast_to(0.0, (3, 3)), "C-contiguous"),
    ],
)
def test_buffers_that_are_refused(matrix, match):
    with pytest.raises(ValueError, match=match):
        check_square(matrix, 3)


def test_memory_is_checked_before_it_is_allocated(monkeypatch):
    monkeypatch.setattr("skrec.utils._memory.available_memory", lambda: 10**9)
    assert new_gram(1000).shape == (1000, 1000)
    with pytest.raises(MemoryError, match=r"EASE with 40,981 items in float64.*1 GB are") as caught:
        new_gram(40_981, dtype=np.float64)
    assert "dtype=np.float32" in str(caught.value)
    with pytest.raises(MemoryError, match=r"float32 needs 6\.8 GB") as caught:
        new_gram(40_981)
    assert "dtype" not in str(caught.value)
    assert "ItemKNN" in str(caught.value)


def test_memory_estimate():
    assert gram_memory(20_108) == 4 * (20_108**2 + 20_108 * BLOCK_SIZE)
    # With many entries their order by columns takes more than the panel.
    assert gram_memory(100, n_entries=10**6) == 40_000 + 12 * 10**6


def test_movielens_1m_against_scipy(data_home):
    log = np.load(data_home / "ml-1m" / "interactions.npz")
    X = sp.csr_array(
        (log["rating"].astype(np.float32), (log["user"], log["item"])), shape=(6040, 3706)
    )
    X = X[::5]  # scipy's product of all rows takes 10 s
    # Ratings are integers, so both sums are exact.
    expected = sp.triu(X.T @ X).toarray()
    np.testing.assert_array_equal(add_gram(X, new_gram(X.shape[1]), n_jobs=2), expected)
