"""Models by name: recommenders, pipelines and searches; what a search of ours tries for each."""

from collections.abc import Mapping
from inspect import signature

from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import ParameterGrid
from sklearn.pipeline import Pipeline


def named_models(estimators):
    """A dict of estimators by name, from a dict, a list of pairs, or a list of estimators.

    Raises
    ------
    TypeError
        If there is something else in it.
    ValueError
        If there is none, or a name occurs twice.
    """
    if hasattr(estimators, "fit"):
        estimators = [estimators]
    if isinstance(estimators, Mapping):
        pairs = list(estimators.items())
    else:
        pairs = [one if isinstance(one, tuple) else (None, one) for one in estimators]
    for pair in pairs:
        if len(pair) != 2 or isinstance(pair[1], type) or not hasattr(pair[1], "fit"):
            raise TypeError(
                "estimators must be a dict of estimators by name, a list of (name, estimator) "
                f"pairs or a list of estimators. Got {pair[-1]!r} among them."
            )
    if not pairs:
        raise ValueError("estimators is empty; expected at least one recommender.")
    names = _names(pairs)
    for name in names:
        if not isinstance(name, str) or names.count(name) > 1:
            raise ValueError(f"Models need names of their own, strings. Got {names!r}.")
    return dict(zip(names, (estimator for _, estimator in pairs), strict=True))


def _names(pairs):
    """The names given; without one, that of the class, numbered where it occurs again."""
    names = [
        type(final_step(estimator)).__name__ if name is None else name for name, estimator in pairs
    ]
    given = [name for name, _ in pairs]
    return [
        f"{name}-{1 + names[:place].count(name)}"
        if given[place] is None and names.count(name) > 1
        else name
        for place, name in enumerate(names)
    ]


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


def unfitted(estimator):
    """The model to fit anew, and the parameters that a search has chosen for it, if it is fitted.

    A fitted search stands for what it has found: it is not run again.
    """
    if is_search(estimator) and hasattr(estimator, "best_params_"):
        chosen = dict(estimator.best_params_)
        return clone(estimator.estimator).set_params(**clone_values(chosen)), chosen
    return clone(estimator), {}


def clone_values(parameters):
    """Parameters whose values can be set in another estimator: estimators among them are cloned."""
    return {name: clone(value, safe=False) for name, value in parameters.items()}


def search_grid(estimator, fixed=None):
    """What is tried for a model: its class's ``_search_grid``, without what is set already.

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
    grid = []
    for parameters in getattr(model, "_search_grid", ()):
        free = {prefix + name: value for name, value in parameters.items() if name not in fixed}
        if free and free not in grid:
            grid.append(free)
    return grid if len(grid) > 1 else []


def given_grid(grid):
    """The settings of a grid as `ParameterGrid` takes it, or of a list of settings."""
    if isinstance(grid, Mapping):
        return list(ParameterGrid(grid))
    single = all(not _is_values(value) for one in grid for value in one.values())
    return [dict(one) for one in grid] if single else list(ParameterGrid(list(grid)))


def _is_values(value):
    return isinstance(value, list)


def _changed(model):
    """Names of the parameters that are not at their defaults."""
    changed, parameters = set(), signature(type(model).__init__).parameters
    for name, value in model.get_params(deep=False).items():
        default = parameters[name].default
        same = value is default or (type(value) is type(default) and value == default)
        if not same:
            changed.add(name)
    return changed


def python_line(estimator):
    """The lines of Python that make an estimator and fit it: imports, then ``.fit(X)``."""
    classes = {type(estimator)}
    for value in estimator.get_params(deep=True).values():
        if hasattr(value, "get_params") and not isinstance(value, type):
            classes.add(type(value))
    imports = sorted(f"from {_public_module(cls)} import {cls.__name__}" for cls in classes)
    return "\n".join([*imports, f"model = {parameters_text(estimator)}.fit(X)"])


def parameters_text(estimator):
    """The estimator as Python prints it, on one line and whole."""
    try:
        text = estimator.__repr__(N_CHAR_MAX=1_000_000)
    except TypeError:  # not scikit-learn's
        text = repr(estimator)
    return " ".join(text.split())


def _public_module(cls):
    parts = cls.__module__.split(".")
    private = next((at for at, part in enumerate(parts) if part.startswith("_")), len(parts))
    return ".".join(parts[: private or len(parts)])
