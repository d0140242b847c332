"""ReLU and dropout in one pass: draws, gradients, and the same bits by torch on any device."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skrec._torch._dropout import bits_of, relu_dropped


def generator(seed=5):
    return torch.Generator().manual_seed(seed)


def by_torch(value, rate, seed, dtype):
    """The same from torch's parts."""
    bar = round(rate * 2**16)
    kept = bits_of(seed, value.shape, value.device) >= bar
    return value.clamp(min=0) * kept * torch.tensor(2**16 / (2**16 - bar), dtype=dtype)


@given(
    shape=st.sampled_from([(1,), (3, 5), (256,), (257,), (40, 13), (0, 4)]),
    rate=st.sampled_from([0.01, 0.2, 0.5, 0.99]),
    seed=st.integers(0, 2**40),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_the_kernel_is_what_torch_makes_of_the_same_bits(shape, rate, seed, dtype):
    value = torch.randn(shape, dtype=dtype, generator=generator(seed))
    word = int(torch.randint(2**63 - 1, (), generator=generator(seed + 1)))
    twin = value.clone().requires_grad_(True)
    expected = by_torch(twin, rate, word, dtype)
    value.requires_grad_(True)
    found = relu_dropped(value * 1, rate, generator(seed + 1))
    assert torch.equal(found, expected)
    slope = torch.randn(shape, dtype=dtype, generator=generator(seed + 2))
    found.backward(slope)
    expected.backward(slope)
    torch.testing.assert_close(value.grad, twin.grad)


def test_bits_are_those_of_splitmix64():
    def words(seed, n):
        mask = 2**64 - 1
        for k in range(1, n + 1):
            z = (seed + k * 0x9E3779B97F4A7C15) & mask
            z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
            z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
            yield z ^ (z >> 31)

    expected = [word >> 16 * lane & 0xFFFF for word in words(2**62 + 3, 5) for lane in range(4)]
    assert bits_of(2**62 + 3, (19,), "cpu").tolist() == expected[:19]


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_the_share_and_the_mean_are_right_and_columns_differ(rate):
    value = torch.full((500, 400), 2.0)
    out = relu_dropped(value.clone(), rate, generator())
    error = 5 * (rate * (1 - rate) / out.numel()) ** 0.5
    assert abs(float((out == 0).float().mean()) - rate) < error
    assert abs(float(out.mean()) - 2) < 2 * error / (1 - rate)
    by_row, by_column = ((out == 0).float().mean(axis) for axis in (1, 0))
    for shares, n in ((by_row, 400), (by_column, 500)):
        spread = float(shares.std()) / (rate * (1 - rate) / n) ** 0.5
        assert 0.85 < spread < 1.15  # as of independent draws
    assert torch.equal(out, relu_dropped(value.clone(), rate, generator()))
    assert not torch.equal(out, relu_dropped(value.clone(), rate, generator(6)))


def test_it_draws_from_its_generator_only():
    state = torch.get_rng_state()
    relu_dropped(torch.ones(9), 0.5, generator())
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_without_a_generator_it_is_relu(rate):
    value = torch.tensor([-1.0, 0.0, 2.0])
    assert relu_dropped(value, rate, None).tolist() == [0, 0, 2]
    assert relu_dropped(value, 0.0, generator()).tolist() == [0, 0, 2]


def test_what_is_not_a_number_stays_so():
    value = torch.full((1000,), torch.nan)
    assert 0.7 < float(relu_dropped(value.clone(), 0.2, generator()).isnan().float().mean()) < 0.9
    value[:] = torch.inf
    assert set(relu_dropped(value, 0.2, generator()).tolist()) == {0.0, np.inf}


def test_views_that_are_not_contiguous():
    value = torch.randn(6, 4, dtype=torch.float64, generator=generator())
    found, expected = (
        relu_dropped(part, 0.4, generator()) for part in (value.t(), value.t().contiguous())
    )
    assert torch.equal(found, expected)


def test_the_result_is_written_over_what_came_in_and_a_leaf_is_refused():
    value = torch.randn(6, 4, generator=generator())
    assert relu_dropped(value, 0.4, generator()).data_ptr() == value.data_ptr()
    with pytest.raises(RuntimeError, match="leaf"):
        relu_dropped(value.requires_grad_(True), 0.4, generator())


@pytest.mark.cuda
def test_cuda_draws_the_same():
    value = torch.randn(300, 70, generator=generator())
    found = relu_dropped(value.cuda(), 0.2, generator()).cpu()
    torch.testing.assert_close(found, relu_dropped(value, 0.2, generator()))
