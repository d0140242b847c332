"""`skrec fit` and `skrec recommend`: there and back with the user's own ids."""

import csv
import io

import numpy as np
import pytest

from skrec import load, save
from skrec._cli._ids import TextIds, read_ids
from skrec.datasets import load_dataset
from skrec.dummy import DummyRecommender
from skrec.linear_model import EASE


def lists(text):
    """Rows of the output by user."""
    found = {}
    for row in csv.DictReader(io.StringIO(text)):
        found.setdefault(row["user"], []).append(row)
    return found


@pytest.fixture(scope="session")
def rated(skrec, ratings, tmp_path_factory):
    """EASE, fitted on the ratings of at least 4."""
    path = tmp_path_factory.mktemp("rated") / "rated.skops"
    done = skrec("fit", ratings, "--model", "ease", "--min-value", "4", "--output", path)
    assert done.code == 0, done.err
    return path


def test_fit_says_what_it_wrote(skrec, log, tmp_path):
    path = tmp_path / "model.skops"
    done = skrec("fit", log, "--model", "EASE", "--param", "ease.alpha=20", "--output", path)
    assert done.code == 0
    words = " ".join(done.out.split())
    assert "EASE(alpha=20)" in words
    assert f"{path} (" in words
    assert "ids of 160 users and 60 items" in words
    content = load(path)
    assert content["model"].estimator_.alpha == 20
    assert content["interactions"].shape == (160, 60)
    assert [p.name for p in tmp_path.iterdir()] == ["model.skops"]


def test_known_users(skrec, model, generated, tmp_path):
    ids = tmp_path / "ids.txt"
    ids.write_text("u7\n\n  u3 \nu7\n")
    done = skrec("recommend", model, "--users", ids, "-k", "4")
    assert done.code == 0
    assert done.err == ""
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert [row["user"] for row in rows] == ["u7"] * 4 + ["u3"] * 4 + ["u7"] * 4
    assert [row["rank"] for row in rows] == ["1", "2", "3", "4"] * 3
    X = generated.X
    items, scores = EASE(20).fit(X).recommend(X[[7, 3]], k=4, return_scores=True)
    assert [row["item"] for row in rows[:8]] == [f"i{item}" for item in items.ravel()]
    np.testing.assert_allclose([float(r["score"]) for r in rows[:8]], scores.ravel(), rtol=1e-4)


def test_output_file(skrec, model, tmp_path):
    ids, path = tmp_path / "ids.txt", tmp_path / "lists.csv"
    ids.write_text("u1\nu2\n")
    printed = skrec("recommend", model, "--users", ids).out
    done = skrec("recommend", model, "--users", ids, "--output", path)
    assert path.read_text() == printed
    assert "20 recommendations to 2 users" in done.out


def test_unknown_users(skrec, model, generated, tmp_path):
    ids = tmp_path / "ids.txt"
    ids.write_text("u1\nnobody\nu2\nu999\n")
    words = ["recommend", model, "--users", ids, "-k", "3"]
    done = skrec(*words, "--unknown-users", "error")
    assert done.code == 2
    assert done.out == ""
    assert f"{ids}, line 2: the model does not know user 'nobody' (and 1 more" in done.err
    done = skrec(*words, "--unknown-users", "skip")
    assert done.code == 0
    known = lists(done.out)
    assert set(known) == {"u1", "u2"}
    assert "2 of 4 users have no interaction that the model can use; their lists" in done.err
    # Popular items, marked; those of the others are as they were.
    done = skrec(*words, "--unknown-users", "popular")
    assert done.code == 0
    assert "2 of 4 users have no interaction that the model can use; they get" in done.err
    found = lists(done.out)
    assert list(found) == ["u1", "nobody", "u2", "u999"]
    assert {user: found[user] for user in known} == known
    assert found["nobody"] == [row | {"user": "nobody"} for row in found["u999"]]
    popular = DummyRecommender().fit(generated.X).item_popularity_
    shown = [popular[int(row["item"][1:])] for row in found["nobody"]]
    assert shown == sorted(popular, reverse=True)[:3]
    assert [float(row["score"]) for row in found["nobody"]] == shown
    for user, rows in found.items():
        assert {row["fallback"] for row in rows} == {str(user in ("nobody", "u999"))}
    assert skrec(*words) == done


def test_lists_of_users_that_fit_to_nothing(skrec, model, tmp_path):
    ids = tmp_path / "ids.txt"
    ids.write_text("nobody\n")
    words = ["recommend", model, "--users", ids]
    # As good as always the wrong file, unless one asks for it.
    done = skrec(*words)
    assert done.code == 2
    assert "does not know user 'nobody'; expected ids such as u0, u1, u10" in done.err
    assert "--unknown-users popular" in done.err
    done = skrec(*words, "--unknown-users", "popular")
    assert (done.code, len(lists(done.out)["nobody"])) == (0, 10)
    done = skrec(*words, "--unknown-users", "skip")
    assert done.code == 2
    assert "knows none" in done.err
    ids.write_text("\n")
    assert "has no user id" in skrec(*words).err
    ids.write_bytes(b"\xff\xfe\x00")
    assert "is not UTF-8 text" in skrec(*words).err


def test_new_users(skrec, model, generated, tmp_path):
    history = tmp_path / "new.csv"
    history.write_text("user,item\nnew,i3\nnew,i4\nnew,gone\nu7,i5\nlost,gone\n")
    done = skrec("recommend", model, "--history", history, "-k", "3")
    assert done.code == 0
    assert "does not know 1 items (gone) of 2 interactions; skipped them" in done.err
    assert "1 of 3 users have no interaction that the model can use; they get" in done.err
    found = lists(done.out)
    assert set(found) == {"new", "u7", "lost"}
    # The log alone counts, also for a user that the model knows.
    rows = np.zeros((2, 60))
    rows[0, [3, 4]] = rows[1, 5] = 1
    expected = EASE(20).fit(generated.X).recommend(rows, k=3)
    assert [row["item"] for row in found["new"]] == [f"i{item}" for item in expected[0]]
    assert [row["item"] for row in found["u7"]] == [f"i{item}" for item in expected[1]]
    popular = DummyRecommender().fit(generated.X).item_popularity_
    shown = [popular[int(row["item"][1:])] for row in found["lost"]]
    assert shown == sorted(popular, reverse=True)[:3]
    assert [row["fallback"] for row in found["lost"]] == ["True"] * 3
    assert {row["fallback"] for row in found["new"] + found["u7"]} == {"False"}
    words = ["recommend", model, "--history", history, "-k", "3"]
    done = skrec(*words, "--unknown-users", "skip")
    assert lists(done.out) == {user: found[user] for user in ("new", "u7")}
    done = skrec(*words, "--unknown-users", "error")
    assert done.code == 2
    assert "1 of 3 users have no interaction that the model can use, such as 'lost'" in done.err
    done = skrec("recommend", model, "--history", history, "--unknown-items", "error")
    assert done.code == 2
    assert "does not know 1 items (gone)" in done.err
    history.write_text("user,item\nnew,gone\n")
    assert skrec("recommend", model, "--history", history).code == 2


def test_whole_numbers(skrec, rated, tmp_path):
    # Ids of files are typed by what is in them; here one file has text and one has not.
    ids = tmp_path / "ids.txt"
    ids.write_text("12\n0012\n")
    done = skrec("recommend", rated, "--users", ids, "-k", "2")
    assert done.code == 0
    assert [row["user"] for row in csv.DictReader(io.StringIO(done.out))] == ["12"] * 4
    history = tmp_path / "new.csv"
    history.write_text("user,item\nann,3\nann,x\n")
    done = skrec("recommend", rated, "--history", history)
    assert done.code == 0
    assert "1 items (x)" in done.err
    assert "3" not in [row["item"] for row in lists(done.out)["ann"]]


def test_low_ratings_are_seen_but_do_not_teach(skrec, rated, ratings, tmp_path):
    mine = [
        (item, int(value))
        for user, item, value in (line.split("\t") for line in ratings.read_text().splitlines()[1:])
        if user == "12"
    ]
    assert min(value for _, value in mine) < 4 <= max(value for _, value in mine)
    ids = tmp_path / "ids.txt"
    ids.write_text("12\n")
    unseen = {
        row["item"]
        for row in lists(skrec("recommend", rated, "--users", ids, "-k", "60").out)["12"]
    }
    assert unseen == {str(i) for i in range(1, 61)} - {item for item, _ in mine}
    everything = skrec("recommend", rated, "--users", ids, "-k", "60", "--include-seen").out
    assert len(lists(everything)["12"]) == 60
    # The same as a history gives the same list.
    history = tmp_path / "new.csv"
    history.write_text("user,item,rating\n" + "".join(f"me,{i},{v}\n" for i, v in mine))
    as_new = lists(skrec("recommend", rated, "--history", history, "-k", "60").out)["me"]
    as_known = lists(skrec("recommend", rated, "--users", ids, "-k", "60").out)["12"]
    assert [row["item"] for row in as_new] == [row["item"] for row in as_known]
    # Without values every line counts.
    history.write_text("user,item\n" + "".join(f"me,{i}\n" for i, _ in mine))
    plain = lists(skrec("recommend", rated, "--history", history, "-k", "60").out)["me"]
    assert [row["item"] for row in plain] != [row["item"] for row in as_known]


def test_rare_users_are_served_though_not_learned_from(skrec, tmp_path):
    lines = [f"u{u},i{i}" for u in range(6) for i in range(u % 3, 6, 2)] + ["rare,i1"]
    path, model = tmp_path / "log.csv", tmp_path / "m.skops"
    path.write_text("user,item\n" + "\n".join(lines) + "\n")
    done = skrec("fit", path, "--model", "popularity", "--min-user-count", "2", "--output", model)
    assert "from 6 users" in done.out
    content = load(model)
    column = content["encoder"].encode_items(["i1"])[0]
    assert content["model"].estimator_.item_popularity_[column] == sum(
        line.endswith(",i1") for line in lines[:-1]
    )
    (tmp_path / "ids.txt").write_text("rare\n")
    found = lists(skrec("recommend", model, "--users", tmp_path / "ids.txt").out)["rare"]
    assert "i1" not in [row["item"] for row in found]
    assert len(found) == 5


def test_mistakes(skrec, log, model, tmp_path):
    ids = tmp_path / "ids.txt"
    ids.write_text("u1\n")
    plain = save(DummyRecommender().fit(np.eye(2)), tmp_path / "plain.skops")
    cases = [
        (["fit", log, "--model", "ease", "--output", tmp_path / "m.pkl"], "must end in .skops"),
        (["fit", log, "--model", "esae", "--output", tmp_path / "m.skops"], "mean 'ease'"),
        (
            ["fit", log, "--model", "ease", "--param", "a=1", "--output", tmp_path / "m.skops"],
            "unknown parameter of ease 'a'",
        ),
        (
            [
                "fit",
                log,
                "--model",
                "ease",
                "--min-user-count",
                999,
                "--output",
                tmp_path / "m.skops",
            ],
            "no user has 999",
        ),
        (
            ["fit", log, "--model", "biasedmf", "--output", tmp_path / "m.skops"],
            "biasedmf with these parameters predicts ratings",
        ),
        (
            [
                "fit",
                log,
                "--model",
                "itemknn",
                "--param",
                "feedback=rating",
                "--output",
                tmp_path / "m.skops",
            ],
            "Fit ItemKNN to ratings in Python",
        ),
        (["recommend", plain, "--users", ids], "has a DummyRecommender but no ids"),
        (["recommend", log, "--users", ids], "is not a model file"),
        (["recommend", model, "--users", tmp_path / "none.txt"], "none.txt: No such file"),
        (["recommend", model, "--history", tmp_path / "none.csv"], "none.csv"),
        (["recommend", model, "--users", ids, "--columns", "user=a"], "--columns is for --history"),
        (["recommend", model, "--users", ids, "--output", tmp_path], "is a folder"),
    ]
    for arguments, expected in cases:
        done = skrec(*arguments)
        assert done.code == 2, arguments
        assert done.err.startswith("skrec: error: ")
        assert done.err.count("\n") == 1
        assert expected in done.err


def test_future_format(skrec, model, tmp_path):
    other = save(load(model) | {"format": 99}, tmp_path / "other.skops")
    done = skrec("recommend", other, "--users", "ids.txt")
    assert done.code == 2
    assert "in format 99" in done.err


def test_titles_of_movielens(skrec, data_home, tmp_path):
    model, ids = tmp_path / "model.skops", tmp_path / "ids.txt"
    done = skrec("fit", "ml-100k", "--model", "ease", "--data-home", data_home, "--output", model)
    assert done.code == 0
    assert "values of at least 4, each as 1 (the default for MovieLens" in done.out
    data = load_dataset("ml-100k", data_home=data_home)
    ids.write_text("196\n")
    found = lists(skrec("recommend", model, "--users", ids, "-k", "5").out)["196"]
    titles = dict(zip(map(str, data.item_ids), data.titles, strict=True))
    assert [row["title"] for row in found] == [titles[row["item"]] for row in found]
    mask = data.X.data >= 4
    X = data.X.copy()
    X.data = mask.astype(np.float64)
    X.eliminate_zeros()
    row = int(np.flatnonzero(data.user_ids == 196)[0])
    model_here = EASE().fit(X)
    scores = model_here.decision_function(X[[row]])[0]
    scores[data.X[[row]].indices] = -np.inf
    assert [int(r["item"]) for r in found] == data.item_ids[np.argsort(-scores)[:5]].tolist()
    # A quoted title with a comma, for a new user who likes one film.
    history = tmp_path / "new.csv"
    history.write_text("user,item,rating\nme,127,5\n")
    new = lists(skrec("recommend", model, "--history", history, "-k", "20").out)["me"]
    assert all(row["title"] == titles[row["item"]] for row in new)
    assert any("," in row["title"] for row in new)


def test_text_ids():
    known = TextIds(np.array(["7", "07", "x"]))
    assert known.find(["07", "7", " x", "x"]).tolist() == [1, 0, -1, 2]
    mixed = np.array([7, "x"], dtype=object)
    assert TextIds(mixed).find(["7", "x", "y"]).tolist() == [0, 1, -1]


def test_ids_from_stdin_and_with_a_byte_order_mark(monkeypatch, tmp_path):
    monkeypatch.setattr("sys.stdin", io.StringIO("a\r\nb\n"))
    assert read_ids("-", "user") == (["a", "b"], [1, 2])
    path = tmp_path / "ids.txt"
    path.write_bytes(b"\xef\xbb\xbfa\r\n\r\nb")
    assert read_ids(str(path), "user") == (["a", "b"], [1, 3])
