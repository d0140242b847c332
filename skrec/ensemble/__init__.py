"""Ensembles: recommenders made of many."""

from skrec.ensemble._loca import LOCA

__all__ = ["LOCA"]
