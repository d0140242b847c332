"""Splits of interactions, of users and in time, and a wrapper for `y` as a matrix."""

from skrec._evaluation._held_out import HeldOut
from skrec.model_selection._cold_items import cold_item_split
from skrec.model_selection._held_out import SameUsersSplit
from skrec.model_selection._k_core import k_core
from skrec.model_selection._protocols import draw_candidates, evaluation_split
from skrec.model_selection._split import holdout_split, leave_one_out_split, temporal_split
from skrec.model_selection._users import strong_generalization_split, user_train_test_split

__all__ = [
    "HeldOut",
    "SameUsersSplit",
    "cold_item_split",
    "draw_candidates",
    "evaluation_split",
    "holdout_split",
    "k_core",
    "leave_one_out_split",
    "strong_generalization_split",
    "temporal_split",
    "user_train_test_split",
]
