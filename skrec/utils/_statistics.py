"""Models of sums over users: what is asked of each part of the rows, and how answers add up.

A model whose fit needs X only through sums over users says so in a generator, ``_rounds``: it
yields a `Pass`, gets the sum over all parts of X, and goes on. What walks over the parts is an
engine: this process, joblib's workers, or a cluster. So one piece of code serves all of them.
"""

from contextlib import closing
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse

__all__ = ["OnePart", "Pass", "SumsMixin", "add", "over_one", "over_parts", "run_rounds"]


class Pass(NamedTuple):
    """A walk over all parts of the rows.

    Attributes
    ----------
    function : callable
        ``function(X, *arguments) -> statistics``, a new object; pickled, so a function of a
        module or a method of an estimator that is not fitted.
    arguments : tuple
        The same for each part.
    kept : {None, "read", "write"}
        Whether the function takes what a part has of its own, which stays where the part is:
        ``function(X, kept, *arguments) -> statistics``, with "write" ``(statistics, kept)``. It
        is None before a pass has written it, and must not be changed in place.
    again : bool
        Whether later passes read the rows again, so that they had better stay in memory.
    rows : bool
        Whether the function looks at X. False, only with "read" or "write" after a pass that has
        written: X is None, and no part is opened.
    """

    function: object
    arguments: tuple = ()
    kept: str | None = None
    again: bool = False
    rows: bool = True


class SumsMixin:
    """A fit from one sum over users; stands left of the base of the estimator.

    `_part` makes the statistics of some rows, `_finish` the model of their sum. A model that
    needs more than one pass writes `_rounds` instead.
    """

    def _part(self, X, weight=None):
        """Statistics of some rows, see `add`; weight: of the rows, or None."""
        raise NotImplementedError

    def _finish(self, statistics):
        """Set the fitted attributes. The statistics may be used up."""
        raise NotImplementedError

    def _rounds(self, facts):
        """Generator of the passes of a fit; at its end the attributes are set.

        Parameters
        ----------
        facts : skrec.utils._parts.Facts
            What a pass before has found of X.
        """
        self._finish((yield Pass(self._part)))


def add(a, b, *, own=False):
    """Add statistics: numbers, arrays, sparse matrices, tuples of these, or what has ``+``.

    Parameters
    ----------
    a, b : object
        None is nothing.
    own : bool, default=False
        Whether arrays of `a` may be changed.

    Returns
    -------
    total : object
    """
    if a is None or b is None:
        return b if a is None else a
    if type(a) is tuple:
        return tuple(add(x, y, own=own) for x, y in zip(a, b, strict=True))
    if own and isinstance(a, np.ndarray) and a.ndim and a.dtype == np.result_type(a, b):
        return np.add(a, b, out=a)
    return (a + b).tocsr() if issparse(a) else a + b


def add_all(statistics):
    """Add up a list of statistics; none of them is changed."""
    some = [one for one in statistics if one is not None]
    if some and type(some[0]) is tuple:
        return tuple(map(add_all, zip(*some, strict=True)))
    total = None
    for i, one in enumerate(some):
        total = add(total, one, own=i > 1)  # from the second sum on it is our own
    return total


def over_one(ask, X, kept=None):
    """A pass over one part.

    Returns
    -------
    statistics, kept : object
    """
    if ask.kept is None:
        return ask.function(X, *ask.arguments), None
    found = ask.function(X, kept, *ask.arguments)
    return found if ask.kept == "write" else (found, None)


class OnePart:
    """Answers passes over one part: what `fit` drives its rounds with.

    Parameters
    ----------
    X : csr_array
    weight : ndarray of shape (n_users,) or None, default=None
        Functions that look at the rows get it as ``weight=``.
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
    """A pass over some parts, one after the other.

    Parameters
    ----------
    ask : Pass
    opened : iterable of csr_array
        A generator that opens them holds one at a time.
    kept : list or None
        What each part has of its own.

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
        # No name holds what a part adds while the next part makes its own: these may be large.
        total = add(total, found.pop(), own=True)
    return total, left


def run_rounds(rounds, answer):
    """Drive a generator of passes to its end.

    Parameters
    ----------
    rounds : generator of Pass
    answer : callable
        ``answer(ask)`` is the sum over all parts.
    """
    # No name holds a total while the next is made: `rounds` may let go of it before.
    totals = [None]
    with closing(rounds):
        while True:
            try:
                ask = rounds.send(totals.pop())
            except StopIteration:
                return
            totals.append(answer(ask))
