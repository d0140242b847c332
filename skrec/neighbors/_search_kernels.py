"""numba part of `skrec.neighbors._search`; imported only when it is called."""

import numpy as np

from skrec.utils._compile import njit
from skrec.utils._select_kernels import keep_best

# Formulas of the similarity of two vectors, from their product <x, y>.
RATIO = 0  # <x, y> / (scale_x scale_y + shrinkage), for values >= 0
SIGNED = 1  # the same for values of both signs, whose sums can cancel
OVERLAP = 2  # <x, y> / (|x| + |y| - <x, y> + shrinkage)

# Similarities are rounded to 46 significant bits (sums that can cancel: to multiples of 2**-44 of
# the product of the norms), so that the rounding of sums does not order them.
_SPLIT = 2.0**7 + 1.0
_GRID = 2.0**44
_SLACK = 1.0 - 2.0**-45

# Candidates are gathered in a buffer of this many times n_neighbors, then cut: per candidate,
# a selection costs less than a heap.
_BUFFER = 4

# If there are this many more entries than vectors, nearly all vectors are touched. To look for
# them afterwards is then cheaper than to list them on the way.
_DENSE = 4

# Replaces a sum that is exactly zero: the vector is touched, and listed once. Centred, its product
# may be above zero.
_TINY = 1e-300


@njit(nogil=True, cache=True, inline="always")
def _rounded(value):
    high = _SPLIT * value
    return high - (high - value)


@njit(nogil=True, cache=True)
def _accumulate(query, q, index, product, touched):
    """Add up products of query q with all vectors that share a feature; return how many."""
    query_ptr, query_idx, query_val = query
    index_ptr, index_idx, index_val = index
    ones = index_val.shape[0] == 0
    n_touched, work = 0, 0
    for p in range(query_ptr[q], query_ptr[q + 1]):
        work += index_ptr[query_idx[p] + 1] - index_ptr[query_idx[p]]
    if work > _DENSE * product.shape[0]:
        for p in range(query_ptr[q], query_ptr[q + 1]):
            feature, x = query_idx[p], query_val[p]
            first, last = index_ptr[feature], index_ptr[feature + 1]
            if ones:
                for r in range(first, last):
                    product[index_idx[r]] += x
            elif x != 0.0:
                for r in range(first, last):
                    new = product[index_idx[r]] + x * index_val[r]
                    product[index_idx[r]] = new if new != 0.0 else _TINY
        for v in range(product.shape[0]):
            touched[n_touched] = v
            n_touched += product[v] != 0.0
        return n_touched
    for p in range(query_ptr[q], query_ptr[q + 1]):
        feature, x = query_idx[p], query_val[p]
        if x == 0.0:
            continue
        first, last = index_ptr[feature], index_ptr[feature + 1]
        if ones:  # x > 0, so no sum is zero
            for r in range(first, last):
                v = index_idx[r]
                old = product[v]
                touched[n_touched] = v
                n_touched += old == 0.0
                product[v] = old + x
        else:
            for r in range(first, last):
                v = index_idx[r]
                old = product[v]
                touched[n_touched] = v
                n_touched += old == 0.0
                new = old + x * index_val[r]
                product[v] = new if new != 0.0 else _TINY
    return n_touched


@njit(nogil=True, cache=True, inline="always")
def _steady(product, norms):
    """Round a product that may have cancelled to a multiple of the grid of `norms`."""
    return np.rint(product / norms * _GRID) / _GRID * norms if norms > 0.0 else 0.0


@njit(nogil=True, cache=True)
def _least(keys, size):
    least = keys[0]
    for t in range(1, size):
        least = min(least, keys[t])
    return least


@njit(nogil=True, cache=True)
def nearest_vectors(search, first, start, stop, out):
    """Fill the rows from `start` to `stop` with the most similar vectors of each query.

    Row r is query ``first + r``; with `skip_self` this is also the index of its own vector. Only
    similarities above zero count; among equals, lower indices come first.

    Parameters
    ----------
    search : skrec.neighbors._search.Search
    first, start, stop : int
    out : skrec.neighbors._search.Lists, written
    """
    # Arrays are unpacked here, since unpacking in the loop would count references.
    kind, skip_self, shrinkage, query, query_side, index, index_side, n_vectors = search
    out_size, out_items, out_values = out
    query_scale, query_norm, query_slope, query_offset = query_side
    scale, norm, slope, offset = index_side
    centred = slope.shape[0] > 0
    k = out_items.shape[1]
    product = np.zeros(n_vectors, dtype=np.float64)
    touched = np.empty(n_vectors + 1, dtype=np.int32)
    keys = np.empty(_BUFFER * k, dtype=np.float64)
    items = np.empty(_BUFFER * k, dtype=np.int32)
    for r in range(start, stop):
        q = first + r
        n_touched = _accumulate(query, q, index, product, touched)
        size, bound = np.int64(0), 0.0  # for a plain 0, numba would compile keep_best once more
        for t in range(n_touched):
            v = touched[t]
            value = product[v]
            product[v] = 0.0
            if skip_self and v == q:
                continue
            if kind == OVERLAP:
                below = query_scale[q] + scale[v] - value + shrinkage
            else:
                below = query_scale[q] * scale[v] + shrinkage
            if kind == SIGNED:
                if centred:
                    value -= query_slope[q] * slope[v] + query_offset[q] + offset[v]
                value = _steady(value, query_norm[q] * norm[v])
            # A norm whose square underflows is zero; such a vector is never a neighbour.
            if value <= bound * below or below <= 0.0:
                continue
            key = _rounded(value / below)
            if not 0.0 < key < np.inf:
                continue
            keys[size], items[size] = key, v
            size += 1
            if size == keys.shape[0]:
                keep_best(keys, items, size, k)
                size = k
                bound = _least(keys, k) * _SLACK
        if size > k:
            keep_best(keys, items, size, k)
            size = k
        out_size[r] = size
        # One by one: a slice compiles an error message, which takes two seconds.
        for t in range(size):
            out_items[r, t] = items[t]
            out_values[r, t] = keys[t]


@njit(nogil=True, cache=True)
def pack_lists(lists, places, items, values, start, stop):
    """Write lists one after the other.

    Parameters
    ----------
    lists : skrec.neighbors._search.Lists
    places : ndarray of int64 of shape (n_rows + 1,)
        Where each list begins.
    items, values : ndarray of shape (places[-1],), written
    start, stop : int
    """
    sizes, found_items, found_values = lists
    for r in range(start, stop):
        first = places[r]
        for t in range(sizes[r]):
            items[first + t] = found_items[r, t]
            values[first + t] = found_values[r, t]
