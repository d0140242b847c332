"""Steps of a fit as a GPU makes them, here on the CPU, and on tensors of which nothing is known."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array, random_array

from skrec._loss._likelihoods import CrossEntropy, Gaussian, Logistic, Multinomial
from skrec._loss._scattered import scattered
from skrec._torch import _estimator, _layers
from skrec._torch._layers import SparseLinear, dropped, standard_normal, unit_length
from skrec._torch._place import noise_generator
from skrec._torch._products import by_column, row_sums
from skrec._torch._rows import DeviceRows, HostRows, ShuffledRows, training_rows
from skrec._torch._sampling import sampled_outputs, with_negatives
from skrec.autoencoder import CDAE, GaussianMixtureVAE, MultDAE, MultVAE, RecVAE, StackedAutoencoder
from skrec.datasets import make_interactions
from skrec.utils import _device
from skrec.utils._state_torch import products_in

AS_TORCH_2_9 = pytest.mark.skipif(
    not hasattr(torch.backends.cuda.matmul, "fp32_precision"), reason="needs torch 2.9"
)
FEW = {"batch_size": 20, "max_iter": 2, "early_stopping": False, "random_state": 0}
SMALL = {"hidden_layer_sizes": (6,), **FEW}
CASES = {
    "MultVAE": MultVAE(3, **SMALL),
    "MultVAE gaussian": MultVAE(3, likelihood="gaussian", **SMALL),
    "MultVAE logistic": MultVAE(3, likelihood="logistic", **SMALL),
    "MultVAE vamp": MultVAE(3, prior="vamp", n_prior_components=4, **SMALL),
    "MultVAE mixture": MultVAE(3, n_posterior_components=2, **SMALL),
    "MultVAE mmd": MultVAE(3, divergence="mmd", **SMALL),
    "MultDAE": MultDAE(**SMALL),
    "MultDAE linear": MultDAE(**{**SMALL, "hidden_layer_sizes": (4,), "activation": "identity"}),
    "RecVAE": RecVAE(3, **SMALL),
    "CDAE": CDAE(3, normalize=False, **FEW),
    "CDAE normalised": CDAE(3, normalize=True, dropout=0.5, **FEW),
    "GaussianMixtureVAE": GaussianMixtureVAE(2, n_components=3, **SMALL),
}


@pytest.fixture(scope="module")
def X():
    X = make_interactions(70, 40, 900, random_state=0, dtype=np.float32, return_X=True)
    X = X.toarray()
    X[5], X[6] = 1, 0  # a row that has every item, an empty one
    return csr_array(X)


@pytest.fixture
def apart(monkeypatch):
    """The CPU is computed on as a GPU is."""
    return lambda: monkeypatch.setattr(_device, "apart", lambda device: True)


def fitted(model, X):
    model = model.set_params(device="cpu").fit(X)
    return model, {**model.weights_, "loss": np.array(model.loss_curve_)}


@pytest.mark.parametrize("name", CASES)
def test_the_fit_is_the_same(name, X, apart):
    model = CASES[name]
    if "CDAE" in name:  # a row that has every item has draws there, for nothing
        X = X[np.diff(X.indptr) < 40]
    _, expected = fitted(model, X)
    apart()
    _, found = fitted(model, X)
    assert found.keys() == expected.keys()
    for key, value in found.items():
        # Adam divides by the size of a gradient, of which next to nothing is left.
        np.testing.assert_allclose(value, expected[key], rtol=1e-3, atol=2e-5, err_msg=key)


@pytest.mark.parametrize("name", ["MultVAE", "MultDAE", "RecVAE", "GaussianMixtureVAE"])
def test_half_the_width_learns_the_same(name, X, apart):
    model = CASES[name]
    _, exact = fitted(model, X)
    apart()
    _, rough = fitted(model.set_params(precision="bfloat16"), X)
    model.set_params(precision="float32")
    np.testing.assert_allclose(rough["loss"], exact["loss"], rtol=0.02)
    assert any((rough[key] != exact[key]).any() for key in exact)


@pytest.mark.parametrize("name", CASES)
def test_no_step_asks_the_device_for_anything(name, X, monkeypatch):
    """A tensor without data raises where the host would wait, and where two devices would mix."""
    meta = torch.device("meta")
    monkeypatch.setattr(_estimator, "resolve_device", lambda device: meta)
    monkeypatch.setattr(torch, "autocast", lambda device_type, **options: nullcontext())
    model = CASES[name]
    X = model._start_fit(X)
    problem, _ = model._prepare(X, None, None, False)
    module = model._first_module(problem, False).to(meta)
    batches = model._batches(problem)
    model._plan(problem, len(batches), len(batches))
    steps = 0
    for step, batch in enumerate(batches):
        value = model._loss(module, batch, step, problem.noise)
        value = value[0] if isinstance(value, tuple) else value
        value.backward()
        steps += 1
    assert steps == len(batches) > 1
    assert value.device == meta
    assert any(p.grad is not None for p in module.parameters())


@pytest.mark.parametrize(
    "model", [Multinomial(), Gaussian(3.0), Logistic(), CrossEntropy()], ids=lambda m: str(m)
)
def test_likelihoods_of_dense_rows(model):
    rng = np.random.default_rng(0)
    X = csr_array(random_array((7, 12), density=0.4, random_state=rng))
    rows = DeviceRows(X, "cpu", dtype=torch.float64).everything()
    outputs = torch.from_numpy(rng.normal(size=(7, 12)))
    weight, found = torch.from_numpy(rng.random(7)), []
    for loss in (
        lambda out: model.negative_log(out, rows),
        lambda out: model.of_dense(out, scattered(rows, rows.value, 12)),
    ):
        out = outputs.clone().requires_grad_()
        losses = loss(out)
        (slope,) = torch.autograd.grad((weight * losses).sum(), out)
        found.append((losses.detach(), slope))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_scattered_rows_are_the_matrix(X):
    rows = DeviceRows(X, "cpu").everything()
    np.testing.assert_array_equal(scattered(rows, rows.value, 40).numpy(), X.toarray())


def test_the_first_layer_reads_dense_rows(X, apart, monkeypatch):
    layer = SparseLinear(40, 5)
    for k, parameter in enumerate((layer.weight, layer.bias)):
        torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(k))
    rows, found = DeviceRows(X, "cpu").everything(), []
    for _ in range(2):
        layer.zero_grad()
        out = layer(rows, rows.value)
        out.square().sum().backward()
        found.append((out.detach(), layer.weight.grad, layer.bias.grad))
        apart()
        monkeypatch.setattr(_layers, "sparse_product", None)
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_entries_by_column(X, apart):
    rows = DeviceRows(X, "cpu").everything()
    expected = by_column(rows, 40)
    apart()
    for one, other in zip(by_column(rows, 40), expected, strict=True):
        assert torch.equal(one, other)


def test_negatives(X, apart):
    rows = DeviceRows(X, "cpu")[torch.arange(20)]
    others = DeviceRows(X, "cpu")[torch.tensor([k for k in range(20) if k != 5])]
    expected = with_negatives(others, 40, 3, torch.Generator().manual_seed(1))
    apart()
    found = with_negatives(others, 40, 3, torch.Generator().manual_seed(1))
    for one, other in zip(found[:-1], expected[:-1], strict=True):
        assert torch.equal(one, other)
    assert expected.weight is None
    assert (found.weight == 1).all()
    # A row that has every item has draws without weight; others have what they have without it.
    found = with_negatives(rows, 40, 3, torch.Generator().manual_seed(1))
    is_full = found.row == 5
    assert len(found.row) == 4 * len(rows.row)
    assert found.target[is_full].sum() == 40
    assert torch.equal(found.weight[is_full], found.target[is_full])
    assert (found.weight[~is_full] == 1).all()
    dense, negative = torch.from_numpy(X.toarray()), (found.target == 0) & ~is_full
    assert (dense[found.row[negative], found.column[negative]] == 0).all()
    assert int(found.column.max()) < 40


def test_outputs_at_entries_and_their_gradients(X, apart):
    rows = DeviceRows(X, "cpu").everything()
    draw = torch.Generator().manual_seed(0)
    tensors, found = [torch.randn(n, 3, generator=draw) for n in (70, 40)], []
    tensors.append(torch.randn(40, generator=draw))
    for _ in range(2):
        some = [part.clone().requires_grad_() for part in tensors]
        out = sampled_outputs(rows, *some)
        found.append((out.detach(), *torch.autograd.grad(out.square().sum(), some)))
        apart()
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("weighted", [False, True])
def test_rows_of_the_host_are_those_of_the_device(X, apart, weighted):
    weight = np.random.default_rng(0).random(70) if weighted else None
    apart()
    batches = [
        list(ShuffledRows(make(X, "cpu", weight=weight), 16, torch.Generator().manual_seed(3)))
        for make in (DeviceRows, HostRows)
    ]
    for one, other in zip(*batches, strict=True):
        for part, expected in zip(one, other, strict=True):
            assert torch.equal(part, expected)
        torch.testing.assert_close(one.unit, unit_length(one._replace(unit=None)))


def test_rows_stay_with_the_host_where_the_device_has_no_room(X, monkeypatch):
    from skrec._torch import _rows

    gpu, free = torch.device("cuda"), 4 * (16 * X.nnz + 12 * X.shape[0])
    monkeypatch.setattr(_rows, "DeviceRows", lambda X, device, weight: "device")
    for n_bytes, expected in ((free, str), (free - 4, HostRows)):
        monkeypatch.setattr(_rows, "_free_bytes", lambda device, n=n_bytes: n)
        assert type(training_rows(X, gpu)) is expected
    assert training_rows(X, torch.device("cpu")) == "device"


def test_free_memory_counts_what_torch_keeps(monkeypatch):
    from skrec._torch import _rows

    found = {"memory_reserved": 50, "memory_allocated": 20, "mem_get_info": (100, 200)}
    for name, value in found.items():
        monkeypatch.setattr(torch.cuda, name, lambda index, value=value: value)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    assert (
        _rows._free_bytes(torch.device("cuda")) == _rows._free_bytes(torch.device("cuda:1")) == 130
    )


def test_sums_of_rows_are_those_of_scipy(X):
    matrix = X.astype(np.float64)
    matrix.data[:] = np.random.default_rng(0).random(X.nnz)
    rows = DeviceRows(matrix, torch.device("cpu"), dtype=torch.float64).everything()
    np.testing.assert_allclose(row_sums(rows).numpy(), matrix.sum(axis=1), rtol=1e-12)


def test_noise_is_drawn_where_the_generator_is():
    generator = torch.Generator().manual_seed(0)
    assert noise_generator(generator, torch.device("cpu")) is generator
    value = torch.ones(4000)
    kept = dropped(value, 0.25, generator)
    assert set(kept.unique().tolist()) == {0.0, np.float32(4 / 3)}
    assert float(kept.mean()) == pytest.approx(1, abs=0.05)
    assert dropped(value.to("meta"), 0.25, generator).device.type == "meta"
    assert standard_normal((3, 2), value.to("meta"), generator).device.type == "meta"


@AS_TORCH_2_9
def test_tf32_is_set_for_the_fit_alone():
    backend = torch.backends.cuda.matmul
    found = backend.fp32_precision
    with products_in("float32"):
        assert backend.fp32_precision == found
    with products_in("tf32"):
        assert backend.fp32_precision == "tf32"
        with products_in("tf32"):
            pass
        assert backend.fp32_precision == "tf32"
    assert backend.fp32_precision == found


@AS_TORCH_2_9
@pytest.mark.parametrize("model", [MultDAE(**SMALL), StackedAutoencoder((4,), max_iter=1)])
def test_tf32_on_a_cpu_is_float32(model, X):
    model.set_params(device="cpu", random_state=0)
    _, expected = fitted(model, X)
    seen, backend = [], torch.backends.cuda.matmul
    loss = type(model)._loss

    class Watched(type(model)):
        def _loss(self, *arguments):
            seen.append(backend.fp32_precision)
            return loss(self, *arguments)

    _, found = fitted(Watched(**{**model.get_params(), "precision": "tf32"}), X)
    assert set(seen) == {"tf32"}
    for key, value in found.items():
        np.testing.assert_array_equal(value, expected[key])


@pytest.mark.cuda
@pytest.mark.parametrize("name", CASES)
def test_cuda_draws_by_the_seed(name, X):
    model = CASES[name].set_params(device="cuda")
    first, second = (dict(model.fit(X).weights_) for _ in range(2))
    other = dict(model.set_params(random_state=1).fit(X).weights_)
    model.set_params(random_state=0, device="cpu")
    for key, value in first.items():
        np.testing.assert_array_equal(value, second[key], err_msg=key)
    assert any((other[key] != value).any() for key, value in first.items())
    here = torch.Generator().manual_seed(0)
    there = noise_generator(here, torch.device("cuda"))
    assert there.device.type == "cuda"
    assert dropped(torch.ones(9, device="cuda"), 0.5, there).is_cuda


@pytest.mark.cuda
def test_a_step_on_cuda_waits_for_nothing(X):
    """torch itself raises where the host would wait."""
    model = CASES["MultVAE"].set_params(device="cuda")
    matrix = model._start_fit(X)
    problem, _ = model._prepare(matrix, None, None, False)
    module = model._first_module(problem, False).to(problem.device)
    batches, optimizer = model._batches(problem), model._optimizer(module)
    model._plan(problem, len(batches), len(batches))
    try:
        for step, batch in enumerate(batches):
            optimizer.zero_grad()
            model._loss(module, batch, step, problem.noise)[0].backward()
            optimizer.step()
            torch.cuda.set_sync_debug_mode("error")  # the first step brings libraries up
    finally:
        torch.cuda.set_sync_debug_mode("default")
    model.set_params(device="cpu")
