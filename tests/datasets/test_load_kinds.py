"""What a file is, by its first bytes: read, or refused by name with a remedy."""

import bz2
import gzip
import io
import json
import lzma
import pickle
import sqlite3
import tarfile
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from pyarrow import feather, ipc, orc

from skrec.datasets import _scan_readers, load_interactions

TEXT = b"user,item,rating,time\nann,7,4.5,1\nbob,9,3,2\nann,9,1,3\n"
FRAME = pd.DataFrame(
    {"user": ["ann", "bob", "ann"], "item": [7, 9, 9], "rating": [4.5, 3, 1], "time": [1, 2, 3]}
)
TABLE = pa.Table.from_pandas(FRAME)


def _write(tmp_path, data, name="log.dat"):
    path = tmp_path / name
    path.write_bytes(data)
    return path


def _is_the_log(data):
    assert_array_equal(data.X.toarray(), [[4.5, 1], [0, 3]])
    assert data.user_ids.tolist() == ["ann", "bob"]
    assert data.item_ids.tolist() == [7, 9]
    assert data.timestamp.tolist() == [1, 3, 2]
    assert data.value_name == "rating"


def _zip(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def _zstd(data):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


def _written(write):
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def _stream(buffer):
    with ipc.new_stream(buffer, TABLE.schema) as writer:
        writer.write_table(TABLE)


def _tar(buffer):
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo("log.csv")
        info.size = len(TEXT)
        archive.addfile(info, io.BytesIO(TEXT))


READ = {
    "text": TEXT,
    "gzip": gzip.compress(TEXT),
    "bzip2": bz2.compress(TEXT),
    "xz": lzma.compress(TEXT),
    "zstd": _zstd(TEXT),
    "zip": _zip(**{"log.csv": TEXT}),
    "zip of macOS": _zip(**{"log.csv": TEXT, "__MACOSX/._log.csv": b"\0\5"}),
    "parquet": _written(lambda buffer: pq.write_table(TABLE, buffer)),
    "feather": _written(lambda buffer: feather.write_feather(FRAME, buffer)),
    "arrow stream": _written(_stream),
    "orc": _written(lambda buffer: orc.write_table(TABLE, buffer)),
    "JSON lines": FRAME.to_json(orient="records", lines=True).encode(),
    "JSON lines, blank": b"\n" + FRAME.to_json(orient="records", lines=True).encode() + b"\n\n",
    "JSON records": FRAME.to_json(orient="records").encode(),
    "JSON, indented": json.dumps(FRAME.to_dict("records"), indent=1).encode(),
    "JSON columns": json.dumps(FRAME.to_dict("list")).encode(),
    "JSON of pandas": FRAME.to_json().encode(),
    "JSON, BOM": b"\xef\xbb\xbf" + FRAME.to_json(orient="records").encode(),
}


@pytest.mark.parametrize("kind", READ)
@pytest.mark.parametrize("name", ["log.csv", "log.gz", "log"])
def test_kinds_that_are_read_by_any_name(tmp_path, kind, name):
    _is_the_log(load_interactions(_write(tmp_path, READ[kind], name)))


@pytest.mark.parametrize("kind", ["parquet", "feather", "orc", "JSON lines", "text"])
def test_compressed_ones(tmp_path, kind):
    for compress in (gzip.compress, _zstd):
        _is_the_log(load_interactions(_write(tmp_path, compress(READ[kind]))))


@pytest.mark.parametrize("kind", ["gzip", "zstd", "zip"])
def test_large_compressed_text(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(_scan_readers, "_LARGE", 0)
    monkeypatch.setattr(_scan_readers, "careful_blocks", None)
    _is_the_log(load_interactions(_write(tmp_path, READ[kind])))


def test_npz_by_any_name(tmp_path):
    buffer = io.BytesIO()
    np.savez(buffer, user=[0, 1], item=[1, 0])
    assert load_interactions(_write(tmp_path, buffer.getvalue(), "log.csv")).X.shape == (2, 2)


REFUSED = {
    "xlsx": (_zip(**{"[Content_Types].xml": b"", "xl/workbook.xml": b""}), "workbook.*as CSV"),
    "zip of several": (_zip(**{"a.csv": TEXT, "b.csv": TEXT}),
                       r"zip archive of 2 files: \['a.csv', 'b.csv'\].*unpack"),
    "zip of none": (_zip(), "zip archive of 0 files"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(8), "an HDF5 file.*read_hdf"),
    "pickle": (pickle.dumps(FRAME), "a pickle, which can run any code"),
    "pickle 2": (pickle.dumps({"user": 1}, protocol=2), "a pickle"),
    "pickle of a list": (pickle.dumps([1, 2], protocol=4), "a pickle"),
    "PDF": (b"%PDF-1.7\n", "a PDF document"),
    "HTML": (b"\n<!DOCTYPE html><title>404</title>", "an HTML page.*fetch it again"),
    "XML": (b"<?xml version='1.0'?><a/>", "XML"),
    "old Excel": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(8), "old Excel.*as CSV"),
    "npy": (_written(lambda buffer: np.save(buffer, np.eye(2))), "single array.*savez"),
    "tar": (_written(_tar), "a tar archive.*unpack"),
    "gzip twice": (gzip.compress(gzip.compress(TEXT)), "compressed twice"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(8), "a 7z archive"),
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\n", "pointer of Git LFS"),
    "Python": (b"{'user': 'a', 'item': 'b'}\n", r"Python literals.*json\.dumps"),
    "JSON object": (b'{"schema": {"a": 1}, "data": [1, 2]}', r"object with keys \['schema', 'da"),
    "JSON list": (b'["a", "b"]', "JSON, but a list of another form"),
    "JSON cut off": (b'{"user": "a",\n "item": "b"\n', "begins like JSON, but is not valid"),
    "JSON bad line": (b'{"user": 1, "item": 2}\n{"user": 1, "it\n', "line 2: found no JSON"),
    "JSON mixed": (b'{"user": 1, "item": 2}\n[1, 2]\n', r"line 2: found '\[1, 2\]'.*JSON object"),
    "JSON ragged": (b'[1, 2]\n[1, 2, 3]\n', "line 2: found 3 entries, expected 2"),
    "JSON nested": (b'{"user": {"id": 1}, "item": 2}\n' * 2, "Unhashable user id"),
    "JSON names": (b'{"who": 1, "what": 2}\n', r"cannot tell.*'who'.*pass user= and item="),
    "JSON times": (b'{"user": 1, "item": 2, "value": 1600000000}\n', "looks like times.*times"),
    "binary": (bytes(range(1, 255)) + bytes(3), "NUL bytes"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_kinds_that_are_refused(tmp_path, kind):
    data, message = REFUSED[kind]
    with pytest.raises(ValueError, match=rf"log\.dat.*{message}"):
        load_interactions(_write(tmp_path, data))


def test_sqlite_is_refused(tmp_path):
    with sqlite3.connect(tmp_path / "log.db") as connection:
        connection.execute("create table log (user, item)")
    connection.close()
    with pytest.raises(ValueError, match=r"an SQLite database.*read_sql"):
        load_interactions(tmp_path / "log.db")


@pytest.mark.parametrize(
    "kind", ["gzip", "bzip2", "xz", "zstd", "zip", "parquet", "feather", "orc"]
)
def test_damaged_files(tmp_path, kind):
    whole = READ[kind]
    for cut in (len(whole) // 2, len(whole) - 2):
        with pytest.raises(ValueError, match=r"log\.dat (is compressed and|begins like)"):
            load_interactions(_write(tmp_path, whole[:cut]))


@pytest.mark.parametrize("suffix", [".npz", ".parquet", ".feather", ".xlsx"])
def test_text_under_the_name_of_another_kind(tmp_path, suffix):
    with pytest.raises(ValueError, match=rf"cannot be read as \{suffix}"):
        load_interactions(_write(tmp_path, TEXT, f"log{suffix}"))


def test_json_in_utf_16(tmp_path):
    text = FRAME.to_json(orient="records", lines=True)
    path = _write(tmp_path, text.encode("utf-16"))
    _is_the_log(load_interactions(path, encoding="utf-16"))
    with pytest.raises(ValueError, match="encoding='utf-16'"):
        load_interactions(path)


def test_ids_of_json_keep_their_type(tmp_path):
    lines = b'{"user": "007", "item": 1}\n{"user": "7", "item": 2}\n'
    data = load_interactions(_write(tmp_path, lines))
    assert data.user_ids.tolist() == ["007", "7"]
    assert data.item_ids.dtype == np.int64


def test_json_without_names_and_with_gaps(tmp_path):
    data = load_interactions(_write(tmp_path, b'["a", 1, 3]\n["b", 2, 4]\n'))
    assert_array_equal(data.X.toarray(), [[3, 0], [0, 4]])
    gaps = b'{"user": "a", "item": 1}\n{"user": "b", "item": 1, "rating": 3}\n{"item": 1}\n'
    path = _write(tmp_path, gaps)
    with pytest.raises(ValueError, match=r"Missing user id.*drop_missing=True"):
        load_interactions(path)
    data = load_interactions(path, drop_missing=True)
    assert data.user_ids.tolist() == ["b"]
    assert data.n_dropped == 2


def test_braces_are_not_json(tmp_path):
    data = load_interactions(_write(tmp_path, b"{3F25-04},x\n{3F25-05},y\n"))
    assert data.user_ids.tolist() == ["{3F25-04}", "{3F25-05}"]


def test_matrix_market(tmp_path):
    head = b"%%MatrixMarket matrix coordinate "
    data = load_interactions(_write(tmp_path, head + b"real general\n% c\n2 3 2\n1 1 5\n2 3 4\n"))
    assert_array_equal(data.X.toarray(), [[5, 0, 0], [0, 0, 4]])
    assert data.item_ids.tolist() == [1, 2, 3]
    data = load_interactions(_write(tmp_path, head + b"pattern general\n2 2 1\n1 2\n"))
    assert_array_equal(data.X.toarray(), [[0, 1], [0, 0]])
    for text, message in (
        (b"real general\n2 3 1\n1 9 5\n", "begins like Matrix Market"),
        (b"complex general\n2 3 1\n1 1 5 5\n", "'value' has dtype complex128"),
        (b"real general\n2 3 0\n", "is empty"),
    ):
        with pytest.raises(ValueError, match=message):
            load_interactions(_write(tmp_path, head + text))


def test_parquet_reads_only_its_columns(tmp_path, monkeypatch):
    wide = FRAME.assign(text="long " * 100)
    path = tmp_path / "log.parquet"
    wide.to_parquet(path)
    read = []
    whole = pq.ParquetFile.iter_batches

    def watched(self, batch_size, columns):
        read.append(columns)
        return whole(self, batch_size, columns=columns)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", watched)
    _is_the_log(load_interactions(path))
    assert read == [["user", "item", "rating", "time"]]


def test_folders_of_parquet(tmp_path):
    folder = tmp_path / "log"
    FRAME.assign(country=["de", "fr", "de"]).to_parquet(folder, partition_cols=["country"])
    (folder / "_SUCCESS").write_bytes(b"")
    _is_the_log(load_interactions(folder))
    data = load_interactions(str(folder), item="country")
    assert data.item_ids.tolist() == ["de", "fr"]
    assert_array_equal(data.X.toarray(), [[5.5, 0], [0, 3]])
    broken = next(folder.rglob("*.parquet"))
    broken.write_bytes(broken.read_bytes()[:50])
    with pytest.raises(ValueError, match="2 parquet files cannot be read as one table"):
        load_interactions(folder)


@pytest.mark.parametrize("large", [0, 1 << 20])
def test_parts_as_text(tmp_path, monkeypatch, large):
    monkeypatch.setattr(_scan_readers, "_LARGE", large)
    folder = tmp_path / "log"
    folder.mkdir()
    (folder / "part-0.csv").write_bytes(b"user,item,rating,time\nann,7,4.5,1\n")
    (folder / "part-1.csv.gz").write_bytes(
        gzip.compress(b"user,item,rating,time\nbob,9,3,2\nann,9,1,3\n")
    )
    (folder / "part-2.csv").write_bytes(b"user,item,rating,time\n")
    (folder / "part-3.csv").write_bytes(b"")
    (folder / ".part-0.crc").write_bytes(b"\0\1")
    _is_the_log(load_interactions(folder))
    _is_the_log(load_interactions(str(folder / "part-[01].*")))
    _is_the_log(load_interactions([folder / "part-1.csv.gz", str(folder / "part-0.csv")]))
    (folder / "part-3.csv").write_bytes(b"user,item,stars,time\neve,7,1,1\n")
    with pytest.raises(ValueError, match=r"part-3\.csv has the columns .*'stars'"):
        load_interactions(folder)
    (folder / "part-3.csv").write_bytes(b"user,item,rating,time\neve,7,1,1\n,7,1,1\n")
    with pytest.raises(ValueError, match=r"part-3\.csv, line 3: found no user id"):
        load_interactions(folder)
    assert load_interactions(folder, drop_missing=True).n_dropped == 1
    FRAME.to_parquet(folder / "part-4.parquet")
    with pytest.raises(ValueError, match="files of several kinds"):
        load_interactions(folder)
    with pytest.raises(FileNotFoundError, match="No file matches"):
        load_interactions(folder / "*.tsv")
    with pytest.raises(FileNotFoundError, match="no file"):
        load_interactions([folder / "part-0.csv", folder / "part-9.csv"])


def test_parts_without_a_header(tmp_path):
    for place, text in enumerate(("1\t2\n3\t4\n", "1\t5\n7\t2\n")):
        (tmp_path / f"part-{place}").write_text(text)
    data = load_interactions(tmp_path)
    assert data.user_ids.tolist() == [1, 3, 7]
    assert data.item_ids.tolist() == [2, 4, 5]
    assert_array_equal(data.X.toarray(), [[1, 0, 1], [0, 1, 0], [1, 0, 0]])
    (tmp_path / "part-2").write_text("1\t2\t3\n")
    with pytest.raises(ValueError, match="part-2 has the columns"):
        load_interactions(tmp_path)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.sampled_from([*READ.values(), *(data for data, _ in REFUSED.values())]),
    places=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=5),
    cut=st.none() | st.integers(0, 3000),
    params=st.sampled_from([{}, {"drop_missing": True}, {"header": False}, {"delimiter": ","}]),
    large=st.sampled_from([0, 1 << 40]),
)
def test_damage_is_a_plain_error(tmp_path, monkeypatch, data, places, cut, params, large):
    """Whatever the bytes: a log, or a ValueError that names the file."""
    damaged = bytearray(data)
    for place, byte in places:
        damaged[place % len(damaged)] = byte
    path = _write(tmp_path, bytes(damaged[:cut]))
    monkeypatch.setattr(_scan_readers, "_LARGE", large)
    try:
        said = "log.dat" if load_interactions(path, negative="keep", **params).X.nnz else ""
    except ValueError as error:
        said = str(error)
    assert "log.dat" in said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("('ann', 'tea', 3)\n('bob', 'tea', 1)\n", "a list of tuples as Python prints it"),
        ("| user | item |\n|------|------|\n| ann | tea |\n", "ruled lines"),
        (" user | item\n------+------\n ann | tea\n", "ruled lines"),
        ("+----+----+\n| user | item |\n+----+----+\n| ann | tea |\n", "ruled lines"),
        ("-- a dump\nINSERT INTO log VALUES (1,2,3);\nINSERT INTO log VALUES (1,3,3);\n", "SQL"),
        ("1 3:1 7:2\n2 3:1\n", "LIBSVM"),
        ("5 |u 1 |i 3\n4 |u 2 |i 3\n", "Vowpal Wabbit"),
        ("@relation log\n@attribute user numeric\n@data\n1,2\n", "ARFF"),
        ("<log>\n<line user='1' item='2'/>\n<line user='2' item='2'/>\n</log>\n", "XML"),
    ],
)
def test_text_of_other_formats_is_named(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        load_interactions(_write(tmp_path, text.encode()))


@pytest.mark.parametrize(
    "ids", ["({})", "<{}>", "<u{}>", "--{}--", "#{}", "{}:en", "insert into {}", "'{}'", "12:{}"]
)
def test_odd_ids_are_ids(tmp_path, ids):
    """Marks of other formats in ids of an ordinary file."""
    lines = "".join(f"{ids.format(u)}\t{ids.format(i)}\n" for u, i in [(1, 2), (1, 3), (2, 3)])
    data = load_interactions(_write(tmp_path, lines.encode()), quotechar=None)
    assert data.user_ids.tolist() == [ids.format(1), ids.format(2)]
    assert data.item_ids.tolist() == [ids.format(2), ids.format(3)]
