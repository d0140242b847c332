"""Whether a fit that is interrupted keeps its last whole epoch, or hands the interrupt on."""

from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["hands_interrupts_on", "whole_fits_only"]

_WHOLE_FITS_ONLY = ContextVar("whole_fits_only", default=False)


@contextmanager
def whole_fits_only():
    """Hand an interrupt on from every fit inside, instead of a model of fewer epochs.

    At a prompt the model of the last whole epoch is what a user wants to keep. A command
    that would save such a model, or a comparison that would test it beside models that had
    all their epochs, must end instead.

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
