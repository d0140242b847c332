"""Names of models and metrics on the command line -> estimators with their parameters."""

import ast
from typing import NamedTuple

from sklearn.base import BaseEstimator

from skrec._cli._errors import CommandError, unknown_name
from skrec._cli._remedies import on_command_line
from skrec.utils import all_recommenders
from skrec.utils._params import check_parameters
from skrec.utils._tags import recommender_tags

# Names that are clearer than a class and a parameter.
_ALIASES = {
    "popularity": ("dummyrecommender", {"strategy": "most_popular"}),
    "random": ("dummyrecommender", {"strategy": "uniform"}),
}

# The metric of --search.
SEARCH_METRIC = "ndcg@100"


class Model(NamedTuple):
    """A model to compare.

    Attributes
    ----------
    name : str
        Name on the command line.
    estimator : estimator
        Not fitted, with the given parameters.
    given : dict
        The given parameters, which a search leaves alone.
    """

    name: str
    estimator: BaseEstimator
    given: dict


def known_models():
    """List the known models.

    Returns
    -------
    models : dict of str to (type, dict)
        Class and parameters of each name.
    """
    classes = {name.lower(): cls for name, cls in all_recommenders()}
    models = {name: (cls, {}) for name, cls in classes.items()}
    for alias, (name, params) in _ALIASES.items():
        models[alias] = (classes[name], params)
    return models


def make_model(name, assignments, *, random_state, prefix=""):
    """Make one model from its name and parameters.

    Parameters
    ----------
    name : str
        A key of `known_models`, in any case.
    assignments : list of (str, str)
        Parameters and their values as text.
    random_state : int
        Passed to the model if it has this parameter and the assignments do not name it.
    prefix : str, default=""
        Prefix of the names of parameters in ``--param``, for messages.

    Returns
    -------
    model : Model

    Raises
    ------
    CommandError
        If the name or a parameter is unknown, or the model predicts ratings.
    """
    models = known_models()
    key = name.lower()
    if key not in models:
        made = {known: cls(**params) for known, (cls, params) in models.items()}
        rankers = [known for known in made if not recommender_tags(made[known]).predicts_ratings]
        raise unknown_name("model", name, rankers)
    cls, defaults = models[key]
    estimator = cls(**defaults)
    known = estimator.get_params()
    given = {}
    for parameter, text in assignments:
        if parameter not in known:
            raise unknown_name(f"parameter of {key}", parameter, known)
        given[parameter] = _parse_value(text, like=known[parameter])
    if "random_state" in known:
        estimator.set_params(random_state=random_state)
    estimator.set_params(**given)
    # Now and not in fit: a typo should not surface after an hour of other models.
    try:
        check_parameters(estimator, getattr(estimator, "_parameter_rules", {}))
    except ValueError as error:
        raise CommandError(on_command_line(str(error), model=prefix)) from error
    if recommender_tags(estimator).predicts_ratings:
        raise CommandError(
            f"{key} with these parameters predicts ratings, but the command line ranks "
            f"interactions. Fit {cls.__name__} to ratings in Python, or take a model that ranks."
        )
    return Model(key, estimator, given)


def make_models(names, params, *, random_state):
    """Make the models of ``--models`` with the parameters of ``--param``.

    Parameters
    ----------
    names : str
        Names separated by commas.
    params : list of str
        Each ``MODEL.NAME=VALUE``.
    random_state : int

    Returns
    -------
    models : list of Model
        In the order of the names.

    Raises
    ------
    CommandError
        If a name is unknown or given twice, or an assignment names no model of the list.
    """
    keys = [name.lower() for name in split_names(names, "--models")]
    assignments = {key: [] for key in keys}
    for text in params:
        left, value = _split_assignment(text, "ease.alpha=100")
        key, dot, parameter = left.partition(".")
        if not dot:
            raise CommandError(f"--param {text!r} names no model; write it as {keys[0]}.{text}.")
        if key.lower() not in assignments:
            raise unknown_name("model in --param", key, keys)
        assignments[key.lower()].append((parameter, value))
    return [
        make_model(key, assignments[key], random_state=random_state, prefix=key) for key in keys
    ]


def as_options(params, prefix=""):
    """Write parameters as options: ``["--param", "alpha=100", "--param", "loss=warp"]``."""
    options = []
    for name, text in as_text_values(params).items():
        options += ["--param", f"{prefix}{name}={text}"]
    return options


def as_text_values(params):
    """Write the values of parameters as ``--param`` reads them."""
    return {
        name: value if isinstance(value, str) and _parse_value(value) == value else repr(value)
        for name, value in params.items()
    }


def split_params(params, model_name):
    """Split the ``NAME=VALUE`` texts of one model; a prefix ``MODEL.`` is allowed.

    Parameters
    ----------
    params : list of str
    model_name : str

    Returns
    -------
    assignments : list of (str, str)
    """
    pairs = [_split_assignment(text, "alpha=100") for text in params]
    prefix = f"{model_name.lower()}."
    return [
        (left[len(prefix) :] if left.lower().startswith(prefix) else left, value)
        for left, value in pairs
    ]


def split_names(text, option):
    """Split names separated by commas.

    Parameters
    ----------
    text : str
    option : str
        For messages.

    Returns
    -------
    names : list of str
        Without blanks around them, at least one.

    Raises
    ------
    CommandError
        If there is no name, or a name occurs twice.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise CommandError(f"{option} has no name; expected names separated by commas.")
    lowered = [name.lower() for name in names]
    for name in lowered:
        if lowered.count(name) > 1:
            raise CommandError(f"{option} names {name!r} twice.")
    return names


def _split_assignment(text, example):
    left, equals, value = text.partition("=")
    if not equals or not left.strip():
        raise CommandError(f"--param {text!r} is not an assignment; expected one like {example}.")
    return left.strip(), value.strip()


def _parse_value(text, like=None):
    """A Python literal, else text; a single number for a tuple becomes a tuple of one."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    if isinstance(like, tuple):
        if isinstance(value, list):
            return tuple(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return (value,)
    return value
