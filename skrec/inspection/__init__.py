"""Looking into fitted recommenders: how a fit went, where users or items lie."""

from skrec.inspection._embedding import EmbeddingDisplay
from skrec.inspection._fit_curve import FitCurveDisplay
from skrec.inspection._item_grid import ItemGridDisplay

__all__ = ["EmbeddingDisplay", "FitCurveDisplay", "ItemGridDisplay"]
