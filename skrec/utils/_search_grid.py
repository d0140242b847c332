"""The settings that a search tries for a model: the grid of its class, without set parameters."""

from inspect import signature

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline


def is_search(estimator):
    """Whether an estimator is a search like scikit-learn's, which chooses parameters itself."""
    if not hasattr(estimator, "get_params"):
        return False
    # By parameters: halving and foreign searches share no public class.
    return {"estimator", "cv", "scoring", "refit"} <= set(estimator.get_params(deep=False))


def final_step(estimator):
    """The recommender at the end of a pipeline or a search."""
    while True:
        if is_search(estimator) or isinstance(estimator, FrozenEstimator):
            estimator = estimator.estimator
        elif isinstance(estimator, Pipeline):
            estimator = estimator.steps[-1][1]
        else:
            return estimator


def last_step(estimator):
    """The parameter prefix of the last step of a pipeline, and that step."""
    prefix = ""
    while isinstance(estimator, Pipeline):
        name, estimator = estimator.steps[-1]
        prefix += f"{name}__"
    return prefix, estimator


def search_grid(estimator, fixed=None):
    """Settings to try for a model: the ``_search_grid`` of its class, without set parameters.

    ``_search_within`` of a class may name a parameter that holds a model. If that model is given
    and has a grid, its grid is used.

    Parameters
    ----------
    estimator : estimator
    fixed : set of str, default=None
        Parameters of the recommender that the search must not change. None: parameters that
        differ from their defaults.

    Returns
    -------
    grid : list of dict
        Distinct settings, with parameter names of `estimator`, such as "ease__alpha" in a
        pipeline. Empty if there is nothing to choose from.
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
        # A parameter of an inner model is fixed if that model is set.
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
