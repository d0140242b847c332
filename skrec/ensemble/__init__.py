"""Ensembles: recommenders made of many, or of two."""

from skrec.ensemble._fallback import Fallback
from skrec.ensemble._loca import LOCA

__all__ = ["Fallback", "LOCA"]
