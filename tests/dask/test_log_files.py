"""Parts that are files of logs: what is read of them, and what is said of bad ones."""

import numpy as np
import pytest

import skrec
import skrec.dask
from skrec.dask._log_files import read_csv_log, read_parquet_log
from skrec.datasets import make_interactions
from skrec.linear_model import EASE
from skrec.preprocessing import InteractionEncoder

pa = pytest.importorskip("pyarrow")
pc = pytest.importorskip("pyarrow.csv")
pq = pytest.importorskip("pyarrow.parquet")

USERS, ITEMS = make_interactions(60, 20, 400, random_state=2, return_X=True).nonzero()
LOG = pa.table(
    {
        "note": ["a note"] * len(USERS),
        "user": [f"user{code}" for code in USERS],
        "item": ITEMS * 3,
        "value": np.arange(len(USERS)) % 5 / 4,
        "day": pa.array((1 + np.arange(len(USERS)) % 9).astype("datetime64[D]")),
    }
)


def write(folder, log, kind):
    path = folder / f"log.{kind}"
    if kind == "csv":
        pc.write_csv(log, path)
    else:
        pq.write_table(log, path, row_group_size=100)
    return path


def read(path, encoder):
    return (read_csv_log if path.suffix == ".csv" else read_parquet_log)(path, encoder)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_only_the_columns_of_the_encoder_are_read(kind, tmp_path):
    path = write(tmp_path, LOG, kind)
    for options, names in (({}, []), ({"value": "value"}, ["value"]), ({"value": "day"}, ["day"])):
        table = read(path, InteractionEncoder(**options))
        assert table.column_names == ["user", "item", *names]
        assert pa.types.is_dictionary(table.schema.field("user").type)
        assert table["user"].to_pylist() == LOG["user"].to_pylist()


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"value": "value", "duplicates": "max"},
        {"value": "day", "duplicates": "last", "timestamp": "day"},
        {"user": "item", "item": "user", "min_item_count": 4},
    ],
    ids=str,
)
def test_a_file_is_the_log_in_memory(kind, options, tmp_path):
    path, encoder = write(tmp_path, LOG, kind), InteractionEncoder(**options)
    whole = InteractionEncoder(**options)
    X = whole.fit_transform(LOG)
    found = skrec.dask.fit_encoder([path], encoder)
    for name in ("user_ids_", "item_ids_"):
        assert np.array_equal(getattr(found, name), getattr(whole, name))
        assert getattr(found, name).dtype == getattr(whole, name).dtype
    rows, ids = found.transform_histories(read(path, found)) if not options.get("user") else (X, 0)
    assert rows.dtype == X.dtype
    assert np.array_equal(rows.toarray(), X.toarray())
    if not options.get("user"):
        assert np.array_equal(ids, whole.user_ids_)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_log_recommender_takes_the_files(kind, tmp_path):
    path = write(tmp_path, LOG.select(["user", "item"]), kind)
    model = skrec.LogRecommender(EASE(alpha=2.0)).fit(LOG.select(["user", "item"]))
    [lists] = skrec.dask.recommend(model, [path], tmp_path / "lists", k=3)
    expected = model.recommend(LOG.select(["user", "item"]), 3)
    found = pq.read_table(lists)
    for name in ("user", "item"):
        assert found[name].to_pylist() == expected[name].to_pylist()


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_what_is_wrong_with_a_file(kind, tmp_path):
    path = write(tmp_path, LOG, kind)
    with pytest.raises(ValueError, match=r"Column 'customer'.*'note', 'user', 'item'"):
        skrec.dask.fit_encoder([path], InteractionEncoder(user="customer"))
    gone = LOG.set_column(1, "user", pa.array(["ann", None] + ["bob"] * (len(LOG) - 2)))
    path = write(tmp_path, gone, kind)
    with pytest.raises(ValueError, match=r"Missing user id: entry 1 .*drop those 1 rows"):
        skrec.dask.fit_encoder([path])
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + (b",,,\n" if kind == "csv" else b""))
    what = "CSV" if kind == "csv" else kind
    with pytest.raises(ValueError, match=rf"log\.{kind} cannot be read as {what} .*write it again"):
        skrec.dask.fit_encoder([path])


def test_whole_numbers_of_csv_files_are_those_of_the_encoder(tmp_path):
    (tmp_path / "a.csv").write_text("item,user\n7,1\n9,1\n7,2\n")
    encoder = InteractionEncoder().fit({"user": [1, 2], "item": [9, 7]})
    table = read_csv_log(tmp_path / "a.csv", encoder)
    assert table["user"].to_pylist() == [1, 1, 2]
    assert table["item"].to_pylist() == [7, 9, 7]
