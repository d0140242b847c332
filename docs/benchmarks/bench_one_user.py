"""One list for one user: ``recommend(row, k=10)`` beside implicit, 20,000 items, one thread.

    python docs/benchmarks/bench_one_user.py

A service makes such a call for each request. A row is a matrix of its own, in float32 or in
float64. Times are microseconds of processor time of one call: the mean of a pass of many calls, and
the least of several interleaved passes. "again": the same row in all calls, whose weights are in
the processor's caches; "in turn": the rows of many users, one after another, so that EASE waits for
its weights (30 rows of 80 kB). The models are fitted to generated interactions, but for EASE, whose
weights are drawn: its inversion would take minutes, and the time of its lists does not depend on
the weights. "ids" is the way from a history of 28 items in ids to a matrix,
`InteractionEncoder.transform_histories`, with a million known users and items.

It takes about two minutes, and 3 GB of memory. Results go to ``results/one_user.json``.
"""

import argparse
import os
import time
import warnings

import numpy as np
import torch
from _record import write
from implicit.cpu.als import AlternatingLeastSquares
from implicit.nearest_neighbours import CosineRecommender
from scipy.sparse import csr_array, csr_matrix
from threadpoolctl import threadpool_limits

from skrec.autoencoder import MultVAE
from skrec.datasets import make_interactions
from skrec.decomposition import WMF
from skrec.linear_model import EASE
from skrec.neighbors import ItemKNN
from skrec.preprocessing import InteractionEncoder

K, FACTORS, NEIGHBOURS, HISTORY = 10, 64, 100, 28


def data(n_users, n_items, n_entries):
    made = make_interactions(
        n_users=n_users, n_items=n_items, n_interactions=n_entries, random_state=0
    )
    return csr_array(made.X, dtype=np.float32)


def drawn_ease(n_items):
    """A fitted EASE with drawn weights."""
    rng = np.random.default_rng(0)
    model = EASE(n_jobs=1)
    model.n_features_in_ = n_items
    model.coef_ = rng.standard_normal((n_items, n_items), dtype=np.float32)
    return model


def models(X):
    wmf = WMF(FACTORS, max_iter=2, dtype="float32", random_state=0, n_jobs=1)
    vae = MultVAE(
        hidden_layer_sizes=(600,), batch_size=500, max_iter=1, device="cpu", random_state=0
    )
    return {
        "EASE": drawn_ease(X.shape[1]),
        "ItemKNN": ItemKNN(NEIGHBOURS, n_jobs=1).fit(X),
        "WMF": wmf.fit(X),
        "MultVAE": vae.fit(X[:1000]),
    }


def peers(X):
    cosine = CosineRecommender(K=NEIGHBOURS, num_threads=1)
    als = AlternatingLeastSquares(FACTORS, iterations=2, num_threads=1)
    for model in (cosine, als):
        model.fit(csr_matrix(X), show_progress=False)
    return {
        "implicit CosineRecommender": lambda row: cosine.recommend(0, row, K),
        "implicit ALS": lambda row: als.recommend(0, row, K, recalculate_user=True),
    }


def rows_of(X, n, dtype, kind=csr_array):
    return [kind(X[u : u + 1].astype(dtype)) for u in range(n)]


def calls(X, n):
    """Functions of a row, and their rows."""
    single, double = rows_of(X, n, np.float32), rows_of(X, n, np.float64)
    found = {}
    for name, model in models(X).items():
        found[f"{name} float32"] = (lambda row, model=model: model.recommend(row, k=K)), single
        found[f"{name} float64"] = (lambda row, model=model: model.recommend(row, k=K)), double
    for name, function in peers(X).items():
        found[name] = function, rows_of(X, n, np.float32, csr_matrix)
    return found


def histories(n, rng):
    """The way from ids to a row, for whole numbers and for text, and their histories."""
    found = {}
    for kind, ids in {
        "whole numbers": np.sort(rng.permutation(10_000_000)[:1_000_000]),
        "text": np.array([f"item-{i:07d}" for i in range(1_000_000)]),
    }.items():
        encoder = InteractionEncoder.from_ids(np.arange(1_000_000), ids)
        columns, rows = [], []
        for user in rng.integers(0, 2_000_000, n):  # known ones and others
            items = rng.choice(ids, HISTORY, replace=False)
            columns.append((np.full(HISTORY, user), items))
            rows.append([(int(user), item) for item in items.tolist()])
        found[f"ids, {kind}, columns"] = encoder.transform_histories, columns
        found[f"ids, {kind}, rows"] = encoder.transform_histories, rows
    return found


def least(functions, repeats):
    """Least microseconds of a call, by function and by whether the argument is the same."""
    best = {name: {"again_us": np.inf, "in_turn_us": np.inf} for name in functions}
    for function, arguments in functions.values():
        function(arguments[0])  # compiles
    for _ in range(repeats):
        for name, (function, arguments) in functions.items():
            for how, given in (
                ("again_us", [arguments[0]] * len(arguments)),
                ("in_turn_us", arguments),
            ):
                start = time.process_time()
                for argument in given:
                    function(argument)
                taken = 1e6 * (time.process_time() - start) / len(given)
                best[name][how] = min(best[name][how], round(taken, 1))
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--record", default="one_user", help="name of the record")
    parser.add_argument("--users", type=int, default=5000)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--entries", type=int, default=150_000)
    parser.add_argument("--asked", type=int, default=200, help="users who ask for a list")
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(1)
    threadpool_limits(1)
    warnings.simplefilter("ignore")  # implicit's, of matrices and threads of BLAS
    X = data(options.users, options.items, options.entries)
    functions = calls(X, options.asked)
    functions |= histories(options.asked, np.random.default_rng(0))
    results = least(functions, options.repeats)
    write(
        options.record,
        {
            "what": "processor time of one call, recommend(row, k=10) and ids to a row",
            "shape": [int(n) for n in X.shape],
            "entries_of_a_row": round(X.nnz / X.shape[0], 1),
            "asked": options.asked,
            "repeats": options.repeats,
            "threads": 1,
            "load_average_5_min": round(os.getloadavg()[1], 1),
            "entries_of_the_row_again": int(X[:1].nnz),
            "results": results,
        },
    )


if __name__ == "__main__":
    main()
