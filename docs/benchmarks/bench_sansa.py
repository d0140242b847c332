"""SANSA against EASE on ML-1M, and at 200,000 items: ranking quality, time and peak memory.

    SKREC_DATA=../shared/data python docs/benchmarks/bench_sansa.py
    python docs/benchmarks/bench_sansa.py --stages large --jobs 2

Each stage runs in a process of its own; compilation (numba) is outside all times. Results go to
``results/bench_sansa.json``; a stage that is run again replaces its own entry and no other.

Stages
------
ml1m    nDCG@100 for several densities, `alpha` chosen for each on the validation users of
        run.py's ml1m_strong, tested once; EASE on the same split.
tail    the same at one alpha with a head of 256 items instead of 4,096, so that the rows of
        nearly all items are computed like rows of the tail.
large   fit time and peak memory on a generated matrix of 400,000 users, 200,000 items and 20M
        entries; nDCG@100 for 1,000 other users, of popularity and ItemKNN too.
"""

import argparse
import json
import os
import subprocess
import sys
import time

import numpy as np
from _alone import memory_mib
from _record import RESULTS, environment, measured, write
from scipy.sparse import csr_array

from skrec.datasets import make_interactions
from skrec.dummy import DummyRecommender
from skrec.linear_model import EASE, SANSA, _sansa_gram
from skrec.metrics import evaluate
from skrec.neighbors import ItemKNN

STAGES = ("ml1m", "tail", "large")
ALPHAS = (200.0, 300.0, 500.0, 700.0, 1000.0)
DENSITIES = (0.05, 0.02, 0.01, 0.005, 0.002)
N_NEW = 1000


def strong_split():
    from _protocols import ml1m_strong_split

    return ml1m_strong_split()


def scores_of(model, X, y):
    found = evaluate(model, X, y, ["ndcg@100", "recall@20", "recall@50"])
    rounded = {name: round(float(value), 4) for name, value in found.mean.items()}
    return rounded, round(float(found.standard_error["ndcg@100"]), 4)


def tune(name, make, split):
    """Choose alpha on the validation users; test once."""
    models, row = {}, {"validation_ndcg@100": {}}
    for alpha in ALPHAS:
        used = {}
        with measured(used):
            models[alpha] = make(alpha).fit(split.X_train), used
        mean, _ = scores_of(models[alpha][0], split.X_validation, split.y_validation)
        row["validation_ndcg@100"][alpha] = mean["ndcg@100"]
    best = max(ALPHAS, key=row["validation_ndcg@100"].get)
    model, row["fit"] = models[best]
    row["alpha"] = best
    row["test"], row["standard_error_ndcg@100"] = scores_of(model, split.X_test, split.y_test)
    if isinstance(model, SANSA):
        row["density_reached"] = round(model.density_, 6)
        row["loss_curve"] = [round(value, 5) for value in model.loss_curve_]
    print(name, json.dumps(row), file=sys.stderr, flush=True)
    return row


def stage_ml1m(args):
    split = strong_split()
    result = {"shape": list(split.X_train.shape)}
    result["EASE"] = tune("EASE", lambda alpha: EASE(alpha, n_jobs=args.jobs), split)
    for density in DENSITIES:

        def make(alpha, density=density):
            return SANSA(alpha, density=density, n_jobs=args.jobs)

        result[f"SANSA density={density}"] = tune(f"density={density}", make, split)
    return result


def stage_tail(args):
    split = strong_split()
    _sansa_gram._HEAD = 256
    result = {"head": 256, "alpha": 300.0}
    for density in DENSITIES:
        for max_iter in (1, 2, 3):
            model = SANSA(300.0, density=density, max_iter=max_iter, n_jobs=args.jobs)
            row = {}
            with measured(row):
                model.fit(split.X_train)
            row["test"], _ = scores_of(model, split.X_test, split.y_test)
            row["loss_curve"] = [round(value, 5) for value in model.loss_curve_]
            result[f"density={density} max_iter={max_iter}"] = row
            print(density, max_iter, json.dumps(row), file=sys.stderr, flush=True)
    return result


def stage_large(args):
    X = make_interactions(
        args.users + N_NEW,
        args.items,
        args.entries,
        dtype=np.float32,
        random_state=0,
        return_X=True,
    )
    new, X = X[args.users :], csr_array(X[: args.users])
    result = {"shape": list(X.shape), "entries": int(X.nnz), "jobs": args.jobs}
    result |= {"density": args.density, "fit": {}}
    model = SANSA(250.0, density=args.density, n_jobs=args.jobs)
    with measured(result["fit"]):
        model.fit(X)
    mib = 2.0**20
    data = (X.data.nbytes + X.indices.nbytes + X.indptr.nbytes) / mib
    factors = sum(
        part.nbytes
        for factor in (model.encoder_, model.decoder_)
        for part in (factor.data, factor.indices, factor.indptr)
    )
    result["data_mib"], result["factors_mib"] = round(data, 1), round(factors / mib, 1)
    result["whole_process_peak_mib"] = round(memory_mib("VmHWM"), 1)
    result["entries_of_a_factor"] = int(model.encoder_.nnz)
    result["loss_curve"] = [round(value, 5) for value in model.loss_curve_]
    result["gram_kept"] = round(model.gram_kept_, 4)
    print(json.dumps(result), file=sys.stderr, flush=True)
    start = time.perf_counter()
    model.recommend(new, k=100)
    result["recommend_1000_users_seconds"] = round(time.perf_counter() - start, 2)
    result["ndcg@100"] = {"SANSA": round(model.score(new), 4)}
    del model
    result["ndcg@100"]["popularity"] = round(DummyRecommender().fit(X).score(new), 4)
    if args.neighbors:
        cosine = ItemKNN(metric="cosine", activity_exponent=0.0, n_jobs=args.jobs)
        result["ndcg@100"]["ItemKNN"] = round(cosine.fit(X).score(new), 4)
    return result


def compile_kernels():
    X = make_interactions(300, 200, 4000, dtype=np.float32, random_state=0, return_X=True)
    head, _sansa_gram._HEAD = _sansa_gram._HEAD, 50
    SANSA(density=0.1, dtype="float32").fit(X).score(X)
    _sansa_gram._HEAD = head


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--users", type=int, default=400_000)
    parser.add_argument("--items", type=int, default=200_000)
    parser.add_argument("--entries", type=int, default=20_050_000)
    parser.add_argument("--density", type=float, default=2.5e-4, help="of the large matrix")
    parser.add_argument("--neighbors", action="store_true", help="large: ItemKNN too")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--child", choices=STAGES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        busy = round(os.getloadavg()[0], 2)
        compile_kernels()
        result = {"load_average_before": busy} | globals()[f"stage_{args.child}"](args)
        print(json.dumps(result))
        return
    path = RESULTS / "bench_sansa.json"
    stages = json.loads(path.read_text())["stages"] if path.is_file() else {}
    for stage in args.stages:
        command = [sys.executable, __file__, *sys.argv[1:], "--child", stage]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        made_by = environment()
        stages[stage] = {
            "command": made_by["command"],
            "date": made_by["date"],
            **json.loads(done.stdout.splitlines()[-1]),
        }
        write("bench_sansa", {"stages": stages})


if __name__ == "__main__":
    main()
