"""scan_interactions: what load_interactions gives, in batches."""

import csv
import gzip
import os
import subprocess
import sys
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy.sparse import vstack

from skrec._log import _gathered
from skrec._log._growing_ids import WholeIds
from skrec.datasets import _scan_readers, load_interactions, scan_interactions


def _outcome(read, path, params, large):
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always")
        monkeypatch.setattr(_scan_readers, "_LARGE", large)
        try:
            data = read(path, **params)
        except ValueError as error:
            return str(error), []
    return data, sorted(str(warning.message) for warning in caught)


def _assert_same(path, params, **more):
    """Small and large logs are the same log, error and warnings.

    Small ones are read as tables in memory, or line by line with ids in dictionaries of Python.
    """
    (loaded, said), (scanned, also_said) = (
        _outcome(load_interactions, path, params, 1 << 40),
        _outcome(scan_interactions, path, params | more, 0),
    )
    assert said == also_said
    if isinstance(loaded, str) or isinstance(scanned, str):
        assert loaded == scanned
        return
    assert loaded.keys() == scanned.keys()
    for name in ("user_ids", "item_ids", "user", "item", "timestamp"):
        if name in loaded:
            assert_array_equal(scanned[name], loaded[name])
            assert scanned[name].dtype == loaded[name].dtype, name
    for name in ("data", "indices", "indptr"):
        one, other = getattr(scanned.X, name), getattr(loaded.X, name)
        assert_array_equal(one, other)
        assert one.dtype == other.dtype, name
    assert scanned.X.shape == loaded.X.shape
    for name in ("value_name", "n_dropped", "n_negative", "DESCR"):
        assert scanned[name] == loaded[name]


ids = {
    "text": st.sampled_from(["ann", "bob", "é", "x" * 20, "a longer id", "", "nan", "7"]),
    "digits": st.integers(0, 12).map(str),
    "small": st.integers(0, 6),
    "whole": st.sampled_from([-(2**63), -5, 0, 1, 7, 2**40, 2**63 - 1]),
}
values = {
    "none": None,
    "counts": st.integers(1, 3).map(float),
    "ratings": st.sampled_from([0.5, 1.0, 3.3, -1.0, 0.0]),
    "large": st.sampled_from([1.0, 2.0**24, 2.0**24 + 1, 1e-40]),
}
times = {
    "none": None,
    "seconds": st.integers(0, 5),
    "large": st.sampled_from([0, 2**31, 2**40]),
    "fractions": st.sampled_from([0.5, 1.0, 2.0]),
}


@st.composite
def logs(draw):
    """Columns of a log, and where it is cut into files."""
    user, item = (ids[draw(st.sampled_from(sorted(ids)))] for _ in range(2))
    value = values[draw(st.sampled_from(sorted(values)))]
    time = times[draw(st.sampled_from(sorted(times)))]
    n = draw(st.integers(1, 40))
    columns = {"user": user, "item": item, "rating": value, "timestamp": time}
    columns = {
        name: draw(st.lists(entries, min_size=n, max_size=n))
        for name, entries in columns.items()
        if entries is not None
    }
    cuts = sorted(draw(st.lists(st.integers(0, n), max_size=3)))
    return columns, [0, *cuts, n]


rules = st.fixed_dictionaries(
    {},
    optional={
        "duplicates": st.sampled_from(["sum", "count", "first", "last", "max", "mean", "error"]),
        "negative": st.sampled_from(["keep", "drop", "subtract", "error"]),
        "drop_missing": st.just(True),
        "dtype": st.sampled_from([np.float32, np.float64, np.int32]),
        "as_times": st.just(True),
        "value": st.none(),
        "timestamp": st.none(),
    },
).filter(
    lambda rules: rules.get("negative") != "subtract" or rules.get("duplicates", "sum") == "sum"
)


@settings(max_examples=60)
@given(log=logs(), rules=rules, data=st.data())
def test_parquet_is_read_as_load_interactions_reads_it(tmp_path_factory, log, rules, data):
    columns, cuts = log
    frame = pa.table(columns)
    if data.draw(st.booleans()):  # what is missing
        name = data.draw(st.sampled_from(sorted(columns)))
        gone = data.draw(st.lists(st.integers(0, len(frame) - 1), max_size=2))
        column = [None if row in gone else x for row, x in enumerate(columns[name])]
        frame = frame.set_column(frame.column_names.index(name), name,
                                 pa.array(column, frame.schema.field(name).type))  # fmt: skip
    if data.draw(st.booleans()):
        place = data.draw(st.integers(0, 1))
        encoded = frame.column(place).dictionary_encode()
        frame = frame.set_column(place, frame.column_names[place], encoded)
    folder = tmp_path_factory.mktemp("log")
    for part, (start, stop) in enumerate(zip(cuts[:-1], cuts[1:], strict=True)):
        pq.write_table(
            frame.slice(start, stop - start), folder / f"{part}.parquet",
            row_group_size=data.draw(st.integers(1, 20)),
        )  # fmt: skip
    chunk = data.draw(st.sampled_from([1, 3, 1 << 16]))
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(_gathered, "_CHUNK", chunk)
        path = folder / "0.parquet" if len(cuts) == 2 else folder
        _assert_same(path, rules, batch_size=data.draw(st.integers(1, 50)))


@settings(max_examples=60)
@given(
    log=logs(),
    rules=rules,
    form=st.fixed_dictionaries(
        {
            "end": st.sampled_from(["\n", "\r\n"]),
            "delimiter": st.sampled_from([",", "\t", "::"]),
            "header": st.sampled_from([True, True, False]),
            "odd": st.sampled_from(["", "", "", '"', "one", "a,b::c\td\te", "\r"]),
            "zipped": st.booleans(),
        }
    ),
    batch_size=st.integers(1, 40),
)
def test_text_is_read_as_load_interactions_reads_it(tmp_path_factory, log, rules, form, batch_size):
    columns, cuts = log
    rows = list(zip(*columns.values(), strict=True))
    folder = tmp_path_factory.mktemp("log")
    for part, (start, stop) in enumerate(zip(cuts[:-1], cuts[1:], strict=True)):
        lines = [form["delimiter"].join(map(str, row)) for row in rows[start:stop]]
        if form["header"]:
            lines.insert(0, form["delimiter"].join(columns))
        if form["odd"] and part == len(cuts) - 2:
            lines.append(form["odd"])
        content = (form["end"].join(lines) + form["end"] * bool(lines)).encode()
        name = f"{part}.csv.gz" if form["zipped"] else f"{part}.csv"
        (folder / name).write_bytes(gzip.compress(content) if form["zipped"] else content)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(_gathered, "_CHUNK", 7)
        _assert_same(folder, rules | {"header": form["header"]}, batch_size=batch_size)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([2.0, 1.0, 2.0]),
        pa.array([2.5, 1.0, float("nan")]),
        pa.array([True, False, True]),
        pa.array([b"b", b"a", b"b"]),
        pa.array([2**64 - 1, 1, 2], pa.uint64()),
        pa.array([2, 1, 2], pa.uint64()),
        pa.array([2, 1, 2], pa.int8()),
        pa.array(["b", "a", "b"], pa.large_string()),
        pa.array(["b", "a\0", "b"]),
        pa.array(["b", "a" * 600, "b"]),
        pa.array([2, 1, 2], pa.date32()),
        pa.array([[1], [2], [1]]),
        pa.DictionaryArray.from_arrays(pa.array([0, 2, 0]), pa.array([9, 8, 7])),
        pa.nulls(3),
    ],
    ids=lambda column: str(column.type),
)
def test_ids_of_any_type(tmp_path, column):
    table = pa.table({"user": column, "item": [1, 2, 3]})
    pq.write_table(table, tmp_path / "log.parquet")
    for batch_size in (1, 2, 100):
        _assert_same(tmp_path / "log.parquet", {}, batch_size=batch_size)


@pytest.mark.parametrize(
    "column",
    [
        ["1", "2.5", "0"],
        ["1", "2,5", "0"],
        ["1", "x", None],
        [1, 2, None],
        [1.0, float("inf"), 3.0],
        [True, False, True],
        [pd.Timestamp("2024-01-01"), None, pd.Timestamp("2024-01-02")],
        [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-01 00:00:00.5"), pd.Timestamp(0)],
    ],
)
@pytest.mark.parametrize("name", ["rating", "timestamp"])
def test_values_and_times_of_any_type(tmp_path, column, name):
    table = pa.table({"user": ["a", "b", "a"], "item": [1, 2, 3], name: column})
    pq.write_table(table, tmp_path / "log.parquet")
    for batch_size in (1, 2, 100):
        for drop_missing in (False, True):
            _assert_same(
                tmp_path / "log.parquet", {"drop_missing": drop_missing}, batch_size=batch_size
            )


def test_ids_grow(tmp_path):
    """Beyond the first tables, with ids that differ in length and in size."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 30_000, (2, 60_000))
    log = {
        "text": ["u" * (code % 11) + str(code * code) for code in codes[0]],
        "wide": codes[1] * 0x1234567890 - 2**40,
        "direct": codes[0] + 5,
        "far": codes[1] * 40,
    }
    pq.write_table(pa.table(log), tmp_path / "log.parquet", row_group_size=9_000)
    for user, item in (("text", "wide"), ("direct", "far"), ("wide", "direct")):
        _assert_same(tmp_path / "log.parquet", {"user": user, "item": item}, batch_size=7_000)


def test_a_large_log_is_not_held_as_columns(tmp_path, monkeypatch):
    """40 bytes a line beyond the matrix, which has 18 with its users and times."""
    rng, n = np.random.default_rng(0), 200_000
    log = {
        "user": [f"u{code}" for code in rng.integers(0, 2_000, n)],
        "item": rng.integers(0, 500, n),
        "rating": rng.integers(1, 6, n) / 2,
        "timestamp": rng.integers(0, 10**9, n),
    }
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table(log), path)
    peaks = []
    for large in (0, 1 << 40):
        monkeypatch.setattr(_scan_readers, "_LARGE", large)
        load_interactions(path)  # what is compiled stays
        tracemalloc.start()
        load_interactions(path)
        peaks.append(tracemalloc.get_traced_memory()[1] / n)
        tracemalloc.stop()
    assert peaks[0] < 58 < peaks[1]


_DENSE = np.arange(5_000)
_HASHES = _DENSE.repeat(10) + np.arange(50_000) * 0x1234567890AB + 2**40


@pytest.mark.parametrize(
    "blocks",
    [[_DENSE], [_HASHES], [_DENSE, _HASHES, _DENSE], [_HASHES, _DENSE], [_DENSE * 3, _DENSE * 40]],
    ids=["dense", "hashes", "first dense", "then dense", "spread"],
)
def test_whole_ids_take_places_for_small_numbers_where_these_occur(blocks):
    """Each number keeps its code, also one that moves between table and places."""
    known, ids = {}, WholeIds()
    for block in blocks:
        expected = [known.setdefault(word, len(known)) for word in block.tolist()]
        assert_array_equal(ids.encode(pa.array(block)), expected)
    assert_array_equal(ids.take(np.arange(len(known))), list(known))
    held = [array.nbytes for array in vars(ids).values() if isinstance(array, np.ndarray)]
    assert sum(held) <= 64 * len(known)


_WITHOUT_JIT = """
import sys
import warnings

import numpy as np

from skrec.datasets import _scan_readers, load_interactions, scan_interactions

warnings.simplefilter("error")
_scan_readers._LARGE = 0  # all text is read in blocks
folder = sys.argv[1]
for name in ("log.csv", "log.parquet"):
    for read in (load_interactions, scan_interactions):
        data = read(f"{folder}/{name}")
        np.savez(
            f"{folder}/{name}.{read.__name__}.npz",
            user_ids=data.user_ids, item_ids=data.item_ids, indices=data.X.indices,
            indptr=data.X.indptr, counts=data.X.data,
        )
"""


def test_without_compilation(tmp_path):
    """NUMBA_DISABLE_JIT, under which debuggers and coverage see the kernels."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 6_000, 10_000)
    log = pd.DataFrame(
        {"user": [f"{'a long name' * (code % 3)}{code}" for code in codes],
         "item": (codes % 50 - 9) * 0x1234567890AB}
    )  # fmt: skip
    log.to_parquet(tmp_path / "log.parquet")
    log.to_csv(tmp_path / "log.csv", index=False, quoting=csv.QUOTE_NONNUMERIC)
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_JIT, tmp_path],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    compiled = load_interactions(log)
    for name in ("log.csv", "log.parquet"):
        for read in ("load_interactions", "scan_interactions"):
            found = np.load(tmp_path / f"{name}.{read}.npz")
            for side in ("user_ids", "item_ids"):
                assert_array_equal(found[side], compiled[side])
            for part in ("indices", "indptr"):
                assert_array_equal(found[part], getattr(compiled.X, part))
            assert_array_equal(found["counts"], compiled.X.data)


def test_a_bad_line_is_named(tmp_path):
    lines = ["user,item,rating", *(f"u{row},i{row % 7},1" for row in range(50))]
    lines[31], lines[40] = "u1,i1", "u1,i1,x"
    (tmp_path / "a.csv").write_text("user,item,rating\nu1,i1,1\n")
    (tmp_path / "b.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match=r"b\.csv, line 32: found 2 fields.* In total, .*line 41"):
        scan_interactions(tmp_path, batch_size=3)
    _assert_same(tmp_path, {}, batch_size=3)


def test_folders_of_days_are_columns(tmp_path):
    for day in (1, 2):
        (tmp_path / f"day={day}").mkdir()
        table = pa.table({"user": ["a", "b"], "item": [day, 3]})
        pq.write_table(table, tmp_path / f"day={day}" / "part.parquet")
    _assert_same(tmp_path, {"timestamp": "day"})
    (tmp_path / "_SUCCESS").write_text("")
    assert scan_interactions(tmp_path, timestamp="day").timestamp.tolist() == [1, 2, 2]


def test_parts_are_rows_of_the_whole(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"user": rng.zipf(1.5, 3000) % 97, "item": rng.integers(0, 40, 3000), "timestamp": 1}
    )
    frame["timestamp"] = np.arange(3000)
    frame.to_parquet(tmp_path / "log.parquet")
    whole = scan_interactions(tmp_path / "log.parquet")
    n_users = whole.X.shape[0]
    for n_parts in (1, 2, 5, n_users):
        parts = scan_interactions(tmp_path / "log.parquet", n_parts=n_parts)
        assert len(parts) == n_parts
        assert min(part.X.shape[0] for part in parts) >= 1
        joined = vstack([part.X for part in parts], format="csr")
        assert_array_equal(joined.toarray(), whole.X.toarray())
        assert_array_equal(np.concatenate([part.user_ids for part in parts]), whole.user_ids)
        assert_array_equal(np.concatenate([part.timestamp for part in parts]), whole.timestamp)
        assert all(part.item_ids is parts[0].item_ids for part in parts)
        assert all(part.X.data.base is not None for part in parts)
        matrices = scan_interactions(tmp_path / "log.parquet", n_parts=n_parts, return_X=True)
        assert [X.shape for X in matrices] == [part.X.shape for part in parts]
    halves = [part.X.nnz for part in scan_interactions(tmp_path / "log.parquet", n_parts=2)]
    longest = np.diff(whole.X.indptr).max()
    assert abs(halves[0] - halves[1]) <= 2 * longest
    with pytest.raises(ValueError, match=rf"has {n_users} users.*n_parts={n_users + 1}"):
        scan_interactions(tmp_path / "log.parquet", n_parts=n_users + 1)


def test_parts_fit_as_the_whole_does(tmp_path):
    from skrec.linear_model import EASE

    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"user": rng.integers(0, 90, 900), "item": rng.integers(0, 20, 900)})
    frame.to_parquet(tmp_path / "log.parquet")
    model = EASE(alpha=5.0)
    for X in scan_interactions(tmp_path / "log.parquet", n_parts=3, return_X=True):
        model.partial_fit(X)
    whole = EASE(alpha=5.0).fit(load_interactions(tmp_path / "log.parquet", return_X=True))
    np.testing.assert_allclose(model.coef_, whole.coef_, atol=1e-5)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"n_parts": 0}, ValueError, "n_parts must be a whole number of at least 1. Got 0"),
        ({"batch_size": True}, ValueError, "batch_size must be a whole number"),
        ({"batch_size": None}, ValueError, "batch_size must be a whole number"),
        ({"duplicates": "all"}, ValueError, "duplicates must be one of"),
        ({"negative": "subtract", "duplicates": "last"}, ValueError, "pass duplicates='sum'"),
        ({"decimal": ";"}, ValueError, "decimal must be"),
    ],
)
def test_bad_parameters(tmp_path, params, error, message):
    (tmp_path / "log.csv").write_text("user,item\na,b\n")
    with pytest.raises(error, match=message):
        scan_interactions(tmp_path / "log.csv", **params)


def test_what_is_not_scanned(tmp_path):
    with pytest.raises(TypeError, match=r"Got DataFrame; read a log in memory with .*load_inter"):
        scan_interactions(pd.DataFrame({"user": [1], "item": [2]}))
    (tmp_path / "log.json").write_text('{"user": 1, "item": 2}\n')
    with pytest.raises(ValueError, match=r"is of kind json. Expected parquet, or text"):
        scan_interactions(tmp_path / "log.json")
    with pytest.raises(FileNotFoundError):
        scan_interactions(tmp_path / "none.parquet")


def test_urls(tmp_path):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    table = pa.table({"user": ["a", "b", "a"], "item": [1, 2, 2]})
    for part in range(2):
        pq.write_table(table.slice(part), tmp_path / f"{part}.parquet")
        memory.pipe(f"/logs/{part}.parquet", (tmp_path / f"{part}.parquet").read_bytes())
    memory.pipe("/logs/_SUCCESS", b"")
    memory.pipe("/text/log.csv", b"user,item\na,1\nb,x\n")
    memory.pipe("/text/log.csv.gz", gzip.compress(b"user,item\na,1\nb,x\n"))
    expected = load_interactions(tmp_path).X.toarray()
    for read in (scan_interactions, load_interactions):
        for path in (
            "memory://logs", "memory://logs/*.parquet", f"file://{tmp_path}",
            ["memory://logs/0.parquet", "memory://logs/1.parquet"],
        ):  # fmt: skip
            assert_array_equal(read(path).X.toarray(), expected)
        one = read("memory://logs/0.parquet")
        assert_array_equal(one.X.toarray(), [[1, 1], [0, 1]])
        for name in ("log.csv", "log.csv.gz"):
            assert read(f"memory://text/{name}").item_ids.tolist() == ["1", "x"]
        with pytest.raises(FileNotFoundError, match=r"There is no file memory://none"):
            read("memory://none")
        with pytest.raises(ValueError, match=r"cannot be opened.*protocol"):
            read("nonsense://logs")
        with pytest.raises(ValueError, match=r"twice, as memory:///logs/0\.parquet"):
            read(["memory://logs", "memory://logs/0.parquet"])
        with pytest.raises(ValueError, match="in several places"):
            read(["memory://logs/0.parquet", str(tmp_path / "1.parquet")])
    memory.pipe("/text/bad.csv", b"user,item,rating\na,1,3\nb,x,y\n")
    with pytest.raises(ValueError, match=r"memory:///text/bad.csv, line 3: found 'y'"):
        scan_interactions("memory://text/bad.csv")


def test_urls_without_fsspec(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(ImportError, match=r"s3://b/log is a URL.*pip install fsspec"):
        scan_interactions("s3://b/log")


def test_warnings_point_to_the_caller(tmp_path):
    pq.write_table(
        pa.table({"user": [1.0, 2.0], "item": ["nan", "x"], "value": [-1, 2]}),
        tmp_path / "log.parquet",
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scan_interactions(tmp_path / "log.parquet")
    assert len(caught) == 3
    assert {warning.filename for warning in caught} == {__file__}
