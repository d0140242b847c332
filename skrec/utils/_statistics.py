"""Models whose fit needs only sums over users: passes over the parts of X, and their sums.

Such a model implements the generator ``_rounds``: it yields a `Pass`, receives the sum over all
parts of X, and continues. An engine walks over the parts: this process, joblib's workers, or a
cluster. So the same code serves all engines.
"""

from contextlib import closing
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array, issparse

__all__ = ["OnePart", "Pass", "SumsMixin", "add", "over_one", "over_parts", "owned", "run_rounds"]


class Pass(NamedTuple):
    """A walk over all parts of the rows.

    Attributes
    ----------
    function : callable
        ``function(X, *arguments) -> statistics``, a new object. It is pickled, so it must be a
        function of a module or a method of an unfitted estimator.
    arguments : tuple
        Further arguments, equal for all parts.
    kept : {None, "read", "write"}
        Whether the function uses an object that a part keeps where the part is. With "read" it
        is called as ``function(X, kept, *arguments) -> statistics``, with "write" it returns
        ``(statistics, kept)``. `kept` is None before a pass has written it, and must not be
        changed in place.
    again : bool
        Whether later passes read the rows again, so that they should stay in memory.
    rows : bool
        Whether the function reads X. With False, X is None and no part is opened; this needs
        "read" or "write", and an earlier pass with "write".
    """

    function: object
    arguments: tuple = ()
    kept: str | None = None
    again: bool = False
    rows: bool = True


class SumsMixin:
    """A fit from one sum over users; stands left of the base of the estimator.

    `_part` computes the statistics of some rows, and `_finish` builds the model from their sum.
    A model that needs more than one pass implements `_rounds` instead.
    """

    def _part(self, X, weight=None):
        """Statistics of some rows, see `add`. `weight`: weights of the rows, or None."""
        raise NotImplementedError

    def _finish(self, statistics):
        """Set the fitted attributes. May change the statistics in place."""
        raise NotImplementedError

    def _rounds(self, facts):
        """Yield the passes of a fit, then set the fitted attributes.

        Parameters
        ----------
        facts : skrec.utils._parts.Facts
            Facts about X, found by an earlier pass.
        """
        self._finish((yield Pass(self._part)))


def add(a, b, *, own=False):
    """Add statistics: numbers, arrays, sparse matrices, tuples of these, or objects with ``+``.

    Parameters
    ----------
    a, b : object
        None counts as zero.
    own : bool, default=False
        Whether arrays of `a` may be changed in place, where they are writable.

    Returns
    -------
    total : object
    """
    if a is None or b is None:
        return b if a is None else a
    if type(a) is tuple:
        return tuple(add(x, y, own=own) for x, y in zip(a, b, strict=True))
    in_place = own and isinstance(a, np.ndarray) and a.ndim and a.flags.writeable
    if in_place and a.dtype == np.result_type(a, b):
        return np.add(a, b, out=a)
    return (a + b).tocsr() if issparse(a) else a + b


def add_all(statistics):
    """Add up a list of statistics without changing them."""
    some = [one for one in statistics if one is not None]
    if some and type(some[0]) is tuple:
        return tuple(map(add_all, zip(*some, strict=True)))
    total = None
    for i, one in enumerate(some):
        total = add(total, one, own=i > 1)  # the first sum makes a new array
    return total


def owned(value):
    """Arrays fit for kernels and for changes in place.

    Arrays that come from the network, from a mapped file or from a store that workers share may be
    read-only and unaligned: such an array is copied. Other arrays are returned as they are.
    """
    if isinstance(value, np.ndarray):
        return np.require(value, requirements="WA")
    if isinstance(value, csr_array):
        arrays = (owned(value.data), owned(value.indices), owned(value.indptr))
        return csr_array(arrays, shape=value.shape)
    if type(value) in (tuple, list):
        return type(value)(map(owned, value))
    return value


def over_one(ask, X, kept=None):
    """Run a pass over one part.

    Returns
    -------
    statistics, kept : object
    """
    if ask.kept is None:
        return ask.function(X, *ask.arguments), None
    found = ask.function(X, kept, *ask.arguments)
    return found if ask.kept == "write" else (found, None)


class OnePart:
    """Answers the passes of `fit` over a single part.

    Parameters
    ----------
    X : csr_array
    weight : ndarray of shape (n_users,) or None, default=None
        Functions that read the rows get it as ``weight=``.
    """

    def __init__(self, X, weight=None):
        self.X, self.weight, self._kept = X, weight, None

    def __call__(self, ask):
        if not ask.rows:
            return over_one(ask, None, self._kept)[0]
        if self.weight is not None:
            ask = ask._replace(function=partial(ask.function, weight=self.weight))
        statistics, kept = over_one(ask, self.X, self._kept)
        if ask.kept == "write":
            self._kept = kept
        return statistics


def over_parts(ask, opened, kept=None):
    """Run a pass over some parts, one after the other.

    Parameters
    ----------
    ask : Pass
    opened : iterable of csr_array
        The opened parts. A generator keeps only one part in memory.
    kept : list or None
        The kept object of each part.

    Returns
    -------
    statistics : object
        The sum.
    kept : list
    """
    total, left = None, []
    for i, X in enumerate(opened):
        found = [*over_one(ask, X, None if kept is None else kept[i])]
        left.append(found.pop())
        # Popped, so that no name holds a part's large statistics while the next are computed.
        total = add(total, found.pop(), own=True)
    return total, left


def run_rounds(rounds, answer):
    """Drive a generator of passes to its end.

    Parameters
    ----------
    rounds : generator of Pass
    answer : callable
        ``answer(ask)`` returns the sum over all parts.
    """
    # Popped, so that no name holds a total while the next is computed: `rounds` may free it.
    totals = [None]
    with closing(rounds):
        while True:
            try:
                ask = rounds.send(totals.pop())
            except StopIteration:
                return
            totals.append(answer(ask))
