"""ML-1M, strong generalisation: every model tuned on validation users, tested once.

    SKREC_DATA=../shared/data python docs/benchmarks/run_ml1m_strong.py
    SKREC_DATA=../shared/data python docs/benchmarks/run_ml1m_strong.py --only WMF PureSVD

Ratings >= 4 are interactions, users with at least 5 of them take part. 750 users validate and 750
test; a fifth of the items of each is held out and ranked among all that the rest does not hold.
Models learn from the other users only. Of the settings in MODELS the one with the best nDCG@100
on the validation users is tested. Recall is divided by min(k, number held out). A model that is
run again replaces its own entry of results/ml1m_strong.json and no other. Time and peak memory
stand beside each fit; the first of a model includes compilation.
"""

import argparse
import ctypes
import json
import os
from pathlib import Path

import numpy as np
from _record import RESULTS, environment, measured, write
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid

from skrec.decomposition import WMF, PureSVD
from skrec.dummy import DummyRecommender
from skrec.linear_model import EASE, SANSA, SLIM
from skrec.metrics import evaluate
from skrec.model_selection import strong_generalization_split
from skrec.neighbors import ItemKNN

METRICS = ["ndcg@100", "recall@20", "recall@50"]
SEED = 98765
# Name: estimator, and what to choose from.
MODELS = {
    "DummyRecommender": (DummyRecommender(), {}),
    "EASE": (EASE(), {"alpha": [100.0, 200.0, 500.0], "dropout": [0.0, 0.3]}),
    "ItemKNN": (
        ItemKNN(metric="asymmetric_cosine", activity_exponent=1.0),
        {"n_neighbors": [50, 200], "target_exponent": [0.3, 0.7]},
    ),
    "PureSVD": (PureSVD(random_state=0), {"n_components": [16, 24, 32, 48, 64, 96]}),
    "SANSA": (SANSA(density=0.05), {"alpha": [200.0, 300.0, 500.0, 700.0, 1000.0]}),
    "SLIM": (SLIM(), {"alpha": [30.0, 100.0, 300.0], "l1_ratio": [0.01, 0.05]}),
    "WMF": (
        WMF(random_state=0),
        {
            "n_components": [64, 128],
            "unobserved_weight": [0.03, 0.1, 0.3],
            "alpha": [0.003, 0.01, 0.03],
        },
    ),
}


def load():
    log = np.load(Path(os.environ["SKREC_DATA"]) / "ml-1m" / "interactions.npz")
    liked = log["rating"] >= 4
    user, item = log["user"][liked], log["item"][liked]
    enough = np.bincount(user)[user] >= 5
    ones = np.ones(enough.sum(), dtype=np.float32)
    X = csr_array((ones, (user[enough], item[enough])))
    X = X[np.diff(X.indptr) > 0]
    return strong_generalization_split(X, n_validation=750, n_test=750, random_state=SEED)


def rounded(found):
    return {name: round(float(found[name]), 4) for name in METRICS}


def tune(name, split):
    """All settings on the validation users, the best one on the test users."""
    estimator, grid = MODELS[name]
    made_by = environment()
    row = {"command": made_by["command"], "date": made_by["date"], "grid": grid, "validation": []}
    best, best_row = None, {}
    for parameters in ParameterGrid(grid):
        model, tried = clone(estimator).set_params(**parameters), {"parameters": parameters}
        ctypes.CDLL(None).malloc_trim(0)  # what was freed is not to be had again for nothing
        with measured(tried):
            model.fit(split.X_train)
        found = evaluate(model, split.X_validation, split.y_validation, METRICS)
        tried["mean"] = rounded(found.mean)
        row["validation"].append(tried)
        print(name, tried, flush=True)
        if best is None or tried["mean"]["ndcg@100"] > best_row["mean"]["ndcg@100"]:
            best, best_row = model, tried
    found = evaluate(best, split.X_test, split.y_test, METRICS)
    row["chosen"] = {**best_row, "estimator": repr(best)}
    row["test"] = {"mean": rounded(found.mean), "standard_error": rounded(found.standard_error)}
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", default=list(MODELS), choices=list(MODELS))
    chosen = parser.parse_args()
    split = load()
    path = RESULTS / "ml1m_strong.json"
    models = json.loads(path.read_text())["models"] if path.is_file() else {}
    for name in chosen.only:
        models[name] = tune(name, split)
    write(
        "ml1m_strong",
        {
            "protocol": "ML-1M, ratings >= 4, users with >= 5; strong generalisation, 750 users "
            f"each, seed {SEED}; chosen by nDCG@100 on the validation users; recall by "
            "min(k, number held out)",
            "shape": [int(n) for n in split.X_train.shape],
            "models": {name: models[name] for name in sorted(models)},
        },
    )


if __name__ == "__main__":
    main()
