"""Rows for classifiers and regressors: one for each pair of a user and an item."""

import numpy as np
from scipy.sparse import csr_array, hstack

from skrec._evaluation._entries import entry_rows


class Part:
    """Rows of one side of the pairs: their ids and their features.

    Parameters
    ----------
    ids : csr_array of shape (n_rows, n_ids)
        At most one entry of 1 in each row.
    known : csr_array of shape (n_rows, n_known)
    own : ndarray of shape (n_rows, n_own), default=None
        Numbers of users without an id, which a model adds to its outputs.
    """

    def __init__(self, ids, known, own=None):
        self.ids, self.known, self.own = ids, known, own

    @property
    def shape(self):
        """Number of rows and of columns of both blocks."""
        return (self.ids.shape[0], self.ids.shape[1] + self.known.shape[1])

    def take(self, rows):
        """The part of some rows, repeated as often as named."""
        return Part(self.ids[rows], self.known[rows], None if self.own is None else self.own[rows])

    def beside(self, table):
        """The part with a further table of features."""
        known = csr_array(hstack([self.known, csr_array(table)], format="csr"))
        return Part(self.ids, known, self.own)


def id_columns(places, n_ids):
    """Ones in the columns `places` of rows; -1 makes a row of zeros."""
    known = places >= 0
    indptr = np.concatenate([[0], np.cumsum(known)])
    shape = (len(places), n_ids)
    return csr_array((np.ones(int(indptr[-1])), places[known], indptr), shape=shape)


def places_of(ids):
    """The `places` that `id_columns` was given."""
    places = np.full(ids.shape[0], -1, dtype=np.int64)
    places[np.diff(ids.indptr) > 0] = ids.indices
    return places


def item_part(features, has_users, use_ids):
    """Ids of the items that have users, and the features of all items.

    Parameters
    ----------
    features : ndarray or csr_array of shape (n_items, n_item_features), or None
        None: ids, whatever `use_ids` is.
    has_users : ndarray of bool of shape (n_items,)
    use_ids : bool

    Returns
    -------
    part : Part
        Items without users have no id, so that empty columns add no column.
    """
    places = np.where(has_users, np.cumsum(has_users) - 1, -1)
    with_ids = use_ids or features is None
    ids = id_columns(places if with_ids else np.full_like(places, -1),
                     int(has_users.sum()) * with_ids)  # fmt: skip
    known = (len(has_users), 0) if features is None else features
    return Part(ids, csr_array(known, dtype=np.float64))


def user_part(places, n_ids, *tables):
    """Ids of users (-1: unknown) beside tables of features; None: no such table."""
    known = [csr_array(table, dtype=np.float64) for table in tables if table is not None]
    empty = csr_array((len(places), 0))
    return Part(id_columns(places, n_ids), csr_array(hstack([empty, *known], format="csr")))


def pair_rows(users, items, pairs):
    """Rows of pairs; row p of both parts makes pair p.

    Parameters
    ----------
    users, items : Part
        Of the pairs, of one length.
    pairs : {"concatenate", "product"}
        "product" adds all products of a column of one part and a column of the other, except
        of two ids.

    Returns
    -------
    rows : csr_array of shape (n_pairs, n_columns)
    """
    blocks = [users.ids, users.known, items.ids, items.known]
    if pairs == "product":
        whole_user = csr_array(hstack([users.ids, users.known], format="csr"))
        blocks += [products(whole_user, items.known), products(users.known, items.ids)]
    rows = csr_array(hstack(blocks, format="csr"))
    if max(rows.nnz, rows.shape[1]) < 2**31:  # trees need 32-bit indices
        rows.indices, rows.indptr = (
            part.astype(np.int32, copy=False) for part in (rows.indices, rows.indptr)
        )
    return rows


def n_pair_columns(users, items, pairs):
    """Number of columns of `pair_rows`."""
    crossed = users.shape[1] * items.known.shape[1] + users.known.shape[1] * items.ids.shape[1]
    return users.shape[1] + items.shape[1] + (crossed if pairs == "product" else 0)


def products(A, B):
    """Products of each column of A with each of B, row by row: (n, n_a * n_b)."""
    n, n_b = A.shape[0], B.shape[1]
    lengths = np.diff(B.indptr)
    row = entry_rows(A)
    times = lengths[row]  # how often an entry of A meets one of B
    offset = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
    of_b = np.repeat(B.indptr[row], times) + offset
    columns = np.repeat(A.indices.astype(np.int64), times) * n_b + B.indices[of_b]
    values = np.repeat(A.data, times) * B.data[of_b]
    indptr = np.concatenate([[0], np.cumsum(np.diff(A.indptr) * lengths)])
    return csr_array((values, columns, indptr), shape=(n, A.shape[1] * n_b))


def sampled_negatives(X, n_negatives, random_state, *, users=None):
    """For each interaction, items that somebody has and its user does not.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
        Canonical.
    n_negatives : int
    random_state : RandomState
    users : ndarray of int of shape (n_interactions,), default=None
        User of each interaction. None: the interactions are the entries of X.

    Returns
    -------
    entries : ndarray of intp of shape (n_drawn,)
        Interactions that the draws belong to. Users who have all items get no draws.
    items : ndarray of intp of shape (n_drawn,)
        Drawn uniformly, with replacement.
    """
    has_users = np.bincount(X.indices, minlength=X.shape[1]) > 0
    catalogue, place = np.flatnonzero(has_users), np.cumsum(has_users) - 1
    rows, lengths = entry_rows(X), np.diff(X.indptr)
    users = rows if users is None else users
    left = len(catalogue) - lengths  # items that each user does not have
    entries = np.repeat(np.flatnonzero(left[users] > 0), n_negatives)
    user = users[entries]
    rank = (random_state.random_sample(len(entries)) * left[user]).astype(np.int64)
    # Item number r of those that a user does not have comes after those of the user's items that
    # have at most r such items before them.
    before = place[X.indices] - (np.arange(X.nnz) - np.repeat(X.indptr[:-1], lengths))
    step = len(catalogue) + 1
    passed = np.searchsorted(rows * step + before, user * step + rank, side="right")
    return entries, catalogue[rank + passed - X.indptr[user]]


def sampled_among(X, shown, n_negatives, random_state):
    """For each interaction, items drawn among those shown to its user.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
        Canonical.
    shown : csr_array of shape (n_users, n_items)
        Without items that the user has.
    n_negatives : int
    random_state : RandomState

    Returns
    -------
    entries, items : ndarray of intp of shape (n_drawn,)
        As for `sampled_negatives`; users without shown items have none.
    """
    rows, lengths = entry_rows(X), np.diff(shown.indptr)
    entries = np.repeat(np.flatnonzero(lengths[rows] > 0), n_negatives)
    user = rows[entries]
    rank = (random_state.random_sample(len(entries)) * lengths[user]).astype(np.int64)
    return entries, shown.indices[shown.indptr[user] + rank]
