"""Files that are larger, deeper or other than they say: refused before anything is unpacked."""

import io
import json
import subprocess
import sys
import zipfile
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_STORED, ZipFile

import numpy as np
import pytest
import skops.io

import skrec
from skrec.dummy import DummyRecommender
from skrec.linear_model import EASE, SLIM
from skrec.utils import _archive

X = np.array([[5.0, 4, 0, 1], [4, 0, 5, 0], [5, 5, 1, 0], [0, 1, 4, 4], [3, 0, 2, 5], [1, 1, 0, 2]])


def _entries(path):
    with ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _rewritten(path, entries, *, compression=ZIP_STORED):
    with ZipFile(path, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


def _array_bytes(header, body=b""):
    """A .npy file with a header of one's own."""
    text = repr(header).encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + body


@pytest.fixture
def saved(tmp_path):
    return skrec.save(EASE(alpha=1.0).fit(X), tmp_path / "model.skops")


def _array_name(entries):
    return next(name for name in entries if name.endswith(".npy"))


def _refused(path, text):
    with pytest.raises(skrec.ModelFileError, match=text) as caught:
        skrec.load(path)
    assert str(path) in str(caught.value)


def test_a_header_that_asks_for_terabytes(saved):
    entries = _entries(saved)
    header = {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6)}
    entries[_array_name(entries)] = _array_bytes(header)
    _rewritten(saved, entries)
    _refused(saved, r"shape \(1000000, 1000000\)")


@pytest.mark.parametrize(
    ("descr", "shape"),
    [("|O", (4, 4)), ("|V8", (2,)), ("<f8", (-4, 4)), ("<U0", (10**12,)), ("<f8", (2**70,))],
)
def test_headers_of_other_arrays(saved, descr, shape):
    entries = _entries(saved)
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    entries[_array_name(entries)] = _array_bytes(header, b"\0" * 16)
    _rewritten(saved, entries)
    _refused(saved, "not a model file")


def test_what_does_not_fit_into_memory(saved, monkeypatch):
    monkeypatch.setattr(_archive, "available_memory", lambda: 1000)
    _refused(saved, "only 1 kB are available")


@pytest.mark.slow
def test_a_bomb_is_not_unpacked(saved):
    # 400 MB of zeros in 400 kB, which a reader of entries would inflate.
    entries = _entries(saved)
    with ZipFile(saved, "w", ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
        with archive.open("more.npy", "w") as entry:
            for _ in range(40):
                entry.write(b"\0" * 10_000_000)
    program = (
        "import resource, sys, skrec\n"
        "resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))\n"
        "from skrec.utils import _archive\n"
        "_archive.available_memory = lambda: 1 << 28\n"
        "try: skrec.load(sys.argv[1])\n"
        "except skrec.ModelFileError as error: print(error)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(saved)], capture_output=True, text=True, check=True
    )
    assert "takes 800 MB of memory" in ran.stdout


def test_archives_in_archives(tmp_path):
    path = skrec.save(SLIM().fit(X), tmp_path / "model.skops")
    entries = _entries(path)
    name = next((name for name in entries if name.endswith(".npz")), None)
    if name is None:
        pytest.skip("This version of skops stores the arrays of a csr_array one by one")
    inner = io.BytesIO()
    with ZipFile(inner, "w") as archive:
        archive.writestr("data.npy", entries[name])
    _rewritten(path, entries | {name: inner.getvalue()})
    _refused(path, "archive within an archive")


def test_other_compression(saved):
    _rewritten(saved, _entries(saved), compression=ZIP_BZIP2)
    _refused(saved, "compressed in an unknown way")
    content = _entries(saved)
    _rewritten(saved, content, compression=ZIP_DEFLATED)
    assert isinstance(skrec.load(saved), EASE)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "{", '"text"', "1" * 10_000, "[" * 200_000, '{"__loader__": 1}', "{}"],
    ids=lambda text: text[:8],
)
def test_broken_schemas(saved, text):
    _rewritten(saved, _entries(saved) | {"schema.json": text})
    _refused(saved, "not a model file")


def test_a_schema_that_refers_to_itself(saved):
    entries = _entries(saved)
    schema = json.loads(entries["schema.json"])
    part = {"__class__": "list", "__module__": "builtins", "__loader__": "ListNode", "__id__": 77}
    cached = {**part, "__loader__": "CachedNode"}
    schema["content"]["content"]["alpha"] = {**part, "content": [cached]}
    _rewritten(saved, entries | {"schema.json": json.dumps(schema)})
    _refused(saved, "not a model file")


@pytest.mark.parametrize("length", [0, 1, 30, 200, -1])
def test_a_file_that_is_cut_off(saved, length):
    saved.write_bytes(saved.read_bytes()[:length])
    _refused(saved, "not a model file")


def test_sparse_matrices_are_made_by_their_own_reader_only(saved):
    entries = _entries(saved)
    schema = json.loads(entries["schema.json"])
    schema["content"]["content"]["coef_"] = {
        "__class__": "csr_array",
        "__module__": "scipy.sparse._csr",
        "__loader__": "ConstructorFromReduceNode",
        "content": schema["content"]["content"]["coef_"],
    }
    _rewritten(saved, entries | {"schema.json": json.dumps(schema)})
    _refused(saved, "built by ConstructorFromReduceNode")


def test_nothing_takes_the_place_of_a_method_of_a_matrix(tmp_path):
    # As older versions of skops write a csr_array: by its attributes.
    path = skrec.save({"X": X, "name": {"data": X}}, tmp_path / "m.skops")
    entries = _entries(path)
    schema = json.loads(entries["schema.json"])
    attributes = schema["content"]["name"]
    attributes["content"]["tocsr"] = attributes["content"]["data"]
    attributes["key_types"]["content"] *= 2
    schema["content"]["name"] = {
        "__class__": "csr_array",
        "__module__": "scipy.sparse._csr",
        "__loader__": "ObjectNode",
        "content": attributes,
    }
    _rewritten(path, entries | {"schema.json": json.dumps(schema)})
    _refused(path, "its tocsr")


def test_no_module_is_imported_that_a_model_names(tmp_path):
    path = tmp_path / "m.skops"
    log = skrec.LogRecommender().fit([("a", "x"), ("b", "y"), ("b", "x")])
    log.frame_ = "antigravity"
    with pytest.warns(UserWarning, match="frame_"):
        skrec.save(log, path)
    _refused(path, "frame_")


def test_a_class_in_the_place_of_an_object(tmp_path):
    path = tmp_path / "m.skops"
    model = DummyRecommender().fit(X)
    model.item_popularity_ = DummyRecommender
    skops.io.dump(model, path)
    _refused(path, "item_popularity_")


def test_what_the_system_says_stays(tmp_path):
    with pytest.raises(FileNotFoundError):
        skrec.load(tmp_path / "none.skops")
    with pytest.raises(OSError, match=r"directory|denied"):
        skrec.load(tmp_path)
    with pytest.raises(TypeError, match="wrap it"):
        skrec.load(tmp_path / "none.skops", trusted="a.b")


def test_the_schema_is_read_once_more_by_nobody(saved):
    """The types that are asked for are those of the file that is loaded."""
    with ZipFile(saved) as archive:
        skeleton = _archive.read_schema(archive)
    assert skops.io.get_untrusted_types(data=skeleton) == skops.io.get_untrusted_types(file=saved)
    assert zipfile.is_zipfile(io.BytesIO(skeleton))
