"""Checks of fitted estimators, and of the content of a file, by the rules of their classes."""

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

# Attributes that scikit-learn keeps on any estimator, whatever its class.
_FOREIGN = ("_sklearn", "_skl_", "_metadata_request", "_parent_callback")


def fitted_rules(cls):
    """All rules of a class and its bases, by attribute name.

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
    """(name, shape) of the arrays that a class declares; a size "=name" becomes None."""
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
    """(name, condition) of each attribute that must exist if a condition holds."""
    rules = fitted_rules(cls).items()
    return [(name, rule.unless) for name, rule in rules if getattr(rule, "unless", None)]


def check_shapes(estimator):
    """Check the shapes of the arrays of a fitted estimator, before kernels read them.

    Takes a few microseconds, since it reads no values.

    Parameters
    ----------
    estimator : estimator

    Raises
    ------
    NotFittedError
        If a parameter was changed after the fit and now needs an attribute that is missing.
    ValueError
        If an array was replaced by one that does not match the others.
    """
    state, kind = vars(estimator), type(estimator)
    for name, asked_for in _conditions(kind):
        if name not in state and asked_for(estimator):
            raise NotFittedError(
                f"The parameters of this {kind.__name__} were changed after fit: they now need "
                f"`{name}`, which is missing. Fit again, or restore the parameters."
            )
    sizes = {"n_items": state.get("n_features_in_")}
    for name, shape in _shapes(kind):
        if name in state:
            found = getattr(state[name], "shape", None)
            if found is None:
                raise refused(f"{kind.__name__}.{name}", kind_of(state[name]), "an array")
            bind(found, shape, f"{kind.__name__}.{name}", sizes)


def learned(estimator):
    """Attributes, a dict, that are neither parameters nor scikit-learn's own."""
    given = inspect.signature(type(estimator)).parameters
    return {
        name: value
        for name, value in vars(estimator).items()
        if name not in given and not name.startswith(_FOREIGN)
    }


def check_fitted(estimator):
    """Check an estimator by the rules of its class.

    Parameters
    ----------
    estimator : estimator of skrec, or of a subclass
        For an unfitted estimator the function checks the parameters only.

    Raises
    ------
    ValueError
        Names the attribute, the value found and the values expected.
    """
    rules = getattr(type(estimator), "_parameter_rules", None)
    if hasattr(type(estimator), "_check_stored"):
        # Lazy attributes are checked in their stored form, without making them.
        estimator._check_stored()
        values = {name: vars(estimator)[name] for name in rules if name in vars(estimator)}
        check_values(type(estimator).__name__, values, rules)
    elif rules is None:  # not an estimator of skrec
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
    """Check values by rules.

    Parameters
    ----------
    state : dict of str to object
    rules : dict of str to rule
    title : str
        Name of the owner, for messages.
    owner : object, default=None
        Argument of conditions.
    sizes : dict of str to int, default=None
        Sizes known so far; the sizes found are added.

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
            raise ValueError(f"{title} lacks {name}, which every fitted {title} has.")
        rule.check(state[name], f"{title}.{name}", sizes, owner)


def check_objects(content):
    """Check the content of a file: estimators, and sparse containers at any depth.

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
    for value in reversed(further):  # parts first: the checks of an owner rely on its parts
        if learned(value):
            value._check_fitted()


def _check_composition(estimator):
    """Raise if a pipeline or search of scikit-learn is not made of estimators."""
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
