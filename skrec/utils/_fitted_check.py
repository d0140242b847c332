"""Fitted estimators, and whatever a file holds, held to what their classes declare."""

import functools
import inspect
from numbers import Real

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline

from skrec.utils._fitted import Absent, Array, Sparse, bind, check_entries, kind_of, refused
from skrec.utils._params import check_parameters, check_values
from skrec.utils._sparse_check import sound_sparse

# Attributes that scikit-learn keeps on any estimator; they are none of a class's own.
_FOREIGN = ("_sklearn", "_skl_", "_metadata_request", "_parent_callback")


def fitted_rules(cls):
    """All rules of a class and its bases, by the names of the attributes.

    Parameters
    ----------
    cls : type
    """
    rules = {}
    for base in reversed(cls.__mro__):
        rules |= vars(base).get("_fitted_rules", {})
    return rules


@functools.lru_cache(maxsize=512)
def _shapes(cls):
    """(name, shape) of the arrays that a class declares; sizes that parameters say are free."""
    found = []
    for name, rule in fitted_rules(cls).items():
        rule = rule.rule if isinstance(rule, Absent) else rule
        if isinstance(rule, Sparse):
            found.append((name, (rule.n_rows, rule.n_columns)))
        elif isinstance(rule, Array):
            sizes = [None if str(size).startswith("=") else size for size in rule.shape]
            found.append((name, tuple(sizes)))
    return found


@functools.lru_cache(maxsize=512)
def _conditions(cls):
    """(name, condition) of what must be there if a condition holds."""
    rules = fitted_rules(cls).items()
    return [(name, rule.unless) for name, rule in rules if getattr(rule, "unless", None)]


def check_shapes(estimator):
    """Hold the arrays of a fitted estimator to their shapes, before kernels read them.

    A few microseconds: no value is looked at.

    Parameters
    ----------
    estimator : estimator

    Raises
    ------
    NotFittedError
        If a parameter that was changed after the fit asks for what the fit has not kept.
    ValueError
        If an array was replaced by one that does not fit to the others.
    """
    state, kind = vars(estimator), type(estimator)
    for name, asked_for in _conditions(kind):
        if name not in state and asked_for(estimator):
            raise NotFittedError(
                f"The parameters of this {kind.__name__} were changed after fit: they now ask for "
                f"`{name}`, which it has not. Fit it again, or set them back."
            )
    sizes = {"n_items": state.get("n_features_in_")}
    for name, shape in _shapes(kind):
        if name in state:
            found = getattr(state[name], "shape", None)
            if found is None:
                raise refused(f"{kind.__name__}.{name}", kind_of(state[name]), "an array")
            bind(found, shape, f"{kind.__name__}.{name}", sizes)


def learned(estimator):
    """Attributes that are no parameters and not scikit-learn's own, a dict."""
    given = inspect.signature(type(estimator)).parameters
    return {
        name: value
        for name, value in vars(estimator).items()
        if name not in given and not name.startswith(_FOREIGN)
    }


def check_fitted(estimator):
    """Hold an estimator to the rules of its class.

    Parameters
    ----------
    estimator : estimator of skrec, or over one of its bases
        One that is not fitted has only its parameters checked.

    Raises
    ------
    ValueError
        Names the attribute, what it is and what is expected.
    """
    rules = getattr(type(estimator), "_parameter_rules", None)
    if hasattr(type(estimator), "_check_stored"):
        # What is not made before it is asked for is checked as it is stored, and not made.
        estimator._check_stored()
        values = {name: vars(estimator)[name] for name in rules if name in vars(estimator)}
        check_values(type(estimator).__name__, values, rules)
    elif rules is None:  # none of skrec's
        estimator.get_params(deep=False)
    else:
        check_parameters(estimator, rules)
    state, rules = learned(estimator), fitted_rules(type(estimator))
    if not state:
        return
    for name in state:
        if name not in rules and hasattr(type(estimator), name):
            raise refused(name, "an attribute of the class itself", "nothing in its place")
    check_state(state, rules, type(estimator).__name__, owner=estimator)


def check_state(state, rules, title, *, owner=None, sizes=None):
    """Hold values to rules.

    Parameters
    ----------
    state : dict of str to object
    rules : dict of str to rule
    title : str
        What they belong to, for messages.
    owner : object, default=None
        What conditions are asked about.
    sizes : dict of str to int, default=None
        Sizes that are known already; those found are added.

    Raises
    ------
    ValueError
        If a value is missing or breaks its rule.
    """
    sizes = {} if sizes is None else sizes
    sizes |= {f"={name}": n for name, n in vars(owner or object).items() if type(n) is int}
    for name, rule in rules.items():
        if isinstance(rule, Absent):
            if name not in state and (rule.unless is None or not rule.unless(owner)):
                continue
            rule = rule.rule
        if name not in state:
            raise ValueError(f"{title} lacks {name}, which a fitted one has.")
        rule.check(state[name], f"{title}.{name}", sizes, owner)


def check_objects(content):
    """Check whatever was read from a file: estimators, and sparse containers in anything.

    Parameters
    ----------
    content : object

    Raises
    ------
    ValueError
        If a fitted attribute breaks a rule, or a sparse container is malformed.
    """
    seen, waiting, further = set(), [content], []
    while waiting:
        value = waiting.pop()
        if id(value) in seen or isinstance(value, str | bytes | Real | type(None) | type):
            continue
        seen.add(id(value))
        if sparse.issparse(value):
            for name in vars(value):
                if callable(getattr(type(value), name, None)):
                    raise refused(f"A sparse matrix, its {name}", "a value", "a method")
            check_entries(sound_sparse(value, "A sparse matrix"), "A sparse matrix")
        elif isinstance(value, np.ndarray):
            waiting += value.ravel().tolist() if value.dtype == object else []
        elif isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple | set | frozenset):
            waiting += value
        else:
            if isinstance(value, BaseEstimator):
                check_fitted(value)
                _check_composition(value)
            if hasattr(type(value), "_check_fitted"):
                further.append(value)
            waiting += getattr(value, "__dict__", {}).values()
    for value in reversed(further):  # parts first: what asks them may rely on them
        if learned(value):
            value._check_fitted()


def _check_composition(estimator):
    """Raise for a pipeline or a search of scikit-learn's that is not made of estimators."""
    if isinstance(estimator, Pipeline):
        steps = estimator.steps
        if type(steps) is not list or not steps:
            raise refused("Pipeline.steps", kind_of(steps), "a list of steps")
        for step in steps:
            named = type(step) in (tuple, list) and len(step) == 2 and type(step[0]) is str
            if not named or not (step[1] in (None, "passthrough") or hasattr(step[1], "fit")):
                raise refused("Pipeline.steps", repr(step)[:200], "a name and an estimator")
        for name, step in steps[:-1]:
            if step not in (None, "passthrough") and not hasattr(step, "transform"):
                raise refused(f"Pipeline step {name}", kind_of(step), "one that has transform")
    elif isinstance(estimator, BaseSearchCV):
        for name in ("estimator", "best_estimator_"):
            value = getattr(estimator, name, estimator.estimator)
            if not hasattr(value, "get_params"):
                raise refused(f"{type(estimator).__name__}.{name}", kind_of(value), "an estimator")
