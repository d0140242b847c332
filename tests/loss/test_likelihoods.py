"""Likelihoods against NumPy twins: values and gradients."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from skrec._loss._likelihoods import Gaussian, Logistic, Multinomial, likelihood
from skrec._torch._rows import DeviceRows


def data(seed=0):
    rng = np.random.default_rng(seed)
    dense = (rng.uniform(size=(7, 9)) < 0.4) * rng.integers(1, 4, size=(7, 9)).astype(float)
    dense[3] = 0  # a user without items
    return dense, rng.normal(size=dense.shape)


def multinomial(x, f):
    norm = np.log(np.exp(f).sum(axis=1, keepdims=True))
    value = -(x * (f - norm)).sum(axis=1)
    return value, x.sum(axis=1, keepdims=True) * np.exp(f - norm) - x


def gaussian(x, f):
    weight = 1 + 3.0 * (x > 0)
    return 0.5 * (weight * (x - f) ** 2).sum(axis=1), weight * (f - x)


def logistic(x, f):
    sigma, seen = 1 / (1 + np.exp(-f)), x > 0
    value = -np.where(seen, np.log(sigma), np.log(1 - sigma)).sum(axis=1)
    return value, sigma - seen


@pytest.mark.parametrize(
    ("law", "twin"),
    [(Multinomial(), multinomial), (Gaussian(3.0), gaussian), (Logistic(), logistic)],
    ids=["multinomial", "gaussian", "logistic"],
)
def test_value_and_gradient(law, twin):
    x, f = data()
    rows = DeviceRows(csr_array(x), "cpu", dtype=torch.float64).everything()
    outputs = torch.tensor(f, requires_grad=True)
    losses = law.negative_log(outputs, rows)
    value, gradient = twin(x, f)
    np.testing.assert_allclose(losses.detach().numpy(), value, rtol=1e-12, atol=1e-12)
    factor = torch.linspace(0.5, 2, len(x), dtype=torch.float64)
    (factor * losses).sum().backward()
    np.testing.assert_allclose(
        outputs.grad.numpy(), factor.numpy()[:, None] * gradient, rtol=1e-10, atol=1e-12
    )


def test_multinomial_passes_torchs_own_gradient_check():
    x, f = data(1)
    rows = DeviceRows(csr_array(x), "cpu", dtype=torch.float64).everything()
    outputs = torch.tensor(f, requires_grad=True)
    assert torch.autograd.gradcheck(lambda out: Multinomial().negative_log(out, rows), outputs)


def test_multinomial_does_not_overflow():
    x = csr_array(np.array([[1.0, 0.0, 2.0]]))
    rows = DeviceRows(x, "cpu", dtype=torch.float64).everything()
    outputs = torch.tensor([[1000.0, -1000.0, 998.0]], requires_grad=True, dtype=torch.float64)
    losses = Multinomial().negative_log(outputs, rows)
    losses.sum().backward()
    assert losses.item() == pytest.approx(3 * np.log(1 + np.exp(-2)) + 4, rel=1e-5)
    assert torch.isfinite(outputs.grad).all()


def test_names():
    assert likelihood("gaussian", 2.0) == Gaussian(2.0)
    assert isinstance(likelihood("multinomial", 2.0), Multinomial)
    assert isinstance(likelihood("logistic", 2.0), Logistic)
