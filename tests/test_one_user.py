"""What one list for one user may cost, in things that are counted and not timed."""

import sys
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import _compressed, csr_array

import skrec
from skrec._factors import factor_scores
from skrec._torch._layers import Linear
from skrec.autoencoder import CDAE, GaussianMixtureVAE, MultDAE, MultVAE, RecVAE
from skrec.datasets import make_interactions
from skrec.decomposition import BPR, WMF, PureSVD
from skrec.linear_model import EASE, SLIM
from skrec.metrics import evaluate
from skrec.neighbors import ItemKNN
from skrec.utils import _call, _validation
from skrec.utils._parallel import effective_n_threads

N_ITEMS = 40
DATA = make_interactions(n_users=80, n_items=N_ITEMS, random_state=0)
NETWORK = {"max_iter": 2, "random_state": 0, "device": "cpu"}
MODELS = {
    "EASE": EASE(),
    "EASE, one thread": EASE(n_jobs=1),
    "SLIM": SLIM(),
    "ItemKNN": ItemKNN(5),
    "ItemKNN, all threads": ItemKNN(5, n_jobs=-1),
    "WMF": WMF(4, max_iter=2, random_state=0),
    "PureSVD": PureSVD(4, random_state=0),
    "BPR": BPR(4, max_iter=2, random_state=0),
    "MultVAE": MultVAE(4, hidden_layer_sizes=(8,), **NETWORK),
    "MultDAE": MultDAE((8,), **NETWORK),
}

_OPENED = []
_WATCHES = [False]


def _note(event, arguments):
    if _WATCHES[0] and event == "open":
        _OPENED.append(arguments[0])


sys.addaudithook(_note)  # there is no way to take it off: it looks at the switch


@contextmanager
def opened_files():
    """The files that a block opens."""
    _OPENED.clear()
    _WATCHES[0] = True
    try:
        yield _OPENED
    finally:
        _WATCHES[0] = False


def counted(monkeypatch, owner, name):
    """Count the calls of a method or function."""
    calls, method = [], getattr(owner, name)

    def counting(*args, **kwargs):
        calls.append(name)
        return method(*args, **kwargs)

    monkeypatch.setattr(owner, name, counting)
    return calls


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", list(MODELS))
def test_one_list_for_one_user(name, dtype, monkeypatch):
    model = MODELS[name].fit(DATA.X)
    row = csr_array(DATA.X[3:4].astype(dtype))
    expected = model.recommend(row)  # kernels are there
    validations = counted(monkeypatch, _validation, "validate_data")
    matrices = counted(monkeypatch, _compressed._cs_matrix, "__init__")
    slices = counted(monkeypatch, _compressed._cs_matrix, "__getitem__")
    modules = []
    if hasattr(model, "_build_module"):
        modules = counted(monkeypatch, type(model), "_build_module")
    with opened_files() as opened:
        found = model.recommend(row)
    monkeypatch.undo()
    assert_array_equal(found, expected)
    assert opened == []
    assert validations == []
    assert slices == []
    # No copy of the row; BPR knows it again by its pattern, the others make none.
    assert len(matrices) <= (1 if name == "BPR" else 0)
    assert len(modules) == (1 if name in ("MultVAE", "MultDAE") else 0)


@pytest.mark.parametrize(
    "model",
    [
        MultVAE(4, hidden_layer_sizes=(8,), **NETWORK),
        RecVAE(4, hidden_layer_sizes=(8, 8), **NETWORK),
        GaussianMixtureVAE(**NETWORK),
        CDAE(4, known_users="fold_in", **NETWORK),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_module_is_built_once_for_all_chunks(model, monkeypatch):
    model.fit(DATA.X)
    X = csr_array(np.tile(DATA.X.toarray(), (30, 1)).astype(np.float32))  # three chunks
    hidden = csr_array((X.toarray() == 0).astype(np.float32))
    modules = counted(monkeypatch, type(model), "_build_module")
    n_dtypes = 2 if isinstance(model, CDAE) else 1  # users are folded in in float64
    for call in (
        lambda: model.recommend(X, k=3),
        lambda: model.decision_function(X),
        lambda: model.score_pairs(X, [0, 2000], [1, 2]),
        lambda: model.score(X),
        lambda: skrec.recommend(model, X, k=3),
        lambda: evaluate(model, X, hidden, ["ndcg@5"]),
    ):
        modules.clear()
        call()
        assert len(modules) == n_dtypes
    assert _call._BUILT.get() is None


def test_nothing_is_kept_after_a_call():
    model = MODELS["MultVAE"].fit(DATA.X)
    before = set(vars(model))
    row = csr_array(DATA.X[:1])
    first = model.decision_function(row)
    assert set(vars(model)) == before
    model.weights_ = {name: 2 * value for name, value in model.weights_.items()}
    assert not np.allclose(model.decision_function(row), first)


def test_what_is_built_follows_the_state():
    owner, built = object(), []
    state, other = {}, {}
    with _call.one_call():
        for given in (state, state, other):
            _call.built_once(owner, given, "key", lambda: built.append(1))
        with _call.one_call():
            _call.built_once(owner, other, "key", lambda: built.append(1))
    assert len(built) == 2
    _call.built_once(owner, other, "key", lambda: built.append(1))
    assert len(built) == 3


def test_the_cores_are_counted_once():
    effective_n_threads(-1)
    with opened_files() as opened:
        assert effective_n_threads(-1) >= 1
    assert opened == []


def test_the_cores_follow_what_joblib_is_told(monkeypatch):
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    assert effective_n_threads(-1) == 1


@pytest.mark.parametrize("name", ["WMF", "PureSVD", "BPR", "MultVAE", "MultDAE"])
def test_rows_do_not_depend_on_others_in_float64(name):
    # Above and below the number of rows from which tables are made float64.
    model = MODELS[name].fit(DATA.X)
    X = csr_array(DATA.X[:20].astype(np.float64))
    together, eight = model.decision_function(X), model.decision_function(X[:8])
    alone = np.vstack([model.decision_function(X[u : u + 1]) for u in range(20)])
    assert_allclose(alone, together, rtol=1e-12, atol=1e-13)
    assert_array_equal(
        model.recommend(X), np.vstack([model.recommend(X[u : u + 1]) for u in range(20)])
    )
    if name != "BPR":  # whose folded-in vectors are another matter
        assert_allclose(alone[:8], eight, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("n_rows", [1, 8, 9])
def test_factors_of_less_precision(order, n_rows):
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((n_rows, 6)).astype(np.float32)
    components = np.asarray(rng.standard_normal((6, 50)).astype(np.float32), order=order)
    expected = vectors.astype(np.float64) @ components.astype(np.float64)
    found = factor_scores(vectors, components, np.float64)
    assert found.dtype == np.float64
    assert_allclose(found, expected, rtol=1e-13, atol=1e-14)
    alone = [factor_scores(vectors[u : u + 1], components, np.float64) for u in range(n_rows)]
    if n_rows <= 8:
        assert_array_equal(np.vstack(alone), found)


@pytest.mark.parametrize("n_rows", [1, 8, 9])
def test_a_layer_of_float32_weights_in_float64(n_rows):
    layer = Linear(7, 30)
    value = torch.randn(n_rows, 7, dtype=torch.float64)
    layer.bias = torch.nn.Parameter(layer.bias.double())
    with torch.inference_mode():
        found = layer(value)
        alone = torch.cat([layer(value[u : u + 1]) for u in range(n_rows)])
        expected = value @ layer.weight.double().t() + layer.bias
    assert found.dtype == torch.float64
    assert_allclose(found, expected, rtol=1e-13, atol=1e-14)
    if n_rows <= 8:
        assert torch.equal(found, alone)


def test_a_large_layer_in_float32():
    layer = Linear(600, 2000)
    value = torch.randn(3, 600)
    with torch.inference_mode():
        found = layer(value)
        assert torch.equal(found[1:2], layer(value[1:2]))
        expected = value.double() @ layer.weight.double().t() + layer.bias.double()
    assert found.dtype == torch.float32
    assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
