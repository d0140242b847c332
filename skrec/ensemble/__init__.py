"""Ensembles: recommenders made of several models, or around one model."""

from skrec.ensemble._calibrated import CalibratedReranker
from skrec.ensemble._fallback import Fallback
from skrec.ensemble._llorma import LLORMA
from skrec.ensemble._loca import LOCA
from skrec.ensemble._mmr import MMR
from skrec.ensemble._rank_fusion import RankFusion
from skrec.ensemble._recency import Recency
from skrec.ensemble._reserved_slots import ReservedSlots
from skrec.ensemble._two_stage import TwoStageRecommender

__all__ = [
    "CalibratedReranker",
    "Fallback",
    "LLORMA",
    "LOCA",
    "MMR",
    "RankFusion",
    "Recency",
    "ReservedSlots",
    "TwoStageRecommender",
]
