"""ML-1M, leave-one-out with 99 given negatives (He et al. 2017): HR@10 and nDCG@10.

    SKREC_DATA=../shared/data python docs/benchmarks/run_ncf_ml1m.py
    SKREC_DATA=../shared/data python docs/benchmarks/run_ncf_ml1m.py --only WMF

Train is every rating but the test items, binarised; each test item is ranked among the 99
negatives of the authors' file, ties against it. What GRIDS names is chosen on training data
alone: the last training item of each user is held out and ranked among 99 items drawn from those
that the user has not there, by nDCG@10; the model then learns from all of the training data. A
model that is run again replaces its own entry of results/ncf_ml1m.json and no other.
"""

import argparse
import json
import os
from pathlib import Path

import numpy as np
from _record import RESULTS, environment, measured, write
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid

from skrec.autoencoder import MultDAE
from skrec.decomposition import WMF
from skrec.dummy import DummyRecommender
from skrec.linear_model import EASE, SLIM
from skrec.metrics import evaluate

SHAPE = (6040, 3706)
METRICS = ["hit_rate@10", "ndcg@10"]
PUBLISHED = {
    "EASE": {"hit_rate@10": 0.7192, "ndcg@10": 0.4494, "source": "TOIS, lambda 1320"},
    "MultDAE": {"hit_rate@10": 0.722, "ndcg@10": 0.446, "source": "Liang et al. 2018, table 3"},
    "SLIM": {"hit_rate@10": 0.7162, "ndcg@10": 0.4468, "source": "TOIS"},
    "WMF": {"hit_rate@10": 0.722, "ndcg@10": 0.445, "source": "Rendle et al. 2022, iALS, d=64"},
}
MODELS = {
    "DummyRecommender": DummyRecommender(),
    "EASE": EASE(1320.0),
    "MultDAE": MultDAE(batch_size=200, max_iter=60, random_state=0),
    "SLIM": SLIM(),
    "WMF": WMF(64, max_iter=16, random_state=0),
}
GRIDS = {
    "SLIM": {"alpha": [50.0, 100.0, 200.0], "l1_ratio": [0.02, 0.05, 0.1]},
    "WMF": {"unobserved_weight": [0.1, 0.3, 1.0], "alpha": [0.003, 0.006, 0.01, 0.015, 0.02]},
}


def load():
    folder = Path(os.environ["SKREC_DATA"]) / "ml-1m"
    log, split = np.load(folder / "interactions.npz"), np.load(folder / "ncf_leave_one_out.npz")
    test_item = split["test_item"].astype(np.intp)
    train = log["item"] != test_item[log["user"]]
    user, item, rank = log["user"][train], log["item"][train], log["time_rank"][train]
    return user, item, rank, test_item, split["negatives"].astype(np.intp)


def matrix(user, item):
    return csr_array((np.ones(len(user), dtype=np.float32), (user, item)), shape=SHAPE)


def one_per_user(item):
    return csr_array((np.ones(len(item)), (np.arange(len(item)), item)), shape=SHAPE)


def inner_split(user, item, rank):
    """Training data without the last item of each user, these items, and 99 others."""
    order = np.lexsort((rank, user))
    last = order[np.searchsorted(user[order], np.arange(SHAPE[0]), side="right") - 1]
    kept = np.ones(len(user), dtype=bool)
    kept[last] = False
    had = np.zeros(SHAPE, dtype=bool)
    had[user, item] = True
    rng = np.random.default_rng(0)
    negatives = np.array([rng.choice(np.flatnonzero(~row), 99, replace=False) for row in had])
    return matrix(user[kept], item[kept]), one_per_user(item[last]), negatives


def rounded(found):
    return {name: round(float(found[name]), 4) for name in METRICS}


def choose(name, data):
    """The settings of a grid that are best on training data, and all that were tried."""
    X, y, candidates = inner_split(*data)
    tried = []
    for parameters in ParameterGrid(GRIDS[name]):
        model = clone(MODELS[name]).set_params(**parameters).fit(X)
        mean = rounded(evaluate(model, X, y, METRICS, candidates=candidates).mean)
        tried.append({"parameters": parameters, "mean": mean})
        print(name, tried[-1], flush=True)
    return max(tried, key=lambda row: row["mean"]["ndcg@10"])["parameters"], tried


def run(name, data):
    user, item, rank, test_item, negatives = data
    made_by = environment()
    model = clone(MODELS[name])
    row = {"command": made_by["command"], "date": made_by["date"]}
    if name in GRIDS:
        parameters, row["validation"] = choose(name, (user, item, rank))
        model.set_params(**parameters)
    row |= {"parameters": repr(model), "fit": {}, "published": PUBLISHED.get(name)}
    X = matrix(user, item)
    with measured(row["fit"]):
        model.fit(X)
    found = evaluate(model, X, one_per_user(test_item), METRICS, candidates=negatives)
    row["mean"], row["standard_error"] = rounded(found.mean), rounded(found.standard_error)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", default=list(MODELS), choices=list(MODELS))
    chosen = parser.parse_args()
    data = load()
    path = RESULTS / "ncf_ml1m.json"
    models = json.loads(path.read_text())["models"] if path.is_file() else {}
    for name in chosen.only:
        models[name] = run(name, data)
    write("ncf_ml1m", {"protocol": __doc__.split("\n")[0], "models": dict(sorted(models.items()))})


if __name__ == "__main__":
    main()
