"""BPR on Gowalla, LightGCN's split: parameters chosen on split 1, tested once on split 2.

    SKREC_DATA=../shared/data python docs/benchmarks/run_gowalla_bpr.py

While candidates are compared, split 0 trains; the test trains on splits 0 and 1. Recall@20 is
divided by the number of relevant items, as LightGCN's code does. The log loss needs hundreds of
passes here, as most negatives are easy; WARP looks for the hard ones.
"""

import argparse

from _data import gowalla
from _record import measured, write

from skrec.decomposition import BPR
from skrec.metrics import evaluate

METRICS = ["recall@20", "ndcg@20"]
LOG = {"loss": "log", "solver": "sgd", "alpha": 0.007, "init_scale": 1.0}
WARP = {"loss": "warp", "solver": "adagrad", "learning_rate": 0.1, "max_iter": 30}
CANDIDATES = [
    {**WARP, "n_components": 128, "alpha": 1.0},
    {**WARP, "n_components": 256, "alpha": 1.0},
    {**WARP, "n_components": 64, "alpha": 1.0},
    {**WARP, "n_components": 64, "alpha": 0.5},
    {**LOG, "n_components": 64, "learning_rate": 0.2, "max_iter": 250},
]


def run(parameters, X, y):
    row = {"parameters": parameters, "fit": {}}
    model = BPR(**parameters, random_state=0)
    with measured(row["fit"]):
        model.fit(X)
    found = evaluate(model, X, y, METRICS, normalize="relevant")
    row["mean"] = {name: round(found.mean[name], 4) for name in METRICS}
    row["standard_error"] = {name: round(found.standard_error[name], 4) for name in METRICS}
    print(row, flush=True)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--candidates", type=int, nargs="+", default=range(len(CANDIDATES)))
    options = parser.parse_args()
    part, split = gowalla()
    X, y = part(split == 0), part(split == 1)
    validation = [run(CANDIDATES[n], X, y) for n in options.candidates]
    best = max(validation, key=lambda row: row["mean"]["ndcg@20"])["parameters"]
    write(
        "gowalla_bpr",
        {
            "protocol": "Gowalla, LightGCN split (train split < 2, test split 2); recall by "
            "|relevant|; parameters chosen by nDCG@20 on split 1, trained on split 0",
            "published": {"recall@20": 0.1627, "ndcg@20": 0.1378, "source": "BARS gowalla_m1"},
            "validation": validation,
            "test": run(best, part(split < 2), part(split == 2)),
        },
    )


if __name__ == "__main__":
    main()
