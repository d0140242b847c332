"""Gram and cross product of what came before and what came next, in one pass over the rows."""

import numpy as np

from skrec.utils._compile import njit


@njit(nogil=True, cache=True)
def add_transitions(items, times, indptr, row_weight, decay, gap, window, gram, cross):
    """Add the normal equations of "what came before predicts what came next".

    The entries of a row are parted into groups of one time. Before each group but the first is a
    position g, with what came before it in s_g and what came at it or later in t_g; an entry
    with n others between it and the position, at a distance dt in time, weighs
    ``decay[n] * exp2(-dt / gap)``, or nothing if n >= window. Then

        gram += sum_g w_u s_g^T s_g,    cross += sum_g w_u s_g^T t_g.

    Parameters
    ----------
    items : ndarray of int of shape (nnz,)
        Items of each row by rising time.
    times : ndarray of float64 of shape (nnz,)
    indptr : ndarray of int64 of shape (n_users + 1,)
    row_weight : ndarray of float64 of shape (n_users,)
    decay : ndarray of float64 of shape (n_longest + 1,)
        Powers of the decay by one item.
    gap : float
        Half-life in time, or infinity.
    window : int
    gram : ndarray of shape (n_items, n_items)
        Only the upper triangle is written.
    cross : ndarray of shape (n_items, n_items)

    Notes
    -----
    With E_h the end of group h among the row's entries and S_g = E_{g-1} the start of group g, the
    squares of what an entry of h weighs at all later positions add up backwards:

        R_h = sum_{g > h} v_g(h)^2 = u_h^2 (1 + decay[E_{h+1} - E_h]^2 R_{h+1}),

    u_h being the decay in time from h to h + 1. So a pair of groups h <= k takes part in the
    Gram matrix with v(h, k) (R_k - R beyond the window of h). In the cross product the decays from
    h to a position and from there to k multiply to the same number at all positions between.
    """
    longest = len(decay)
    start = np.empty(longest, dtype=np.int64)  # of each group
    total = np.empty(longest)  # R
    last = np.empty(longest, dtype=np.int64)  # position that still sees the group
    for user in range(len(indptr) - 1):
        offset, length = indptr[user], indptr[user + 1] - indptr[user]
        weight = row_weight[user]
        if length < 2 or weight == 0.0:
            continue
        n_groups = 0
        for place in range(length):
            if place == 0 or times[offset + place] != times[offset + place - 1]:
                start[n_groups] = place
                n_groups += 1
        start[n_groups] = length
        if n_groups < 2:
            continue
        _weights_ahead(times, offset, start, n_groups, decay, gap, window, total, last)
        for h in range(n_groups - 1):
            _add_group(
                items, times, offset, start, n_groups, h, weight, decay, gap, window, total,
                last, gram, cross,
            )  # fmt: skip


@njit(nogil=True, cache=True)
def _weights_ahead(times, offset, start, n_groups, decay, gap, window, total, last):
    """R of each group, and the last position that still sees it."""
    total[n_groups - 1] = 0.0
    for h in range(n_groups - 2, -1, -1):
        step = np.exp2(-(times[offset + start[h + 1]] - times[offset + start[h]]) / gap)
        by_items = decay[start[h + 2] - start[h + 1]]
        total[h] = step * step * (1.0 + by_items * by_items * total[h + 1])
    q = 0
    for h in range(n_groups):
        q = max(q, h)
        while q + 1 < n_groups and start[q + 1] - start[h + 1] < window:
            q += 1
        last[h] = q


@njit(nogil=True, cache=True)
def _add_group(
    items, times, offset, start, n_groups, h, weight, decay, gap, window, total, last,
    gram, cross,
):  # fmt: skip
    """Add all pairs of group h with itself and with later ones."""
    end, moment, q = start[h + 1], times[offset + start[h]], last[h]
    first = h + 1  # position from which group k is seen
    for k in range(h, n_groups):
        apart = times[offset + start[k]] - moment
        in_time = np.exp2(-apart / gap)
        squares = 0.0
        if k < q:
            between = start[k + 1] - end
            beyond = 0.0
            if q < n_groups - 1:
                ahead = times[offset + start[q]] - times[offset + start[k]]
                shrink = decay[start[q + 1] - start[k + 1]] * np.exp2(-ahead / gap)
                beyond = shrink * shrink * total[q]
            squares = weight * decay[between] * in_time * (total[k] - beyond)
        crossed = 0.0
        if k > h:
            while start[k] - start[first] >= window:
                first += 1
            n_positions = min(k, q) - first + 1
            if n_positions <= 0:
                break
            crossed = weight * decay[start[k] - end] * in_time * n_positions
        for a in range(start[h], end):
            item = items[offset + a]
            for b in range(a if k == h else start[k], start[k + 1]):
                other = items[offset + b]
                if squares != 0.0:
                    if item < other:
                        gram[item, other] += squares
                    else:
                        gram[other, item] += squares
                if crossed != 0.0:
                    cross[item, other] += crossed
