"""Utilities: discovery of the recommenders, and checks for one's own."""

from skrec.utils._discovery import all_recommenders

__all__ = ["all_recommenders"]
