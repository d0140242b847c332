"""`skrec recommend` for all users: a folder of parquet in, parquet or a folder of it out."""

import csv
import gc
import io
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skrec._cli import _list_files, _recommend
from skrec.datasets import load_interactions
from skrec.utils import _list_parts
from skrec.utils._files import new_part


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def lines_of(table):
    """Lines of a table as those of the CSV."""
    rows = table.to_pylist()
    return [row | {"score": f"{row['score']:.6g}"} for row in rows]


@pytest.fixture(scope="module")
def expected(skrec, model):
    """Lists of all users as CSV gives them."""
    done = skrec("recommend", model, "-k", 4)
    assert done.code == 0, done.err
    return [
        row | {"rank": int(row["rank"]), "fallback": row["fallback"] == "True"}
        for row in rows_of(done.out)
    ]


def test_a_parquet_file(skrec, model, expected, tmp_path):
    path = tmp_path / "lists.parquet"
    done = skrec("recommend", model, "--users", "all", "-k", 4, "--output", path)
    assert done.code == 0, done.err
    assert done.out == f"{path}: 640 recommendations to 160 users\n"
    table = pq.read_table(path)
    assert lines_of(table) == expected
    assert [str(field.type) for field in table.schema] == [
        "string", "int32", "string", "float", "bool",
    ]  # fmt: skip
    assert [entry.name for entry in tmp_path.iterdir()] == ["lists.parquet"]


def test_ids_that_are_whole_numbers_stay_some(skrec, ratings, tmp_path):
    model, path = tmp_path / "rated.skops", tmp_path / "lists.parquet"
    assert skrec("fit", ratings, "--model", "popularity", "--output", model).code == 0
    assert skrec("recommend", model, "-k", 2, "--output", path).code == 0
    table = pq.read_table(path)
    assert table.schema.field("user").type == table.schema.field("item").type == pa.int64()


def test_one_unknown_user_leaves_the_ids_what_they_are(skrec, ratings, tmp_path):
    model, path, ids = tmp_path / "rated.skops", tmp_path / "lists.parquet", tmp_path / "ids.txt"
    assert skrec("fit", ratings, "--model", "popularity", "--output", model).code == 0
    # The data are of the users 1 to 160.
    for choice, unknown, users in (
        ("skip", "nobody", [5, 7]),
        ("skip", "900", [5, 7]),
        ("popular", "900", [5, 900, 7]),
        ("popular", "-900", [5, -900, 7]),
        ("popular", "nobody", ["5", "nobody", "7"]),
        ("popular", str(2**63), ["5", str(2**63), "7"]),
    ):
        ids.write_text(f"5\n{unknown}\n7\n")
        words = ["--users", ids, "--unknown-users", choice, "-k", 2]
        done = skrec("recommend", model, *words, "--output", path)
        assert done.code == 0, done.err
        table = pq.read_table(path)
        assert table["user"].to_pylist() == list(np.repeat(users, 2))
        unknown_ones = [str(user) not in ("5", "7") for user in table["user"].to_pylist()]
        assert table["fallback"].to_pylist() == unknown_ones
        text = [row["user"] for row in rows_of(skrec("recommend", model, *words).out)]
        assert text == list(map(str, table["user"].to_pylist()))


def test_a_failed_run_leaves_the_old_file(skrec, model, tmp_path, monkeypatch):
    path = tmp_path / "lists.parquet"
    path.write_bytes(b"old")

    def fail(*arguments, **options):
        raise ValueError("scores are lost")

    monkeypatch.setattr(_recommend, "recommend_rows", fail)
    done = skrec("recommend", model, "--output", path)
    assert done.code != 0
    assert "scores are lost" in done.err
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["lists.parquet"]


def test_a_failed_run_closes_what_it_has_begun(skrec, model, tmp_path, monkeypatch):
    monkeypatch.setattr(_list_files, "_GROUP_ROWS", 1)
    monkeypatch.setattr(_recommend, "_CHUNK", 100)
    whole, left = _recommend.recommend_rows, []

    def fail(score_rows, shape, *arguments, **options):
        if shape[0] == 60:  # the last users, when a group of rows is written
            raise ValueError("scores are lost")
        return whole(score_rows, shape, *arguments, **options)

    monkeypatch.setattr(_recommend, "recommend_rows", fail)
    monkeypatch.setattr(sys, "unraisablehook", left.append)
    done = skrec("recommend", model, "--output", tmp_path / "lists.parquet")
    gc.collect()
    assert (done.code, done.err) == (2, "skrec: error: scores are lost\n")
    assert left == []


def test_a_folder_of_parts_goes_on_where_it_was(skrec, model, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(_list_files, "_PART_USERS", 50)
    folder = tmp_path / "lists"
    command = ["recommend", model, "--users", "all", "-k", 4, "--output", f"{folder}/"]
    whole = _recommend.recommend_rows

    def fail(score_rows, shape, *arguments, **options):
        if shape[0] == 10:  # the last part
            raise ValueError("the power is off")
        return whole(score_rows, shape, *arguments, **options)

    with monkeypatch.context() as broken:
        broken.setattr(_recommend, "recommend_rows", fail)
        done = skrec(*command)
    assert done.code != 0
    assert "the power is off" in done.err
    names = ["part-00000.parquet", "part-00001.parquet", "part-00002.parquet"]
    assert sorted(entry.name for entry in folder.iterdir()) == names
    before = {name: (folder / name).stat().st_mtime_ns for name in names}
    done = skrec(*command)
    assert done.code == 0, done.err
    assert done.out == f"{folder}/: 640 recommendations to 160 users\n"
    assert {name: (folder / name).stat().st_mtime_ns for name in names} == before
    assert lines_of(pq.read_table(folder)) == expected
    # Complete: nothing is computed any more.
    monkeypatch.setattr(_recommend, "recommend_rows", None)
    assert skrec(*command).code == 0


def test_a_part_that_is_damaged_is_made_anew(skrec, model, tmp_path):
    folder = tmp_path / "lists"
    command = ["recommend", model, "-k", 4, "--output", f"{folder}/"]
    assert skrec(*command).code == 0
    part = folder / "part-00000.parquet"
    whole = pq.read_table(part)
    for content in (b"", part.read_bytes()[:-9]):
        part.write_bytes(content)
        done = skrec(*command)
        assert done.code == 0, done.err
        assert pq.read_table(part).equals(whole)
    part.write_text("user,item\n")
    done = skrec(*command)
    assert done.code == 2
    assert f"{part} exists and comes from another" in done.err
    assert part.read_text() == "user,item\n"


def replace_after(monkeypatch, name, path, by):
    """A function of the verb, after whose first call the file of the model is another."""
    before = getattr(_recommend, name)

    def replaced(*arguments, **options):
        done = before(*arguments, **options)
        path.write_bytes(by.read_bytes())
        return done

    monkeypatch.setattr(_recommend, name, replaced)


def test_a_model_that_is_replaced_meanwhile(skrec, log, model, other_model, tmp_path, monkeypatch):
    folder, path = tmp_path / "lists", tmp_path / "m.skops"
    path.write_bytes(model.read_bytes())
    command = ["recommend", path, "--history", log, "-k", 4, "--output", f"{folder}/"]
    # The lists are those of the model that was read, and say so.
    with monkeypatch.context() as patched:
        replace_after(patched, "load_model_file", path, other_model)
        assert skrec(*command).code == 0
    written = pq.read_table(folder)
    done = skrec(*command)
    assert done.code == 2
    assert "exists and comes from another model" in done.err
    path.write_bytes(model.read_bytes())
    assert skrec(*command).code == 0
    lists = tmp_path / "lists.parquet"
    assert skrec(*command[:-1], lists).code == 0
    assert pq.read_table(lists).equals(written)


def test_another_version_does_not_go_on(skrec, model, tmp_path, monkeypatch):
    command = ["recommend", model, "-k", 4, "--output", f"{tmp_path / 'lists'}/"]
    assert skrec(*command).code == 0
    monkeypatch.setattr(_list_parts, "__version__", "0.0.1")
    done = skrec(*command)
    assert done.code == 2
    assert "or another version of skrec" in done.err


def test_a_folder_of_other_lists_is_refused(skrec, model, other_model, ids_file, tmp_path):
    folder = tmp_path / "lists"
    assert skrec("recommend", model, "-k", 4, "--output", f"{folder}/").code == 0
    for other in ([model, "-k", 5], [model, "-k", 4, "--include-seen"], [other_model, "-k", 4],
                  [model, "-k", 4, "--users", ids_file],
                  [model, "-k", 4, "--items", ids_file.with_name("items.txt")]):  # fmt: skip
        done = skrec("recommend", *other, "--output", f"{folder}/")
        assert done.code != 0
        assert "comes from another model, other parameters, other users or another" in done.err
        assert f"delete {folder}/, or name another folder" in done.err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    (tmp_path / "file").write_text("")
    for name, message in (("mine", "has other files"), ("file", "is a file"),
                          ("none/lists", "does not exist")):  # fmt: skip
        done = skrec("recommend", model, "--output", f"{tmp_path / name}/")
        assert done.code != 0
        assert message in done.err
    assert [entry.name for entry in (tmp_path / "mine").iterdir()] == ["notes.txt"]


@pytest.fixture(scope="module")
def other_model(skrec, log, tmp_path_factory):
    """EASE of the same users and items, with another penalty."""
    path = tmp_path_factory.mktemp("other") / "other.skops"
    words = ["--model", "ease", "--param", "alpha=2000", "--output", path]
    assert skrec("fit", log, *words).code == 0
    return path


def test_what_a_killed_run_left_is_removed(skrec, model, tmp_path):
    folder = tmp_path / "lists"
    folder.mkdir()
    code = (
        "import sys; from pathlib import Path; from skrec.utils._files import new_part; "
        "new_part(Path(sys.argv[1], 'part-00000.parquet')).touch()"
    )
    subprocess.run([sys.executable, "-c", code, folder], check=True)
    assert [entry.suffix for entry in folder.iterdir()] == [".part"]
    done = skrec("recommend", model, "-k", 4, "--output", f"{folder}/")
    assert done.code == 0, done.err
    assert [entry.name for entry in folder.iterdir()] == ["part-00000.parquet"]
    # A run that begins just now is of the same folder; other files that are being written are not.
    for name, code in (("part-00000.parquet", 0), ("mine.csv", 2)):
        busy = tmp_path / name
        busy.mkdir()
        part = new_part(busy / name)
        part.touch()
        done = skrec("recommend", model, "-k", 4, "--output", f"{busy}/")
        assert done.code == code
        assert ("has other files" in done.err) == (code == 2)
        assert part.exists()


@pytest.fixture
def ids_file(tmp_path):
    (tmp_path / "items.txt").write_text("i1\ni2\ni3\ni4\n")
    path = tmp_path / "users.txt"
    path.write_text("u1\nu2\n")
    return path


def test_all_users_of_a_log_that_is_a_folder(skrec, model, log, tmp_path):
    data = load_interactions(log)
    folder = tmp_path / "log"
    folder.mkdir()
    user, item = data.user_ids[data.user], data.item_ids[data.item]
    order = np.random.default_rng(0).permutation(len(user))
    for part, rows in enumerate(np.array_split(order, 3)):
        table = pa.table({"user": user[rows], "item": item[rows]})
        pq.write_table(table, folder / f"{part}.parquet")
    path = tmp_path / "lists.parquet"
    done = skrec(
        "recommend", model, "--users", "all", "--history", folder, "-k", 4, "--output", path
    )
    assert done.code == 0, done.err
    one = tmp_path / "one.parquet"
    done = skrec("recommend", model, "--history", log, "-k", 4, "--output", one)
    assert pq.read_table(path).equals(pq.read_table(one))
    assert len(set(pq.read_table(path)["user"].to_pylist())) == 160


def test_users_and_a_history_are_refused(skrec, model, log, ids_file):
    done = skrec("recommend", model, "--users", ids_file, "--history", log)
    assert done.code != 0
    assert "--history has its own users; give one of them, or --users all" in done.err
