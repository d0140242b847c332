"""Top-k of every row: skrec's kernel against NumPy's argpartition and a sort.

    python docs/benchmarks/bench_topk.py

Times are the least of several interleaved runs. "cpu" is the time of one thread that does
all the work, which other load on the machine disturbs less; "wall" lets the kernel use
every core. NumPy's answer differs where scores tie: it has no tie rule, and masks nothing.
Results go to ``results/topk.json``.
"""

import argparse
import time

import numpy as np
from _record import write
from scipy.sparse import csr_array

from skrec.utils._topk import top_k


def argpartition(scores, k, seen):
    if seen is not None:
        scores = scores.copy()
        scores[np.repeat(np.arange(len(scores)), np.diff(seen.indptr)), seen.indices] = -np.inf
    found = np.argpartition(scores, -k, axis=1)[:, -k:]
    order = np.argsort(-np.take_along_axis(scores, found, axis=1), axis=1)
    return np.take_along_axis(found, order, axis=1)


def matrices(n_rows, n_items, dtype, rng):
    """Scores without ties, and mostly zero scores, such as neighbour models have."""
    normal = rng.standard_normal((n_rows, n_items))
    few = np.where(rng.random((n_rows, n_items)) < 0.05, rng.random((n_rows, n_items)), 0.0)
    return {"normal": normal.astype(dtype), "95 % zeros": few.astype(dtype)}


def least(functions, repeats):
    """Least milliseconds of each function, by thread time and by wall clock."""
    best = {name: [float("inf"), float("inf")] for name in functions}
    for function in functions.values():
        function()  # compiles
    for _ in range(repeats):
        for name, function in functions.items():
            cpu, wall = time.thread_time(), time.perf_counter()
            function()
            taken = time.thread_time() - cpu, time.perf_counter() - wall
            best[name] = [min(pair) for pair in zip(best[name], taken, strict=True)]
    return {name: [1e3 * value for value in pair] for name, pair in best.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--items", type=int, default=20108)
    parser.add_argument("--repeats", type=int, default=15)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    mask = csr_array((rng.random((args.rows, args.items)) < 70 / args.items).astype(float))
    rows = []
    for dtype in ("float32", "float64"):
        for kind, scores in matrices(args.rows, args.items, dtype, rng).items():
            for k in (10, 100):
                for seen in (None, mask):
                    same = np.array_equal(
                        argpartition(scores, k, seen), top_k(scores, k, seen=seen)[0]
                    )
                    taken = least(
                        {
                            "numpy": lambda s=scores, k=k, m=seen: argpartition(s, k, m),
                            "one": lambda s=scores, k=k, m=seen: top_k(s, k, seen=m, n_jobs=1),
                            "all": lambda s=scores, k=k, m=seen: top_k(s, k, seen=m),
                        },
                        args.repeats,
                    )
                    rows.append(
                        {
                            "dtype": dtype,
                            "scores": kind,
                            "k": k,
                            "seen_items_masked": seen is not None,
                            "same_lists_as_numpy": same,
                            "numpy_cpu_ms": round(taken["numpy"][0], 1),
                            "skrec_one_thread_cpu_ms": round(taken["one"][0], 1),
                            "ratio_cpu": round(taken["numpy"][0] / taken["one"][0], 2),
                            "numpy_wall_ms": round(taken["numpy"][1], 1),
                            "skrec_all_cores_wall_ms": round(taken["all"][1], 1),
                            "ratio_wall": round(taken["numpy"][1] / taken["all"][1], 2),
                        }
                    )
    write("topk", {"shape": [args.rows, args.items], "rows": rows})


if __name__ == "__main__":
    main()
