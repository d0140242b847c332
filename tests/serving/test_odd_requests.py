"""Odd JSON against the application: whatever a client sends, the service does not fail."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from skrec.datasets import make_interactions
from skrec.decomposition import WMF, BiasedMF, PureSVD
from skrec.ensemble import Fallback
from skrec.linear_model import EASE
from skrec.neighbors import ItemKNN, UserKNN
from skrec.preprocessing import BM25Transformer, InteractionEncoder
from skrec.serving import Server, make_application

for package in ("httpx", "fastapi", "prometheus_client"):
    pytest.importorskip(package)
TestClient = pytest.importorskip("fastapi.testclient").TestClient

N_USERS, N_ITEMS = 40, 30
X = csr_array(make_interactions(n_users=N_USERS, n_items=N_ITEMS, random_state=0).X)
NUMBERS = np.arange(N_ITEMS) * 10
TEXTS = np.array([f"item {i}" for i in range(N_ITEMS)])
FRACTIONS = np.arange(N_ITEMS) + 0.5
SMALL = {"n_components": 3, "max_iter": 2, "random_state": 0}
MODELS = {
    "EASE": (EASE(), np.float32, TEXTS),
    "WMF": (WMF(**SMALL), np.float64, NUMBERS),
    "PureSVD": (PureSVD(3, random_state=0), np.float32, FRACTIONS),
    "ItemKNN": (ItemKNN(5), np.float32, NUMBERS),
    "UserKNN": (UserKNN(5), np.float64, TEXTS),
    "BiasedMF": (BiasedMF(**SMALL), np.float32, NUMBERS),
    "normalised": (make_pipeline(Normalizer(), EASE()), np.float64, NUMBERS),
    "BM25": (make_pipeline(BM25Transformer(), EASE()), np.float32, TEXTS),
    "fallback": (Fallback(EASE(), min_interactions=2), np.float32, NUMBERS),
}


def client_of(name):
    model, dtype, items = MODELS[name]
    rows = X.astype(dtype)
    encoder = InteractionEncoder.from_ids(np.arange(N_USERS), items)
    server = Server({"model": model.fit(rows), "encoder": encoder, "interactions": rows})
    return TestClient(make_application(server, max_k=50))


@pytest.fixture(scope="module")
def clients():
    return {name: client_of(name) for name in MODELS}


texts = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["\ud800", "\x00", "item 1\x00", "item 1", "10", "nan", "1" * 5000]),
)
numbers = st.one_of(
    st.integers(-(2**70), 2**70),
    st.integers(0, 300),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([10**400, -(10**400), 1e300, 1e39, 3e38, 1e19, -0.0, 5e-324, 1e-45, 1e30]),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
ids = st.one_of(st.sampled_from([0, 10, 20, 30.0, 0.5, 1.5, "item 1", "item 2"]), texts, numbers)
lists = st.one_of(
    st.lists(ids, max_size=6),
    st.lists(st.sampled_from([*NUMBERS.tolist(), *TEXTS.tolist()]), max_size=40),
    st.just([10] * 3000),
    st.just(["item 1", "item 2"] * 2000),
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
bodies = st.fixed_dictionaries(
    {},
    optional={
        "history": lists | anything,
        "user": ids | st.integers(0, N_USERS) | anything,
        "k": st.integers(1, 50) | anything,
        "items": lists | anything,
        "exclude": lists | anything,
        "exclude_seen": st.booleans() | anything,
        "unknown_user": st.sampled_from(["fallback", "error"]) | anything,
        "values": st.lists(numbers, max_size=6) | anything,
        "item": ids | anything,
    },
)


@st.composite
def histories_with_values(draw):
    """A body that is right but for the size of its numbers."""
    known = draw(st.sampled_from([NUMBERS, TEXTS, FRACTIONS])).tolist()
    history = draw(st.lists(st.sampled_from(known), max_size=12, unique=True))
    number = st.sampled_from(
        [1.0, 1e-300, 5e-324, 1e-45, 1e-38, 1e10, 1e19, 1e20, 1e38, 1e39, 1e155, 1e300, 1.7e308]
    )
    values = draw(st.lists(number | numbers, min_size=len(history), max_size=len(history)))
    return {"history": history, "values": values, "k": 5}


def answered(client, path, body):
    """A response that is no fault of the service; a list of finite scores where it is one."""
    content = json.dumps(body).encode()
    response = client.post(path, content=content)
    assert response.status_code in (200, 404, 413, 422), (body, response.text)
    found = json.loads(response.text, parse_constant=lambda word: pytest.fail(word))
    if response.status_code == 200:
        assert len(found["items"]) <= 50
    else:
        assert set(found) == {"detail"}
        assert found["detail"]
        assert len(response.content) < 5000
    return response


@settings(max_examples=150)
@given(
    name=st.sampled_from(list(MODELS)),
    path=st.sampled_from(["/recommend", "/similar"]),
    body=bodies | anything,
)
def test_odd_bodies(clients, name, path, body):
    answered(clients[name], path, body)


@settings(max_examples=150)
@given(name=st.sampled_from(list(MODELS)), body=histories_with_values())
def test_numbers_of_any_size(clients, name, body):
    answered(clients[name], "/recommend", body)
