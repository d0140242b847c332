"""PureSVD beside scikit-learn's TruncatedSVD: seconds against the captured part.

    SKREC_DATA=../shared/data python docs/benchmarks/bench_puresvd.py

Both fit the same float32 matrix of ones with their randomised solvers at several numbers of
iterations. The captured part is ||X V||^2 of the vectors V found, over the largest possible (ARPACK
in double precision); "missing" is the rest. Each setting of skrec has the fastest setting of
scikit-learn that misses no more beside it. scikit-learn runs with as many BLAS threads as skrec has
threads, and with one: where the cores are busy, threads of BLAS that spin cost more than they
bring, and skrec keeps BLAS to one thread by itself. Runs alternate, and the least of the repeats
counts, in seconds of wall clock and of processor time. Peak memory is measured in one more fit,
above what the process held before.
"""

import argparse
import ctypes
import os
import time

import numpy as np
from _data import binary
from _record import measured, write
from sklearn.decomposition import TruncatedSVD
from threadpoolctl import threadpool_limits

from skrec.decomposition import PureSVD


def captured(X, components):
    return float(np.linalg.norm(X.astype(np.float64) @ components.T.astype(np.float64)) ** 2)


def models(d, options):
    for n in options.max_iter:
        model = PureSVD(d, max_iter=n, random_state=0, n_jobs=options.threads)
        yield "skrec", n, options.threads, model
    for n in options.n_iter:
        for blas in sorted({1, options.threads}):
            yield "scikit-learn", n, blas, TruncatedSVD(d, n_iter=n, random_state=0)


def compare(name, X, d, options):
    best = captured(X, PureSVD(d, solver="arpack").fit(X.astype(np.float64)).components_)
    rows = []
    for package, n, blas, model in models(d, options):
        row = {"package": package, "iterations": n, "blas": blas, "wall_s": np.inf, "cpu_s": np.inf}
        ctypes.CDLL(None).malloc_trim(0)  # what was freed is not to be had again for nothing
        memory = {}
        with measured(memory), threadpool_limits(blas, user_api="blas"):
            model.fit(X)
        row["missing"] = float(f"{1 - captured(X, model.components_) / best:.3g}")
        row["peak_mib"] = memory["peak_mib"]
        rows.append((row, model))
    for _ in range(options.repeats):
        for row, model in rows:
            with threadpool_limits(row["blas"], user_api="blas"):
                wall, cpu = time.perf_counter(), time.process_time()
                model.fit(X)
                row["wall_s"] = min(row["wall_s"], round(time.perf_counter() - wall, 3))
                row["cpu_s"] = min(row["cpu_s"], round(time.process_time() - cpu, 3))
    rows = [row for row, _ in rows]
    for row in rows:
        print(name, d, row, flush=True)
    return {"data": name, "n_components": d, "fits": rows, "beside": beside(rows)}


def beside(rows):
    """The fastest setting of scikit-learn that is at least as accurate as each setting of skrec."""
    pairs = []
    for ours in rows:
        if ours["package"] != "skrec":
            continue
        peers = [r for r in rows if r["package"] != "skrec" and r["missing"] <= ours["missing"]]
        if not peers:
            continue
        peer = min(peers, key=lambda row: row["wall_s"])
        pairs.append(
            {
                "max_iter": ours["iterations"],
                "n_iter": peer["iterations"],
                "blas_of_scikit_learn": peer["blas"],
                "missing": [ours["missing"], peer["missing"]],
                "times_faster_wall": round(peer["wall_s"] / ours["wall_s"], 2),
                "times_faster_cpu": round(peer["cpu_s"] / ours["cpu_s"], 2),
            }
        )
    return pairs


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", nargs="+", default=["ml-1m", "gowalla"])
    parser.add_argument("--n-components", type=int, nargs="+", default=[64])
    parser.add_argument("--max-iter", type=int, nargs="+", default=[4, 6, 8, 10])
    parser.add_argument("--n-iter", type=int, nargs="+", default=[3, 5, 7, 10])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    rows = [
        compare(name, binary(name), d, options)
        for name in options.data
        for d in options.n_components
    ]
    write(
        "puresvd",
        {
            "what": "randomised truncated SVD; least of the repeats",
            "threads": options.threads,
            "repeats": options.repeats,
            "load_average_5_min": round(os.getloadavg()[1], 1),
            "results": rows,
        },
    )


if __name__ == "__main__":
    main()
