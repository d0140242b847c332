"""Factor models: users and items as vectors whose product is the score."""

from skrec.decomposition._bpr import BPR

__all__ = ["BPR"]
