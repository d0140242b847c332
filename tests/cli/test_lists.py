"""Candidates, titles and similar items: `skrec recommend` and `skrec similar`."""

import csv
import io

import numpy as np
import pytest

from skrec import LogRecommender
from skrec.linear_model import EASE


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture(scope="module")
def titles(tmp_path_factory):
    """Titles of half of the items, in a file with names and one column too many."""
    path = tmp_path_factory.mktemp("titles") / "items.csv"
    lines = [f'{10 * i},"Tea, no. {i}",i{i}' for i in range(0, 60, 2)]
    path.write_text("price,title,item_id\n" + "\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def ids(tmp_path_factory):
    """Make a file of ids."""
    folder = tmp_path_factory.mktemp("ids")

    def write(*names):
        path = folder / f"{len(list(folder.iterdir()))}.txt"
        path.write_text("".join(f"{name}\n" for name in names))
        return path

    return write


@pytest.fixture(scope="module")
def similarity(generated):
    """Similar items of EASE in Python: similar items and scores by item."""
    model = EASE(20).fit(generated.X)
    similar, scores = model.similar_items(np.arange(60), 59, return_scores=True)
    return {f"i{item}": ([f"i{o}" for o in similar[item]], scores[item]) for item in range(60)}


def test_similar_items(skrec, model, similarity, ids):
    done = skrec("similar", model, "i7", "i3", "-k", "4")
    assert (done.code, done.err) == (0, "")
    rows = rows_of(done.out)
    assert list(rows[0]) == ["item", "rank", "similar", "score"]
    assert [row["item"] for row in rows] == ["i7"] * 4 + ["i3"] * 4
    assert [row["rank"] for row in rows] == ["1", "2", "3", "4"] * 2
    for item, part in (("i7", rows[:4]), ("i3", rows[4:])):
        assert [row["similar"] for row in part] == similarity[item][0][:4]
        found = [float(row["score"]) for row in part]
        np.testing.assert_allclose(found, similarity[item][1][:4], rtol=1e-4)
    assert skrec("similar", model, "--ids", ids("i7", "", " i3"), "-k", "4") == done


def test_all_items_have_similar_ones(skrec, model, similarity, tmp_path):
    path = tmp_path / "similar.csv"
    done = skrec("similar", model, "-k", "3", "--output", path)
    assert done.out == f"{path}: 180 similar items of 60 items\n"
    found = {}
    for row in rows_of(path.read_text()):
        found.setdefault(row["item"], []).append(row["similar"])
    assert found == {item: similar[:3] for item, (similar, _) in similarity.items()}


@pytest.mark.parametrize("titled", [True, False])
def test_similar_items_as_parquet(skrec, model, ratings, titles, tmp_path, titled):
    pq = pytest.importorskip("pyarrow.parquet")
    path, options = tmp_path / "similar.parquet", ["--titles", titles] if titled else []
    done = skrec("similar", model, "-k", "3", *options, "--output", path)
    assert done.out == f"{path}: 180 similar items of 60 items\n"
    table = pq.read_table(path)
    rows = rows_of(skrec("similar", model, "-k", "3", *options).out)
    assert table.column_names == list(rows[0])
    text = [
        {name: f"{value:.6g}" if name == "score" else str(value) for name, value in row.items()}
        for row in table.to_pylist()
    ]
    assert text == rows
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    # Ids that are whole numbers stay some.
    rated = tmp_path / "rated.skops"
    assert skrec("fit", ratings, "--model", "ease", "--output", rated).code == 0
    assert skrec("similar", rated, "7", "--output", path).code == 0
    types = [str(pq.read_schema(path).field(name).type) for name in ("item", "similar")]
    assert types == ["int64", "int64"]


def test_similar_items_are_one_file(skrec, model, tmp_path):
    done = skrec("similar", model, "--output", f"{tmp_path / 'similar'}/")
    assert done.code == 2
    assert "is a folder; expected the name of a file" in done.err
    assert list(tmp_path.iterdir()) == []


def test_candidates_of_similar_items(skrec, model, similarity, ids):
    stock = [f"i{i}" for i in range(0, 60, 3)]
    done = skrec("similar", model, "i7", "-k", "5", "--items", ids(*stock))
    expected = [item for item in similarity["i7"][0] if item in stock]
    assert [row["similar"] for row in rows_of(done.out)] == expected[:5]
    done = skrec(
        "similar", model, "i7", "-k", "60", "--items", ids(*stock), "--exclude-items",
        ids(expected[0], expected[2]),
    )  # fmt: skip
    assert [row["similar"] for row in rows_of(done.out)] == [expected[1], *expected[3:]]


def test_candidates_of_recommendations(skrec, model, generated, ids):
    users = ids("u7", "u3", "nobody")
    stock = [0, 5, 9, 14, 20, 31, 44]
    words = ["recommend", model, "--users", users, "-k", "60"]
    every = rows_of(skrec(*words).out)
    done = skrec(*words, "--items", ids(*(f"i{i}" for i in stock)))
    names = {f"i{i}" for i in stock}
    found = rows_of(done.out)
    assert found
    for user in ("u7", "u3", "nobody"):
        expected = [r["item"] for r in every if r["user"] == user and r["item"] in names]
        assert [row["item"] for row in found if row["user"] == user] == expected
    done = skrec(*words, "--exclude-items", ids(*(f"i{i}" for i in stock), "gone"))
    assert {row["item"] for row in rows_of(done.out)} == {f"i{i}" for i in range(60)} - names
    assert "does not know item 'gone'" in done.err
    # Against Python.
    model_here = EASE(20).fit(generated.X)
    lists = model_here.recommend(generated.X[[7]], k=3, items=stock)
    found = rows_of(skrec(*words, "--items", ids(*(f"i{i}" for i in stock))).out)
    top = [row["item"] for row in found if row["user"] == "u7"][:3]
    assert top == [f"i{item}" for item in lists[0] if item >= 0]


def test_without_a_list_all_users_are_served(skrec, model, ids, tmp_path):
    everybody = ids(*sorted(f"u{i}" for i in range(160)))
    done = skrec("recommend", model, "-k", "2")
    assert done == skrec("recommend", model, "--users", everybody, "-k", "2")
    assert len(rows_of(done.out)) == 320


def test_unknown_candidates(skrec, model, ids):
    words = ["recommend", model, "--users", ids("u1")]
    done = skrec(*words, "--items", ids("i1", "new", "newer"))
    assert done.code == 0
    assert "the model does not know item 'new' (and 1 more unknown ids)" in done.err
    done = skrec(*words, "--items", ids("new", "newer"))
    assert done.code == 2
    assert "knows none of these 2 items; expected ids such as i0, i1, i10" in done.err
    done = skrec(*words, "--items", ids("i1"), "--exclude-items", ids("i1"))
    assert done.code == 2
    assert "leaves no item" in done.err


def test_unknown_items(skrec, model, ids):
    done = skrec("similar", model, "i1", "gone", "lost")
    assert done.code == 2
    assert "does not know item 'gone' (and 1 more unknown ids); expected ids such as i0" in done.err
    assert "--unknown-items skip" in done.err
    done = skrec("similar", model, "--ids", ids("i1", "gone"))
    assert ".txt, line 2: the model does not know item 'gone'" in done.err
    done = skrec("similar", model, "i1", "gone", "--unknown-items", "skip", "-k", "2")
    assert done.code == 0
    assert [row["item"] for row in rows_of(done.out)] == ["i1", "i1"]
    assert "1 of 2 items are unknown; left out" in done.err
    assert skrec("similar", model, "gone", "--unknown-items", "skip").code == 2


def test_titles(skrec, log, model, titles, ids, tmp_path):
    path = tmp_path / "titled.skops"
    words = ["fit", log, "--model", "ease", "--param", "alpha=20", "--output", path]
    done = skrec(*words, "--titles", titles)
    assert done.code == 0, done.err
    assert "items, titles of 30 of them" in " ".join(done.out.split())
    for command in (["recommend", "--users", ids("u7")], ["similar", "i7"]):
        verb, *rest = command
        kept = skrec(verb, path, *rest, "-k", "9")
        given = skrec(verb, model, *rest, "-k", "9", "--titles", titles)
        assert kept == given
        shown = rows_of(kept.out)
        for row in shown:
            number = int(row["similar" if verb == "similar" else "item"][1:])
            assert row["title"] == ("" if number % 2 else f"Tea, no. {number}")
        assert {bool(row["title"]) for row in shown} == {True, False}
    other = tmp_path / "other.csv"
    other.write_text("item,title\nx,Y\n")
    done = skrec(*words, "--titles", other)
    assert done.code == 2
    assert "a title for none of the 60 items" in done.err


def test_models_without_similar_items(skrec, log, ids, tmp_path):
    path = tmp_path / "m.skops"
    skrec("fit", log, "--model", "popularity", "--output", path)
    done = skrec("similar", path, "i1")
    assert done.code == 2
    assert "DummyRecommender has no similar_items. Use a recommender that has it" in done.err
    assert "EASE" in done.err
    assert done.err.count("\n") == 1


def test_a_saved_log_recommender_is_a_model_file(skrec, log, model, titles, ids, tmp_path):
    path = LogRecommender(EASE(20), titles=str(titles)).fit(str(log)).save(tmp_path / "l.skops")
    words = ["--users", ids("u7", "nobody"), "-k", "5"]
    done = skrec("recommend", path, *words)
    assert (done.code, done.out) == (0, skrec("recommend", model, *words, "--titles", titles).out)
    here = LogRecommender.load(path).recommend(["u7", "nobody"], 5)
    assert [row["item"] for row in rows_of(done.out)] == list(here["item"])
    assert [row["fallback"] for row in rows_of(done.out)] == list(map(str, here["fallback"]))
    done = skrec("similar", path, "i7", "-k", "3")
    assert done.out == skrec("similar", model, "i7", "-k", "3", "--titles", titles).out
