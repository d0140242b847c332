"""`skrec evaluate`: the table, the protocols, the search, the errors."""

import html
import json
import re
import shlex

import numpy as np
import pytest

from skrec._cli._models import as_options, make_model
from skrec.dummy import DummyRecommender
from skrec.linear_model import EASE
from skrec.metrics import compare, evaluate
from skrec.metrics._comparison import _parts
from skrec.model_selection import strong_generalization_split


def table(text):
    """Cells of the printed table by model and column, and marks of the metrics."""
    lines = text.splitlines()
    rule = next(i for i, line in enumerate(lines) if re.fullmatch(r"[- ]+", line) and "--" in line)
    titles = re.split(r"\s{2,}", lines[rule - 1].strip())
    rows = {}
    for line in lines[rule + 1 : lines.index("", rule)]:
        name, *cells = re.split(r"\s{2,}|(?<=\))\s+", line.strip())
        rows[name] = dict(zip(titles[1:], cells, strict=True))
    return rows


def number(cell):
    return float(cell.lstrip("*~").split()[0])


def test_demo_data(skrec):
    done = skrec("evaluate")
    assert done.code == 0
    assert done.err == ""
    rows = table(done.out)
    assert set(rows) == {"ease", "itemknn", "popularity"}
    for metric in ("recall@20", "recall@50", "ndcg@100"):
        popular = number(rows["popularity"][metric])
        assert number(rows["ease"][metric]) > 1.3 * popular
        assert number(rows["itemknn"][metric]) > 1.3 * popular
    assert rows["popularity"]["p"] == "<0.001"
    for label in ("data", "counted", "used", "protocol", "split", "ranking", "seed", "versions"):
        assert re.search(rf"^{label} +\S", done.out, re.MULTILINE)
    words = " ".join(done.out.split())
    assert "2,000 users, 600 items, 40,000 interactions, density 3.333%" in words


def test_numbers_are_those_of_the_library(skrec, log, generated, tmp_path):
    results = tmp_path / "results.json"
    done = skrec(
        "evaluate", log, "--models", "popularity,ease", "--param", "ease.alpha=30",
        "--metrics", "recall@5,ndcg@10", "--random-state", "4", "--min-user-count", "6",
        "--results", results,
    )  # fmt: skip
    assert done.code == 0
    # The same in Python; ids as text sort otherwise than as numbers.
    order_u, order_i = (
        np.argsort([f"{letter}{i}" for i in range(n)]) for letter, n in (("u", 160), ("i", 60))
    )
    X = generated.X[order_u][:, order_i]
    X = X[np.diff(X.indptr) >= 6]
    X = X[:, np.unique(X.indices)].astype(np.float32)
    n_test = round(X.shape[0] / 8)
    split = strong_generalization_split(
        X, n_validation=n_test, n_test=n_test, random_state=np.random.RandomState(4)
    )
    metrics = ["recall@5", "ndcg@10"]
    own = {
        name: evaluate(model.fit(split.X_train), split.X_test, split.y_test, metrics)
        for name, model in (("ease", EASE(30)), ("popularity", DummyRecommender()))
    }
    content = json.loads(results.read_text())
    assert [model["name"] for model in content["models"]] == ["ease", "popularity"]
    for model in content["models"]:
        for metric in metrics:
            score = model["scores"][metric]
            assert score["mean"] == pytest.approx(own[model["name"]].mean[metric], rel=1e-6)
            assert score["standard_error"] == pytest.approx(
                own[model["name"]].standard_error[metric], rel=1e-6
            )
    test = compare(own["ease"], own["popularity"], "ndcg@10")
    assert content["models"][0]["scores"]["ndcg@10"]["p_value"] is None
    assert content["models"][1]["scores"]["ndcg@10"]["p_value"] == pytest.approx(test.p_value)
    assert content["models"][0]["parameters"] == "EASE(alpha=30)"
    assert content["models"][0]["fit_seconds"] > 0
    assert content["header"]["seed"] == "4"
    rows = table(done.out)
    assert number(rows["ease"]["ndcg@10"]) == pytest.approx(own["ease"].mean["ndcg@10"], abs=5e-5)
    assert rows["ease"]["ndcg@10"].startswith("*")


@pytest.mark.parametrize(
    ("protocol", "says", "metrics"),
    [
        ("strong", "test users are not in", {"recall@20", "recall@50", "ndcg@100"}),
        ("weak", "20% of the items of each user", {"recall@20", "recall@50", "ndcg@100"}),
        ("loo", "the last item of each user", {"hr@10", "ndcg@10"}),
    ],
)
def test_protocols(skrec, log, protocol, says, metrics):
    done = skrec(
        "evaluate", log, "--protocol", protocol, "--models", "popularity,itemknn", "--search"
    )
    assert done.code == 0
    assert says in " ".join(done.out.split())
    rows = table(done.out)
    assert metrics == set(rows["itemknn"]) - {"p", "fit", "predict", "peak memory"}
    assert "Chosen parameters:\n  itemknn: metric=" in done.out


def test_last_item_by_time(skrec, tmp_path):
    # Everybody has item "last" last: with times it is held out of all, and the popular
    # model, which has never seen it, puts it at the end.
    lines = ["user,item,timestamp"]
    for user in range(30):
        lines += [f"{user},{item},{10 - item}" for item in range(5)]
        lines += [f"{user},last,99", f"{user},{5 + user % 3},0"]
    path = tmp_path / "timed.csv"
    path.write_text("\n".join(lines))
    arguments = (path, "--protocol", "loo", "--models", "popularity", "--metrics", "hr@1,hr@3")
    timed = skrec("evaluate", *arguments)
    assert "the last item of each user" in timed.out
    assert number(table(timed.out)["popularity"]["hr@3"]) == 1
    assert number(table(timed.out)["popularity"]["hr@1"]) == 0
    path.write_text("\n".join(line.rpartition(",")[0] for line in lines))
    untimed = skrec("evaluate", *arguments)
    assert "a random item of each user" in untimed.out
    assert number(table(untimed.out)["popularity"]["hr@1"]) > 0


def test_dates_of_another_form(skrec, generated, tmp_path):
    days = [
        np.datetime64(int(time) % 300_000_000 + 1_400_000_000, "s").item()
        for time in generated.timestamp
    ]
    logs = {}
    for name, form in (("plain", "%Y-%m-%d"), ("other", "%d.%m.%Y")):
        logs[name] = tmp_path / name / "log.csv"
        logs[name].parent.mkdir()
        lines = [
            f"{user},{item},{day.strftime(form)}"
            for user, item, day in zip(generated.user, generated.item, days, strict=True)
        ]
        logs[name].write_text("\n".join(["user,item,date", *lines]) + "\n")
    options = ["--protocol", "temporal", "--models", "popularity"]
    plain = skrec("evaluate", logs["plain"], *options)
    assert plain.code == 0, plain.err
    done = skrec("evaluate", logs["other"], *options)
    assert done.code != 0
    assert "--timestamp-format '%d.%m.%Y'" in done.err
    done = skrec("evaluate", logs["other"], *options, "--timestamp-format", "%d.%m.%Y")
    assert done.code == 0, done.err
    assert table(done.out)["popularity"]["ndcg@100"] == table(plain.out)["popularity"]["ndcg@100"]
    done = skrec("evaluate", logs["other"], *options, "--timestamp-format", "%d.%m.")
    assert "a year, a month and a day" in done.err


def test_search_looks_at_validation_users_only(skrec, log, monkeypatch):
    parts = []
    own = _parts.evaluate_quietly

    def spy(estimator, X, y=None, metrics=(), **options):
        if options:  # not the warm-up on a sample
            parts.append((X.shape, y.sum(), tuple(metrics)))
        return own(estimator, X, y, metrics, **options)

    monkeypatch.setattr(_parts, "evaluate_quietly", spy)
    done = skrec("evaluate", log, "--models", "ease", "--search", "--metrics", "recall@5")
    assert done.code == 0
    *tries, test = parts
    assert len(tries) == len(EASE._search_grid) == 8
    assert len(set(tries)) == 1
    assert tries[0][2] == ("ndcg@100",)
    assert test[2] == ("recall@5", "recall@1", "recall@2")
    assert test[1] != tries[0][1]


def test_search_takes_the_best_and_leaves_what_is_set(skrec, log, tmp_path):
    path = tmp_path / "r.json"
    done = skrec(
        "evaluate", log, "--models", "ease,popularity", "--search", "--param", "ease.dropout=0.5",
        "--results", path,
    )  # fmt: skip
    assert done.code == 0
    ease = next(m for m in json.loads(path.read_text())["models"] if m["name"] == "ease")
    assert [sorted(trial["params"]) for trial in ease["search"]] == [["alpha"]] * 4
    best = max(ease["search"], key=lambda trial: trial["score"])
    assert ease["parameters"] == f"EASE(alpha={best['params']['alpha']}, dropout=0.5)"
    assert f"ease: alpha={best['params']['alpha']}" in done.out
    assert "popularity:" not in done.out


def test_a_search_without_a_grid_is_said(skrec, log):
    done = skrec("evaluate", log, "--models", "ease,popularity", "--search")
    assert done.code == 0
    assert "Not searched, for want of a grid: popularity\n" in done.out
    assert "warning: Nothing is searched for popularity" in done.err
    assert done.err.count("\n") == 1


def test_cdae_is_searched(skrec, log):
    done = skrec(
        "evaluate", log, "--models", "cdae", "--search", "--param", "cdae.max_iter=2",
        "--param", "cdae.n_components=4",
    )  # fmt: skip
    assert re.search(r"cdae: alpha=.*best of 3\)", done.out)


def test_the_fit_command_of_the_report_fits_what_was_tested(skrec, log, tmp_path):
    report = tmp_path / "r.html"
    skrec(
        "evaluate", log, "--models", "itemknn", "--search", "--param", "itemknn.shrinkage=3",
        "--output", report, "--min-user-count", "6",
    )  # fmt: skip
    text = report.read_text()
    command = shlex.split(html.unescape(re.search("<pre>(.*?)</pre>", text)[1]))
    tested = html.unescape(re.search("As tested: <code>(.*?)</code>", text)[1])
    assert command[:4] == ["python", "-m", "skrec", "fit"]
    assert "--output" in html.unescape(re.search("<dt>command</dt><dd><code>(.*?)<", text)[1])
    at = command.index("--output") + 1
    done = skrec(*command[3:at], tmp_path / command[at])
    assert done.code == 0
    assert tested in " ".join(done.out.split())


def test_parameters_as_options():
    params = {"alpha": 0.5, "loss": "warp", "weighting": None, "name": "None", "sizes": (2, 3)}
    options = as_options(params, "m.")
    assert options[::2] == ["--param"] * 5
    assert options[1::2] == [
        "m.alpha=0.5", "m.loss=warp", "m.weighting=None", "m.name='None'", "m.sizes=(2, 3)",
    ]  # fmt: skip
    model = make_model("multdae", [("hidden_layer_sizes", "(2, 3)")], random_state=0)
    assert model.given == {"hidden_layer_sizes": (2, 3)}


@pytest.mark.slow
def test_same_seed_same_numbers(skrec, log):
    def metrics(seed):
        done = skrec("evaluate", log, "--models", "random,ease", "--random-state", seed)
        return [
            (name, cells["recall@20"], cells["ndcg@100"]) for name, cells in table(done.out).items()
        ]

    assert metrics(1) == metrics(1)
    assert metrics(1) != metrics(2)


def test_least_value(skrec, ratings):
    default = skrec("evaluate", ratings, "--models", "popularity")
    assert "values above 0, each as 1 (they go from 1 to 5; --min-value" in default.out
    assert "2,400 interactions, density" in " ".join(default.out.split())
    high = skrec("evaluate", ratings, "--models", "popularity", "--min-value", "4")
    assert "values of at least 4, each as 1 (they go from 1 to 5)\n" in high.out
    n_used = re.search(r"([\d,]+) interactions, density", " ".join(high.out.split()))[1]
    lines = [line.split("\t") for line in ratings.read_text().splitlines()[1:]]
    counted = [user for user, _, value in lines if int(value) >= 4]
    expected = sum(counted.count(user) for user in set(counted) if counted.count(user) >= 5)
    assert int(n_used.replace(",", "")) == expected


def test_columns_by_name(skrec, tmp_path, log):
    renamed = tmp_path / "renamed.csv"
    text = log.read_text().replace("user,item,timestamp", "who,what,when")
    renamed.write_text(text)
    arguments = ("--models", "popularity")
    done = skrec(
        "evaluate", renamed, "--columns", "user=who, item=what, timestamp=none", *arguments
    )
    assert done.code == 0
    by_place = skrec("evaluate", renamed, "--columns", "user=1,item=2,timestamp=3", *arguments)
    expected = skrec("evaluate", log, *arguments)
    for other in (done, by_place):
        assert (
            table(other.out)["popularity"]["ndcg@100"]
            == (table(expected.out)["popularity"]["ndcg@100"])
        )
    swapped = skrec("evaluate", renamed, "--columns", "user=what,item=who", *arguments)
    assert "60 users, 160 items" in " ".join(swapped.out.split())


def test_a_failing_model_does_not_stop_the_others(skrec, log):
    # Each parameter is allowed, the two together are not.
    done = skrec(
        "evaluate", log, "--models", "itemknn,popularity", "--param", "itemknn.metric=jaccard",
        "--param", "itemknn.weighting=tfidf",
    )  # fmt: skip
    assert done.code == 2
    assert set(table(done.out)) == {"popularity"}
    assert done.err.startswith("skrec: error: 1 of 2 models failed. itemknn: ")
    assert done.err.count("\n") == 1


def test_bold_and_progress_on_a_terminal(skrec, log):
    done = skrec("evaluate", log, "--models", "ease,popularity", terminal=True)
    assert "ease: fitting" in done.err
    assert "| 4/4 [" in done.err or "| 3/4 [" in done.err
    assert re.search(r"^ease +\x1b\[1m *0\.\d{4} \(0\.\d{4}\)\x1b\[0m", done.out, re.MULTILINE)
    assert "*0." not in done.out


def test_normalize(skrec, log):
    def recall(normalize):
        done = skrec(
            "evaluate", log, "--models", "ease", "--metrics", "recall@1", "--normalize", normalize
        )
        return number(table(done.out)["ease"]["recall@1"])

    assert recall("min") > recall("relevant") > 0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--models", "eas"], "unknown model 'eas'. Did you mean 'ease'? Known: "),
        (["--models", "ease,EASE"], "names 'ease' twice"),
        (["--models", ","], "--models has no name"),
        (["--param", "ease.alhpa=1"], "Did you mean 'alpha'?"),
        (["--param", "ease.alpha=-1"], "'alpha' parameter of EASE"),
        (["--param", "alpha=1"], "write it as ease.alpha=1"),
        (["--param", "slim.alpha=1"], "unknown model in --param 'slim'"),
        (["--param", "ease.alpha"], "not an assignment"),
        (["--metrics", "recal@10"], "Did you mean 'recall@k'?"),
        (["--metrics", "recall@0"], "unknown metric"),
        (["--metrics", "rmse"], "compares ratings"),
        (["--output", "no/such/folder/r.html"], "no/such/folder does not exist"),
        (["--output", "report.pdf"], "must end in .html"),
        (["--output", "."], "is a folder"),
        (["--columns", "user=a"], "--columns is for files"),
        (["--min-user-count", "1000"], "no user of demo data"),
        (["--min-value", "7"], "expected some of at least 7"),
    ],
)
def test_mistakes(skrec, arguments, expected):
    done = skrec("evaluate", *arguments)
    assert done.code == 2
    assert done.err.startswith("skrec: error: ")
    assert done.err.count("\n") == 1
    assert expected in done.err
    assert done.out == ""


@pytest.mark.parametrize(
    ("text", "expected", "remedy"),
    [
        (
            "who,what,qty\nu1,i1,2\n",
            "cannot tell which columns",
            "pass --columns user=NAME,item=NAME",
        ),
        (
            "user,item,rating\nu1,i1,much\n",
            "line 2: found 'much' in 'rating'",
            "pass --columns value=NAME",
        ),
    ],
)
def test_remedies_are_those_of_the_command_line(skrec, tmp_path, text, expected, remedy):
    path = tmp_path / "orders.csv"
    path.write_text(text)
    done = skrec("evaluate", path)
    assert done.code == 2
    assert expected in done.err
    assert remedy in done.err


def test_columns_mistakes(skrec, log):
    for text, expected in [
        ("usr=a", "Did you mean 'user'?"),
        ("user=", "each role once"),
        ("user=a,user=b", "each role once"),
        ("user=0", "from 1"),
        ("user=nobody", "nobody"),
    ]:
        done = skrec("evaluate", log, "--columns", text)
        assert done.code == 2
        assert expected in done.err


def test_unknown_data(skrec, tmp_path):
    (tmp_path / "mine").mkdir()
    np.savez(tmp_path / "mine" / "interactions.npz", user=[0, 1], item=[0, 1])
    done = skrec("evaluate", "min", "--data-home", tmp_path)
    assert done.code == 2
    assert "Did you mean 'mine'? Known: demo, mine, ml-100k" in done.err
    assert "there is no file x.csv" in skrec("evaluate", "x.csv", "--data-home", tmp_path).err
    # Both users have one interaction; three are needed to part users.
    done = skrec("evaluate", "mine", "--data-home", tmp_path, "--min-user-count", "1")
    assert "2 are too few" in done.err
    done = skrec("evaluate", tmp_path / "mine", "--min-user-count", "1", "--protocol", "weak")
    assert "No interaction of the test users is held out" in done.err


def test_bad_line_is_named(skrec, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text("user,item,rating\na,x,1\nb,y,high\n")
    done = skrec("evaluate", path)
    assert done.code == 2
    assert "line 3" in done.err


def test_movielens(skrec, data_home):
    done = skrec("evaluate", "ml-100k", "--data-home", data_home)
    assert done.code == 0
    assert "values of at least 4, each as 1 (the default for MovieLens" in done.out
    rows = table(done.out)
    # Measured .445 with this seed; 120 test users leave a standard error of .02.
    assert 0.38 < number(rows["ease"]["ndcg@100"]) < 0.50
    assert number(rows["ease"]["ndcg@100"]) > number(rows["itemknn"]["ndcg@100"])
    assert number(rows["itemknn"]["ndcg@100"]) > 1.3 * number(rows["popularity"]["ndcg@100"])
    again = skrec("evaluate", "100k", "--data-home", data_home, "--models", "popularity")
    assert table(again.out)["popularity"]["ndcg@100"].lstrip("*") == (
        rows["popularity"]["ndcg@100"].lstrip("*")
    )
