"""numba part of `skrec.utils._topk`; imported only when it is called.

A row goes through three passes, of which only the last one branches: (1) the scale of
its grid, (2) the best score of each block of items, the k-th best of which is a floor
that k items reach, (3) a bounded heap over the few blocks whose best reaches the floor.
"""

import numpy as np
from numba import njit

# Items per block; with fewer than 2 k blocks the floor would be too low to pay.
_BLOCK = 64


@njit(nogil=True, cache=True, inline="always")
def _worse(key_a, item_a, key_b, item_b):
    return key_a < key_b or (key_a == key_b and item_a > item_b)


@njit(nogil=True, cache=True)
def _sift_down(keys, items, start, size):
    """Restore the heap whose root is the worst kept item, from `start` downwards."""
    parent = start
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
    """Bits of the largest finite |score| of a row, and whether the row holds NaN.

    Without their sign, floats order as their bits do as integers; and an integer
    maximum is vectorised where one of floats is not.
    """
    zero = bits.dtype.type(0)
    no_sign = bits.dtype.type(~(1 << (8 * bits.itemsize - 1)))
    largest, worst = zero, zero
    for i in range(bits.shape[0]):
        magnitude = bits.dtype.type(bits[i] & no_sign)
        worst = max(worst, magnitude)
        largest = max(largest, magnitude if magnitude < inf_bits else zero)
    return largest, worst > inf_bits


@njit(nogil=True, cache=True)
def _block_maxima(row, maxima):
    n_full = row.shape[0] // _BLOCK
    for b in range(n_full):
        block = row[b * _BLOCK : (b + 1) * _BLOCK]
        best = block[0]
        for i in range(_BLOCK):  # a constant trip count, so that it is vectorised
            best = block[i] if block[i] > best else best
        maxima[b] = best
    if n_full < maxima.shape[0]:
        maxima[n_full] = np.max(row[n_full * _BLOCK :])


@njit(nogil=True, cache=True)
def _take_part(row, seen, allowed_all, has_rows, wanted, masked, work):
    """The scores that take part: the row itself, or a copy in `work` with -inf elsewhere."""
    if has_rows:  # only the wanted items, side by side
        for p in range(seen.shape[0]):
            masked[seen[p]] = True
        for c in range(wanted.shape[0]):
            work[c] = -np.inf if masked[wanted[c]] else row[wanted[c]]
        for p in range(seen.shape[0]):
            masked[seen[p]] = False
        return work[: wanted.shape[0]]
    if allowed_all.shape[0] > 0:
        for i in range(row.shape[0]):
            work[i] = row[i] if allowed_all[i] else -np.inf
    elif seen.shape[0] > 0:
        work[:] = row
    else:
        return row
    for p in range(seen.shape[0]):
        work[seen[p]] = -np.inf
    return work


@njit(nogil=True, cache=True)
def _fill_heap(row, maxima, boost, inverse, keys, items):
    """Keep the best of a row in a heap whose root is the worst kept item; return its size."""
    k = keys.shape[0]
    size = 0
    bound = -np.inf  # in cells: what is below cannot enter
    if maxima.shape[0] >= 2 * k:
        floor = np.partition(maxima, maxima.shape[0] - k)[maxima.shape[0] - k]
        bound = np.rint(floor * boost * inverse) - 0.5
    for b in range(maxima.shape[0]):
        if maxima[b] * boost * inverse < bound:
            continue
        for i in range(b * _BLOCK, min((b + 1) * _BLOCK, row.shape[0])):
            cells = row[i] * boost * inverse
            if cells < bound or cells == -np.inf:
                continue
            key = np.rint(cells)
            if size < k:
                keys[size], items[size] = key, i
                size += 1
                _sift_up(keys, items, size)
            elif key > keys[0]:  # indices ascend: one that equals the root never enters
                keys[0], items[0] = key, i
                _sift_down(keys, items, 0, size)
            if size == k:
                bound = keys[0] + 0.5
    return size


def top_k_rows(
    scores, seen_ptr, seen_idx, allowed_all, allowed_ptr, allowed_idx, grid,
    start, stop, out_items, out_values, bad,
):  # fmt: skip
    """Fill `out_items` and `out_values` for the rows from `start` to `stop`."""
    bits = scores.view(np.int32 if scores.dtype == np.float32 else np.int64)
    inf_bits = np.array([np.inf], dtype=scores.dtype).view(bits.dtype)[0]
    _top_k_rows(
        scores, bits, inf_bits, seen_ptr, seen_idx, allowed_all, allowed_ptr, allowed_idx, grid,
        start, stop, out_items, out_values, bad,
    )  # fmt: skip


@njit(nogil=True, cache=True)
def _top_k_rows(
    scores, bits, inf_bits, seen_ptr, seen_idx, allowed_all, allowed_ptr, allowed_idx, grid,
    start, stop, out_items, out_values, bad,
):  # fmt: skip
    n_items = scores.shape[1]
    k = out_items.shape[1]
    has_seen = seen_ptr.shape[0] > 1
    has_all = allowed_all.shape[0] > 0
    has_rows = allowed_ptr.shape[0] > 1
    masked = np.zeros(n_items, dtype=np.bool_)
    work = np.empty(n_items, dtype=scores.dtype)
    maxima = np.empty((n_items + _BLOCK - 1) // _BLOCK, dtype=scores.dtype)
    scale_bits = np.empty(1, dtype=bits.dtype)
    scale_of_bits = scale_bits.view(scores.dtype)
    keys = np.empty(k, dtype=np.float64)
    items = np.empty(k, dtype=np.int64)
    for u in range(start, stop):
        scale_bits[0], has_nan = _largest_finite(bits[u], inf_bits)
        scale = float(scale_of_bits[0])
        # Below 1e-290 the cell width would underflow, see quantize_scores.
        boost = 1.0 if scale > 1e-290 else 2.0**600
        inverse = 1.0 / (scale * boost * grid) if scale > 0.0 else 1.0
        seen = seen_idx[seen_ptr[u] : seen_ptr[u + 1]] if has_seen else seen_idx[:0]
        wanted = allowed_idx[allowed_ptr[u] : allowed_ptr[u + 1]] if has_rows else allowed_idx[:0]
        row = _take_part(scores[u], seen, allowed_all, has_rows, wanted, masked, work)
        if has_nan and np.isnan(row).any():
            bad[u] = True
            continue
        best = maxima[: (row.shape[0] + _BLOCK - 1) // _BLOCK]
        _block_maxima(row, best)
        size = _fill_heap(row, best, boost, inverse, keys, items)
        for last in range(size - 1, -1, -1):  # the worst leaves first
            item = wanted[items[0]] if has_rows else items[0]
            out_items[u, last] = item
            out_values[u, last] = scores[u, item]
            keys[0], items[0] = keys[last], items[last]
            _sift_down(keys, items, 0, last)
