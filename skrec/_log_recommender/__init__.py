"""Ids in, ids out: a recommender around a log, made of what the other packages have."""

from skrec._log_recommender._recommender import LogRecommender

__all__ = ["LogRecommender"]
