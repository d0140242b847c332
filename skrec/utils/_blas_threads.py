"""Keep BLAS to one thread while threads of our own do the work.

Idle threads of OpenBLAS spin for a while after each call. Where many small products alternate
with kernels in Python threads, they take the cores from these.
"""

from contextlib import contextmanager
from functools import cache
from threading import Lock

from threadpoolctl import ThreadpoolController

_lock = Lock()
# How many blocks are open, in all threads, and what undoes the limit of the first.
_open = {"count": 0, "limit": None}


@cache
def _controller():
    # Looks through all loaded libraries, which takes milliseconds; NumPy's BLAS is there by now.
    return ThreadpoolController()


@contextmanager
def one_blas_thread():
    """Limit BLAS to one thread within a ``with`` block.

    The limit holds for the whole process. Blocks may be nested, and open in several
    threads at once: the last that closes restores what was there before the first.
    """
    with _lock:
        if not _open["count"]:
            _open["limit"] = _controller().limit(limits=1, user_api="blas")
        _open["count"] += 1
    try:
        yield
    finally:
        with _lock:
            _open["count"] -= 1
            if not _open["count"]:
                _open["limit"].restore_original_limits()
