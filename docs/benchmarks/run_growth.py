"""How time and memory grow: 1M, 3M, 10M and 30M generated interactions, and no other data.

    python docs/benchmarks/run_growth.py --minutes 120
    python docs/benchmarks/run_growth.py EASE WMF --entries 1000000 3000000

Every user has about 50 items; items grow with the root of the entries, from 5,000 at 1M. A fit runs
one epoch, pass or sweep where there are such, on one thread, in a process of its own that has
fitted a small matrix before, so that nothing is compiled; lists have 100 items, for 1,000 users.
Estimators that read features, times or another model's lists are left out.

Fits that the record holds are not run again; fits without a figure are tried again. A fit that is
expected to take longer than `--limit` minutes, by the one before and the work that the docstring
states, is left out, and the record says so. The record is results/growth.json; `run.py tables`
makes its table and picture.

The slope of a figure is its exponent from the smallest matrix to the largest: 1 grows as the
entries do. Users grow with exponent 1, items with 1/2, so users x items and items^3 with 3/2.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import time

import numpy as np
from _growth_cases import CASES, Facts
from _record import RESULTS, environment, timed
from scipy.sparse import csr_array
from sklearn.base import clone

NAME = "growth"
PATH = RESULTS / f"{NAME}.json"
ENTRIES = (1_000_000, 3_000_000, 10_000_000, 30_000_000)
WARM = 20_000
ROW_LENGTH, N_ITEMS, N_LISTS, LIST_LENGTH = 50, 5_000, 1_000, 100


def shape(n_entries):
    """Users and items."""
    return n_entries // ROW_LENGTH, round(N_ITEMS * math.sqrt(n_entries / 1e6))


def interactions(n_entries, seed=0):
    """A matrix with ones, items by popularity; rows are made in parts, to save memory."""
    (n_users, n_items), rng = shape(n_entries), np.random.default_rng(seed)
    cumulated = np.cumsum(1.0 / np.arange(10, n_items + 10) ** 0.7)
    cumulated /= cumulated[-1]
    columns, lengths = [], []
    for start in range(0, n_users, 20_000):
        n_rows = min(20_000, n_users - start)
        drawn = np.searchsorted(cumulated, rng.random((n_rows, ROW_LENGTH))).astype(np.int32)
        drawn.sort(axis=1)
        new = np.ones(drawn.shape, dtype=bool)
        new[:, 1:] = drawn[:, 1:] != drawn[:, :-1]
        columns.append(drawn[new])
        lengths.append(new.sum(axis=1))
    columns, indptr = np.concatenate(columns), np.concatenate([[0], *lengths]).cumsum()
    data = np.ones(len(columns), dtype=np.float32)
    return csr_array((data, columns, indptr), shape=(n_users, n_items))


def facts(X):
    """The numbers that the stated work is computed from."""
    length = np.diff(X.indptr).astype(np.int64)
    return Facts(*X.shape, X.nnz, int((length**2).sum()))


def measure(case, n_entries):
    """A fit and lists in this process."""
    small = interactions(WARM)
    clone(case.estimator).fit(small).recommend(small[:100], k=10)
    X = interactions(n_entries)
    row = {"shape": list(X.shape), "entries": X.nnz, "facts": list(facts(X)), "fit": {}}
    model = clone(case.estimator)
    with timed(row["fit"]):
        model.fit(X)
    row["lists"] = {}
    with timed(row["lists"]):
        model.recommend(X[:N_LISTS], k=LIST_LENGTH)
    return row


def in_a_process(case, n_entries, limit):
    """The row of a process that compiles nothing, or a row with a remark.

    A large matrix may need kernels that the small one did not. numba caches them, so that a second
    process has them.
    """
    row = _in_a_process(case, n_entries, limit)
    if any("compile_seconds" in row.get(part, ()) for part in ("fit", "lists")):
        row = _in_a_process(case, n_entries, limit)
    return row


def _in_a_process(case, n_entries, limit):
    """The row of `measure`; a row with a remark if there is none."""
    threads = dict.fromkeys(
        ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
    )
    command = [sys.executable, __file__, "--one", case.name, str(n_entries)]
    try:
        done = subprocess.run(
            command,
            env=os.environ | threads,
            capture_output=True,
            text=True,
            timeout=4 * limit,
            check=True,
        )
    except subprocess.TimeoutExpired:
        return {"remark": f"took longer than {4 * limit / 60:.0f} minutes"}
    except subprocess.CalledProcessError as error:
        if error.returncode < 0:
            return {"remark": f"ended by signal {-error.returncode}"}
        return {"remark": (error.stderr.strip().splitlines() or [f"status {error.returncode}"])[-1]}
    return json.loads(done.stdout.strip().splitlines()[-1])


def expected(case, rows, n_entries):
    """Seconds that a fit should take, by the largest smaller fit; None without such a fit."""
    before = [int(size) for size, row in rows.items() if "fit" in row and int(size) < n_entries]
    if not before:
        return None
    last = rows[str(max(before))]
    (m, n), e = shape(n_entries), n_entries
    now, then = Facts(m, n, e, e * ROW_LENGTH), Facts(*last["facts"])
    ratio = (case.work(now) / case.work(then)) if case.work else (e / last["entries"]) ** 1.5
    return last["fit"]["processor_seconds"] * ratio


def run(cases, sizes, *, limit, minutes):
    """Fill the record, smallest matrices first."""
    record = json.loads(PATH.read_text()) if PATH.is_file() else {"results": {}}
    ends = time.monotonic() + 60 * minutes
    for n_entries in sorted(sizes):
        for case in cases:
            rows = record["results"].setdefault(case.name, {})
            if "fit" in rows.get(str(n_entries), {}):
                continue
            if time.monotonic() > ends:
                return
            seconds = expected(case, rows, n_entries)
            if any("remark" in row for size, row in rows.items() if int(size) < n_entries):
                row = {"remark": "not tried: the smaller matrix was too much"}
            elif seconds is not None and seconds > limit:
                row = {"remark": f"not tried: about {seconds / 60:.0f} minutes expected"}
            else:
                row = in_a_process(case, n_entries, limit)
            rows[str(n_entries)] = row
            print(case.name, f"{n_entries:,}", json.dumps(row), flush=True)
            record = {"environment": environment(), "results": record["results"]}
            part = PATH.with_suffix(".part")
            part.write_text(json.dumps(record, indent=1) + "\n")
            part.replace(PATH)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="estimators; none: all")
    parser.add_argument("--entries", nargs="+", type=int, default=list(ENTRIES))
    parser.add_argument("--limit", type=float, default=10.0, help="minutes that a fit may take")
    parser.add_argument("--minutes", type=float, default=math.inf, help="when to start no more")
    parser.add_argument("--one", nargs=2, metavar=("NAME", "ENTRIES"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    known = {case.name: case for case in CASES}
    if options.one:
        name, n_entries = options.one
        print(json.dumps(measure(known[name], int(n_entries))))
        return
    unknown = sorted(set(options.names) - set(known))
    if unknown:
        sys.exit(f"There is no case {unknown}. There are {', '.join(known)}.")
    cases = [known[name] for name in options.names] or CASES
    run(cases, options.entries, limit=60 * options.limit, minutes=options.minutes)


if __name__ == "__main__":
    main()
