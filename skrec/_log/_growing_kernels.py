"""numba part of `_growing_ids`, of `_gathered` and of the reader of text blocks."""

import numpy as np

from skrec.utils._compile import eight_bytes, njit

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_OTHER = np.uint64(0xC2B2AE3D27D4EB4F)
_HIGH = np.uint64(0xFFFFFFFF00000000)
_LOW = np.uint64(0xFFFFFFFF)
_ONE = np.uint64(1)
_BLANK = np.uint8(32)
_AHEAD = 64


@njit(nogil=True, cache=True)
def encode_words(words, codes, start, table, shift, known, direct, state):
    """Number the words from row `start` on; return the row where the room ran out.

    `known` holds the distinct words by code, and ``state[0]`` their number. `direct` (code by
    word) holds small whole numbers; `table`, an open-addressing table of codes, holds the others.
    """
    mask = table.shape[0] - 1
    n_known = state[0]
    n_direct = direct.shape[0]
    for row in range(start, words.shape[0]):
        word = words[row]
        if 0 <= word < n_direct:
            code = direct[word]
            if code < 0:
                if n_known == known.shape[0]:
                    state[0] = n_known
                    return row
                code = n_known
                known[code] = word
                direct[word] = code
                n_known += 1
            codes[row] = code
            continue
        slot = np.int64((np.uint64(word) * _GOLDEN) >> shift)
        while table[slot] >= 0 and known[table[slot]] != word:
            slot = (slot + 1) & mask
        code = table[slot]
        if code < 0:
            if n_known == known.shape[0]:
                state[0] = n_known
                return row
            code = n_known
            known[code] = word
            table[slot] = code
            n_known += 1
        codes[row] = code
    state[0] = n_known
    return words.shape[0]


@njit(nogil=True, cache=True)
def place_words(known, n_known, table, shift, direct):
    """Fill an empty table, and the codes of small whole numbers, with known words."""
    mask = table.shape[0] - 1
    for code in range(n_known):
        word = known[code]
        if 0 <= word < direct.shape[0]:
            direct[word] = code
            continue
        slot = np.int64((np.uint64(word) * _GOLDEN) >> shift)
        while table[slot] >= 0:
            slot = (slot + 1) & mask
        table[slot] = code


@njit(nogil=True, cache=True, inline="always")
def _last_bytes(data, first, last):
    word = np.uint64(0)
    for place in range(first, last):
        word = (word << np.uint64(8)) | np.uint64(data[place])
    return word


@njit(nogil=True, cache=True)
def _hash_bytes(data, first, last):
    h = np.uint64(last - first) * _GOLDEN
    if last - first >= 8:
        for place in range(first, last - 8, 8):
            h = (h ^ eight_bytes(data, place)) * _OTHER
            h ^= h >> np.uint64(29)
        word = eight_bytes(data, last - 8)
    else:
        word = _last_bytes(data, first, last)
    h = (h ^ word) * _OTHER
    h = (h ^ (h >> np.uint64(32))) * _GOLDEN
    return h ^ (h >> np.uint64(29))


@njit(nogil=True, cache=True)
def _same_bytes(one, begin, other, first, length):
    if length < 8:
        place = 0
        while place < length and one[begin + place] == other[first + place]:
            place += 1
        return place == length
    for place in range(0, length - 8, 8):
        if eight_bytes(one, begin + place) != eight_bytes(other, first + place):
            return False
    return eight_bytes(one, begin + length - 8) == eight_bytes(other, first + length - 8)


@njit(nogil=True, cache=True)
def encode_texts(offsets, data, codes, start, strip, table, hashes, bounds, arena, state):
    """Number the texts from row `start` on; return the row where the room ran out.

    Text `row` is ``data[offsets[row]:offsets[row + 1]]``; with `strip`, without blanks around it.
    `arena` holds the distinct texts between `bounds`, and ``state[0]`` is their number. A slot of
    `table` holds half of the hash and a code from 1; 0 means a free slot.
    """
    n_known = state[0]
    mask = np.uint64(table.shape[0] - 1)
    firsts, lasts = np.empty(_AHEAD, np.int64), np.empty(_AHEAD, np.int64)
    words, begins = np.empty(_AHEAD, np.uint64), np.empty(_AHEAD, np.int64)
    touched = 0
    for row in range(start, codes.shape[0], _AHEAD):
        n = min(_AHEAD, codes.shape[0] - row)
        for i in range(n):
            first, last = np.int64(offsets[row + i]), np.int64(offsets[row + i + 1])
            if strip:
                while first < last and data[first] == _BLANK:
                    first += 1
                while first < last and data[last - 1] == _BLANK:
                    last -= 1
            firsts[i], lasts[i] = first, last
            words[i] = _hash_bytes(data, first, last)
        # These loops load the memory of many texts at once, so that the loop below need not wait.
        for i in range(n):
            begins[i] = bounds[table[words[i] & mask] & _LOW]
        for i in range(n):
            touched += arena[begins[i]]
        for i in range(n):
            h, first, length = words[i], firsts[i], lasts[i] - firsts[i]
            slot = h & mask
            code = -1
            while table[slot] != 0:
                if (table[slot] ^ h) & _HIGH == 0:
                    other = np.int64(table[slot] & _LOW) - 1
                    begin = bounds[other]
                    if bounds[other + 1] - begin == length and _same_bytes(
                        arena, begin, data, first, length
                    ):
                        code = other
                        break
                slot = (slot + _ONE) & mask
            if code < 0:
                begin = bounds[n_known]
                if n_known == hashes.shape[0] or begin + length >= arena.shape[0]:
                    state[0] = n_known
                    return row + i
                code = n_known
                for place in range(length):
                    arena[begin + place] = data[first + place]
                n_known += 1
                bounds[n_known] = begin + length
                hashes[code] = h
                table[slot] = (h & _HIGH) | np.uint64(n_known)
            codes[row + i] = code
    state[0] = n_known
    state[1] = touched
    return codes.shape[0]


@njit(nogil=True, cache=True)
def place_texts(hashes, n_known, table):
    """Fill an empty table with known texts."""
    mask = np.uint64(table.shape[0] - 1)
    for code in range(n_known):
        slot = hashes[code] & mask
        while table[slot] != 0:
            slot = (slot + _ONE) & mask
        table[slot] = (hashes[code] & _HIGH) | np.uint64(code + 1)


@njit(nogil=True, cache=True)
def add_counts(codes, counts):
    """Count how often each code occurs."""
    for row in range(codes.shape[0]):
        counts[codes[row]] += 1


@njit(nogil=True, cache=True)
def take_places(codes, cursor, places):
    """Write the next free place of each code, and advance the code's cursor."""
    for row in range(codes.shape[0]):
        code = codes[row]
        places[row] = cursor[code]
        cursor[code] += 1


@njit(nogil=True, cache=True)
def quotes_are_plain(text, quote, delimiter):
    """Whether quotes enclose whole fields in pairs, without line breaks between them."""
    within = False
    n = text.shape[0]
    for place in range(n):
        byte = text[place]
        if byte == quote:
            other = place + 1 if within else place - 1
            if 0 <= other < n:
                beside = text[other]
                if beside != delimiter and beside != 10 and beside != 13:
                    return False
            within = not within
        elif within and (byte == 10 or byte == 13):
            return False
    return not within
