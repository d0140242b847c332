"""Linear models: an item-item matrix learned by regression."""

from skrec.linear_model._ease import EASE
from skrec.linear_model._sansa import SANSA
from skrec.linear_model._slim import SLIM
from skrec.linear_model._slist import SLIST

__all__ = ["EASE", "SANSA", "SLIM", "SLIST"]
