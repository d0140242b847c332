"""docs/benchmarks/get_data.py: every data set of the records has a source, steps and checksums."""

import io
import pickle
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "docs" / "benchmarks"


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    yield
    for name in ("get_data", "_conversions"):
        sys.modules.pop(name, None)


def test_every_file_that_a_benchmark_reads_is_named():
    from get_data import ELSEWHERE, FILES

    code = "".join(path.read_text() for path in FOLDER.glob("*.py") if path.name != "get_data.py")
    read = {f"{name}/interactions" for name in re.findall(r'interactions\("([\w-]+)"\)', code)}
    read |= {f"{name}/interactions" for name in re.findall(r'binary\("([\w-]+)"\)', code)}
    read |= {"/".join(pair) for pair in re.findall(r'/ "([\w-]+)" / "([\w-]+)\.npz"', code)}
    assert {"ml-1m/interactions", "gowalla/interactions", "ml-100k/mcrec_split"} <= read
    assert read <= set(FILES)
    for file in FILES.values():
        assert file.sources
        assert all("https://" in source for source in file.sources)
        assert file.terms
        assert file.steps
        assert all(re.fullmatch("[0-9a-f]{64}", known) for known in file.arrays.values())
    from run_seed_tables import DATA
    from run_visual_tables import DATA as VISUAL_DATA

    assert set(ELSEWHERE) == {*DATA, *VISUAL_DATA}


def test_the_list_needs_no_data():
    done = subprocess.run(
        [sys.executable, str(FOLDER / "get_data.py")], capture_output=True, text=True, check=True,
        env={"PATH": "", "PYTHONPATH": str(FOLDER.parents[1])},
    )  # fmt: skip
    assert "https://files.grouplens.org/datasets/movielens/ml-1m.zip" in done.stdout
    assert "no redistribution" in done.stdout


def test_the_local_data_is_that_of_the_records(data_home, capsys):
    from get_data import FILES, verify

    assert verify(data_home, list(FILES))
    assert capsys.readouterr().out.count("as in the records") == len(FILES)


def test_digests_see_values_and_shape_and_nothing_else():
    from get_data import digest

    values = np.arange(6)
    known = digest(values)
    assert digest(values.astype(np.uint8)) == digest(values.astype(float)) == known
    assert digest(np.asfortranarray(values.reshape(2, 3))) == digest(values.reshape(2, 3)) != known
    assert digest(values[::-1]) != known
    assert digest(values > 2) == digest([0, 0, 0, 1, 1, 1])


def test_verify_finds_what_is_not_the_same(tmp_path, monkeypatch, capsys):
    import get_data

    made = {"user": np.array([1, 0, 0]), "item": np.array([2, 1, 0]), "split": np.array([0, 1, 2])}
    order = [2, 1, 0]
    known = {name: get_data.digest(array[order]) for name, array in made.items()}
    file = get_data.FILES["gowalla/interactions"]._replace(arrays=known, remark="so it is")
    monkeypatch.setattr(get_data, "FILES", {"here/interactions": file})
    path = tmp_path / "here" / "interactions.npz"

    def verify(**changes):
        arrays = {name: array for name, array in (made | changes).items() if array is not None}
        np.savez(path, **arrays)
        return get_data.verify(tmp_path, ["here/interactions"]), capsys.readouterr().out

    assert not get_data.verify(tmp_path, ["here/interactions"])
    assert "not there" in capsys.readouterr().out
    path.parent.mkdir()
    assert verify() == (True, "here/interactions: as in the records\n")
    assert verify(**{name: array[[1, 2, 0]] for name, array in made.items()})[0]
    sound, text = verify(split=made["split"][::-1])
    assert not sound
    assert "differs in split (so it is)" in text
    assert "lacks split" in verify(split=None)[1]


def _text(path, rows, separator="\t"):
    path.write_text("".join(separator.join(map(str, row)) + "\n" for row in rows))


def _archive(path, member, log, values, separator):
    lines = zip(log["user"] + 1, log["item"] + 1, log["rating"], values, strict=True)
    text = "".join(separator.join(map(str, line)) + "\n" for line in lines)
    items = "".join(f"{i + 1}::Title (1990)::Drama\n" for i in range(log["item"].max() + 1))
    if member == "u.data":
        genres = "|".join(["0"] * 19)
        items = "".join(
            f"{i + 1}|Title (1990)|||http|{genres}\n" for i in range(log["item"].max() + 1)
        )
    users = "".join(
        f"{u + 1}|20|M|other|1\n" if member == "u.data" else f"{u + 1}::M::1::1::1\n"
        for u in range(log["user"].max() + 1)
    )
    names = {"u.data": ("u.item", "u.user"), "ratings.dat": ("movies.dat", "users.dat")}[member]
    genre_names = "".join(f"g{n}|{n}\n" for n in range(19))
    with zipfile.ZipFile(path, "w") as file:
        for name, part in zip((member, *names, "u.genre"), (text, items, users, genre_names),
                              strict=True):  # fmt: skip
            file.writestr(f"ml/{name}", part)


def test_sources_are_converted_to_what_the_benchmarks_read(data_home, tmp_path):
    """From files in the sources' formats, written from the data; the sources are not at hand."""
    import get_data

    source, made = tmp_path / "source", tmp_path / "made"
    source.mkdir()

    def load(name):
        return dict(np.load(data_home / f"{name}.npz"))

    def make(name):
        folder = made / name.partition("/")[0]
        folder.mkdir(parents=True, exist_ok=True)
        get_data.FILES[name].make(source, folder)
        assert get_data.verify(made, [name])

    log = load("ml-100k/interactions")
    _archive(source / "ml-100k.zip", "u.data", log, log["timestamp"], "\t")
    make("ml-100k/interactions")
    split = load("ml-100k/mcrec_split")
    for part in ("train", "test"):
        rows = np.flatnonzero(split[part])[::-1]
        columns = (log["user"] + 1, log["item"] + 1, log["rating"])
        _text(source / f"ml-100k.{part}.rating", zip(*(c[rows] for c in columns), strict=True))
    make("ml-100k/mcrec_split")

    log = load("gowalla/interactions")
    for split, part in enumerate(("train", "valid", "test")):
        chosen = log["split"] == split
        user, item = log["user"][chosen], log["item"][chosen]
        bounds = np.searchsorted(user, np.arange(user.max() + 2))
        rows = ((u, *item[a:b]) for u, (a, b) in enumerate(zip(bounds, bounds[1:], strict=False)))
        _text(source / f"{part}.txt", rows, " ")
    make("gowalla/interactions")

    log = load("citeulike-a/cmn_leave_one_out")
    test = {
        u: (int(i), n)
        for u, (i, n) in enumerate(zip(log["test_item"], log["negatives"], strict=True))
    }
    np.savez(source / "citeulike-a.npz", train_data=log["train"], test_data=np.array(test))
    make("citeulike-a/cmn_leave_one_out")


def test_ml_1m_is_converted(data_home, tmp_path):
    import get_data

    source, folder = tmp_path / "source", tmp_path / "ml-1m"
    source.mkdir()
    folder.mkdir()
    log, ncf = (
        dict(np.load(data_home / "ml-1m" / f"{name}.npz"))
        for name in ("interactions", "ncf_leave_one_out")
    )
    _archive(source / "ml-1m.zip", "ratings.dat", log, log["time_rank"], "::")
    get_data.FILES["ml-1m/interactions"].make(source, folder)
    place = np.empty(3706, dtype=int)
    place[ncf["ncf_item_to_item"]] = np.arange(3706)
    items, negatives = place[ncf["test_item"]], place[ncf["negatives"]]
    times = ncf["test_timestamp"]
    _text(source / "ml-1m.test.rating",
          zip(range(6040), items, ncf["test_rating"], times, strict=True))  # fmt: skip
    _text(source / "ml-1m.test.negative",
          ((f"({u},{items[u]})", *negatives[u]) for u in range(6040)))  # fmt: skip
    get_data.FILES["ml-1m/ncf_leave_one_out"].make(source, folder)
    assert get_data.verify(tmp_path, ["ml-1m/interactions", "ml-1m/ncf_leave_one_out"])


def test_a_pickle_in_a_download_builds_nothing_but_arrays(tmp_path):
    from _conversions import cmn_leave_one_out

    class Harm:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "harmed",))

    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|O", "fortran_order": False, "shape": ()}
    )
    with zipfile.ZipFile(tmp_path / "citeulike-a.npz", "w") as file:
        pairs = io.BytesIO()
        np.lib.format.write_array(pairs, np.zeros((3, 2), dtype=int))
        file.writestr("train_data.npy", pairs.getvalue())
        file.writestr("test_data.npy", header.getvalue() + pickle.dumps(Harm()))
    with pytest.raises(pickle.UnpicklingError, match="no part of an array"):
        cmn_leave_one_out(tmp_path, tmp_path)
    assert not (tmp_path / "harmed").exists()


def test_the_command_line(data_home, tmp_path, monkeypatch):
    import get_data

    monkeypatch.setattr(sys, "argv", ["get_data.py", "verify", "ml-100k/mcrec_split"])
    with pytest.raises(SystemExit) as stopped:
        get_data.main()
    assert stopped.value.code == 0
    monkeypatch.setattr(sys, "argv", ["get_data.py", "verify", "ml-100k"])
    with pytest.raises(SystemExit, match="ml-100k/mcrec_split"):
        get_data.main()
    monkeypatch.setenv("SKREC_DATA", str(tmp_path))
    (tmp_path / "gowalla").mkdir()
    (tmp_path / "gowalla" / "interactions.npz").touch()
    arguments = ["make", "gowalla/interactions", "--source", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["get_data.py", *arguments])
    with pytest.raises(SystemExit, match="--again"):
        get_data.main()
