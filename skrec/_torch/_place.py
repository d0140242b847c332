"""Where tensors are, and the way to a device."""

import numpy as np
import torch


def apart(device):
    """Whether a device computes apart from the host, which then never waits for it in a step."""
    return device.type != "cpu"


def sent(tensor, device):
    """A tensor of the CPU on a device; the copy to a GPU is not waited for."""
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def sent_array(array, device):
    """`sent` of an array, which may be read-only."""
    # Workers get read-only memory maps, which torch does not take.
    return sent(torch.from_numpy(np.require(array, requirements=("C", "W"))), device)
