"""Logs in several files: what differs between the parts is no silent part of the result."""

import os
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_array_equal

from skrec.datasets import _scan_readers, load_interactions, scan_interactions


@pytest.fixture(params=[load_interactions, scan_interactions], ids=["load", "scan"])
def read(request):
    return request.param


def _write(folder, *tables):
    for place, table in enumerate(tables):
        pq.write_table(pa.table(table), folder / f"{place}.parquet")
    return folder


def _times(values, unit, tz=None):
    return pa.array(values, pa.timestamp(unit, tz))


@pytest.mark.parametrize(
    ("name", "one", "other", "message"),
    [
        ("timestamp", pa.array([1_600_000_000]), _times([1_600_000_000_000_000], "us"),
         r"'timestamp' is timestamp\[us\] in .*1\.parquet, and int64 in .*0\.parquet"),
        ("timestamp", _times([1], "us"), _times([1], "us", "UTC"), r"tz=UTC\] in .*1\.parquet"),
        ("item", pa.array([4]), pa.array(["007"]), "'item' is string in .*and int64 in"),
        ("item", pa.array(["007"]), pa.array([4]), "'item' is int64 in .*and string in"),
        ("item", pa.array([4]), pa.array([4.0]), "'item' is double in .*and int64 in"),
        ("item", pa.array(["a"]), pa.array([b"a"]), "'item' is binary in .*and string in"),
        ("rating", pa.array([4]), pa.array(["4"]), "'rating' is string in .*and int64 in"),
        ("item", pa.array([-1]), pa.array([2**63], pa.uint64()), "cannot be read as one table"),
        ("rating", pa.array([2**60 + 1]), pa.array([0.5]), "cannot be read as one table"),
    ],
)  # fmt: skip
def test_types_of_two_meanings_are_refused(tmp_path, read, name, one, other, message):
    common = {"user": pa.array([1]), "item": pa.array([2])}
    _write(tmp_path, common | {name: one}, common | {name: other})
    with pytest.raises(ValueError, match=message):
        read(tmp_path)


@pytest.mark.parametrize("turned", [False, True])
def test_types_widen(tmp_path, read, turned):
    tables = [
        {
            "user": pa.array(["a", "b"]).dictionary_encode(),
            "item": pa.array([1, 2], pa.int8()),
            "rating": pa.array([1, 2]),
            "timestamp": _times([1, 2], "s"),
        },
        {
            "user": pa.array(["b", "c"], pa.large_string()),
            "item": pa.array([2**40, 1]),
            "rating": pa.array([0.5, 2.5], pa.float32()),
            "timestamp": _times([3_000_000, 4_000_000], "us"),
        },
    ]
    data = read(_write(tmp_path, *(tables[::-1] if turned else tables)))
    assert data.user_ids.tolist() == ["a", "b", "c"]
    assert data.item_ids.tolist() == [1, 2, 2**40]
    assert_array_equal(data.X.toarray(), [[1, 0, 0], [0, 2, 0.5], [2.5, 0, 0]])
    assert data.timestamp.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("columns", [("user", "item"), ("user", "item", "rating"), ("user",), ()])
@pytest.mark.parametrize("place", [0, 1])
def test_parts_without_rows_have_no_say(tmp_path, read, columns, place):
    """pandas writes columns of objects without rows as nulls, or as floats."""
    filled = {"user": ["a", "b"], "item": [1, 2]}
    for kind in (pa.null(), pa.float64()):
        tables = [filled]
        tables.insert(place, {name: pa.array([], kind) for name in columns})
        data = read(_write(tmp_path, *tables))
        assert data.user_ids.tolist() == ["a", "b"]
        assert_array_equal(data.X.toarray(), np.eye(2))
        assert data.value_name is None


def test_decimals_widen(tmp_path, read):
    for place, value in enumerate(("1.5", "100.25")):
        table = {"user": ["a"], "item": [place], "rating": [Decimal(value)]}
        pq.write_table(pa.table(table), tmp_path / f"{place}.parquet")
    assert_array_equal(read(tmp_path).X.toarray(), [[1.5, 100.25]])


def test_nulls_are_of_any_type(tmp_path, read):
    _write(
        tmp_path,
        {"user": ["a"], "item": [1], "rating": pa.nulls(1)},
        {"user": ["a"], "item": [2], "rating": [2.0]},
    )
    data = read(tmp_path, drop_missing=True)
    assert_array_equal(data.X.toarray(), [[2]])
    assert data.n_dropped == 1


@pytest.mark.parametrize(("name", "value"), [("rating", 5.0), ("timestamp", 7)])
@pytest.mark.parametrize("place", [0, 1])
def test_columns_that_some_parts_lack_are_refused(tmp_path, read, name, value, place):
    tables = [{"user": [1], "item": [2]}, {"user": [1], "item": [3]}]
    tables[place][name] = [value]
    _write(tmp_path, *tables)
    message = rf"{1 - place}\.parquet has no column '{name}', .*{place}\.parquet has it"
    with pytest.raises(ValueError, match=message):
        read(tmp_path)
    data = read(tmp_path, **{"value" if name == "rating" else name: None})
    assert_array_equal(data.X.toarray(), [[1, 1]])


def test_columns_are_told_by_name_in_each_part(tmp_path, read):
    """Another order, columns that are not read, and folders that name a column."""
    for day, table in (
        (1, {"user": ["a"], "item": [1], "shop": ["x"]}),
        (2, {"page": [1], "item": [2], "user": ["b"]}),
    ):
        (tmp_path / f"day={day}").mkdir()
        pq.write_table(pa.table(table), tmp_path / f"day={day}" / "log.parquet")
    data = read(tmp_path, timestamp="day")
    assert data.user_ids.tolist() == ["a", "b"]
    assert data.item_ids.tolist() == [1, 2]
    assert data.timestamp.tolist() == [1, 2]


@pytest.mark.parametrize("large", [0, 1 << 20])
@pytest.mark.parametrize(
    "late", ["user,item\n3,4\n", "user,item\n", "name,thing\n3,4\n5,6\n"], ids=repr
)
def test_a_header_only_in_a_later_part_is_refused(tmp_path, monkeypatch, read, large, late):
    monkeypatch.setattr(_scan_readers, "_LARGE", large)
    (tmp_path / "a.csv").write_text("1,2\n3,2\n1,4\n")
    (tmp_path / "b.csv").write_text(late)
    with pytest.raises(ValueError, match=r"first line of b\.csv looks like a header, but a\.csv"):
        read(tmp_path)
    data = read(tmp_path, header=False)
    assert late.split(",")[0] in data.user_ids


def test_a_file_that_stands_there_twice_is_refused(tmp_path, read):
    folder = tmp_path / "log"
    folder.mkdir()
    (folder / "a.csv").write_text("user,item\n1,2\n3,2\n")
    (folder / "b.csv").write_text("user,item\n1,2\n3,2\n")
    (tmp_path / "link.csv").symlink_to(folder / "a.csv")
    for paths in (
        [folder / "a.csv", folder],
        [folder / "a.csv", folder / "a.csv"],
        [str(folder / "*.csv"), os.path.join(folder, "..", "log", "b.csv")],
        [folder / "a.csv", tmp_path / "link.csv"],
    ):
        with pytest.raises(ValueError, match="a file occurs twice"):
            read(paths)
    # Two files with the same lines are two files.
    assert_array_equal(read([folder / "a.csv", folder / "b.csv"]).X.toarray(), [[2], [2]])
