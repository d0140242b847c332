"""Time and peak memory of a piece of work, measured by the operating system."""

import ctypes
import gc
import sys
import time
from pathlib import Path

from skrec.utils._memory import format_bytes
from skrec.utils._text import format_seconds

_PROC = Path("/proc/self")


class Cost:
    """Measure the time that a block of code takes, and its memory beyond what was there before.

    Peak memory: on Linux the high-water mark of resident memory is reset before the block
    (a 5 written to /proc/self/clear_refs) and read after it. Elsewhere the mark of the
    whole process, ``ru_maxrss``, is all there is: it tells something only where the block
    takes more than anything before it. Memory of a GPU is not in it.

    Parameters
    ----------
    memory : bool, default=True
        Whether to measure memory too, for which garbage is collected before: that takes
        longer than a small fit.

    Attributes
    ----------
    seconds : float
        By the clock.
    processor_seconds : float
        Of all threads of the process; other work on the machine is not in it.
    peak_bytes : int or None
        None where the system did not tell.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.utils._measure import Cost
    >>> with Cost() as cost:
    ...     total = np.ones(5_000_000).sum()
    >>> cost.peak_bytes is None or cost.peak_bytes > 30_000_000
    True
    """

    def __init__(self, *, memory=True):
        self.memory = memory
        self.seconds = self.processor_seconds = float("nan")
        self.peak_bytes = None

    def __repr__(self):
        peak = "?" if self.peak_bytes is None else format_bytes(self.peak_bytes)
        return f"Cost({format_seconds(self.seconds)}, {peak})"

    def __enter__(self):
        if self.memory:
            gc.collect()
            _return_free_memory()
            self._exact = _reset_high_water_mark()
            self._before = _status("VmRSS") if self._exact else _max_rss()
        self._started = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *exception):
        self.seconds = time.perf_counter() - self._started[0]
        self.processor_seconds = time.process_time() - self._started[1]
        if not self.memory:
            return
        after = _status("VmHWM") if self._exact else _max_rss()
        if self._before is not None and after is not None:
            taken = after - self._before
            # Below the old mark of the whole process nothing is known about the block.
            self.peak_bytes = max(0, taken) if self._exact or taken > 0 else None


def _return_free_memory():
    # What the allocator kept of earlier work would be taken again without being counted.
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def _reset_high_water_mark():
    try:
        (_PROC / "clear_refs").write_text("5")
    except OSError:
        return False
    return _status("VmHWM") is not None


def _status(field):
    try:
        lines = (_PROC / "status").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return None


def _max_rss():
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
