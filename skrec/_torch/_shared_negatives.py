"""Negatives that a whole batch shares: drawn for each batch, or every item."""

import numpy as np
import torch

from skrec._loss._shared_negatives import Shared


class SharedNegatives:
    """Draws of items that somebody has, in proportion to weights, with a known expectation.

    Draw k of m looks up a uniform number from [k/m, (k + 1)/m) in the cumulated shares p of the
    items. So item j is drawn ``m p_j`` times in expectation. If m is the number of items and all
    shares are equal, each item is drawn once.

    Parameters
    ----------
    popularity : ndarray of int of shape (n_items,)
        Number of users of each item.
    n_draws : int or None
        None: every item that somebody has, once.
    by_popularity : bool
        Whether items are drawn in proportion to their users; otherwise uniformly.
    device : torch.device
    generator : torch.Generator
        Always on the CPU.
    """

    def __init__(self, popularity, n_draws, by_popularity, device, generator):
        self._device, self._generator = device, generator
        self._present = np.flatnonzero(popularity)
        n_present = len(self._present)
        n = self._n_draws = n_present if n_draws is None else min(int(n_draws), n_present)
        self._is_whole = n_draws is None or (n == n_present and not by_popularity)
        shares = popularity[self._present] if by_popularity else np.ones(n_present)
        self._cumulated = np.cumsum(shares / max(1, shares.sum()))
        expected = np.zeros(len(popularity))
        if not self._is_whole:
            expected[self._present] = np.log(n * np.diff(self._cumulated, prepend=0))
        self._log_expected = torch.tensor(expected, dtype=torch.float32, device=device)
        self._everything = None
        if self._is_whole:
            self._everything = self._shared(self._present, np.ones(n_present))

    def _shared(self, items, counts):
        log_count = torch.tensor(np.log(counts), dtype=torch.float32)
        parts = (torch.from_numpy(items), log_count)
        return Shared(*(part.to(self._device) for part in parts), self._log_expected)

    def __call__(self):
        """The negatives of a batch, as `Shared`."""
        if self._is_whole:
            return self._everything
        n = self._n_draws
        uniform = torch.rand(n, dtype=torch.float64, generator=self._generator).numpy()
        found = np.searchsorted(self._cumulated, (np.arange(n) + uniform) / n, side="right")
        found = np.minimum(found, len(self._present) - 1)  # rounding
        items, counts = np.unique(found, return_counts=True)
        return self._shared(self._present[items], counts)


def seen_places(rows, shared):
    """Whether each row has each negative: bool tensor of shape (n_rows, n_negatives).

    Parameters
    ----------
    rows : Rows
    shared : Shared
    """
    seen = torch.zeros(rows.n_rows, len(shared.items) + 1, dtype=torch.bool, device=rows.row.device)
    seen[rows.row, shared.places(rows.column)] = True  # other items go to the last place, -1
    return seen[:, :-1]
