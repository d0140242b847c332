"""Recommenders that read the content of items or users."""

from skrec.content._vbpr import VBPR

__all__ = [
    "VBPR",
]
