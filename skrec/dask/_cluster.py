"""An engine over the workers of a Dask cluster; imported only if there is a cluster."""

from operator import itemgetter

import dask
from dask.base import is_dask_collection
from distributed import Future

from skrec.utils._engines import groups_of
from skrec.utils._statistics import add_all, over_parts, owned

# The number of sums that one task adds up; the statistics of a few workers are large.
_FAN_IN = 4


class ClusterEngine:
    """Parts over the workers of a cluster.

    Consecutive parts form a group, one for each thread of the cluster. One task walks over a group
    and holds one sum. The sums of the groups are added up as a tree.

    Data for all groups, such as the item vectors of a sweep, are the result of a task, and not
    scattered by the client. If the worker that holds them is lost, the scheduler computes them
    again, together with everything else of that worker.

    Parameters
    ----------
    client : distributed.Client
    parts : list
        Paths, futures, delayed objects, or blocks of rows.
    opener : callable
        ``opener(part) -> csr_array``.
    """

    def __init__(self, client, parts, opener):
        client.wait_for_workers(1)
        self.client, self.opener = client, opener
        with _large_arguments():
            self.parts = [_on_cluster(client, part) for part in parts]
        n_threads = sum(client.nthreads().values())
        self._groups = [[self.parts[i] for i in g] for g in groups_of(len(self.parts), n_threads)]
        self.close()

    def with_opener(self, opener):
        """The same parts, opened by another function."""
        twin = object.__new__(ClusterEngine)
        vars(twin).update(vars(self), opener=opener)
        twin.close()
        return twin

    def sum(self, ask):
        """The sum of a pass over all parts; data that the parts keep stay on the workers."""
        with _large_arguments():
            ask_at_workers = self._submit(_received, ask)
            if self._opener_at_workers is None:
                self._opener_at_workers = self._submit(_received, self.opener)
            if ask.rows and (ask.again or ask.kept) and self._opened is None:
                self._opened = [
                    self._submit(_open_group, self._opener_at_workers, group)
                    for group in self._groups
                ]
            found = self._over_groups(ask_at_workers, ask)
            if ask.kept == "write":
                self._kept = [self._submit(itemgetter(1), pair) for pair in found]
            sums = [self._submit(itemgetter(0), pair) for pair in found]
            del found
            while len(sums) > 1:
                sums = [
                    self._submit(add_all, sums[i : i + _FAN_IN])
                    for i in range(0, len(sums), _FAN_IN)
                ]
            return owned(sums[0].result())

    def _over_groups(self, ask_at_workers, ask):
        kept = self._kept if ask.kept and self._kept else [None] * len(self._groups)
        if not ask.rows:
            return [self._submit(_over_kept, ask_at_workers, own) for own in kept]
        if self._opened is not None:
            return [
                self._submit(_over_opened, ask_at_workers, *pair)
                for pair in zip(self._opened, kept, strict=True)
            ]
        return [
            self._submit(_over_group, ask_at_workers, self._opener_at_workers, *pair)
            for pair in zip(self._groups, kept, strict=True)
        ]

    def map(self, function):
        """Results of ``function(number, part)``, in order."""
        with _large_arguments():
            function = self._submit(_received, function)
            found = [
                self._submit(_call, function, number, part)
                for number, part in enumerate(self.parts)
            ]
            return self.client.gather(found)

    def close(self):
        """Release the data in the memory of the workers."""
        self._opened = self._kept = self._opener_at_workers = None

    def _submit(self, function, *arguments):
        # Not pure: hashing large arguments takes time, and no call repeats.
        return self.client.submit(function, *arguments, pure=False)


def _on_cluster(client, part):
    """An argument for a task: a path as it is, anything else as the result of a task."""
    if isinstance(part, str) or hasattr(part, "__fspath__"):
        return part
    if is_dask_collection(part):
        return client.compute(part)
    if isinstance(part, Future):
        return part
    return client.submit(_received, part, pure=False)


def _large_arguments():
    """A block in which tasks may have large arguments without a warning of Dask."""
    return dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TB"})


def _received(value):
    return value


def _call(function, *arguments):
    return function(*arguments)


def _open_group(opener, parts):
    return [opener(owned(part)) for part in parts]


def _over_group(ask, opener, parts, kept):
    return _over_opened(ask, (opener(owned(part)) for part in parts), kept)


def _over_kept(ask, kept):
    return _over_opened(ask, [None] * len(kept), kept)


def _over_opened(ask, opened, kept):
    ask = ask._replace(arguments=owned(ask.arguments))
    return over_parts(ask, map(owned, opened), owned(kept))
