"""The blocked inversion against LAPACK, and EASE's weights against ridge regressions."""

import itertools
import tracemalloc
import warnings

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
from scipy.linalg import LinAlgWarning
from scipy.linalg.lapack import dpotrf, dpotri
from sklearn.linear_model import Ridge

from skrec.linear_model._gram import add_gram, new_gram
from skrec.linear_model._inverse import (
    _mirror,
    _sweep,
    _torch_negative_inverse,
    ease_weights,
    invert_positive_definite,
    ridge_diagonal,
)

BLOCK = 16


def positive_definite(n, seed=0):
    factor = np.random.default_rng(seed).standard_normal((n, n + 10))
    return factor @ factor.T + np.eye(n)


def upper(matrix, dtype=np.float64):
    """The matrix with NaN below the diagonal, so that reading it there is seen."""
    matrix = matrix.astype(dtype)
    matrix[np.tril_indices(len(matrix), -1)] = np.nan
    return matrix


def lapack_inverse(matrix):
    factor, info = dpotrf(matrix, lower=0)
    assert info == 0
    inverse, info = dpotri(factor, lower=0)
    assert info == 0
    return np.triu(inverse) + np.triu(inverse, 1).T


def example_gram(n_users=400, n_items=30, seed=0):
    rng = np.random.default_rng(seed)
    X = sp.csr_array((rng.random((n_users, n_items)) < 0.3) * rng.uniform(1, 3, n_items))
    return X, add_gram(X, new_gram(n_items, dtype=np.float64))


@pytest.mark.parametrize(
    "n", [1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK + 7, 128 + BLOCK, 300]
)
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-12), (np.float32, 2e-4)])
def test_sweep_equals_lapack_around_the_block_size(n, dtype, rtol):
    matrix = positive_definite(n)
    expected = lapack_inverse(matrix)
    swept = upper(matrix, dtype)
    _sweep(swept, block_size=BLOCK)
    assert swept.dtype == dtype
    error = np.abs(np.triu(swept) + np.triu(expected)) / np.abs(expected).max()
    # float32: the condition number of these matrices is up to 2,000, times eps of 1e-7.
    assert error[np.triu_indices(n)].max() < rtol
    # Below the diagonal nothing was read (the error would be NaN), and nothing written but
    # in the blocks on the diagonal.
    block = np.arange(n) // BLOCK
    assert np.all(np.isnan(swept[block[:, None] > block]))


@pytest.mark.parametrize("block_size", [1, 7, 64, 512, 10_000])
def test_sweep_with_any_block_size(block_size):
    matrix = positive_definite(90, seed=1)
    swept = upper(matrix)
    _sweep(swept, block_size=block_size)
    np.testing.assert_allclose(-np.triu(swept), np.triu(lapack_inverse(matrix)), atol=1e-13)


@pytest.mark.parametrize("n", [1, 63, 64, 65, 200])
@pytest.mark.parametrize("n_jobs", [1, 2, 5])
def test_mirror_scales_columns(n, n_jobs):
    rng = np.random.default_rng(n)
    matrix = upper(rng.standard_normal((n, n)))
    scale = rng.standard_normal(n)
    symmetric = np.triu(matrix, 1) + np.triu(matrix, 1).T
    expected = symmetric * scale
    np.fill_diagonal(expected, matrix.diagonal())
    _mirror(matrix, scale, n_jobs)
    np.testing.assert_array_equal(matrix, expected)


@pytest.mark.parametrize("diagonal", [0.0, 2.0, np.linspace(0, 5, 130)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_invert_positive_definite(diagonal, dtype):
    matrix = positive_definite(130, seed=2)
    buffer = upper(matrix, dtype)
    inverse = invert_positive_definite(buffer, diagonal, n_jobs=2)
    assert inverse is buffer
    np.testing.assert_array_equal(inverse, inverse.T)
    expected = np.linalg.inv(matrix + np.diag(np.broadcast_to(diagonal, 130)))
    atol = np.abs(expected).max() * (2e-4 if dtype == np.float32 else 1e-12)
    np.testing.assert_allclose(inverse, expected, rtol=0, atol=atol)


def test_ease_is_a_ridge_regression_of_each_item_on_the_others():
    X, gram = example_gram()
    dense = X.toarray()
    coef = ease_weights(gram, 3.5, n_jobs=2)
    assert coef is gram
    np.testing.assert_array_equal(coef.diagonal(), 0.0)
    for j in range(X.shape[1]):
        others = np.delete(np.arange(X.shape[1]), j)
        ridge = Ridge(alpha=3.5, fit_intercept=False, solver="cholesky")
        ridge.fit(dense[:, others], dense[:, j])
        np.testing.assert_allclose(coef[others, j], ridge.coef_, rtol=1e-9, atol=1e-12)


def test_dropout_is_the_expectation_over_all_masks():
    X, gram = example_gram(n_users=60, n_items=6)
    dense, alpha, p = X.toarray(), 0.7, 0.3
    coef = ease_weights(gram.copy(), ridge_diagonal(gram, alpha=alpha, dropout=p))
    # Every mask of the five inputs with its probability; kept inputs are divided by 1 - p.
    masks = np.array(list(itertools.product([0.0, 1.0], repeat=5)))
    probability = np.prod(np.where(masks == 1, 1 - p, p), axis=1)
    for j in range(6):
        others = np.delete(np.arange(6), j)
        inputs = (dense[None, :, others] * masks[:, None, :] / (1 - p)).reshape(-1, 5)
        ridge = Ridge(alpha=alpha, fit_intercept=False, solver="cholesky")
        ridge.fit(inputs, np.tile(dense[:, j], 32), sample_weight=np.repeat(probability, 60))
        np.testing.assert_allclose(coef[others, j], ridge.coef_, rtol=1e-9)


def test_ridge_diagonal():
    gram = np.diag([4.0, 0.0, 2.0]).astype(np.float32)
    np.testing.assert_allclose(ridge_diagonal(gram, alpha=1.5), [1.5, 1.5, 1.5])
    np.testing.assert_allclose(ridge_diagonal(gram, alpha=1.0, dropout=0.5), [5.0, 1.0, 3.0])
    assert ridge_diagonal(gram, alpha=1.0).dtype == np.float64


def test_float32_weights_are_close_to_float64():
    _, gram = example_gram(n_users=3000, n_items=700)
    coef = ease_weights(gram.astype(np.float32), 50.0)
    expected = ease_weights(gram, 50.0)
    assert coef.dtype == np.float32
    # Measured 3e-6; the scaled condition number is 700.
    assert np.linalg.norm(coef - expected) < 2e-5 * np.linalg.norm(expected)


def test_items_without_interactions_get_zero_weights():
    X, _ = example_gram()
    dense = X.toarray()
    dense[:, [0, 13, 29]] = 0.0
    gram = add_gram(sp.csr_array(dense), new_gram(30))
    coef = ease_weights(gram, 1.0)
    assert not coef[[0, 13, 29]].any()
    assert not coef[:, [0, 13, 29]].any()
    assert np.count_nonzero(coef) == 27 * 26


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_buffer(dtype):
    # The claim is the buffer plus one panel of n x block; what BLAS is handed must not be
    # copied. Twice the panel leaves room for the pieces that are moved.
    n = 700
    matrix = upper(positive_definite(n), dtype)
    ease_weights(matrix.copy(), 1.0)  # compiles
    tracemalloc.start()
    _sweep(matrix, block_size=64)
    swept_peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    _mirror(matrix, np.ones(n), 2)
    mirror_peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert swept_peak < 2 * n * 64 * matrix.itemsize < 0.2 * matrix.nbytes
    assert mirror_peak < 0.05 * matrix.nbytes


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_inside_joblib_workers(backend):
    X, gram = example_gram(n_items=150)
    expected = ease_weights(gram.copy(), 2.0)
    work = joblib.Parallel(n_jobs=2, backend=backend)
    grams = work(
        joblib.delayed(add_gram)(X, new_gram(150, dtype=np.float64), n_jobs=2) for _ in range(4)
    )
    for coef in work(joblib.delayed(ease_weights)(each, 2.0, n_jobs=2) for each in grams):
        np.testing.assert_allclose(coef, expected, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("block", [4, 512])
def test_not_positive_definite(block):
    matrix = positive_definite(20)
    matrix[11] = matrix[3]
    matrix[:, 11] = matrix[:, 3]
    matrix[11, 11] = matrix[3, 3] - 1e-3
    with pytest.raises(ValueError, match=r"(?s)positive definite.*float64 at item 11.*alpha"):
        _sweep(upper(matrix), block_size=block)


def test_errors_name_item_dtype_and_remedy():
    X, gram = example_gram()
    # Negative "ridge" larger than the smallest eigenvalue.
    with pytest.raises(ValueError, match="Raise alpha"):
        ease_weights(gram.copy(), -1e6)
    empty = np.zeros((5, 5), dtype=np.float32)
    with pytest.raises(ValueError, match=r"float32 at item 0.*no interactions"):
        ease_weights(empty, 0.0)
    huge = new_gram(30)
    add_gram(X * 1e20, huge)
    with pytest.raises(ValueError, match=r"diagonal is inf in float32.*float64"):
        ease_weights(huge, 1.0)
    with pytest.raises(ValueError, match="diagonal is nan"):
        ease_weights(gram.copy(), np.r_[np.nan, np.ones(29)])
    with pytest.raises(ValueError, match="C-contiguous"):
        ease_weights(np.asfortranarray(gram), 1.0)


@pytest.mark.parametrize("where", [(2, 9), (0, 29), (28, 29)])
@pytest.mark.parametrize("block", [8, 512])
def test_nan_off_the_diagonal_is_found(where, block, monkeypatch):
    monkeypatch.setattr("skrec.linear_model._inverse._sweep.__defaults__", (block,))
    _, gram = example_gram()
    gram[where] = np.nan
    with pytest.raises(ValueError, match="finite"):
        ease_weights(gram, 1.0)


def test_ill_conditioned_matrices_warn():
    X, _ = example_gram()
    X = sp.csr_array(sp.hstack([X, X[:, :3]]))
    X.sum_duplicates()
    gram = add_gram(X, new_gram(33))
    with pytest.warns(LinAlgWarning, match=r"float32 .*at least 2\.9e\+04.*float64") as record:
        ease_weights(gram.copy(), 0.01)
    assert len(record) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ease_weights(gram.copy(), 10.0)
        ease_weights(gram.astype(np.float64), 0.01)


def test_torch_path_agrees():
    import torch

    matrix = positive_definite(100, seed=5)
    for dtype, rtol in ((np.float64, 1e-12), (np.float32, 2e-4)):
        buffer = np.triu(matrix).astype(dtype)
        _torch_negative_inverse(buffer, torch.device("cpu"))
        expected = -lapack_inverse(matrix)
        np.testing.assert_allclose(buffer, expected, rtol=0, atol=rtol * np.abs(expected).max())
    matrix[7, 7] = -1.0
    with pytest.raises(ValueError, match="float64 at item 7"):
        _torch_negative_inverse(np.triu(matrix), torch.device("cpu"))


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_device_names(device):
    import torch

    if device == "auto" and torch.cuda.is_available():
        pytest.skip("auto takes CUDA here")
    _, gram = example_gram()
    expected = ease_weights(gram.copy(), 2.0)
    np.testing.assert_array_equal(ease_weights(gram.copy(), 2.0, device=device), expected)
    resolved = torch.device("cpu")
    np.testing.assert_array_equal(ease_weights(gram.copy(), 2.0, device=resolved), expected)


@pytest.mark.cuda
@pytest.mark.parametrize(("dtype", "atol"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_cuda_agrees(dtype, atol):
    _, gram = example_gram(n_users=3000, n_items=700)
    coef = ease_weights(gram.astype(dtype), 50.0, device="cuda")
    np.testing.assert_allclose(coef, ease_weights(gram, 50.0), rtol=0, atol=atol)


@pytest.mark.cuda
def test_cuda_errors_and_memory(monkeypatch):
    import torch

    with pytest.raises(ValueError, match="positive definite"):
        ease_weights(np.zeros((5, 5)), 0.0, device="cuda")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 1000))
    with pytest.raises(MemoryError, match="device='cpu'"):
        ease_weights(np.eye(50), 1.0, device="cuda")
