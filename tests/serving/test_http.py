"""The HTTP application: a real client against a real process on the loopback address."""

import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import skrec
from skrec.datasets import make_interactions
from skrec.linear_model import EASE
from skrec.serving import Server, make_application

httpx = pytest.importorskip("httpx")
for package in ("fastapi", "uvicorn", "prometheus_client"):
    pytest.importorskip(package)

MADE = make_interactions(n_users=60, n_items=40, random_state=0)
LOG = {
    "user": np.array([f"u{u}" for u in MADE.user]),
    "item": np.array([f"i{i}" for i in MADE.item]),
}
MAX_BODY = 20_000


def saved(path, alpha):
    return skrec.LogRecommender(EASE(alpha=alpha), titles={"i3": "Three"}).fit(LOG).save(path)


class Process:
    """``python -m skrec serve``, and what it writes to standard error."""

    def __init__(self, path, *options):
        words = [sys.executable, "-m", "skrec", "serve", str(path), "--port", "0"]
        words += ["--max-body", str(MAX_BODY), "--max-k", "50", "--reload-seconds", "0.1"]
        self.lines = []
        self.process = subprocess.Popen(
            [*words, *options], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        address = self.wait_for(r"at (http://[\d.:]+)")[1]
        self.client = httpx.Client(base_url=address, timeout=30)

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line)

    def wait_for(self, pattern, seconds=120):
        """The match of the first line with a pattern."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for line in list(self.lines):
                if found := re.search(pattern, line):
                    return found
            assert self.process.poll() is None, "".join(self.lines)
            time.sleep(0.02)
        raise AssertionError(f"no line with {pattern!r}: {''.join(self.lines)}")

    def end(self):
        """Exit code after SIGTERM."""
        self.client.close()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self._reader.join(5)
        return code


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("model") / "model.skops", alpha=20.0)


@pytest.fixture(scope="module")
def process(path):
    running = Process(path)
    yield running
    running.process.kill()


@pytest.fixture(scope="module")
def server(path):
    return Server(path)


def body_of(answer):
    items = [
        {"id": one, "score": score, "title": title}
        for one, score, title in zip(answer.ids, answer.scores, answer.titles, strict=True)
    ]
    return {"items": items, "fallback": answer.fallback, "unknown": answer.unknown}


def test_answers_are_those_of_the_server(process, server):
    asked = [
        ({"history": ["i1", "i3", "gone"], "k": 4}, server.recommend(["i1", "i3", "gone"], 4)),
        ({"history": []}, server.recommend([])),
        ({"user": "u5"}, server.recommend_user("u5")),
        ({"user": "nobody", "k": 3}, server.recommend_user("nobody", 3)),
        (
            {"history": ["i1"], "items": ["i3", "i4"], "exclude": ["i4"], "exclude_seen": False},
            server.recommend(["i1"], items=["i3", "i4"], exclude=["i4"], exclude_seen=False),
        ),
        ({"history": ["i1", "i2"], "values": [2, 0.5]}, server.recommend({"i1": 2, "i2": 0.5})),
    ]
    for body, answer in asked:
        response = process.client.post("/recommend", json=body)
        assert response.status_code == 200
        assert response.json() == body_of(answer)
    response = process.client.post("/similar", json={"item": "i3", "k": 5})
    assert response.json() == body_of(server.similar("i3", 5))


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ("{", 422, "JSON"),
        ("", 422, "JSON"),
        ("[]", 422, "valid dictionary|object"),
        ("NaN", 422, "."),
        ("[" * 15_000, 422, "JSON"),
        (b"\xff\xfe", 422, "JSON"),
        ("{}", 422, "either history or user"),
        ('{"history": ["i1"], "user": "u1"}', 422, "either history or user"),
        ('{"history": "i1"}', 422, "history.*array"),
        ('{"history": [["i1"]]}', 422, "history"),
        ('{"history": [1.5]}', 200, "."),  # unknown, and listed
        ('{"history": [1e400]}', 422, "history"),
        ('{"history": [true]}', 422, "history"),
        ('{"history": [null]}', 422, "history"),
        ('{"history": ["\\ud800"]}', 422, "JSON"),
        ('{"history": ["i1"], "k": 0}', 422, "k: .*greater than or equal to 1"),
        ('{"history": ["i1"], "k": 1000000000}', 422, "k: .*less than or equal to 50"),
        ('{"history": ["i1"], "k": "5"}', 422, "k: .*integer"),
        ('{"history": ["i1"], "k": 1.5}', 422, "k: .*integer"),
        ('{"history": ["i1"], "K": 5}', 422, "K: .*not permitted"),
        ('{"history": ["i1"], "items": ["gone"]}', 422, "none of which the model knows"),
        ('{"history": ["i1"], "items": []}', 422, "Pass None for all items"),
        ('{"history": ["i1"], "values": [1, 2]}', 422, "one number for each"),
        ('{"history": ["i1", "i1"], "values": [1, 2]}', 422, "once"),
        ('{"history": ["i1"], "values": [NaN]}', 422, "finite"),
        ('{"history": ["i1"], "values": [1e400]}', 422, "finite"),
        ('{"history": ["i1"], "values": [1' + "0" * 400 + "]}", 422, "finite"),
        ('{"history": ["i1"], "values": [1e300]}', 200, "."),  # it counts as 1
        ('{"user": "u1", "values": [1]}', 422, "values belong to a history"),
        ('{"user": "nobody", "unknown_user": "error"}', 404, "'nobody' is unknown"),
        ('{"history": ["i1"], "k": 1' + "0" * 5000 + "}", 422, "JSON"),
        ('{"history": [1' + "0" * 400 + "]}", 200, "."),  # unknown, and listed
    ],
)  # fmt: skip
def test_bad_requests(process, body, status, text):
    response = process.client.post("/recommend", content=body)
    assert response.status_code == status
    if status != 200:
        assert set(response.json()) == {"detail"}
        assert re.search(text, response.json()["detail"])
        assert len(response.content) < 2000
    assert process.client.get("/health").json()["status"] == "ok"


def test_other_wrong_requests(process):
    client = process.client
    assert client.post("/similar", json={"item": "gone"}).status_code == 404
    assert client.post("/similar", json={}).status_code == 422
    assert client.get("/recommend").status_code == 405
    assert client.get("/nothing").status_code == 404
    assert client.post("/recommend", content=b"x" * 10_000_000).status_code == 413
    in_parts = (b"x" * 100_000 for _ in range(20))  # without a length
    response = client.post("/recommend", content=in_parts)
    assert response.status_code == 413
    assert f"{MAX_BODY:,} bytes" in response.json()["detail"]


def test_request_ids(process):
    response = process.client.get("/health", headers={"X-Request-ID": "shop-4711.a"})
    assert response.headers["x-request-id"] == "shop-4711.a"
    process.wait_for(r"method=GET path=/health status=200 ms=[\d.]+ id=shop-4711\.a")
    for wrong in ("two words", "x" * 200, "a;b"):
        found = process.client.get("/health", headers={"X-Request-ID": wrong})
        assert re.fullmatch("[0-9a-f]{32}", found.headers["x-request-id"])


def test_metrics_and_pages(process):
    process.client.post("/recommend", json={"history": ["i1"]})
    process.client.post("/recommend", json={"history": ["i1"], "k": 0})
    process.client.get("/secret/path")
    response = process.client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    parser = pytest.importorskip("prometheus_client.parser")
    values = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in parser.text_string_to_metric_families(response.text)
        for sample in family.samples
    }
    assert values["skrec_requests_total", "/recommend", "200"] >= 1
    assert values["skrec_requests_total", "/recommend", "422"] >= 1
    assert values["skrec_requests_total", "404", "other"] >= 1
    assert values["skrec_request_seconds_count", "/recommend"] >= 2
    assert values["skrec_model_items",] == 40
    assert values["skrec_model_stale",] == 0
    paths = process.client.get("/openapi.json").json()["paths"]
    assert set(paths) == {"/recommend", "/similar", "/health", "/metrics"}
    assert process.client.get("/docs").status_code == 200


def test_a_file_is_replaced_under_load(tmp_path):
    path = saved(tmp_path / "model.skops", alpha=20.0)
    lists = {}
    for alpha in (20.0, 5000.0):
        answer = Server(saved(tmp_path / "other.skops", alpha)).recommend(["i1", "i3"], 10)
        lists[alpha] = answer.scores
    running = Process(path)
    try:
        found, failed, stop = [], [], threading.Event()

        def ask():
            with httpx.Client(base_url=running.client.base_url, timeout=30) as client:
                while not stop.is_set():
                    try:
                        response = client.post("/recommend", json={"history": ["i1", "i3"]})
                        response.raise_for_status()
                        scores = [one["score"] for one in response.json()["items"]]
                        found.append(scores)
                    except Exception as error:  # the test ends at the first one, whatever it is
                        failed.append(repr(error))
                        return

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        (tmp_path / "bad.skops").write_bytes(path.read_bytes()[:500])
        os.replace(tmp_path / "bad.skops", path)  # what cannot be read changes nothing
        running.wait_for("the model file cannot be used")
        health = running.client.get("/health").json()
        assert health["status"] == "stale"
        assert "not a model file" in health["error"]
        assert "skrec_model_stale 1.0" in running.client.get("/metrics").text
        assert "skrec_model_reload_failures_total 1.0" in running.client.get("/metrics").text
        os.replace(tmp_path / "other.skops", path)
        running.wait_for("reloaded")
        last = len(found)
        while len(found) < last + 10 and not failed:
            time.sleep(0.01)
        stop.set()
        for thread in threads:
            thread.join()
        assert not failed
        assert found[0] == lists[20.0]
        assert found[-1] == lists[5000.0]
        assert {tuple(scores) for scores in found} == {tuple(scores) for scores in lists.values()}
        assert running.client.get("/health").json()["status"] == "ok"
        assert running.end() == 0
    finally:
        running.process.kill()


def test_a_request_that_has_begun_is_answered(path):
    running = Process(path)
    try:
        sending = threading.Event()

        def slowly():
            yield b'{"history": '
            sending.set()
            time.sleep(0.5)
            yield b'["i1"]}'

        answers = []
        thread = threading.Thread(
            target=lambda: answers.append(httpx.post(
                f"{running.client.base_url}/recommend", content=slowly(), timeout=30
            ))
        )  # fmt: skip
        thread.start()
        assert sending.wait(10)
        time.sleep(0.2)
        assert running.end() == 0
        thread.join()
        assert answers[0].status_code == 200
        assert "stopped" in running.process.stdout.read()
    finally:
        running.process.kill()


@pytest.mark.slow  # each process imports what it needs
def test_two_workers(path):
    running = Process(path, "--workers", "2")
    try:
        running.wait_for("Application startup complete", seconds=300)
        answer = running.client.post("/recommend", json={"history": ["i1"]})
        assert answer.status_code == 200
        assert running.end() == 0
    finally:
        running.process.kill()


@pytest.mark.slow
def test_what_cannot_be_served(path, tmp_path, caplog):
    def failed(*words):
        done = subprocess.run(
            [sys.executable, "-m", "skrec", "serve", *map(str, words)],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        return done.stderr

    assert "no such file" in failed(tmp_path / "none.skops", "--port", 0).lower()
    (tmp_path / "bad.skops").write_bytes(b"no model")
    assert "not a model file" in failed(tmp_path / "bad.skops", "--port", 0)
    assert "expected a port" in failed(path, "--port", 70000)
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        text = failed(path, "--port", taken.getsockname()[1])
    assert "cannot listen at 127.0.0.1" in text


def test_ids_that_json_has_no_word_for():
    log = [(("a", 1), ("x", 1)), (("a", 1), ("y", 2)), (("b", 1), ("x", 1))]
    with pytest.raises(ValueError, match="text or finite numbers to be served"):
        make_application(Server(skrec.LogRecommender().fit(log)))


def test_an_error_of_the_service_is_logged_with_its_id(path, caplog, monkeypatch):
    from fastapi.testclient import TestClient

    application = make_application(Server(path))
    monkeypatch.setattr(Server, "recommend", lambda *a, **k: 1 / 0)
    logging.getLogger("skrec.serving").propagate = True
    with caplog.at_level(logging.INFO, "skrec.serving"), TestClient(application) as client:
        response = client.post(
            "/recommend", content=json.dumps({"history": []}), headers={"X-Request-ID": "q1"}
        )
    assert response.status_code == 500
    assert "log says why" in response.json()["detail"]
    assert "ZeroDivisionError" in caplog.text
    assert "error in request id=q1" in caplog.text
