"""Displays of fitted recommenders: the course of a fit, maps of users or items, and lists."""

from skrec.inspection._embedding import EmbeddingDisplay
from skrec.inspection._fit_curve import FitCurveDisplay
from skrec.inspection._item_grid import ItemGridDisplay

__all__ = ["EmbeddingDisplay", "FitCurveDisplay", "ItemGridDisplay"]
