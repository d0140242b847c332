"""Cost of the full check of a sparse matrix: 10M entries, and a row of one user.

    python docs/benchmarks/bench_validation.py

``sound_sparse`` looks at every index and pointer before scipy converts anything. Its time is
compared with whole fits to the same matrix, and with ``recommend`` for one user. The fastest of
several repetitions counts. Results go to ``results/validation.json``.
"""

import argparse
import time

import numpy as np
from _record import write
from scipy.sparse import coo_array, csr_array

from skrec.decomposition import WMF, BiasedMF, PureSVD
from skrec.dummy import DummyRecommender
from skrec.linear_model import EASE
from skrec.utils._sparse_check import sound_sparse
from skrec.utils._validation import validate_interactions


def interactions(n_users, n_items, n_entries, rng):
    """A matrix with about `n_entries` entries, items by popularity."""
    weight = 1.0 / np.arange(1, n_items + 1) ** 0.7
    drawn = np.searchsorted(np.cumsum(weight) / weight.sum(), rng.random(int(1.35 * n_entries)))
    users = rng.integers(0, n_users, len(drawn))
    X = coo_array((np.ones(len(drawn), np.float32), (users, drawn)), shape=(n_users, n_items))
    X = csr_array(X)
    X.sum_duplicates()
    X.data[:] = 1.0
    return X


def fastest(task, repeats):
    """Seconds of the fastest repetition."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        task()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int, default=138_000)
    parser.add_argument("--items", type=int, default=5_000)
    parser.add_argument("--entries", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    X = interactions(args.users, args.items, args.entries, np.random.default_rng(0))
    check = fastest(lambda: sound_sparse(X), args.repeats)
    whole = fastest(lambda: validate_interactions(DummyRecommender(), X, reset=True), args.repeats)
    models = {
        "DummyRecommender": DummyRecommender(),
        "PureSVD(64)": PureSVD(64, random_state=0),
        "EASE": EASE(250.0),
        "BiasedMF(16, max_iter=2)": BiasedMF(16, max_iter=2, random_state=0),
        "WMF(16, max_iter=2)": WMF(16, alpha=0.01, max_iter=2, random_state=0),
    }
    row = X[[0]]
    row_check = fastest(lambda: sound_sparse(row), 200)
    fits, lists = {}, {}
    for name, model in models.items():
        model.fit(X[:1000])  # compiles
        fits[name] = fastest(lambda model=model: model.fit(X), 1 if "MF" in name else 2)
        model.recommend(row)
        lists[name] = fastest(lambda model=model: model.recommend(row), 50)
    write(
        "validation",
        {
            "shape": [args.users, args.items],
            "interactions": int(X.nnz),
            "seconds": {
                "full check": round(check, 5),
                "all of the validation": round(whole, 5),
                "fit": {name: round(value, 3) for name, value in fits.items()},
            },
            "check_share_of_fit_percent": {
                name: round(100 * check / value, 3) for name, value in fits.items()
            },
            "one_user": {
                "microseconds of the full check": round(1e6 * row_check, 1),
                "microseconds of recommend": {
                    name: round(1e6 * value, 1) for name, value in lists.items()
                },
                "check_share_of_recommend_percent": {
                    name: round(100 * row_check / value, 2) for name, value in lists.items()
                },
            },
        },
    )


if __name__ == "__main__":
    main()
