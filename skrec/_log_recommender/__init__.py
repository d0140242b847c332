"""A recommender with ids in and ids out, built from the other packages."""

from skrec._log_recommender._recommender import LogRecommender

__all__ = ["LogRecommender"]
