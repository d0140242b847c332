"""The device that torch computes on."""

import re
import sys

from skrec.utils._parallel import in_forked_child

__all__ = ["DEVICE", "apart", "cpu_or_device", "resolve_device"]

_NAMED = re.compile(r"auto|(cpu|cuda)(:\d+)?").fullmatch


class _Device:
    """The rule of `device` parameters; `resolve_device` checks that the device exists."""

    def __contains__(self, value):
        if isinstance(value, str):
            return _NAMED(value) is not None
        torch = sys.modules.get("torch")  # without an import no value can be a torch.device
        return (
            torch is not None and isinstance(value, torch.device) and value.type in ("cpu", "cuda")
        )

    def __str__(self):
        return '"auto", "cpu", "cuda", "cuda:N" or a torch.device of these kinds'


DEVICE = _Device()


def resolve_device(device):
    """Turn a `device` parameter into a ``torch.device``.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda", "cuda:N"} or torch.device
        "auto" uses CUDA if there is a CUDA device. Each fit and predict resolves the device,
        so a model fitted on CUDA also works on a machine without CUDA.

    Returns
    -------
    device : torch.device

    Raises
    ------
    ValueError
        If the device is unknown, or a CUDA device is missing.
    """
    import torch

    # A process that was forked after CUDA was used cannot use CUDA.
    has_cuda = torch.cuda.is_available() and not _is_bad_fork(torch)
    if isinstance(device, str) and device == "auto":
        return torch.device("cuda" if has_cuda else "cpu")
    if device not in DEVICE:
        raise ValueError(f"device must be {DEVICE}. Got {device!r}; use device='auto' or 'cpu'.")
    resolved = torch.device(device)
    if resolved.type == "cuda":
        n_devices = torch.cuda.device_count() if has_cuda else 0
        if (resolved.index or 0) >= n_devices:
            if torch.version.cuda is None:
                cause = "this build of torch has no CUDA"
            elif _is_bad_fork(torch):
                cause = "this process was forked from one that has used CUDA"
            else:
                cause = f"torch sees {n_devices} CUDA device(s)"
            raise ValueError(
                f"device={str(device)!r} was asked for, but {cause}. Use device='auto' or "
                "set_params(device='cpu'), or install a CUDA build of torch."
            )
    return resolved


def apart(device):
    """Whether a torch.device computes asynchronously, so that the host must not wait for it."""
    return device.type != "cpu"


def _is_bad_fork(torch):
    return in_forked_child() and torch.cuda._is_in_bad_fork()


def cpu_or_device(device):
    """As `resolve_device`, for models that need torch only on CUDA.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda", "cuda:N"} or torch.device

    Returns
    -------
    device : "cpu" or torch.device
        "cpu" itself is the common case and imports no torch.
    """
    return "cpu" if isinstance(device, str) and device == "cpu" else resolve_device(device)
