"""docs/benchmarks/peers.py: what it says of a package that is installed."""

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.sparse import csr_array, csr_matrix, save_npz

from skrec import utils
from skrec.datasets import make_interactions
from skrec.linear_model import EASE
from tests.test_benchmarks import FOLDER

PACKAGE = '''
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier


class EASE(DummyClassifier):
    """Passes every check."""


class BPR(BaseEstimator):
    """Passes none that fits."""

    def fit(self, X, y=None):
        raise ValueError("I never fit.")


def WMF():
    """A function is a name too."""


class Unasked(BaseEstimator):
    pass
'''


def _probe(folder, **asked):
    asked = {"package": "scipy", "module": "fake", "csr": None, "grid_search": None} | asked
    done = subprocess.run(
        [sys.executable, str(FOLDER / "_peer_probe.py")], input=json.dumps(asked), text=True,
        capture_output=True, env={"PYTHONPATH": str(folder)}, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "fake" / "models").mkdir(parents=True)
    (tmp_path / "fake" / "__init__.py").write_text("print('what a package prints')")
    (tmp_path / "fake" / "models" / "__init__.py").write_text(PACKAGE)
    (tmp_path / "fake" / "broken.py").write_text("import nothing_like_this\n\nclass GMF: ...\n")
    return tmp_path


def test_a_package_is_asked_for_names_checks_and_what_it_fits(folder):
    found = _probe(
        folder,
        names=["EASE", "BPR", "WMF", "GMF", "SLIM"],
        csr="raise TypeError('no matrix,\\nplease')",
        grid_search="import fake",
    )
    assert found["import_error"] is None
    assert found["names"] == ["BPR", "EASE", "GMF", "WMF"]
    assert found["versions"]["numpy"]
    whole, broken = (found["sklearn_estimators"][name] for name in ("EASE", "BPR"))
    assert whole["passed"] == whole["of"] > 20
    assert broken["passed"] < broken["of"]
    assert found["csr"] == "TypeError: no matrix,"
    assert found["grid_search"] is True


def test_a_package_that_cannot_be_imported_is_read_all_the_same(folder):
    (folder / "fake" / "__init__.py").write_text("import nothing_like_this")
    found = _probe(folder, names=["EASE", "GMF"])
    assert found["import_error"] == "ModuleNotFoundError: No module named 'nothing_like_this'"
    assert found["names"] == ["EASE", "GMF"]
    assert found["sklearn_estimators"] == {}


@pytest.fixture
def peers(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import peers

    yield peers
    for name in ("peers", "_peers_table", "_cells", "_record"):
        sys.modules.pop(name, None)


def test_methods_are_ours(peers):
    from skrec.content import FMClassifier

    known = {name for name, _ in utils.all_recommenders()} | {FMClassifier.__name__}
    assert set(peers.METHODS) <= known


def test_the_tables_say_what_was_found(peers, monkeypatch):
    import _peers_table

    row = {
        "reads": "CSR matrix", "versions": {"a": "1.0"}, "import_error": None,
        "names": ["EASE"], "csr": True, "grid_search": None, "bounds_not_met": None,
        "sklearn_estimators": {"EASE": {"passed": 4, "of": 4}, "BPR": {"passed": 1, "of": 4}},
    }  # fmt: skip
    other = row | {
        "versions": {"b": "2"}, "names": [], "csr": "E: x|y", "sklearn_estimators": {},
        "bounds_not_met": "b depends on numpy<2",
    }  # fmt: skip
    third = other | {"versions": {"c": "3"}, "import_error": "E: z", "bounds_not_met": None}
    record = {
        "environment": {"date": "2026-11-30", "versions": {"python": "3.11"}},
        "peers": {"a": row, "b": other, "c": third},
    }
    monkeypatch.setattr(_peers_table, "read", lambda name: record)
    text = _peers_table.contract()
    assert (
        "| a 1.0 | yes | CSR matrix | yes | 1 of 2 recommenders, each at least 25 % of the checks "
        "| not tried |" in text
    )
    assert "| b 2<sup>a</sup> | yes | CSR matrix | no<sup>b</sup> | no scikit-learn" in text
    assert "- <sup>b</sup> b: `E: x/y`" in text
    assert "| c 3 | no<sup>c</sup> | CSR matrix | not tried | not tried | not tried |" in text
    text = _peers_table.methods()
    assert "| EASE | ✓ |  |  |" in text
    assert "| of these | 1 | 0 | 0 |" in text


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import bench_peers

    yield bench_peers
    for name in ("bench_peers", "_record", "_data"):
        sys.modules.pop(name, None)


def test_fits_beside_others_are_timed_and_their_lists_compared(bench, peers, tmp_path, monkeypatch):
    X = csr_matrix(make_interactions(320, 40, 3000, random_state=0, return_X=True))
    X.data[:] = 1
    matrix = str(tmp_path / "X.npz")
    save_npz(matrix, X)
    options = SimpleNamespace(venvs=tmp_path, timeout=100, rounds=1)
    calls = []

    def run(package, method, matrix, options):
        calls.append(package)
        if package == "cornac":
            return {"remark": "ImportError: c"}, None
        seconds = {"skrec": 2.0, "irspack": 3.0}.get(package, 4.0)
        lists = np.arange(20).reshape(2, 10)
        return {"seconds": seconds}, lists if package != "rusket" else lists + 5

    with monkeypatch.context() as context:
        context.setattr(bench, "run", run)
        rows = bench.compare("EASE", matrix, options)
    assert calls == ["skrec", *bench.PEERS["EASE"]]
    assert rows["cornac"] == {"remark": "ImportError: c"}
    assert rows["irspack"] == {
        "seconds": 3.0, "times_slower_than_skrec": 1.5, "same_items": 1.0
    }  # fmt: skip
    assert rows["rusket"]["same_items"] == 0.5

    row, lists = bench.run("skrec", "EASE", matrix, options)
    assert row["seconds"] > 0
    model = EASE(bench.ALPHA).fit(csr_array(X))
    np.testing.assert_array_equal(lists, model.recommend(csr_array(X[: bench.N_USERS]), k=bench.K))
    np.testing.assert_array_equal(lists, bench.of_weights(X, model.coef_))
    (tmp_path / "sansa" / "bin").mkdir(parents=True)
    python = tmp_path / "sansa" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    row, lists = bench.run("sansa", "SANSA", matrix, options)
    assert lists is None
    assert "sansa" in row["remark"]


# Reads the names of modules, and fails if one of them imports skrec or what only skrec brings.
WITHOUT_SKREC = """
import importlib, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("skrec", "numba", "sklearn", "implicit"):
            raise ModuleNotFoundError(f"No module named {name!r}")
sys.meta_path.insert(0, Absent())
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def test_scripts_start_with_a_python_that_has_no_skrec():
    """Scripts that run themselves in the environment of another package."""
    scripts = [path for path in FOLDER.glob("bench_*.py") if "-python" in path.read_text()]
    names = [*sorted(path.stem for path in scripts), "bench_peers"]
    assert {"bench_slim", "bench_mult_vae", "bench_wmf"} <= set(names)
    command = [sys.executable, "-c", WITHOUT_SKREC, *names]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_bench_beside_others_is_of_a_known_peer(bench, peers):
    names = {peer.name for peer in peers.PEERS}
    assert {name for packages in bench.PEERS.values() for name in packages} <= names
    assert {*names, "skrec"} >= set(bench.ADAPTERS)
