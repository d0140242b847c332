"""Models of other packages as recommenders of skrec."""

from skrec.adapters._implicit import ImplicitRecommender

__all__ = ["ImplicitRecommender"]
