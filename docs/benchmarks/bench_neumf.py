"""An epoch of NeuMF beside plain PyTorch and RecBole; lists for all users; users folded in.

    SKREC_DATA=../shared/data python docs/benchmarks/bench_neumf.py \\
        --recbole-python RECBOLE/bin/python

The data is the training part of He et al.'s ML-1M: 994,169 interactions, 4.97 million samples
with 4 negatives each. Layers are the paper's 64-32-16-8 beside products of 8 components. Each
fit runs in a process of its own, on one thread.

- epoch: processor seconds of an epoch, negatives drawn; ours is the least of some after the first.
  Batches of 256 and 2,048 are counted in samples, as the paper and RecBole do, and in interactions
  of five samples each, as skrec does. "eager" is what one writes from the paper without further
  thought: embeddings, two branches, Adam as torch has it, negatives uniform and not looked at.
- lists: `recommend(k=100)` for all 6,040 users, and the memory above what was there before.
- new_users: 600 users of a fitted model are refitted from nothing: the time for each user, and the
  metrics among the 99 given negatives, beside the metrics of the learned vectors.
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
from _recbole import trainer
from scipy.sparse import csr_array, load_npz, save_npz

NAME = "neumf"
PRODUCT, SIDE, LAYERS, NEGATIVES = 8, 32, (32, 16, 8), 4


class Stopwatch:
    """A callback of scikit-learn's that notes the processor time when epochs end."""

    def __init__(self):
        self.stamps = []

    def setup(self, estimator, context):
        """Nothing to do."""

    def teardown(self, estimator, context):
        """Nothing to do."""

    def on_fit_task_begin(self, estimator, context):
        """Nothing to do."""

    def on_fit_task_end(self, estimator, context):
        self.stamps.append(time.process_time())


def neumf(**options):
    from skrec.neural_network import NeuMF

    sizes = {"hidden_layer_sizes": LAYERS, "n_mlp_components": SIDE, "n_negatives": NEGATIVES}
    return NeuMF(PRODUCT, **sizes, random_state=0, device="cpu", **options)


def epochs_of_skrec(X, n_epochs, batch):
    neumf(max_iter=1).fit(X[:50])  # compiles
    model, watch = neumf(batch_size=batch, max_iter=n_epochs), Stopwatch()
    start = memory_mib("VmHWM")
    model.set_callbacks(watch).fit(X)
    seconds = np.diff(watch.stamps[:-1]).round(2).tolist()  # the last stamp is the whole fit's
    losses = [loss / (1 + NEGATIVES) for loss in model.loss_curve_]
    above = round(memory_mib("VmHWM") - start)
    return {"epoch_cpu_s": seconds, "losses": losses, "mib_above": above}


def epochs_of_eager(X, n_epochs, batch):
    import torch
    from torch import nn

    class Plain(nn.Module):
        def __init__(self, n_users, n_items):
            super().__init__()
            self.tables = nn.ModuleList(
                nn.Embedding(n, d) for n in (n_users, n_items) for d in (PRODUCT, SIDE)
            )
            widths = (2 * SIDE, *LAYERS)
            self.layers = nn.ModuleList(map(nn.Linear, widths[:-1], widths[1:]))
            self.output = nn.Linear(PRODUCT + LAYERS[-1], 1)
            for table in self.tables:
                nn.init.normal_(table.weight, std=0.01)

        def forward(self, user, item):
            z = torch.cat([self.tables[1](user), self.tables[3](item)], dim=1)
            for layer in self.layers:
                z = torch.relu(layer(z))
            product = self.tables[0](user) * self.tables[2](item)
            return self.output(torch.cat([product, z], dim=1))[:, 0]

    torch.manual_seed(0)
    module, seconds, losses = Plain(*X.shape), [], []
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3)
    rows = torch.from_numpy(np.repeat(np.arange(X.shape[0]), np.diff(X.indptr)))
    columns = torch.from_numpy(X.indices.astype(np.int64))
    for _ in range(n_epochs):
        start, total = time.process_time(), 0.0
        user = rows.repeat(1 + NEGATIVES)
        item = torch.cat([columns, torch.randint(X.shape[1], (NEGATIVES * len(columns),))])
        label = (torch.arange(len(user)) < len(rows)).float()
        for part in torch.randperm(len(user)).split(batch):
            output = module(user[part], item[part])
            loss = nn.functional.binary_cross_entropy_with_logits(output, label[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(part)
        seconds.append(round(time.process_time() - start, 2))
        losses.append(total / len(user))
    return {"epoch_cpu_s": seconds, "losses": losses}


def epochs_of_recbole(X, n_epochs, batch):
    config = {
        "mf_embedding_size": PRODUCT, "mlp_embedding_size": SIDE, "mlp_hidden_size": list(LAYERS),
        "dropout_prob": 0.0, "train_batch_size": batch, "learning_rate": 1e-3,
        "train_neg_sample_args": {
            "distribution": "uniform", "sample_num": NEGATIVES, "alpha": 1.0, "dynamic": False,
            "candidate_num": 0,
        },
    }  # fmt: skip
    seconds, losses = [], []
    with trainer("NeuMF", X, **config) as (found, train):
        for epoch in range(n_epochs):
            start = time.process_time()
            losses.append(found._train_epoch(train, epoch) / len(train))
            seconds.append(round(time.process_time() - start, 2))
    return {"epoch_cpu_s": seconds, "losses": losses, "n_batches": len(train)}


def work(options):
    """Run some epochs of one model in a process of its own; print its figures as JSON."""
    import torch

    torch.set_num_threads(1)
    X = csr_array(load_npz(options.matrix))
    found = globals()[f"epochs_of_{options.worker}"](X, options.epochs, options.batch)
    found["losses"] = [round(float(loss), 4) for loss in found["losses"]]
    print(json.dumps({**found, "load": round(os.getloadavg()[0], 1)}))


def run(name, matrix, batch, *, epochs, python=sys.executable):
    command = [
        python, str(Path(__file__).resolve()), "--worker", name, "--matrix", str(matrix),
        "--epochs", str(epochs), "--batch", str(batch),
    ]  # fmt: skip
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    done = subprocess.run(
        command,
        env={**os.environ, **threads},
        cwd=Path(matrix).parent,  # RecBole leaves logs where it runs
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    found = json.loads(done.stdout.splitlines()[-1])
    print(name, batch, found, flush=True)
    return found


def epochs(part, options):
    """Seconds of an epoch, by batch and by who makes it."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        matrix = Path(folder) / "train.npz"
        save_npz(matrix, csr_array(part.X_train))
        for samples in (256, 2048):
            rows = {"skrec": run("skrec", matrix, round(samples / 5), epochs=3)}
            rows["skrec, so many interactions"] = run("skrec", matrix, samples, epochs=3)
            if "eager" in options.beside:
                rows["eager"] = run("eager", matrix, samples, epochs=1)
            if options.recbole_python:
                python = options.recbole_python
                rows["recbole"] = run("recbole", matrix, samples, epochs=1, python=python)
            for row in rows.values():
                row["least_cpu_s"] = min(row["epoch_cpu_s"])
                row["times_slower_than_skrec"] = round(
                    row["least_cpu_s"] / rows["skrec"]["least_cpu_s"], 2
                )
            found[f"batch of {samples}"] = rows
    return found


def lists_and_new_users(part):
    """Lists for all users; users refitted from nothing, beside their learned vectors."""
    import torch
    from _record import rounded, timed

    torch.set_num_threads(1)
    X = part.X_train
    model, lists = neumf(max_iter=4, batch_size=51).fit(X), {"n_users": X.shape[0], "k": 100}
    model.recommend(X[:2], k=100)
    with timed(lists):
        model.recommend(X, k=100)
    chosen = np.random.default_rng(0).choice(X.shape[0], 600, replace=False)
    metrics, new_users = ["hit_rate@10", "ndcg@10"], {"n_users": len(chosen)}
    some = type(part)(X, X[chosen], part.y_test[chosen], part.candidates[chosen], part.options)
    new_users["learned"] = rounded(some.evaluate(model, metrics).mean)
    model.set_params(known_users="fold_in").transform(X[:2])
    with timed(new_users):
        model.transform(X[chosen])
    new_users["folded_in"] = rounded(some.evaluate(model, metrics).mean)
    new_users["cpu_ms_per_user"] = round(1000 * new_users["processor_seconds"] / len(chosen), 2)
    return {"lists": lists, "new_users": new_users}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--recbole-python", help="a Python that has RecBole")
    parser.add_argument("--beside", nargs="*", default=["eager"], choices=["eager"])
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--matrix", help=argparse.SUPPRESS)
    parser.add_argument("--epochs", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--batch", type=int, default=256, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options)
        return
    from _protocols import PROTOCOLS
    from _record import peer_versions, write

    peers = {}
    if options.recbole_python:
        peers = peer_versions(options.recbole_python, ["recbole", "torch"])
    part = PROTOCOLS["ml1m_ncf"].problem().test
    write(
        NAME,
        {
            "what": "NeuMF, 8 components beside 64-32-16-8, 4 negatives, on He et al.'s ML-1M",
            "load_average_before": round(os.getloadavg()[0], 1),
            "peers": peers,
            "epochs": epochs(part, options),
            **lists_and_new_users(part),
        },
    )


if __name__ == "__main__":
    main()
