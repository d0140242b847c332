"""What a request needs is made before it: at the start, and by a thread beside at a reload."""

import contextlib
import json
import subprocess
import sys
import threading

import numpy as np
import pytest

import skrec
from skrec.datasets import make_interactions
from skrec.preprocessing import InteractionEncoder
from skrec.serving import Server, make_application

X = make_interactions(n_users=30, n_items=20, random_state=0).X
ITEMS = [f"i{i}" for i in range(20)]
NETWORK = {"hidden_layer_sizes": (8,), "max_iter": 1, "device": "cpu"}
BODIES = [
    {"history": ITEMS[:3]},
    {"history": []},
    {"history": ["i1", "i1"], "items": ITEMS[:5], "exclude": ["i2"]},
    {"history": ["i1"], "values": [2.0], "exclude_seen": False},
    {"user": 3},
    {"user": 99},
]


def content_of(seed):
    from skrec.autoencoder import MultVAE

    encoder = InteractionEncoder.from_ids(np.arange(30), np.array(ITEMS))
    model = MultVAE(4, random_state=seed, **NETWORK).fit(X)
    return {"model": model, "encoder": encoder, "interactions": X}


@contextlib.contextmanager
def running(application):
    """A client of a real server, in a thread of this process."""
    httpx, uvicorn = pytest.importorskip("httpx"), pytest.importorskip("uvicorn")
    from skrec.serving._serve import _listening

    with _listening("127.0.0.1", 0) as listening:
        config = uvicorn.Config(application, log_config=None, access_log=False, lifespan="on")
        server = uvicorn.Server(config)
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listening]}, name="event-loop"
        )
        thread.start()
        host, port = listening.getsockname()[:2]
        try:
            with httpx.Client(base_url=f"http://{host}:{port}", timeout=30) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()


@pytest.mark.parametrize("quantize", [None, "int8"])
def test_no_request_builds_the_network_of_a_new_file(tmp_path, monkeypatch, quantize):
    pytest.importorskip("torch")
    for package in ("fastapi", "prometheus_client", "uvicorn", "httpx"):
        pytest.importorskip(package)
    from skrec.autoencoder import MultVAE

    path = skrec.save(content_of(0), tmp_path / "model.skops")
    builders, build = [], MultVAE._build_module
    asked_during, may_end = threading.Event(), threading.Event()

    def recorded(*arguments, **options):
        builders.append(threading.current_thread().name)
        if builders[-1] == "skrec-reload":  # it takes until a client has been answered
            asked_during.set()
            assert may_end.wait(30)
        return build(*arguments, **options)

    other = skrec.save(content_of(1), tmp_path / "other.skops")
    expected = [Server(one, quantize=quantize).recommend(ITEMS[:3]).scores for one in (path, other)]
    monkeypatch.setattr(MultVAE, "_build_module", recorded)
    application = make_application(path, quantize=quantize, reload_seconds=0.05)
    at_start = len(builders)
    assert set(builders) == {threading.current_thread().name}
    holder = application.state.holder

    def scores_of(client, body):
        response = client.post("/recommend", json=body)
        assert response.status_code == 200
        return [one["score"] for one in response.json()["items"]]

    with running(application) as client:
        for body in BODIES:
            scores_of(client, body)
        assert len(builders) == at_start
        other.replace(path)
        assert asked_during.wait(30)
        for body in BODIES:  # the old model answers while the new one is built
            scores_of(client, body)
        assert scores_of(client, BODIES[0]) == expected[0]
        assert holder.n_reloads == 0
        may_end.set()
        while not holder.n_reloads:
            client.get("/health").raise_for_status()
        by_reload = len(builders)
        for body in BODIES:
            scores_of(client, body)
        assert scores_of(client, BODIES[0]) == expected[1]
    assert set(builders[at_start:]) == {"skrec-reload"}
    assert len(builders) == by_reload


def test_threads_that_ask_in_turn_share_a_network(monkeypatch):
    pytest.importorskip("torch")
    from skrec.autoencoder import MultVAE

    server = Server(content_of(0))
    built, build = [], MultVAE._build_module
    monkeypatch.setattr(MultVAE, "_build_module", lambda *a, **k: built.append(1) or build(*a, **k))
    answers = []
    for _ in range(3):
        thread = threading.Thread(target=lambda: answers.append(server.recommend(ITEMS[:3])))
        thread.start()
        thread.join()
    assert not built
    assert answers == [server.recommend(ITEMS[:3])] * 3


SCRIPT = """
import json, sys
import numpy as np
from numba.core.dispatcher import Dispatcher
from skrec.datasets import make_interactions
from skrec.decomposition import BPR, WMF, BiasedMF, PureSVD
from skrec.ensemble import Fallback
from skrec.linear_model import EASE, SLIM
from skrec.neighbors import ItemKNN, UserKNN
from skrec.preprocessing import InteractionEncoder
from skrec.serving import Server, _narrow_lists


def n_compiled():
    names = [name for name in sys.modules if name.startswith("skrec.")]
    parts = {id(p): p for name in names for p in list(vars(sys.modules[name]).values())}
    return sum(len(p.signatures) for p in parts.values() if isinstance(p, Dispatcher))


X = make_interactions(n_users=30, n_items=40, random_state=0).X
items = np.array([f"i{i}" for i in range(40)])
encoder = InteractionEncoder.from_ids(np.arange(30), items)
models = [
    EASE(), SLIM(), Fallback(ItemKNN(5), min_interactions=2), UserKNN(5),
    WMF(4, max_iter=1, random_state=0), PureSVD(4, random_state=0),
    BPR(4, max_iter=1, random_state=0),
]

found = {}
for dtype in (np.float32, np.float64):
    rows = X.astype(dtype)
    for model in models:
        server = Server({"model": model.fit(rows), "encoder": encoder, "interactions": rows})
        before = n_compiled()
        server.recommend(items[:28].tolist(), k=5)
        server.recommend(items[:3].tolist(), k=40, exclude=["i9"], exclude_seen=False)
        server.recommend({"i1": 2.0, "i2": 0.5}, k=5, items=items[:20].tolist())
        server.recommend(["i1", "i1"], k=5, items=items[:20].tolist(), exclude=["i2"])
        server.recommend(["gone"])
        server.recommend_user(3)
        server.recommend_user(99, exclude_seen=False)
        for n in (1, 2, 5, 30):
            histories = [items[i : i + 5].tolist() for i in range(n)]
            server.recommend_batch([*histories, [], {"i1": 2.0}], k=5)
            server.recommend_batch(histories, k=5, items=items[:20].tolist(), exclude_seen=False)
        if server.has_similar:
            server.similar("i7", k=5)
            server.similar("i7", k=5, items=items[:20].tolist(), exclude=["i2"])
        name = type(model).__name__ + np.dtype(dtype).name
        found[name] = [before > 0, n_compiled() - before]

_narrow_lists._LEAST_SIZE = 0  # lists of single rows by 8 bits
X = make_interactions(n_users=30, n_items=2500, random_state=0).X
options = dict(max_iter=1, random_state=0)
for model in (
    Fallback(BiasedMF(4, **options)), Fallback(WMF(4, **options), min_interactions=20),
    BPR(4, **options), BiasedMF(4, **options),
):
    server = Server(model.fit(X.astype(np.float32)))
    before = n_compiled()
    for k in (3, 10):
        server.recommend(dict.fromkeys(range(28), 2.0), k=k)
        server.recommend(dict.fromkeys(range(28), 2.0), k=k, exclude_seen=False)
        server.recommend({1: 2.0}, k=k)
    found[repr(model)] = [server._narrow is not None, n_compiled() - before]
print(json.dumps(found))
"""


def test_no_request_compiles_a_kernel():
    done = subprocess.run(  # of a process of its own: no other test has compiled there
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=600
    )
    found = json.loads(done.stdout)
    assert len(found) == 18
    assert all(value == [True, 0] for value in found.values()), found
