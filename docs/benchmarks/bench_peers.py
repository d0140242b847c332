"""Whole fits of the same method beside other packages: EASE, ItemKNN, RP3beta, WMF, BPR, SANSA.

    python docs/benchmarks/peers.py install --venvs FOLDER
    SKREC_DATA=../shared/data python docs/benchmarks/bench_peers.py --venvs FOLDER
    SKREC_DATA=../shared/data python docs/benchmarks/bench_peers.py --venvs FOLDER --methods EASE

Each fit has a process of its own, two threads and the same matrix of ones; rounds alternate
between the packages, and the least time counts. Functions that compile are called on a small matrix
before. Reading the data into a package's own form is not in the time. Peak memory is the memory
that the fit needed above what the process had held before. For EASE and ItemKNN the record says
which share of the lists of ten for 300 users are skrec's items; the other methods start from random
vectors, or cut weights differently. A package that fails is recorded with its error. A method that
is run again replaces its own entry.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from _alone import measured_alone
from scipy.sparse import csr_array, csr_matrix, load_npz, save_npz

N_USERS, K, THREADS = 300, 10, 2
ALPHA, NEIGHBOURS, FACTORS, SWEEPS, PASSES, DENSITY = 500.0, 100, 64, 10, 20, 0.05
PEERS = {
    "EASE": ("irspack", "lenskit", "cornac", "rusket", "skrecsys"),
    "ItemKNN": ("implicit", "irspack", "rusket", "skrecsys"),
    "RP3beta": ("irspack", "skrecsys"),
    "WMF": ("implicit", "irspack", "rusket"),
    "BPR": ("implicit", "cornac", "rusket", "skrecsys"),
    "SANSA": ("sansa",),  # cornac has no other implementation: it calls this one
}


def of_weights(X, weights):
    """Lists of ten of the first users by item weights, without what they have."""
    seen = X[:N_USERS].toarray()
    scores = np.asarray(X[:N_USERS] @ weights)
    scores[seen > 0] = -np.inf
    return np.argsort(-scores, axis=1, kind="stable")[:, :K]


def skrec(method, X):
    from skrec.decomposition import BPR, WMF
    from skrec.linear_model import EASE, SANSA
    from skrec.neighbors import ItemKNN, RP3beta

    model = {
        "EASE": EASE(ALPHA),
        "ItemKNN": ItemKNN(NEIGHBOURS, metric="cosine", activity_exponent=0.0),
        "RP3beta": RP3beta(NEIGHBOURS, exponent=1.0, popularity_exponent=0.6),
        "WMF": WMF(FACTORS, max_iter=SWEEPS, random_state=0),
        "BPR": BPR(FACTORS, max_iter=PASSES, random_state=0),
        "SANSA": SANSA(ALPHA, density=DENSITY),
    }[method]
    model.fit(csr_array(X[:200]))  # compiles
    X = csr_array(X)
    return lambda: model.fit(X), lambda: model.recommend(X[:N_USERS], k=K)


def implicit(method, X):
    from implicit.als import AlternatingLeastSquares
    from implicit.bpr import BayesianPersonalizedRanking
    from implicit.nearest_neighbours import CosineRecommender

    model = {
        "ItemKNN": lambda: CosineRecommender(NEIGHBOURS + 1, num_threads=THREADS),
        "WMF": lambda: AlternatingLeastSquares(FACTORS, iterations=SWEEPS, num_threads=THREADS),
        "BPR": lambda: BayesianPersonalizedRanking(FACTORS, iterations=PASSES, num_threads=THREADS),
    }[method]()
    users = np.arange(N_USERS)
    return (
        lambda: model.fit(X, show_progress=False),
        lambda: model.recommend(users, X[:N_USERS], N=K)[0],
    )


def irspack(method, X):
    import irspack as package

    X = X.astype(np.float64)
    model = {
        "EASE": lambda: package.DenseSLIMRecommender(X, reg=ALPHA),
        "ItemKNN": lambda: package.CosineKNNRecommender(
            X, top_k=NEIGHBOURS, normalize=True, n_threads=THREADS
        ),
        "RP3beta": lambda: package.RP3betaRecommender(
            X, alpha=1.0, beta=0.6, top_k=NEIGHBOURS, n_threads=THREADS
        ),
        "WMF": lambda: package.IALSRecommender(
            X, n_components=FACTORS, train_epochs=SWEEPS, n_threads=THREADS
        ),
    }[method]()
    users = np.arange(N_USERS)

    def lists():
        scores = model.get_score_remove_seen(users)
        return np.argsort(-scores, axis=1, kind="stable")[:, :K]

    return model.learn, lists


def lenskit(method, X):
    import pandas as pd
    from lenskit.data import from_interactions_df
    from lenskit.knn.ease import EASEScorer
    from lenskit.training import TrainingOptions

    users, items = X.nonzero()
    data = from_interactions_df(pd.DataFrame({"user_id": users, "item_id": items}))
    model = EASEScorer(regularization=ALPHA)

    def lists():
        ids = np.asarray(model.items.ids())
        weights = np.zeros((X.shape[1],) * 2)
        weights[np.ix_(ids, ids)] = model.weights
        return of_weights(X, weights)

    return lambda: model.train(data, TrainingOptions()), lists


def cornac(method, X):
    from cornac.data import Dataset
    from cornac.models import BPR, EASE

    users, items = X.nonzero()
    data = Dataset.from_uir(list(zip(users, items, np.ones(len(users)), strict=True)))
    model = {
        "EASE": lambda: EASE(lamb=ALPHA, posB=False, verbose=False),
        "BPR": lambda: BPR(k=FACTORS, max_iter=PASSES, num_threads=THREADS),
    }[method]()

    def lists():
        place = np.array([data.iid_map[item] for item in range(X.shape[1])])
        weights = np.asarray(model.B)[np.ix_(place, place)]
        return of_weights(X, weights)

    return lambda: model.fit(data), lists


def rusket(method, X):
    import rusket as package

    model = {
        "EASE": lambda: package.EASE(regularization=ALPHA),
        "ItemKNN": lambda: package.ItemKNN(method="cosine", k=NEIGHBOURS),
        "WMF": lambda: package.ALS(factors=FACTORS, iterations=SWEEPS),
        "BPR": lambda: package.BPR(factors=FACTORS, iterations=PASSES),
    }[method]()

    def lists():
        return np.array([model.recommend_items(user, n=K)[0] for user in range(N_USERS)])

    return lambda: model.fit(X), lists


def skrecsys(method, X):
    from skrecsys import recommendation as package

    pairs = np.column_stack(X.nonzero())
    model = {
        "EASE": lambda: package.EASE(l2_reg=ALPHA, n_jobs=THREADS),
        "ItemKNN": lambda: package.ItemKNNRecommender(NEIGHBOURS, n_jobs=THREADS),
        "RP3beta": lambda: package.RP3Beta(NEIGHBOURS, alpha=1.0, beta=0.6, n_jobs=THREADS),
        "BPR": lambda: package.BayesianPersonalizedRanking(
            FACTORS, max_iter=PASSES, n_jobs=THREADS
        ),
    }[method]()
    users = np.arange(N_USERS)
    return (
        lambda: model.fit(pairs),
        lambda: np.asarray(model.recommend(users, n_recommendations=K)[0]),
    )


def sansa(method, X):
    from sansa import (
        SANSA,
        ICFGramianFactorizerConfig,
        SANSAConfig,
        UMRUnitLowerTriangleInverterConfig,
    )

    config = SANSAConfig(
        l2=ALPHA, weight_matrix_density=DENSITY,
        gramian_factorizer_config=ICFGramianFactorizerConfig(),
        lower_triangle_inverter_config=UMRUnitLowerTriangleInverterConfig(),
    )  # fmt: skip
    model = SANSA(config)
    return lambda: model.fit(X), None


ADAPTERS = {each.__name__: each for each in
            (skrec, implicit, irspack, lenskit, cornac, rusket, skrecsys, sansa)}  # fmt: skip


def child(package, method, matrix, result):
    """Run one fit in a process of its own, and make its lists where the method has one solution."""
    X = csr_matrix(load_npz(matrix))
    fit, lists = ADAPTERS[package](method, X)
    row = {}
    with measured_alone(row):
        fit()
    if lists is not None and method in ("EASE", "ItemKNN"):
        np.save(result, np.asarray(lists(), dtype=np.int64))
    Path(f"{result}.json").write_text(json.dumps(row))


def run(package, method, matrix, options):
    """A row and lists of one fit; a row with an error where it failed."""
    python = sys.executable if package == "skrec" else str(options.venvs / package / "bin/python")
    count = str(THREADS)
    names = ("OMP", "OPENBLAS", "MKL", "NUMBA", "RAYON", "LK")
    told = {f"{name}_NUM_THREADS": count for name in names}
    # Another package of the name skrec must not be found, nor ours by the others.
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "NUMBA_CACHE_DIR")
            if name in os.environ}  # fmt: skip
    if package == "skrec" and "PYTHONPATH" in os.environ:
        kept["PYTHONPATH"] = os.environ["PYTHONPATH"]
    with tempfile.TemporaryDirectory() as folder:
        result = str(Path(folder) / "lists.npy")
        command = [python, __file__, "--child", package, method, matrix, result]
        try:
            subprocess.run(
                command, env=kept | told, timeout=options.timeout, capture_output=True, text=True,
                check=True,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return {"remark": f"took longer than {options.timeout:g} s"}, None
        except subprocess.CalledProcessError as error:
            lines = error.stderr.strip().splitlines() or [f"status {error.returncode}"]
            return {"remark": lines[-1][:200]}, None
        lists = np.load(result) if Path(result).is_file() else None
        return json.loads(Path(f"{result}.json").read_text()), lists


def compare(method, data, options):
    """Rows of all packages that have a method."""
    packages, rows, lists = ("skrec", *PEERS[method]), {}, {}
    for _ in range(options.rounds):
        for package in packages:
            row, lists[package] = run(package, method, data, options)
            if "remark" in row or row["seconds"] < rows.get(package, row).get("seconds", np.inf):
                rows[package] = row
            rows.setdefault(package, row)
            print(method, package, row, flush=True)
    for package in PEERS[method]:
        if "seconds" in rows[package]:
            slower = rows[package]["seconds"] / rows["skrec"]["seconds"]
            rows[package]["times_slower_than_skrec"] = round(slower, 2)
        if lists[package] is not None and lists["skrec"] is not None:
            same = [len(set(a) & set(b)) / K
                    for a, b in zip(lists[package], lists["skrec"], strict=True)]  # fmt: skip
            rows[package]["same_items"] = round(float(np.mean(same)), 4)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--venvs", type=Path, help="the folder of peers.py install")
    parser.add_argument("--data", nargs="+", default=["ml-1m"])
    parser.add_argument("--methods", nargs="+", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=300.0)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(*options.child)
        return
    from _data import binary
    from _record import RESULTS, peer_versions, write

    path = RESULTS / "peer_fits.json"
    results = json.loads(path.read_text())["data"] if path.is_file() else {}
    versions = {
        peer: peer_versions(options.venvs / peer / "bin" / "python", [peer])[peer]
        for peer in sorted({peer for peers in PEERS.values() for peer in peers})
    }
    for name in options.data:
        with tempfile.TemporaryDirectory() as folder:
            matrix = str(Path(folder) / "X.npz")
            save_npz(matrix, csr_matrix(binary(name)))
            for method in options.methods:
                results.setdefault(name, {})[method] = compare(method, matrix, options)
                write("peer_fits", {
                    "what": "whole fits, two threads, the least of the rounds",
                    "settings": {"alpha": ALPHA, "neighbours": NEIGHBOURS, "factors": FACTORS,
                                 "sweeps": SWEEPS, "passes": PASSES, "density": DENSITY},
                    "load_average_5_min": round(os.getloadavg()[1], 1),
                    "peers": versions,
                    "data": results,
                })  # fmt: skip


if __name__ == "__main__":
    main()
