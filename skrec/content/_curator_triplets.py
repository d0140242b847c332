"""Triplets of a profile, an item to rank high and an item to rank below it."""

from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse import csr_array

from skrec._torch._rows import DeviceRows, Rows

GUIDELINES = ("profile", "item", "style", "group")
# Interactions that get triplets at once, and draws after which an interaction is given up.
_CHUNK = 2**16
_N_DRAWS = 20


class GuidelinesRule:
    """Rule of a parameter: some of the guidelines, each once."""

    def __contains__(self, value):
        is_list = isinstance(value, tuple | list) and len(value) > 0
        names = is_list and all(isinstance(name, str) and name in GUIDELINES for name in value)
        return names and len(set(value)) == len(value)

    def __str__(self):
        return f"a tuple of some of {', '.join(map(repr, GUIDELINES))}, each once"


class LabelsRule:
    """Rule of a parameter: a label for each item, whole numbers or text."""

    def __contains__(self, value):
        if not isinstance(value, np.ndarray | list | tuple):
            return False
        try:
            labels = np.asarray(value)
        except ValueError:
            return False
        kinds = labels.dtype.kind in "iuU"
        return labels.ndim == 1 and (kinds or all(isinstance(one, str) for one in labels))

    def __str__(self):
        return "an array of whole numbers or text of shape (n_items,)"


class Labels:
    """Items by a label, to draw items with the same label.

    Parameters
    ----------
    label : ndarray of int64 of shape (n_items,)
        From 0.
    user, item : ndarray of int64 of shape (n_entries,)
        Pairs of a user and an item of the user.
    """

    def __init__(self, label, user, item):
        self.label, self._n = label, int(label.max(initial=0)) + 1
        self._members = np.argsort(label, kind="stable")
        self._count = np.bincount(label, minlength=self._n)
        self._start = np.cumsum(self._count) - self._count
        self._of_rows = np.unique(user * self._n + label[item])

    def drawn(self, item, uniform):
        """For each item, a drawn item with the same label, possibly itself."""
        label = self.label[item]
        place = self._start[label] + (uniform * self._count[label]).astype(np.int64)
        return self._members[place]

    def in_row(self, user, item):
        """Whether the user has an item with the label of the given item."""
        return among(self._of_rows, user * self._n + self.label[item])


def among(ascending, values):
    """Which values occur in an ascending array."""
    if not len(ascending):
        return np.zeros(len(values), bool)
    place = np.searchsorted(ascending, values)
    return ascending[np.minimum(place, len(ascending) - 1)] == values


class Drawn(NamedTuple):
    """Triplets, arrays of shape (n,).

    Attributes
    ----------
    user : ndarray of int64
        The row that is the profile, or -1.
    single : ndarray of int64
        The item that alone is the profile, or -1.
    own : ndarray of int64
        The item that is left out of the row, or -1.
    positive, negative : ndarray of int64
    entry : ndarray of int64
        The interaction behind the triplet.
    """

    user: np.ndarray
    single: np.ndarray
    own: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    entry: np.ndarray


class Curator:
    """Draws triplets for interactions by a guideline.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
        Canonical.
    looks : Looks or None
        Looks of the items; None: nothing is known of them.
    cluster, group : ndarray of int64 of shape (n_items,) or None
        Labels of the items.
    cluster_share, margin : float
        See `CuratorNet`.
    uniform : callable
        ``uniform(n)`` returns n numbers in [0, 1).
    """

    def __init__(self, X, looks, cluster, group, *, cluster_share, margin, uniform):
        self._n_items, self._looks, self._uniform = X.shape[1], looks, uniform
        self._cluster_share, self._margin = 0.0 if cluster is None else cluster_share, margin
        self._length = np.diff(X.indptr).astype(np.int64)
        self.item = X.indices.astype(np.int64)
        self.user = np.repeat(np.arange(X.shape[0], dtype=np.int64), self._length)
        self._key = self.user * self._n_items + self.item  # ascends
        cell = None
        if cluster is not None and group is not None:
            pairs = cluster * (group.max(initial=0) + 1) + group
            cell = np.unique(pairs, return_inverse=True)[1]
        elif cluster is not None or group is not None:
            cell = group if cluster is None else cluster
        self._cluster, self._groups, self._cells = (
            None if label is None else Labels(label, self.user, self.item)
            for label in (cluster, group, cell)
        )

    def __call__(self, guideline, entry):
        """Triplets for some entries of X, as `Drawn`: at most one per entry."""
        propose = getattr(self, f"_{guideline}")
        if guideline == "profile":  # the other items of the row rank an item
            entry = entry[self._length[self.user[entry]] > 1]
        pair = propose(self.user[entry], self.item[entry])
        kept = pair[:, 0] >= 0
        pair, entry = pair[kept], entry[kept]
        user, item, none = self.user[entry], self.item[entry], np.full(len(entry), -1)
        of_row = guideline in ("profile", "style")
        return Drawn(
            user if of_row else none,
            none if of_row else item,
            item if guideline == "profile" else none,
            *pair.T,
            entry,
        )

    def _profile(self, user, item):
        """Each item above one that the row does not have."""
        return self._above(item, lambda at, other: ~self._has(user[at], other))

    def _item(self, user, item):
        """Each item above any other."""
        return self._above(item, lambda at, other: other != item[at])

    def _above(self, item, allowed):
        near = self._uniform(len(item)) < self._cluster_share

        def propose(at, n_draws):
            other = self._any(len(at))
            # A cluster may hold no allowed item.
            close = np.flatnonzero(near[at] & (n_draws < _N_DRAWS // 2))
            if len(close):
                other[close] = self._cluster.drawn(item[at[close]], self._uniform(len(close)))
            return np.column_stack([item[at], other])

        return self._drawn(len(item), propose, lambda at, pair: allowed(at, pair[:, 1]))

    def _style(self, user, item):
        """An item like one of the row's items, above an item like none of them."""
        if self._cells is None:
            return np.full((len(item), 2), -1)

        def propose(at, n_draws):
            like = self._cells.drawn(item[at], self._uniform(len(at)))
            return np.column_stack([like, self._any(len(at))])

        def accept(at, pair):
            fine = ~self._has(user[at], pair[:, 0])
            for labels in (self._cluster, self._groups):
                if labels is not None:
                    fine &= ~labels.in_row(user[at], pair[:, 1])
            return fine

        return self._drawn(len(item), propose, accept)

    def _group(self, user, item):
        """An item of the same group, above an item of another group that looks less similar."""

        def propose(at, n_draws):
            fellow = self._groups.drawn(item[at], self._uniform(len(at)))
            return np.column_stack([fellow, self._any(len(at))])

        def accept(at, pair):
            label, (fellow, other) = self._groups.label, pair.T
            fine = (fellow != item[at]) & (label[other] != label[item[at]])
            if self._looks is not None:
                likeness = self._looks.cosines(item[at], fellow)
                fine &= likeness >= self._looks.cosines(item[at], other) + self._margin
            return fine

        return self._drawn(len(item), propose, accept)

    def _drawn(self, n, propose, accept):
        """Accepted pairs of items that do not look the same: (n, 2), -1 for none."""
        found, left = np.full((n, 2), -1), np.arange(n)
        for n_draws in range(_N_DRAWS):
            if not len(left):
                break
            pair = propose(left, n_draws)
            fine = accept(left, pair)
            if self._looks is not None:
                fine &= ~self._looks.same(*pair.T)
            found[left[fine]] = pair[fine]
            left = left[~fine]
        return found

    def _any(self, n):
        return (self._uniform(n) * self._n_items).astype(np.int64)

    def _has(self, user, item):
        return among(self._key, user * self._n_items + item)


class Triplets(NamedTuple):
    """A batch: n triplets with rows as profiles, then m with single items as profiles.

    Attributes
    ----------
    rows : Rows
        The distinct profiles.
    place : int64 tensor of shape (n,)
        The row that is the profile.
    own : int64 tensor of shape (n,)
        The item to leave out of the row, -1 for none.
    single : int64 tensor of shape (m,)
    positive, negative : int64 tensor of shape (n + m,)
    weight : float tensor of shape (n + m,)
        Weights of the users in the loss, with mean 1 over the users.
    """

    rows: Rows
    place: torch.Tensor
    own: torch.Tensor
    single: torch.Tensor
    positive: torch.Tensor
    negative: torch.Tensor
    weight: torch.Tensor

    @property
    def n_rows(self):
        """Number of triplets."""
        return len(self.positive)


class ShuffledTriplets:
    """Batches of triplets for all interactions; each pass draws anew, in a new order.

    Parameters
    ----------
    problem : Problem
    batch_size : int
    guidelines : tuple of str
    labels : callable
        ``labels(kept)`` returns the `looks`, `cluster` and `group` of `Curator` for the items
        that have users.
    **rules
        The `cluster_share` and the `margin` of `Curator`.
    """

    def __init__(self, problem, batch_size, guidelines, labels, *, cluster_share, margin):
        X = problem.X
        self._generator, self._device = problem.generator, problem.device
        self._batch_size, self._guidelines = int(batch_size), tuple(guidelines)
        self._present = np.unique(X.indices).astype(np.int64)
        columns = np.searchsorted(self._present, X.indices)
        known = csr_array((X.data, columns, X.indptr), shape=(X.shape[0], len(self._present)))
        self._curator = Curator(
            known,
            *labels(self._present),
            cluster_share=cluster_share,
            margin=margin,
            uniform=self._uniform,
        )
        self._rows = DeviceRows(X, problem.device, weight=problem.weight)
        weight = np.ones(X.shape[0]) if problem.weight is None else problem.weight
        self._weight = (weight / np.mean(weight)).astype(np.float32)

    def __len__(self):
        n_rest = len(self._curator.item) % _CHUNK
        sizes = [_CHUNK] * (len(self._curator.item) // _CHUNK) + [n_rest] * (n_rest > 0)
        # An upper bound: not every interaction has a triplet by each guideline.
        return sum(-(-n * len(self._guidelines) // self._batch_size) for n in sizes)

    def __iter__(self):
        order = torch.randperm(len(self._curator.item), generator=self._generator)
        for entry in order.split(_CHUNK) if len(order) else ():
            parts = [self._curator(name, entry.numpy()) for name in self._guidelines]
            drawn = Drawn(*map(np.concatenate, zip(*parts, strict=True)))
            if len(drawn.entry):
                yield from self._batches_of(drawn)

    def _batches_of(self, drawn):
        mixed = torch.randperm(len(drawn.entry), generator=self._generator).numpy()
        batch = np.arange(len(mixed)) // self._batch_size
        is_single = drawn.single[mixed] >= 0
        mixed = mixed[np.lexsort((is_single, batch))]
        n_of_rows = np.bincount(batch, ~is_single).astype(int)
        user, single, own, positive, negative, entry = (part[mixed] for part in drawn)
        weight = self._weight[self._curator.user[entry]]
        single, own, positive, negative = (
            np.where(item >= 0, self._present[item], -1)
            for item in (single, own, positive, negative)
        )
        parts = (user, single, own, positive, negative, weight)
        parts = (torch.from_numpy(part).to(self._device) for part in parts)
        for n, (user, single, own, positive, negative, weight) in zip(
            n_of_rows, zip(*(part.split(self._batch_size) for part in parts), strict=True),
            strict=True,
        ):  # fmt: skip
            distinct, place = torch.unique(user[:n], return_inverse=True)
            yield Triplets(
                self._rows[distinct], place, own[:n], single[n:], positive, negative, weight
            )

    def _uniform(self, n):
        return torch.rand(n, dtype=torch.float64, generator=self._generator).numpy()
