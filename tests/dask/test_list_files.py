"""Files of lists: what is gone on with, what is refused, and what a call may remove."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import coo_array, save_npz

import skrec
import skrec.dask
from skrec.datasets import make_interactions
from skrec.decomposition import WMF, PureSVD
from skrec.linear_model import EASE, SLIM
from skrec.neighbors import ItemKNN
from skrec.preprocessing import InteractionEncoder
from skrec.utils._stamps import digest

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

X = make_interactions(100, 25, 700, random_state=1, return_X=True)
MODEL = EASE(alpha=20.0).fit(X)
HALVES = [X[:50], X[50:]]
LOG = pa.table({"user": [1, 1, 2, 2, 3], "item": ["tea", "pot", "tea", "pot", "rum"]})


def names_in(folder):
    return sorted(os.listdir(folder))


def test_lists_never_replace_the_log(tmp_path):
    pq.write_table(LOG, tmp_path / "a.parquet")
    encoder = InteractionEncoder()
    model = EASE(alpha=1.0).fit(encoder.fit_transform(LOG))
    for part in (tmp_path, [tmp_path / ".." / tmp_path.name / "a.parquet"]):
        with pytest.raises(ValueError, match=r"a\.parquet is one of the parts"):
            skrec.dask.recommend(model, part, tmp_path, encoder=encoder, overwrite=True)
    assert pq.read_table(tmp_path / "a.parquet") == LOG
    assert names_in(tmp_path) == ["a.parquet"]


def test_lists_of_another_model_do_not_stay_beside_these(tmp_path):
    pq.write_table(LOG, tmp_path / "log.parquet")
    skrec.dask.recommend(MODEL, [X[:30], *HALVES], tmp_path, k=3)
    other = EASE(alpha=500.0).fit(X)
    for model in (other, MODEL):
        with pytest.raises(ValueError, match="exists and comes from another"):
            skrec.dask.recommend(model, [X[:30], X[:50]], tmp_path, k=3)
    paths = skrec.dask.recommend(other, HALVES, tmp_path, k=3, overwrite=True)
    assert names_in(tmp_path) == ["log.parquet", *(path.name for path in paths)]
    assert pq.read_table(tmp_path / "log.parquet") == LOG


def test_lists_of_new_files_join_those_of_the_same_model(tmp_path):
    for name, rows in zip("ab", HALVES, strict=True):
        save_npz(tmp_path / f"{name}.npz", rows)
        skrec.dask.recommend(MODEL, [tmp_path / f"{name}.npz"], tmp_path / "lists", k=3)
    assert names_in(tmp_path / "lists") == ["a.parquet", "b.parquet"]
    with pytest.raises(ValueError, match=r"[ab]\.parquet exists"):
        skrec.dask.recommend(MODEL, [tmp_path / "b.npz"], tmp_path / "lists", k=4)


@pytest.mark.parametrize(
    "model",
    [
        EASE(),
        ItemKNN(5),
        SLIM(),
        WMF(4, max_iter=2),
        PureSVD(4, random_state=np.random.RandomState(3)),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_loaded_model_is_the_same_model(model, tmp_path):
    model.fit(X)
    encoder = InteractionEncoder().fit(LOG)
    loaded = skrec.load(skrec.save({"m": model, "e": encoder}, tmp_path / "model.skops"))
    expected = digest((model, encoder))
    assert digest((loaded["m"], loaded["e"])) == expected
    model.recommend(X[:5])
    encoder.transform_histories(LOG)
    assert digest((model.set_params(n_jobs=2), encoder)) == expected
    assert digest((type(model)().fit(X[:90]), encoder)) != expected
    assert digest((model, InteractionEncoder().fit(LOG.slice(0, 4)))) != expected


@pytest.mark.parametrize(
    "pair",
    [
        (np.arange(4), np.arange(4.0)),
        (np.arange(4), np.arange(4).reshape(2, 2)),
        (["ab", "c"], ["a", "bc"]),
        ([[1], 2], [[1, 2]]),
        (1, "1"),
        (X[:4], X[:4].T.tocsr()),
        ({"a": 1}, {"b": 1}),
        (np.array(["a", 1], dtype=object), np.array(["a", "1"], dtype=object)),
    ],
)
def test_different_values_have_different_digests(pair):
    assert digest(pair[0]) != digest(pair[1])
    assert digest(pair[0]) == digest(pair[0])


def test_a_run_goes_on_with_a_loaded_model_and_copied_files(tmp_path):
    logs, lists = tmp_path / "logs", tmp_path / "lists"
    logs.mkdir()
    for name, rows in zip("ab", HALVES, strict=True):
        save_npz(logs / f"{name}.npz", rows)
    knn = ItemKNN(5).fit(X)
    saved = skrec.save(knn, tmp_path / "model.skops")
    paths = skrec.dask.recommend(knn, logs, lists, k=3)
    times = [path.stat().st_mtime_ns for path in paths]
    os.utime(logs / "a.npz")
    logs = logs.rename(tmp_path / "moved")
    assert skrec.dask.recommend(saved, logs, lists, k=3) == paths
    assert [path.stat().st_mtime_ns for path in paths] == times
    save_npz(logs / "a.npz", X[:49])
    with pytest.raises(ValueError, match=r"a\.parquet exists"):
        skrec.dask.recommend(saved, logs, lists, k=3)


def test_parts_may_be_sparse_in_any_format(tmp_path):
    parts = [coo_array(X[:20]), X[20:30].tocsc(), X[30:40].todok(), X[40:60].toarray()]
    paths = skrec.dask.recommend(MODEL, parts, tmp_path, k=3)
    found = np.concatenate([pq.read_table(path).column("item") for path in paths])
    expected = MODEL.recommend(X[:60], 3)
    assert np.array_equal(found, expected[expected >= 0])


def test_paths_do_not_depend_on_the_folder_of_the_worker(tmp_path, monkeypatch):
    """A task that runs in another folder, as that of a worker may, still finds everything."""
    from skrec.dask import _lists

    (tmp_path / "elsewhere").mkdir()
    save_npz(tmp_path / "a.npz", X[:50])
    monkeypatch.chdir(tmp_path)
    call = _lists._PartLists.__call__

    def in_other_folder(task, number, part):
        with monkeypatch.context() as patch:
            patch.chdir(tmp_path / "elsewhere")
            call(task, number, part)

    monkeypatch.setattr(_lists._PartLists, "__call__", in_other_folder)
    [path] = skrec.dask.recommend(MODEL, ["a.npz"], "lists", k=3)
    assert path == tmp_path / "lists" / "a.parquet"
    assert pq.read_table(path).num_rows == (MODEL.recommend(X[:50], 3) >= 0).sum()
    assert not names_in(tmp_path / "elsewhere")


def test_evaluate_makes_its_folder(tmp_path):
    result = skrec.dask.evaluate(MODEL, HALVES, "ndcg@10", folder=tmp_path / "a" / "b")
    assert (
        result.n_users["ndcg@10"]
        == skrec.metrics.evaluate(MODEL, X, None, "ndcg@10").n_users["ndcg@10"]
    )
    assert not names_in(tmp_path / "a" / "b")


_KILLED = """
import os, pathlib, sys
from skrec.dask._model import mapped_file

with mapped_file("a model", pathlib.Path(sys.argv[1])):
    os._exit(9)
"""


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", _KILLED, tmp_path], capture_output=True, check=False
    )
    assert run.returncode == 9, run.stderr
    assert len(names_in(tmp_path)) == 1, "the model that workers mapped"
    paths = skrec.dask.recommend(MODEL, HALVES, tmp_path, k=3)
    assert names_in(tmp_path) == [path.name for path in paths]


def test_calls_with_one_folder_do_not_share_a_file(tmp_path):
    from skrec.dask._model import Recommended, mapped_file, open_mapped

    content = Recommended(MODEL, None)
    with mapped_file(content, tmp_path) as first:
        with mapped_file(content, tmp_path) as second:
            assert first != second
        os.utime(first, (0, 0))
        assert np.array_equal(open_mapped(first).model.coef_, MODEL.coef_)
        assert first.stat().st_mtime > 1e9, "in use, so not abandoned"
    assert not names_in(tmp_path)


def test_a_model_file_that_is_replaced_is_read_again(tmp_path):
    path = Path(tmp_path, "model.skops")
    batch = pa.record_batch({"user": [7], "items": [["tea"]]})
    found = []
    for other in ("pot", "rum"):
        log = {"user": [1, 1, 2, 2], "item": ["tea", other, "tea", other]}
        encoder = InteractionEncoder()
        model = EASE(alpha=1.0).fit(encoder.fit_transform(log))
        skrec.save({"model": model, "encoder": encoder}, path)
        [lists] = skrec.dask.recommend_batches(path, k=1)([batch])
        found += lists.column("item").to_pylist()
    assert found == ["pot", "rum"]
