"""numba part of `skrec.utils._topk`; imported only when it is called.

Vectorised loops without branches read the row and find (1) its largest score, which sets
the grid of the tie rule, (2) the best score of each group of eight items, (3) a floor that
at least k groups reach, (4) the groups that reach this floor. A bounded heap then orders
the items of these few groups.
"""

import numpy as np

from skrec.utils._compile import njit

# A group holds _DEPTH items that lie _LANES apart, so neighbouring items belong to
# neighbouring groups. _LANES groups fill one tile of items.
_LANES = 64
_DEPTH = 8
_TILE = _LANES * _DEPTH
# Halvings of the range of scores. The floor may be too low, but never too high.
_MAX_BISECTIONS = 24
# In cells. A product with 1 / cell is faster than a division, and its error is smaller than
# this margin, since the number of cells stays below 1 / (64 * eps).
_MARGIN = 0.25
_INF_BITS = {
    np.int32: np.float32(np.inf).view(np.int32),
    np.int64: np.float64(np.inf).view(np.int64),
}


@njit(nogil=True, cache=True, inline="always")
def _worse(key_a, item_a, key_b, item_b):
    return key_a < key_b or (key_a == key_b and item_a > item_b)


@njit(nogil=True, cache=True)
def _sift_down(keys, items, size):
    """Restore a heap from the root downwards; its root is the worst kept item."""
    parent = 0
    key, item = keys[parent], items[parent]
    while True:
        child = 2 * parent + 1
        if child >= size:
            break
        other = child + 1
        if other < size and _worse(keys[other], items[other], keys[child], items[child]):
            child = other
        if not _worse(keys[child], items[child], key, item):
            break
        keys[parent], items[parent] = keys[child], items[child]
        parent = child
    keys[parent], items[parent] = key, item


@njit(nogil=True, cache=True)
def _sift_up(keys, items, size):
    child = size - 1
    key, item = keys[child], items[child]
    while child > 0:
        parent = (child - 1) // 2
        if not _worse(key, item, keys[parent], items[parent]):
            break
        keys[child], items[child] = keys[parent], items[parent]
        child = parent
    keys[child], items[child] = key, item


@njit(nogil=True, cache=True)
def _largest_finite(bits, inf_bits):
    """Bits of the largest finite |score| of a row, and of the largest one: above infinity is NaN.

    Without their sign, floats have the same order as their bits read as integers. The
    compiler vectorises a maximum of integers, but not a maximum of floats.
    """
    zero = bits.dtype.type(0)
    no_sign = bits.dtype.type((1 << (8 * bits.itemsize - 1)) - 1)
    largest, worst = zero, zero
    for i in range(bits.shape[0]):
        magnitude = bits.dtype.type(bits[i] & no_sign)
        worst = max(worst, magnitude)
        largest = max(largest, magnitude if magnitude < inf_bits else zero)
    return largest, worst


@njit(nogil=True, cache=True)
def _has_nan(values):
    found = False
    for value in values:
        found |= value != value
    return found


@njit(nogil=True, cache=True)
def n_groups(n_items):
    """Number of groups of `n_items` items."""
    return (n_items + _TILE - 1) // _TILE * _LANES


@njit(nogil=True, cache=True)
def group_maxima(row, maxima):
    """Write the best score of each group of items, see the module."""
    n_tiles = row.shape[0] // _TILE
    for t in range(n_tiles):
        for lane in range(_LANES):
            start = t * _TILE + lane
            best = row[start]
            for j in range(1, _DEPTH):
                score = row[start + j * _LANES]
                best = score if score > best else best
            maxima[t * _LANES + lane] = best
    maxima[n_tiles * _LANES :] = -np.inf
    for i in range(n_tiles * _TILE, row.shape[0]):
        group = n_tiles * _LANES + i % _LANES
        maxima[group] = max(maxima[group], row[i])


@njit(nogil=True, cache=True)
def score_floor(maxima, k, scale):
    """A score that at least k groups reach, and preferably few more; -inf if there is none."""
    low, high = -np.inf, scale
    middle = -scale
    for _ in range(_MAX_BISECTIONS):
        limit = maxima.dtype.type(middle)
        n = np.int32(0)
        for g in range(maxima.shape[0]):
            n += np.int32(maxima[g] >= limit)
        if n >= k:
            low = float(limit)
            if n <= k + k // 8:
                break
        elif low == -np.inf:
            break
        else:
            high = float(limit)
        middle = 0.5 * (low + high)
    return low


@njit(nogil=True, cache=True)
def _list_open_groups(row, k, scale, boost, cell, maxima, open_groups):
    """List the groups that may hold one of the k best.

    Returns the number of these groups, and the bound, in cells, below which no item can enter.
    """
    maxima = maxima[: n_groups(row.shape[0])]
    group_maxima(row, maxima)
    floor = score_floor(maxima, k, scale) if maxima.shape[0] >= 2 * k else -np.inf
    bound = np.rint(floor * boost / cell) - 0.5
    inverse = 1.0 / cell
    n_open = 0
    for g in range(maxima.shape[0]):  # no branch that could be mispredicted
        open_groups[n_open] = g
        n_open += maxima[g] * boost * inverse >= bound - _MARGIN
    return n_open, bound


@njit(nogil=True, cache=True)
def _fill_heap(row, scale, grid, maxima, open_groups, keys, items):
    """Keep the best of a row in a heap whose root is the worst kept item; return its size."""
    k = keys.shape[0]
    # Below 1e-290 the cell width would underflow, see quantize_scores.
    boost = 1.0 if scale > 1e-290 else 2.0**600
    cell = scale * boost * grid if scale > 0.0 else 1.0
    inverse = 1.0 / cell
    n_open, bound = _list_open_groups(row, k, scale, boost, cell, maxima, open_groups)
    # If many items tie, only their indices order them: then walk through the items by index.
    crowded = n_open > 4 * k + _LANES
    size = 0
    for o in range(1 if crowded else n_open):
        start, stop, step = 0, row.shape[0], 1
        if not crowded:
            start = open_groups[o] // _LANES * _TILE + open_groups[o] % _LANES
            stop, step = min(start + _TILE, stop), _LANES
        for i in range(start, stop, step):
            if row[i] * boost * inverse < bound - _MARGIN:
                continue
            cells = row[i] * boost / cell  # equal to quantize_scores, bit for bit
            if cells < bound or cells == -np.inf:
                continue
            key = np.rint(cells)
            if size < k:
                keys[size], items[size] = key, i
                size += 1
                _sift_up(keys, items, size)
            elif _worse(keys[0], items[0], key, i):
                keys[0], items[0] = key, i
                _sift_down(keys, items, k)  # a variable as below, not a literal: compiled once
            if size == k:
                bound = keys[0] + (0.5 if crowded else -0.5)
    return size


@njit(nogil=True, cache=True)
def _copy_candidates(row, seen, allowed_all, has_wanted, wanted, masked, work):
    """Write the scores of candidates to `work`, -inf for masked ones; return their number."""
    if has_wanted:  # only the wanted items, side by side
        for p in range(seen.shape[0]):
            masked[seen[p]] = True
        for c in range(wanted.shape[0]):
            work[c] = -np.inf if masked[wanted[c]] else row[wanted[c]]
        for p in range(seen.shape[0]):
            masked[seen[p]] = False
        return wanted.shape[0]
    if allowed_all.shape[0] > 0:
        for i in range(row.shape[0]):
            work[i] = row[i] if allowed_all[i] else -np.inf
    else:  # element by element: a slice would add error text, which takes two seconds to compile
        for i in range(row.shape[0]):
            work[i] = row[i]
    for p in range(seen.shape[0]):
        work[seen[p]] = -np.inf
    return row.shape[0]


def top_k_rows(scores, masks, grid, all_finite, out, start, stop):
    """Find the lists of the rows from `start` to `stop`.

    Parameters
    ----------
    scores : ndarray of shape (n_rows, n_items)
    masks : skrec.utils._topk.Masks
    grid : float
        See `skrec.utils._ties.grid_width`.
    all_finite : bool
        Whether a row with any score that is not finite is bad.
    out : skrec.utils._topk.Lists, written
    start, stop : int
    """
    kind = np.int32 if scores.dtype == np.float32 else np.int64
    bits, inf_bits = scores.view(kind), _INF_BITS[kind]
    _top_k_rows(scores, bits, inf_bits, masks, grid, all_finite, out, start, stop)


@njit(nogil=True, cache=True)
def _top_k_rows(scores, bits, inf_bits, masks, grid, all_finite, out, start, stop):
    seen_ptr, seen_idx, allowed_all, allowed_ptr, allowed_idx = masks
    out_items, out_values, bad = out
    n_items, k = scores.shape[1], out_items.shape[1]
    has_seen = seen_ptr.shape[0] > 1
    has_wanted = allowed_ptr.shape[0] > 1
    masked = np.zeros(n_items, dtype=np.bool_)
    work = np.empty(n_items, dtype=scores.dtype)
    maxima = np.empty(n_groups(n_items), dtype=scores.dtype)
    open_groups = np.empty(maxima.shape[0], dtype=np.int64)
    scale_bits = np.empty(1, dtype=bits.dtype)
    scale = scale_bits.view(scores.dtype)
    keys = np.empty(k, dtype=np.float64)
    items = np.empty(k, dtype=np.int64)
    for u in range(start, stop):
        row = scores[u]
        scale_bits[0], worst = _largest_finite(bits[u], inf_bits)
        if all_finite and worst >= inf_bits:
            bad[u] = True
            continue
        has_nan = worst > inf_bits
        seen = seen_idx[seen_ptr[u] : seen_ptr[u + 1]] if has_seen else seen_idx[:0]
        wanted = allowed_idx[allowed_ptr[u] : allowed_ptr[u + 1]] if has_wanted else seen_idx[:0]
        if has_wanted or has_nan or seen.shape[0] > 0 or allowed_all.shape[0] > 0:
            n = _copy_candidates(row, seen, allowed_all, has_wanted, wanted, masked, work)
            if has_nan and _has_nan(work[:n]):
                bad[u] = True
                continue
            size = _fill_heap(work[:n], scale[0], grid, maxima, open_groups, keys, items)
        else:
            size = _fill_heap(row, scale[0], grid, maxima, open_groups, keys, items)
        for last in range(size - 1, -1, -1):  # the worst item leaves the heap first
            item = wanted[items[0]] if has_wanted else items[0]
            out_items[u, last] = item
            out_values[u, last] = row[item]
            keys[0], items[0] = keys[last], items[last]
            _sift_down(keys, items, last)
