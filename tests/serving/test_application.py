"""The HTTP application in this process: what is checked, what is logged, what is read again."""

import asyncio
import gc
import logging
import os
import socket
import sys
import weakref
from contextlib import ExitStack

import numpy as np
import pytest

import skrec
from skrec.datasets import make_interactions
from skrec.linear_model import EASE
from skrec.preprocessing import InteractionEncoder
from skrec.serving import Server, make_application, serve
from skrec.serving._holder import SHORT_TURNS, ModelHolder

for package in ("httpx", "fastapi", "prometheus_client"):
    pytest.importorskip(package)
TestClient = pytest.importorskip("fastapi.testclient").TestClient

X = make_interactions(n_users=30, n_items=20, random_state=0).X


def content_of(items, alpha=10.0):
    encoder = InteractionEncoder.from_ids(np.arange(30), items)
    return {"model": EASE(alpha=alpha).fit(X), "encoder": encoder, "interactions": X}


@pytest.fixture(scope="module")
def server():
    return Server(content_of(np.arange(20)))


@pytest.fixture(autouse=True)
def log(caplog):
    logger = logging.getLogger("skrec.serving")
    logger.propagate = True
    with caplog.at_level(logging.INFO, "skrec.serving"):
        yield caplog


def test_a_value_that_no_float_holds(server):
    client = TestClient(make_application(server))
    for value in ("1" + 400 * "0", "-1" + 400 * "0", "1e400", "NaN", '"1"', "true"):
        response = client.post("/recommend", content=f'{{"history": [3], "values": [{value}]}}')
        assert response.status_code == 422
        assert "values" in response.json()["detail"]
    response = client.post("/recommend", json={"history": [3, 4], "values": [2, 0.5], "k": 3})
    assert [one["id"] for one in response.json()["items"]] == server.recommend(
        {3: 2, 4: 0.5}, 3
    ).ids


def test_ids_that_are_fractions():
    server = Server(content_of(np.arange(20) + 0.5))
    client = TestClient(make_application(server))
    response = client.post("/recommend", json={"history": [1.5, 99.25], "k": 3})
    assert response.json()["unknown"] == [99.25]
    assert [one["id"] for one in response.json()["items"]] == server.recommend([1.5], 3).ids
    assert client.post("/similar", json={"item": 1.5}).status_code == 200
    assert client.post("/recommend", content='{"history": [NaN]}').status_code == 422


@pytest.mark.parametrize("fault", [ValueError, KeyError, TypeError])
@pytest.mark.parametrize("path", ["/recommend", "/similar"])
def test_faults_of_the_service_are_not_the_clients(monkeypatch, log, fault, path):
    from skrec.neighbors import ItemKNN

    server = Server(content_of(np.arange(20)) | {"model": ItemKNN(5).fit(X)})
    client = TestClient(make_application(server))
    body = {"history": [3]} if path == "/recommend" else {"item": 3}
    assert client.post(path, json=body).status_code == 200

    def broken(*arguments, **options):
        raise fault("a fault of ours")

    monkeypatch.setattr(server, "_scorer", broken)
    monkeypatch.setattr(server._similar, "similar_items", broken)
    response = client.post(path, json=body)
    assert response.status_code == 500
    assert "ours" not in response.text
    assert "a fault of ours" in log.text


def test_what_is_wrong_with_a_request_is_the_clients(server):
    client = TestClient(make_application(server))
    for body, status in (
        ({"history": [3], "values": [-1]}, 422),
        ({"history": [3], "values": [1e300, 2]}, 422),
        ({"history": [3], "items": [99]}, 422),
        ({"user": 99, "unknown_user": "error"}, 404),
        ({"user": 99}, 200),
    ):
        assert client.post("/recommend", json=body).status_code == status


WRONG_IDS = {
    "dates": np.arange(20).astype("datetime64[D]"),
    "bytes": np.array([f"{i}".encode() for i in range(20)]),
    "bool": np.array([True, *range(2, 21)], dtype=object),
    "infinite": np.array([np.inf, *range(19)]),
}


@pytest.mark.parametrize("kind", list(WRONG_IDS))
def test_ids_are_checked_at_the_start_and_after_a_reload(kind, tmp_path):
    wrong = content_of(WRONG_IDS[kind])
    with pytest.raises(ValueError, match="text or finite numbers to be served"):
        make_application(Server(wrong))
    path = skrec.save(content_of(np.arange(20)), tmp_path / "model.skops")
    holder = ModelHolder(path)
    old = holder.current
    skrec.save(wrong, path)
    assert not holder.look()
    assert holder.current is old
    assert "text or finite numbers" in holder.error


class Clock:
    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def held(tmp_path, monkeypatch):
    """A holder whose file was replaced, and its clock."""
    path = skrec.save(content_of(np.arange(20)), tmp_path / "model.skops")
    holder = ModelHolder(path, seconds=1.0)
    skrec.save(content_of(np.arange(20), alpha=500.0), path)
    clock = Clock()
    monkeypatch.setattr("skrec.serving._holder.time.monotonic", clock.monotonic)
    return holder, clock


def failing(error):
    def read(*arguments, **options):
        raise error

    return read


def of_cause(cause):
    error = skrec.ModelFileError("not a model file that can be used")
    error.__cause__ = cause
    return error


def test_threads_take_short_turns_while_a_file_is_read(held, monkeypatch):
    holder, _ = held
    usual, turns = sys.getswitchinterval(), []
    read = ModelHolder._read

    def recorded(self):
        turns.append(sys.getswitchinterval())
        return read(self)

    monkeypatch.setattr(ModelHolder, "_read", recorded)
    assert holder.look()
    assert turns == [pytest.approx(1e-4)]
    assert sys.getswitchinterval() == usual
    turns.clear()
    monkeypatch.setattr("skrec.serving._holder.Server", failing(MemoryError()))
    skrec.save(content_of(np.arange(20)), holder.path)
    assert not holder.look()
    assert turns == [pytest.approx(1e-4)]
    assert sys.getswitchinterval() == usual


def test_short_turns_that_overlap_end_with_the_usual_ones():
    usual = sys.getswitchinterval()
    blocks = [ExitStack(), ExitStack()]
    for block in blocks:
        block.enter_context(SHORT_TURNS)
    blocks[0].close()
    assert sys.getswitchinterval() == pytest.approx(1e-4)
    blocks[1].close()
    assert sys.getswitchinterval() == usual


PASSING = [MemoryError(), OSError(24, "Too many open files"), of_cause(MemoryError())]


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_what_passes_is_tried_again_ever_more_rarely(held, monkeypatch, error):
    holder, clock = held
    with monkeypatch.context() as patch:
        patch.setattr("skrec.serving._holder.Server", failing(error))
        at = []
        for _ in range(400):
            before = holder.n_failures
            assert not holder.look()
            if holder.n_failures > before:
                at.append(clock.now - 100)
            clock.now += 1
    pauses = np.diff(at)
    assert pauses[:6].tolist() == [1, 2, 4, 8, 16, 32]
    assert set(pauses[6:]) == {60}
    clock.now += 60
    assert holder.look()
    assert holder.error is None
    assert not holder.look()


def test_a_wrong_file_is_not_tried_again_before_it_is_replaced(held):
    holder, clock = held
    good = holder.path.read_bytes()
    holder.path.write_bytes(good[:500])
    for _ in range(5):
        assert not holder.look()
        clock.now += 100
    assert holder.n_failures == 1
    holder.path.write_bytes(good)
    assert holder.look()


def test_the_old_file_put_back_is_no_error(held, monkeypatch):
    holder, _ = held
    assert holder.look()
    os.link(holder.path, holder.path.with_suffix(".kept"))
    skrec.save(content_of(np.arange(20), alpha=7.0), holder.path)
    with monkeypatch.context() as patch:
        patch.setattr("skrec.serving._holder.Server", failing(MemoryError()))
        holder.look()
    assert holder.error
    os.replace(holder.path.with_suffix(".kept"), holder.path)
    holder.look()
    assert holder.error is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_k": 0}, "max_k must be a whole number >= 1. Got 0"),
        ({"max_k": 2.5}, "max_k must be"),
        ({"max_body": -1}, "max_body must be"),
        ({"reload_seconds": 0}, "reload_seconds must be a finite number > 0 and <= 604800"),
        ({"reload_seconds": -1}, "reload_seconds must be"),
        ({"reload_seconds": 1e10}, "reload_seconds must be"),
        ({"reload_seconds": float("nan")}, "reload_seconds must be"),
        ({"quantize": "int8"}, "quantize is for a file"),
    ],
)
def test_options(server, options, message):
    with pytest.raises(ValueError, match=message):
        make_application(server, **options)


@pytest.mark.parametrize("options", [{"port": 70_000}, {"workers": 0}, {"log_level": "loud"}])
def test_options_of_serve(options):
    pytest.importorskip("uvicorn")
    with pytest.raises(ValueError, match=f"{next(iter(options))} must be"):
        serve("model.skops", **options)


@pytest.mark.parametrize("text", ["1e10", "0", "-1", "nan"])
def test_seconds_of_the_command(text):
    from skrec._cli._errors import CommandError
    from skrec._cli._parser import parse

    with pytest.raises(CommandError, match="reload-seconds"):
        parse(["serve", "model.skops", "--reload-seconds", text])


def test_no_part_of_an_answer_waits_for_the_client():
    from skrec.serving._serve import _listening

    with _listening("127.0.0.1", 0) as listening:
        assert listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        with socket.create_connection(listening.getsockname()):
            accepted, _ = listening.accept()
            with accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_idle_connection_outlives_that_of_a_proxy(tmp_path, monkeypatch, workers):
    uvicorn = pytest.importorskip("uvicorn")
    path = skrec.save(content_of(np.arange(20)), tmp_path / "model.skops")
    monkeypatch.setattr("skrec.serving._serve._start_log", lambda level: None)
    monkeypatch.setenv("SKREC_SERVE", "")
    kept = []
    of_one = lambda self, sockets: kept.append(self.config.timeout_keep_alive)  # noqa: E731
    monkeypatch.setattr(uvicorn.Server, "run", of_one)
    monkeypatch.setattr(uvicorn, "run", lambda *a, **k: kept.append(k["timeout_keep_alive"]))
    serve(path, port=0, workers=workers)
    assert kept[0] > 60


def test_the_parent_of_workers_keeps_no_model(tmp_path, monkeypatch):
    uvicorn = pytest.importorskip("uvicorn")
    path = skrec.save(content_of(np.arange(20)), tmp_path / "model.skops")
    monkeypatch.setattr("skrec.serving._serve._start_log", lambda level: None)
    monkeypatch.setenv("SKREC_SERVE", "")
    read, made, ran = ModelHolder._read, [], []

    def recorded(holder):
        server = read(holder)
        made.append(weakref.ref(server))
        return server

    monkeypatch.setattr(ModelHolder, "_read", recorded)
    monkeypatch.setattr(uvicorn, "run", lambda *a, **k: ran.append(made[0]()))
    gc.disable()
    try:
        serve(path, port=0, workers=2)
    finally:
        gc.enable()
    assert ran == [None]


def test_a_client_that_leaves_within_its_body_is_not_wrong(server, log):
    application = make_application(server)
    messages = [
        {"type": "http.request", "body": b'{"history": [', "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent = []

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/recommend",
        "headers": [],
        "query_string": b"",
    }
    asyncio.run(application(scope, receive, send))
    assert not sent
    assert "path=/recommend status=499" in log.text
    figures = TestClient(application).get("/metrics").text
    assert 'skrec_requests_total{path="/recommend",status="499"} 1.0' in figures
    assert 'status="422"' not in figures
