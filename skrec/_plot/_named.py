"""Models and arrays to draw, by the names of the models."""

from collections.abc import Mapping

from scipy.sparse import issparse


def final_estimator(estimator):
    """The recommender in a pipeline or a fitted search, or the estimator itself."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        else:
            return estimator


def named_estimators(estimator):
    """A dict of estimators by name; the name of a single estimator is its class."""
    if isinstance(estimator, (list, tuple)):
        raise TypeError(
            "Several estimators are given as a dict, such as {'EASE': ease, 'WMF': wmf}, so that "
            f"they have names. Got a {type(estimator).__name__}."
        )
    if not isinstance(estimator, Mapping):
        return {type(final_estimator(estimator)).__name__: estimator}
    return check_names(estimator, "estimator")


def named_arrays(values, name):
    """A dict of arrays by the models' names; the name of a single array is "model"."""
    named = isinstance(values, Mapping) and not issparse(values)  # DOK is a mapping of places
    return check_names(values if named else {"model": values}, name)


def check_names(values, name):
    """A dict with at least one entry and names that are strings."""
    values = dict(values)
    if not values or not all(isinstance(key, str) for key in values):
        raise ValueError(
            f"{name} must be a dict from names of models to what is to be drawn, with at least "
            f"one entry. Got the keys {list(values)!r}."
        )
    return values
