"""ItemKNN's neighbour search beside implicit's: same data, same similarity, same threads.

    SKREC_DATA=../shared/data python docs/benchmarks/bench_itemknn.py

Both fit plain cosine on 0/1 data; runs alternate, and the least of the repeats counts, in
seconds of wall clock and of processor time (which other work on the machine disturbs less).
implicit counts an item among its own K neighbours, so it looks for one neighbour fewer.
The script compares the similarities: the k - 1 largest of each item, in order.
"""

import argparse
import os
import time

import numpy as np
from _data import binary
from _record import write
from implicit.nearest_neighbours import CosineRecommender
from scipy.sparse import csr_matrix

from skrec.neighbors import ItemKNN


def fit_skrec(X, k, n_threads):
    return (
        ItemKNN(k, metric="cosine", activity_exponent=0.0, n_jobs=n_threads)
        .fit(X)
        .similarity_.T.tocsr()
    )


def fit_implicit(X, k, n_threads):
    model = CosineRecommender(K=k, num_threads=n_threads)
    model.fit(X, show_progress=False)
    return model.similarity


def descending(similarity, k):
    """The k largest similarities of each row, without the row's similarity to itself."""
    rows = np.repeat(np.arange(similarity.shape[0]), np.diff(similarity.indptr))
    others = rows != similarity.indices
    rows, values = rows[others], similarity.data[others]
    order = np.lexsort((-values, rows))
    rows, values = rows[order], values[order]
    place = np.arange(len(rows)) - np.searchsorted(rows, rows)
    table = np.zeros((similarity.shape[0], k))
    table[rows[place < k], place[place < k]] = values[place < k]
    return table


def timed(fit, *args):
    wall, cpu = time.perf_counter(), time.process_time()
    fit(*args)
    return time.perf_counter() - wall, time.process_time() - cpu


def compare(name, X, k, n_threads, repeats):
    peers = {"skrec": fit_skrec, "implicit": fit_implicit}
    found = {peer: descending(fit(X, k, n_threads), k - 1) for peer, fit in peers.items()}
    row = {"data": name, "n_neighbors": k, "threads": n_threads}
    row["max_difference"] = float(np.abs(found["skrec"] - found["implicit"]).max())
    times = {peer: [] for peer in peers}
    for _ in range(repeats):
        for peer, fit in peers.items():
            times[peer].append(timed(fit, X, k, n_threads))
    for peer, seconds in times.items():
        least = np.min(seconds, axis=0)
        row[peer] = {"wall_s": round(float(least[0]), 3), "cpu_s": round(float(least[1]), 3)}
    row["times_faster_cpu"] = round(row["implicit"]["cpu_s"] / row["skrec"]["cpu_s"], 2)
    row["times_faster_wall"] = round(row["implicit"]["wall_s"] / row["skrec"]["wall_s"], 2)
    print(row, flush=True)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", nargs="+", default=["ml-1m", "gowalla"])
    parser.add_argument("--n-neighbors", type=int, nargs="+", default=[20, 100, 400])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=7)
    chosen = parser.parse_args()
    rows = [
        compare(name, X, k, n_threads, chosen.repeats)
        for name in chosen.data
        for X in [csr_matrix(binary(name).astype(np.float64))]
        for n_threads in chosen.threads
        for k in chosen.n_neighbors
    ]
    load_average = round(os.getloadavg()[1], 1)
    write(
        "itemknn_search",
        {
            "what": "fit of plain cosine ItemKNN; least of the repeats",
            "repeats": chosen.repeats,
            "load_average_5_min": load_average,
            "results": rows,
        },
    )


if __name__ == "__main__":
    main()
