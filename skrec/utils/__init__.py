"""Utilities: discovery of the recommenders, and checks for one's own."""

import importlib

from skrec.utils._tags import RecommenderTags

__all__ = ["RecommenderTags", "all_recommenders"]


def __getattr__(name):
    # Discovery looks into every sub-package and stands above them all, utils below.
    if name == "all_recommenders":
        return getattr(importlib.import_module("skrec._discovery"), name)
    raise AttributeError(f"module 'skrec.utils' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
