"""Models by name: recommenders, pipelines and searches, and the code that makes them."""

from collections.abc import Mapping

from sklearn.base import clone
from sklearn.model_selection import ParameterGrid

from skrec.utils._search_grid import final_step, is_search
from skrec.utils._text import parameters_text


def named_models(estimators):
    """A dict of estimators by name, from a dict, a list of pairs, or a list of estimators.

    Raises
    ------
    TypeError
        If an entry is not an estimator.
    ValueError
        If there is no estimator, or a name occurs twice.
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
            raise ValueError(f"Each model needs its own name, a string. Got {names!r}.")
    return dict(zip(names, (estimator for _, estimator in pairs), strict=True))


def _names(pairs):
    """The given names; a model without a name has its class's name, numbered if it occurs again."""
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


def unfitted(estimator):
    """The model to fit, and the parameters that a fitted search has chosen for it.

    A fitted search stands for its chosen parameters: it does not run again.
    """
    if is_search(estimator) and hasattr(estimator, "best_params_"):
        chosen = dict(estimator.best_params_)
        return clone(estimator.estimator).set_params(**clone_values(chosen)), chosen
    return clone(estimator), {}


def clone_values(parameters):
    """Parameters for another estimator: values that are estimators are cloned."""
    return {name: clone(value, safe=False) for name, value in parameters.items()}


def given_grid(grid):
    """The settings of a grid of `ParameterGrid`, or of a list of settings."""
    if isinstance(grid, Mapping):
        return list(ParameterGrid(grid))
    single = all(not _is_values(value) for one in grid for value in one.values())
    return [dict(one) for one in grid] if single else list(ParameterGrid(list(grid)))


def _is_values(value):
    return isinstance(value, list)


def python_line(estimator):
    """Python code that makes an estimator and fits it: imports, then ``.fit(X)``."""
    classes = {type(estimator)}
    for value in estimator.get_params(deep=True).values():
        if hasattr(value, "get_params") and not isinstance(value, type):
            classes.add(type(value))
    imports = sorted(f"from {_public_module(cls)} import {cls.__name__}" for cls in classes)
    return "\n".join([*imports, f"model = {parameters_text(estimator)}.fit(X)"])


def _public_module(cls):
    parts = cls.__module__.split(".")
    private = next((at for at, part in enumerate(parts) if part.startswith("_")), len(parts))
    return ".".join(parts[: private or len(parts)])
