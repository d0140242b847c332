"""LightGCN's product with the graph of Gowalla: against a bare loop, torch and scipy.

    SKREC_DATA=../shared/data python docs/benchmarks/bench_lightgcn.py

One product brings the items' vectors to each user and the users' vectors to each item, with d = 64
numbers each, in float32. The bare loop is the shortest that numba compiles, into an array that is
there. torch multiplies by CSR matrices, scipy as well. Runs alternate, and the least of the repeats
counts, in seconds of wall clock and of processor time (which other work on the machine disturbs
less). Whole steps of a fit are measured too, by the size of the batch: the products forth and back
(the last ones only where the batch reads) and Adam.
"""

import argparse
import os
import time
from contextlib import contextmanager

import numba
import numpy as np
import torch
from _data import binary
from _record import write
from scipy.sparse import csr_array

from skrec._torch._graph import Graph
from skrec._torch._problem import Problem
from skrec.neural_network import LightGCN


@numba.njit(nogil=True)
def bare_loop(ptr, idx, val, source, out):
    for u in range(len(ptr) - 1):
        for f in range(source.shape[1]):
            out[u, f] = 0
        for p in range(ptr[u], ptr[u + 1]):
            i, x = idx[p], val[p]
            for f in range(source.shape[1]):
                out[u, f] += x * source[i, f]


@contextmanager
def threads(n):
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def products(X, d):
    """Functions that make a product each; all but the bare loop return it."""
    graph = Graph(X, torch.device("cpu"))
    generator = torch.Generator().manual_seed(0)
    users, items = (torch.randn(n, d, generator=generator) for n in X.shape)
    sides = [(graph.users._matrix, items), (graph.items._matrix, users)]
    ours = [(graph.users, items), (graph.items, users)]
    outs = [np.empty((len(matrix[0]) - 1, d), np.float32) for matrix, _ in sides]
    scipys = [
        (csr_array((val, idx, ptr), shape=(len(ptr) - 1, len(source))), source.numpy())
        for (ptr, idx, val), source in sides
    ]
    torches = [
        (
            torch.sparse_csr_tensor(
                *(torch.from_numpy(part.astype(kind)) for part, kind in
                  zip(matrix, (np.int64, np.int64, np.float32), strict=True)),
                size=(len(matrix[0]) - 1, len(source)),
            ),
            source,
        )
        for matrix, source in sides
    ]  # fmt: skip
    return {
        "bare numba loop": lambda: [
            bare_loop(*matrix, source.numpy(), out)
            for (matrix, source), out in zip(sides, outs, strict=True)
        ],
        "skrec": lambda: [matrix.times(source, plus=plus) for (matrix, source), plus in
                          zip(ours, (users, items), strict=True)],
        "scipy": lambda: [matrix @ source for matrix, source in scipys],
        "torch CSR": lambda: [matrix @ source for matrix, source in torches],
    }  # fmt: skip


def least(functions, repeats):
    """Least seconds of wall clock and processor of each function."""
    times = {name: [] for name in functions}
    for function in functions.values():
        function()
    for _ in range(repeats):
        for name, function in functions.items():
            wall, cpu = time.perf_counter(), time.process_time()
            function()
            times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {name: np.min(taken, axis=0) for name, taken in times.items()}


def row(taken):
    return {"wall_ms": round(1e3 * float(taken[0]), 2), "cpu_ms": round(1e3 * float(taken[1]), 2)}


def step_of(X, batch_size):
    """A function that makes one step of a fit."""
    model = LightGCN(batch_size=batch_size, random_state=0)
    generator = torch.Generator().manual_seed(0)
    problem = Problem(X, X, None, None, None, None, torch.device("cpu"), generator)
    module = model._build_module(X.shape, problem)
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3, fused=True)
    batch = next(iter(model._batches(problem)))

    def step():
        optimizer.zero_grad(set_to_none=True)
        model._loss(module, batch, 0, generator).backward()
        optimizer.step()

    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="gowalla")
    parser.add_argument("--n-components", type=int, default=64)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[2048, 16_384])
    parser.add_argument("--repeats", type=int, default=11)
    options = parser.parse_args()
    X = csr_array(binary(options.data))
    functions = products(X, options.n_components)
    expected = [part + plus for part, plus in zip(functions["scipy"](), (0, 0), strict=True)]
    difference = max(
        float(np.abs(ours.numpy() - theirs).max())
        for ours, theirs in zip(functions["torch CSR"](), expected, strict=True)
    )
    found = {}
    for n_threads in (1, 2):
        with threads(n_threads):
            shown = functions if n_threads == 1 else {"skrec": functions["skrec"]}
            found[n_threads] = least(shown, options.repeats)
    with threads(1):
        steps = least(
            {str(size): step_of(X, size) for size in options.batch_sizes}, options.repeats // 3
        )
    one, two = found[1]["skrec"], found[2]["skrec"]
    load = os.getloadavg()[1]
    # Wall clock of two threads says nothing where others take the cores.
    threaded = {"skrec_two_threads": "not measured: other work took the cores"}
    if load < os.cpu_count():
        threaded = {
            "skrec_two_threads": row(two),
            "two_threads_over_one_wall": round(float(two[0] / one[0]), 3),
        }
    write(
        "lightgcn_product",
        {
            "what": "a product with the graph's matrix, least of the repeats; one thread",
            "settings": vars(options),
            "load_average_5_min": round(load, 1),
            "shape": list(X.shape),
            "nonzeros": 2 * int(X.nnz),
            "largest_difference_torch_scipy": difference,
            "product": {name: row(taken) for name, taken in found[1].items()},
            "skrec_over_bare_loop_cpu": round(float(one[1] / found[1]["bare numba loop"][1]), 3),
            "torch_over_skrec_cpu": round(float(found[1]["torch CSR"][1] / one[1]), 2),
            "scipy_over_skrec_cpu": round(float(found[1]["scipy"][1] / one[1]), 2),
            **threaded,
            "step_by_batch_size": {size: row(taken) for size, taken in steps.items()},
        },
    )


if __name__ == "__main__":
    main()
