"""Logs in parts to ids, lists and metrics, without a cluster."""

import numpy as np
import pyarrow as pa
import pytest
from pyarrow.parquet import read_table, write_table

import skrec
import skrec.dask
from skrec.datasets import make_interactions
from skrec.linear_model import EASE
from skrec.metrics import evaluate
from skrec.preprocessing import InteractionEncoder

X = make_interactions(200, 25, 1_200, random_state=1, return_X=True)
ITEMS = np.array([f"i{n:02d}" for n in range(25)])


def log_of(rows):
    user, item = X[rows].nonzero()
    return pa.table({"user": 1_000 + np.arange(200)[rows][user], "item": ITEMS[item]})


PARTS = [slice(0, 60), slice(60, 61), slice(61, 200)]
LOG = log_of(slice(0, 200))


@pytest.fixture
def logs(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    for number, rows in enumerate(PARTS):
        write_table(log_of(rows), folder / f"day-{number}.parquet")
    write_table(LOG.slice(0, 0), folder / "day-9.parquet")
    return folder


@pytest.fixture
def fitted():
    encoder = InteractionEncoder(unknown_items="ignore")
    return EASE(alpha=20.0).fit(encoder.fit_transform(LOG)), encoder


def expected_lists(model, encoder, k):
    rows, users = encoder.transform_histories(LOG)
    lists = model.recommend(rows, k)
    return {u: list(encoder.item_ids_[row]) for u, row in zip(users.tolist(), lists, strict=True)}


def lists_in(tables):
    found = {}
    for table in tables:
        for line in table.to_pylist():
            lists = found.setdefault(line["user"], [])
            lists.append(line["item"])
            assert line["rank"] == len(lists)
    return found


@pytest.mark.parametrize("counts", [(1, 1), (4, 1), (1, 45), (4, 40), (5, 30)])
def test_ids_of_parts_are_those_of_one_log(logs, counts):
    users, items = counts
    encoder = InteractionEncoder(min_user_count=users, min_item_count=items)
    whole = InteractionEncoder(min_user_count=users, min_item_count=items).fit(LOG)
    found = skrec.dask.fit_encoder(logs, encoder)
    assert np.array_equal(found.user_ids_, whole.user_ids_)
    assert np.array_equal(found.item_ids_, whole.item_ids_)
    assert not hasattr(encoder, "item_ids_")


def test_ids_that_cannot_be(logs):
    with pytest.raises(ValueError, match="No interaction is left"):
        skrec.dask.fit_encoder(logs, InteractionEncoder(min_item_count=1_000))
    with pytest.raises(ValueError, match="0 interactions"):
        skrec.dask.fit_encoder([LOG.slice(0, 0)])
    with pytest.raises(ValueError, match="an InteractionEncoder"):
        skrec.dask.fit_encoder(logs, EASE())


def test_a_fit_on_files_of_logs_is_that_on_one_log(logs, fitted):
    model, _ = fitted
    found = skrec.dask.fit(EASE(alpha=20.0), logs, encoder=skrec.dask.fit_encoder(logs))
    assert np.array_equal(found.coef_, model.coef_)


def test_lists_of_files_are_those_of_one_call(logs, fitted, tmp_path):
    model, encoder = fitted
    folder = tmp_path / "lists"
    paths = skrec.dask.recommend(model, logs, folder, k=4, encoder=encoder)
    assert [path.name for path in paths] == [f"day-{n}.parquet" for n in (0, 1, 2, 9)]
    tables = [read_table(path) for path in paths]
    assert len({table.schema.remove_metadata() for table in tables}) == 1, "an empty part too"
    assert lists_in(tables) == expected_lists(model, encoder, 4)
    assert sorted(path.name for path in folder.iterdir()) == [p.name for p in paths]
    # A path of a saved model, and a second call that goes on where the first was stopped.
    saved = skrec.save({"model": model, "encoder": encoder}, tmp_path / "model.skops")
    before = {path.name: path.read_bytes() for path in paths}
    times = {path.name: path.stat().st_mtime_ns for path in paths}
    paths[1].unlink()
    assert skrec.dask.recommend(model, logs, folder, k=4, encoder=encoder) == paths
    assert {path.name: path.read_bytes() for path in paths} == before
    kept = [path for path in paths if path.stat().st_mtime_ns == times[path.name]]
    assert kept == [paths[0], *paths[2:]], "what was there is left as it is"
    other = skrec.dask.recommend(saved, logs, tmp_path / "others", k=4)
    assert [read_table(path) for path in other] == tables


def test_lists_of_something_else_are_never_taken_for_these(logs, fitted, tmp_path):
    model, encoder = fitted
    folder = tmp_path / "lists"
    skrec.dask.recommend(model, logs, folder, k=4, encoder=encoder)
    weaker = EASE(alpha=200.0).fit(encoder.transform(LOG))
    with pytest.raises(ValueError, match=r"day-0.parquet exists.*overwrite=True"):
        skrec.dask.recommend(model, logs, folder, k=5, encoder=encoder)
    with pytest.raises(ValueError, match="exists and comes from another model"):
        skrec.dask.recommend(weaker, logs, folder, k=4, encoder=encoder)
    (folder / "day-1.parquet").write_bytes(b"no parquet")
    with pytest.raises(ValueError, match=r"day-1.parquet exists"):
        skrec.dask.recommend(model, logs, folder, k=4, encoder=encoder)
    paths = skrec.dask.recommend(weaker, logs, folder, k=4, encoder=encoder, overwrite=True)
    assert lists_in(map(read_table, paths)) == expected_lists(weaker, encoder, 4)
    assert not list(folder.glob(".*")), "no model and no half file is left"
    with pytest.raises(ValueError, match=r"for the file day-0.parquet"):
        skrec.dask.recommend(model, [logs / "day-0.parquet"] * 2, folder, encoder=encoder)
    with pytest.raises(ValueError, match="k must be"):
        skrec.dask.recommend(model, logs, folder, k=0, encoder=encoder)


def test_a_log_recommender_answers_with_its_own_columns(logs, tmp_path):
    model = skrec.LogRecommender(EASE(alpha=20.0), titles=dict.fromkeys(ITEMS, "T")).fit(LOG)
    files = sorted(logs.glob("day-[012].parquet"))
    tables = [read_table(p) for p in skrec.dask.recommend(model, files, tmp_path / "l", k=3)]
    whole = model.recommend(LOG, 3)
    assert lists_in(tables) == lists_in([whole])
    assert "title" in tables[0].column_names
    with pytest.raises(ValueError, match="leave encoder out"):
        skrec.dask.recommend(model, files, tmp_path, encoder=InteractionEncoder())


def test_matrices_get_lists_by_row_and_column(tmp_path):
    model = EASE(alpha=20.0).fit(X)
    paths = skrec.dask.recommend(model, [X[:150], X[150:]], tmp_path, k=3)
    assert lists_in([read_table(paths[1])]) == dict(enumerate(model.recommend(X[150:], 3).tolist()))


def test_evaluation_of_parts_is_that_of_all(fitted):
    model, _ = fitted
    metrics = ["ndcg@10", "recall@5"]
    whole = evaluate(model, X, None, metrics)
    parts = skrec.dask.evaluate(model, [X[:90], X[90:90], X[90:]], metrics)
    assert set(parts) == set(whole)
    for name in metrics:
        assert np.array_equal(parts.per_user[name], whole.per_user[name], equal_nan=True)
        assert parts.mean[name] == whole.mean[name]
        assert parts.standard_error[name] == whole.standard_error[name]
    assert repr(parts) == repr(whole)
    y = X[:, ::-1].tocsr()
    pairs = [(X[:90], y[:90]), (X[90:], y[90:])]
    assert skrec.dask.evaluate(model, pairs, metrics).mean == evaluate(model, X, y, metrics).mean


def test_record_batches_to_record_batches(fitted, tmp_path):
    model, encoder = fitted
    path = skrec.save({"model": model, "encoder": encoder}, tmp_path / "model.skops")
    expected = expected_lists(model, encoder, 5)
    rows, users = encoder.transform_histories(LOG)
    histories = [list(encoder.item_ids_[X_u.indices]) for X_u in rows]
    batches = [
        pa.record_batch({"who": users[part], "has": histories[part]})
        for part in (slice(0, 70), slice(70, 200))
    ]
    function = skrec.dask.recommend_batches(path, k=5, user="who", items="has")
    found = list(function(iter(batches)))
    assert all(isinstance(batch, pa.RecordBatch) for batch in found)
    assert lists_in(found) == expected
    with pytest.raises(ValueError, match="no column 'user'"):
        list(skrec.dask.recommend_batches(path)(batches))
    with pytest.raises(ValueError, match="dict with 'model' and 'encoder'"):
        list(skrec.dask.recommend_batches(skrec.save(model, tmp_path / "m.skops"))(batches))
