"""An epoch of MultVAE beside plain PyTorch on dense input, and beside RecBole.

    SKREC_DATA=../shared/data python docs/benchmarks/bench_mult_vae.py \\
        --recbole-python RECBOLE/bin/python

Each fit runs in a process of its own, with the same number of threads, one after the other.

- epoch: [20108-600-200-600-20108], batches of 500, one epoch on a generated matrix of the shape of
  ML-20M, 136,677 x 20,108 with 10M entries. "eager" is what one writes from the paper without
  further thought: the rows of a batch made dense, dropout and products on them, log_softmax, Adam
  as torch has it, float32. Seconds cover the whole of `fit`, with what comes before the first
  batch; the peak covers the whole process, with the imports.
- curve: the loss of both over some epochs on the first twentieth of the users.
- recbole: RecBole's MultiVAE on ML-1M with the same layers and batches; the fastest of five epochs
  of each, without what comes before the first. A row of ML-1M has 4 % of the items: dense input
  costs little there.
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
from _alone import memory_mib
from _data import binary
from _recbole import trainer
from _record import RESULTS, environment, peer_versions, write
from scipy.sparse import csr_array, load_npz, save_npz

NAME = "mult_vae_epoch"
BATCH, HIDDEN, LATENT, BETA = 500, 600, 200, 0.2


def peak_gib():
    return round(memory_mib("VmHWM") / 1024, 2)


class Stopwatch:
    """A callback of scikit-learn's that notes when epochs end."""

    def __init__(self):
        self.stamps = []

    def setup(self, estimator, context):
        """Nothing to do."""

    def teardown(self, estimator, context):
        """Nothing to do."""

    def on_fit_task_begin(self, estimator, context):
        """Nothing to do."""

    def on_fit_task_end(self, estimator, context):
        self.stamps.append(time.perf_counter())


def epochs_of_skrec(X, n_epochs, precision):
    from skrec.autoencoder import MultVAE

    model = MultVAE(
        LATENT, hidden_layer_sizes=(HIDDEN,), beta=BETA, n_annealing_steps=0, batch_size=BATCH,
        max_iter=n_epochs, precision=precision, early_stopping=False, device="cpu",
        random_state=0,
    )  # fmt: skip
    watch, start = Stopwatch(), time.perf_counter()
    model.set_callbacks(watch).fit(X)
    seconds = time.perf_counter() - start
    # The last stamp is the end of the whole fit.
    epochs = np.diff([start, *watch.stamps[:-1]]).round(3).tolist()
    return {"seconds": seconds, "epoch_seconds": epochs, "losses": model.loss_curve_}


def epochs_of_eager(X, n_epochs, precision):
    import torch
    from torch import nn
    from torch.nn import functional

    class Plain(nn.Module):
        def __init__(self, n_items):
            super().__init__()
            self.first = nn.Linear(n_items, HIDDEN)
            self.latent = nn.Linear(HIDDEN, 2 * LATENT)
            self.back = nn.Linear(LATENT, HIDDEN)
            self.last = nn.Linear(HIDDEN, n_items)

        def forward(self, x):
            x = functional.dropout(functional.normalize(x), 0.5)
            mean, log_variance = self.latent(torch.tanh(self.first(x))).chunk(2, dim=1)
            z = mean + torch.exp(log_variance / 2) * torch.randn_like(mean)
            return self.last(torch.tanh(self.back(z))), mean, log_variance

    start = time.perf_counter()
    torch.manual_seed(0)
    module, losses, order = Plain(X.shape[1]), [], np.random.default_rng(0)
    for name, parameter in module.named_parameters():
        if name.endswith("weight"):
            nn.init.xavier_uniform_(parameter)
        else:
            nn.init.trunc_normal_(parameter, std=1e-3, a=-2e-3, b=2e-3)
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3)
    for _ in range(n_epochs):
        total = n = 0
        for users in np.array_split(order.permutation(X.shape[0]), -(-X.shape[0] // BATCH)):
            x = torch.from_numpy(X[users].toarray())
            logits, mean, log_variance = module(x)
            likelihood = -(torch.log_softmax(logits, dim=1) * x).sum(dim=1)
            kl = 0.5 * (mean**2 + torch.exp(log_variance) - 1 - log_variance).sum(dim=1)
            loss = (likelihood + BETA * kl).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total, n = total + loss.item(), n + 1
        losses.append(total / n)
    return {"seconds": time.perf_counter() - start, "losses": losses}


def epochs_of_recbole(X, n_epochs, precision):
    config = {
        "mlp_hidden_size": [HIDDEN], "latent_dimension": LATENT, "train_batch_size": BATCH,
        "anneal_cap": BETA, "learning_rate": 1e-3, "train_neg_sample_args": None,
    }  # fmt: skip
    seconds, losses = [], []
    with trainer("MultiVAE", X, **config) as (found, train):
        for epoch in range(n_epochs):
            start = time.perf_counter()
            losses.append(found._train_epoch(train, epoch))
            seconds.append(time.perf_counter() - start)
    return {
        "seconds": sum(seconds), "epoch_seconds": np.round(seconds, 3).tolist(), "losses": losses,
        "n_batches": len(train),
    }  # fmt: skip


def work(options):
    """Run some epochs of one model in a process of its own; print its figures as JSON."""
    import torch

    torch.set_num_threads(options.threads)
    X = csr_array(load_npz(options.matrix))
    found = globals()[f"epochs_of_{options.worker}"](X, options.epochs, options.precision)
    found["seconds"] = round(found["seconds"], 2)
    found["losses"] = [round(float(loss), 4) for loss in found["losses"]]
    print(json.dumps({**found, "peak_gib": peak_gib(), "load": os.getloadavg()[0]}))


def run(name, matrix, options, *, epochs=1, precision="float32", python=sys.executable):
    command = [
        python, __file__, "--worker", name, "--matrix", str(matrix), "--epochs", str(epochs),
        "--precision", precision, "--threads", str(options.threads),
    ]  # fmt: skip
    threads = {n: str(options.threads) for n in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    done = subprocess.run(
        command, env={**os.environ, **threads}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    found = json.loads(done.stdout.splitlines()[-1])
    print(name, precision, found, flush=True)
    return found


def compare_epochs(folder, options):
    from skrec.datasets import make_interactions

    shape = {"n_users": 136_677, "n_items": 20_108, "n_interactions": 10_000_000}
    X = csr_array(make_interactions(**shape, dtype=np.float32, random_state=0, return_X=True))
    X.data[:] = 1
    save_npz(folder / "large.npz", X)
    save_npz(folder / "part.npz", X[: X.shape[0] // 20])
    models = {
        "skrec": run("skrec", folder / "large.npz", options),
        "eager": run("eager", folder / "large.npz", options),
    }
    if options.bfloat16:
        models["skrec, bfloat16"] = run(
            "skrec", folder / "large.npz", options, precision="bfloat16"
        )
    for row in models.values():
        row["share_of_eager"] = round(row["seconds"] / models["eager"]["seconds"], 3)
    curve = {
        name: run(name, folder / "part.npz", options, epochs=5)["losses"]
        for name in ("skrec", "eager")
    }
    entries, shape = int(X.nnz), [int(n) for n in X.shape]
    return {"shape": shape, "entries": entries, "models": models, "loss_curves": curve}


def compare_recbole(folder, options):
    X = binary("ml-1m")
    save_npz(folder / "ml1m.npz", X)
    row = {
        "skrec": run("skrec", folder / "ml1m.npz", options, epochs=5),
        "recbole": run(
            "recbole", folder / "ml1m.npz", options, epochs=5, python=options.recbole_python
        ),
    }
    least = {name: min(found["epoch_seconds"]) for name, found in row.items()}
    row["peers"] = peer_versions(options.recbole_python, ["recbole", "torch"])
    row["share_of_recbole"] = round(least["skrec"] / least["recbole"], 3)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--recbole-python", help="a Python that has RecBole")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bfloat16", action="store_true", help="where the processor has it")
    parser.add_argument("--only", choices=("epoch", "recbole"), nargs="+", default=["epoch"])
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--matrix", help=argparse.SUPPRESS)
    parser.add_argument("--epochs", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--precision", default="float32", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options)
        return
    path = RESULTS / f"{NAME}.json"
    parts = json.loads(path.read_text())["parts"] if path.is_file() else {}
    compared = {"epoch": compare_epochs, "recbole": compare_recbole}
    with tempfile.TemporaryDirectory() as folder:
        for name in options.only:
            made_by = environment()["command"]
            parts[name] = {"command": made_by, **compared[name](Path(folder), options)}
    write(NAME, {"threads": options.threads, "batch": BATCH, "parts": parts})


if __name__ == "__main__":
    main()
