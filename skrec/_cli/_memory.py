"""Peak memory of a piece of work, measured by the operating system."""

import ctypes
import gc
import sys
from pathlib import Path

_PROC = Path("/proc/self")


class PeakMemory:
    """Measure what a block of code takes at its peak, beyond what was there before.

    On Linux the high-water mark of resident memory is reset before the block (a 5
    written to /proc/self/clear_refs) and read after it. Elsewhere the mark of the whole
    process, ``ru_maxrss``, is all there is: it tells something only where the block
    takes more than anything before it.

    Attributes
    ----------
    n_bytes : int or None
        After the block; None where the system did not tell.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec._cli._memory import PeakMemory
    >>> with PeakMemory() as peak:
    ...     total = np.ones(5_000_000).sum()
    >>> peak.n_bytes is None or peak.n_bytes > 30_000_000
    True
    """

    def __init__(self):
        self.n_bytes = None

    def __enter__(self):
        gc.collect()
        _return_free_memory()
        self._exact = _reset_high_water_mark()
        self._before = _status("VmRSS") if self._exact else _max_rss()
        return self

    def __exit__(self, *exception):
        after = _status("VmHWM") if self._exact else _max_rss()
        if self._before is not None and after is not None:
            taken = after - self._before
            # Below the old mark of the whole process nothing is known about the block.
            self.n_bytes = max(0, taken) if self._exact or taken > 0 else None


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
