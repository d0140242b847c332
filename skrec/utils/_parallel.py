"""Row chunks and Python threads for kernels that release the GIL.

The kernels are serial functions over a range. This module starts the threads instead of
numba, because numba's workqueue layer aborts the process when two Python threads enter it
at once, and its OpenMP layer does not survive a fork.
"""

import contextlib
import functools
import heapq
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np

# Bytes of one dense chunk of scores: about the size of the last-level cache, and large enough
# to make the cost of the Python call per chunk negligible.
CHUNK_BYTES = 1 << 25

_FORKED = threading.Event()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_FORKED.set)


def in_forked_child():
    """Whether this process was forked after skrec was imported; a fork copies no threads."""
    return _FORKED.is_set()


def lock_across_forks():
    """A lock that is free in a forked process, whichever thread held it at the fork."""
    lock = threading.RLock()
    if hasattr(os, "register_at_fork"):
        # A fork waits for the lock, so the guarded data are consistent in the child too.
        os.register_at_fork(
            before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release
        )
    return lock


@contextlib.contextmanager
def plain_interrupts():
    """A block in which Ctrl-C is a KeyboardInterrupt, also while a kernel returns its result.

    Python's signal handler may run while numba converts the result of a kernel to objects. No
    code checks for an exception there, so Python raises one or several SystemErrors, with the
    KeyboardInterrupt as their cause.
    """
    try:
        yield
    except SystemError as error:
        cause = error
        while isinstance(cause, SystemError):
            cause = cause.__cause__
        if isinstance(cause, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise


def in_other_thread(function, *arguments):
    """Call a kernel that returns arrays in a thread that handles no Ctrl-C.

    Python code converts the result of a kernel to objects. In the main thread that code would
    handle a Ctrl-C that came while the kernel ran. numba does not expect that, and the process
    may end. Only the main thread handles signals.

    Parameters
    ----------
    function : callable
    *arguments : object

    Returns
    -------
    result : object
        The result of the function.
    """
    if threading.current_thread() is not threading.main_thread():
        return function(*arguments)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *arguments).result()


def effective_n_threads(n_jobs=None):
    """Number of threads a kernel may use.

    Parameters
    ----------
    n_jobs : int or None, default=None
        None means every core that the process may use, or fewer if ``OMP_NUM_THREADS`` is
        lower: joblib sets that variable in its worker processes, so that nested parallelism
        does not oversubscribe the cores. Negative numbers count from the number of cores, as
        in joblib: -1 means all, -2 all but one.

    Returns
    -------
    n_threads : int
        At least 1.
    """
    if n_jobs is not None and n_jobs > 0:
        return int(n_jobs)
    n_cpus = _n_cpus(os.environ.get("LOKY_MAX_CPU_COUNT"), _cores_of_process())
    if n_jobs is None:
        limit = os.environ.get("OMP_NUM_THREADS", "")
        # OpenMP allows a list, one entry for each level of nesting.
        first = limit.split(",")[0].strip()
        return min(n_cpus, int(first)) if first.isdigit() and int(first) > 0 else n_cpus
    if n_jobs == 0:
        raise ValueError("n_jobs=0 has no meaning: use None, a positive number, or -1 for all.")
    return max(1, n_cpus + 1 + n_jobs)


@functools.lru_cache(maxsize=16)
def _n_cpus(limit, cores):
    # Reads files of the control groups, which takes longer than some kernels. So the result is
    # cached by the two settings that may change within a process.
    return joblib.cpu_count()


def _cores_of_process():
    """The cores that the process may use; None if the system does not report them."""
    return frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def run_ranges(function, n, *, n_jobs=None, weights=None):
    """Call ``function(start, stop)`` on contiguous ranges that cover ``range(n)``.

    Parameters
    ----------
    function : callable
        Must write only to its own range. Threads help only if it releases the GIL.
    n : int
        End of the whole range.
    n_jobs : int or None, default=None
        See `effective_n_threads`.
    weights : array-like of shape (n,) or callable, default=None
        Cost of each index: the ranges get equal sums of it. A callable returns it, and is
        called only with more than one thread. None: equal lengths.
    """
    n_threads = 1 if n == 1 and n_jobs != 0 else min(effective_n_threads(n_jobs), n)
    if n_threads <= 1:
        if n > 0:
            with plain_interrupts():
                function(0, n)
        return
    bounds = _balanced_bounds(n, n_threads, weights() if callable(weights) else weights)
    with ThreadPoolExecutor(n_threads) as pool:
        futures = [
            pool.submit(function, int(start), int(stop))
            for start, stop in zip(bounds[:-1], bounds[1:], strict=True)
            if start < stop
        ]
        for future in futures:
            future.result()


def _balanced_bounds(n, n_parts, weights):
    if weights is None:
        return np.linspace(0, n, n_parts + 1).astype(np.intp)
    cost = np.cumsum(np.asarray(weights, dtype=np.float64))
    if cost[-1] <= 0:
        return np.linspace(0, n, n_parts + 1).astype(np.intp)
    inner = np.searchsorted(cost, cost[-1] * np.arange(1, n_parts) / n_parts)
    return np.concatenate([[0], inner, [n]])


def even_shares(costs, n_shares):
    """Deal indices into shares of similar cost: costliest first, each to the cheapest share.

    Parameters
    ----------
    costs : ndarray of shape (n,)
        Cost of each index, >= 0.
    n_shares : int
        At most n.

    Returns
    -------
    shares : list of ndarray of intp
        `n_shares` arrays. Each index is in exactly one.
    """
    shares = [[] for _ in range(n_shares)]
    cheapest = [(0, 0, share) for share in range(n_shares)]  # cost, length and number
    for index in np.argsort(-np.asarray(costs), kind="stable"):
        cost, length, share = cheapest[0]
        shares[share].append(index)
        heapq.heapreplace(cheapest, (cost + float(costs[index]), length + 1, share))
    return [np.array(share, dtype=np.intp) for share in shares]


def row_chunks(n_rows, row_bytes, *, chunk_bytes=CHUNK_BYTES):
    """Yield ``(start, stop)`` so that a chunk of dense rows stays within `chunk_bytes`.

    Parameters
    ----------
    n_rows : int
        Number of rows.
    row_bytes : int
        Bytes that one dense row takes.
    chunk_bytes : int, default=2**25
        Most bytes of a chunk of more than one row. A chunk has 1 to 1,024 rows.

    Yields
    ------
    start, stop : int
        Bounds of one chunk of rows.
    """
    size = max(1, min(1024, chunk_bytes // max(1, row_bytes)))
    for start in range(0, n_rows, size):
        yield start, min(start + size, n_rows)
