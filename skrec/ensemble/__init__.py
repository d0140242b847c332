"""Ensembles: recommenders made of many, of two, or around one."""

from skrec.ensemble._fallback import Fallback
from skrec.ensemble._llorma import LLORMA
from skrec.ensemble._loca import LOCA
from skrec.ensemble._recency import Recency

__all__ = ["Fallback", "LLORMA", "LOCA", "Recency"]
