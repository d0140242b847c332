"""Utilities: discovery of the recommenders, and checks for your own estimators."""

import importlib

from skrec.utils._tags import RecommenderTags

__all__ = ["RecommenderTags", "all_recommenders"]


def __getattr__(name):
    # Discovery imports every sub-package, and every sub-package imports utils: so load it late.
    if name == "all_recommenders":
        return getattr(importlib.import_module("skrec._discovery"), name)
    raise AttributeError(f"module 'skrec.utils' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
