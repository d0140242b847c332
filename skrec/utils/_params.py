"""Checks of hyper-parameters: each class declares its rules once, and ``fit`` checks them."""

import functools
from dataclasses import dataclass, field
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator

from skrec.utils._device import DEVICE

# The largest index of a kernel; no sensible count is larger.
MAX_INTEGER = 2**31 - 1


@dataclass(frozen=True)
class Interval:
    """A real or whole number within bounds.

    Parameters
    ----------
    low, high : float
        Bounds. Infinity is never an allowed value, even as a bound.
    closed : {"both", "left", "right", "neither"}, default="both"
        Which bounds are allowed values.
    integer : bool, default=False
        Whole numbers only.
    """

    low: float = float("-inf")
    high: float = float("inf")
    closed: str = "both"
    integer: bool = False

    def __contains__(self, value):
        # Kernels take no Fraction and no Decimal.
        kind = Integral if self.integer else (int, float, np.integer, np.floating)
        if isinstance(value, bool) or not isinstance(value, kind):
            return False
        if isinstance(value, Integral) and not -(2**63) <= value < 2**63:
            return False  # does not fit into int64
        above = value >= self.low if self.closed in ("both", "left") else value > self.low
        below = value <= self.high if self.closed in ("both", "right") else value < self.high
        if self.integer:  # a finite upper bound replaces MAX_INTEGER
            limited = self.high != float("inf") or value <= MAX_INTEGER
        else:
            limited = _is_finite(value)
        return bool(above and below and limited)

    def __str__(self):
        bounds = []
        if self.low != float("-inf"):
            bounds.append(f"{'>=' if self.closed in ('both', 'left') else '>'} {self.low:g}")
        if self.high != float("inf"):
            bounds.append(f"{'<=' if self.closed in ('both', 'right') else '<'} {self.high:g}")
        name = "a whole number" if self.integer else "a finite number"
        return " ".join([name, " and ".join(bounds)]).strip()


@dataclass(frozen=True)
class Options:
    """One of a few values, compared by equality and type; NumPy's strings count as strings.

    Parameters
    ----------
    values : tuple
        The allowed values.
    """

    values: tuple

    def __contains__(self, value):
        kind = str if isinstance(value, str) else type(value)
        for option in self.values:  # the identity check first: it is the fastest
            if value is option or (kind is type(option) and value == option):
                return True
        return False

    def __str__(self):
        return "one of " + ", ".join(repr(option) for option in self.values)


@dataclass(frozen=True)
class InstanceOf:
    """An object of one of some types.

    Parameters
    ----------
    types : tuple of type
        Allowed types.
    text : str
        Name of the types in the message.
    """

    types: tuple
    text: str = field(default="")

    def __contains__(self, value):
        return isinstance(value, self.types)

    def __str__(self):
        return self.text or " or ".join(t.__name__ for t in self.types)


class _Sizes:
    """Rule of a parameter: a tuple or list of at least `least` whole numbers > 0."""

    def __init__(self, least):
        self._least = least

    def __contains__(self, value):
        return (
            isinstance(value, (tuple, list))
            and len(value) >= self._least
            and all(size in POSITIVE_INTEGER for size in value)
        )

    def __str__(self):
        return f"a tuple of whole numbers from 1 to {MAX_INTEGER:,}" + (
            ", at least one" if self._least else ""
        )


POSITIVE = Interval(0, closed="neither")
NON_NEGATIVE = Interval(0)
POSITIVE_INTEGER = Interval(1, integer=True)
FRACTION = Interval(0, 1, closed="left")
# Widths of the layers of a network.
SIZES = _Sizes(1)
SIZES_OR_NONE = _Sizes(0)
NONE = Options((None,))
BOOLEAN = InstanceOf((bool, np.bool_), "True or False")
N_JOBS = (NONE, Interval(1, integer=True), Interval(high=-1, integer=True))
RANDOM_STATE = (
    NONE,
    Interval(0, 2**32 - 1, integer=True),
    InstanceOf((np.random.RandomState,), "a numpy RandomState"),
)
# Rules of parameters with the same meaning in all classes.
COMMON_RULES = {
    "device": DEVICE,
    "n_jobs": N_JOBS,
    "random_state": RANDOM_STATE,
    "verbose": BOOLEAN,
}


def what_is_expected(rules, value):
    """Rules in words; if a whole number is too large, with the largest allowed number."""
    expected = ", or ".join(str(rule) for rule in rules)
    too_large = isinstance(value, Integral) and value > MAX_INTEGER
    return f"{expected}, and at most {MAX_INTEGER:,}" if too_large else expected


def _is_finite(value):
    try:
        return abs(float(value)) != float("inf")
    except OverflowError:  # a number too large for a float
        return False


def check_parameters(estimator, rules):
    """Raise a ValueError for the first hyper-parameter that breaks its rule.

    Parameters
    ----------
    estimator : estimator
        Its ``get_params(deep=False)`` are checked.
    rules : dict of str to rule or tuple of rules
        Any object with ``__contains__`` and ``__str__`` is a rule. One rule of a tuple must hold.
        `COMMON_RULES` add the rules of names that `rules` lacks. Other parameters without a rule
        are not checked.

    Raises
    ------
    ValueError
        Names the parameter, the value found and the values expected.
    """
    names = _parameter_names(type(estimator))
    if names is None:
        values = estimator.get_params(deep=False)
    else:
        values = {name: getattr(estimator, name) for name in names}
    check_values(type(estimator).__name__, values, rules)


@functools.lru_cache(maxsize=512)
def _parameter_names(cls):
    """Names of the parameters of a class; None if the class overrides ``get_params``."""
    # scikit-learn reads the signature at each call, which takes longer than the checks.
    plain = getattr(cls, "get_params", None) is BaseEstimator.get_params
    return tuple(cls._get_param_names()) if plain else None


def check_values(title, values, rules):
    """`check_parameters` for a dict of values.

    Parameters
    ----------
    title : str
        Name of the class.
    values : dict of str to object
    rules : dict of str to rule or tuple of rules
    """
    rules = {**COMMON_RULES, **rules}
    for name, value in values.items():
        allowed = rules.get(name)
        if allowed is None:
            continue
        if not isinstance(allowed, tuple):
            allowed = (allowed,)
        if not any(value in rule for rule in allowed):
            expected = what_is_expected(allowed, value)
            raise ValueError(
                f"The {name!r} parameter of {title} must be {expected}. "
                f"Got {value!r} ({type(value).__name__}) instead; use set_params({name}=...)."
            )
