"""A million items on a small machine: 1,000,000 users x 1,000,000 items, 30M interactions.

    python docs/benchmarks/run_million.py                  # some hours; what is recorded is kept
    python docs/benchmarks/run_million.py SANSA BPR
    python docs/benchmarks/run_million.py --share 0.1 --limit 10      # a trial, writes nothing

The matrix is generated: 30 draws a user, items by a long tail (rank + 10) ** -0.8, equal draws
counted once. Each method fits in a process of its own, which has fitted a small matrix before, so
that nothing is compiled; then it makes lists of 100 items for 1,000 users. The record,
results/million.json, holds seconds and peak memory, or the reason why a fit has none. The system
ends a fit whose process takes more than `--memory` GiB of address space.
"""

import argparse
import json
import os
import resource
import subprocess
import sys

import numpy as np
from _record import RESULTS, environment, timed
from scipy.sparse import csr_array
from sklearn.base import clone

from skrec.decomposition import BPR, WMF, GraphFilter
from skrec.linear_model import SANSA, SLIM
from skrec.neighbors import ItemKNN

PATH = RESULTS / "million.json"
N, ROW_LENGTH, N_LISTS, LIST_LENGTH = 1_000_000, 30, 1_000, 100
# SANSA keeps 50 weights for each item, half of its default.
MODELS = {
    "SANSA": SANSA(density=5e-5),
    "ItemKNN": ItemKNN(100),
    "SLIM": SLIM(precompute=False),
    "WMF": WMF(64, random_state=0),
    "GraphFilter": GraphFilter(64, random_state=0),
    "BPR": BPR(64, max_iter=10, random_state=0),
}


def interactions(n, seed=0):
    """A binary matrix of n users and n items; rows are made in parts, to save memory."""
    rng = np.random.default_rng(seed)
    tail = np.cumsum(np.arange(10.0, n + 10) ** -0.8)
    tail /= tail[-1]
    name = rng.permutation(n).astype(np.int32)  # popularity is not in the order of the columns
    columns, lengths = [], []
    for start in range(0, n, 50_000):
        drawn = np.searchsorted(tail, rng.random((min(50_000, n - start), ROW_LENGTH)))
        drawn = np.sort(name[np.minimum(drawn, n - 1)], axis=1)
        new = np.ones(drawn.shape, dtype=bool)
        new[:, 1:] = drawn[:, 1:] != drawn[:, :-1]
        columns.append(drawn[new])
        lengths.append(new.sum(axis=1))
    columns, indptr = np.concatenate(columns), np.concatenate([[0], *lengths]).cumsum()
    return csr_array((np.ones(len(columns), dtype=np.float32), columns, indptr), shape=(n, n))


def measure(name, n):
    """A fit and lists in this process."""
    small = interactions(2000)
    clone(MODELS[name]).fit(small).recommend(small[:100], k=10)
    X = interactions(n)
    model = clone(MODELS[name])
    row = {"estimator": repr(model), "shape": list(X.shape), "entries": X.nnz, "fit": {}}
    with timed(row["fit"]):
        model.fit(X)
    row["lists"] = {"n_users": N_LISTS, "k": LIST_LENGTH}
    with timed(row["lists"]):
        model.recommend(X[:N_LISTS], k=LIST_LENGTH)
    return row


def in_a_process(name, n, options):
    """The row of `measure`; a row with a remark if there is none."""

    def limited():
        n_bytes = int(options.memory * 2**30)
        resource.setrlimit(resource.RLIMIT_AS, (n_bytes, n_bytes))

    command = [sys.executable, __file__, "--one", name, str(n)]
    try:
        done = subprocess.run(
            command, preexec_fn=limited, capture_output=True,
            text=True, timeout=60 * options.limit, check=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"remark": f"took longer than {options.limit:g} minutes"}
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines() or [f"status {error.returncode}"]
        return {"remark": said[-1]}
    return json.loads(done.stdout.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(MODELS)}")
    parser.add_argument("--share", type=float, default=1.0, help="of users and of items")
    parser.add_argument("--limit", type=float, default=60.0, help="minutes of fit and lists")
    parser.add_argument("--memory", type=float, default=16.0, help="GiB that a process may take")
    parser.add_argument("--one", nargs=2, metavar=("NAME", "N"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one[0], int(options.one[1]))))
        return
    unknown = sorted(set(options.names) - set(MODELS))
    if unknown:
        sys.exit(f"There is no method {unknown}. There are {', '.join(MODELS)}.")
    record = json.loads(PATH.read_text()) if PATH.is_file() else {"results": {}}
    for name in options.names or MODELS:
        if options.share == 1 and not options.names and "fit" in record["results"].get(name, {}):
            continue
        row = in_a_process(name, int(N * options.share), options)
        print(name, json.dumps(row), flush=True)
        if options.share == 1:
            row["load_average_5_min"] = round(os.getloadavg()[1], 1)
            record["results"][name] = row
            record = {"environment": environment(), "results": record["results"]}
            part = PATH.with_suffix(".part")
            part.write_text(json.dumps(record, indent=1) + "\n")
            part.replace(PATH)


if __name__ == "__main__":
    main()
