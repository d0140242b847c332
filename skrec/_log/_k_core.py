"""The core of a log: its users and items with enough interactions among each other."""

import numpy as np
from scipy.sparse import csc_array, csr_array


def core_members(X, min_user_count, min_item_count):
    """Rows and columns of the core; every stored entry counts, whatever its value.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
        Without duplicates.
    min_user_count, min_item_count : int

    Returns
    -------
    users, items : ndarray of intp
        Kept rows and columns, ascending.
    """
    # Built from the structure alone, since stored zeros count.
    by_user = csr_array((np.ones(X.nnz, np.int8), X.indices, X.indptr), shape=X.shape)
    by_item = csc_array(by_user)
    user_count, item_count = np.diff(by_user.indptr), np.diff(by_item.indptr)
    user_alive = np.ones(X.shape[0], dtype=bool)
    item_alive = np.ones(X.shape[1], dtype=bool)
    users = np.flatnonzero(user_count < min_user_count)
    items = np.flatnonzero(item_count < min_item_count)
    while len(users) or len(items):
        user_alive[users] = False
        items = _union(items, _drop(by_user, users, item_count, item_alive, min_item_count))
        item_alive[items] = False
        users = _drop(by_item, items, user_count, user_alive, min_user_count)
        items = items[:0]
    return np.flatnonzero(user_alive), np.flatnonzero(item_alive)


def _drop(lines, dropped, count, alive, minimum):
    """Subtract dropped lines from the counts of the other side; return who has too few now."""
    starts, ends = lines.indptr[dropped], lines.indptr[dropped + 1]
    lengths = ends - starts
    if not lengths.sum():
        return np.empty(0, dtype=np.intp)
    # Positions of all entries of the dropped lines, end to end.
    offsets = np.repeat(starts - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
    hit, n_hits = np.unique(lines.indices[offsets + np.arange(len(offsets))], return_counts=True)
    count[hit] -= n_hits.astype(count.dtype)
    return hit[(count[hit] < minimum) & alive[hit]].astype(np.intp)


def _union(first, second):
    return second if not len(first) else np.union1d(first, second)
