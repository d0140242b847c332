"""Divergences: values against NumPy twins and SciPy, gradients against finite differences."""

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import norm

from skrec._loss import _divergences as divergences


def draws(*shapes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_(True)
        for shape in shapes
    ]


def array(tensor):
    return tensor.detach().numpy()


def kl_twin(m, lv, n, lw):
    v, w = np.exp(lv), np.exp(lw)
    return np.sum(np.log(np.sqrt(w / v)) + (v + (m - n) ** 2) / (2 * w) - 0.5, axis=-1)


def mmd_twin(a, b, scale, weight):
    def kernel(x, y):
        return scale / (scale + np.sum((x - y) ** 2))

    n, m = len(a), len(b)
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j]
    within = np.average(
        [kernel(a[i], a[j]) for i, j in pairs], weights=[weight[i] * weight[j] for i, j in pairs]
    )
    drawn = np.mean([kernel(b[i], b[j]) for i in range(m) for j in range(m) if i != j])
    cross = np.average([np.mean([kernel(x, y) for y in b]) for x in a], weights=weight)
    return within + drawn - 2 * cross


def test_closed_forms():
    mean, log_variance, other, other_log_variance = draws(*[(6, 3)] * 4)
    zero = np.zeros((6, 3))
    m, lv = array(mean), array(log_variance)
    np.testing.assert_allclose(
        array(divergences.kl_to_standard_normal(mean, log_variance)), kl_twin(m, lv, zero, zero)
    )
    np.testing.assert_allclose(
        array(divergences.kl_to_unit_variance(log_variance)), kl_twin(m, lv, m, zero)
    )
    np.testing.assert_allclose(
        array(divergences.kl_between_normals(mean, log_variance, other, other_log_variance)),
        kl_twin(m, lv, array(other), array(other_log_variance)),
    )
    np.testing.assert_allclose(
        array(divergences.log_normal(other, mean, log_variance)),
        norm(m, np.exp(lv / 2)).logpdf(array(other)).sum(axis=1),
    )


def test_log_density_of_a_mixture():
    points, logit, mean, log_variance = draws((6, 3), (4,), (4, 3), (4, 3))
    log_weight = torch.log_softmax(logit, 0)
    parts = norm(array(mean), np.exp(array(log_variance) / 2)).logpdf(array(points)[:, None])
    known = logsumexp(array(log_weight) + parts.sum(axis=2), axis=1)
    found = divergences.log_mixture(points, log_weight, mean, log_variance)
    np.testing.assert_allclose(array(found), known)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        lower = divergences.log_mixture(points, log_weight, mean, log_variance)
    np.testing.assert_array_equal(array(lower), array(found))


@pytest.mark.parametrize("weighted", [False, True])
def test_mmd(weighted):
    points, others = draws((6, 3), (5, 3))
    weight = torch.tensor([0.5, 2, 1, 0, 3, 1], dtype=torch.float64) if weighted else None
    found = divergences.maximum_mean_discrepancy(points, others, 6.0, weight)
    known = mmd_twin(array(points), array(others), 6.0, array(weight) if weighted else np.ones(6))
    assert found.item() == pytest.approx(known, rel=1e-12)


def test_mmd_weights_are_counts_up_to_the_pairs_of_one_point():
    points, others = draws((6, 3), (5, 3))
    whole = divergences.maximum_mean_discrepancy(points[:4], others, 6.0)
    left_out = torch.tensor([1.0, 1, 1, 1, 0, 0], dtype=torch.float64)
    found = divergences.maximum_mean_discrepancy(points, others, 6.0, left_out)
    assert found.item() == pytest.approx(whole.item(), rel=1e-12)


def test_mmd_has_no_bias():
    """Two samples of one distribution: the mean over many is 0, so some are negative."""
    found = np.array([
        divergences.maximum_mean_discrepancy(*draws((10, 2), (10, 2), seed=seed), 4.0).item()
        for seed in range(400)
    ])  # fmt: skip
    assert abs(found.mean()) < 3 * found.std(ddof=1) / 20
    assert found.min() < 0
    points, others = draws((200, 2), (200, 2))
    assert divergences.maximum_mean_discrepancy(points + 1, others, 4.0) > 10 * found.std() / 20


def test_mmd_of_one_point():
    point, others = draws((1, 3), (5, 3))
    found = divergences.maximum_mean_discrepancy(point, others, 6.0)
    a, b = array(point), array(others)
    pairs = [6 / (6 + np.sum((b[i] - b[j]) ** 2)) for i in range(5) for j in range(5) if i != j]
    cross = np.mean(6 / (6 + np.sum((a - b) ** 2, axis=1)))
    assert found.item() == pytest.approx(np.mean(pairs) - 2 * cross)


@pytest.mark.parametrize(
    ("function", "shapes"),
    [
        (divergences.kl_to_standard_normal, [(4, 3)] * 2),
        (divergences.kl_to_unit_variance, [(4, 3)]),
        (divergences.kl_between_normals, [(4, 1, 3), (4, 1, 3), (4, 2, 3), (4, 2, 3)]),
        (divergences.log_normal, [(4, 3)] * 3),
        (divergences.log_mixture, [(4, 3), (2,), (2, 3), (2, 3)]),
        (lambda a, b: divergences.maximum_mean_discrepancy(a, b, 6.0), [(4, 3), (5, 3)]),
        (
            lambda a, b, w: divergences.maximum_mean_discrepancy(a, b, 6.0, w.exp()),
            [(4, 3), (5, 3), (4,)],
        ),
    ],
)
def test_gradients(function, shapes):
    assert torch.autograd.gradcheck(function, draws(*shapes))
