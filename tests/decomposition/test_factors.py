"""What the factor models share: scores, pairs, items that are alike, small systems."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

from skrec._factors import (
    factor_pairs,
    factor_scores,
    similar_columns,
)
from skrec.utils._blas_threads import one_blas_thread
from skrec.utils._ridge_kernels import cholesky, solve_cholesky
from skrec.utils._wmf_als import gram_matrix
from skrec.utils._wmf_basis import eigenbasis, rotate

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scores_are_products_plus_biases_in_the_dtype_asked_for(dtype):
    vectors, components = RNG.normal(size=(5, 3)), RNG.normal(size=(3, 7))
    bias, offset = RNG.normal(size=7), RNG.normal(size=5)
    scores = factor_scores(vectors, components, dtype, item_bias=bias, offset=offset)
    expected = vectors @ components + bias + offset[:, np.newaxis]
    assert scores.dtype == dtype
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-5)
    plain = factor_scores(vectors, components, dtype)
    np.testing.assert_allclose(plain, vectors @ components, rtol=1e-5, atol=1e-5)


def test_pairs_are_entries_of_the_product_over_several_chunks():
    width = 64
    vectors, components = RNG.normal(size=(50, width)), RNG.normal(size=(width, 30))
    n = (1 << 22) // width + 1000  # one chunk and a bit
    rows, items = RNG.integers(50, size=n), RNG.integers(30, size=n)
    found = factor_pairs(vectors, components, rows, items)
    np.testing.assert_allclose(found, (vectors @ components)[rows, items], atol=1e-12)
    assert factor_pairs(vectors, components, rows[:0], items[:0]).shape == (0,)


def test_similar_columns_are_sorted_by_cosine_without_the_item_itself():
    components = RNG.normal(size=(4, 9))
    components[:, 5] = 0  # no direction: cosine 0 with all
    components[:, 7] = 3 * components[:, 2]
    unit = components / np.maximum(np.linalg.norm(components, axis=0), 1e-300)
    cosines = unit.T @ unit
    items = [2, 0, 5]
    found, scores = similar_columns(components, items, 10, return_scores=True)
    assert found.shape == scores.shape == (3, 10)
    assert found[0, 0] == 7
    for item, row, values in zip(items, found, scores, strict=True):
        assert sorted(row[:8]) == [i for i in range(9) if i != item]
        assert list(row[8:]) == [-1, -1]
        assert np.isneginf(values[8:]).all()
        np.testing.assert_allclose(values[:8], cosines[item, row[:8]], atol=1e-12)
        assert (np.diff(values[:8]) <= 1e-12).all()
    np.testing.assert_array_equal(found[:, :3], similar_columns(components, items, 3))


def test_similar_columns_says_what_is_wrong():
    components = RNG.normal(size=(4, 9))
    with pytest.raises(ValueError, match=r"\[0, 8\]"):
        similar_columns(components, [9], 3)
    with pytest.raises(ValueError, match="1-D"):
        similar_columns(components, [[1, 2]], 3)
    with pytest.raises(ValueError, match="k must be"):
        similar_columns(components, [1], 0)


@given(st.integers(1, 33), st.integers(0, 1000))
def test_small_systems_are_solved(d, seed):
    rng = np.random.default_rng(seed)
    half = rng.normal(size=(d + 3, d))
    matrix, b = half.T @ half + 0.1 * np.eye(d), rng.normal(size=d)
    expected = np.linalg.solve(matrix, b)
    upper = np.triu(matrix)
    cholesky(upper)
    np.testing.assert_allclose(np.triu(upper).T @ np.triu(upper), matrix, atol=1e-8)
    solve_cholesky(upper, b)
    np.testing.assert_allclose(b, expected, rtol=1e-6, atol=1e-8)


def test_a_singular_system_has_a_finite_solution():
    y = np.array([1.0, 2.0, 3.0])
    upper, b = np.triu(np.outer(y, y)), 14 * y
    cholesky(upper)
    solve_cholesky(upper, b)
    assert np.isfinite(b).all()
    np.testing.assert_allclose(y @ b, 14, rtol=1e-6)  # one of the exact solutions


@pytest.mark.parametrize("n", [0, 1, 1023, 1024, 3001])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gram_matrix_in_blocks_is_that_of_numpy(n, dtype):
    vectors, weight = RNG.normal(size=(n, 6)).astype(dtype), RNG.uniform(size=n)
    rtol = 1e-4 if dtype == np.float32 else 1e-12
    expected = 0.5 * vectors.T @ (vectors * weight[:, np.newaxis])
    found = gram_matrix(vectors, 0.5, weight)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(
        gram_matrix(vectors, 2.0), 2 * vectors.T @ vectors, rtol=rtol, atol=rtol
    )
    two = gram_matrix(vectors, 0.5, weight, n_jobs=2)
    np.testing.assert_array_equal(gram_matrix(vectors, 0.5, weight, n_jobs=1), two)
    np.testing.assert_array_equal(two, two.T)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_basis_makes_the_gram_matrix_diagonal(dtype):
    vectors = RNG.normal(size=(40, 7)).astype(dtype)
    vectors[:, 6] = vectors[:, 0]  # a matrix that is singular
    gram = gram_matrix(vectors, 0.5)
    basis, diagonal = eigenbasis(gram)
    assert basis.dtype == diagonal.dtype == dtype
    atol = 100 * np.finfo(dtype).eps
    np.testing.assert_allclose(basis.T @ basis, np.eye(7), atol=atol)
    np.testing.assert_allclose(basis @ diagonal @ basis.T, gram, atol=atol * gram.max())
    assert (np.diag(diagonal) >= 0).all()
    assert np.isnan(eigenbasis(np.full((3, 3), dtype(np.inf)))[1]).all()


@pytest.mark.parametrize("n", [0, 1, 511, 512, 1700])
def test_equal_rows_are_rotated_alike(n):
    vectors = np.tile(RNG.normal(size=7).astype(np.float32), (n, 1))
    basis = RNG.normal(size=(7, 7)).astype(np.float32)
    one = rotate(vectors, basis, n_jobs=1)
    np.testing.assert_allclose(one, vectors @ basis, rtol=1e-5)
    np.testing.assert_array_equal(one, np.tile(one[:1], (n, 1)))
    assert rotate(vectors, basis, vectors, n_jobs=2) is vectors
    np.testing.assert_array_equal(vectors, one)


def _blas_threads():
    return {lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"}


def test_blas_gets_its_threads_back_when_the_last_block_closes():
    with threadpool_limits(2, user_api="blas"):
        before = _blas_threads()
        first, second = one_blas_thread(), one_blas_thread()
        first.__enter__()
        second.__enter__()
        assert _blas_threads() == {1}
        first.__exit__(None, None, None)
        assert _blas_threads() == {1}  # the other is still open
        second.__exit__(None, None, None)
        assert _blas_threads() == before == {2}
        with pytest.raises(KeyError), one_blas_thread():
            raise KeyError
        assert _blas_threads() == before


def test_blocks_of_many_threads_leave_nothing_behind():
    def work(_):
        with one_blas_thread():
            return np.linalg.norm(np.ones((50, 50)) @ np.ones((50, 50)))

    with threadpool_limits(2, user_api="blas"), ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(work, range(200)))) == 1
        assert _blas_threads() == {2}


def test_threads_do_not_change_scores_beyond_rounding():
    vectors, components = RNG.normal(size=(301, 8)), RNG.normal(size=(8, 400))
    one = factor_scores(vectors, components, np.float64, n_jobs=1)
    np.testing.assert_allclose(
        factor_scores(vectors, components, np.float64, n_jobs=2), one, atol=1e-13
    )
    np.testing.assert_allclose(one, vectors @ components, atol=1e-13)
