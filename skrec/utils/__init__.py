"""Utilities: discovery of the recommenders, and checks for one's own."""

from skrec.utils._discovery import all_recommenders
from skrec.utils._tags import RecommenderTags

__all__ = ["RecommenderTags", "all_recommenders"]
