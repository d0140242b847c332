"""numba part of `skrec.datasets._generator`; imported only when it is called."""

import numpy as np

from skrec.utils._compile import njit
from skrec.utils._mix_kernels import GOLDEN, mix


@njit(nogil=True, cache=True, inline="always")
def _uniform(word):
    # The upper 53 bits, in [0, 1).
    return np.float64(word >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(nogil=True, cache=True)
def _bisect(cumulative, start, stop, value):
    """First position in [start, stop) whose running sum exceeds `value`."""
    while start < stop - 1:
        middle = (start + stop - 1) // 2
        if cumulative[middle] > value:
            stop = middle + 1
        else:
            start = middle + 1
    return start


@njit(nogil=True, cache=True)
def _finish(state, weights, group_of_item, liking, spread, seen, stamp, out):
    """Fill `out` by weighted sampling without replacement among all unseen items.

    The smallest keys Exp(1) / weight come first (Efraimidis & Spirakis).
    """
    n_items = weights.shape[0]
    keys = np.full(n_items, np.inf)
    for item in range(n_items):
        state += GOLDEN
        if seen[item] != stamp:
            weight = weights[item] * (spread + liking[group_of_item[item]])
            keys[item] = -np.log1p(-_uniform(mix(state))) / weight
    order = np.argsort(keys, kind="mergesort")
    for place in range(out.shape[0]):
        out[place] = order[place]


@njit(nogil=True, cache=True)
def draw_items(indptr, tastes, catalogue, seed, start, stop, out):
    """Draw distinct items for the users from `start` to `stop`, favourites first.

    Each draw takes one of the user's groups with probability `taste`, by its share, else any
    group. Then it takes an item of this group by its weight, and rejects items that the user
    has. After too many rejections `_finish` draws the rest from the same distribution.

    Parameters
    ----------
    indptr : ndarray of shape (n_users + 1,)
        Bounds of the users in `out`.
    tastes : skrec.datasets._generator.Tastes
    catalogue : skrec.datasets._generator.Catalogue
    seed : uint64
    start, stop : int
    out : ndarray of int32, written
        Items of the users, in the order of their draws.
    """
    group_ptr, groups, group_cumulative, taste = tastes
    item_ptr, items_by_group, item_cumulative, weights, group_of_item = catalogue
    n_items, n_groups = weights.shape[0], item_ptr.shape[0] - 1
    seen = np.full(n_items, -1, dtype=np.int64)
    liking = np.empty(n_groups)
    for user in range(start, stop):
        begin, end = indptr[user], indptr[user + 1]
        first_group, last_group = group_ptr[user], group_ptr[user + 1]
        state = mix(seed ^ (np.uint64(user + 1) * GOLDEN))
        place, patience = begin, 64 + 12 * (end - begin)
        while place < end and patience > 0:
            patience -= 1
            state += GOLDEN
            pick = _uniform(mix(state))
            if pick < taste:
                group = groups[_bisect(group_cumulative, first_group, last_group, pick / taste)]
            else:
                share = (pick - taste) / (1.0 - taste)
                group = min(np.int64(share * n_groups), n_groups - 1)
            state += GOLDEN
            within = _uniform(mix(state)) * item_cumulative[item_ptr[group + 1] - 1]
            item = items_by_group[
                _bisect(item_cumulative, item_ptr[group], item_ptr[group + 1], within)
            ]
            if seen[item] != user:
                seen[item] = user
                out[place] = item
                place += 1
        if place < end:
            # Above 0, so that a user may have more items than the user's groups hold.
            spread = max((1.0 - taste) / n_groups, 1e-6)
            liking[:] = 0.0
            below = 0.0
            for entry in range(first_group, last_group):
                liking[groups[entry]] += taste * (group_cumulative[entry] - below)
                below = group_cumulative[entry]
            _finish(state, weights, group_of_item, liking, spread, seen, user, out[place:end])
