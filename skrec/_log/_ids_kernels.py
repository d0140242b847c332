"""numba part of `_ids` and `_aggregate`; imported only for long columns."""

import numpy as np

from skrec.utils._compile import njit

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@njit(nogil=True, cache=True)
def _place(table, shift, words, first, n_distinct):
    table[:] = -1
    mask = table.shape[0] - 1
    for code in range(n_distinct):
        slot = np.int64((words[first[code]] * _GOLDEN) >> shift)
        while table[slot] >= 0:
            slot = (slot + 1) & mask
        table[slot] = code


@njit(nogil=True, cache=True)
def word_codes(words, codes):
    """Number the distinct words in order of first appearance.

    Writes `codes`, an array as long as `words`, and returns the first row of each distinct
    word. Uses an open-addressing table with linear probing, at most half full.
    """
    bits = 12
    table = np.full(1 << bits, -1, dtype=np.int64)
    first = np.empty(1 << (bits - 1), dtype=np.int64)
    shift, mask = np.uint64(64 - bits), (1 << bits) - 1
    n_distinct = 0
    for row in range(words.shape[0]):
        word = words[row]
        slot = np.int64((word * _GOLDEN) >> shift)
        while table[slot] >= 0 and words[first[table[slot]]] != word:
            slot = (slot + 1) & mask
        code = table[slot]
        if code < 0:
            if n_distinct == first.shape[0]:
                bits += 2
                grown = np.empty(1 << (bits - 1), dtype=np.int64)
                grown[:n_distinct] = first
                first = grown
                table = np.empty(1 << bits, dtype=np.int64)
                shift, mask = np.uint64(64 - bits), (1 << bits) - 1
                _place(table, shift, words, first, n_distinct)
                slot = np.int64((word * _GOLDEN) >> shift)
                while table[slot] >= 0:
                    slot = (slot + 1) & mask
            code = n_distinct
            table[slot] = code
            first[code] = row
            n_distinct += 1
        codes[row] = code
    return first[:n_distinct].copy()


@njit(nogil=True, cache=True)
def _counting_pass(keys, n_keys, rows, out):
    """Sort `rows` stably by their keys into `out`."""
    place = np.zeros(n_keys + 1, dtype=np.int64)
    for i in range(keys.shape[0]):
        place[keys[i] + 1] += 1
    for key in range(n_keys):
        place[key + 1] += place[key]
    for i in range(rows.shape[0]):
        key = keys[rows[i]]
        out[place[key]] = rows[i]
        place[key] += 1


@njit(nogil=True, cache=True)
def pair_order(user, item, n_users, n_items):
    """Stable order by user, then by item, from two passes of counting sort."""
    rows = np.arange(user.shape[0])
    by_item = np.empty_like(rows)
    _counting_pass(item, n_items, rows, by_item)
    _counting_pass(user, n_users, by_item, rows)
    return rows
