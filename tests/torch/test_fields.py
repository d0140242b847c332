"""Sums by field in one pass, beside the products of dense matrices."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from skrec._torch import _field_kernels
from skrec._torch._fields import _entries, field_sums
from skrec._torch._rows import DeviceRows

FIELD = torch.tensor([0, 0, 0, 1, 1, 2, 3, 3, 3, 3])


def problem(dtype, width, n_outputs, seed=0):
    """Rows, of which some are empty, and weights of their columns."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(17, len(FIELD))) * (rng.random((17, len(FIELD))) < 0.4)
    X[[0, 16]] = 0
    rows = DeviceRows(csr_array(X), "cpu", dtype=dtype).everything()
    linear, vectors = (
        torch.tensor(rng.normal(size=(len(FIELD), n)), dtype=dtype, requires_grad=True)
        for n in (n_outputs, width)
    )
    return torch.tensor(X, dtype=dtype), rows, linear, vectors


def dense(X, linear, vectors, pairs):
    """The same by matrices, pair by pair."""
    member = torch.nn.functional.one_hot(FIELD, 4).to(X.dtype)
    sums = torch.einsum("nj,jf,jc->nfc", X, member, vectors)
    out = X @ linear
    if pairs:
        parts = sums.view(len(X), 4, linear.shape[1], -1)
        for f in range(4):
            for g in range(f + 1, 4):
                out = out + (parts[:, f] * parts[:, g]).sum(2)
    return out, sums


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("n_outputs", "pairs"), [(1, True), (1, False), (3, True), (3, False)])
def test_values_and_gradients_are_those_of_matrices(dtype, n_outputs, pairs):
    X, rows, linear, vectors = problem(dtype, 6, n_outputs)
    found = field_sums(rows, FIELD, 4, linear, vectors, pairs=pairs)
    slopes = [torch.randn(part.shape, dtype=dtype) for part in found]
    torch.autograd.backward(found, slopes)
    gradients = [part.grad.clone() for part in (linear, vectors)]
    linear.grad = vectors.grad = None
    expected = dense(X, linear, vectors, pairs)
    torch.autograd.backward(expected, slopes)
    close = {"rtol": 1e-4, "atol": 1e-5} if dtype == torch.float32 else {}
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, **close)
    for one, part in zip(gradients, (linear, vectors), strict=True):
        torch.testing.assert_close(one, part.grad, **close)


@pytest.mark.parametrize("pairs", [True, False])
def test_gradients_are_those_of_finite_differences(pairs):
    _, rows, linear, vectors = problem(torch.float64, 4, 2)

    def outputs(linear, vectors):
        return field_sums(rows, FIELD, 4, linear, vectors, pairs=pairs)

    assert torch.autograd.gradcheck(outputs, (linear, vectors))


def test_the_sums_alone_may_have_a_gradient():
    _, rows, linear, vectors = problem(torch.float64, 4, 1)
    _, sums = field_sums(rows, FIELD, 4, linear, vectors, pairs=True)
    sums.sum().backward()
    assert (linear.grad == 0).all()
    assert (vectors.grad != 0).any()


def test_what_stood_in_the_memory_of_the_results_is_not_read():
    _, rows, linear, vectors = problem(torch.float64, 4, 2)
    first = torch.cat([rows.start, torch.tensor([len(rows.column)])])
    entries = _entries(first, rows.column, rows.value, FIELD)
    weights = [part.detach().numpy() for part in (linear, vectors)]
    found = np.full((17, 2), np.nan), np.full((17, 4, 4), np.nan)
    _field_kernels.add_fields(*entries, *weights, True, *found)
    expected = field_sums(rows, FIELD, 4, linear, vectors, pairs=True)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other.detach().numpy())
