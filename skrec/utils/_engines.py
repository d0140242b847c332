"""Engines that walk over the parts of a matrix, in this process or in joblib's workers.

An engine has parts and a function that opens them. ``sum(ask)`` returns the sum of a `Pass` over
all parts, and ``map(function)`` returns the results of ``function(number, part)``.
"""

import joblib

from skrec.utils._statistics import add, over_parts, owned


class JoblibEngine:
    """Walk over parts in the workers of ``joblib.parallel_config``; by default one by one.

    Parameters
    ----------
    parts : list
        Arguments of `opener`. A worker opens the paths that it needs.
    opener : callable
        ``opener(part) -> csr_array``.
    """

    def __init__(self, parts, opener):
        self.parts, self.opener = list(parts), opener
        self._kept = None

    def with_opener(self, opener):
        """The same parts, opened by another function."""
        return JoblibEngine(self.parts, opener)

    def sum(self, ask):
        """The sum of a pass over all parts; this process stores the arrays that parts keep."""
        total, left = None, []
        with _workers() as parallel:
            groups = groups_of(len(self.parts), joblib.effective_n_jobs(parallel.n_jobs))
            # Sums are added as they arrive: each may be as large as the model.
            for found in parallel(self._tasks(ask, groups)):
                left += found.pop()
                # Popped from its list, which joblib holds until the next one arrives.
                total = add(total, found.pop(), own=True)
        if ask.kept == "write":
            self._kept = left
        return owned(total)

    def _tasks(self, ask, groups):
        for group in groups:
            parts = [self.parts[i] for i in group] if ask.rows else [None] * len(group)
            known = ask.kept is not None and self._kept is not None
            kept = [self._kept[i] for i in group] if known else None
            yield joblib.delayed(_over_group)(ask, self.opener, parts, kept)

    def map(self, function):
        """Results of ``function(number, part)``, in order."""
        return joblib.Parallel()(
            joblib.delayed(function)(number, part) for number, part in enumerate(self.parts)
        )

    def close(self):
        """Release the arrays that the parts keep."""
        self._kept = None


def groups_of(n_parts, n_groups):
    """Numbers of the parts of each group; a group holds consecutive parts."""
    n_groups = max(1, min(n_groups, n_parts))
    bounds = [i * n_parts // n_groups for i in range(n_groups + 1)]
    return [range(bounds[i], bounds[i + 1]) for i in range(n_groups)]


def _workers():
    try:
        return joblib.Parallel(return_as="generator")
    except ValueError:  # a backend that returns no result before it has all
        return joblib.Parallel()


def _over_group(ask, opener, parts, kept):
    """[sum, arrays that the parts keep] as a list, so that the caller can pop each."""
    ask = ask._replace(arguments=owned(ask.arguments))
    total, left = over_parts(ask, map(opener, parts) if ask.rows else parts, owned(kept))
    return [total, left if ask.kept == "write" else []]
