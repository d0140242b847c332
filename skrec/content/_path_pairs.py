"""Batches of interactions and negatives, with the paths from the user to each item."""

from typing import NamedTuple

import torch

from skrec._torch._pairs import ShuffledPairs


class PathPairs(NamedTuple):
    """`Pairs` with paths.

    Attributes
    ----------
    users, items, negatives, weight : tensor
        See `Pairs`.
    sums : tensor of shape (n_rows, d')
        Sums of the vectors of the users' items.
    found : list of int64 tensor of shape (n_rows, 1 + n_negatives, k)
        Places of instances for the item and its negatives, one tensor for each metapath.
    """

    users: torch.Tensor
    items: torch.Tensor
    negatives: torch.Tensor
    weight: torch.Tensor
    sums: torch.Tensor
    found: list

    @property
    def n_rows(self):
        """Number of interactions."""
        return len(self.users)


class ShuffledPathPairs:
    """`ShuffledPairs` with paths, searched on the CPU and copied without waiting.

    Parameters
    ----------
    problem : Problem
    batch_size, n_negatives : int
    graph : Graph
    """

    def __init__(self, problem, batch_size, n_negatives, graph):
        self._X, self._device, self._finder = problem.X, problem.device, graph.finder
        self._sums = torch.from_numpy(graph.sums(problem.X)).to(self._device)
        here = problem._replace(device=torch.device("cpu"))
        self._pairs = ShuffledPairs(here, batch_size, n_negatives)

    def __len__(self):
        return len(self._pairs)

    def __iter__(self):
        for batch in self._pairs:
            items = torch.cat([batch.items[:, None], batch.negatives], dim=1)
            found = self._finder.of_pairs(self._X, batch.users.numpy(), items.numpy(), own=True)
            found = [self._there(torch.from_numpy(part)) for part in found]
            batch = batch._replace(**{k: self._there(v) for k, v in batch._asdict().items()})
            yield PathPairs(*batch, self._sums[batch.users], found)

    def _there(self, part):
        if self._device.type == "cpu":
            return part
        return part.pin_memory().to(self._device, non_blocking=True)
