"""Exact lists against an index of approximate neighbours (hnswlib), by size of the catalogue.

    pip install hnswlib
    python docs/benchmarks/bench_ann.py
    SKREC_DATA=../shared/data python docs/benchmarks/bench_ann.py --fitted

A list of ten for one user of a factor model, on one thread: the product of the user's vector with
all items and the top-k kernel, against a search of an index of largest inner products. Vectors of
64 numbers are drawn. Items stand in groups. A few items have long vectors, like popular items of a
fitted model. A user is the sum of some items of two groups, with noise.

``--fitted`` measures the vectors of models fitted to Gowalla (`SKREC_DATA`) instead, in two ways:
as they are, and made of one length by one more number, sqrt(M^2 - |q|^2) with M the largest length,
and a zero for each user, as an index that knows only angles or distances needs.

Times are microseconds of processor time of one list, the least of several passes. "recall" is the
share of the exact ten that the index finds, by `ef`, how far it looks. "build_s" is the processor
time to make the index. It takes about ten minutes and 3 GB of memory at a million items. Results
go to ``results/ann.json``, with ``--fitted`` to ``results/ann_gowalla.json``.
"""

import argparse
import os
import time

import hnswlib
import numpy as np
from _data import binary
from _record import write
from threadpoolctl import threadpool_limits

from skrec._factors import factor_scores
from skrec.decomposition import BPR, WMF, PureSVD
from skrec.utils._topk import top_k

K, WIDTH = 10, 64
EFS = (20, 50, 100, 200, 400)


def vectors(n_items, n_users, rng):
    """Vectors of items (n_items, d) and of users (n_users, d)."""
    n_groups = max(20, n_items // 500)
    centres = rng.standard_normal((n_groups, WIDTH), dtype=np.float32)
    group = rng.integers(0, n_groups, n_items)
    items = centres[group] + 0.7 * rng.standard_normal((n_items, WIDTH), dtype=np.float32)
    items *= rng.lognormal(-1.0, 0.4, n_items).astype(np.float32)[:, None]
    liked = rng.integers(0, n_groups, (n_users, 2))
    users = centres[liked].sum(axis=1)
    users += 0.7 * rng.standard_normal((n_users, WIDTH), dtype=np.float32)
    return items, users


def of_one_length(items, users):
    """Longer vectors, among which the smallest angle marks the largest inner product."""
    squares = np.einsum("if,if->i", items, items)
    rest = np.sqrt(np.maximum(squares.max() - squares, 0))
    zeros = np.zeros(len(users), dtype=users.dtype)
    return np.column_stack([items, rest]), np.column_stack([users, zeros])


WAYS = {"as they are": lambda items, users: (items, users), "of one length": of_one_length}


def least(function, given, repeats):
    best = np.inf
    function(given[0])
    for _ in range(repeats):
        start = time.process_time()
        for one in given:
            function(one)
        best = min(best, 1e6 * (time.process_time() - start) / len(given))
    return round(best, 1)


def measured(items, users, repeats, ways):
    """Exact lists and an index of the vectors in each of the ways."""
    components = np.ascontiguousarray(items.T)

    def exact(user):
        scores = factor_scores(user[None], components, np.float32, n_jobs=1)
        return top_k(scores, K, n_jobs=1)[0][0]

    expected = [exact(user) for user in users]
    row = {"items": len(items), "exact_us": least(exact, users, repeats)}
    for name in ways:
        row[name] = with_index(*WAYS[name](items, users), expected, repeats)
    return row


def with_index(items, users, expected, repeats):
    index = hnswlib.Index("ip", items.shape[1])
    index.init_index(len(items), M=16, ef_construction=200, random_seed=0)
    index.set_num_threads(1)
    start = time.process_time()
    index.add_items(items, num_threads=1)
    row = {"build_s": round(time.process_time() - start, 1)}
    for ef in EFS:
        index.set_ef(ef)
        found, _ = index.knn_query(users, k=K, num_threads=1)
        hits = [len(np.intersect1d(a, b)) for a, b in zip(expected, found, strict=True)]
        row[f"ef {ef}"] = {
            "recall": round(float(np.mean(hits)) / K, 4),
            "us": least(lambda user: index.knn_query(user, k=K), users, repeats),
        }
    return row


def fitted(n_users):
    """Vectors of models that were fitted to Gowalla: items, users."""
    X = binary("gowalla")
    for model in (PureSVD(WIDTH), WMF(WIDTH, max_iter=4), BPR(WIDTH, max_iter=15)):
        users = model.set_params(random_state=0).fit(X).transform(X[:n_users])
        items = model.components_.T
        if hasattr(model, "item_bias_"):
            items = np.column_stack([items, model.item_bias_])
            users = np.column_stack([users, np.ones(len(users))])
        pair = (np.ascontiguousarray(part, dtype=np.float32) for part in (items, users))
        yield type(model).__name__, *pair


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--record", help="name of the record")
    parser.add_argument(
        "--items", type=int, nargs="+", default=[20_000, 50_000, 100_000, 200_000, 500_000, 10**6]
    )
    parser.add_argument("--fitted", action="store_true", help="vectors of models, not drawn ones")
    parser.add_argument("--users", type=int, default=200, help="users who ask for a list")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    threadpool_limits(1)
    if options.fitted:
        rows = [
            {"model": name} | measured(items, users, options.repeats, tuple(WAYS))
            for name, items, users in fitted(options.users)
        ]
    else:
        rows = [
            measured(
                *vectors(n, options.users, np.random.default_rng(0)),
                options.repeats,
                ["as they are"],
            )
            for n in options.items
        ]
    write(
        options.record or ("ann_gowalla" if options.fitted else "ann"),
        {
            "what": "processor time of a list of ten: exact, and by an index of hnswlib",
            "hnswlib": "0.8, M=16, ef_construction=200",
            "components": WIDTH,
            "users": options.users,
            "threads": 1,
            "load_average_5_min": round(os.getloadavg()[1], 1),
            "results": rows,
        },
    )


if __name__ == "__main__":
    main()
