"""docs/benchmarks/run_visual_tables.py: readers of files in their authors' formats, and tables."""

import gzip
import io
import json
import pickle
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.sparse import csr_array

Image = pytest.importorskip("PIL.Image")
FOLDER = Path(__file__).parents[1] / "docs" / "benchmarks"
MODULES = ("run_visual_tables", "_visual_sources", "_conversions", "_record", "get_data")


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    yield
    for name in MODULES:
        sys.modules.pop(name, None)


def _csv(path, header, rows):
    lines = [",".join(header), *(",".join(f'"{cell}"' for cell in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n")


def _embeddings(path, names, width=4):
    """Pairs of a name and a vector, pickled as the authors' notebooks do; the vectors."""
    vectors = np.random.default_rng(0).normal(size=(len(names), width)).astype(np.float32)
    table = np.empty((len(names), 2), dtype=object)
    for row, name, vector in zip(table, names, vectors, strict=True):
        row[:] = name, vector
    np.save(path, table, allow_pickle=True)
    return vectors


def _jpeg(level):
    file = io.BytesIO()
    Image.new("RGB", (9, 7), (level, 10, 90)).save(file, "jpeg")
    return file.getvalue()


@pytest.fixture
def gallery(tmp_path):
    """Three buyers of seven paintings; "e" is sold twice, so it is no single piece."""
    paintings = [("a", "x", 1), ("b", "x", 1), ("c", "y", 1), ("d", "y", 50), ("e", "z", 2),
                 ("f", "z", 3), ("g", "z", 5)]  # fmt: skip
    header = ("artwork_id_hash", "artist_id_hash", "upload_timestamp")
    _csv(tmp_path / "inventory.csv", header, paintings)
    purchases = [("u", "['a', 'e']", 10), ("u", "['b']", 40), ("v", "['c']", 20),
                 ("w", "['f']", 30), ("w", "['e', 'd']", 60)]  # fmt: skip
    header = ("user_id_hash", "purchased_artwork_ids_hash", "purchase_timestamp")
    _csv(tmp_path / "purchases.csv", header, purchases[::-1])
    return tmp_path


def test_ugallery(gallery):
    from _visual_sources import ugallery

    vectors = _embeddings(gallery / "resnet_embeddings.npy", list("fedcb"))
    problem = ugallery(gallery)
    users = {tuple(np.flatnonzero(row)): u for u, row in enumerate(problem.X.toarray())}
    assert set(users) == {(0, 4), (2,), (5,)}  # what is not of a last basket out of several
    u, v, w = users[0, 4], users[(2,)], users[(5,)]
    held = problem.y.toarray()
    assert [list(np.flatnonzero(held[each])) for each in (u, v, w)] == [[1], [], [3, 4]]
    ranked = problem.items.toarray()
    # At 40: a, c and f are sold, d is not there yet. At 60: b is sold too, and d is there.
    assert [list(np.flatnonzero(ranked[each])) for each in (u, v, w)] == [[1, 4, 6], [], [3, 4, 6]]
    np.testing.assert_array_equal(problem.features[1:6], vectors[::-1])
    assert not problem.features[[0, 6]].any()
    np.testing.assert_array_equal(problem.groups, [0, 0, 1, 1, 2, 2, 2])


def test_wikimedia(tmp_path):
    from _visual_sources import wikimedia

    rows = [(3, 20, 1, False), (3, 10, 2, False), (8, 30, 3, False), (3, 30, 9, True),
            (3, 10, 4, False)]  # fmt: skip
    _csv(tmp_path / "interactions.csv", ("user_id", "item_id", "timestamp", "evaluation"), rows)
    vectors = _embeddings(tmp_path / "embedding-resnet50.npy", ["30.jpg", "10.png", "20.jpg"])
    assert wikimedia(tmp_path).pictures is None
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "10.png").touch()
    problem = wikimedia(tmp_path)
    np.testing.assert_array_equal(problem.X.toarray(), [[1, 1, 0], [0, 0, 1]])
    np.testing.assert_array_equal(problem.y.toarray(), [[0, 0, 1], [0, 0, 0]])
    np.testing.assert_array_equal(problem.features, vectors[[1, 2, 0]])
    assert problem.pictures == [tmp_path / "pictures" / "10.png", None, None]


def test_a_pickle_that_would_run_something_is_refused(tmp_path):
    from _visual_sources import named_vectors

    class Harm:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "harmed",))

    table = np.empty((1, 2), dtype=object)
    table[0] = "a", Harm()
    np.save(tmp_path / "x.npy", table, allow_pickle=True)
    with pytest.raises(ValueError, match="no array of names and vectors"):
        named_vectors(tmp_path / "x.npy", ["a"])
    assert not (tmp_path / "harmed").exists()


def test_tradesy(tmp_path):
    from _visual_sources import FEATURE_RECORD, tradesy

    users = [
        {"uid": "7", "lists": {"bought": ["11", "12", "13"], "want": ["14", "15", "11"],
                               "selling": ["99"], "sold": []}},
        {"uid": "8", "lists": {"bought": ["11"], "want": ["12"], "selling": [], "sold": []}},
    ]  # fmt: skip
    with gzip.open(tmp_path / "tradesy.json.gz", "wt") as file:
        file.writelines(f"{user}\n" for user in users)
    records = np.zeros(3, FEATURE_RECORD)
    for record, name, value in zip(records, ("99", "13", "11"), (9, 3, 1), strict=True):
        record["id"], record["values"] = name.encode().ljust(10), value
    records.tofile(tmp_path / "image_features_tradesy.b")
    problem = tradesy(tmp_path)
    assert problem.X.shape == (1, 5)  # the second user has less than five
    assert problem.y.nnz == 1
    assert (problem.X + problem.y).toarray().tolist() == [[1] * 5]
    assert problem.features.shape == (5, 4096)
    assert problem.features[:, 7].tolist() == [1, 0, 3, 0, 0]
    assert problem.pictures is None


def test_files_of_dvbpr(tmp_path):
    from _visual_sources import partitioned

    def parts():
        train = {0: [{"productid": 2}, {"productid": 0}], 1: [{"productid": 1}]}
        items = {i: {"imgs": _jpeg(40 * i).decode("latin1"), "asin": f"B{i}"} for i in range(4)}
        whole = np.empty(6, dtype=object)
        whole[:] = train, {0: [{"productid": 1}]}, {0: [{"productid": 3}]}, items, 2, 4
        file = io.BytesIO()
        header = {"descr": "|O", "fortran_order": False, "shape": (6,)}
        np.lib.format.write_array_header_1_0(file, header)
        return file.getvalue() + pickle.dumps(whole, protocol=3)

    with pytest.raises(FileNotFoundError, match="ImgPartitioned"):
        partitioned(tmp_path)
    (tmp_path / "AmazonTestWithImgPartitioned.npy").write_bytes(parts())
    problem = partitioned(tmp_path)
    np.testing.assert_array_equal(problem.X.toarray(), [[1, 0, 1, 0], [0, 1, 0, 0]])
    np.testing.assert_array_equal(problem.y.toarray(), [[0, 0, 0, 1], [0, 0, 0, 0]])
    assert [path.read_bytes() for path in problem.pictures] == [_jpeg(40 * i) for i in range(4)]
    assert problem.features is None
    np.save(tmp_path / "features.npy", np.ones((4, 2), np.float32))
    assert partitioned(tmp_path).features.shape == (4, 2)


def test_cold_are_items_with_less_than_five_interactions():
    from _visual_sources import Problem

    X = np.zeros((9, 3))
    X[:4, 0] = X[:5, 1] = 1
    y = np.zeros((9, 3))
    y[8] = 1
    problem = Problem(csr_array(X), csr_array(y))
    np.testing.assert_array_equal(problem.y_cold.toarray()[8], [1, 0, 1])


@pytest.fixture
def small(monkeypatch, tmp_path):
    """The script with small networks, and records in a folder of their own."""
    import _record
    import run_visual_tables as script

    from skrec.content import DVBPR

    monkeypatch.setattr(_record, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(script, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(script, "N_TRIED", 6)
    whole = script.methods

    def methods(name):
        found = whole(name)
        if "DVBPR" in found:
            eyes = DVBPR(4, image_size=8, max_iter=20, early_stopping=True, random_state=0)
            found["DVBPR"] = found["DVBPR"]._replace(estimator=eyes)
        return found

    monkeypatch.setattr(script, "methods", methods)
    return script


def test_figures_stand_beside_the_published_ones(small, gallery, capsys, monkeypatch):
    _embeddings(gallery / "resnet_embeddings.npy", list("abcdefg"))
    (gallery / "ugallery").symlink_to(gallery)
    arguments = ["x", "ugallery", "--data-home", str(gallery), "--only", "random", "VisRank"]
    monkeypatch.setattr(sys, "argv", arguments)
    small.main()
    path = small.RESULTS / "visual_ugallery.json"
    rows = json.loads(path.read_text())["methods"]
    assert list(rows) == ["random", "VisRank"]
    assert set(rows["VisRank"]["test"]) == {"auc", "recall@20", "ndcg@20"}
    assert rows["VisRank"]["published"]["auc"] == 0.7151
    text = capsys.readouterr().out
    assert "its authors tell of (2919, 7742)" in text
    lines = {line.split()[0]: line.split() for line in text.splitlines() if line[:1].isalpha()}
    assert lines["VisRank"][-5:] == [".7151", "/", ".1521", "/", "(.0956)"]
    assert lines["CuratorNet"][-5:] == [".7204", "/", ".1683", "/", "(.0966)"]
    monkeypatch.setattr(sys, "argv", [*arguments[:-2], "CuratorNet"])
    small.main()
    rows = json.loads(path.read_text())["methods"]
    assert list(rows) == ["random", "VisRank", "CuratorNet"]
    assert "'group'" in rows["CuratorNet"]["parameters"]  # the artists are known
    monkeypatch.setattr(sys, "argv", [*arguments[:-2], "Nothing"])
    with pytest.raises(SystemExit, match="No such method"):
        small.main()


def test_the_cold_auc_is_that_of_cold_items(small):
    from _visual_sources import Problem

    from skrec.dummy import DummyRecommender
    from skrec.metrics import evaluate

    rng = np.random.default_rng(0)
    X = csr_array((rng.random((60, 30)) < np.linspace(0.02, 0.4, 30)).astype(float))
    y = csr_array(((rng.random((60, 30)) < 0.1) & (X.toarray() == 0)).astype(float))
    problem = Problem(X, y)
    model = DummyRecommender().fit(X)
    found = small.figures(model, problem, small.DATA["tradesy"])
    rare = np.asarray(X.sum(axis=0)).ravel() < 5
    assert rare.any()
    expected = evaluate(model, X, csr_array(y.toarray() * rare), ["auc"]).mean["auc"]
    assert found["cold auc"] == pytest.approx(expected, abs=1e-4)
    assert found["cold auc"] < found["auc"]


@pytest.mark.slow
def test_a_trial_needs_no_data(small, monkeypatch):
    data = small.DATA["tradesy"]._replace(shape=(50, 40), n_entries=400, n_features=6)
    monkeypatch.setitem(small.DATA, "tradesy", data)
    small.trial("tradesy", SimpleNamespace(only=None))
    record = json.loads((small.RESULTS / "trial_tradesy.json").read_text())
    assert record["shape"] == [50, 40]
    assert set(record["methods"]) >= {"BPR", "VBPR", "DVBPR", "CuratorNet"}
    for name, row in record["methods"].items():
        assert "max_iter=1" in row["ran"], name
        assert "early_stopping=True" not in row["ran"]
        assert row["epochs"] > 1
        assert row["seconds"] > 0
    assert record["methods"]["DVBPR"]["of_interactions"] == 6


@pytest.mark.parametrize("name", ["ugallery", "wikimedia", "tradesy", "amazon-women"])
def test_methods_are_ready_to_fit(name):
    import run_visual_tables as script

    for title, method in script.methods(name).items():
        assert method.reads in (None, "features", "pictures"), title
        assert hasattr(method.estimator, "fit"), title
    known = {title.split(",")[0] for title in script.PUBLISHED[name]}
    assert known <= set(script.methods(name))


def test_main_wants_a_folder(monkeypatch, capsys):
    import run_visual_tables as script

    monkeypatch.delenv("SKREC_DATA", raising=False)
    monkeypatch.setattr(sys, "argv", ["run_visual_tables.py", "tradesy"])
    with pytest.raises(SystemExit):
        script.main()
    assert "SKREC_DATA" in capsys.readouterr().err
