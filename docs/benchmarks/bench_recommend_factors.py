"""Lists from factors: ``recommend(k=100)`` beside implicit's batch recommend.

    python docs/benchmarks/bench_recommend_factors.py

10,000 users, 20,000 items, 64 factors, two threads, the user's items left out, the same item
factors in both packages. With rows solved (the contract of skrec: any row can be scored) the
peer is implicit with ``recalculate_user=True``; with the users' vectors given (BPR's learned
ones) it is ``recalculate_user=False``. skrec is measured on float32 rows, as implicit computes in
float32, and on float64 rows. Runs alternate, and the least of the repeats counts, in seconds of
wall clock and of processor time, which other work on the machine disturbs less. "same" is the
share of places where both lists have the same item.
"""

import argparse
import ctypes
import os
import time

import numpy as np
from _record import measured, write
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_array, csr_matrix
from threadpoolctl import threadpool_limits

from skrec.datasets import make_interactions
from skrec.decomposition import BPR, WMF

K, FACTORS, PENALTY = 100, 64, 10.0


def data(n_users, n_items, n_entries):
    made = make_interactions(
        n_users=n_users, n_items=n_items, n_interactions=n_entries, random_state=0
    )
    return csr_array(made.X, dtype=np.float32)


def skrec_models(X, n_threads):
    solved = WMF(
        FACTORS, alpha=PENALTY, unobserved_weight=1.0, frequency_exponent=0.0, max_iter=3,
        random_state=0, n_jobs=n_threads,
    )  # fmt: skip
    given = BPR(FACTORS, max_iter=2, random_state=0, n_jobs=n_threads)
    return solved.fit(X), given.fit(X)


def implicit_models(solved, given, n_threads):
    """implicit's recommenders with the factors of skrec's."""
    als = AlternatingLeastSquares(
        FACTORS, regularization=PENALTY, num_threads=n_threads, dtype=np.float32
    )
    als.item_factors = np.ascontiguousarray(solved.components_.T)
    als.user_factors = solved.user_factors_
    mf = AlternatingLeastSquares(FACTORS + 1, num_threads=n_threads, dtype=np.float32)
    # implicit has no separate biases: they are one more factor.
    ones = np.ones((len(given.user_factors_), 1), dtype=np.float32)
    mf.user_factors = np.hstack([given.user_factors_, ones])
    mf.item_factors = np.hstack([given.components_.T, given.item_bias_[:, np.newaxis]])
    return als, mf


def peer(model, rows, recalculate):
    """implicit's lists; it asks for one BLAS thread, and has threads of its own."""
    with threadpool_limits(1, user_api="blas"):
        everyone = np.arange(rows.shape[0])
        return model.recommend(everyone, rows, K, recalculate_user=recalculate)[0]


def runs(X, n_threads):
    solved, given = skrec_models(X, n_threads)
    als, mf = implicit_models(solved, given, n_threads)
    X64, seen = X.astype(np.float64), csr_matrix(X)
    weights = 2 * seen  # implicit takes stored values as the whole weight
    return {
        "rows solved": {
            "implicit": lambda: peer(als, weights, True),
            "skrec float32": lambda: solved.recommend(X, K),
            "skrec float64": lambda: solved.recommend(X64, K),
        },
        "vectors given": {
            "implicit": lambda: peer(mf, seen, False),
            "skrec float32": lambda: given.recommend(X, K),
            "skrec float64": lambda: given.recommend(X64, K),
        },
    }


def compare(functions, repeats):
    rows, lists = {}, {}
    for name, function in functions.items():
        lists[name] = function()  # compiles
        ctypes.CDLL(None).malloc_trim(0)  # what was freed is not to be had again for nothing
        rows[name] = {"wall_s": np.inf, "cpu_s": np.inf}
        memory = {}
        with measured(memory):
            function()
        rows[name]["peak_mib"] = memory["peak_mib"]
        same = lists[name] == lists["implicit"]
        rows[name]["same"] = round(float(same.mean()), 4)
    for _ in range(repeats):
        for name, function in functions.items():
            wall, cpu = time.perf_counter(), time.process_time()
            function()
            row = rows[name]
            row["wall_s"] = min(row["wall_s"], round(time.perf_counter() - wall, 3))
            row["cpu_s"] = min(row["cpu_s"], round(time.process_time() - cpu, 3))
    for name in list(rows)[1:]:
        for clock in ("wall", "cpu"):
            ratio = rows["implicit"][f"{clock}_s"] / rows[name][f"{clock}_s"]
            rows[name][f"times_faster_{clock}"] = round(ratio, 2)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    X = data(options.users, options.items, options.entries)
    results = {}
    for name, functions in runs(X, options.threads).items():
        results[name] = compare(functions, options.repeats)
        print(name, results[name], flush=True)
    write(
        "recommend_factors",
        {
            "what": "recommend(k=100) from factors; least of the repeats",
            "shape": [int(n) for n in X.shape],
            "entries": int(X.nnz),
            "factors": FACTORS,
            "threads": options.threads,
            "repeats": options.repeats,
            "load_average_5_min": round(os.getloadavg()[1], 1),
            "results": results,
        },
    )


if __name__ == "__main__":
    main()
