"""An epoch of DeepFM on ML-1M's likes beside its floor, plain PyTorch and DeepCTR-Torch.

    SKREC_DATA=../shared/data python docs/benchmarks/bench_deepfm.py \\
        --deepctr-python DEEPCTR/bin/python

The data are eight tenths of the rows of run_rows.py: 800,160 rows in eight fields; the field of
genres has several values. 16 components, layers of 128 and 64, dropout .2, Adam, batches of 4,096.
Each fit runs in a process of its own, on one thread; figures are processor seconds of an epoch, the
least of some after the first.

- floor: the flops of the three matrix products of each layer over the rate of a product of square
  matrices, and the bytes that the parts of a step read and write, each part once, over the rate
  of a copy within the memory. Both rates are measured between the epochs, and the best counts, as
  for the epochs. The floor counts neither random numbers nor the order in which memory is touched.
- eager: what one writes without further thought: embeddings with dense gradients, Adam.
- deepctr: DeepCTR-Torch's DeepFM, genres padded to the longest list, as its documentation has it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

NAME = "deepfm"
N_COMPONENTS, LAYERS, DROPOUT, BATCH, RATE = 16, (128, 64), 0.2, 4096, 3e-3
GENRES = "genres"


class Stopwatch:
    """A callback of scikit-learn's that notes the seconds of epochs, and measures rates between."""

    def __init__(self):
        self.seconds, self.rates, self._start = [], [], None

    def setup(self, estimator, context):
        """Nothing to do."""

    def teardown(self, estimator, context):
        """Nothing to do."""

    def on_fit_task_begin(self, estimator, context):
        """Nothing to do."""

    def on_fit_task_end(self, estimator, context):
        if context.task_name != "epoch":
            return
        if self._start is not None:
            self.seconds.append(time.process_time() - self._start)
        self.rates.append(rates())
        self._start = time.process_time()


def rates():
    """Flops a second of a product of matrices, and bytes a second of a copy."""
    import torch

    a, b = torch.randn(2, 1024, 1024)
    source = torch.randn(2**25)
    target, least = torch.empty_like(source), [np.inf, np.inf]
    for _ in range(8):
        for place, function in enumerate((lambda: torch.mm(a, b), lambda: target.copy_(source))):
            start = time.process_time()
            function()
            least[place] = min(least[place], time.process_time() - start)
    return 2 * 1024**3 / least[0], 2 * source.nbytes / least[1]


def work_of_an_epoch(n_rows, n_entries, n_columns, n_fields):
    """Flops of the products of matrices, and bytes that an epoch reads and writes.

    Parts that can be one pass are one: sums of vectors; a layer's product; ReLU with dropout.
    """
    sizes = (n_fields * N_COMPONENTS, *LAYERS, 1)
    pairs = list(zip(sizes[:-1], sizes[1:], strict=True))
    flops = 3 * 2 * n_rows * sum(n_in * n_out for n_in, n_out in pairs)
    # Each entry has a column and a value, a vector and a weight; their gradients are added.
    entry = 12 + 4 * (N_COMPONENTS + 1)
    entries = n_entries * (entry + 12 + 2 * 4 * (N_COMPONENTS + 1))
    row = 2 * sizes[0]  # sums: written, and read for the gradient of the pairs
    for n_in, n_out in pairs:
        row += n_in + n_out  # forward
        row += n_in + n_out  # gradient by the weights
        row += n_in + n_out  # gradient by the input
    row += sum(2 * size + 3 * size for size in LAYERS)  # ReLU with dropout, forward and back
    # Gradients set to zero; weights, gradients and both moments read, and all but one written.
    parameters = n_columns * (N_COMPONENTS + 1) + sum(n_in * n_out + n_out for n_in, n_out in pairs)
    steps = -(-n_rows // BATCH)
    return flops, entries + 4 * row * n_rows + 4 * 8 * parameters * steps


def epochs_of_skrec(data, n_epochs):
    """Epochs of skrec, and the floor."""
    from skrec.content import DeepFMClassifier

    X, y, fields = data
    watch = Stopwatch()
    model = DeepFMClassifier(
        N_COMPONENTS, fields=fields, hidden_layer_sizes=LAYERS, dropout=DROPOUT,
        learning_rate=RATE, batch_size=BATCH, max_iter=n_epochs + 1, early_stopping=False,
        device="cpu", random_state=0,
    ).set_callbacks(watch)  # fmt: skip
    model.fit(X, y)
    n_fields = model.fields_.n_fields
    encoded = model.fields_.encode(X)
    flops, moved = work_of_an_epoch(len(y), encoded.nnz, encoded.shape[1], n_fields)
    flops_a_second, bytes_a_second = np.max(watch.rates, axis=0)
    return {
        "epoch_cpu_s": watch.seconds,
        "losses": model.loss_curve_,
        "floor": {
            "gflop": flops / 1e9,
            "gflop_a_second": flops_a_second / 1e9,
            "gb": moved / 1e9,
            "gb_a_second": bytes_a_second / 1e9,
            "seconds": flops / flops_a_second + moved / bytes_a_second,
        },
    }


def by_field(X, fields):
    """For each row the place of its one column in each field, and a mask of its genres."""
    names = [name for name in dict.fromkeys(fields) if name != GENRES]
    parts = []
    for name in names:
        part = X[:, np.flatnonzero(fields == name)].tocsr()
        if (np.diff(part.indptr) != 1).any():
            raise ValueError(f"{name}: rows of another number of entries than one")
        parts.append(part.indices)
    genres = X[:, np.flatnonzero(fields == GENRES)].toarray().astype(bool)
    sizes = [int((fields == name).sum()) for name in names]
    return names, sizes, np.stack(parts, axis=1).astype(np.int64), genres


def epochs_of_eager(data, n_epochs):
    """The same network in plain PyTorch."""
    import torch
    from torch import nn

    X, y, fields = data
    names, sizes, ids, genres = by_field(X, fields)
    ids += np.cumsum([0, *sizes[:-1]])
    hot = torch.from_numpy(genres.astype(np.float32))
    hot = hot / hot.sum(1, keepdim=True).clamp(min=1).sqrt()
    ids, labels = torch.from_numpy(ids), torch.from_numpy(y.astype(np.float32))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            n_columns = X.shape[1]
            self.linear = nn.Embedding(n_columns, 1)
            self.vectors = nn.Embedding(n_columns, N_COMPONENTS)
            layers, width = [], (len(names) + 1) * N_COMPONENTS
            for size in LAYERS:
                layers += [nn.Linear(width, size), nn.ReLU(), nn.Dropout(DROPOUT)]
                width = size
            self.deep = nn.Sequential(*layers, nn.Linear(width, 1))
            nn.init.zeros_(self.linear.weight)
            nn.init.normal_(self.vectors.weight, std=0.01)

        def forward(self, ids, hot):
            of_genres = slice(sum(sizes), None)
            linear = self.linear(ids).sum(1) + hot @ self.linear.weight[of_genres]
            vectors = self.vectors(ids), (hot @ self.vectors.weight[of_genres])[:, None]
            vectors = torch.cat(vectors, 1)
            pairs = vectors.sum(1).square() - vectors.square().sum(1)
            return (linear + 0.5 * pairs.sum(1, True) + self.deep(vectors.flatten(1)))[:, 0]

    torch.manual_seed(0)
    net, loss, seconds, losses = Net(), nn.BCEWithLogitsLoss(), [], []
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE)
    for _ in range(n_epochs + 1):
        start, total = time.process_time(), 0.0
        for rows in torch.randperm(len(labels)).split(BATCH):
            optimizer.zero_grad()
            value = loss(net(ids[rows], hot[rows]), labels[rows])
            value.backward()
            optimizer.step()
            total += value.item() * len(rows)
        seconds.append(time.process_time() - start)
        losses.append(total / len(labels))
    return {"epoch_cpu_s": seconds[1:], "losses": losses}


def epochs_of_deepctr(data, n_epochs):
    """Epochs of DeepCTR-Torch."""
    import torch
    from deepctr_torch.callbacks import Callback
    from deepctr_torch.inputs import SparseFeat, VarLenSparseFeat
    from deepctr_torch.models import DeepFM

    X, y, fields = data
    names, sizes, ids, genres = by_field(X, fields)
    longest = int(genres.sum(1).max())
    lists = np.zeros((len(y), longest), dtype=np.int64)
    row, genre = np.nonzero(genres)
    lists[row, np.arange(len(row)) - np.searchsorted(row, row)] = genre + 1  # 0 pads
    columns = [
        SparseFeat(name, size, embedding_dim=N_COMPONENTS)
        for name, size in zip(names, sizes, strict=True)
    ]
    of_genres = SparseFeat(GENRES, genres.shape[1] + 1, embedding_dim=N_COMPONENTS)
    columns.append(VarLenSparseFeat(of_genres, maxlen=longest, combiner="mean"))
    model = DeepFM(
        columns, columns, dnn_hidden_units=LAYERS, dnn_dropout=DROPOUT, l2_reg_linear=0,
        l2_reg_embedding=0, device="cpu", seed=0,
    )  # fmt: skip
    model.compile(torch.optim.Adam(model.parameters(), lr=RATE), "binary_crossentropy", metrics=[])
    stamps = []

    class Watch(Callback):
        def on_epoch_begin(self, epoch, logs=None):
            stamps.append(time.process_time())

    inputs = {name: ids[:, place] for place, name in enumerate(names)} | {GENRES: lists}
    history = model.fit(
        inputs, y.astype(np.float32), batch_size=BATCH, epochs=n_epochs + 2, verbose=0,
        callbacks=[Watch()],
    )  # fmt: skip
    return {"epoch_cpu_s": np.diff(stamps).tolist()[1:], "losses": history.history["loss"]}


def work(options):
    """Run some epochs of one model in a process of its own; print its figures as JSON."""
    import torch
    from scipy.sparse import csr_array, load_npz

    torch.set_num_threads(1)
    X = csr_array(load_npz(Path(options.folder) / "X.npz"))
    more = np.load(Path(options.folder) / "more.npz")
    data = X, more["y"], more["fields"]
    found = globals()[f"epochs_of_{options.worker}"](data, options.epochs)
    found["losses"] = [round(float(loss), 4) for loss in found["losses"]]
    found["epoch_cpu_s"] = [round(seconds, 2) for seconds in found["epoch_cpu_s"]]
    print(json.dumps({**found, "load": round(os.getloadavg()[0], 1)}))


def run(name, folder, epochs, python=sys.executable):
    """The figures of one model, from a process of its own."""
    command = [
        python, str(Path(__file__).resolve()), "--worker", name, "--folder", folder,
        "--epochs", str(epochs),
    ]  # fmt: skip
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    done = subprocess.run(
        command, env={**os.environ, **threads}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    found = json.loads(done.stdout.splitlines()[-1])
    found["least_cpu_s"] = min(found["epoch_cpu_s"])
    print(name, found, flush=True)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--deepctr-python", help="a Python that has DeepCTR-Torch")
    parser.add_argument("--epochs", type=int, default=5, help="of ours, after the first")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options)
        return
    from _record import peer_versions, write
    from _row_tables import ml_1m
    from scipy.sparse import save_npz

    X, y, fields = ml_1m()
    order = np.random.RandomState(0).permutation(len(y))[: 8 * (len(y) // 10)]
    before = round(os.getloadavg()[0], 1)
    with tempfile.TemporaryDirectory() as folder:
        save_npz(Path(folder) / "X.npz", X[order])
        np.savez(Path(folder) / "more.npz", y=y[order], fields=fields)
        models = {"skrec": run("skrec", folder, options.epochs)}
        models["eager"] = run("eager", folder, 2)
        if options.deepctr_python:
            models["deepctr"] = run("deepctr", folder, 1, options.deepctr_python)
            versions = peer_versions(options.deepctr_python, ["deepctr-torch", "torch"])
            models["deepctr"]["versions"] = versions
    floor = models["skrec"].pop("floor")
    least = models["skrec"]["least_cpu_s"]
    for row in models.values():
        row["times_slower_than_skrec"] = round(row["least_cpu_s"] / least, 2)
    write(
        NAME,
        {
            "what": "DeepFM, an epoch of 800,160 rows of ML-1M, batches of 4,096, one thread",
            "load_average_before": before,
            "floor": {name: round(value, 2) for name, value in floor.items()},
            "times_the_floor": round(least / floor["seconds"], 2),
            "models": models,
        },
    )


if __name__ == "__main__":
    main()
