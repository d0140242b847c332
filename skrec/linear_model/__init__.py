"""Linear models: an item-item matrix learned by regression."""

from skrec.linear_model._ease import EASE

__all__ = ["EASE"]
