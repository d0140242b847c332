"""The in-place rank-k update, across its block borders."""

import numpy as np
import pytest

from skrec.linear_model import _blas


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 6, 7, 8, 14, 23])
def test_upper_triangle_is_updated_and_the_lower_one_left_alone(monkeypatch, dtype, n):
    monkeypatch.setattr(_blas, "_BLOCK", 7)
    rng = np.random.default_rng(n)
    matrix, panel = rng.normal(size=(n, n)).astype(dtype), rng.normal(size=(3, n)).astype(dtype)
    before = matrix.copy()
    _blas.subtract_gram(matrix, panel)
    expected = np.triu(before - panel.T @ panel) + np.tril(before, -1)
    np.testing.assert_allclose(matrix, expected, atol=1e-5 if dtype == np.float32 else 1e-13)
