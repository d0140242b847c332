"""Adapters that turn models of other packages into recommenders of skrec."""

from skrec.adapters._implicit import ImplicitRecommender

__all__ = ["ImplicitRecommender"]
