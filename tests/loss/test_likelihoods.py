"""Likelihoods against NumPy twins: values and gradients."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from skrec._loss import _multinomial_layer
from skrec._loss._likelihoods import (
    CrossEntropy,
    Gaussian,
    Logistic,
    Multinomial,
    layer_loss,
    likelihood,
)
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


def test_cross_entropy_is_that_of_torch():
    x, f = data(2)
    x /= 3
    rows = DeviceRows(csr_array(x), "cpu", dtype=torch.float64).everything()
    found, expected = (torch.tensor(f, requires_grad=True) for _ in range(2))
    losses = CrossEntropy().negative_log(found, rows)
    target = torch.from_numpy(x)
    bce = torch.nn.functional.binary_cross_entropy_with_logits(expected, target, reduction="none")
    torch.testing.assert_close(losses, bce.sum(1))
    factor = torch.linspace(0.5, 2, len(x), dtype=torch.float64)
    (factor * losses).sum().backward()
    (factor[:, None] * bce).sum().backward()
    torch.testing.assert_close(found.grad, expected.grad)
    large = torch.tensor([[800.0, -800.0, 0.0]], requires_grad=True)
    ones = DeviceRows(csr_array(np.array([[1.0, 0.0, 0.5]])), "cpu").everything()
    CrossEntropy().negative_log(large, ones).sum().backward()
    assert torch.isfinite(large.grad).all()


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


@pytest.mark.parametrize("n_rows", [1, 2, 3, 100])
def test_the_layer_inside_the_multinomial_changes_nothing(n_rows, monkeypatch):
    """Blocks of some rows; value and gradients of the layer, and of what it reads."""
    monkeypatch.setattr(_multinomial_layer, "_BLOCK_BYTES", n_rows * 9 * 8)
    monkeypatch.setattr(_multinomial_layer, "_N_ITEMS", 2 * n_rows)
    rows = DeviceRows(csr_array(data(2)[0]), "cpu", dtype=torch.float64).everything()
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(7, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    layer = torch.nn.Linear(4, 9, dtype=torch.float64)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(0, 2, generator=generator)
    factor, found = torch.linspace(0.5, 2, 7, dtype=torch.float64), []
    inputs = [hidden, layer.weight, layer.bias]
    for losses in (
        layer_loss(Multinomial(), layer, hidden, rows),
        Multinomial().negative_log(layer(hidden), rows),
    ):
        found.append([losses, *torch.autograd.grad((factor * losses).sum(), inputs)])
    for ours, plain in zip(*found, strict=True):
        np.testing.assert_allclose(
            ours.detach().numpy(), plain.detach().numpy(), rtol=1e-10, atol=1e-12
        )


def test_the_layer_inside_the_multinomial_does_not_overflow():
    rows = DeviceRows(csr_array(np.array([[1.0, 0.0, 2.0]])), "cpu", dtype=torch.float64)
    rows = rows.everything()
    layer = torch.nn.Linear(1, 3, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1000.0], [-1000.0], [998.0]]))
        layer.bias.zero_()
    losses = layer_loss(Multinomial(), layer, torch.ones(1, 1, dtype=torch.float64), rows)
    losses.sum().backward()
    assert losses.item() == pytest.approx(3 * np.log(1 + np.exp(-2)) + 4, rel=1e-9)
    assert torch.isfinite(layer.weight.grad).all()
