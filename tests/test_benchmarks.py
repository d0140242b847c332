"""The experiments of docs/benchmarks: their list, their records, the page made from them."""

import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from skrec.autoencoder import MultVAE
from skrec.datasets import make_interactions
from skrec.linear_model import EASE
from skrec.metrics import evaluate
from skrec.metrics._comparison._best_epoch import check_still
from skrec.model_selection import user_train_test_split

FOLDER = Path(__file__).parents[1] / "docs" / "benchmarks"


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    yield
    for name in [path.stem for path in FOLDER.glob("*.py")]:
        sys.modules.pop(name, None)


def test_the_pages_are_made_from_the_records():
    from _tables import pages, write_tables

    assert len(pages(FOLDER)) > 12
    assert write_tables(FOLDER, check=True) == 0, "run `python docs/benchmarks/run.py tables`"


def test_every_page_is_in_the_index():
    index = (FOLDER / "README.md").read_text()
    names = {path.stem for path in FOLDER.glob("*.md")} - {"README"}
    (toctree,) = re.findall(r"```\{toctree\}\n.*?\n\n(.*?)```", index, re.DOTALL)
    assert sorted(toctree.split()) == sorted(names)
    assert set(re.findall(r"^\| \[[^]]*\]\((\w+)\.md\)", index, re.MULTILINE)) == names


def test_every_method_has_a_short_name_of_its_own():
    from _names import SHORT, short
    from experiments import EXPERIMENTS, FIGURES

    for protocol in {each.protocol for each in EXPERIMENTS}:
        names = [short(each.name) for each in EXPERIMENTS if each.protocol == protocol]
        assert len(names) == len(set(names))
        assert max(map(len, names)) <= 24
    assert set(SHORT) <= {each.name for each in EXPERIMENTS} | {each.method for each in FIGURES}


def test_remarks_are_footnotes_and_equal_ones_are_one():
    from _cells import Footnotes

    notes = Footnotes()
    assert [notes.mark(*texts) for texts in (("x", ""), ("y", "x"), ("",))] == [
        "<sup>a</sup>",
        "<sup>b a</sup>",
        "",
    ]
    assert notes.below("| t |").endswith("</div>\n\n- <sup>a</sup> x\n- <sup>b</sup> y")


def test_links_between_the_pages_lead_somewhere():
    for page in FOLDER.glob("*.md"):
        for name, heading in re.findall(r"\]\((\w+\.md)?(#[\w-]+)?\)", page.read_text()):
            target = FOLDER / (name or page.name)
            assert target.is_file(), (page.name, name)
            if heading:
                titles = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
                slugs = {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in titles}
                assert heading[1:] in slugs, (page.name, name, heading)


def test_the_picture_is_drawn_from_the_records(tmp_path, monkeypatch):
    import _picture

    picture = FOLDER / "ml1m_strong.svg"
    assert _picture.is_current("ml1m_strong", picture), "run `python docs/benchmarks/run.py tables`"
    points = _picture._points("ml1m_strong")
    points[0][3] += 1e-4
    monkeypatch.setattr(_picture, "_points", lambda protocol: points)
    assert not _picture.is_current("ml1m_strong", picture)


def test_check_finds_a_page_that_is_behind(tmp_path):
    from _tables import write_tables

    for page in FOLDER.glob("*.md"):
        shutil.copy(page, tmp_path)
    assert write_tables(tmp_path, check=True) == 0
    for name in ("gowalla.md", "ratings.md"):
        page, text = tmp_path / name, (FOLDER / name).read_text()
        page.write_text(text.replace("| method |", "| methods |", 1))
        assert write_tables(tmp_path, check=True) == 1
        assert write_tables(tmp_path) == 0
        assert page.read_text() == text
    page.write_text(text.replace("<!-- ratings: generated", "<!-- rating: generated"))
    with pytest.raises(ValueError, match=r"each part once\. Got otherwise: \['ratings'\]"):
        write_tables(tmp_path)


def test_records_are_of_the_experiments_as_they_are_declared():
    from experiments import EXPERIMENTS
    from sklearn.model_selection import ParameterGrid

    recorded = 0
    for experiment in EXPERIMENTS:
        path = FOLDER / "results" / experiment.protocol / f"{experiment.slug}.json"
        if path.exists():
            found = [row["parameters"] for row in json.loads(path.read_text())["validation"]]
            declared = json.loads(json.dumps(list(ParameterGrid(experiment.grid))))
            assert found == declared, f"run `run.py run {experiment.key} --again`"
            recorded += 1
    assert recorded > 0


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


def test_the_bench_of_cuda_runs_small_without_a_device(tmp_path, monkeypatch):
    import _record
    import bench_cuda

    pytest.importorskip("sklearn.callback")  # they time the epochs
    monkeypatch.setattr(_record, "RESULTS", tmp_path)
    parts = [part.__name__ for part in bench_cuda.PARTS if part is not bench_cuda.ease]
    result = bench_cuda.main(["--device", "cpu", "--small", "--budget", "1e9", "--only", *parts])
    assert set(result["results"]) == set(parts)
    for found in result["results"].values():
        for row in found.values() if "seconds" not in found else (found,):
            assert row["seconds"] > 0
            assert row["floor_seconds"] > 0
    assert not list(tmp_path.iterdir())  # figures of a trial are no record


def test_the_bench_of_cuda_leaves_out_what_there_is_no_time_for(monkeypatch):
    import bench_cuda

    result = bench_cuda.main(["--device", "cpu", "--small", "--budget", "-1", "--only", "wmf"])
    assert result["results"] == {"wmf": "left out: the time was over"}


@pytest.mark.slow
def test_an_experiment_chooses_on_validation_users_and_compares_on_test_users(
    tmp_path, monkeypatch
):
    import _record
    import run
    from _protocols import PROTOCOLS, Part, Problem, Protocol
    from experiments import Experiment

    X = make_interactions(300, 60, 4000, random_state=0, return_X=True)
    train, X_rest, y_rest = user_train_test_split(X, test_size=100, random_state=0)
    train = csr_array(train)
    halves = [Part(train, csr_array(X_rest[rows]), csr_array(y_rest[rows]))
              for rows in (slice(50), slice(50, 100))]  # fmt: skip
    problem = Problem(*halves)
    tiny = Protocol("tiny", "text", ("ndcg@10", "recall@5"), "min", lambda: problem)
    monkeypatch.setitem(PROTOCOLS, "tiny", tiny)
    monkeypatch.setattr(_record, "RESULTS", tmp_path)
    monkeypatch.setattr(run, "RESULTS", tmp_path)
    monkeypatch.setattr(run, "PER_USER", tmp_path / "per_user")
    good = Experiment("tiny", "EASE", EASE(), {"alpha": [1e6, 20.0]})
    poor = Experiment("tiny", "EASE, much", EASE(alpha=1e9), {})
    for experiment in (good, poor):
        run.run_experiment(experiment)
    record = json.loads((tmp_path / "tiny" / "ease.json").read_text())
    validation = [row["validation"]["ndcg@10"] for row in record["validation"]]
    assert len(validation) == 2
    alpha = record["validation"][int(np.argmax(validation))]["parameters"]["alpha"]
    assert record["chosen"]["estimator"] == repr(EASE(alpha=alpha))
    expected = halves[1].evaluate(EASE(alpha=alpha).fit(train), ["ndcg@10"])
    assert record["test"]["mean"]["ndcg@10"] == round(expected.mean["ndcg@10"], 4)
    assert record["threads"] >= 1
    run.compare_all("tiny", [good, poor])
    comparison = json.loads((tmp_path / "tiny" / "comparison.json").read_text())
    other = "ease_much" if comparison["best"] == "ease" else "ease"
    assert comparison["against_best"][other]["difference"] < 0
    assert 0 < comparison["against_best"][other]["holm_p_value"] <= 1

    before = dict(np.load(run.users_path(good)))
    run.users_path(good).unlink()
    run.remake_users(good)
    after = dict(np.load(run.users_path(good)))
    assert before.keys() == after.keys()
    for name, values in before.items():
        np.testing.assert_array_equal(values, after[name])
    record["test"]["mean"]["recall@5"] += 0.003
    (tmp_path / "tiny" / "ease.json").write_text(json.dumps(record))
    with pytest.raises(RuntimeError, match="another model"):
        run.remake_users(good)


@pytest.mark.slow
def test_the_chosen_network_is_fitted_again_for_so_many_epochs(tmp_path, monkeypatch):
    import _record
    import run
    from _protocols import PROTOCOLS, Part, Problem, Protocol
    from experiments import Experiment

    X = csr_array(make_interactions(120, 40, 1500, random_state=0, return_X=True))
    rest, X_held, y_held = user_train_test_split(X, test_size=40, random_state=0)
    held = csr_array(X_held), csr_array(y_held)
    problem = Problem(Part(csr_array(rest), *held), Part(X, *held))
    protocol = Protocol("tiny", "text", ("ndcg@10", "recall@5"), "min", lambda: problem)
    monkeypatch.setitem(PROTOCOLS, "tiny", protocol)
    monkeypatch.setattr(_record, "RESULTS", tmp_path)
    monkeypatch.setattr(run, "RESULTS", tmp_path)
    monkeypatch.setattr(run, "PER_USER", tmp_path / "per_user")
    model = MultVAE(4, hidden_layer_sizes=(8,), batch_size=20, max_iter=6, random_state=0)
    experiment = Experiment("tiny", "VAE", model, {"beta": [0.2, 0.4]}, every=2, patience=6)
    run.run_experiment(experiment)
    record = json.loads((tmp_path / "tiny" / "vae.json").read_text())
    best = max(record["validation"], key=lambda row: max(row["curve"]))
    assert best["epoch"] == 2 * (1 + int(np.argmax(best["curve"])))
    beta, n_updates = best["parameters"]["beta"], 6 * 4
    steps = round(0.8 * n_updates / beta)  # of all epochs, not of those that are made
    final = MultVAE(**model.get_params())
    final.set_params(beta=beta, max_iter=best["epoch"], n_annealing_steps=steps)
    assert record["chosen"]["estimator"] == repr(final)
    expected = problem.test.evaluate(final.fit(X), ["ndcg@10"]).mean["ndcg@10"]
    assert record["test"]["mean"]["ndcg@10"] == round(expected, 4)
    assert not list(tmp_path.glob("tiny/*.partial.json"))
    before = np.load(run.users_path(experiment))["ndcg@10"]
    run.users_path(experiment).unlink()
    run.remake_users(experiment)
    np.testing.assert_array_equal(np.load(run.users_path(experiment))["ndcg@10"], before)


@pytest.mark.slow
def test_an_interrupted_run_goes_on(tmp_path, monkeypatch):
    import _record
    import run
    from _protocols import PROTOCOLS, Part, Problem, Protocol
    from experiments import Experiment

    X = csr_array(make_interactions(120, 40, 1500, random_state=0, return_X=True))
    rest, X_held, y_held = user_train_test_split(X, test_size=40, random_state=0)
    held = csr_array(X_held), csr_array(y_held)
    problem = Problem(Part(csr_array(rest), *held), Part(X, *held))
    protocol = Protocol("tiny", "text", ("ndcg@10",), "min", lambda: problem)
    monkeypatch.setitem(PROTOCOLS, "tiny", protocol)
    monkeypatch.setattr(_record, "RESULTS", tmp_path)
    monkeypatch.setattr(run, "PER_USER", tmp_path / "per_user")
    fitted = []
    own = EASE.fit

    def fit(self, X, y=None, **options):
        if self.alpha == 30.0 and len(fitted) < 2:
            raise KeyboardInterrupt
        fitted.append(self.alpha)
        return own(self, X, y, **options)

    monkeypatch.setattr(EASE, "fit", fit)
    experiment = Experiment("tiny", "EASE", EASE(), {"alpha": [10.0, 30.0, 20.0]})
    with pytest.raises(KeyboardInterrupt):
        run.run_experiment(experiment)
    assert fitted == [10.0]
    fitted.append(-1.0)
    run.run_experiment(experiment)
    assert fitted[2:4] == [30.0, 20.0], "the first setting is not tried again"
    record = json.loads((tmp_path / "tiny" / "ease.json").read_text())
    assert [row["parameters"]["alpha"] for row in record["validation"]] == [10.0, 30.0, 20.0]
    assert all(row["seconds"] > 0 for row in record["validation"])


def test_comparisons_of_three_are_after_holm_and_paired_where_they_can_be(tmp_path, monkeypatch):
    import _record
    import run
    from experiments import Experiment
    from scipy.stats import ttest_ind, ttest_rel

    monkeypatch.setattr(_record, "RESULTS", tmp_path)
    monkeypatch.setattr(run, "RESULTS", tmp_path)
    monkeypatch.setattr(run, "PER_USER", tmp_path / "per_user")
    rng, experiments, values = np.random.default_rng(0), [], {}
    for name, shift in (("a", 0.5), ("b", 0.48), ("c", 0.45)):
        each = Experiment("ml1m_strong", name, EASE(), {})
        experiments.append(each)
        values[name] = shift + rng.normal(scale=0.1, size=60)
        _record.record_path(each).parent.mkdir(parents=True, exist_ok=True)
        error = values[name].std(ddof=1) / np.sqrt(60)
        test = {
            "mean": {"ndcg@100": values[name].mean()},
            "standard_error": {"ndcg@100": error},
            "n_users": 60,
        }
        _record.record_path(each).write_text(json.dumps({"test": test}))
        path = run.users_path(each)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, n_held_out=np.ones(60, dtype=int), **{"ndcg@100": values[name]})
    run.compare_all("ml1m_strong", experiments)
    path = tmp_path / "ml1m_strong" / "comparison.json"
    found = json.loads(path.read_text())
    best = found["best"]
    assert values[best].mean() == max(v.mean() for v in values.values())
    p = {k: ttest_rel(values[k], values[best]).pvalue for k in values if k != best}
    low, high = sorted(p, key=p.get)
    rows = found["against_best"]
    assert rows[low]["holm_p_value"] == pytest.approx(min(1, 2 * p[low]), rel=0.01)
    assert rows[high]["holm_p_value"] == pytest.approx(max(2 * p[low], p[high]), rel=0.01)
    assert not any("unpaired" in row for row in rows.values())
    paths = {each.slug: run.users_path(each) for each in experiments}
    paths[low].unlink()
    run.compare_all("ml1m_strong", experiments)
    again = json.loads(path.read_text())["against_best"]  # what was paired once stays so
    for slug, row in rows.items():
        assert again[slug] == pytest.approx(row, rel=0.01)

    values[low] = values[low] - 0.02
    (other,) = (each for each in experiments if each.slug == low)
    test = {
        "mean": {"ndcg@100": values[low].mean()},
        "standard_error": {"ndcg@100": values[low].std(ddof=1) / np.sqrt(60)},
        "n_users": 60,
    }
    _record.record_path(other).write_text(json.dumps({"test": test}))  # another record
    for _ in range(2):  # with the users of the best one, and without
        run.compare_all("ml1m_strong", experiments)
        rows = json.loads(path.read_text())["against_best"]
        assert [slug for slug, row in rows.items() if row.get("unpaired")] == [low]
        alone = ttest_ind(values[low], values[best], equal_var=False)
        difference = values[low].mean() - values[best].mean()
        assert rows[low]["difference"] == pytest.approx(difference, abs=1e-5)
        assert rows[low]["standard_error"] == pytest.approx(difference / alone.statistic, abs=1e-5)
        assert rows[low]["p_value"] == pytest.approx(alone.pvalue, rel=0.01)
        assert rows[high]["p_value"] == pytest.approx(p[high], rel=0.01)
        both = sorted((alone.pvalue, p[high]))
        holm = {both[0]: min(1, 2 * both[0]), both[1]: max(2 * both[0], both[1])}
        assert rows[low]["holm_p_value"] == pytest.approx(holm[alone.pvalue], rel=0.01)
        paths[best].unlink(missing_ok=True)


def test_another_model_than_the_one_that_validated_is_not_tested():
    X = make_interactions(60, 20, 600, random_state=0, return_X=True)
    model = EASE().fit(X)
    with pytest.raises(RuntimeError, match="validates at"):
        check_still(model, {"ndcg@10": 2.0}, lambda each: evaluate(each, X, metrics="ndcg@10").mean)


def test_a_failed_record_leaves_the_old_one(tmp_path, monkeypatch):
    import _record

    monkeypatch.setattr(_record, "RESULTS", tmp_path)
    _record.write("x", {"value": 1})
    with pytest.raises(TypeError):
        _record.write("x", {"value": object()})
    assert json.loads((tmp_path / "x.json").read_text())["value"] == 1


class _Stranger:
    """A method that is none of skrec's and no estimator of scikit-learn's mixins."""

    def __init__(self, power=1.0):
        self.power = power

    def get_params(self, deep=True):
        return {"power": self.power}

    def set_params(self, **params):
        vars(self).update(params)
        return self

    def fit(self, X, y=None):
        self.popularity_ = np.asarray(X.sum(axis=0), dtype=float).ravel() ** self.power
        return self

    def decision_function(self, X):
        return np.tile(self.popularity_, (X.shape[0], 1))

    def __sklearn_is_fitted__(self):
        return hasattr(self, "popularity_")


@pytest.mark.slow
def test_methods_that_are_not_skrecs_come_into_tables_and_picture(tmp_path, monkeypatch):
    import _picture
    import _record
    import _tables
    import experiments
    import run
    from _protocols import PROTOCOLS, Part, Problem, Protocol
    from implicit.nearest_neighbours import CosineRecommender
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import Binarizer

    from skrec.adapters import ImplicitRecommender
    from skrec.neural_network import GMF

    results = tmp_path / "results"
    shutil.copytree(FOLDER / "results", results, ignore=shutil.ignore_patterns("per_user"))
    for module in (_record, run):
        monkeypatch.setattr(module, "RESULTS", results)
    monkeypatch.setattr(run, "PER_USER", tmp_path / "per_user")
    X = csr_array(make_interactions(90, 30, 900, random_state=0, return_X=True))
    train, X_test, y_test = user_train_test_split(X, test_size=30, random_state=0)
    part = Part(csr_array(train), csr_array(X_test), csr_array(y_test))
    strong = PROTOCOLS["ml1m_strong"]
    tiny = Protocol(
        strong.title, strong.text, strong.metrics, strong.normalize, lambda: Problem(part, part)
    )
    monkeypatch.setitem(PROTOCOLS, "ml1m_strong", tiny)
    models = {
        "Stranger": (_Stranger(), {"power": np.linspace(0.5, 1, 3)}),
        "Piped": (make_pipeline(Binarizer(), EASE()), {"ease__alpha": [np.float64(10), 20.0]}),
        "Of implicit": (ImplicitRecommender(CosineRecommender(K=5)), {"model__K": [3, 20]}),
        "Other folder": (GMF(4, max_iter=2, random_state=0), {}),
        "With objects": (make_pipeline(Binarizer(), EASE()), {"binarizer": [Binarizer(), None]}),
    }
    own = [experiments.Experiment("ml1m_strong", name, *rest) for name, rest in models.items()]
    monkeypatch.setattr(experiments, "EXPERIMENTS", experiments.EXPERIMENTS + own)
    monkeypatch.setattr(_picture, "EXPERIMENTS", experiments.EXPERIMENTS)
    for each in own:
        run.run_experiment(each)
    for page in FOLDER.glob("*.md"):
        shutil.copy(page, tmp_path)
    assert _tables.write_tables(tmp_path) == 0
    text = (tmp_path / "ml1m_strong.md").read_text()
    for each in own:
        record = json.loads((results / "ml1m_strong" / f"{each.slug}.json").read_text())
        value = f"{record['test']['mean']['ndcg@100']:.4f}".removeprefix("0")
        assert f"| [{each.name}](results/ml1m_strong/{each.slug}.json) | {value} " in text
        assert f"\npython docs/benchmarks/run.py run ml1m_strong/{each.slug} --again\n" in text
    picture = tmp_path / "picture.svg"
    _picture.draw("ml1m_strong", picture)
    assert _picture.is_current("ml1m_strong", picture)
    assert all(f'"{each.name}"' in picture.read_text() for each in own)
    kinds = {name: kind for kind, name, *_ in _picture._points("ml1m_strong")}
    assert kinds["Piped"] == "skrec.linear_model"
    assert kinds["Of implicit"] == "skrec.adapters"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must have EXPERIMENTS"),
        ("EXPERIMENTS = [1]", "a list of Experiment"),
        ("E('ml1m', 'A', EASE(), {})", "must be one of .*'ml1m_strong'"),
        ("E('ml1m_strong', 'ease', EASE(), {})", "needs letters that no other name has"),
        ("E('ml1m_strong', '??', EASE(), {})", "needs letters"),
        ("E('gowalla', 'a b', EASE(), {}), E('gowalla', 'A-B', EASE(), {})", "needs letters"),
    ],
)
def test_files_of_experiments_that_are_refused(tmp_path, monkeypatch, text, message):
    import experiments

    monkeypatch.setattr(experiments, "EXPERIMENTS", list(experiments.EXPERIMENTS))
    if text.startswith("E("):
        text = f"EXPERIMENTS = [{text}]"
    head = "from experiments import Experiment as E\nfrom skrec.linear_model import EASE\n"
    (tmp_path / "own_methods.py").write_text(head + text)
    monkeypatch.setattr(sys, "path", list(sys.path))
    try:
        with pytest.raises(SystemExit, match=message):
            experiments.add_experiments(tmp_path / "own_methods.py")
    finally:
        sys.modules.pop("own_methods", None)
    with pytest.raises(SystemExit, match="no file"):
        experiments.add_experiments(tmp_path / "none.py")
    (tmp_path / "json.py").write_text("")
    with pytest.raises(SystemExit, match="a name that no other module has"):
        experiments.add_experiments(tmp_path / "json.py")


@pytest.mark.slow
def test_the_page_of_ones_own_method_is_followed_literally(tmp_path, data_home):
    import shlex
    import subprocess
    import textwrap

    page = (FOLDER.parent / "guide" / "own_benchmark.rst").read_text()
    copied = tmp_path / "docs" / "benchmarks"
    shutil.copytree(FOLDER, copied, ignore=shutil.ignore_patterns("per_user", "__pycache__"))
    code = re.search(r"\.\. code-block:: python\n   :name: mine\n\n((?:   .*\n|\n)+)", page)[1]
    (tmp_path / "mine.py").write_text(textwrap.dedent(code))
    commands = re.findall(r"^   \$ (python docs/benchmarks/.*)$", page, flags=re.M)
    assert [" ".join(command.split()[2:3]) for command in commands[:3]] == ["list", "run", "tables"]
    for command in commands[:3]:  # the fourth runs all methods of the protocol again
        words = [sys.executable, *shlex.split(command)[1:]]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        if "list" in words:
            assert "ml100k_mcrec/random_walk" in done.stdout
    record = json.loads((copied / "results" / "ml100k_mcrec" / "random_walk.json").read_text())
    assert record["test"]["mean"]["ndcg@10"] > 0.3  # popularity has .2183
    assert (
        "| [Random walk](results/ml100k_mcrec/random_walk.json)"
        in (copied / "ml100k_mcrec.md").read_text()
    )
