"""Time and memory of a process that runs the model of another package: it need not have skrec.

Scripts that start themselves with a peer's Python import this module, `_data` and `_record`. All
three import NumPy and SciPy at most.
"""

import time
from contextlib import contextmanager
from pathlib import Path

_PROC = Path("/proc/self")


def memory_mib(name):
    """Memory of this process: VmRSS now, VmHWM at most since `clear_refs` was written to."""
    for line in (_PROC / "status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"{_PROC / 'status'} has no {name}.")


@contextmanager
def measured_alone(into):
    """Add wall-clock and processor seconds and peak memory (MiB above the start) to a dict."""
    (_PROC / "clear_refs").write_text("5")
    before = memory_mib("VmRSS")
    start, start_cpu = time.perf_counter(), time.process_time()
    yield into
    into["seconds"] = round(time.perf_counter() - start, 3)
    into["processor_seconds"] = round(time.process_time() - start_cpu, 3)
    into["peak_mib"] = round(memory_mib("VmHWM") - before, 1)
