"""MultVAE on Gowalla, LightGCN's split: chosen on split 1, tested once on split 2.

    SKREC_DATA=../shared/data python docs/benchmarks/run_gowalla_vae.py

While candidates are compared, split 0 trains, and nDCG@20 on split 1 of a fifth of the users,
looked at after every fourth epoch, chooses candidate and number of epochs. That
configuration then learns from splits 0 and 1, with the same annealing, and is tested once.
Recall@20 is divided by the number of relevant items, as LightGCN's code does. A candidate that
was tried is not tried again: its row is kept in results/gowalla_vae.partial.json.
"""

import argparse
import json
import time

import numpy as np
import torch
from _best_epoch import BestEpoch
from _data import gowalla
from _record import RESULTS, measured, write

from skrec.autoencoder import MultVAE
from skrec.metrics import evaluate

METRICS = ["ndcg@20", "recall@20"]
BATCH = 150
BASE = {"batch_size": BATCH, "max_iter": 24, "random_state": 0}
CANDIDATES = [
    {**BASE, "n_components": 128, "hidden_layer_sizes": (256,)},
    {**BASE, "n_components": 64, "hidden_layer_sizes": (600,)},
    {**BASE, "n_components": 200, "hidden_layer_sizes": (600,)},
]


def validate(parameters, X, y):
    users = np.random.default_rng(0).permutation(X.shape[0])[: X.shape[0] // 5]
    watch = BestEpoch(X[users], y[users], METRICS, 4, 8, normalize="relevant")
    start = time.process_time()
    MultVAE(**parameters).set_callbacks(watch).fit(X)
    score, epoch, model, mean = watch.best
    row = {"parameters": parameters, "epoch": epoch, "mean": mean, "curve": watch.curve}
    row["n_annealing_steps_per_batch"] = model.n_annealing_steps_ / -(-X.shape[0] // BATCH)
    print(row, flush=True)
    return {**row, "score": score, "processor_seconds": round(time.process_time() - start, 1)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--candidates", type=int, nargs="+", default=range(len(CANDIDATES)))
    parser.add_argument("--validate-only", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    part, split = gowalla()
    partial = RESULTS / "gowalla_vae.partial.json"
    for n in options.candidates:
        known = json.loads(partial.read_text()) if partial.exists() else {}
        if str(n) not in known:
            row = validate(CANDIDATES[n], part(split == 0), part(split == 1))
            known = json.loads(partial.read_text()) if partial.exists() else {}
            partial.write_text(json.dumps({**known, str(n): row}))
    if options.validate_only:
        return
    validation = list(json.loads(partial.read_text()).values())
    best = max(validation, key=lambda row: row["score"])
    X, y, row = part(split < 2), part(split == 2), {"fit": {}}
    # The annealing of all epochs, of which the first so many are made.
    steps = round(best["n_annealing_steps_per_batch"] * -(-X.shape[0] // BATCH))
    chosen = {**best["parameters"], "max_iter": best["epoch"], "n_annealing_steps": steps}
    model = MultVAE(**chosen)
    with measured(row["fit"]):
        model.fit(X)
    found = evaluate(model, X, y, METRICS, normalize="relevant")
    row["parameters"] = chosen
    row["mean"] = {name: round(float(found.mean[name]), 4) for name in METRICS}
    row["standard_error"] = {name: round(float(found.standard_error[name]), 4) for name in METRICS}
    write(
        "gowalla_vae",
        {
            "protocol": "Gowalla, LightGCN split (train split < 2, test split 2); recall by "
            "|relevant|; candidate and epochs chosen by nDCG@20 on split 1, trained on split 0",
            "published": {"recall@20": 0.1641, "ndcg@20": 0.1335, "source": "BARS gowalla_m1"},
            "validation": validation,
            "test": row,
        },
    )
    partial.unlink()


if __name__ == "__main__":
    main()
