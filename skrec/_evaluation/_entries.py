"""One rule for the held-out entries of a row, for the scorers and the split functions."""

from numbers import Integral, Real

import numpy as np
from scipy.sparse import coo_array, csr_array
from sklearn.utils import check_random_state

from skrec.utils._hashing import keyed_entry_words
from skrec.utils._matrices import checked_array
from skrec.utils._times import check_times
from skrec.utils._validation import canonical_csr

# The largest number of users whose entries early stopping holds out.
_MAX_WATCHED = 10_000


def check_interactions(X, *, name="X"):
    """Canonical CSR of a user-item matrix that no estimator has validated yet.

    Parameters
    ----------
    X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
    name : str, default="X"
        For the message.

    Returns
    -------
    X : csr_array
        In a floating-point dtype; shares memory with the input if possible.

    Raises
    ------
    ValueError
        If X is a malformed sparse matrix, a log, or not two-dimensional, or holds dates, NaN or
        infinity.
    """
    return canonical_csr(
        checked_array(X, name=name, log=True, accept_sparse="csr", dtype=[np.float64, np.float32])
    )


def draw_seed(random_state):
    """A non-negative int drawn from `random_state`: the same for the same int."""
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def entry_rows(X):
    """Row index of each stored entry of a CSR matrix."""
    return np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))


def entry_positions(A, B):
    """Positions at which B stores the entries of A.

    Parameters
    ----------
    A, B : csr_array of shape (n_rows, n_columns)
        Sorted and without duplicates.

    Returns
    -------
    positions : ndarray of intp of shape (A.nnz,)
        Positions in ``B.data``, -1 where B does not store the entry.
    """
    flat_a, flat_b = (entry_rows(M) * np.int64(M.shape[1]) + M.indices for M in (A, B))
    found = np.searchsorted(flat_b, flat_a)
    inside = found < len(flat_b)
    inside[inside] = flat_b[found[inside]] == flat_a[inside]
    return np.where(inside, found, -1)


def select_entries(X, mask):
    """A CSR matrix of the same shape with only the entries where `mask` is true."""
    kept = np.concatenate([[0], np.cumsum(mask)])
    indptr = kept[X.indptr].astype(X.indptr.dtype)
    return csr_array((X.data[mask], X.indices[mask], indptr), shape=X.shape)


def check_holdout(holdout, *, whole=True):
    """Return `holdout`, or raise a ValueError if it is neither a share nor a count."""
    is_number = isinstance(holdout, Real) and not isinstance(holdout, bool)
    is_count = is_number and isinstance(holdout, Integral)
    if (is_count and whole and holdout >= 1) or (
        is_number and not is_count and 0.0 < holdout < 1.0
    ):
        return holdout
    raise ValueError(
        "holdout must be a share of each row's items with 0 < holdout < 1"
        f"{', or a number of items >= 1' if whole else ''}. Got {holdout!r}."
    )


def share_of(lengths, share):
    """``floor(share * n)`` of each length n, safe against .29 * 100 = 28.999999999999996."""
    return np.floor(np.round(share * np.asarray(lengths), 9)).astype(np.intp)


def held_out_counts(lengths, holdout):
    """Number of items to hold out of each row.

    Parameters
    ----------
    lengths : ndarray of int of shape (n_rows,)
        Items of each row.
    holdout : float or int
        A share holds out ``max(1, floor(holdout * n))`` of n >= 2 items. A whole number m holds
        out m of n > m items. Rows with fewer items stay whole.

    Returns
    -------
    counts : ndarray of intp of shape (n_rows,)
        Always less than the length, except for empty rows.
    """
    lengths = np.asarray(lengths)
    if isinstance(holdout, Integral):
        return np.where(lengths > holdout, min(holdout, np.iinfo(np.intp).max), 0)
    counts = np.clip(share_of(lengths, holdout), 1, np.maximum(lengths - 1, 1))
    return np.where(lengths >= 2, counts, 0)


def lowest_of_rows(X, keys, counts):
    """Mask of the entries with the lowest keys of each row.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
    keys : ndarray of shape (nnz,)
        Among equal keys, the entry stored first is lower.
    counts : ndarray of int of shape (n_rows,)
        Number of entries to mark in each row, at most its length.

    Returns
    -------
    mask : ndarray of bool of shape (nnz,)
    """
    mask = np.zeros(len(keys), dtype=bool)
    if not len(keys):
        return mask
    rows = entry_rows(X)
    order = np.argsort(keys, kind="stable")
    # From coordinates to CSR is a counting sort: it groups by row and keeps the order of keys.
    places = (rows[order], np.arange(len(order)))
    order = coo_array((order, places), shape=(X.shape[0], len(order))).tocsr().data
    mask[order[np.arange(len(order)) - X.indptr[rows] < np.asarray(counts)[rows]]] = True
    return mask


def hide_entries(X, holdout, seed):
    """Split each row into the entries that a model sees and the entries that it must find.

    The function hides the items with the lowest hashes, keyed by (seed, content of the row, item).
    So the split of a row depends only on its content, and not on its place, the other rows, the
    fold or the process.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
        Canonical.
    holdout : float
        Share of each row, see `held_out_counts`.
    seed : int
        Non-negative.

    Returns
    -------
    fold_in, hidden : csr_array of shape (n_rows, n_items)
    """
    counts = held_out_counts(np.diff(X.indptr), holdout)
    mask = lowest_of_rows(X, keyed_entry_words(X, seed), counts)
    return select_entries(X, ~mask), select_entries(X, mask)


def entries_to_watch(X, share, seed):
    """Mask of the entries that early stopping holds out: a share of at most 10,000 rows.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
        Canonical.
    share : float
        Share of a user's items, see `held_out_counts`.
    seed : int
        Draws the rows if there are more.

    Returns
    -------
    mask : ndarray of bool of shape (nnz,) or None
        None if no user has two items.
    """
    counts = held_out_counts(np.diff(X.indptr), share)
    users = np.flatnonzero(counts)
    if not len(users):
        return None
    if len(users) > _MAX_WATCHED:
        counts[np.random.RandomState(seed).permutation(users)[_MAX_WATCHED:]] = 0
    return lowest_of_rows(X, keyed_entry_words(X, seed), counts)


def hide_latest(X, seed):
    """Split the latest entry off each row that has more than one.

    Among several entries with the latest time, the function hides the one with the lowest hash,
    keyed as in `hide_entries`.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
        Canonical; values are times.
    seed : int
        Non-negative.

    Returns
    -------
    fold_in, hidden : csr_array of shape (n_rows, n_items)

    Raises
    ------
    ValueError
        If float32 cannot tell the times apart.
    """
    check_times(X.data, "holdout='last'")
    keys = np.empty(X.nnz, dtype=np.intp)
    keys[np.lexsort((keyed_entry_words(X, seed), -X.data))] = np.arange(X.nnz)
    mask = lowest_of_rows(X, keys, held_out_counts(np.diff(X.indptr), 1))
    return select_entries(X, ~mask), select_entries(X, mask)
