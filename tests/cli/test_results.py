"""From `evaluate` to `fit`: results as a recipe, splits in time, values that are kept."""

import json
import re

import numpy as np
import pytest

from skrec import load
from skrec.datasets import load_interactions
from skrec.ensemble import Fallback
from skrec.linear_model import EASE
from skrec.metrics import evaluate
from skrec.model_selection import evaluation_split


@pytest.fixture(scope="module")
def results(skrec, ratings, tmp_path_factory):
    """A search over two models of a file that is read with options."""
    folder = tmp_path_factory.mktemp("results")
    path = folder / "results.json"
    done = skrec(
        "evaluate", ratings, "--models", "popularity,ease,multvae", "--search", "--param",
        "ease.dropout=0.25", "--param", "multvae.max_iter=2", "--param",
        "multvae.hidden_layer_sizes=8", "--min-value", "3", "--columns", "user=userId,item=movieId",
        "--values", "keep", "--random-state", "7", "--delimiter", "tab", "--results", path,
    )  # fmt: skip
    assert done.code == 0, done.err
    return path


def test_fit_takes_what_a_search_has_found(skrec, results, ratings, tmp_path):
    content = json.loads(results.read_text())
    path = tmp_path / "m.skops"
    for model in content["models"]:
        done = skrec("fit", "--from", results, "--model", model["name"], "--output", path)
        assert done.code == 0, done.err
        assert f"model    {model['parameters']}\n" in done.out.replace("\n         ", " ")
    by_hand = tmp_path / "by_hand.skops"
    ease = content["fit"]["models"]["ease"]
    assert set(ease) == {"alpha", "dropout"}
    options = [word for name, text in ease.items() for word in ("--param", f"{name}={text}")]
    done = skrec(
        "fit", ratings, "--model", "ease", *options, "--min-value", "3", "--values", "keep",
        "--output", by_hand,
    )  # fmt: skip
    assert done.code == 0, done.err
    skrec("fit", ratings, "--from", results, "--model", "ease", "--output", path)
    ours, expected = load(path), load(by_hand)
    np.testing.assert_array_equal(
        ours["model"].estimator_.coef_, expected["model"].estimator_.coef_
    )
    assert ours["facts"]["learned"] == expected["facts"]["learned"]
    assert (ours["min_value"], ours["values"]) == (3.0, "keep")


def test_the_best_model_is_taken_and_the_line_counts_more(skrec, results, ratings, tmp_path):
    path = tmp_path / "m.skops"
    best = json.loads(results.read_text())["models"][0]
    done = skrec("fit", "--from", results, "--output", path)
    assert best["parameters"].partition("(")[0] in done.out
    done = skrec(
        "fit", ratings, "--from", results, "--model", "ease", "--param", "alpha=77", "--min-value",
        "4", "--random-state", "1", "--output", path,
    )  # fmt: skip
    assert done.code == 0, done.err
    content = load(path)
    estimator = content["model"].estimator_
    assert (estimator.alpha, estimator.dropout, content["min_value"]) == (77, 0.25, 4.0)


def test_files_that_are_no_results(skrec, results, tmp_path):
    sound = json.loads(results.read_text())
    wrong = [
        "no json",
        "[]",
        "3",
        "{}",
        json.dumps(sound | {"fit": None}),
        json.dumps(sound | {"fit": sound["fit"] | {"models": {}}}),
        json.dumps(sound | {"fit": sound["fit"] | {"models": {"ease": {"alpha": 3}}}}),
        json.dumps(sound | {"fit": sound["fit"] | {"options": {"min_value": [1]}}}),
        json.dumps(sound | {"fit": sound["fit"] | {"options": {"output": "x"}}}),
        "[" * 100_000,
    ]
    path = tmp_path / "r.json"
    words = ["fit", "--from", path, "--output", tmp_path / "m.skops"]
    for text in wrong:
        path.write_text(text)
        done = skrec(*words)
        assert done.code == 2, text[:50]
        assert done.err == (
            f"skrec: error: {path} is not a file of results; expected one written by "
            "`evaluate --results`.\n"
        )
    done = skrec("fit", "--from", results, "--model", "eas", "--output", tmp_path / "m.skops")
    assert "Did you mean 'ease'? Known: ease, multvae, popularity" in done.err
    assert skrec("fit", "--from", "no.json", "--output", tmp_path / "m.skops").err == (
        "skrec: error: no.json: No such file or directory\n"
    )
    params = {"models": {"ease": {"alpha": "__import__('os')"}}}
    path.write_text(json.dumps(sound | {"fit": sound["fit"] | params}))
    assert "must be a finite number" in skrec(*words).err


@pytest.fixture(scope="module")
def timed(tmp_path_factory):
    """A log over a year; a tenth of the users come in its last weeks only."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("timed") / "timed.csv"
    lines = ["user,item,timestamp"]
    for user in range(150):
        items = rng.choice(40, size=8, replace=False, p=np.arange(40, 0, -1) / 820)
        late = user % 10 == 0
        days = rng.integers(345, 365, 8) if late else rng.integers(0, 365, 8)
        lines += [
            f"u{user},i{item},{1_600_000_000 + 86_400 * int(day)}"
            for item, day in zip(items, days, strict=True)
        ]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_temporal(skrec, timed, tmp_path):
    results = tmp_path / "r.json"
    words = ["evaluate", timed, "--protocol", "temporal", "--models", "ease,popularity"]
    done = skrec(*words, "--metrics", "ndcg@10", "--param", "ease.alpha=30", "--results", results)
    assert done.code == 0, done.err
    words = " ".join(done.out.split())
    assert "in time: the last 20% of all interactions are held out" in words
    raw = load_interactions(timed)
    split = evaluation_split(raw.X, "temporal", timestamps=raw.timestamp)
    model = Fallback(EASE(30)).fit(split.X_train)
    own = evaluate(model, split.X_test, split.y_test, ["ndcg@10"])
    content = json.loads(results.read_text())
    ease = next(one for one in content["models"] if one["name"] == "ease")
    assert ease["scores"]["ndcg@10"]["mean"] == pytest.approx(own.mean["ndcg@10"], rel=1e-6)
    assert ease["parameters"] == "EASE(alpha=30)"
    # Users without a past have the popular items, and are told apart.
    scores = ease["scores"]["ndcg@10"]
    popular = next(one for one in content["models"] if one["name"] == "popularity")
    assert scores["mean_unknown"] == popular["scores"]["ndcg@10"]["mean_unknown"]
    assert scores["mean_unknown"] == pytest.approx(own.mean_unknown["ndcg@10"], rel=1e-6)
    assert scores["mean_known"] == pytest.approx(own.mean_known["ndcg@10"], rel=1e-6)
    assert own.n_unknown["ndcg@10"] > 12
    assert f"Nothing is known of {own.n_unknown['ndcg@10']} of the" in words
    assert f"ease {scores['mean_unknown']:.4f} and {scores['mean_known']:.4f}" in words
    assert "without a past: the popular items" in words
    assert done.err == ""


def test_temporal_search(skrec, timed, tmp_path):
    path = tmp_path / "r.json"
    done = skrec(
        "evaluate", timed, "--protocol", "temporal", "--models", "itemknn", "--search", "--output",
        tmp_path / "r.html", "--results", path,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "estimator__" not in done.out + path.read_text() + (tmp_path / "r.html").read_text()
    assert re.search(r"itemknn: metric='", done.out)
    done = skrec("fit", "--from", path, "--output", tmp_path / "m.skops")
    assert done.code == 0, done.err


def test_temporal_needs_times(skrec, ratings):
    done = skrec("evaluate", ratings, "--protocol", "temporal")
    assert done.code == 2
    assert "--protocol temporal needs times" in done.err
    assert "--columns timestamp=NAME" in done.err


def test_values_that_are_kept(skrec, tmp_path):
    path, model = tmp_path / "log.csv", tmp_path / "m.skops"
    path.write_text("user,item,quantity\na,x,3\na,y,1\nb,x,2\nb,z,5\nc,y,0\nc,z,1\na,x,4\n")
    words = ["fit", path, "--model", "ease", "--output", model]
    done = skrec(*words)
    assert "values above 0, each as 1 (they go from 0 to 7" in " ".join(done.out.split())
    assert "--values keep is the alternative" in " ".join(done.out.split())
    assert load(model)["interactions"].toarray().tolist() == [[1, 1, 0], [1, 0, 1], [0, 0, 1]]
    done = skrec(*words, "--values", "keep")
    assert "values above 0, as they are (they go from 0 to 7" in " ".join(done.out.split())
    X = np.array([[7, 1, 0], [2, 0, 5], [0, 0, 1]])
    assert load(model)["interactions"].toarray().tolist() == X.tolist()
    history = tmp_path / "new.csv"
    history.write_text("user,item,quantity\nnew,x,4\nnew,y,2\n")
    done = skrec("recommend", model, "--history", history)
    score = EASE().fit(X).decision_function([[4.0, 2.0, 0.0]])[0, 2]
    assert float(done.out.splitlines()[1].split(",")[3]) == pytest.approx(score, rel=1e-4)
    # Without values a repeated pair is one, or as many as there are.
    path.write_text("user,item\na,x\na,x\na,y\nb,y\n")
    done = skrec(*words)
    assert "every pair of user and item once, however often" in " ".join(done.out.split())
    assert load(model)["interactions"].toarray().tolist() == [[1, 1], [0, 1]]
    skrec(*words, "--values", "keep")
    assert load(model)["interactions"].toarray().tolist() == [[2, 1], [0, 1]]
