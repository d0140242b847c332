"""The page on MLflow, by a real MLflow."""

import asyncio
import json

import numpy as np
import pytest

import skrec
from skrec.linear_model import EASE

mlflow = pytest.importorskip("mlflow")

X = np.array([[1.0, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1], [0, 1, 1, 1]])
CODE = """
import mlflow
from mlflow.pyfunc import PythonModel


class Recommender(PythonModel):
    def load_context(self, context):
        from skrec.serving import Server

        self.server = Server(context.artifacts["model"])

    def predict(self, context, model_input: list[list[str]], params=None):
        return [answer.ids for answer in self.server.recommend_batch(model_input, k=10)]


mlflow.models.set_model(Recommender())
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    return tmp_path


def test_an_estimator(folder):
    model = EASE(alpha=1.0).fit(X)
    with mlflow.start_run():
        info = mlflow.sklearn.log_model(
            model,
            name="ease",
            serialization_format="skops",
            skops_trusted_types=skrec.trusted_types(model),
            pip_requirements=["scikit-recsys"],
        )
    again = mlflow.sklearn.load_model(info.model_uri)
    np.testing.assert_array_equal(again.recommend(X, k=2), model.recommend(X, k=2))
    served = mlflow.pyfunc.load_model(info.model_uri)
    np.testing.assert_array_equal(served.predict(X), model.predict(X))


def test_a_function_of_histories(folder):
    log = {"user": list("aabbcc"), "item": list("xyxzyz")}
    model = skrec.LogRecommender().fit(log)
    (folder / "recommender.py").write_text(CODE)
    with mlflow.start_run():
        info = mlflow.pyfunc.log_model(
            name="recommender",
            python_model="recommender.py",
            artifacts={"model": str(model.save("model.skops"))},
            pip_requirements=["scikit-recsys"],
        )
    served = mlflow.pyfunc.load_model(info.model_uri)
    histories = [["x"], ["y", "z"]]
    expected = [a.ids for a in skrec.serving.Server(model).recommend_batch(histories)]
    assert served.predict(histories) == expected
    from mlflow.pyfunc import scoring_server

    status, answer = posted(scoring_server.init(served), {"inputs": histories})
    assert status == 200
    assert answer == {"predictions": expected}


def posted(application, body):
    """What an ASGI application answers, such as that of ``mlflow models serve``."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}

    async def send(message):
        sent.append(message)

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "http_version": "1.1", "method": "POST", "scheme": "http"}
    scope |= {"path": "/invocations", "raw_path": b"/invocations", "query_string": b""}
    asyncio.run(application(scope | {"headers": headers, "root_path": ""}, receive, send))
    return sent[0]["status"], json.loads(b"".join(one.get("body", b"") for one in sent[1:]))
