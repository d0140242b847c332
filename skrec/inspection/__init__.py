"""Looking into fitted recommenders: how a fit went, where users or items lie."""

from skrec.inspection._embedding import EmbeddingDisplay
from skrec.inspection._fit_curve import FitCurveDisplay

__all__ = ["EmbeddingDisplay", "FitCurveDisplay"]
