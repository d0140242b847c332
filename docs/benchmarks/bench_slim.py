"""SLIM beside scikit-learn's ElasticNet, irspack's and LensKit's SLIM: time to equal objective.

    SKREC_DATA=../shared/data python docs/benchmarks/bench_slim.py --peer-python PEERS/bin/python

One data set, one objective 1/2 ||X - XW||^2 + l1 ||W||_1 + l2/2 ||W||^2 with W >= 0 and a zero
diagonal, X binary, two threads. Each model runs in a process of its own, one after the other,
``--rounds`` times; the least time counts. All objectives are computed by one function in float64.
A peer's number of iterations is doubled until its objective is within 2e-4 of ours
(relative to that of W = 0), or its time is out.

scikit-learn works on the Gram matrix (``precompute``), one column after the other; it is timed on
a sample of the columns, drawn once, and its time is scaled up by their number: ``--columns``.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _alone import measured_alone
from _data import binary
from _record import RESULTS, peer_versions, write
from scipy.sparse import csc_array, csr_array, load_npz, save_npz

SETTINGS = {"ml-1m": (5.0, 95.0), "gowalla": (1.0, 19.0)}
GAP = 2e-4
# Iterations to begin with: fewer were not enough on ML-1M.
FIRST = {"irspack": 6, "lenskit": 48}


def objective(X, W, l1, l2, columns):
    """The objective of some columns of W, in float64, a few hundred columns at a time."""
    X, W = X.astype(np.float64), csc_array(W).astype(np.float64)
    total = 0.5 * X[:, columns].sum()
    for start in range(0, len(columns), 256):
        part = columns[start : start + 256]
        weights = W[:, part]
        fitted = X @ weights
        inner = fitted.multiply(X[:, part]).sum()
        total += 0.5 * (fitted.data**2).sum() - inner
        total += l1 * np.abs(weights.data).sum() + l2 / 2 * (weights.data**2).sum()
    return float(total)


def by_skrec(X, l1, l2, options):
    from skrec.linear_model import SLIM

    model = SLIM(l1 + l2, l1_ratio=l1 / (l1 + l2), n_jobs=2)
    model.fit(X[:200])  # compiles
    row = {}
    with measured_alone(row):
        model.fit(X)
    return model.coef_, row


def by_sklearn(X, l1, l2, options):
    from sklearn.linear_model import ElasticNet

    n_users, n_items = X.shape
    rng = np.random.default_rng(0)
    columns = np.sort(rng.choice(n_items, min(options.columns, n_items), replace=False))
    row, weights = {}, []
    with measured_alone(row):
        start = time.perf_counter()
        dense = np.asfortranarray(X.toarray())
        gram = dense.T @ dense
        shared = time.perf_counter() - start
        for j in columns:
            target = dense[:, j].copy()
            # A column of zeros gets no weight, so that j does not predict itself.
            own, dense[:, j] = gram[:, j].copy(), 0
            gram[:, j] = gram[j, :] = 0
            model = ElasticNet(
                alpha=(l1 + l2) / n_users, l1_ratio=l1 / (l1 + l2), positive=True,
                fit_intercept=False, precompute=gram, copy_X=False, tol=1e-4, max_iter=1000,
            )  # fmt: skip
            weights.append(csr_array(model.fit(dense, target, check_input=False).coef_[None]))
            gram[:, j] = gram[j, :] = own
            dense[:, j] = target
    from scipy.sparse import vstack

    row["columns"] = len(columns)
    solving = row["seconds"] - shared
    row["seconds_of_the_sample"] = row["seconds"]
    row["seconds"] = round(shared + solving * n_items / len(columns), 3)
    W = csr_array((n_items, n_items), dtype=np.float32).tolil()
    W[columns] = vstack(weights)
    row["sample"] = columns.tolist()
    return csr_array(W).T.tocsr(), row


def by_irspack(X, l1, l2, options):
    from irspack.recommenders.slim import SLIMRecommender
    from scipy.sparse import csr_matrix

    scale = (l1 + l2) / X.shape[0]
    model = SLIMRecommender(
        csr_matrix(X).astype(np.float64), alpha=scale, l1_ratio=l1 / (l1 + l2),
        n_iter=options.iterations, n_threads=2,
    )  # fmt: skip
    row = {}
    with measured_alone(row):
        model.learn()
    return csr_array(model.W), row


def by_lenskit(X, l1, l2, options):
    import pandas as pd
    from lenskit.data import from_interactions_df
    from lenskit.knn.slim import SLIMScorer
    from lenskit.training import TrainingOptions

    users, items = X.nonzero()
    data = from_interactions_df(pd.DataFrame({"user_id": users, "item_id": items}))
    model = SLIMScorer(l1_reg=l1, l2_reg=l2, max_iters=options.iterations)
    row = {}
    with measured_alone(row):
        model.train(data, TrainingOptions())
    ids = np.asarray(model.items.ids())
    found = model.weights.tocoo()
    coords = ids[found.coords[0]], ids[found.coords[1]]
    return csr_array((found.data, coords), shape=(X.shape[1],) * 2), row


MODELS = {
    "skrec": by_skrec,
    "scikit-learn": by_sklearn,
    "irspack": by_irspack,
    "lenskit": by_lenskit,
}


def child(options):
    X = load_npz(options.matrix)
    X = csr_array(X)
    W, row = MODELS[options.child](X, options.l1, options.l2, options)
    row["weights"] = int(W.nnz)
    save_npz(options.result, W)
    print(json.dumps(row))


def run(name, python, matrix, l1, l2, options, iterations):
    """One fit in a process of its own; None where its time was out."""
    with tempfile.TemporaryDirectory() as folder:
        result = str(Path(folder) / "W.npz")
        command = [
            python, __file__, "--child", name, "--matrix", matrix, "--result", result,
            "--l1", str(l1), "--l2", str(l2), "--iterations", str(iterations),
            "--columns", str(options.columns),
        ]  # fmt: skip
        threads = dict.fromkeys(("OMP_NUM_THREADS", "RAYON_NUM_THREADS", "LK_NUM_THREADS"), "2")
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=options.timeout,
                env={**os.environ, **threads}, check=True,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return None
        except subprocess.CalledProcessError as error:
            raise RuntimeError(f"{name} failed:\n{error.stderr[-3000:]}") from error
        return json.loads(done.stdout.strip().split("\n")[-1]), load_npz(result)


def compare(name, options):
    X = binary(name)
    l1, l2 = SETTINGS[name]
    everything = np.arange(X.shape[1])
    nothing = objective(X, csr_array((X.shape[1],) * 2), l1, l2, everything)
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        matrix = str(Path(folder) / "X.npz")
        save_npz(matrix, X)
        ours = None
        for model in options.models:
            python = options.peer_python if model in ("irspack", "lenskit") else sys.executable
            rows[model] = best = None
            iterations = FIRST.get(model, 0)
            while True:
                found = run(model, python, matrix, l1, l2, options, iterations)
                if found is None:
                    rows[model] = {"stopped_after_seconds": options.timeout, "last": best}
                    break
                row, W = found
                columns = np.asarray(row.pop("sample", everything))
                base = nothing if len(columns) == len(everything) else objective(
                    X, csr_array(W.shape), l1, l2, columns
                )  # fmt: skip
                row["objective"] = objective(X, W, l1, l2, columns) / base
                if model == "skrec":
                    ours = W
                row["skrec_objective"] = objective(X, ours, l1, l2, columns) / base
                row["iterations"] = iterations or None
                best = row
                print(name, model, row, flush=True)
                if not iterations or row["objective"] < row["skrec_objective"] + GAP:
                    for _ in range(options.rounds - 1):
                        again, _ = run(model, python, matrix, l1, l2, options, iterations)
                        row["seconds"] = min(row["seconds"], again["seconds"])
                    rows[model] = row
                    break
                iterations *= 2
        for model, row in rows.items():
            if model != "skrec" and "seconds" in row:
                row["times_slower_than_skrec"] = round(row["seconds"] / rows["skrec"]["seconds"], 2)
    return {"shape": X.shape, "entries": int(X.nnz), "l1": l1, "l2": l2, "models": rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", nargs="+", default=["ml-1m", "gowalla"])
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--columns", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=300.0)
    for name in ("child", "matrix", "result"):
        parser.add_argument(f"--{name}")
    for name in ("l1", "l2"):
        parser.add_argument(f"--{name}", type=float)
    parser.add_argument("--iterations", type=int, default=0)
    options = parser.parse_args()
    if options.child:
        child(options)
        return
    path = RESULTS / "slim.json"
    data = json.loads(path.read_text())["data"] if path.is_file() else {}
    for name in options.data:  # one that is run again replaces its own entry only
        command = " ".join(["python", *sys.argv])
        versions = peer_versions(options.peer_python, ["irspack", "lenskit"])
        data[name] = {"command": command, "peers": versions, **compare(name, options)}
    write("slim", {"gap": GAP, "data": data})


if __name__ == "__main__":
    main()
