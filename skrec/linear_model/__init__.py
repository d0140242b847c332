"""Linear models: an item-item matrix learned by regression."""

from skrec.linear_model._ease import EASE
from skrec.linear_model._sansa import SANSA
from skrec.linear_model._slim import SLIM

__all__ = ["EASE", "SANSA", "SLIM"]
