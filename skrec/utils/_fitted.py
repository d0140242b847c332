"""Rules of fitted attributes: each class declares them once, and `load` and tests check them.

``_fitted_rules`` of a class maps the attributes that its `fit` sets to the rules below; the rules
of its bases are added. Sizes have names, such as "n_items", which is ``n_features_in_``. The
first array with a size defines it, and all others must agree. A class may implement
``_check_fitted`` for conditions that the rules cannot express.
"""

from dataclasses import dataclass, field
from numbers import Integral, Real

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from skrec.utils._sparse_check import sound_sparse

FLOATS = ("float32", "float64")
INDICES = ("int32", "int64")


@dataclass(frozen=True)
class Array:
    """A NumPy array.

    Parameters
    ----------
    *shape : str, int or None
        Names of sizes, numbers, or None for any size. "=name" is the value of the attribute
        `name`, such as a parameter.
    dtypes : tuple of str
        Allowed dtypes.
    low, high : number, or str for the name of a size, default=None
        Bounds of the values: ``low <= value < high``.
    distinct : bool
        Whether all values must differ.
    """

    shape: tuple
    dtypes: tuple = FLOATS
    low: float | None = None
    high: float | str | None = None
    distinct: bool = False

    def __init__(self, *shape, dtypes=FLOATS, low=None, high=None, distinct=False):
        for name, value in locals().items():
            if name != "self":
                object.__setattr__(self, name, value)

    def check(self, value, name, sizes, owner):
        if type(value) not in (np.ndarray, np.memmap):
            raise refused(name, kind_of(value), "an array")
        if str(value.dtype) not in self.dtypes or not value.flags.aligned:
            raise refused(name, f"dtype {value.dtype.str}", " or ".join(self.dtypes))
        bind(value.shape, self.shape, name, sizes)
        self.check_values(value, name, sizes)

    def check_values(self, value, name, sizes):
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise refused(name, "NaN or infinity", "finite values")
        high = sizes.get(self.high) if isinstance(self.high, str) else self.high
        if not value.size:
            return
        if self.low is not None and value.min() < self.low:
            raise refused(name, f"a value of {value.min()}", f"values >= {self.low}")
        if high is not None and value.max() >= high:
            raise refused(name, f"a value of {value.max()}", f"values < {high}")
        if self.distinct and len(np.unique(value)) < value.size:
            raise refused(name, "a value twice", "each once")


@dataclass(frozen=True)
class Sparse:
    """A csr_array with sorted indices and no duplicates.

    Parameters
    ----------
    n_rows, n_columns : str
        Names of sizes.
    """

    n_rows: str
    n_columns: str

    def check(self, value, name, sizes, owner):
        if type(value) is not sparse.csr_array:
            raise refused(name, kind_of(value), "a csr_array")
        sound = sound_sparse(value, name)
        bind(sound.shape, (self.n_rows, self.n_columns), name, sizes)
        check_entries(sound, name, ordered=True)


@dataclass(frozen=True)
class Table:
    """A two-dimensional array, or a csr_array.

    Parameters
    ----------
    n_rows, n_columns : str or None
        Names of sizes; None for any size.
    """

    n_rows: str
    n_columns: str | None

    def check(self, value, name, sizes, owner):
        dense = isinstance(value, np.ndarray)
        rule = (Array if dense else Sparse)(self.n_rows, self.n_columns)
        rule.check(value, name, sizes, owner)


@dataclass(frozen=True)
class Number:
    """A finite number.

    Parameters
    ----------
    low, high : float
        Bounds; the bounds themselves are allowed.
    integer : bool, default=False
        Whether the number must be whole.
    size : str or None, default=None
        Name of the size that the number defines.
    finite : bool, default=True
        Whether infinity and NaN are refused.
    """

    low: float = float("-inf")
    high: float = float("inf")
    integer: bool = False
    size: str | None = None
    finite: bool = True

    def check(self, value, name, sizes, owner):
        kind = Integral if self.integer else Real
        if isinstance(value, bool | np.bool_) or not isinstance(value, kind):
            raise refused(name, kind_of(value), "a whole number" if self.integer else "a number")
        if not self.finite and not np.isfinite(value):
            return
        if not self.low <= value <= self.high or (not self.integer and not np.isfinite(value)):
            raise refused(name, repr(value), f"a finite number from {self.low} to {self.high}")
        if self.size is not None:
            bind((int(value),), (self.size,), name, sizes)


@dataclass(frozen=True)
class Flag:
    """True or False."""

    def check(self, value, name, sizes, owner):
        if not isinstance(value, bool | np.bool_):
            raise refused(name, kind_of(value), "True or False")


@dataclass(frozen=True)
class OneOf:
    """One of some plain values.

    Parameters
    ----------
    values : tuple
    """

    values: tuple

    def check(self, value, name, sizes, owner):
        if not any(type(value) is type(known) and value == known for known in self.values):
            raise refused(name, kind_of(value), " or ".join(map(repr, self.values)))


@dataclass(frozen=True)
class Instance:
    """An object of a class; an estimator is checked by the rules of its own class.

    Parameters
    ----------
    kind : type
    """

    kind: type

    def check(self, value, name, sizes, owner):
        if not isinstance(value, self.kind):
            raise refused(name, kind_of(value), self.kind.__name__)


@dataclass(frozen=True)
class Maybe:
    """None, or a value that a rule allows.

    Parameters
    ----------
    rule : rule
    """

    rule: object

    def check(self, value, name, sizes, owner):
        if value is not None:
            self.rule.check(value, name, sizes, owner)


@dataclass(frozen=True)
class Series:
    """A list, or a tuple, of values that one rule allows.

    Parameters
    ----------
    rule : rule
    size : str, int or None, default=None
        Length of the list.
    kind : type, default=list
    """

    rule: object
    size: object = None
    kind: type = list

    def check(self, value, name, sizes, owner):
        if type(value) is not self.kind:
            raise refused(name, kind_of(value), f"a {self.kind.__name__}")
        bind((len(value),), (self.size,), name, sizes)
        for place, part in enumerate(value):
            self.rule.check(part, f"{name}[{place}]", sizes, owner)


CURVE = Series(Number(finite=False))
COUNT = Number(0, 2**63 - 1, integer=True)
SEED = Number(0, 2**31 - 1, integer=True)


@dataclass(frozen=True)
class Parts:
    """A dict, or a tuple, with a rule for each part.

    Parameters
    ----------
    rules : dict of str to rule, or tuple of rule
    """

    rules: object

    def check(self, value, name, sizes, owner):
        kind = type(self.rules)
        if type(value) is not kind or len(value) != len(self.rules):
            raise refused(name, kind_of(value), f"a {kind.__name__} of {len(self.rules)}")
        keys = range(len(value)) if kind is tuple else self.rules
        for key in keys:
            if kind is dict and key not in value:
                raise refused(name, f"the keys {sorted(map(str, value))}", f"{key!r} among them")
            self.rules[key].check(value[key], f"{name}[{key!r}]", sizes, owner)


@dataclass(frozen=True)
class Named:
    """A dict of text to values that one rule allows."""

    rule: object

    def check(self, value, name, sizes, owner):
        if type(value) is not dict or not all(type(key) is str for key in value):
            raise refused(name, kind_of(value), "a dict with text as keys")
        for key, part in value.items():
            self.rule.check(part, f"{name}[{key!r}]", sizes, owner)


@dataclass(frozen=True)
class Names:
    """A 1-D array of text.

    Parameters
    ----------
    size : str
        Name of the size that its length is.
    """

    size: str

    def check(self, value, name, sizes, owner):
        if type(value) is not np.ndarray or value.dtype.kind not in "OU":
            raise refused(name, kind_of(value), "an array of text")
        bind(value.shape, (self.size,), name, sizes)
        if not all(isinstance(text, str) for text in value.tolist()):
            raise refused(name, "an entry that is no text", "text only")


@dataclass(frozen=True)
class Fitted:
    """A fitted estimator over the same items.

    Parameters
    ----------
    method : str, default="decision_function"
        Method that the estimator must have.
    size : str, default="n_items"
        Name of the size that its number of items is.
    """

    method: str = "decision_function"
    size: str = "n_items"

    def check(self, value, name, sizes, owner):
        if not isinstance(value, BaseEstimator) or not hasattr(value, self.method):
            raise refused(name, kind_of(value), f"an estimator with {self.method}")
        try:
            check_is_fitted(value)
        except NotFittedError as error:
            raise refused(name, "an estimator that is not fitted", "a fitted one") from error
        n_items = getattr(value, "n_features_in_", None)
        if n_items is not None:
            bind((n_items,), (self.size,), f"{name}.n_features_in_", sizes)


@dataclass(frozen=True)
class Absent:
    """An optional attribute; if it exists, a rule must hold.

    Parameters
    ----------
    rule : rule
    unless : callable or None, default=None
        ``unless(estimator)`` is true if the attribute must exist.
    """

    rule: object
    unless: object = field(default=None)


def required_if(condition, rule):
    """Rule of an attribute that must exist if ``condition(estimator)`` holds, and else may."""
    return Absent(rule, unless=condition)


def check_entries(matrix, name, *, ordered=False):
    """Raise unless a sound sparse matrix holds finite numbers; `ordered`: floats in order."""
    if matrix.dtype.kind not in "biuf":
        raise refused(f"{name}.data", f"dtype {matrix.dtype}", "numbers")
    if matrix.dtype.kind == "f" and not np.isfinite(matrix.data).all():
        raise refused(f"{name}.data", "NaN or infinity", "finite values")
    if ordered and str(matrix.dtype) not in FLOATS:
        raise refused(f"{name}.data", f"dtype {matrix.dtype}", " or ".join(FLOATS))
    if ordered and not matrix.has_canonical_format:
        raise refused(f"{name}.indices", "unsorted or repeated indices", "sorted ones")


def bind(found, expected, name, sizes):
    """Check a shape against expected sizes; a new name gets the size that is found."""
    if len(found) != len(expected):
        raise refused(name, f"{len(found)} dimensions", str(len(expected)))
    for size, wanted in zip(found, expected, strict=True):
        if isinstance(wanted, str):
            known = sizes.setdefault(wanted, size)
            if known != size:
                raise refused(name, f"shape {tuple(found)}", f"{wanted} = {known} in its place")
        elif wanted is not None and size != wanted:
            raise refused(name, f"shape {tuple(found)}", f"{wanted} in its place")


def kind_of(value):
    """Type of a value in words, for messages."""
    if isinstance(value, np.ndarray):
        return f"{type(value).__name__} of dtype {value.dtype} and shape {value.shape}"
    return f"{type(value).__name__}"


def refused(name, got, expected):
    """The ValueError for a value that breaks a rule."""
    return ValueError(f"{name} is not as a fit leaves it. Got {got}, expected {expected}.")
