"""numba part of `skrec.serving._narrow` and `_int8_torch`; imported only when it is called."""

import numpy as np

from skrec.utils._compile import njit
from skrec.utils._topk_kernels import group_maxima, n_groups, score_floor

# Columns handled at a time: the sums of a tile stay near. Whole tiles of `group_maxima`.
TILE = 2048
# Below every score; infinities are not numbers under the flags of `_write_open`.
_OUT = np.float32(-3e38)
# Sums are rounded in the order of the code, but products go into them unrounded.
_CONTRACT = {"contract", "nsz"}
# Every number is finite: `NarrowTable` looks before.
_FINITE = {"nnan", "ninf", "nsz", "contract", "reassoc"}


@njit(nogil=True, cache=True, fastmath=_CONTRACT)
def narrow_products(places, values, table, scale, bias, out, low, high):
    """``out[low:high] = scale * (values @ table[places]) + bias`` of these columns, in float32.

    Each element is summed in the order of the places, whatever the others.

    Parameters
    ----------
    places : ndarray of int32 of shape (n,)
        Rows of the table.
    values : ndarray of float32 of shape (n,)
    table : ndarray of int8 of shape (m, n_items)
    scale, bias : ndarray of float32 of shape (n_items,)
    out : ndarray of float32 of shape (n_items,), written
    low, high : int
        At most TILE apart.
    """
    n, real = places.shape[0], np.float32
    target = out[low:high]
    target[:] = 0
    p = 0
    while p + 8 <= n:
        v0, v1, v2, v3 = values[p], values[p + 1], values[p + 2], values[p + 3]
        v4, v5, v6, v7 = values[p + 4], values[p + 5], values[p + 6], values[p + 7]
        t0, t1 = table[places[p], low:high], table[places[p + 1], low:high]
        t2, t3 = table[places[p + 2], low:high], table[places[p + 3], low:high]
        t4, t5 = table[places[p + 4], low:high], table[places[p + 5], low:high]
        t6, t7 = table[places[p + 6], low:high], table[places[p + 7], low:high]
        for j in range(high - low):
            total = target[j] + v0 * real(t0[j])
            total += v1 * real(t1[j])
            total += v2 * real(t2[j])
            total += v3 * real(t3[j])
            total += v4 * real(t4[j])
            total += v5 * real(t5[j])
            total += v6 * real(t6[j])
            target[j] = total + v7 * real(t7[j])
        p += 8
    while p < n:
        v, t = values[p], table[places[p], low:high]
        for j in range(high - low):
            target[j] += v * real(t[j])
        p += 1
    scales, biases = scale[low:high], bias[low:high]
    for j in range(high - low):
        target[j] = target[j] * scales[j] + biases[j]


@njit(nogil=True, cache=True)
def narrow_rows(rows, table, scale, bias, out):
    """`narrow_products` of whole rows, which go through a part of the table one after another.

    Parameters
    ----------
    rows : ndarray of float32 of shape (n_rows, m)
    table, scale, bias : ndarray
        See `narrow_products`.
    out : ndarray of float32 of shape (n_rows, n_items), written
    """
    n_items = table.shape[1]
    places = np.arange(table.shape[0]).astype(np.int32)
    for low in range(0, n_items, TILE):
        high = min(low + TILE, n_items)
        for u in range(rows.shape[0]):
            narrow_products(places, rows[u], table, scale, bias, out[u], low, high)


@njit(nogil=True, cache=True, fastmath=_FINITE)
def _write_bounds(scores, scale, width, lower, size):
    """Write lower bounds of scores and of their sizes."""
    for i in range(scores.shape[0]):
        error = scale[i] * width
        lower[i] = scores[i] - error
        size[i] = abs(scores[i]) - error


@njit(nogil=True, cache=True, fastmath=_FINITE)
def _write_open(scores, scale, width, lower, bound, least, is_open):
    """Write which items may be listed, or may have the largest size."""
    for i in range(scores.shape[0]):
        error = scale[i] * width
        may_be_listed = (lower[i] > _OUT) & (scores[i] + error >= bound)
        is_open[i] = np.uint8(may_be_listed | (abs(scores[i]) + error >= least))


@njit(nogil=True, cache=True)
def _list_open(is_open, words, found):
    """List the marked items; -1 where there are too many."""
    n = 0
    for w in range(words.shape[0]):
        if words[w] == 0:  # eight at once: most have nothing
            continue
        for i in range(8 * w, 8 * w + 8):
            if is_open[i] == 0:
                continue
            if n == found.shape[0]:
                return -1
            found[n] = i
            n += 1
    return n


@njit(nogil=True, cache=True)
def open_items(places, values, narrow, errors, k, seen, found):
    """List the items that may be among the k best, or have the largest size of all.

    Parameters
    ----------
    places, values : ndarray
        See `narrow_products`.
    narrow : tuple (table, scale, bias, reach)
        `reach` of shape (n_tiles,) is the largest length of the items from each tile on. The items
        of a tile are no longer than the items of the tiles before.
    errors : tuple of float32 (width, slack, rest, widest, length, away)
        An estimate is wrong by at most ``scale * width + rest``, and by `slack` times the largest
        size of a score. `widest` is the largest scale, ``reach * length + away`` the largest size
        of the scores from a tile on.
    k : int
    seen : ndarray of int of shape (n_seen,)
        Items that take no part.
    found : ndarray of int32 of shape (n_most,), written

    Returns
    -------
    n : int
        How many are found, ascending; -1 where there are too many, or k groups cannot be told.
    n_read : int
        How many items were looked at.
    """
    table, scale, bias, reach = narrow
    width, slack, rest, widest, length, away = errors
    n_items = scale.shape[0]
    scores, lower = np.empty(n_items, np.float32), np.empty(n_items, np.float32)
    size, largest = np.empty(TILE, np.float32), np.empty(n_groups(TILE), np.float32)
    maxima = np.empty(n_groups(n_items), np.float32)
    least, bound, n_told, high = np.float32(0), np.float32(-np.inf), 0, 0
    for tile in range(reach.shape[0]):
        if reach[tile] * length + away < min(bound, least):
            break  # nothing that is left can be listed, or be the largest
        low, high = high, min(high + TILE, n_items)
        narrow_products(places, values, table, scale, bias, scores, low, high)
        here = lower[low:high]
        _write_bounds(scores[low:high], scale[low:high], width, here, size)
        for p in range(seen.shape[0]):
            if low <= seen[p] < high:
                lower[seen[p]] = _OUT
        n = n_groups(high - low)
        group_maxima(size[: high - low], largest[:n])
        for g in range(n):
            least = max(least, largest[g])
        group_maxima(here, maxima[n_told : n_told + n])
        n_told += n
        most = least + np.float32(2) * widest * width  # no size is above it
        floor = score_floor(maxima[:n_told], k, most)
        bound = np.float32(-np.inf) if floor < -most else np.float32(floor) - slack * most - rest
    if bound == -np.inf:
        return -1, high
    is_open = np.zeros(8 * ((high + 7) // 8), np.uint8)
    least -= slack * most + rest
    _write_open(scores[:high], scale[:high], width, lower[:high], bound, least, is_open)
    return _list_open(is_open, is_open.view(np.uint64), found), high
