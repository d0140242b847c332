"""Early stopping by entries that are held out from the rows of all users."""

import numpy as np

from skrec._evaluation._default_score import ndcg_of_users
from skrec._evaluation._entries import entries_to_watch, select_entries
from skrec._torch._problem import HeldOut


def hold_out_entries(X, share, seed, make_scores):
    """Hold out a share of the entries of at most 10,000 users, as `HeldOut`.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
        Canonical.
    share : float
    seed : int
    make_scores : callable
        ``make_scores(module, problem)`` returns a function that maps an array of users to a new
        array of their scores, of shape (n, n_items).

    Returns
    -------
    held_out : HeldOut or None
        Its score is the mean nDCG@100. None if no user has two items.
    """
    hidden = entries_to_watch(X, share, seed)
    if hidden is None:
        return None
    held = select_entries(X, hidden)
    without_users = np.bincount(X.indices, minlength=X.shape[1]) == 0

    def score(module, problem):
        scores_of = make_scores(module, problem)

        def scores(users):
            found = scores_of(users)
            found[:, without_users] = -np.inf  # they take no part, as in training
            return found

        return ndcg_of_users(scores, problem.X, held)

    return HeldOut(np.arange(X.shape[0]), ~hidden, score)
