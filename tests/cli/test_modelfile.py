"""Files that are damaged or tampered with: one error in one line, no signal, no bug."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from skrec import load, save
from skrec._cli._ids import TextIds
from skrec.dummy import DummyRecommender
from skrec.ensemble import Fallback
from skrec.preprocessing import InteractionEncoder


def _csr(data, indices, indptr, shape):
    matrix = csr_array(shape, dtype=np.float32)
    matrix.data, matrix.indices, matrix.indptr = (
        np.asarray(data, dtype=np.float32), np.asarray(indices, dtype=np.int32),
        np.asarray(indptr, dtype=np.int32),
    )  # fmt: skip
    return matrix


def _outside(content):
    rows = content["interactions"].copy()
    rows.indices[5] = 10_000_000
    return {"interactions": rows}


def _short(content):
    rows = content["seen"].copy()
    rows.indptr = rows.indptr[:-3]
    return {"seen": rows}


def _not_finite(content):
    rows = content["interactions"].copy()
    rows.data[3] = np.nan
    return {"interactions": rows}


TAMPERED = {
    "index": _outside,
    "indptr": _short,
    "nan": _not_finite,
    "shape": lambda content: {"interactions": content["interactions"][:, :-1]},
    "rows": lambda content: {"seen": content["seen"][:-1]},
    "dense": lambda content: {"seen": content["seen"].toarray()},
    "none": lambda content: {"interactions": None},
    "empty rows": lambda content: {"interactions": _csr([1], [0], [0, 1], (1, 60))},
    "model": lambda content: {"model": DummyRecommender().fit(np.eye(60))},
    "unfitted": lambda content: {"model": Fallback()},
    "narrow": lambda content: {"model": Fallback().fit(np.eye(7))},
    "encoder": lambda content: {"encoder": DummyRecommender()},
    "unfitted encoder": lambda content: {"encoder": InteractionEncoder()},
    "other ids": lambda content: {
        "encoder": InteractionEncoder.from_ids(np.arange(160), np.arange(59))
    },
    "titles": lambda content: {"titles": np.array(["a", "b"])},
    "titles of numbers": lambda content: {"titles": np.zeros(60)},
    "min_value": lambda content: {"min_value": "high"},
    "values": lambda content: {"values": "some"},
    "facts": lambda content: {"facts": None},
}


@pytest.mark.parametrize("case", TAMPERED)
def test_tampered_content(skrec, model, tmp_path, case):
    content = load(model)
    path = save(content | TAMPERED[case](content), tmp_path / "m.skops")
    users = tmp_path / "ids.txt"
    users.write_text("u1\nu2\n")
    for words in (["recommend", path, "--users", users], ["similar", path, "i1"]):
        done = skrec(*words)
        assert done.code == 2
        assert done.out == ""
        assert done.err.startswith(f"skrec: error: {path}")
        assert done.err.count("\n") == 1
        assert "bug in skrec" not in done.err


@pytest.mark.parametrize("field", ["model", "encoder", "interactions", "seen", "values", "format"])
def test_a_missing_part(skrec, model, tmp_path, field):
    content = load(model)
    del content[field]
    path = save(content, tmp_path / "m.skops")
    done = skrec("similar", path, "i1")
    assert done.code == 2
    assert done.err.startswith(f"skrec: error: {path} ")
    assert "bug in skrec" not in done.err


def test_damaged_bytes(skrec, model, tmp_path):
    sound = model.read_bytes()
    path = tmp_path / "m.skops"
    rng = np.random.default_rng(0)
    for cut in (0, 10, 1000, len(sound) // 2, len(sound) - 5):
        path.write_bytes(sound[:cut])
        done = skrec("similar", path, "i1")
        assert done.code == 2, cut
        assert "bug in skrec" not in done.err, done.err
    for _ in range(40):
        data = bytearray(sound)
        for place in rng.integers(0, len(data), 20):
            data[place] = rng.integers(256)
        path.write_bytes(data)
        done = skrec("similar", path, "i1")
        assert done.code in (0, 2)
        assert "bug in skrec" not in done.err, done.err


def test_ids_of_any_kind_are_found_as_text():
    assert TextIds(np.array([7, 9])).find(["9", "007", "x"]).tolist() == [1, 0, -1]
