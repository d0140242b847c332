"""Cost of evaluation beyond the scores: 10,000 users, 20,108 items, lists of 100.

    python docs/benchmarks/bench_evaluate.py

The model is a stub that returns a ready block of float32 scores, so the times are of the split, one
top-k pass and the metrics. The top-k pass alone, over the same blocks with the same masks, is timed
too. Results go to ``results/evaluate.json``.
"""

import argparse
import time

import numpy as np
from _record import measured, write
from scipy.sparse import csr_array

from skrec._evaluation._estimator_rows import split_users
from skrec.metrics import make_ranking_scorer
from skrec.utils._parallel import row_chunks
from skrec.utils._topk import top_k

METRICS = ["recall@20", "recall@50", "ndcg@100"]


class Ready:
    """Returns the same block of scores for every chunk."""

    def __init__(self, block):
        self.block = block

    def decision_function(self, X):
        return self.block[: X.shape[0]]


def interactions(n_users, n_items, mean_length, rng):
    lengths = np.minimum(5 + rng.geometric(1 / (mean_length - 5), n_users), n_items // 2)
    weight = 1.0 / np.arange(1, n_items + 1) ** 0.7
    items = np.searchsorted(np.cumsum(weight) / weight.sum(), rng.random(lengths.sum()))
    rows = np.repeat(np.arange(n_users), lengths)
    X = csr_array((np.ones(len(rows)), (rows, items)), shape=(n_users, n_items))
    X.sum_duplicates()
    X.data[:] = 1.0
    return X


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--items", type=int, default=20_108)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    X = interactions(args.users, args.items, 100, rng)
    block = rng.standard_normal((1024, args.items)).astype(np.float32)
    scorer = make_ranking_scorer(METRICS)
    shown, _ = split_users(X, None, holdout=0.2, random_state=0)

    def ranks():
        for start, stop in row_chunks(args.users, args.items * 8):
            top_k(block[: stop - start], 100, seen=shown[start:stop])

    def split():
        split_users(X, None, holdout=0.2, random_state=0)

    tasks = {"scorer": lambda: scorer(Ready(block), X), "top_k": ranks, "split": split}
    for task in tasks.values():
        task()  # compiles
    seconds = dict.fromkeys(tasks, float("inf"))
    for _ in range(args.repeats):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            seconds[name] = min(seconds[name], time.perf_counter() - start)
    memory = {}
    with measured(memory):
        scorer(Ready(block), X)
    write(
        "evaluate",
        {
            "shape": [args.users, args.items],
            "interactions": int(X.nnz),
            "metrics": METRICS,
            "seconds": {name: round(value, 3) for name, value in seconds.items()},
            "scorer_over_top_k": round(seconds["scorer"] / seconds["top_k"], 2),
            "peak_mib_of_scorer": memory["peak_mib"],
            "dense_matrix_mib": round(args.users * args.items * 4 / 2**20),
        },
    )


if __name__ == "__main__":
    main()
