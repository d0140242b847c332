"""Shared by all benchmark scripts: the form of the records, and facts about the machine.

Scripts that start themselves with a peer's Python import this module there, where skrec and numba
are absent: only functions that need them import them.
"""

import json
import os
import platform
import shlex
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("numpy", "scipy", "scikit-learn", "numba", "implicit", "torch")


def environment():
    """Command, versions and machine."""
    versions = {"python": platform.python_version()}
    for name in ("scikit-recsys", *PACKAGES):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    model = next(
        (line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if "model name" in line), ""
    )
    return {
        "command": shlex.join(["python", *sys.argv]),
        "date": time.strftime("%Y-%m-%d"),
        "versions": versions,
        "machine": f"{platform.machine()}, {model}, {os.cpu_count()} cores",
    }


def peer_versions(python, names):
    """Versions of packages that another environment's Python has; None for one that it lacks."""
    code = (
        "import json, sys\nfrom importlib import metadata\nfound = {}\n"
        "for name in sys.argv[1:]:\n"
        "    try: found[name] = metadata.version(name)\n"
        "    except metadata.PackageNotFoundError: found[name] = None\n"
        "print(json.dumps(found))"
    )
    command = [str(python), "-I", "-c", code, *names]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def _lines(path):
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def write(name, result):
    """Write ``results/NAME.json`` with the environment, and print it."""
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps({"environment": environment(), **result}, indent=1)
    (RESULTS / f"{name}.json").write_text(text + "\n")
    print(text)


def as_json(value, **options):
    """JSON of a record; NumPy's numbers become numbers, and other objects in a grid their text."""
    return json.dumps(value, default=_plain, **options)


def _plain(value):
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return repr(value)


def rounded(found, digits=4):
    """Values by name, rounded."""
    return {name: round(float(value), digits) for name, value in found.items()}


def means_and_errors(found, name="test"):
    """Entries of a record for a result of `evaluate`: its means and their standard errors."""
    return {name: rounded(found.mean), f"{name}_standard_error": rounded(found.standard_error)}


@contextmanager
def measured(into):
    """Add wall-clock seconds and peak memory (MiB above the start) of a block to a dict."""
    from skrec.utils._measure import Cost

    with Cost() as cost:
        yield into
    into |= cost_row(cost)
    del into["processor_seconds"]


@contextmanager
def timed(into):
    """`measured`, and the processor time of the block: other work is not in it.

    Where numba compiles in the block, its seconds are noted too; they are part of the others.
    """

    from numba.core.event import install_timer

    from skrec.utils._measure import Cost

    def note(seconds):
        into["compile_seconds"] = round(seconds, 2)

    with Cost() as cost, install_timer("numba:compile", note):
        yield into
    into |= cost_row(cost)


def cost_row(cost):
    """Entries of a record for a `Cost`."""
    peak = None if cost.peak_bytes is None else round(cost.peak_bytes / 2**20, 1)
    return {
        "seconds": round(cost.seconds, 3),
        "peak_mib": peak,
        "processor_seconds": round(cost.processor_seconds, 3),
    }


def epoch_row(epochs):
    """Entries of a record for the epochs of a fit; the processor time covers all epochs."""
    return epochs | {"processor_seconds": round(epochs["processor_seconds"], 1)}


def looking(split, metrics):
    """A function for `tune` to look with: the metrics on the validation users of a split."""
    from skrec.metrics._comparison._parts import Part

    part = Part(split.X_train, split.X_validation, split.y_validation)
    return lambda model: part.evaluate(model, metrics).mean


def best_epoch(model, split, metrics, *, every, patience):
    """The best model of a fit, by a split's validation users, and its row."""
    from skrec.metrics._comparison._best_epoch import best_fit

    look = looking(split, metrics)
    best, scores, epochs = best_fit(model, split.X_train, look, every=every, patience=patience)
    return best, epochs_and_scores(epochs, scores)


def epochs_and_scores(epochs, scores):
    """The row of a fit whose epoch was chosen."""
    row = epoch_row(epochs)
    curve = row.pop("curve")
    return row | {"validation": rounded(scores), "curve": curve}


def record_path(experiment):
    """Where the record of an experiment is."""
    return RESULTS / experiment.protocol / f"{experiment.slug}.json"
