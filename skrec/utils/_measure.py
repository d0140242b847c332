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
    """Measure the time of a block of code, and the memory that it takes in addition.

    On Linux, the class resets the high-water mark of resident memory before the block
    (it writes 5 to /proc/self/clear_refs) and reads the mark after the block. Other systems
    offer only the mark of the whole process, ``ru_maxrss``. That mark shows the memory of the
    block only if the block takes more than anything before it. Memory of a GPU does not count.

    Parameters
    ----------
    memory : bool, default=True
        Whether to measure memory too. This collects garbage before the block, which takes
        longer than a small fit.

    Attributes
    ----------
    seconds : float
        Wall-clock time.
    processor_seconds : float
        Processor time of all threads of the process, without other work on the machine.
    peak_bytes : int or None
        Peak of the additional memory; None if the system does not report it.

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
            # A mark that did not rise tells nothing about the block.
            self.peak_bytes = max(0, taken) if self._exact or taken > 0 else None


def _return_free_memory():
    # The block would reuse memory that the allocator kept, and that memory would not count.
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
