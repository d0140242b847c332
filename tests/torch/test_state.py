"""What the caller has set in torch changes neither a fit nor a score, and stays as it was."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.base import clone
from torch import nn

from skrec._torch._estimator import TorchRecommender
from skrec._torch._layers import initialise
from skrec.autoencoder import MultDAE, MultVAE
from skrec.ensemble import LOCA
from skrec.linear_model import SLIM
from skrec.linear_model._inverse import _torch_negative_inverse
from skrec.utils import all_recommenders
from skrec.utils._state_torch import torch_state
from skrec.utils._wmf_torch import TorchHalfStep
from tests.instances import small
from tests.test_common import VARIANTS

X = (np.random.default_rng(0).random((60, 24)) < 0.3) * 1.0
X[:, 20:] *= np.random.default_rng(1).integers(1, 5, (60, 4))
NEW = (np.random.default_rng(2).random((5, 24)) < 0.3) * 1.0


@contextmanager
def _set_for_a_block(setter, value, before):
    setter(value)
    try:
        yield
    finally:
        setter(before)


def _default_dtype(dtype):
    return lambda: _set_for_a_block(torch.set_default_dtype, dtype, torch.float32)


def _default_device():
    return _set_for_a_block(torch.set_default_device, "meta", None)


def _flushed():
    return _set_for_a_block(torch.set_flush_denormal, True, False)


def _precision(name):
    return lambda: _set_for_a_block(torch.set_float32_matmul_precision, name, "highest")


def _deterministic():
    return _set_for_a_block(torch.use_deterministic_algorithms, True, False)


def _swapping():
    setter = torch.__future__.set_swap_module_params_on_conversion
    return _set_for_a_block(setter, True, False)


@contextmanager
def _all():
    with ExitStack() as stack:
        for name in ("float64", "meta by default", "autocast", "flushed", "inference mode"):
            stack.enter_context(STATES[name]())
        yield


STATES = {
    "float64": _default_dtype(torch.float64),
    "float16": _default_dtype(torch.float16),
    "bfloat16": _default_dtype(torch.bfloat16),
    "meta by default": _default_device,
    "meta in a block": lambda: torch.device("meta"),
    "no_grad": torch.no_grad,
    "grad off": lambda: _set_for_a_block(torch.set_grad_enabled, False, True),
    "inference mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "autocast float16": lambda: torch.autocast("cpu", dtype=torch.float16),
    "autocast off": lambda: torch.autocast("cpu", enabled=False),
    "anomaly": torch.autograd.detect_anomaly,
    "deterministic": _deterministic,
    "flushed": _flushed,
    "medium": _precision("medium"),
    "swapped": _swapping,
    "all": _all,
}


CLASSES = [cls for _, cls in all_recommenders() if issubclass(cls, TorchRecommender)]
ESTIMATORS = {
    **{cls.__name__: lambda cls=cls: small(cls) for cls in CLASSES},
    "SLIM admm": lambda: SLIM(solver="admm", max_iter=10),
    "MultDAE bfloat16": lambda: small(MultDAE).set_params(precision="bfloat16"),
    "LOCA over MultVAE": lambda: LOCA(
        MultVAE(3, hidden_layer_sizes=(8,), max_iter=2, device="cpu"), n_estimators=2,
        random_state=0, n_jobs=2,
    ),
}  # fmt: skip


def _runs_torch(model):
    inner = [getattr(model, name, None) for name in ("estimator", "fallback")]
    return isinstance(model, TorchRecommender) or any(map(_runs_torch, filter(None, inner)))


OF_PARAMETERS = {" ".join(str(model).split()): model for model in VARIANTS if _runs_torch(model)}


def _prepared(name):
    model = ESTIMATORS[name]() if name in ESTIMATORS else clone(OF_PARAMETERS[name])
    names = model.get_params(deep=False)
    given = {"device": "cpu", "random_state": 0, "early_stopping": True, "max_iter": 3}
    return model.set_params(**{key: given[key] for key in given if key in names})


def _results(model, X):
    """All that a model says of some rows."""
    yield model.decision_function(X)
    yield model.recommend(X, 3)
    yield model.score_pairs(X, np.arange(len(X)), np.arange(len(X)) % X.shape[1])
    yield model.decision_function(X.astype(np.float32))
    for name in ("transform", "predict_proba"):
        if hasattr(model, name):
            yield getattr(model, name)(X)


def _all_results(model):
    return [*_results(model, X), *_results(model, NEW)]


def _settings():
    """What a caller can set, to see that it stays."""
    return (
        torch.get_default_dtype(), torch.get_default_device(), torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu"),
        torch.get_autocast_dtype("cpu"), torch.is_autocast_cache_enabled(),
        torch.is_anomaly_enabled(), torch.are_deterministic_algorithms_enabled(),
        torch.get_float32_matmul_precision(), torch.get_num_threads(),
        float(np.float64(5e-324) * np.float64(1.0)),
        torch.random.get_rng_state().tolist(),
    )  # fmt: skip


_EXPECTED = {}


def _expected(name):
    if name not in _EXPECTED:
        fitted = _prepared(name).fit(X)
        _EXPECTED[name] = fitted, _all_results(fitted)
    return _EXPECTED[name]


# "all" and "float16" change the bits of any code that reads a setting; one model of each way to
# fit goes through every state, the others' are among the slow tests.
_OF_EACH_WAY = ("MultVAE", "GMF", "LightGCN", "VBPR", "SLIM admm", "LOCA over MultVAE")


def _pairs():
    for name in ESTIMATORS:
        for state in STATES:
            quick = state in ("all", "float16") or (name in _OF_EACH_WAY and state != "anomaly")
            yield pytest.param(name, state, marks=() if quick else pytest.mark.slow)


@pytest.mark.filterwarnings("ignore:Anomaly Detection", "ignore:.*TF32", "ignore:.*converge")
@pytest.mark.parametrize(("name", "state"), list(_pairs()))
def test_same_bits(name, state):
    _check_same_bits(name, state)


@pytest.mark.parametrize("state", ["all", pytest.param("float16", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", OF_PARAMETERS)
def test_same_bits_for_other_parameters(name, state):
    _check_same_bits(name, state)


def _check_same_bits(name, state):
    fitted, expected = _expected(name)
    model = _prepared(name)
    with STATES[state]():
        before = _settings()
        model.fit(X)
        of_fit = _all_results(model)
        of_score = _all_results(fitted)
        assert _settings() == before
    for found in (of_fit, of_score):
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype


@pytest.mark.parametrize("state", STATES)
@pytest.mark.filterwarnings("ignore:Anomaly Detection")
def test_products_of_models_that_are_not_neural(state):
    """EASE on a device, and WMF: their torch code, which the CPU runs for no other reason."""
    matrix = X.T @ X + 5 * np.eye(X.shape[1])
    sparse = csr_array(X)
    factors = np.random.default_rng(0).random((X.shape[1], 4), dtype=np.float32)

    def compute():
        inverse = matrix.copy()
        _torch_negative_inverse(inverse, torch.device("cpu"))
        step = TorchHalfStep(
            sparse, np.ones(len(X)), np.ones(X.shape[1]), confidence=2.0, unobserved_weight=1.0,
            device=torch.device("cpu"),
        )  # fmt: skip
        out = np.ones((len(X), 4), dtype=np.float32)
        loss = step.solve(factors, factors.T @ factors, out)
        return inverse, out, loss

    expected = compute()
    with STATES[state]():
        for one, other in zip(compute(), expected, strict=True):
            np.testing.assert_array_equal(one, other)


class _Plain(TorchRecommender):
    """A model of somebody's own, who writes torch as one does."""

    _parameter_rules = {}
    learning_rate, batch_size, max_iter, warm_start, verbose = 0.01, 16, 2, False, False
    early_stopping, device = False, "cpu"

    def __init__(self, random_state=0):
        self.random_state = random_state

    def _build_module(self, shape, problem=None):
        module = nn.ModuleDict({"one": nn.Linear(shape[1], 4), "two": nn.Linear(4, shape[1])})
        module.shift = nn.Parameter(torch.full((shape[1],), 0.1) + torch.zeros(shape[1]))
        if problem is not None:
            initialise(module, problem.generator)
            self.seen_ = torch.get_default_device().type, torch.is_grad_enabled()
        return module

    def _score(self, module, rows):
        dense = torch.zeros(rows.n_rows, self.n_features_in_, dtype=rows.value.dtype)
        dense[rows.row, rows.column] = rows.value
        return module["two"](module["one"](dense)) + module.shift

    def _loss(self, module, batch, step, generator):
        noise = torch.rand(batch.n_rows, self.n_features_in_, generator=generator)
        return (self._score(module, batch) - noise).square().mean()


@pytest.mark.parametrize("state", STATES)
@pytest.mark.filterwarnings("ignore:Anomaly Detection")
def test_own_model(state):
    expected = _Plain().fit(X).decision_function(X)
    with STATES[state]():
        model = _Plain().fit(X)
        np.testing.assert_array_equal(model.decision_function(X), expected)
    assert model.seen_ == ("cpu", True)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_threads_that_fit_at_once(dtype):
    """The default type is one of the process: none of them may set it for the others."""
    names = ["MultDAE", "MultVAE", "GaussianMixtureVAE", "GMF", "VBPR", "CDAE"]
    expected = [_expected(name)[1][0] for name in names]
    seen, done = set(), threading.Event()

    def watch():
        while not done.is_set():
            seen.add(torch.get_default_dtype())

    with _default_dtype(dtype)(), ThreadPoolExecutor(len(names) + 1) as pool:
        watching = pool.submit(watch)
        found = list(pool.map(lambda name: _prepared(name).fit(X).decision_function(X), names))
        done.set()
        watching.result()
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert seen == {dtype}


def test_products_of_threads_are_exact_until_the_last_has_ended():
    inside, leave = threading.Barrier(3), threading.Event()

    def work():
        with torch_state():
            inside.wait()
            leave.wait()

    matmul = torch.backends.mkldnn.matmul
    with _precision("medium")():
        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        inside.wait()
        assert matmul.fp32_precision == "ieee"
        with torch_state():
            pass
        assert matmul.fp32_precision == "ieee"
        leave.set()
        for thread in threads:
            thread.join()
        assert matmul.fp32_precision == "bf16"


def test_state_is_restored_after_an_error():
    def fail():
        with torch_state():
            seen.append(torch.zeros(1))
            raise ValueError("within")

    seen = []
    with STATES["all"](), STATES["medium"]():
        before = _settings()
        with pytest.raises(ValueError, match="within"):
            fail()
        assert _settings() == before
    assert seen[0].dtype == torch.float32
    assert seen[0].device.type == "cpu"
