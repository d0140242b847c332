"""Batches of sparse rows, and the layer that reads them."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array, random_array

from skrec._torch._layers import SparseLinear, dropped, unit_length
from skrec._torch._rows import DeviceRows, ShuffledRows


def matrix(seed=0, shape=(11, 8)):
    rng = np.random.default_rng(seed)
    return csr_array(random_array(shape, density=0.3, random_state=rng, format="csr"))


def dense(rows, n_columns):
    out = np.zeros((rows.n_rows, n_columns))
    out[rows.row.numpy(), rows.column.numpy()] = rows.value.numpy()
    return out


@given(seed=st.integers(0, 1000), chosen=st.lists(st.integers(0, 10), max_size=20))
def test_slices_are_those_of_scipy(seed, chosen):
    X = matrix(seed)
    rows = DeviceRows(X, "cpu", dtype=torch.float64)[torch.tensor(chosen, dtype=torch.int64)]
    np.testing.assert_array_equal(dense(rows, 8), X.toarray()[chosen])
    assert rows.users.tolist() == chosen


def test_an_epoch_shows_each_row_once():
    X = matrix(shape=(25, 4))
    batches = ShuffledRows(DeviceRows(X, "cpu"), 10, torch.Generator().manual_seed(0))
    first, second = ([b.users.tolist() for b in batches] for _ in range(2))
    assert [len(users) for users in first] == [10, 10, 5] == [len(b) for b in second]
    assert len(batches) == 3
    assert sorted(user for users in first for user in users) == list(range(25))
    assert first != second


def test_weights_have_mean_one():
    weight = np.array([1.0, 0.0, 3.0, 4.0])
    rows = DeviceRows(matrix(shape=(4, 3)), "cpu", weight=weight).everything()
    np.testing.assert_allclose(rows.weight.numpy(), weight / 2)


def test_sparse_linear_is_linear():
    X = matrix(3)
    rows = DeviceRows(X, "cpu", dtype=torch.float64).everything()
    layer = SparseLinear(8, 5).double()
    torch.nn.init.normal_(layer.weight, generator=torch.Generator().manual_seed(0))
    torch.nn.init.normal_(layer.bias, generator=torch.Generator().manual_seed(1))
    out = layer(rows, rows.value)
    weight = layer.weight.detach().numpy()
    np.testing.assert_allclose(
        out.detach().numpy(), X.toarray() @ weight + layer.bias.detach().numpy(), atol=1e-12
    )
    out.square().sum().backward()
    slope = 2 * X.toarray().T @ out.detach().numpy()
    np.testing.assert_allclose(layer.weight.grad.numpy(), slope, atol=1e-12)


def test_unit_length():
    X = matrix(4)
    rows = DeviceRows(X, "cpu", dtype=torch.float64).everything()
    scaled = dense(rows._replace(value=unit_length(rows)), 8)
    norms = np.linalg.norm(scaled, axis=1)
    np.testing.assert_allclose(norms[np.diff(X.indptr) > 0], 1)


def test_dropout_draws_from_its_generator_only():
    value = torch.full((10_000,), 2.0)
    state = torch.get_rng_state()
    one, two = (dropped(value, 0.25, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(one, two)
    assert torch.equal(torch.get_rng_state(), state)
    assert set(one.unique().tolist()) == {0.0, np.float32(2 / 0.75)}
    assert abs(float((one == 0).float().mean()) - 0.25) < 0.02
    assert dropped(value, 0.25, None) is value
