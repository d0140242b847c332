"""EASE at the size of MovieLens-20M: time against scipy and bare LAPACK, and peak memory.

    python docs/benchmarks/bench_ease.py

Generates a long-tailed matrix (136,677 x 20,108 with 10M entries unless told otherwise) and
runs each stage in a process of its own. Rivals take turns, each first in every other round,
and the ratio of their medians is reported: on a busy machine the times mean less than the
ratios; or count the processor's seconds, with one thread, which others hardly change:

    OMP_NUM_THREADS=1 python docs/benchmarks/bench_ease.py --clock cpu --name ease_cpu

Compilation (numba) is outside all times. Results go to ``results/ease.json``.

Stages
------
gram       our Gram kernel against scipy's ``X.T @ X``, and whether they are equal.
fit        ``EASE(alpha).fit(X)`` against the sum of our Gram kernel and bare calls of
           LAPACK's potrf and potri, and how well the weights solve the normal equations.
memory     peak memory of ``fit``, then of ``recommend(k=100)`` for 10,000 users.
inverse    the blocked inversion, mirrored, against potrf and potri, one triangle, at other
           sizes (``--sizes``).
accuracy   float32 against float64: on MovieLens-1M (``SKREC_DATA``) for several penalties,
           and on the generated matrix.
large      fit, peak memory and residual at ``--large`` items, where OpenBLAS's potrf
           ends in a segmentation fault.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from _record import measured, write
from scipy.linalg.lapack import spotrf, spotri

from skrec.datasets import make_interactions
from skrec.linear_model import EASE
from skrec.linear_model._gram import add_gram, new_gram
from skrec.linear_model._inverse import invert_positive_definite

STAGES = ("gram", "fit", "memory", "inverse", "accuracy", "large")
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
DEFAULT_STAGES = STAGES[:4]


def generate(n_users, n_items, n_interactions, seed):
    data = make_interactions(n_users, n_items, n_interactions, random_state=seed)
    return sp.csr_array(data.X, dtype=np.float32)


def take_turns(rivals, rounds, clock):
    """Call each rival in each round; return the seconds, a list for each name."""
    clock = CLOCKS[clock]
    seconds = {name: [] for name in rivals}
    names = list(rivals)
    for turn in range(rounds):
        for name in names[::-1] if turn % 2 else names:
            start = clock()
            result = rivals[name]()
            seconds[name].append(round(clock() - start, 3))
            del result
    return seconds


def medians(seconds):
    return {name: statistics.median(times) for name, times in seconds.items()}


def our_gram(X):
    return add_gram(X, new_gram(X.shape[1], n_entries=X.nnz))


def bare_lapack(matrix):
    """Invert in place, one triangle, without a mirror."""
    factor, info = spotrf(matrix.T, lower=1, clean=0, overwrite_a=1)
    _, more = spotri(factor, lower=1, overwrite_c=1)
    if info or more or not np.shares_memory(factor, matrix):
        raise RuntimeError(f"LAPACK failed: potrf {info}, potri {more}")
    return matrix


def relative_residual(X, coef, alpha, n_columns=50):
    """Residual of the normal equations of some columns, off the diagonal, over X^T X_j."""
    columns = np.random.default_rng(0).choice(X.shape[1], n_columns, replace=False)
    weights = coef[:, columns].astype(np.float64)
    X = X.astype(np.float64)
    target = X.T @ X[:, columns].toarray()
    residual = X.T @ (X @ weights) + alpha * weights - target
    residual[columns, np.arange(n_columns)] = 0.0
    used = np.linalg.norm(target, axis=0) > 0
    return float(np.linalg.norm(residual[:, used]) / np.linalg.norm(target[:, used]))


def stage_gram(X, args):
    seconds = take_turns(
        {"skrec": lambda: our_gram(X), "scipy": lambda: X.T @ X}, args.rounds, args.clock
    )
    gram, product = our_gram(X), sp.csr_array(X.T @ X)
    equal = all(
        np.array_equal(
            np.triu(product[start : start + 500].toarray(), start),
            np.triu(gram[start : start + 500], start),
        )
        for start in range(0, len(gram), 500)
    )
    middle = medians(seconds)
    lengths = np.diff(X.indptr).astype(np.int64)
    return {
        "seconds": seconds,
        "ratio_to_scipy": round(middle["skrec"] / middle["scipy"], 3),
        "million_pairs": round(int(lengths @ (lengths + 1)) / 2e6),
        "equal": equal,
    }


def stage_fit(X, args):
    clock = CLOCKS[args.clock]
    bare = {"gram": [], "lapack": []}

    def gram_and_lapack():
        start = clock()
        gram = our_gram(X)
        middle = clock()
        gram[np.diag_indices_from(gram)] += args.alpha
        bare_lapack(gram)
        bare["gram"].append(round(middle - start, 3))
        bare["lapack"].append(round(clock() - middle, 3))

    model = EASE(args.alpha)
    rivals = {"fit": lambda: model.fit(X) and None, "gram_and_lapack": gram_and_lapack}
    seconds = take_turns(rivals, args.rounds, args.clock)
    middle = medians(seconds)
    return {
        "seconds": seconds | bare,
        "ratio_to_gram_and_lapack": round(middle["fit"] / middle["gram_and_lapack"], 3),
        "relative_residual": relative_residual(X, model.fit(X).coef_, args.alpha),
    }


def stage_memory(X, args):
    fit, recommend = {}, {"users": min(10_000, X.shape[0]), "k": 100}
    model = EASE(args.alpha)
    with measured(fit):
        model.fit(X)
    users = X[: recommend["users"]]
    with measured(recommend):
        model.recommend(users, k=100)
    mib = 2.0**20
    need = (model.coef_.nbytes + X.data.nbytes + X.indices.nbytes + X.indptr.nbytes) / mib
    fit["buffer_and_data_mib"] = round(need, 1)
    # X was there before the fit; counted on both sides.
    fit["peak_ratio"] = round((fit["peak_mib"] + need - model.coef_.nbytes / mib) / need, 3)
    recommend["dense_scores_mib"] = round(recommend["users"] * X.shape[1] * 4 / mib, 1)
    return {"fit": fit, "recommend": recommend}


def stage_inverse(X, args):
    result = {}
    for n in args.sizes:
        part = generate(4 * n, n, 250 * n, args.seed)
        gram = our_gram(part)
        gram[np.diag_indices_from(gram)] += args.alpha
        rivals = {
            "skrec": lambda gram=gram: invert_positive_definite(gram.copy()),
            "lapack": lambda gram=gram: bare_lapack(gram.copy()),
        }
        seconds = take_turns(rivals, args.rounds, args.clock)
        middle = medians(seconds)
        ratio = round(middle["skrec"] / middle["lapack"], 3)
        result[n] = {"seconds": seconds, "ratio_to_lapack": ratio}
    return result


def float32_error(X, alpha):
    """Error of the float32 weights and scores, relative to float64's."""
    single = EASE(alpha, dtype="float32").fit(X).coef_
    double = EASE(alpha, dtype="float64").fit(X).coef_
    users = X[:1000].astype(np.float64)
    scores = users @ double
    errors = {
        "frobenius": np.linalg.norm(single - double) / np.linalg.norm(double),
        "largest_weight": np.abs(single - double).max() / np.abs(double).max(),
        "scores": np.abs(users @ single - scores).max() / np.abs(scores).max(),
    }
    return {name: float(f"{error:.1e}") for name, error in errors.items()}


def stage_accuracy(X, args):
    result = {"generated": {str(args.alpha): float32_error(X, args.alpha)}}
    path = Path(os.environ.get("SKREC_DATA", ""), "ml-1m", "interactions.npz")
    if path.exists():
        log = np.load(path)
        ones = np.ones(len(log["user"]), dtype=np.float32)
        movies = sp.csr_array((ones, (log["user"], log["item"])))
        result["ml-1m"] = {
            str(alpha): float32_error(movies, alpha) for alpha in (1000, 300, 100, 10, 1, 0.01)
        }
    return result


def stage_large(X, args):
    result = {"n_items": args.large}
    # As many users and entries as Gowalla has for that many items.
    X = generate(int(0.73 * args.large), args.large, 25 * args.large, args.seed)
    model = EASE(args.alpha)
    with measured(result):
        model.fit(X)
    result["buffer_mib"] = round(model.coef_.nbytes / 2**20, 1)
    result["gflops"] = round(args.large**3 / result["seconds"] / 1e9)
    result["relative_residual"] = relative_residual(X, model.coef_, args.alpha)
    return result


def run_stages(args):
    result = {}
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "X.npz")
        X = generate(args.users, args.items, args.entries, args.seed)
        result["data"] = {"shape": list(X.shape), "entries": int(X.nnz), "seed": args.seed}
        sp.save_npz(path, X, compressed=False)
        del X
        for stage in args.stages:
            command = [sys.executable, __file__, *sys.argv[1:], "--child", stage, path]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            result[stage] = json.loads(done.stdout.splitlines()[-1])
            print(stage, json.dumps(result[stage]), file=sys.stderr, flush=True)
    write(args.name, result)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--users", type=int, default=136_677)
    parser.add_argument("--items", type=int, default=20_108)
    parser.add_argument("--entries", type=int, default=10_000_000)
    parser.add_argument("--alpha", type=float, default=500.0)
    parser.add_argument("--rounds", type=int, default=3, help="rounds in which rivals take turns")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sizes", type=int, nargs="+", default=[4000, 10_000])
    parser.add_argument("--large", type=int, default=40_981)
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(DEFAULT_STAGES))
    parser.add_argument("--name", default="ease", help="results go to results/NAME.json")
    parser.add_argument("--child", nargs=2, metavar=("STAGE", "FILE"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child is None:
        run_stages(args)
        return
    stage, path = args.child
    busy = round(os.getloadavg()[0], 2)  # of the last minute, our own earlier stages included
    X = sp.csr_array(sp.load_npz(path))
    small = X[:50, :20]
    EASE(1.0, dtype="float32").fit(small).recommend(small)  # compiles
    result = {"load_average_before": busy} | globals()[f"stage_{stage}"](X, args)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
