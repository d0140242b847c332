"""Checks that every recommender must pass in addition to scikit-learn's `check_estimator`."""

import importlib

__all__ = ["check_recommender", "parametrize_with_recommender_checks"]  # noqa: F822, they come late


def __getattr__(name):
    # The checks import all estimators, and estimators import utils: so load the checks late.
    if name in __all__:
        return getattr(importlib.import_module("skrec._testing._suite"), name)
    raise AttributeError(f"module 'skrec.utils.estimator_checks' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
