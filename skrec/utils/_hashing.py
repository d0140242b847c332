"""Keyed, counter-based hashing: row identity and draws that depend on content alone.

A draw is a pure function of (row content, seed, counter). So a draw is the same in a batch
and alone, in any row order, fold or process, and needs no generator state.
"""

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_LANES = (np.uint64(0x243F6A8885A308D3), np.uint64(0x13198A2E03707344))  # digits of pi
_MAX_ATTEMPTS = 32


def mix64(x):
    """Scramble 64-bit words (the finaliser of splitmix64).

    Parameters
    ----------
    x : ndarray of uint64

    Returns
    -------
    mixed : ndarray of uint64
        A bijection of `x`: each input bit changes about half of the output bits.
    """
    x = np.array(x, dtype=np.uint64, copy=True, ndmin=1)
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return x


def row_hashes(X):
    """128-bit hash of the content of each row, independent of the order of its entries.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
        Canonical: no duplicates, no stored zeros. Values are compared as float32.

    Returns
    -------
    hashes : ndarray of uint64 of shape (n_rows, 2)
        Equal rows have equal hashes. The chance that any two different rows have the same hash
        is about n_rows**2 / 2**129.
    """
    with np.errstate(over="ignore"):  # values beyond float32 compare as infinity
        values = np.ascontiguousarray(X.data, dtype=np.float32)
    bits = values.view(np.uint32).astype(np.uint64)
    return _summed((X.indices.astype(np.uint64) << np.uint64(32)) ^ bits, X.indptr)


def exact_row_hashes(X):
    """As `row_hashes`, but values are compared as float64.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_columns), float64
        Without duplicates. A stored zero is an entry like any other.

    Returns
    -------
    hashes : ndarray of uint64 of shape (n_rows, 2)
    """
    bits = (X.data + 0.0).view(np.uint64)  # -0.0 is 0.0
    return _summed(mix64(bits) + X.indices.astype(np.uint64) * _GOLDEN, X.indptr)


def _summed(entry, indptr):
    """Hashes of rows from a word for each entry."""
    lengths = np.diff(indptr).astype(np.uint64)
    hashes = np.empty((len(lengths), 2), dtype=np.uint64)
    for lane, key in enumerate(_LANES):
        mixed = mix64(entry * _GOLDEN + key)
        # Sums modulo 2**64 do not depend on order; differences of a running sum are exact.
        running = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mixed, dtype=np.uint64)])
        sums = running[indptr[1:]] - running[indptr[:-1]]
        hashes[:, lane] = mix64(sums + (lengths + np.uint64(1)) * key)
    return hashes


def keyed_words(hashes, seed, counters):
    """Random 64-bit words that depend on the row's content, the seed and a counter.

    Parameters
    ----------
    hashes : ndarray of uint64 of shape (..., 2)
        Row hashes from `row_hashes`.
    seed : int
        Non-negative.
    counters : array-like of non-negative int, broadcastable with ``hashes[..., 0]``
        One word is drawn for each counter.

    Returns
    -------
    words : ndarray of uint64
    """
    counters = np.asarray(counters).astype(np.uint64)
    seed_word = mix64(np.uint64(int(seed) & 0xFFFFFFFFFFFFFFFF) ^ _LANES[0])
    with np.errstate(over="ignore"):
        word = mix64(hashes[..., 0] ^ seed_word) + mix64(hashes[..., 1] + _GOLDEN * counters)
    return mix64(word)


def keyed_entry_words(X, seed):
    """One random word per stored entry, keyed by the row's content, the item and the seed.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
        Canonical.
    seed : int
        Non-negative.

    Returns
    -------
    words : ndarray of uint64 of shape (nnz,)
        Aligned with ``X.data``.
    """
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    return keyed_words(row_hashes(X)[rows], seed, X.indices)


def match_rows(known, hashes):
    """Position of each row among known rows.

    Parameters
    ----------
    known : ndarray of uint64 of shape (n_known, 2)
        Hashes of the known rows.
    hashes : ndarray of uint64 of shape (n_rows, 2)
        Hashes of the rows to look up.

    Returns
    -------
    positions : ndarray of intp of shape (n_rows,)
        The first known row of equal content, or -1.
    """
    if not len(hashes):
        return np.empty(0, dtype=np.intp)
    # Usually few rows are looked up among many known rows, so only the known rows whose first
    # lane is wanted are sorted.
    wanted = np.sort(hashes[:, 0])
    place = np.minimum(np.searchsorted(wanted, known[:, 0]), len(wanted) - 1)
    near = np.flatnonzero(wanted[place] == known[:, 0])
    known = known[near]
    stacked = np.concatenate([known, hashes])
    # A stable sort by both lanes puts equal rows side by side, known rows first.
    order = np.lexsort((stacked[:, 1], stacked[:, 0]))
    ordered = stacked[order]
    starts = np.ones(len(order), dtype=bool)
    starts[1:] = np.any(ordered[1:] != ordered[:-1], axis=1)
    group_first = order[np.flatnonzero(starts)]
    first = np.empty(len(order), dtype=np.intp)
    first[order] = group_first[np.cumsum(starts) - 1]
    positions = first[len(known) :]
    found = np.full(len(hashes), -1, dtype=np.intp)
    matched = positions < len(known)
    found[matched] = near[positions[matched]]
    return found


def keyed_negatives(X, n_draws, seed, *, hashes=None):
    """Draw items uniformly, with replacement, among the items that a row does not have.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
        Canonical; stored items are never drawn.
    n_draws : int
        Draws per row.
    seed : int
        Non-negative. `fit` keeps it, so that a row is always folded in the same way.
    hashes : ndarray of uint64 of shape (n_rows, 2), default=None
        Row hashes; None: they are computed.

    Returns
    -------
    items : ndarray of intp of shape (n_rows, n_draws)
        -1 for rows that have every item. Draw j of a row depends only on the row's content,
        `seed` and j.
    """
    hashes = row_hashes(X) if hashes is None else hashes
    n_rows, n_items = X.shape
    slots = np.arange(n_draws, dtype=np.uint64) * np.uint64(_MAX_ATTEMPTS + 1)
    items = np.full((n_rows, n_draws), -1, dtype=np.intp)
    # Canonical rows make `seen` ascend, so a draw is looked up by bisection. A sentinel ends it.
    starts = np.repeat(np.arange(n_rows) * n_items, np.diff(X.indptr))
    seen = np.append(starts + X.indices, np.iinfo(np.int64).max)
    open_rows, open_slots = np.nonzero(np.ones((n_rows, n_draws), dtype=bool))
    for attempt in range(_MAX_ATTEMPTS):
        if not len(open_rows):
            return items
        words = keyed_words(hashes[open_rows], seed, slots[open_slots] + np.uint64(attempt))
        drawn = _bounded(words, n_items)
        wanted = open_rows * n_items + drawn
        fresh = seen[np.searchsorted(seen, wanted)] != wanted
        items[open_rows[fresh], open_slots[fresh]] = drawn[fresh]
        open_rows, open_slots = open_rows[~fresh], open_slots[~fresh]
    for row in np.unique(open_rows):  # nearly full rows: choose among the items that are left
        left = np.setdiff1d(np.arange(n_items), X.indices[X.indptr[row] : X.indptr[row + 1]])
        if len(left):
            mine = open_slots[open_rows == row]
            words = keyed_words(hashes[row], seed, slots[mine] + np.uint64(_MAX_ATTEMPTS))
            items[row, mine] = left[_bounded(words, len(left))]
    return items


def keyed_choices(hashes, n_draws, seed, weight):
    """Draw items with replacement, in proportion to a weight.

    Parameters
    ----------
    hashes : ndarray of uint64 of shape (n_rows, 2)
        Row hashes from `row_hashes`.
    n_draws : int
        Draws per row.
    seed : int
        Non-negative.
    weight : ndarray of int of shape (n_items,)
        Non-negative, with a sum above zero.

    Returns
    -------
    items : ndarray of intp of shape (n_rows, n_draws)
        Items of weight above zero. Draw j of a row depends only on the row's content, `seed`,
        `weight` and j.
    """
    upper = np.cumsum(weight)
    words = keyed_words(hashes[:, np.newaxis], seed, np.arange(n_draws))
    return np.searchsorted(upper, (words >> np.uint64(11)) * 2.0**-53 * upper[-1], side="right")


def _bounded(words, n):
    # The upper 32 bits times n, shifted: uniform on range(n) up to n / 2**32.
    return ((words >> np.uint64(32)) * np.uint64(n) >> np.uint64(32)).astype(np.intp)
