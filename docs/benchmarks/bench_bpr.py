"""BPR beside implicit's: same data, same settings, same threads; speed and ranking.

    SKREC_DATA=../shared/data python docs/benchmarks/bench_bpr.py

Both take plain SGD steps on the same objective: n_components, learning rate (constant),
penalty and passes are equal. Times are seconds for each pass, the least of interleaved fits,
in wall clock and in processor time (which other work on the machine disturbs less). The rankings
differ by the negatives: implicit draws negatives by popularity, skrec uniformly by default. A fit
of skrec with negatives by popularity is measured too. ML-1M is ratings >= 4, a fifth of each user's
held out at random; Gowalla is LightGCN's split, recall by the number of relevant items.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
from _record import measured, write
from implicit.cpu.bpr import BayesianPersonalizedRanking
from scipy.sparse import csr_array, csr_matrix
from sklearn.utils import Bunch

from skrec.decomposition import BPR
from skrec.metrics import evaluate
from skrec.model_selection import holdout_split
from skrec.utils._hashing import match_rows, row_hashes

METRICS = ["ndcg@100", "recall@20"]


def load(name):
    log = np.load(Path(os.environ["SKREC_DATA"]) / name / "interactions.npz")
    shape = (int(log["user"].max()) + 1, int(log["item"].max()) + 1)

    def matrix(part):
        ones = np.ones(part.sum(), dtype=np.float32)
        return csr_array((ones, (log["user"][part], log["item"][part])), shape=shape)

    if name == "gowalla":
        return matrix(log["split"] < 2), matrix(log["split"] == 2)
    return holdout_split(matrix(log["rating"] >= 4), holdout=0.2, random_state=0)


def fit_skrec(X, options, **more):
    return BPR(
        options.n_components, solver="sgd", schedule="constant", alpha=options.alpha,
        learning_rate=options.learning_rate, max_iter=options.passes, n_jobs=options.threads,
        random_state=0, **more,
    ).fit(X)  # fmt: skip


def fit_implicit(X, options):
    model = BayesianPersonalizedRanking(
        factors=options.n_components, regularization=options.alpha,
        learning_rate=options.learning_rate, iterations=options.passes,
        num_threads=options.threads, random_state=0,
    )  # fmt: skip
    model.fit(csr_matrix(X), show_progress=False)
    return model


class Scores:
    """implicit's scores for `evaluate`; it recognises the training users by their rows."""

    def __init__(self, model, X):
        self.model, self.known = model, row_hashes(X)

    def decision_function(self, X):
        users = match_rows(self.known, row_hashes(X))
        return self.model.user_factors[users] @ self.model.item_factors.T


def timed(fit, X, options):
    wall, cpu = time.perf_counter(), time.process_time()
    model = fit(X, options)
    taken = time.perf_counter() - wall, time.process_time() - cpu
    return model, np.array(taken) / options.passes


def ranking(model, X, y):
    found = evaluate(model, X, y, METRICS, normalize="relevant")
    return {name: round(found.mean[name], 4) for name in METRICS}


def compare(name, options):
    X, y = load(name)
    peers = {"skrec": fit_skrec, "implicit": fit_implicit}
    best, models, memory = {}, {}, {}
    short = Bunch(**{**vars(options), "passes": 1})
    for peer, fit in peers.items():  # compiles, and shows the memory
        with measured({}) as memory[peer]:
            fit(X, short)
    for _ in range(options.repeats):
        for peer, fit in peers.items():
            models[peer], taken = timed(fit, X, options)
            best[peer] = np.minimum(best.get(peer, np.inf), taken)
    row = {"data": name, "shape": list(X.shape), "interactions": int(X.nnz)}
    for peer, model in models.items():
        row[peer] = {
            "wall_s_per_pass": round(float(best[peer][0]), 3),
            "cpu_s_per_pass": round(float(best[peer][1]), 3),
            "peak_mib": memory[peer]["peak_mib"],
            **ranking(model if peer == "skrec" else Scores(model, X), X, y),
        }
    row["skrec, negatives by popularity"] = ranking(
        fit_skrec(X, options, negatives="popularity"), X, y
    )
    for clock, ratio in zip(("wall", "cpu"), best["implicit"] / best["skrec"], strict=True):
        row[f"times_faster_{clock}"] = round(float(ratio), 2)
    print(row, flush=True)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", nargs="+", default=["ml-1m", "gowalla"])
    parser.add_argument("--n-components", type=int, default=64)
    parser.add_argument("--alpha", type=float, default=0.01)
    parser.add_argument("--learning-rate", type=float, default=0.05)
    parser.add_argument("--passes", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    write(
        "bpr",
        {
            "what": "BPR, plain SGD at equal settings; least of the repeats",
            "settings": vars(options),
            "load_average_5_min": round(os.getloadavg()[1], 1),
            "results": [compare(name, options) for name in options.data],
        },
    )


if __name__ == "__main__":
    main()
