"""The experiments of docs/benchmarks: their list, their records, the page made from them."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from skrec.datasets import make_interactions
from skrec.linear_model import EASE
from skrec.model_selection import user_train_test_split

FOLDER = Path(__file__).parents[1] / "docs" / "benchmarks"


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    yield
    for name in ("experiments", "_protocols", "_tables", "_tuning", "_record", "_best_epoch"):
        sys.modules.pop(name, None)


def test_the_page_is_made_from_the_records():
    from _tables import write_tables

    page = FOLDER / "README.md"
    assert write_tables(page, check=True) == 0, "run `python docs/benchmarks/run.py tables`"


def test_check_finds_a_page_that_is_behind(tmp_path):
    from _tables import write_tables

    page = tmp_path / "README.md"
    text = (FOLDER / "README.md").read_text()
    page.write_text(text.replace("| method |", "| methods |", 1))
    assert write_tables(page, check=True) == 1
    assert write_tables(page) == 0
    assert page.read_text() == text


def test_experiments_have_names_of_their_own_and_at_most_eight_configurations():
    from _protocols import PROTOCOLS
    from experiments import EXPERIMENTS
    from sklearn.model_selection import ParameterGrid

    keys = [experiment.key for experiment in EXPERIMENTS]
    assert len(set(keys)) == len(keys)
    for experiment in EXPERIMENTS:
        metrics = PROTOCOLS[experiment.protocol].metrics
        assert len(experiment.published) in (0, len(metrics)), experiment.key
        grid = list(ParameterGrid(experiment.grid))
        assert 1 <= len(grid) <= 8, experiment.key
        for parameters in grid:
            experiment.estimator.set_params(**parameters)


def test_every_record_says_how_it_was_made():
    records = sorted((FOLDER / "results").rglob("*.json"))
    assert len(records) > 20
    for path in records:
        if path.name.endswith(".partial.json"):
            continue
        made_by = json.loads(path.read_text())["environment"]
        assert {"command", "date", "versions", "machine"} <= set(made_by), path
        assert "scikit-recsys" in made_by["versions"], path


def test_an_experiment_chooses_on_validation_users_and_compares_on_test_users(
    tmp_path, monkeypatch
):
    import _tuning
    from _protocols import PROTOCOLS, Problem, Protocol, Users
    from experiments import Experiment

    X = make_interactions(300, 60, 4000, random_state=0, return_X=True)
    train, X_rest, y_rest = user_train_test_split(X, test_size=100, random_state=0)
    halves = [Users(csr_array(X_rest[rows]), csr_array(y_rest[rows]))
              for rows in (slice(50), slice(50, 100))]  # fmt: skip
    problem = Problem(csr_array(train), halves[0], None, halves[1])
    tiny = Protocol("tiny", "text", ("ndcg@10", "recall@5"), "min", lambda: problem)
    monkeypatch.setitem(PROTOCOLS, "tiny", tiny)
    monkeypatch.setattr(_tuning, "RESULTS", tmp_path)
    monkeypatch.setattr(_tuning, "PER_USER", tmp_path / "per_user")
    good = Experiment("tiny", "EASE", EASE(), {"alpha": [1e6, 20.0]})
    poor = Experiment("tiny", "EASE, much", EASE(alpha=1e9), {})
    for experiment in (good, poor):
        _tuning.run(experiment)
    record = json.loads((tmp_path / "tiny" / "ease.json").read_text())
    validation = [row["validation"]["ndcg@10"] for row in record["validation"]]
    assert len(validation) == 2
    alpha = record["validation"][int(np.argmax(validation))]["parameters"]["alpha"]
    assert record["chosen"]["estimator"] == repr(EASE(alpha=alpha))
    expected = tiny.evaluate(EASE(alpha=alpha).fit(train), halves[1])
    assert record["test"]["mean"]["ndcg@10"] == round(expected.mean["ndcg@10"], 4)
    assert record["environment"]["command"].endswith("run tiny/ease")
    _tuning.compare_all("tiny", [good, poor])
    comparison = json.loads((tmp_path / "tiny" / "comparison.json").read_text())
    other = "ease_much" if comparison["best"] == "ease" else "ease"
    assert comparison["against_best"][other]["difference"] < 0
    assert 0 < comparison["against_best"][other]["holm_p_value"] <= 1


def test_a_failed_record_leaves_the_old_one(tmp_path, monkeypatch):
    import _record

    monkeypatch.setattr(_record, "RESULTS", tmp_path)
    _record.write("x", {"value": 1})
    with pytest.raises(TypeError):
        _record.write("x", {"value": object()})
    assert json.loads((tmp_path / "x.json").read_text())["value"] == 1
