"""save and load: atomic, without execution."""

import os

import numpy as np
import pytest
import skops.io
from scipy.sparse import csr_matrix
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer

import skrec
from skrec import ItemFeatures, _persistence
from skrec.dummy import DummyRecommender
from skrec.linear_model import EASE

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
