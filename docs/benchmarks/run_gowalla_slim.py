"""SLIM on Gowalla, LightGCN's split: options chosen on split 1, tested once on split 2.

    SKREC_DATA=../shared/data python docs/benchmarks/run_gowalla_slim.py

Train is split 0 while the options are chosen (best nDCG@20), splits 0 and 1 for the test.
Recall@20 is divided by the number of relevant items, as LightGCN's code does. Nothing is
random. Results go to ``results/gowalla_slim.json``; a configuration that is in
``results/gowalla_slim.partial.json`` already is not run again.
"""

import argparse
import json
from itertools import product

from _data import gowalla
from _record import RESULTS, measured, write

from skrec.linear_model import SLIM
from skrec.metrics import evaluate


def run(params, X, y):
    row = {"params": params, "fit": {}, "recommend": {}}
    model = SLIM(**params)
    with measured(row["fit"]):
        model.fit(X)
    with measured(row["recommend"]):
        found = evaluate(model, X, y, ["recall@20", "ndcg@20"], normalize="relevant")
    row["weights_per_item"] = round(model.coef_.nnz / X.shape[1], 1)
    row.update({name: round(float(value), 5) for name, value in found.mean.items()})
    print(json.dumps(row), flush=True)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--alphas", type=float, nargs="+", default=[20.0, 60.0])
    parser.add_argument("--l1-ratios", type=float, nargs="+", default=[0.02, 0.05, 0.1])
    parser.add_argument("--signs", nargs="+", choices=["positive", "any"], default=["positive"])
    chosen = parser.parse_args()
    part, split = gowalla()
    partial = RESULTS / "gowalla_slim.partial.json"
    validation = json.loads(partial.read_text()) if partial.exists() else []
    RESULTS.mkdir(exist_ok=True)
    for alpha, l1_ratio, sign in product(chosen.alphas, chosen.l1_ratios, chosen.signs):
        params = {"alpha": alpha, "l1_ratio": l1_ratio, "positive": sign == "positive"}
        if params not in [row["params"] for row in validation]:
            validation.append(run(params, part(split == 0), part(split == 1)))
            partial.write_text(json.dumps(validation))
    best = max(validation, key=lambda row: row["ndcg@20"])["params"]
    test = run(best, part(split < 2), part(split == 2))
    write(
        "gowalla_slim",
        {
            "protocol": "Gowalla, LightGCN split; recall by |relevant|; options chosen by nDCG@20 "
            "on split 1 after training on split 0; then trained on splits 0 and 1 and tested once "
            "on split 2",
            "seed": "nothing is random",
            "goal": {"recall@20": 0.168, "ndcg@20": 0.136},
            "published": {"recall@20": 0.1699, "ndcg@20": 0.1382, "source": "BARS gowalla_m1"},
            "validation": validation,
            "test": test,
        },
    )
    partial.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
