"""Fit MultDAE on several GPUs or processes, each with its own users.

    torchrun --nproc-per-node=4 several_gpus.py rows/ model.skops --max-iter 50

``rows`` is a folder of files of scipy.sparse.save_npz, blocks of users with all items. Every
process reads its share of the files and makes batches of its own users. DistributedDataParallel
averages the gradients, so four processes with batches of 500 make the steps of one process with
batches of 2,000. The first process writes the model, an ordinary MultDAE.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from scipy.sparse import csr_array, load_npz, vstack
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import skrec
from skrec.autoencoder import MultDAE


class LossOf(nn.Module):
    """The loss of a batch as a module, for DistributedDataParallel."""

    def __init__(self, loss, module):
        super().__init__()
        self.loss, self.module = loss, module

    def forward(self, batch, step, generator):
        return self.loss(self.module, batch, step, generator)


class SharedMultDAE(MultDAE):
    """MultDAE with gradients averaged over processes; weights begin as in the first process."""

    def _run(self, module, *arguments):
        self._shared = DistributedDataParallel(LossOf(super()._loss, module))
        try:
            super()._run(module, *arguments)
        finally:
            del self._shared

    def _loss(self, module, batch, step, generator):
        return self._shared(batch, step, generator)


def own_users(folder, device):
    """The rows of this process; all processes have as many rows, so they make as many steps."""
    files = sorted(Path(folder).glob("*.npz"))[dist.get_rank() :: dist.get_world_size()]
    if not files:
        raise SystemExit(f"{folder} has fewer files than there are processes: cut it finer.")
    X = csr_array(vstack([load_npz(file) for file in files], format="csr"))
    most = torch.tensor(X.shape[0], device=device)
    dist.all_reduce(most, dist.ReduceOp.MAX)
    return X[np.arange(int(most)) % X.shape[0]]  # repeats the first users if there are fewer


def main():
    """Fit over the processes that torchrun has started."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", help="folder of .npz files")
    parser.add_argument("model", help="file to write")
    parser.add_argument("--hidden", type=int, default=200)
    parser.add_argument("--batch-size", type=int, default=500, help="users of one process")
    parser.add_argument("--dropout", type=float, default=0.5)
    parser.add_argument("--max-iter", type=int, default=50)
    options = parser.parse_args()
    on_cuda = torch.cuda.is_available()
    dist.init_process_group("nccl" if on_cuda else "gloo")
    device = f"cuda:{os.environ['LOCAL_RANK']}" if on_cuda else "cpu"
    model = SharedMultDAE(
        hidden_layer_sizes=(options.hidden,),
        batch_size=options.batch_size,
        dropout=options.dropout,
        max_iter=options.max_iter,
        early_stopping=False,  # each process would hold out its own users, and stop by itself
        device=device,
        random_state=dist.get_rank(),  # other noise and another order in each process
    ).fit(own_users(options.rows, device))
    if dist.get_rank() == 0:
        plain = MultDAE().set_params(**model.get_params()).set_params(device="auto")
        vars(plain).update({k: v for k, v in vars(model).items() if k not in plain.get_params()})
        skrec.save(plain, options.model)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
