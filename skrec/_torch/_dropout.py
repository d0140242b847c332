"""ReLU and dropout in one pass, with the same draws on all devices.

16 bits of a word of splitmix64 decide whether a number is kept; the place of the number gives the
word. A kernel makes a thousand million draws in a second, torch's generator a fifth as many.
"""

import torch
from torch.nn import functional

from skrec.utils._parallel import plain_interrupts

_GOLDEN = 0x9E3779B97F4A7C15
_FACTORS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))


def relu_dropped(value, rate, generator):
    """Apply ReLU, set each number to zero with probability `rate`, and scale up the others.

    Parameters
    ----------
    value : float tensor
        Not a leaf of the graph. On a CPU the result overwrites it.
    rate : float
        In [0, 1); rounded to a multiple of 2**-16.
    generator : torch.Generator or None
        On the CPU; gives one number, the seed. None: nothing is dropped.

    Returns
    -------
    kept : float tensor
    """
    bar = 0 if generator is None else round(rate * 2**16)
    if bar == 0:
        return functional.relu(value)
    bar = min(bar, 2**16 - 1)
    seed = int(torch.randint(2**63 - 1, (), generator=generator))
    scale = 2**16 / (2**16 - bar)
    if value.device.type == "cpu":
        return _ReluDropped.apply(value.contiguous(), seed, bar, scale)
    return functional.relu(value) * (bits_of(seed, value.shape, value.device) >= bar) * scale


class _ReluDropped(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value, seed, bar, scale):
        import numpy as np

        from skrec._torch import _dropout_kernels

        flat = value.detach().view(-1).numpy()
        with plain_interrupts():
            _dropout_kernels.relu_dropped(flat, np.uint64(seed), bar, flat.dtype.type(scale))
        ctx.mark_dirty(value)
        ctx.save_for_backward(value)
        ctx.scale = scale
        return value

    @staticmethod
    def backward(ctx, gradient):
        from skrec._torch import _dropout_kernels

        (out,) = ctx.saved_tensors
        into = torch.empty_like(out)
        flat = [part.contiguous().view(-1).numpy() for part in (gradient, out.detach())]
        with plain_interrupts():
            _dropout_kernels.relu_dropped_gradient(
                *flat, flat[0].dtype.type(ctx.scale), into.view(-1).numpy()
            )
        return into, None, None, None


def bits_of(seed, shape, device):
    """16 bits for each number of a tensor: int32 from 0 to 65,535, by torch on any device."""
    n = torch.Size(shape).numel()
    word = torch.arange(1, -(-n // 4) + 1, device=device) * _signed(_GOLDEN) + _signed(seed)
    for shift, factor in _FACTORS:
        word = (word ^ _shifted(word, shift)) * _signed(factor)
    word = word ^ _shifted(word, 31)
    return (word.view(torch.int16)[:n].int() & 0xFFFF).view(shape)


def _signed(word):
    """The int64 of the same bits."""
    return word - 2**64 if word >= 2**63 else word


def _shifted(word, shift):
    """The word shifted to the right as an unsigned word."""
    return (word >> shift) & (2 ** (64 - shift) - 1)
