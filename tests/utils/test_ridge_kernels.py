"""Small symmetric systems, against LAPACK's."""

import numpy as np
import pytest

from skrec.utils._ridge_kernels import add_outer_products, cholesky, solve_cholesky


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("d", [1, 2, 3, 4, 5, 7, 8, 9, 17, 33])
def test_systems(d, dtype):
    rng = np.random.default_rng(d)
    vectors = rng.standard_normal((3 * d + 2, d)).astype(dtype)
    slope = rng.random(3 * d).astype(dtype)
    items = rng.permutation(len(vectors))[: 3 * d].astype(np.int32)
    matrix = np.eye(d, dtype=dtype)
    add_outer_products(items, vectors, slope, matrix)
    chosen = vectors[items].astype(np.float64)
    whole = np.eye(d) + (chosen.T * slope) @ chosen
    tolerance = {"rtol": 1e-4 if dtype == np.float32 else 1e-12, "atol": 1e-5}
    upper = np.triu_indices(d)
    np.testing.assert_allclose(matrix[upper], whole[upper], **tolerance)
    cholesky(matrix)
    np.testing.assert_allclose(matrix[upper], np.linalg.cholesky(whole).T[upper], **tolerance)
    b = rng.standard_normal(d).astype(dtype)
    expected = np.linalg.solve(whole, b)
    solve_cholesky(matrix, b)
    np.testing.assert_allclose(b, expected, **tolerance)


def test_a_matrix_of_no_full_rank_has_a_finite_factor():
    for matrix in (np.zeros((6, 6)), np.ones((6, 6))):
        cholesky(matrix)
        assert np.isfinite(matrix).all()
