"""The way of tensors to a device, and where the noise of a fit is drawn."""

import numpy as np
import torch

# Bytes of a copy that goes through pinned memory at most, unless its like is sent again and again:
# to pin memory for one large copy takes longer than to wait.
_MOST_PINNED = 2**22


def sent(tensor, device, *, again=False):
    """A tensor of the CPU on a device.

    A copy to a GPU is not waited for, if it is not large or, with `again`, one of many.
    """
    if device.type == "cuda" and (again or tensor.nbytes <= _MOST_PINNED):
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def sent_array(array, device):
    """`sent` of an array, which may be read-only."""
    # Workers get read-only memory maps, which torch does not take.
    return sent(torch.from_numpy(np.require(array, requirements=("C", "W"))), device)


def noise_generator(generator, device):
    """What draws the noise of a fit: a generator of the GPU with the same seed, or the CPU's.

    Parameters
    ----------
    generator : torch.Generator
        On the CPU.
    device : torch.device
        Where the fit computes.

    Returns
    -------
    generator : torch.Generator
        Its draws are others on each kind of device.
    """
    if device.type != "cuda":
        return generator
    return torch.Generator(device).manual_seed(generator.initial_seed())
