"""Compare the memory that a fit will take with the available memory, before allocating it.

Otherwise the kernel would kill the process for a matrix of n_items x n_items that does not fit:
Linux grants memory on request, and provides it only when it is written.
"""

import math
import os
from itertools import pairwise
from pathlib import Path

import numpy as np

# cgroup v1 writes "no limit" as a number just below 2**63, cgroup v2 as the word "max".
_UNLIMITED = 1 << 60
# Smaller requests are not checked: a check takes a millisecond.
_WORTH_A_LOOK = 1 << 26
# Parameters that set the size of a model.
_SIZES = {
    "batch_size", "hidden_layer_sizes", "n_clusters", "n_components", "n_content_components",
    "n_negatives", "n_node_components", "n_posterior_components", "n_style_components",
}  # fmt: skip


def available_memory(*, root="/"):
    """Memory that this process may still take without swapping.

    This is the minimum of the kernel's own estimate (``MemAvailable``), the room under every
    memory limit of the process's control groups (containers, batch systems), versions 1 and 2,
    and the room under the process's limit of address space (``ulimit -v``). Page cache counts
    as free: the kernel frees it before it refuses memory.

    Parameters
    ----------
    root : str or path-like, default="/"
        Folder where ``proc`` and ``sys`` are mounted.

    Returns
    -------
    n_bytes : int or None
        None if the system does not report it (macOS and Windows).
    """
    root = Path(root)
    rooms = [_meminfo(root / "proc/meminfo"), *_cgroup_rooms(root), _address_space(root)]
    known = [room for room in rooms if room is not None]
    return min(known) if known else _free_pages()


def check_memory(required_bytes, what, remedies, *, available=None):
    """Refuse work that does not fit, before anything is allocated.

    Parameters
    ----------
    required_bytes : int
        Memory that will be allocated.
    what : str
        Subject of the message: "EASE with 40,981 items in float64".
    remedies : sequence of str
        Actions for the user, each an imperative without a full stop.
    available : int or None, default=None
        Available bytes, for memory other than this machine's (a GPU's). None asks
        `available_memory`; if that returns None, the function refuses nothing.

    Raises
    ------
    MemoryError
        If more is required than available; the message gives both figures and the remedies.
    """
    if available is None:
        available = available_memory()
    if available is None or required_bytes <= available:
        return
    raise MemoryError(
        f"{what} needs {format_bytes(required_bytes)} of memory, but only "
        f"{format_bytes(available)} are available. Remedies: {'; '.join(remedies)}."
    )


def check_dense(shape, dtype, what, remedies):
    """Refuse a dense result that does not fit, before it is allocated.

    Parameters
    ----------
    shape : tuple of int
    dtype : dtype
    what : str
        Subject of the message: "decision_function of EASE for 50,000 x 300,000 scores".
    remedies : sequence of str
        See `check_memory`.

    Raises
    ------
    MemoryError
        If more is required than available.
    """
    required = math.prod(int(size) for size in shape) * np.dtype(dtype).itemsize
    if required > _WORTH_A_LOOK:
        check_memory(required, what, remedies)


def check_model(estimator, shape):
    """Refuse a model that cannot fit into memory, before its fit begins to allocate.

    The function computes a lower bound from the parameters that set sizes: weights between
    layers (with gradients and two moments of Adam), one vector per item, sampled negatives.

    Parameters
    ----------
    estimator : recommender
    shape : tuple of int
        (n_users, n_items) of the X of fit.

    Raises
    ------
    MemoryError
        If more is required than available.
    """
    sizes = {
        name: value
        for name, value in estimator.get_params(deep=False).items()
        if name in _SIZES and value is not None
    }
    hidden = tuple(sizes.pop("hidden_layer_sizes", ()))
    if hasattr(estimator, "fields"):  # the layers read field vectors, not rows of X
        hidden = ()
    batch = sizes.pop("batch_size", 1)
    batch = 1 if isinstance(batch, str) else min(batch, *shape)  # "auto"
    # In bytes: float32 weights, int64 indices of negatives.
    needed = 8 * batch * sizes.pop("n_negatives", 0)
    n_components = sizes.pop("n_components", 0)
    if hidden:
        layers = (min(shape), *hidden, *([n_components] if n_components else []))
        needed += 16 * sum(math.prod(pair) for pair in pairwise(layers))
    else:
        needed += 4 * shape[1] * n_components
    needed += sum(4 * size * max(1, n_components) for size in sizes.values())
    if needed > _WORTH_A_LOOK:
        given = sorted(name for name in _SIZES if name in estimator.get_params(deep=False))
        check_memory(
            needed,
            f"{type(estimator).__name__} of this size with {shape[1]:,} items, at the least,",
            [f"make {' or '.join(given)} smaller", "keep fewer users or items"],
        )


def check_lists_memory(n_rows, k, n_items, dtype):
    """Refuse lists that do not fit into memory: indices and scores, padded to length k."""
    check_dense(
        (n_rows, k, 1 + np.dtype(np.intp).itemsize // np.dtype(dtype).itemsize),
        dtype,
        f"{n_rows:,} lists of k={k:,}",
        [f"use k <= {n_items:,}, the number of items", "pass fewer rows at a time"],
    )


def format_bytes(n_bytes):
    """Format a number of bytes for people: ``format_bytes(6717767444) == "6.72 GB"``."""
    size = float(n_bytes)
    for unit in ("bytes", "kB", "MB", "GB"):
        if abs(size) < 1000:
            return f"{size:.0f} bytes" if unit == "bytes" else f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def _meminfo(path):
    for line in _read(path).splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _free_pages():
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _address_space(root):
    """Room under RLIMIT_AS, or None where there is no such limit."""
    try:
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    except (ImportError, AttributeError, OSError, ValueError):
        return None
    pages = _read(root / "proc/self/statm").split()
    if limit in (resource.RLIM_INFINITY, -1) or limit >= _UNLIMITED or not pages:
        return None
    return max(0, limit - int(pages[0]) * os.sysconf("SC_PAGE_SIZE"))


def _cgroup_rooms(root):
    """Room under each memory limit that applies to this process, outermost group last."""
    mount = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            names = ("memory.max", "memory.current", ("inactive_file", "active_file"))
            yield from _rooms_upwards(mount, group, names)
        elif "memory" in controllers.split(","):
            names = (
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
                ("total_inactive_file", "total_active_file"),
            )
            yield from _rooms_upwards(mount / "memory", group, names)


def _rooms_upwards(mount, group, names):
    # A limit holds for all groups below it. Inside a container the path of the group may not
    # exist under the mount; then the mount itself is the container's own group.
    folder = mount / group.strip("/")
    for level in (folder, *folder.parents):
        yield _room(level, *names)
        if level == mount:
            break


def _room(folder, limit_name, usage_name, cache_names):
    limit, usage = _read(folder / limit_name).strip(), _read(folder / usage_name).strip()
    if not (limit.isdigit() and usage.isdigit()) or int(limit) >= _UNLIMITED:
        return None
    stat = dict(line.split(maxsplit=1) for line in _read(folder / "memory.stat").splitlines())
    cache = sum(int(stat.get(name, 0)) for name in cache_names)
    return max(0, int(limit) - int(usage) + cache)


def _read(path):
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return ""
