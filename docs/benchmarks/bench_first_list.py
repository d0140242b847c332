"""The first list of a fresh process: fit, `recommend` and `evaluate` without compiled kernels.

    python docs/benchmarks/bench_first_list.py

Each model runs in two processes of its own, the first with an empty folder for numba's cache, the
second with what the first has compiled. Times are seconds after the imports: of the processor, and
of the clock, which says little on a machine that has other work. Results go to
``results/first_list.json``.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

from _record import write

CHILD = """
import json, sys, time
from skrec.datasets import make_interactions
from skrec.linear_model import EASE
from skrec.metrics import evaluate
from skrec.model_selection import holdout_split
from skrec.neighbors import ItemKNN

X, y = holdout_split(make_interactions(500, 200, random_state=0).X, random_state=0)
model, marks = {"EASE": EASE, "ItemKNN": ItemKNN}[sys.argv[1]](), []
marks.append((time.process_time(), time.perf_counter()))
model.fit(X).recommend(X[:1], k=10)
marks.append((time.process_time(), time.perf_counter()))
evaluate(model, X, y, ["ndcg@10"])
marks.append((time.process_time(), time.perf_counter()))
steps = zip(("first_list", "evaluate"), marks, marks[1:])
print(json.dumps({
    name: {"cpu_s": round(b[0] - a[0], 2), "wall_s": round(b[1] - a[1], 2)} for name, a, b in steps
}))
"""


def run(name, folder):
    """Figures of one process."""
    environment = os.environ | {"NUMBA_CACHE_DIR": folder}
    command = [sys.executable, "-c", CHILD, name]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def main():
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    results = {}
    for name in ("EASE", "ItemKNN"):
        with tempfile.TemporaryDirectory() as folder:
            results[name] = {"empty cache": run(name, folder), "full cache": run(name, folder)}
        print(name, results[name], flush=True)
    write(
        "first_list",
        {
            "what": "seconds of a fresh process after its imports, 500 users and 200 items",
            "load_average_5_min": round(os.getloadavg()[1], 1),
            "results": results,
        },
    )


if __name__ == "__main__":
    main()
