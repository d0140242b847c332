"""Run experiments, and write the tables of the documentation from their records.

    python docs/benchmarks/run.py list
    SKREC_DATA=../shared/data python docs/benchmarks/run.py run ml1m_strong/ease
    SKREC_DATA=../shared/data python docs/benchmarks/run.py run ml1m_strong     # all of them
    SKREC_DATA=../shared/data python docs/benchmarks/run.py run bench_topk
    SKREC_DATA=../shared/data python docs/benchmarks/run.py users ml1m_strong
    python docs/benchmarks/run.py tables

`experiments.py` lists what there is, and ``--experiments FILE`` adds the list of a file of one's
own (docs/guide/own_benchmark.rst). Each experiment has a record of its own in results/; an
experiment with a record is not run again unless ``--again`` is given. The values of single users,
from which paired differences are tested, are not under version control: where they are missing,
`users` fits what the records have chosen, and tests the differences anew; methods that `users` does
not fit are compared by the mean and the standard error of their record. `tables` writes the
generated parts of the pages and their pictures; ``tables --check`` only says whether they are up to
date.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import _growth_table
import numpy as np
import torch
from _differences import Difference, as_rows, found_earlier, summary, unpaired
from _picture import draw, is_current
from _protocols import PROTOCOLS
from _record import RESULTS, as_json, cost_row, environment, epoch_row, record_path, rounded, timed
from _tables import write_tables
from experiments import EXPERIMENTS, SCRIPTS, add_experiments
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid
from sklearn.utils import Bunch

import skrec
from skrec.metrics._comparison._paired import paired_tests
from skrec.metrics._comparison._tuning import Trial, tune
from skrec.utils._measure import Cost

HERE = Path(__file__).parent
N_CONFIGURATIONS = 8
BUDGET_SECONDS = 30 * 60
LIST_LENGTH = 100
# Not under version control: values of single users, from which differences are tested.
PER_USER = RESULTS / "per_user"


class AnotherModelError(RuntimeError):
    """A fit has not given the figures of its record."""


def run_experiment(experiment):
    """Choose, test, write ``results/PROTOCOL/METHOD.json``."""
    protocol = PROTOCOLS[experiment.protocol]
    problem = protocol.problem()
    record = {
        "environment": environment(),
        "threads": torch.get_num_threads(),
        "remark": experiment.remark,
        "load_average_before": round(os.getloadavg()[0], 1),
        "protocol": f"{protocol.title}. {protocol.text}",
        "grid": experiment.grid,
    }
    best, model, trials = _choose(experiment, problem, protocol)
    if best is None:
        raise RuntimeError(f"{experiment.key}: every setting failed: {trials[0].remark}")
    record["validation"] = [_row(trial) for trial in trials]
    if experiment.n_items is not None:
        record["chosen_among"] = f"the {experiment.n_items} items with most interactions"
    model, record["chosen"] = _final(experiment, best, model, problem)
    record["lists"] = {"n_users": problem.test.X_test.shape[0], "k": LIST_LENGTH}
    with timed(record["lists"]):
        if hasattr(model, "recommend"):
            model.recommend(problem.test.X_test, k=LIST_LENGTH)
        else:  # a pipeline, or a class of somebody's own
            skrec.recommend(model, problem.test.X_test, k=LIST_LENGTH)
    found = problem.test.evaluate(model, list(protocol.metrics))
    record["test"] = {
        "mean": rounded(found.mean),
        "standard_error": rounded(found.standard_error),
        "n_users": found.n_users[protocol.metrics[0]],
    }
    if protocol.also is not None:
        record["test"]["also"] = rounded(protocol.also(found, problem.test))
    path = record_path(experiment)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(as_json(record, indent=1) + "\n")
    path.with_suffix(".partial.json").unlink(missing_ok=True)
    _keep_users(experiment, found)
    print(json.dumps(record["test"]), flush=True)


def _keep_users(experiment, found):
    users = users_path(experiment)
    users.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(users, n_held_out=found.n_held_out, **found.per_user)


def remake_users(experiment):
    """Fit what a record has chosen, and keep the values of the test users.

    Raises
    ------
    AnotherModelError
        If the model that is fitted now is another one: a mean differs by .002 or more.
    """
    protocol = PROTOCOLS[experiment.protocol]
    problem = protocol.problem()
    record = json.loads(record_path(experiment).read_text())
    grid, metrics = list(ParameterGrid(experiment.grid)), list(protocol.metrics)
    trials = [_trial(row, grid) for row in record["validation"]]
    scored = [trial for trial in trials if trial.scores]
    best = max(scored, key=lambda trial: round(trial.scores[metrics[0]], 4))  # of equals the first
    if _tested_as_it_is(problem):
        part = experiment.narrowed(problem.validation)
        best, model, _ = tune(
            experiment.estimator,
            [best.parameters],
            part.X_train,
            lambda model: part.evaluate(model, metrics).mean,
            every=experiment.every,
            patience=experiment.patience,
            keep=True,
        )
    else:
        model = None
    model, _ = _final(experiment, best, model, problem)
    found = problem.test.evaluate(model, metrics)
    mean = record["test"]["mean"]
    print(experiment.key, rounded(found.mean), "recorded:", mean, flush=True)
    if any(abs(found.mean[name] - mean[name]) >= 0.002 for name in metrics):
        raise AnotherModelError(
            f"{experiment.key}: another model than the recorded one; run --again."
        )
    _keep_users(experiment, found)


def _choose(experiment, problem, protocol):
    """The trial that validates best, its model if it is tested as it is, and all trials.

    Where the chosen one is fitted again, rows are kept in a file until there is a record: a later
    run does not repeat the trials of an interrupted one.
    """
    grid = list(ParameterGrid(experiment.grid))
    if len(grid) > N_CONFIGURATIONS:
        raise ValueError(f"{experiment.name} has {len(grid)} configurations; 8 are allowed.")
    partial = record_path(experiment).with_suffix(".partial.json")
    made_of = repr(
        (experiment.estimator, experiment.every, experiment.patience, experiment.n_items)
    )
    known = json.loads(partial.read_text()) if partial.is_file() else {}
    known = known["rows"] if known.get("made_of") == made_of else []
    part, as_it_is = experiment.narrowed(problem.validation), _tested_as_it_is(problem)

    def tell(trials):
        rows = [_row(trial) for trial in trials]
        print(experiment.name, rows[-1], flush=True)
        if not as_it_is:
            partial.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(as_json({"made_of": made_of, "rows": rows}))

    return tune(
        experiment.estimator,
        grid,
        part.X_train,
        lambda model: part.evaluate(model, list(protocol.metrics)).mean,
        every=experiment.every,
        patience=experiment.patience,
        max_seconds=BUDGET_SECONDS,
        known=[_trial(row, grid) for row in known],
        keep=as_it_is,
        tell=tell,
    )


def _tested_as_it_is(problem):
    return problem.validation.X_train is problem.test.X_train


def _row(trial):
    """Entries of a record for a setting."""
    if not trial.scores:
        return {"parameters": trial.parameters, "remark": trial.remark}
    row = {"parameters": trial.parameters} | cost_row(trial.cost)
    if trial.epochs:
        row |= epoch_row(trial.epochs) | {"refit": trial.refit}
    return row | {"validation": rounded(trial.scores)}


def _trial(row, grid):
    """The setting of a row of an interrupted run."""
    wanted = as_json(row["parameters"], sort_keys=True)
    same = (each for each in grid if as_json(each, sort_keys=True) == wanted)
    trial = Trial(next(same, row["parameters"]), row.get("validation", {}), Cost())
    trial.cost.seconds, trial.cost.processor_seconds = (
        row.get(name, 0.0) for name in ("seconds", "processor_seconds")
    )
    peak = row.get("peak_mib")
    trial.cost.peak_bytes = None if peak is None else peak * 2**20
    if "epoch" in row:
        trial.epochs = {name: row[name] for name in ("epoch", "processor_seconds", "curve")}
    trial.refit, trial.remark = row.get("refit", {}), row.get("remark", "")
    return trial


def _final(experiment, best, model, problem):
    """The chosen model, fitted to all data outside the test."""
    final = clone(experiment.estimator).set_params(**best.parameters)
    if _tested_as_it_is(problem):
        row = _row(best)
        used = {name: row[name] for name in ("seconds", "processor_seconds", "peak_mib")}
        return model, {"estimator": repr(final), "fit": used}
    used = {}
    final.set_params(**best.refit)
    with timed(used):
        problem.test.fit(final)
    return final, {"estimator": repr(final), "fit": used}


def users_path(experiment):
    """Where the values of the single test users are."""
    return PER_USER / experiment.protocol / f"{experiment.slug}.npz"


def compare_all(protocol, experiments):
    """Write differences of all methods to the one that tests best.

    They are paired where the values of the users are on this machine, and where an earlier
    comparison has paired the same two records. Otherwise the means and standard errors of the
    records are compared as if they were of different users. The p-values are Holm's, for as many
    comparisons as there are methods but one.
    """
    metric = PROTOCOLS[protocol].metrics[0]
    recorded = [
        each for each in experiments if each.protocol == protocol and record_path(each).is_file()
    ]
    if len(recorded) < 2:
        return
    summaries = {
        each.slug: summary(json.loads(record_path(each).read_text()), metric) for each in recorded
    }
    results = {each.slug: _result_of_users(each) for each in recorded if users_path(each).is_file()}
    means = {slug: each.mean for slug, each in summaries.items()}
    means |= {slug: result.mean[metric] for slug, result in results.items()}
    best = max(means, key=means.get)
    path = RESULTS / protocol / "comparison.json"
    tests = {slug: unpaired(each, summaries[best]) for slug, each in summaries.items()}
    tests |= found_earlier(path, best, summaries)
    if best in results:
        for slug, test in paired_tests(results, metric, best).items():
            tests[slug] = Difference(test.difference, test.standard_error, test.p_value, False)
    del tests[best]
    record = {
        "environment": environment(), "metric": metric, "best": best, "against_best": as_rows(tests)
    }  # fmt: skip
    path.write_text(json.dumps(record, indent=1) + "\n")


def _result_of_users(experiment):
    values = dict(np.load(users_path(experiment)))
    held_out = values.pop("n_held_out")
    mean = {name: float(np.nanmean(column)) for name, column in values.items()}
    return Bunch(per_user=values, n_held_out=held_out, mean=mean)


def _list():
    for experiment in EXPERIMENTS:
        state = "done" if record_path(experiment).is_file() else "-"
        print(f"{state:5} {experiment.key}")
    for script in SCRIPTS:
        state = "done" if (RESULTS / f"{script.result}.json").is_file() else "-"
        print(f"{state:5} {script.name} {' '.join(script.arguments)}: {script.what}")


def _run(names, again):
    experiments, scripts = [], []
    for name in names:
        of_script = [script for script in SCRIPTS if script.name == name]
        chosen = [each for each in EXPERIMENTS if name in (each.key, each.protocol)]
        if not (of_script or chosen):
            sys.exit(f"There is no experiment {name!r}; `run.py list` names them all.")
        experiments += [each for each in chosen if again or not record_path(each).is_file()]
        scripts += [
            each for each in of_script if again or not (RESULTS / f"{each.result}.json").is_file()
        ]
    for script in scripts:
        command = [sys.executable, str(HERE / f"{script.name}.py"), *script.arguments]
        subprocess.run(command, check=True)
    done = set()
    try:
        for experiment in experiments:
            print(experiment.key, flush=True)
            run_experiment(experiment)
            done.add(experiment.protocol)
    finally:
        for protocol in sorted(done):
            compare_all(protocol, EXPERIMENTS)


def _users(names):
    chosen = [each for each in EXPERIMENTS if {each.key, each.protocol} & set(names)]
    if not chosen:
        sys.exit(f"There is no experiment {names}; `run.py list` names them all.")
    different = []
    try:
        for each in chosen:
            if record_path(each).is_file() and not users_path(each).is_file():
                try:
                    remake_users(each)
                except AnotherModelError as error:  # the others' values are made all the same
                    different.append(str(error))
    finally:
        for protocol in sorted({each.protocol for each in chosen}):
            compare_all(protocol, EXPERIMENTS)
    if different:
        sys.exit("\n".join(different))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="what there is, and what has a record")
    running = commands.add_parser("run", help="run experiments that have no record")
    running.add_argument("names", nargs="+", metavar="NAME", help="an experiment or a protocol")
    running.add_argument("--again", action="store_true", help="also those that have one")
    users = commands.add_parser("users", help="fit what records have chosen, test differences")
    users.add_argument("names", nargs="+", metavar="NAME", help="an experiment or a protocol")
    for command in (running, users):
        command.add_argument("--threads", type=int, help="of torch")
    tables = commands.add_parser("tables", help="write the pages' tables from the records")
    tables.add_argument("--check", action="store_true", help="only say whether they differ")
    for command in commands.choices.values():
        command.add_argument("--experiments", metavar="FILE", help="a file with more EXPERIMENTS")
    options = parser.parse_args()
    if options.experiments is not None:
        add_experiments(options.experiments)
    if getattr(options, "threads", None) is not None:
        torch.set_num_threads(options.threads)
    if options.command == "list":
        _list()
    elif options.command == "run":
        _run(options.names, options.again)
    elif options.command == "users":
        _users(options.names)
    else:
        picture = HERE / "ml1m_strong.svg"
        if not options.check:
            draw("ml1m_strong", picture)
            _growth_table.draw(HERE / "growth.svg")
        behind = write_tables(HERE, check=options.check)
        current = is_current("ml1m_strong", picture)
        sys.exit(behind or int(not current or not _growth_table.is_current(HERE / "growth.svg")))


if __name__ == "__main__":
    main()
