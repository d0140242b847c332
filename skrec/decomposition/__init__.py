"""Factor models: users and items as vectors whose product is the score."""

from skrec.decomposition._biased_mf import BiasedMF
from skrec.decomposition._bpr import BPR
from skrec.decomposition._graph_filter import GraphFilter
from skrec.decomposition._pure_svd import PureSVD
from skrec.decomposition._wmf import WMF

__all__ = ["BPR", "BiasedMF", "GraphFilter", "PureSVD", "WMF"]
