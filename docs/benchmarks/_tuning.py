"""One experiment: choose on the validation users, test once, and write the record."""

import json
import os
import time
from contextlib import contextmanager

import numpy as np
import torch
from _best_epoch import best_fit
from _protocols import PROTOCOLS
from _record import RESULTS, environment, measured, rounded
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid
from sklearn.utils import Bunch

from skrec.metrics import compare

N_CONFIGURATIONS = 8
BUDGET_SECONDS = 30 * 60
LIST_LENGTH = 100
# Not under version control: values of single users, from which differences are tested.
PER_USER = RESULTS / "per_user"


def record_path(experiment):
    """Where the record of an experiment is."""
    return RESULTS / experiment.protocol / f"{experiment.slug}.json"


@contextmanager
def timed(into):
    """`measured`, and the processor time of the block: other work is not in it."""
    start = time.process_time()
    with measured(into):
        yield into
    into["processor_seconds"] = round(time.process_time() - start, 3)


def _attempt(experiment, parameters, problem, protocol):
    """Fit with some parameters: the fitted model and what is recorded of it."""
    model, row = clone(experiment.estimator).set_params(**parameters), {"parameters": parameters}
    if experiment.every is None:
        with timed(row):
            model.fit(problem.train)
        row["validation"] = rounded(protocol.evaluate(model, problem.validation).mean)
        return model, row

    def look(model):
        return protocol.evaluate(model, problem.validation).mean

    with timed(row):
        best, found = best_fit(
            model, problem.train, look, every=experiment.every, patience=experiment.patience
        )
    row |= found | {"refit": {"max_iter": found["epoch"]}}
    if hasattr(best, "n_annealing_steps_"):  # of all epochs, of which so many are made
        row["refit"]["n_annealing_steps"] = round(best.n_annealing_steps_)
    return best, row


def choose(experiment, problem, protocol):
    """The model that validates best, its row, and the rows of all that were tried.

    Where the chosen one is fitted again, rows are kept in a file until there is a record: what an
    interrupted run has tried is not tried again, and the model may be None.
    """
    partial = record_path(experiment).with_suffix(".partial.json")
    made_of = repr(
        (experiment.estimator, experiment.every, experiment.patience, experiment.n_items)
    )
    known = json.loads(partial.read_text()) if partial.is_file() else {}
    known = known["rows"] if known.get("made_of") == made_of else []
    grid = list(ParameterGrid(experiment.grid))
    if len(grid) > N_CONFIGURATIONS:
        raise ValueError(f"{experiment.name} has {len(grid)} configurations; 8 are allowed.")
    tried, best, best_row, seconds = [], None, None, 0.0
    for parameters in grid:
        model, row = None, _find(known, parameters)
        if row is None and seconds > BUDGET_SECONDS:
            tried.append({"parameters": parameters, "remark": "not tried: the time was over"})
            continue
        if row is None:
            model, row = _attempt(experiment, parameters, problem, protocol)
            print(experiment.name, row, flush=True)
        row["parameters"] = parameters
        seconds += row["seconds"]
        tried.append(row)
        if problem.whole is not None:
            partial.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(json.dumps({"made_of": made_of, "rows": tried}))
        score = row["validation"][protocol.metrics[0]]
        if best_row is None or score > best_row["validation"][protocol.metrics[0]]:
            best, best_row = model, row
    return best, best_row, tried


def _find(rows, parameters):
    wanted = json.dumps(parameters, sort_keys=True)
    same = [row for row in rows if json.dumps(row["parameters"], sort_keys=True) == wanted]
    return same[0] if same else None


def _final(experiment, model, row, problem):
    """The chosen model, fitted to everything that is not of the test."""
    final = clone(experiment.estimator).set_params(**row["parameters"])
    if problem.whole is None:
        used = {name: row[name] for name in ("seconds", "processor_seconds", "peak_mib")}
        return model, {"estimator": repr(final), "fit": used}
    used = {}
    with timed(used):
        final.set_params(**row.get("refit", {})).fit(problem.whole)
    return final, {"estimator": repr(final), "fit": used}


def run(experiment):
    """Choose, test, write ``results/PROTOCOL/METHOD.json``."""
    protocol = PROTOCOLS[experiment.protocol]
    problem = protocol.load()
    record = {
        "environment": environment(),
        "threads": torch.get_num_threads(),
        "remark": experiment.remark,
        "load_average_before": round(os.getloadavg()[0], 1),
        "protocol": f"{protocol.title}. {protocol.text}",
        "grid": experiment.grid,
    }
    model, row, record["validation"] = choose(experiment, experiment.narrowed(problem), protocol)
    if experiment.n_items is not None:
        record["chosen_among"] = f"the {experiment.n_items} items with most interactions"
    model, record["chosen"] = _final(experiment, model, row, problem)
    record["lists"] = {"n_users": problem.test.X.shape[0], "k": LIST_LENGTH}
    with timed(record["lists"]):
        model.recommend(problem.test.X, k=LIST_LENGTH)
    found = protocol.evaluate(model, problem.test)
    record["test"] = {
        "mean": rounded(found.mean),
        "standard_error": rounded(found.standard_error),
        "n_users": found.n_users[protocol.metrics[0]],
    }
    if protocol.also is not None:
        record["test"]["also"] = rounded(protocol.also(found, problem.test))
    path = record_path(experiment)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n")
    path.with_suffix(".partial.json").unlink(missing_ok=True)
    keep_users(experiment, found)
    print(json.dumps(record["test"]), flush=True)


def _users_path(experiment):
    return PER_USER / experiment.protocol / f"{experiment.slug}.npz"


def keep_users(experiment, found):
    """Keep the values of the single test users, for `compare_all`."""
    path = _users_path(experiment)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, n_held_out=found.n_held_out, **found.per_user)


def compare_all(protocol, experiments):
    """Write paired differences of all methods to the one that tests best.

    The p-values are Holm's, for as many comparisons as there are methods but one. Nothing is
    written if the users' values of a method that has a record are not on this machine.
    """
    metric = PROTOCOLS[protocol].metrics[0]
    results = {}
    for experiment in experiments:
        if experiment.protocol != protocol or not record_path(experiment).is_file():
            continue
        if not _users_path(experiment).is_file():
            print(f"No comparison: the users' values of {experiment.key} are not here; run it too.")
            return
        values = dict(np.load(_users_path(experiment)))
        held_out = values.pop("n_held_out")
        results[experiment.slug] = Bunch(per_user=values, n_held_out=held_out)
    if len(results) < 2:
        return
    best = max(results, key=lambda slug: np.nanmean(results[slug].per_user[metric]))
    found = {slug: compare(results[slug], results[best], metric)
             for slug in results if slug != best}  # fmt: skip
    ordered, largest = sorted(found, key=lambda slug: found[slug].p_value), 0.0
    rows = {}
    for rank, slug in enumerate(ordered):
        largest = max(largest, min(1.0, found[slug].p_value * (len(ordered) - rank)))
        rows[slug] = {
            "difference": round(found[slug].difference, 5),
            "standard_error": round(found[slug].standard_error, 5),
            "holm_p_value": float(f"{largest:.3g}"),
        }
    record = {"environment": environment(), "metric": metric, "best": best, "against_best": rows}
    path = RESULTS / protocol / "comparison.json"
    path.write_text(json.dumps(record, indent=1) + "\n")
