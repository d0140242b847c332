"""save and load: atomic, without execution."""

import datetime
import decimal
import os
import uuid

import joblib
import numpy as np
import pytest
import skops.io
from scipy.sparse import csr_matrix
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer, FunctionTransformer

import skrec
from skrec import ItemFeatures, _persistence
from skrec.autoencoder import MultVAE
from skrec.dummy import DummyRecommender
from skrec.linear_model import EASE
from skrec.preprocessing import InteractionEncoder

X = np.array([[5.0, 4, 0, 1], [4, 0, 5, 0], [5, 5, 1, 0], [0, 1, 4, 4], [3, 0, 2, 5], [1, 1, 0, 2]])


def test_pipelines_searches_and_dicts(tmp_path):
    search = GridSearchCV(
        make_pipeline(Binarizer(threshold=3), EASE()), {"ease__alpha": [1.0, 10.0]}, cv=2
    ).fit(X)
    pipeline = make_pipeline(Binarizer(), DummyRecommender()).fit(X)
    path = skrec.save({"search": search, "pipeline": pipeline}, tmp_path / "both.skops")
    again = skrec.load(path)
    np.testing.assert_array_equal(again["search"].predict(X), search.predict(X))
    assert again["search"].best_params_ == search.best_params_
    np.testing.assert_array_equal(again["pipeline"].predict(X), pipeline.predict(X))


def test_sparse_containers_and_item_features(tmp_path):
    model = DummyRecommender().fit(X)
    model.extra_ = csr_matrix(X)
    model.features_ = ItemFeatures(X)
    again = skrec.load(skrec.save(model, tmp_path / "m.skops"))
    assert (again.extra_ != model.extra_).nnz == 0
    np.testing.assert_array_equal(again.features_.values, X)


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.skops"
    skrec.save(DummyRecommender().fit(X), path)
    before = path.read_bytes()

    def broken(obj, file):
        file.write(b"half a fi")
        raise OSError("disk full")

    monkeypatch.setattr(skops.io, "dump", broken)
    with pytest.raises(OSError, match="disk full"):
        skrec.save(DummyRecommender().fit(X), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["model.skops"]


class Foreign(DummyRecommender):
    """A class that is not skrec's."""


def test_foreign_types_are_refused_unless_named(tmp_path):
    with pytest.warns(UserWarning, match=r"trusted=\['.*Foreign'\]"):
        path = skrec.save(Foreign().fit(X), tmp_path / "model.skops")
    with pytest.raises(ValueError, match=r"not trusted: .*Foreign"):
        skrec.load(path)
    name = f"{Foreign.__module__}.Foreign"
    loaded = skrec.load(path, trusted=[name])
    np.testing.assert_array_equal(loaded.item_popularity_, (X != 0).sum(axis=0))


@pytest.mark.parametrize(
    "evil", [os.system, np.sum, _persistence.load, skrec.recommend], ids=lambda f: f.__name__
)
def test_functions_are_refused(tmp_path, evil):
    path = tmp_path / "evil.skops"
    skops.io.dump({"call": evil}, path)
    with pytest.raises(ValueError, match="not trusted"):
        skrec.load(path)


def test_errors_name_what_is_wrong(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        skrec.save(DummyRecommender(), tmp_path / "no" / "model.skops")
    with pytest.raises(FileNotFoundError):
        skrec.load(tmp_path / "nothing.skops")
    junk = tmp_path / "junk.skops"
    junk.write_bytes(b"not a model")
    with pytest.raises(ValueError, match="not a model file"):
        skrec.load(junk)


def _encoder(ids):
    return InteractionEncoder().fit(
        [(user, item) for user, item in zip(ids, ids[::-1], strict=True)]
    )


_DAY = datetime.date(2026, 1, 5)


@pytest.mark.parametrize(
    "ids",
    [
        [uuid.UUID(int=3), uuid.UUID(int=1)],
        [_DAY, datetime.date(2025, 1, 5)],
        [datetime.datetime(2026, 1, 5, tzinfo=datetime.UTC), datetime.datetime(2026, 1, 6)],
        [decimal.Decimal("1.50"), decimal.Decimal(2)],
        [("a", 1), ("b", frozenset([2]))],
        ["text", 1, b"bytes", 2.5],
        np.array(["2026-01-05", "2025-01-05"], dtype="datetime64[D]"),
    ],
    ids=lambda ids: type(ids[0]).__name__,
)
def test_ids_of_many_kinds(ids, tmp_path):
    encoder = _encoder(ids)
    again = skrec.load(skrec.save(encoder, tmp_path / "m.skops"))
    assert again.item_ids_.tolist() == encoder.item_ids_.tolist()
    assert list(map(type, again.user_ids_)) == list(map(type, encoder.user_ids_))


@pytest.mark.parametrize("dtype", [np.dtype("float32"), np.float32, "float32"])
def test_dtypes_as_parameters(dtype, tmp_path):
    encoder = InteractionEncoder(dtype=dtype).fit([("a", "x"), ("b", "y")])
    again = skrec.load(skrec.save(encoder, tmp_path / "m.skops"))
    assert again.dtype == dtype
    assert again.transform([("a", "x")]).dtype == np.float32


def test_a_torch_device_as_a_parameter(tmp_path):
    torch = pytest.importorskip("torch")
    model = MultVAE(
        2, hidden_layer_sizes=(3,), max_iter=1, device=torch.device("cpu"), random_state=0
    ).fit(X)
    again = skrec.load(skrec.save(model, tmp_path / "m.skops"))
    assert again.device == torch.device("cpu")
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def _local():
    class Hidden(DummyRecommender):
        """Nobody can import it."""

    return Hidden().fit(X)


@pytest.mark.parametrize(
    "make",
    [
        lambda: make_pipeline(FunctionTransformer(lambda X: X), EASE()).fit(X),
        lambda: {"model": _local()},
    ],
    ids=["lambda", "local class"],
)
def test_what_can_never_be_loaded_is_not_saved(make, tmp_path):
    path = skrec.save(DummyRecommender().fit(X), tmp_path / "model.skops")
    before = path.read_bytes()
    with pytest.raises(TypeError, match="set_params"):
        skrec.save(make(), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["model.skops"]


def test_save_says_what_must_be_trusted(tmp_path):
    memory = joblib.Memory(str(tmp_path / "cache"), verbose=0)
    model = make_pipeline(Binarizer(), EASE(), memory=memory).fit(X)
    path = tmp_path / "m.skops"
    with pytest.warns(UserWarning, match=r"trusted=\[.*joblib\.memory\.Memory") as caught:
        skrec.save(model, path)
    assert caught[0].filename == __file__
    with pytest.raises(skrec.ModelFileError, match=r"not trusted: .*joblib"):
        skrec.load(path)
    names = ["joblib.memory.Memory", "joblib._store_backends.FileSystemStoreBackend"]
    np.testing.assert_array_equal(skrec.load(path, trusted=names).predict(X), model.predict(X))


def test_trusted_types_are_those_that_skops_asks_about(tmp_path):
    pipeline = make_pipeline(Binarizer(), EASE()).fit(csr_matrix(X))
    search = GridSearchCV(pipeline, {"ease__alpha": [1.0, 10.0]}, cv=2).fit(X)
    log = {"user": list("aabbcc"), "item": list("xyxzyz")}
    for number, model in enumerate((pipeline, search, skrec.LogRecommender().fit(log))):
        path = tmp_path / f"{number}.skops"
        skops.io.dump(model, path)
        names = skrec.trusted_types(model)
        assert names == sorted(skops.io.get_untrusted_types(file=path))
        assert type(skops.io.load(path, trusted=names)) is type(model)
        assert {name.partition(".")[0] for name in names} <= {"skrec", "sklearn", "scipy", "numpy"}


def test_trusted_types_of_others_are_named():
    foreign = FunctionTransformer(os.path.join)
    with pytest.raises(ValueError, match=r"path\.join"):
        skrec.trusted_types(make_pipeline(foreign, EASE()))
    with pytest.raises(ValueError, match="<lambda>"):
        skrec.trusted_types(make_pipeline(FunctionTransformer(lambda X: X), EASE()))
    with pytest.raises(TypeError, match="cannot be stored"):
        skrec.trusted_types(EASE(alpha=(value for value in "a")))
