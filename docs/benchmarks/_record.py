"""What every benchmark script shares: facts about the machine, peak memory, JSON records."""

import json
import os
import platform
import resource
import shlex
import sys
import time
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

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


def rounded(found, digits=4):
    """Values by name, rounded."""
    return {name: round(float(value), digits) for name, value in found.items()}


@contextmanager
def measured(into):
    """Add wall-clock seconds and peak memory (MiB above the start) of a block to a dict."""
    _reset_peak()
    before = _status("VmRSS")
    start = time.perf_counter()
    yield into
    into["seconds"] = round(time.perf_counter() - start, 3)
    into["peak_mib"] = round((_status("VmHWM") - before) / 1024, 1)


def _reset_peak():
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:  # not Linux, or not allowed: the peak is then that of the whole process
        return


def _status(field):
    for line in _lines("/proc/self/status"):
        if line.startswith(field):
            return int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
