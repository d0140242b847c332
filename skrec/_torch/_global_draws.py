"""Draws of layers that only use torch's global generators, such as first weights and dropout."""

from contextlib import contextmanager

import torch

from skrec.utils._parallel import lock_across_forks

_GLOBAL_GENERATOR = lock_across_forks()


@contextmanager
def global_draws(seed, device=None):
    """Let torch's global generators draw by a seed, and restore them.

    If several threads fit at once, one waits for the other.

    Parameters
    ----------
    seed : int
    device : torch.device or None, default=None
        Device whose generator is seeded beside the CPU's.
    """
    devices = []
    if device is not None and device.type == "cuda":
        devices = [torch.cuda.current_device() if device.index is None else device.index]
    with _GLOBAL_GENERATOR, torch.random.fork_rng(devices=devices):
        # Not torch.manual_seed, which seeds every CUDA device as well.
        torch.default_generator.manual_seed(seed)
        for index in devices:
            torch.cuda.default_generators[index].manual_seed(seed)
        yield
