"""The validation score of `skrec.neural_network.ResidualMF` for early stopping."""

import numpy as np

from skrec._evaluation._default_score import ndcg_of_users
from skrec._evaluation._entries import entries_to_watch, entry_rows, select_entries


class HeldEntries:
    """Held-out entries of users, and the score of finding them.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
    hidden : ndarray of bool of shape (nnz,)
    is_rating : bool
        Whether the score is minus the RMSE; else nDCG@100.

    Attributes
    ----------
    train : csr_array of shape (n_users, n_items)
        The entries that are not held out.
    """

    def __init__(self, X, hidden, is_rating):
        self.train, self._held = select_entries(X, ~hidden), select_entries(X, hidden)
        self._is_rating = is_rating

    def score(self, arrays, added=None):
        """The score of factors plus an added network; higher is better.

        Parameters
        ----------
        arrays : Arrays
        added : BranchScorer, default=None
        """
        dtype = np.dtype(np.float32)
        if self._is_rating:
            rows, items = entry_rows(self._held), self._held.indices.astype(np.int64)
            found = arrays.pair_scores(rows, items, dtype)
            if added is not None:
                found += added.pairs(arrays.users, rows, items)
            return -float(np.sqrt(np.mean((self._held.data - found) ** 2)))

        def scores(users):
            some = arrays.take(users)
            found = some.scores(dtype)
            return found if added is None else found + added.dense(some.users)

        return ndcg_of_users(scores, self.train, self._held)


def hold_entries(X, share, seed, is_rating):
    """`HeldEntries` of a share of the rows; None if no user has two items."""
    hidden = entries_to_watch(X, share, seed)
    return None if hidden is None else HeldEntries(X, hidden, is_rating)
