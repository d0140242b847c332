"""What a search tries for a model: the grid that its class names, without what is set."""

from inspect import signature

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline


def is_search(estimator):
    """Whether it is one of scikit-learn's searches, which choose parameters by themselves."""
    if not hasattr(estimator, "get_params"):
        return False
    # By its parameters: halving and foreign searches have no public class in common.
    return {"estimator", "cv", "scoring", "refit"} <= set(estimator.get_params(deep=False))


def final_step(estimator):
    """The recommender itself, in a pipeline or a search."""
    while True:
        if is_search(estimator) or isinstance(estimator, FrozenEstimator):
            estimator = estimator.estimator
        elif isinstance(estimator, Pipeline):
            estimator = estimator.steps[-1][1]
        else:
            return estimator


def last_step(estimator):
    """What stands before the parameters of the last step of a pipeline, and that step."""
    prefix = ""
    while isinstance(estimator, Pipeline):
        name, estimator = estimator.steps[-1]
        prefix += f"{name}__"
    return prefix, estimator


def search_grid(estimator, fixed=None):
    """What is tried for a model: its class's ``_search_grid``, without what is set already.

    A class whose ``_search_within`` names a parameter that holds a model tries what is tried for
    that model, if one is given and has a grid.

    Parameters
    ----------
    estimator : estimator
    fixed : set of str, default=None
        Parameters of the recommender that are left alone. None: those that are not at
        their defaults.

    Returns
    -------
    grid : list of dict
        Distinct settings; their names are those of `estimator`, so "ease__alpha" in a
        pipeline. Empty where there is nothing to choose from.
    """
    if is_search(estimator):
        return []
    prefix, model = last_step(estimator)
    if isinstance(model, FrozenEstimator):
        return []
    if fixed is None:
        fixed = _changed(model)
    within = getattr(model, "_search_within", None)
    if within is not None and getattr(model, within) is not None:
        inner = [
            {f"{prefix}{within}__{name}": value for name, value in setting.items()}
            for setting in search_grid(getattr(model, within))
        ]
        if inner:
            return [setting for setting in inner if not fixed & {*setting}]
    grid = []
    for parameters in getattr(model, "_search_grid", ()):
        # A parameter of a model within is left alone where that model is set.
        free = {
            prefix + name: value
            for name, value in parameters.items()
            if name not in fixed and name.partition("__")[0] not in fixed
        }
        if free and free not in grid:
            grid.append(free)
    return grid if len(grid) > 1 else []


def _changed(model):
    """Names of the parameters that are not at their defaults."""
    changed, parameters = set(), signature(type(model).__init__).parameters
    for name, value in model.get_params(deep=False).items():
        default = parameters[name].default
        same = value is default or (type(value) is type(default) and value == default)
        if not same:
            changed.add(name)
    return changed
