"""numba: greedy orders of the candidates of one row."""

import numpy as np

from skrec.utils._compile import njit


@njit(nogil=True, cache=True)
def diverse_order(relevance, similarity, trade_off):
    """Places of candidates in the order of maximal marginal relevance.

    Parameters
    ----------
    relevance : ndarray of shape (m,), float64
    similarity : ndarray of shape (m, m), float64
    trade_off : float

    Returns
    -------
    order : ndarray of intp of shape (m,)
        Among equal candidates the earlier one comes first.
    """
    m = len(relevance)
    order = np.empty(m, dtype=np.intp)
    nearest = np.zeros(m)
    taken = np.zeros(m, dtype=np.bool_)
    for place in range(m):
        best, best_value = -1, -np.inf
        for j in range(m):
            if taken[j]:
                continue
            value = trade_off * relevance[j] - (1 - trade_off) * nearest[j]
            if value > best_value:
                best, best_value = j, value
        order[place] = best
        taken[best] = True
        for j in range(m):
            near = similarity[best, j]
            if place == 0 or near > nearest[j]:
                nearest[j] = near
    return order


@njit(nogil=True, cache=True)
def calibrated_order(relevance, mixes, target, trade_off, smoothing):
    """Places of candidates in the greedy order of relevance and calibration.

    Parameters
    ----------
    relevance : ndarray of shape (m,), float64
    mixes : ndarray of shape (m, n_groups), float64
        Shares of the groups in each candidate; a row of zeros for a candidate without a group.
    target : ndarray of shape (n_groups,), float64
        The wanted shares.
    trade_off, smoothing : float

    Returns
    -------
    order : ndarray of intp of shape (m,)
        Among equal candidates the earlier one comes first.
    """
    m, n_groups = mixes.shape
    order = np.empty(m, dtype=np.intp)
    taken = np.zeros(m, dtype=np.bool_)
    grouped = np.zeros(m, dtype=np.bool_)
    for j in range(m):
        grouped[j] = mixes[j].sum() > 0
    sums, n_grouped = np.zeros(n_groups), 0
    for place in range(m):
        best, best_value = -1, -np.inf
        for j in range(m):
            if taken[j]:
                continue
            n_here = n_grouped + (1 if grouped[j] else 0)
            divergence = 0.0
            for g in range(n_groups):
                wanted = target[g]
                if wanted > 0:
                    share = (sums[g] + mixes[j, g]) / n_here if n_here > 0 else 0.0
                    found = (1 - smoothing) * share + smoothing * wanted
                    divergence += wanted * np.log(wanted / found)
            value = trade_off * relevance[j] - (1 - trade_off) * divergence
            if value > best_value:
                best, best_value = j, value
        order[place] = best
        taken[best] = True
        if grouped[best]:
            n_grouped += 1
            sums += mixes[best]
    return order


@njit(nogil=True, cache=True)
def fill_slots(best, reserved, is_reserved_place, lists):
    """Fill lists with the best reserved items in their places and the best items around them.

    Parameters
    ----------
    best : ndarray of intp of shape (n_rows, m)
        The best items of each row, reserved or not, padded with -1.
    reserved : ndarray of intp of shape (n_rows, n_places)
        The best reserved items of each row, padded with -1.
    is_reserved_place : ndarray of bool of shape (m,)
    lists : ndarray of intp of shape (n_rows, m)
        To fill. -1 after the last item. If reserved items run out, the best others take their
        places.
    """
    n_rows, m = best.shape
    for row in range(n_rows):
        next_best, next_reserved = 0, 0
        for place in range(m):
            item = -1
            if is_reserved_place[place]:
                item, next_reserved = _unlisted(reserved[row], next_reserved, lists[row, :place])
            if item < 0:
                item, next_best = _unlisted(best[row], next_best, lists[row, :place])
            lists[row, place] = item


@njit(nogil=True, cache=True)
def _unlisted(items, start, listed):
    """The first item from `start` on that is not in the list, and the next place to look at."""
    for place in range(start, len(items)):
        if items[place] < 0:
            break
        known = False
        for other in listed:
            if other == items[place]:
                known = True
                break
        if not known:
            return items[place], place + 1
    return -1, len(items)
