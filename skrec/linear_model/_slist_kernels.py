"""numba part of SLIST: Gram and cross product of past and next items, in one pass over the rows."""

from typing import NamedTuple

import numpy as np

from skrec.utils._compile import njit


class Decay(NamedTuple):
    """Weight of an entry at a position.

    Attributes
    ----------
    by_item : ndarray of float64 of shape (n_longest + 1,)
        Powers of the decay by one item.
    gap : float
        Half-life in time, or infinity.
    window : int
        An entry with this many others or more between it and the position weighs nothing.
    """

    by_item: np.ndarray
    gap: float
    window: int


class Groups(NamedTuple):
    """The groups of the current row; all rows use the same memory.

    Attributes
    ----------
    start : ndarray of int64 of shape (n_longest + 1,)
        Where each group begins among the entries of all rows, and the last one ends.
    total : ndarray of float64 of shape (n_longest + 1,)
        R, see `add_transitions`.
    last : ndarray of int64 of shape (n_longest + 1,)
        The last position that still sees the group.
    """

    start: np.ndarray
    total: np.ndarray
    last: np.ndarray


@njit(nogil=True, cache=True)
def add_transitions(items, times, indptr, row_weight, decay, groups, gram, cross):
    """Add the normal equations of the regression of next items on past items.

    Entries of a row that have the same time form a group. Before each group but the first there
    is a position g: s_g holds the entries before it, t_g the entries at it or later. An entry with
    n others between it and the position, at a distance dt in time, weighs
    ``decay.by_item[n] * exp2(-dt / decay.gap)``, or nothing if n >= decay.window. Then

        gram += sum_g w_u s_g^T s_g,    cross += sum_g w_u s_g^T t_g.

    Parameters
    ----------
    items : ndarray of int of shape (nnz,)
        Items of each row by rising time.
    times : ndarray of float64 of shape (nnz,)
    indptr : ndarray of int64 of shape (n_users + 1,)
    row_weight : ndarray of float64 of shape (n_users,)
    decay : Decay
    groups : Groups
        Room for the groups of the longest row.
    gram : ndarray of shape (n_items, n_items)
        Only the upper triangle is written.
    cross : ndarray of shape (n_items, n_items)

    Notes
    -----
    Let E_h be the end of group h among the row's entries, S_g = E_{g-1} the start of group g, and
    v_g(h) the weight of an entry of h at position g. Its squares at all later positions add up
    backwards:

        R_h = sum_{g > h} v_g(h)^2 = u_h^2 (1 + by_item[E_{h+1} - E_h]^2 R_{h+1}),

    where u_h is the decay in time from h to h + 1. So a pair of groups h <= k adds
    v(h, k) (R_k - R beyond the window of h) to the Gram matrix. In the cross product, the decay
    from h to a position times the decay from there to k is the same at all positions between.
    """
    for user in range(len(indptr) - 1):
        weight = row_weight[user]
        if weight == 0.0:
            continue
        n_groups = _find_groups(times, indptr[user], indptr[user + 1], groups.start)
        if n_groups < 2:
            continue
        _weights_ahead(times, n_groups, decay, groups)
        for h in range(n_groups - 1):
            _add_group(items, times, n_groups, h, weight, decay, groups, gram, cross)


@njit(nogil=True, cache=True)
def _find_groups(times, begin, end, start):
    """Write where the groups of a row begin, and the end of the row; return how many there are."""
    n_groups = 0
    for place in range(begin, end):
        if place == begin or times[place] != times[place - 1]:
            start[n_groups] = place
            n_groups += 1
    start[n_groups] = end
    return n_groups


@njit(nogil=True, cache=True)
def _weights_ahead(times, n_groups, decay, groups):
    """R of each group, and the last position that still sees it."""
    start, total = groups.start, groups.total
    total[n_groups - 1] = 0.0
    for h in range(n_groups - 2, -1, -1):
        in_time = np.exp2(-(times[start[h + 1]] - times[start[h]]) / decay.gap)
        by_items = decay.by_item[start[h + 2] - start[h + 1]]
        total[h] = in_time * in_time * (1.0 + by_items * by_items * total[h + 1])
    q = 0
    for h in range(n_groups):
        q = max(q, h)
        while q + 1 < n_groups and start[q + 1] - start[h + 1] < decay.window:
            q += 1
        groups.last[h] = q


@njit(nogil=True, cache=True)
def _add_group(items, times, n_groups, h, weight, decay, groups, gram, cross):
    """Add all pairs of group h with itself and with later ones."""
    start, by_item = groups.start, decay.by_item
    end, moment, q = start[h + 1], times[start[h]], groups.last[h]
    first = h + 1  # position from which group k is seen
    for k in range(h, n_groups):
        in_time = np.exp2(-(times[start[k]] - moment) / decay.gap)
        squares = 0.0
        if k < q:
            beyond = 0.0
            if q < n_groups - 1:
                ahead = np.exp2(-(times[start[q]] - times[start[k]]) / decay.gap)
                shrink = by_item[start[q + 1] - start[k + 1]] * ahead
                beyond = shrink * shrink * groups.total[q]
            between = by_item[start[k + 1] - end]
            squares = weight * between * in_time * (groups.total[k] - beyond)
        crossed = 0.0
        if k > h:
            while start[k] - start[first] >= decay.window:
                first += 1
            n_positions = min(k, q) - first + 1
            if n_positions <= 0:
                break
            crossed = weight * by_item[start[k] - end] * in_time * n_positions
        for a in range(start[h], end):
            for b in range(a if k == h else start[k], start[k + 1]):
                _add_pair(items[a], items[b], squares, crossed, gram, cross)


@njit(nogil=True, cache=True)
def _add_pair(item, other, squares, crossed, gram, cross):
    if squares != 0.0:
        if item < other:
            gram[item, other] += squares
        else:
            gram[other, item] += squares
    if crossed != 0.0:
        cross[item, other] += crossed
