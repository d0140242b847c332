"""Whether an interrupted fit keeps the model of its last epoch, or raises KeyboardInterrupt."""

from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["hands_interrupts_on", "whole_fits_only"]

_WHOLE_FITS_ONLY = ContextVar("whole_fits_only", default=False)


@contextmanager
def whole_fits_only():
    """Let an interrupt end every fit in the block, instead of keeping a model of fewer epochs.

    At a prompt, a user wants to keep the model of the last whole epoch. But a command must not
    save such a model, and a comparison must not test it beside models that ran all their
    epochs, so they end.

    Yields
    ------
    nothing
    """
    token = _WHOLE_FITS_ONLY.set(True)
    try:
        yield
    finally:
        _WHOLE_FITS_ONLY.reset(token)


def hands_interrupts_on():
    """Whether the caller is inside `whole_fits_only`."""
    return _WHOLE_FITS_ONLY.get()
