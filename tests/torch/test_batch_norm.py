"""Batch normalisation beside torch's own, and the batch of one row."""

import torch

from skrec._torch._batch_norm import BatchNorm


def norms(size=5):
    ours, theirs = BatchNorm(size), torch.nn.BatchNorm1d(size)
    ours.reset()
    return ours.double(), theirs.double()


def test_it_is_torchs():
    ours, theirs = norms()
    draws = torch.Generator().manual_seed(0)
    for _ in range(4):
        rows = 3 + 2 * torch.randn(9, 5, dtype=torch.float64, generator=draws)
        torch.testing.assert_close(ours(rows), theirs(rows))
    ours.eval()
    theirs.eval()
    torch.testing.assert_close(ours(rows), theirs(rows))
    torch.testing.assert_close(ours.variance, theirs.running_var)


def test_a_batch_of_one_row_is_scored_by_what_is_known():
    ours, _ = norms()
    rows = torch.arange(20.0, dtype=torch.float64).view(4, 5)
    ours(rows)
    state = {name: value.clone() for name, value in ours.state_dict().items()}
    found = ours(rows[:1])
    assert all(torch.equal(value, state[name]) for name, value in ours.state_dict().items())
    assert torch.equal(found, ours.eval()(rows[:1]))


def test_the_state_is_of_floats():
    ours, _ = norms()
    assert set(ours.state_dict()) == {"weight", "bias", "mean", "variance"}
    assert all(value.is_floating_point() for value in ours.state_dict().values())
