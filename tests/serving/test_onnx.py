"""to_onnx: what a runtime of ONNX computes against the model itself."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from skrec.autoencoder import CDAE, MultDAE, MultVAE
from skrec.datasets import make_interactions
from skrec.decomposition import BPR, WMF, PureSVD
from skrec.ensemble import Fallback
from skrec.linear_model import EASE, SLIM
from skrec.neighbors import ItemKNN
from skrec.neural_network import GMF
from skrec.serving import to_onnx

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

X = csr_array(make_interactions(n_users=80, n_items=120, random_state=0).X, dtype=np.float32)
NETWORK = {"max_iter": 3, "random_state": 0, "device": "cpu"}
OF_ROWS = {
    "EASE": EASE(),
    "EASE, pairs": EASE(n_pairs=30),
    "SLIM": SLIM(alpha=0.5),
    "ItemKNN": ItemKNN(7),
    "ItemKNN, dense": ItemKNN(100),
    "PureSVD": PureSVD(5, random_state=0),
    "MultDAE": MultDAE((12,), **NETWORK),
    "MultDAE, deep": MultDAE((12, 6), activation="relu", **NETWORK),
    "MultVAE": MultVAE(5, **NETWORK),
    "MultVAE, deep": MultVAE(5, hidden_layer_sizes=(12, 8), activation="selu", **NETWORK),
    "MultVAE, mixture": MultVAE(
        5, hidden_layer_sizes=(12,), activation="sigmoid", prior="gaussian_mixture", **NETWORK
    ),
}
OF_VECTORS = {
    "WMF": WMF(5, max_iter=2, random_state=0),
    "BPR": BPR(5, max_iter=2, random_state=0),
    "GMF": GMF(5, **NETWORK),
}


def computed(onnx_model, **inputs):
    session = runtime.InferenceSession(
        onnx_model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(["scores"], inputs)[0]


@pytest.mark.parametrize("name", list(OF_ROWS))
def test_rows(name):
    model = OF_ROWS[name].fit(X)
    rows = X[:20].toarray()
    rows[3] = 0
    rows[4] *= 1e-30  # values of which the squares underflow
    rows[5] *= 7
    found = computed(to_onnx(model), X=rows)
    expected = model.decision_function(rows)
    assert found.dtype == np.float32
    scale = np.abs(expected).max(axis=1, keepdims=True)
    scale[scale == 0] = 1
    np.testing.assert_allclose(found / scale, expected / scale, atol=2e-5)


@pytest.mark.parametrize("name", list(OF_VECTORS))
def test_vectors(name):
    if not hasattr(OF_VECTORS[name], "components_"):
        OF_VECTORS[name].fit(X)
    model = OF_VECTORS[name]
    if not hasattr(model, "components_"):
        pytest.skip("scores by a network")
    vectors = model.transform(X[:20])
    found = computed(to_onnx(model), vectors=vectors.astype(np.float32))
    np.testing.assert_allclose(found, model.decision_function(X[:20]), rtol=1e-4, atol=1e-5)


def test_a_file_says_what_it_is(tmp_path):
    model = EASE().fit(X)
    path = tmp_path / "ease.onnx"
    made = to_onnx(model, path)
    assert onnx.load(path) == made
    facts = {entry.key: entry.value for entry in made.metadata_props}
    assert facts["skrec_class"] == "EASE"
    assert facts["n_items"] == "120"
    before = path.read_bytes()
    with pytest.raises(TypeError):
        to_onnx(CDAE(4, **NETWORK).fit(X), path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (CDAE(4, **NETWORK), "Supported: EASE, SLIM"),
        (Fallback(EASE()), "pass the model in it, estimator_"),
        (ItemKNN(5, feedback="rating"), "ItemKNN with these parameters"),
        (MultVAE(4, n_posterior_components=2, **NETWORK), "n_posterior_components=1"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_models_are_refused(model, text):
    with pytest.raises(TypeError, match=text):
        to_onnx(model.fit(X))


def test_more_than_a_file_holds(monkeypatch):
    from skrec.serving import _onnx

    monkeypatch.setattr(_onnx, "_MOST_BYTES", 1000)
    with pytest.raises(ValueError, match="at most 2 GiB"):
        to_onnx(EASE().fit(X))
