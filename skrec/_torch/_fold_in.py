"""Terms of the objectives of folded-in users, in groups of rows of similar length."""

from typing import NamedTuple

import numpy as np
import torch

# Negatives drawn for a folded-in row.
N_DRAWS = 256
# Most numbers in memory for a group of rows.
_GROUP_SIZE = 2**21
_MAX_ROWS = 1024


class Terms(NamedTuple):
    """Items and drawn negatives of some rows, padded to one length.

    Attributes
    ----------
    rows : int64 tensor of shape (n,)
        Indices of the rows.
    items : int64 tensor of shape (n, p)
    w : float64 tensor of shape (n, p)
        1; 0 for padding.
    negatives : int64 tensor of shape (n, m)
    v : float64 tensor of shape (n, m)
        n_negatives / m; 0 in rows that have every item.
    """

    rows: torch.Tensor
    items: torch.Tensor
    w: torch.Tensor
    negatives: torch.Tensor
    v: torch.Tensor


def terms_of_rows(X, negatives, n_negatives, device, *, numbers_of_row):
    """Go through the rows of a matrix in groups, as `Terms`.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
        Canonical; the values are not read.
    negatives : ndarray of intp of shape (n_rows, m)
        Items that the rows do not have; -1 for rows that have all items.
    n_negatives : int
        Negatives of each interaction in training.
    device : torch.device
    numbers_of_row : callable
        ``numbers_of_row(lengths)`` returns how many numbers rows of these lengths need.

    Yields
    ------
    terms : Terms
    """
    lengths = np.diff(X.indptr)
    # Rows of similar length go together, to pad little.
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        some = order[start : start + _MAX_ROWS]
        size = np.arange(1, len(some) + 1) * numbers_of_row(lengths[some])
        some = some[: max(1, int((size <= _GROUP_SIZE).sum()))]
        start += len(some)
        parts = (some, *_padded(X[some], negatives[some], n_negatives))
        yield Terms(*(torch.from_numpy(part).to(device) for part in parts))


def _padded(X, negatives, n_negatives):
    lengths = np.diff(X.indptr)
    shape = (X.shape[0], lengths.max(initial=0))
    items, w = np.zeros(shape, np.int64), np.zeros(shape)
    row = np.repeat(np.arange(X.shape[0]), lengths)
    place = np.arange(X.nnz) - X.indptr[row]
    items[row, place], w[row, place] = X.indices, 1
    drawn = negatives >= 0
    each = n_negatives / negatives.shape[1]
    return items, w, np.where(drawn, negatives, 0), np.where(drawn, each, 0.0)
