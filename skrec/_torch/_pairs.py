"""Batches of interactions with negatives drawn for them."""

from typing import NamedTuple

import numpy as np
import torch

from skrec._torch._pairs_kernels import missing_items
from skrec.utils._parallel import plain_interrupts

# Interactions whose negatives are drawn at once.
_CHUNK = 2**18


class Pairs(NamedTuple):
    """Some interactions, each with items that its user does not have.

    Attributes
    ----------
    users : int64 tensor of shape (n_rows,)
        Rows of the training matrix.
    items : int64 tensor of shape (n_rows,)
    negatives : int64 tensor of shape (n_rows, n_negatives)
    weight : float tensor of shape (n_rows,)
        Weights of the users in the loss, with mean 1 over the users.
    """

    users: torch.Tensor
    items: torch.Tensor
    negatives: torch.Tensor
    weight: torch.Tensor

    @property
    def n_rows(self):
        """Number of interactions."""
        return len(self.users)


class ShuffledPairs:
    """Batches of all interactions in a new order for each pass, with new negatives.

    Negatives are drawn uniformly, with replacement, among the items that somebody has and the
    user does not: an item without users is never a negative. Users who have every item that
    anybody has take no part.

    Parameters
    ----------
    problem : Problem
    batch_size : int
        Interactions in a batch.
    n_negatives : int
        Draws for each interaction.

    Notes
    -----
    Memory beside the matrix is up to 24 bytes for each interaction, plus the draws of 2**18
    interactions.
    """

    def __init__(self, problem, batch_size, n_negatives):
        X, device = problem.X, problem.device
        self._batch_size, self._n_negatives = int(batch_size), int(n_negatives)
        self._generator = problem.generator
        present = np.flatnonzero(np.bincount(X.indices, minlength=X.shape[1]))
        column = np.searchsorted(present, X.indices)
        lengths = np.diff(X.indptr).astype(np.int64)
        rows = np.repeat(np.arange(X.shape[0], dtype=np.int64), lengths)
        # Below the k-th item c_k of a row, c_k - k items are left. Keys of later rows are larger.
        rank = np.arange(X.nnz, dtype=np.int64) - X.indptr[rows]
        self._stride = len(present) + 1
        weight = np.ones(X.shape[0]) if problem.weight is None else problem.weight
        taught = np.flatnonzero((lengths < len(present))[rows])

        def put(array, dtype=torch.int64):
            # A matrix may be read-only (a memory map), and torch warns of that.
            return torch.as_tensor(np.require(array, requirements=("C", "W")), dtype=dtype).to(
                device
            )

        self._users, self._items = put(rows[taught]), put(X.indices[taught])
        self._n_samples = len(taught)
        self._first, self._left = put(X.indptr), put(len(present) - lengths)
        self._present = put(present)
        if device.type == "cpu":
            self._below = (column - rank).astype(np.int32)
        else:
            self._key = put(rows * self._stride + column - rank)
        self._weight = put(weight / np.mean(weight), torch.float32)

    def __len__(self):
        return sum(-(-n // self._batch_size) for n in self._chunks())

    def __iter__(self):
        order = torch.randperm(len(self._users), generator=self._generator)
        order = order.to(self._users.device)
        for chunk in order.split(self._chunk_size) if len(order) else ():
            yield from self._batches_of(chunk)

    def _batches_of(self, chosen):
        """Batches of the interactions at the places `chosen`, in this order."""
        users = self._users[chosen]
        parts = (users, self._items[chosen], self._negatives(users), self._weight[users])
        for batch in zip(*(part.split(self._batch_size) for part in parts), strict=True):
            yield Pairs(*batch)

    @property
    def _chunk_size(self):
        # Whole batches.
        return max(1, _CHUNK // self._batch_size) * self._batch_size

    def _chunks(self):
        whole, rest = divmod(self._n_samples, self._chunk_size)
        return [self._chunk_size] * whole + [rest] * (rest > 0)

    def _negatives(self, users):
        shape = (len(users), self._n_negatives)
        uniform = torch.rand(shape, dtype=torch.float64, generator=self._generator)
        if users.device.type == "cpu":
            found = torch.empty(shape, dtype=torch.int64)
            arrays = (self._below, self._first.numpy(), self._left.numpy(), found.numpy())
            with plain_interrupts():
                missing_items(users.numpy(), uniform.numpy(), *arrays)
            return self._present[found]
        # Among the items that are left, in their order.
        place = (uniform.to(users.device) * self._left[users, None]).long()
        key = users[:, None] * self._stride + place
        before = torch.searchsorted(self._key, key, right=True) - self._first[users, None]
        return self._present[place + before]


class PairsOfUsers(ShuffledPairs):
    """Batches of users drawn uniformly, with replacement, each with one of the user's items.

    So all users count alike, not all interactions. Negatives, and the users who take no part, are
    as in `ShuffledPairs`.

    Parameters
    ----------
    problem : Problem
    batch_size : int
        Draws of a user in a batch.
    n_negatives : int
        Draws of an item for each of these users.
    n_samples : int or None, default=None
        Draws of a user in a pass; None: as many as there are interactions.
    """

    def __init__(self, problem, batch_size, n_negatives, n_samples=None):
        super().__init__(problem, batch_size, n_negatives)
        # Interactions are sorted by user: where each user's begin, and how many each user has.
        _, self._counts = torch.unique_consecutive(self._users, return_counts=True)
        self._starts = self._counts.cumsum(0) - self._counts
        if n_samples is not None and len(self._users):
            self._n_samples = int(n_samples)

    def __iter__(self):
        for size in self._chunks():
            uniform = torch.rand(2, size, dtype=torch.float64, generator=self._generator)
            uniform = uniform.to(self._users.device)
            who = (uniform[0] * len(self._counts)).long()
            chosen = self._starts[who] + (uniform[1] * self._counts[who]).long()
            yield from self._batches_of(chosen)
