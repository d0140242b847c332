"""Limit BLAS to one thread while skrec's own threads do the work.

Idle threads of OpenBLAS spin for a while after each call. Where many small products alternate
with kernels in Python threads, the spinning threads take the cores from the kernels.
"""

from contextlib import contextmanager
from functools import cache
from threading import Lock

from threadpoolctl import ThreadpoolController

_lock = Lock()
# The number of open blocks in all threads, and the limit that the first block has set.
_open = {"count": 0, "limit": None}


@cache
def _controller():
    # The search through all loaded libraries takes milliseconds; NumPy's BLAS is loaded by now.
    return ThreadpoolController()


@contextmanager
def one_blas_thread():
    """Limit BLAS to one thread within a ``with`` block.

    The limit holds for the whole process. Blocks may be nested, and may be open in several
    threads at once: the last block that closes restores the original limits.
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
