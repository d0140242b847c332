"""Names of models and metrics on the command line -> estimators with their parameters."""

import ast
from typing import NamedTuple

from sklearn.base import BaseEstimator

from skrec._cli._errors import CommandError, unknown_name
from skrec.utils import all_recommenders
from skrec.utils._params import check_parameters
from skrec.utils._tags import recommender_tags

# Names that say what is meant better than a class and a parameter would.
_ALIASES = {
    "popularity": ("dummyrecommender", {"strategy": "most_popular"}),
    "random": ("dummyrecommender", {"strategy": "uniform"}),
}

# What --search tries, by class: at most 8 configurations each. A parameter that the user
# has set is taken out.
GRIDS = {
    "EASE": [
        {"alpha": alpha, "dropout": dropout}
        for dropout in (0.0, 0.3)
        for alpha in (50.0, 200.0, 500.0, 1000.0)
    ],
    "BPR": [
        {"n_components": 128, "loss": loss, "alpha": alpha}
        for loss, alphas in (("log", (0.003, 0.01, 0.03)), ("warp", (0.3, 1.0)))
        for alpha in alphas
    ],
    "ItemKNN": [
        *(
            {
                "metric": "asymmetric_cosine",
                "activity_exponent": 1.0,
                "n_neighbors": n_neighbors,
                "target_exponent": exponent,
            }
            for n_neighbors in (50, 200)
            for exponent in (0.3, 0.7, 1.0)
        ),
        {"metric": "cosine", "activity_exponent": 0.0, "n_neighbors": 100},
        {"metric": "cosine", "weighting": "bm25", "n_neighbors": 200},
    ],
    "LOCA": [
        {"fit_bandwidth": bandwidth, "global_weight": weight}
        for bandwidth in (0.6, 0.8)
        for weight in (0.0, 1.0)
    ],
    "MultDAE": [
        {"batch_size": 200, "max_iter": 60, "alpha": alpha} for alpha in (4e-5, 2e-4, 1e-3)
    ],
    "MultVAE": [{"batch_size": 200, "beta": beta} for beta in (0.1, 0.2, 0.4)],
    "PureSVD": [{"n_components": n_components} for n_components in (16, 32, 64, 128)],
    "SANSA": [{"alpha": alpha} for alpha in (50.0, 200.0, 500.0, 1000.0)],
    "SLIM": [
        {"alpha": alpha, "l1_ratio": l1_ratio}
        for l1_ratio in (0.01, 0.05)
        for alpha in (20.0, 100.0, 300.0, 1000.0)
    ],
    "UserKNN": [
        {"n_neighbors": n_neighbors, "weighting": weighting}
        for weighting in (None, "tfidf")
        for n_neighbors in (25, 50, 100, 300)
    ],
    "WMF": [
        {"n_components": n_components, "unobserved_weight": weight, "alpha": alpha}
        for n_components in (64, 128)
        for weight in (0.1, 0.3)
        for alpha in (0.003, 0.01)
    ],
}
SEARCH_METRIC = "ndcg@100"


class Model(NamedTuple):
    """A model to compare.

    Attributes
    ----------
    name : str
        As on the command line.
    estimator : estimator
        Not fitted, with the parameters that were given.
    fixed : frozenset of str
        Names of the parameters that were given, which a search leaves alone.
    """

    name: str
    estimator: BaseEstimator
    fixed: frozenset


def known_models():
    """List the models that can be named.

    Returns
    -------
    models : dict of str to (type, dict)
        Class and parameters behind each name.
    """
    classes = {name.lower(): cls for name, cls in all_recommenders()}
    models = {name: (cls, {}) for name, cls in classes.items()}
    for alias, (name, params) in _ALIASES.items():
        models[alias] = (classes[name], params)
    return models


def _ranks(cls, params):
    return not recommender_tags(cls(**params)).predicts_ratings


def make_model(name, assignments, *, random_state):
    """Make one model of its name and parameters.

    Parameters
    ----------
    name : str
        A key of `known_models`, in any case.
    assignments : list of (str, str)
        Parameters and their values as text.
    random_state : int
        Given to the model if it takes one and the assignments do not name it.

    Returns
    -------
    model : Model

    Raises
    ------
    CommandError
        If the name or a parameter is not known, or the model is one of ratings.
    """
    models = known_models()
    key = name.lower()
    if key not in models:
        raise unknown_name("model", name, [known for known in models if _ranks(*models[known])])
    cls, defaults = models[key]
    estimator = cls(**defaults)
    known = estimator.get_params()
    given = {}
    for parameter, text in assignments:
        if parameter not in known:
            raise unknown_name(f"parameter of {key}", parameter, known)
        given[parameter] = _parse_value(text)
    if "random_state" in known:
        estimator.set_params(random_state=random_state)
    estimator.set_params(**given)
    # Now and not in fit: a typo should not show up after an hour of other models.
    check_parameters(estimator, getattr(estimator, "_parameter_rules", {}))
    if recommender_tags(estimator).predicts_ratings:
        raise CommandError(
            f"{key} as it is set predicts ratings, but on the command line all values are 1: it "
            f"ranks interactions. Fit {cls.__name__} to ratings in Python, or take a model that "
            "ranks."
        )
    return Model(key, estimator, frozenset(given))


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
        If a name is unknown or given twice, or an assignment is of no model of these.
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
    return [make_model(key, assignments[key], random_state=random_state) for key in keys]


def configurations(model):
    """List the parameters that a search tries.

    Parameters
    ----------
    model : Model

    Returns
    -------
    grid : list of dict
        Distinct settings of the parameters that the user has not set; empty for a model
        without a grid.
    """
    grid = []
    for params in GRIDS.get(type(model.estimator).__name__, []):
        free = {name: value for name, value in params.items() if name not in model.fixed}
        if free and free not in grid:
            grid.append(free)
    return grid


def format_params(params):
    """Write parameters as Python would: ``alpha=100, dropout=0.3``."""
    return ", ".join(f"{name}={value!r}" for name, value in params.items())


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
        If there is none, or one occurs twice.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise CommandError(f"{option} names nothing; expected names separated by commas.")
    lowered = [name.lower() for name in names]
    for name in lowered:
        if lowered.count(name) > 1:
            raise CommandError(f"{option} names {name!r} twice.")
    return names


def _split_assignment(text, example):
    left, equals, value = text.partition("=")
    if not equals or not left.strip():
        raise CommandError(f"--param {text!r} is no assignment; expected one like {example}.")
    return left.strip(), value.strip()


def _parse_value(text):
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
