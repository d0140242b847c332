"""Defaults against tuned parameters: every estimator, several data sets, strong generalisation.

    SKREC_DATA=../shared/data python docs/benchmarks/run_defaults.py choose          # all
    SKREC_DATA=../shared/data python docs/benchmarks/run_defaults.py choose EASE --data ml-100k
    SKREC_DATA=../shared/data python docs/benchmarks/run_defaults.py summary EASE
    SKREC_DATA=../shared/data python docs/benchmarks/run_defaults.py test            # all

`choose` fits the settings of `_default_grids.CASES` and writes how they validate; settings that the
record holds are not tried again. `summary` prints the share of the data set's best validation
figure that each setting reaches: constants and rules for defaults are chosen from these shares.
`test` then fits the default as the class has it and the setting that validates best, and tests each
of them once. The record is results/defaults.json; run.py makes the table of it. All but the neural
models take about 40 minutes of one processor; MultVAE and MultDAE alone take 19.
"""

import argparse
import json
from functools import cache

import numpy as np
from _defaults_data import DATA, problem
from _defaults_grids import CASES
from _record import RESULTS, as_json, cost_row, environment, rounded
from sklearn.base import clone

from skrec.metrics._comparison._tuning import tune
from skrec.utils._measure import Cost

NAME = "defaults"
PATH = RESULTS / f"{NAME}.json"

problem = cache(problem)


def read():
    """The record so far."""
    record = json.loads(PATH.read_text()) if PATH.is_file() else {}
    return {"environment": environment(), "data": {}, "results": {}} | record


def write(record, case):
    """Write the record, sorted by estimator and data set; other cases keep their rows."""
    now = read()
    results = now["results"] | {case.name: record["results"][case.name]}
    record["data"] = dict(sorted((now["data"] | record["data"]).items()))
    record["results"] = {
        name: {data: rows[data] for data in DATA if data in rows}
        for name, rows in sorted(results.items())
    }
    part = PATH.with_suffix(".part")
    part.write_text(as_json(record, indent=1) + "\n")
    part.replace(PATH)  # another process may be reading it


def look(part, metric):
    """The metric that validates or tests a model; higher is better."""
    return lambda model: part.evaluate(model, [metric]).mean


def choose(record, case, data):
    """Fit the settings that the record lacks."""
    found = problem(data, case.part, case.features)
    record["data"].setdefault(found.name, found.facts)
    entry = record["results"].setdefault(case.name, {}).setdefault(data, {"part": case.part})
    trials = entry.setdefault("validation", [])
    known = [as_json(row["parameters"], sort_keys=True) for row in trials]
    for parameters in case.settings(found.validation.X_train):
        if as_json(parameters, sort_keys=True) in known:
            continue
        _, _, (trial,) = tune(
            case.estimator,
            [parameters],
            found.validation.X_train,
            look(found.validation, found.metric),
            fit_params=found.side,
            every=case.every,
            patience=case.patience,
            memory=False,
        )
        row = {"parameters": parameters}
        if trial.scores:
            row |= {
                "validation": round(float(trial.score), 4),
                "processor_seconds": cost_row(trial.cost)["processor_seconds"],
            }
            if trial.epochs:
                curve = [round(float(value), 4) for value in trial.epochs["curve"]]
                row |= {"refit": trial.refit, "curve": curve}
        else:
            row["remark"] = trial.remark
        trials.append(row)
        print(case.name, data, json.dumps(row, default=repr), flush=True)
        write(record, case)


def test(record, case, data):
    """Test the default and the setting that validates best, once each."""
    entry = record["results"].get(case.name, {}).get(data)
    if entry is None:
        return
    default = _values(case.estimator)
    if entry.get("test", {}).get("default", {}).get("parameters") == default:
        return
    found = problem(data, case.part, case.features)
    scored = [row for row in entry["validation"] if "validation" in row]
    best = max(scored, key=lambda row: found.sign * row["validation"])
    models = {"default": {}, "tuned": best["parameters"] | best.get("refit", {})}
    results, values = {}, {}
    for name, parameters in models.items():
        model, cost = clone(case.estimator).set_params(**parameters), Cost(memory=False)
        with cost:
            model.fit(found.test.X_train, **found.side)
        # Where the same users are tested, this fit has learned the validation entries.
        validation = {}
        if case.part != "known":
            validation = look(found.validation, found.metric)(model)
        tested = found.test.evaluate(model, [found.metric])
        values[name] = tested.per_user.get(found.metric) if found.sign > 0 else None
        results[name] = {
            "parameters": _values(model) if name == "default" else parameters,
            "validation": rounded(validation).get(found.metric),
            "test": rounded(tested.mean)[found.metric],
            "standard_error": rounded(tested.standard_error).get(found.metric),
            "processor_seconds": cost_row(cost)["processor_seconds"],
        }
    if values["default"] is not None:
        difference = values["default"] - values["tuned"]
        difference = difference[np.isfinite(difference)]
        results["difference"] = round(float(difference.mean()), 4)
        results["difference_standard_error"] = round(
            float(difference.std(ddof=1) / np.sqrt(len(difference))), 4
        )
    entry["test"] = results
    print(case.name, data, json.dumps(results, default=repr), flush=True)
    write(record, case)


def _values(model):
    """The parameters that count, as JSON would have them."""
    left_out = {"n_jobs", "verbose", "random_state", "device"}
    values = {
        name: value for name, value in model.get_params(deep=False).items() if name not in left_out
    }
    return json.loads(as_json(values))


def summary(record, case):
    """Each setting's share of the best validation figure, by data set."""
    rows = record["results"].get(case.name, {})
    shares = {}
    for data, entry in rows.items():
        scored = [row for row in entry["validation"] if "validation" in row]
        best = (max if case.metric != "rmse" else min)(row["validation"] for row in scored)
        for row in scored:
            label = ", ".join(f"{k}={v}" for k, v in sorted(row["parameters"].items()))
            label = row["parameters"].get("label", label)
            shares.setdefault(label, {})[data] = row["validation"] / best
        print(f"  {data}: best {best}")
    for label, by_data in sorted(shares.items(), key=lambda row: -np.mean(list(row[1].values()))):
        cells = " ".join(f"{by_data.get(data, np.nan):6.3f}" for data in rows)
        mean, least = np.mean(list(by_data.values())), min(by_data.values())
        print(f"{mean:6.3f} {least:6.3f} | {cells} | {label}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("action", choices=("choose", "test", "summary"))
    parser.add_argument("names", nargs="*", metavar="NAME", help="cases; none: all")
    parser.add_argument("--data", nargs="*", help="data sets; none: all")
    options = parser.parse_args()
    record = read()
    for case in CASES:
        if options.names and case.name not in options.names:
            continue
        if options.action == "summary":
            print(case.name)
            summary(record, case)
            continue
        for data in case.data:
            if options.data is None or data in options.data:
                {"choose": choose, "test": test}[options.action](record, case, data)


if __name__ == "__main__":
    main()
