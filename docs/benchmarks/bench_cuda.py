"""Fits and lists on a CUDA device, each beside what the device could do at best.

    python docs/benchmarks/bench_cuda.py
    python docs/benchmarks/bench_cuda.py --device cpu --small

The first takes under six minutes on an H200 and writes ``results/cuda.json``; the second is a
trial of the script on any machine, in seconds, and writes nothing. All data is generated.

- rates: how many flops a second products of two matrices reach, and how many bytes a copy.
- mult_vae: the fastest of three epochs of [600-200-600] in batches of 500 on a matrix of the shape
  of ML-20M, in float32, TF32 and bfloat16.
- lists, one_user: `recommend(k=100)` for 10,000 rows, and for one, by that model; the median of
  several calls.
- wmf: a sweep of conjugate gradients, on the device and on the cores: a fit of six sweeps takes
  five sweeps longer than a fit of one; a fifth of the difference is the time of a sweep.
- ease: the fit. bpr: a pass on the cores. neumf, youtube, lightgcn: the fastest of three epochs.

Each figure has a lower bound of its flops and bytes beside it, and the floor: the longer of the
times that the flops and the bytes take at the measured rates. The bound counts products of
matrices, and each array that must pass through memory as often as it must.
"""

import argparse
import os
import statistics
import time

import numpy as np
import torch
from _record import write
from bench_mult_vae import Stopwatch
from scipy.sparse import csr_array

from skrec.autoencoder import MultVAE
from skrec.datasets import make_interactions
from skrec.decomposition import BPR, WMF
from skrec.linear_model import EASE
from skrec.neural_network import LightGCN, NeuMF, YouTubeRecommender
from skrec.utils._parallel import effective_n_threads

HIDDEN, LATENT, BATCH = 600, 200, 500
# Users, items, entries: as ML-20M has them, and a log of short rows.
DENSE, SHORT = (136_677, 20_108, 10_000_000), (31_668, 38_048, 1_561_406)
SMALL_DENSE, SMALL_SHORT = (600, 200, 6_000), (300, 240, 3_000)


def generated(shape):
    """A binary matrix of users, items and entries."""
    users, items, entries = shape
    X = make_interactions(users, items, entries, dtype=np.float32, random_state=0, return_X=True)
    X.data[:] = 1
    return csr_array(X)


class Bench:
    """The device, its rates, and rows of figures."""

    def __init__(self, device, small):
        self.device, self.small = device, small
        self.is_cuda = torch.device(device).type == "cuda"
        self.precisions = ("float32", "tf32", "bfloat16") if self.is_cuda else ("float32",)
        self.rates = {name: self._product_rate(name) for name in self.precisions}
        self.bandwidth = self._bandwidth()
        self.dense = generated(SMALL_DENSE if small else DENSE)
        self.short = generated(SMALL_SHORT if small else SHORT)

    def wait(self):
        if self.is_cuda:
            torch.cuda.synchronize(self.device)

    def seconds(self, function):
        """Seconds of a call, with all that the device has to do for it."""
        self.wait()
        start = time.perf_counter()
        function()
        self.wait()
        return time.perf_counter() - start

    def _product_rate(self, precision):
        n = 256 if self.small or not self.is_cuda else 8192
        dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        a, b = (torch.ones(n, n, dtype=dtype, device=self.device) for _ in range(2))
        found = torch.backends.cuda.matmul.allow_tf32
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        try:
            return 2 * n**3 / min(self.seconds(lambda: a @ b) for _ in range(5))
        finally:
            torch.backends.cuda.matmul.allow_tf32 = found

    def _bandwidth(self):
        n = 1 << (20 if self.small or not self.is_cuda else 30)
        a = torch.ones(n, dtype=torch.uint8, device=self.device)
        b = torch.empty_like(a)
        return 2 * n / min(self.seconds(lambda: b.copy_(a)) for _ in range(5))

    def row(self, seconds, flops, n_bytes, precision="float32", **more):
        """A figure beside its floor."""
        floor = max(flops / self.rates[precision], n_bytes / self.bandwidth)
        return {
            "seconds": round(seconds, 5), "gflop": round(flops / 1e9, 2),
            "gb": round(n_bytes / 1e9, 3), "floor_seconds": float(f"{floor:.3g}"),
            "times_the_floor": round(seconds / floor, 2), **more,
        }  # fmt: skip


def epoch_seconds(model, X, n_epochs=3):
    """Seconds of the fastest epoch after the first."""
    watch, start = Stopwatch(), time.perf_counter()
    model.set_params(max_iter=n_epochs).set_callbacks(watch).fit(X)
    # The last stamp is the end of the whole fit.
    return float(np.diff([start, *watch.stamps[:-1]])[1:].min())


def seconds_each(bench, model, X):
    """Seconds of an iteration (a fit of six less one of one, over five), and of the fit of six."""
    model.set_params(max_iter=1).fit(X)
    least = {}
    for n in (1, 6):
        model.set_params(max_iter=n)
        least[n] = min(bench.seconds(lambda: model.fit(X)) for _ in range(2))
    return max((least[6] - least[1]) / 5, 1e-9), least[6]


def mult_vae(bench):
    X, found = bench.dense, {}
    users, items = X.shape
    layers = 2 * items * HIDDEN + 3 * LATENT * HIDDEN  # weights; biases are few
    flops = 6 * users * (items * HIDDEN + 3 * LATENT * HIDDEN) + 4 * X.nnz * HIDDEN
    # Adam reads four arrays of the size of the weights and writes three; outputs are written,
    # made the gradient, and read twice by its products; entries are read.
    n_batches = -(-users // BATCH)
    n_bytes = 4 * (7 * layers * n_batches + 5 * users * items) + 8 * X.nnz
    for precision in bench.precisions:
        model = MultVAE(
            LATENT, hidden_layer_sizes=(HIDDEN,), batch_size=BATCH, precision=precision,
            early_stopping=False, n_annealing_steps=0, device=bench.device, random_state=0,
        )  # fmt: skip
        found[precision] = bench.row(epoch_seconds(model, X), flops, n_bytes, precision)
    bench.model = model
    return found


def lists(bench):
    X = bench.dense[: 200 if bench.small else 10_000]
    items, weights = X.shape[1], sum(w.size for w in bench.model.weights_.values())
    flops = 2 * X.shape[0] * items * HIDDEN
    # Scores are written, and read to be cut.
    n_bytes = 4 * (weights + 2 * X.shape[0] * items)
    bench.model.recommend(X[:10], k=100)
    seconds = [bench.seconds(lambda: bench.model.recommend(X, k=100)) for _ in range(3)]
    return bench.row(statistics.median(seconds), flops, n_bytes, n_users=X.shape[0])


def one_user(bench):
    row = bench.dense[[0]]
    items = row.shape[1]
    # The last layer is read, and of the first one what the row has.
    n_bytes = 4 * HIDDEN * (items + row.nnz + 3 * LATENT)
    bench.model.recommend(row, k=100)
    seconds = [bench.seconds(lambda: bench.model.recommend(row, k=100)) for _ in range(20)]
    return bench.row(statistics.median(seconds), n_bytes / 2, n_bytes, slowest=max(seconds))


def wmf(bench):
    X, d, cg_steps, found = bench.short, 8 if bench.small else 128, 3, {}
    # For each row the Gram matrix, and three changes of basis.
    flops = 4 * d * (2 * cg_steps + 2) * X.nnz + 8 * d**2 * sum(X.shape)
    # Vectors of entries are read once for each side, those of rows are read and written.
    n_bytes = 4 * d * (2 * X.nnz + 2 * sum(X.shape))
    for device in dict.fromkeys((bench.device, "cpu")):
        model = WMF(d, cg_steps=cg_steps, device=device, dtype="float32", random_state=0)
        sweep, fit = seconds_each(bench, model, X)
        found[device] = bench.row(sweep, flops, n_bytes, fit_of_6_sweeps=round(fit, 3))
    return found


def ease(bench):
    X = bench.short
    n = X.shape[1]
    # The factor n^3 / 3, its inverse as much, and their product.
    seconds = bench.seconds(lambda: EASE(device=bench.device).fit(X))
    return bench.row(seconds, n**3, 8 * n**2, items=n)


def bpr(bench):
    X, d = bench.short, 64
    model = BPR(d, random_state=0)
    # Three vectors of each triple are read and written.
    return bench.row(seconds_each(bench, model, X)[0], 12 * d * X.nnz, 24 * d * X.nnz, device="cpu")


def neumf(bench):
    X, model = bench.short, NeuMF(batch_size=8192, device=bench.device, random_state=0)
    pairs = X.nnz * (1 + model.n_negatives)
    seconds = epoch_seconds(model, X)
    # Weights of the layers; tables have a row for each item.
    weights = sum(w.size for w in model.weights_.values() if X.shape[1] not in w.shape)
    d = model.user_factors_.shape[1]
    # Each pair goes forward and twice back through the layers, and reads and adds two vectors.
    return bench.row(seconds, 6 * pairs * weights, 4 * pairs * 2 * 2 * d, pairs=pairs)


def youtube(bench):
    X, model = bench.short, YouTubeRecommender(device=bench.device, random_state=0)
    seconds = epoch_seconds(model, X)
    tables = sum(w.size for w in model.weights_.values() if w.ndim == 2)
    # Each user's vector meets every item, forward and twice back. Each entry's vector is read, and
    # its gradient added.
    d = model.weights_["item.weight"].shape[1]
    flops = 6 * d * (X.nnz + X.shape[0] * X.shape[1])
    return bench.row(seconds, flops, 4 * (4 * X.nnz * d + 7 * tables))


def lightgcn(bench):
    X, model = bench.short, LightGCN(device=bench.device, random_state=0)
    seconds = epoch_seconds(model, X)
    n_batches, d = -(-X.nnz // model.batch_size), model.n_components
    # Each batch walks the graph forth and back in every layer, both ways.
    flops = n_batches * model.n_layers * 2 * 2 * 2 * X.nnz * d
    return bench.row(seconds, flops, n_batches * model.n_layers * 2 * 2 * 4 * sum(X.shape) * d)


PARTS = (mult_vae, lists, one_user, wmf, ease, bpr, lightgcn, neumf, youtube)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true", help="tiny data, to try the script")
    parser.add_argument("--budget", type=float, default=330, help="seconds; later parts are left")
    parser.add_argument("--only", nargs="+", choices=[part.__name__ for part in PARTS])
    options = parser.parse_args(arguments)
    if options.only and {"lists", "one_user"} & set(options.only):
        options.only.append("mult_vae")  # it makes their model
    began, found = time.perf_counter(), {}
    bench = Bench(options.device, options.small)
    for part in PARTS:
        name = part.__name__
        if options.only and name not in options.only:
            continue
        if time.perf_counter() - began > options.budget:
            found[name] = "left out: the time was over"
            continue
        found[name] = part(bench)
        print(f"{time.perf_counter() - began:6.1f} s", name, found[name], flush=True)
    result = {
        "device": torch.cuda.get_device_name(bench.device) if bench.is_cuda else "cpu",
        "threads": effective_n_threads(),
        "load_average_5_min": round(os.getloadavg()[1], 1),
        "seconds": round(time.perf_counter() - began, 1),
        "tflops": {name: round(rate / 1e12, 3) for name, rate in bench.rates.items()},
        "gb_per_second": round(bench.bandwidth / 1e9, 1),
        "data": {
            name: {"users": X.shape[0], "items": X.shape[1], "entries": int(X.nnz)}
            for name, X in (("dense", bench.dense), ("short", bench.short))
        },
        "results": found,
    }
    if bench.is_cuda and not options.small:
        write("cuda", result)
    return result


if __name__ == "__main__":
    main()
