"""How fits and lists gain by threads: 1, 2, 4, 8 and 16, as far as there are cores.

    python docs/benchmarks/bench_threads.py
    python docs/benchmarks/bench_threads.py --small

The first takes some minutes and writes ``results/threads.json``; the second is a trial in seconds
and writes nothing. The data are generated, and each number of threads has a process of its own,
where ``OMP_NUM_THREADS`` sets it for numba's kernels, BLAS and torch alike. Seconds are wall-clock
time, the least of two calls after one that compiles.

- ease, item_knn, slim: the whole fit. wmf: a sweep of conjugate gradients. bpr: a pass.
- mult_vae: an epoch in batches of 500.
- lists: `recommend(k=100)` of EASE for 10,000 rows.
"""

import argparse
import json
import os
import subprocess
import sys
import time

import numpy as np
from _record import write

COUNTS = (1, 2, 4, 8, 16)
WIDE, SHORT = (20_000, 8_000, 2_000_000), (31_668, 38_048, 1_561_406)
SMALL = (600, 400, 12_000)


def generated(shape):
    """A binary matrix of users, items and entries."""
    from skrec.datasets import make_interactions

    users, items, entries = shape
    X = make_interactions(users, items, entries, dtype=np.float32, random_state=0, return_X=True)
    X.data[:] = 1
    return X


def least(function, repeats=2):
    """Seconds of the fastest call."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def of_iteration(model, X, more=4):
    """Seconds of one iteration: the mean over some further iterations."""
    few, many = (least(lambda n=n: model.set_params(max_iter=n).fit(X)) for n in (1, 1 + more))
    return (many - few) / more


def measure(small):
    """Seconds by name, with as many threads as this process was told."""
    import torch

    from skrec.autoencoder import MultVAE
    from skrec.decomposition import BPR, WMF
    from skrec.linear_model import EASE, SLIM
    from skrec.neighbors import ItemKNN

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    first, wide, short = (generated(shape) for shape in (SMALL,) * 3)
    models = {
        "ease": EASE(), "item_knn": ItemKNN(), "slim": SLIM(),
        "wmf": WMF(128, solver="cg", random_state=0), "bpr": BPR(64, random_state=0),
        "mult_vae": MultVAE(
            200, hidden_layer_sizes=(600,), batch_size=500, early_stopping=False, random_state=0
        ),
    }  # fmt: skip
    for name, model in models.items():  # compiles
        model.set_params(**({"max_iter": 1} if name in ("wmf", "bpr", "mult_vae") else {}))
        model.fit(first).recommend(first[:2], k=10)
    if not small:
        wide, short = generated(WIDE), generated(SHORT)
    found = {
        name: least(lambda name=name: models[name].fit(wide))
        for name in ("ease", "item_knn", "slim")
    }
    found["lists"] = least(lambda: models["ease"].recommend(wide[:10_000], k=100))
    for name in ("wmf", "bpr"):
        found[name] = of_iteration(models[name], short)
    found["mult_vae"] = of_iteration(models["mult_vae"], wide, more=2)
    return {name: round(seconds, 4) for name, seconds in found.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--small", action="store_true", help="a trial that writes nothing")
    parser.add_argument("--one", action="store_true", help="this process measures (internal)")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.small)))
        return
    n_cores = len(os.sched_getaffinity(0))
    rows = {}
    for n_threads in [n for n in COUNTS if n <= n_cores]:
        told = dict.fromkeys(
            ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(n_threads)
        )
        command = [sys.executable, __file__, "--one", *(["--small"] if options.small else [])]
        done = subprocess.run(
            command, env=os.environ | told, stdout=subprocess.PIPE, text=True, check=True
        )
        rows[n_threads] = json.loads(done.stdout.splitlines()[-1])
        print(n_threads, rows[n_threads], flush=True)
    if not options.small:
        result = {
            "what": "seconds of fits, passes and lists by the number of threads",
            "cores": n_cores,
            "load_average_5_min": round(os.getloadavg()[1], 1),
            "data": {"wide": WIDE, "short": SHORT},
            "seconds": rows,
            "gain": {
                name: {n: round(rows[1][name] / row[name], 2) for n, row in rows.items()}
                for name in rows[1]
            },
        }
        write("threads", result)


if __name__ == "__main__":
    main()
