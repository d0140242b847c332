"""Copies of tensors to a device, and the generator of the noise of a fit."""

import numpy as np
import torch

# Most bytes of a copy through pinned memory, unless similar copies follow: to pin memory for one
# large copy takes longer than to wait.
_MOST_PINNED = 2**22


def sent(tensor, device, *, again=False):
    """A tensor of the CPU on a device.

    The host does not wait for a copy to a GPU that is small or, with `again`, one of many.
    """
    if device.type == "cuda" and (again or tensor.nbytes <= _MOST_PINNED):
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def sent_array(array, device):
    """`sent` of an array, which may be read-only."""
    # Workers get read-only memory maps, which torch does not accept.
    return sent(torch.from_numpy(np.require(array, requirements=("C", "W"))), device)


def noise_generator(generator, device):
    """The generator of the noise of a fit: one on the GPU with the same seed, or the CPU's.

    Parameters
    ----------
    generator : torch.Generator
        On the CPU.
    device : torch.device
        Where the fit computes.

    Returns
    -------
    generator : torch.Generator
        Its draws differ between kinds of devices.
    """
    if device.type != "cuda":
        return generator
    return torch.Generator(device).manual_seed(generator.initial_seed())
