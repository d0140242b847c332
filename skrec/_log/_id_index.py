"""Indexes of known ids for fast look-ups; an index lives as long as its ids.

A request names a few ids. Without an index, each look-up would scan a million known ids, which
would take far longer than the rest of the request.
"""

import weakref
from itertools import chain

import numpy as np

__all__ = ["IdIndex", "kept_index"]

_CHUNK = 1 << 16  # objects made from an array at a time

# id() of an array -> a weak reference to the array, and its index, which holds no reference.
_KEPT = {}


def kept_index(ids):
    """The `IdIndex` of an array of ids, created at the first call.

    Parameters
    ----------
    ids : ndarray of shape (n_ids,)
        Distinct. The same object gets the same index. The function makes the array read-only,
        because it could not see a change in place; a view can still change through its base.

    Returns
    -------
    index : IdIndex
    """
    place = id(ids)
    found = _KEPT.get(place)
    if found is None or found[0]() is not ids:
        ids.flags.writeable = False
        gone = weakref.ref(ids, lambda reference: _forget(place, reference))
        found = _KEPT[place] = gone, IdIndex()
    return found[1]


def _forget(place, reference):
    found = _KEPT.get(place)
    if found is not None and found[0] is reference:  # not the entry of a later array with this id
        _KEPT.pop(place, None)


class IdIndex:
    """Positions of known ids. Methods take these ids, since the index holds no reference."""

    def __init__(self):
        self._places = self._is_ascending = self._order = self._sorted = None
        self._hashes = self._by_hash = None

    def places(self, ids):
        """A dict from each id to its position."""
        if self._places is None:
            self._places = {value: place for place, value in enumerate(ids.tolist())}
        return self._places

    def range(self, ids):
        """The smallest and the largest of ids that are whole numbers."""
        ordered = self._ascending(ids)
        return int(ordered[0]), int(ordered[-1])

    def find(self, ids, values):
        """Positions of a few values among ids of the same kind.

        Parameters
        ----------
        ids : ndarray of shape (n_ids,)
            At least one id; all whole numbers, or all text.
        values : list of int, list of str, or ndarray of int, of shape (n,)
            Text must be a list.

        Returns
        -------
        positions : ndarray of intp of shape (n,)
            -1 for values that are not among the ids.

        Raises
        ------
        OverflowError
            If a value has more than 64 bits.
        """
        if ids.dtype.kind == "U":
            return self._find_text(ids, values)
        return self.bisect(ids, np.asarray(values, dtype=np.int64))

    def find_one(self, ids, value):
        """Position of a single value, an int or a str, as in `find`."""
        if ids.dtype.kind == "U":
            return self._find_text(ids, [value]).item()
        ordered = self._ascending(ids)
        place = int(ordered.searchsorted(np.int64(value)))
        if place == len(ordered) or ordered.item(place) != value:
            return -1
        return place if self._order is None else int(self._order[place])

    def bisect(self, ids, column):
        """Positions of the entries of a numeric column among ids of the same kind.

        Parameters
        ----------
        ids : ndarray of shape (n_ids,)
        column : ndarray of shape (n,)

        Returns
        -------
        positions : ndarray of intp of shape (n,)
            -1 for entries that are not among the ids.
        """
        ordered = self._ascending(ids)
        positions = ordered.searchsorted(column)
        positions[positions == len(ordered)] = 0
        other = ordered[positions] != column
        if self._order is not None:
            positions = self._order[positions]
        positions[other] = -1
        return positions.astype(np.intp, copy=False)

    def _find_text(self, ids, texts):
        # Bisection on text is slow: each comparison waits for another place in memory.
        if self._hashes is None:
            hashes = _hashes(chain.from_iterable(_chunks(ids)), len(ids))
            by_hash = np.argsort(hashes)
            hashes = hashes[by_hash]
            if (hashes[1:] == hashes[:-1]).any():
                hashes = hashes[:0]  # two ids with the same hash: fall back to a dict
            self._by_hash = by_hash.astype(np.int32 if len(ids) < 2**31 else np.int64)
            self._hashes = hashes
        if not len(self._hashes):
            get = self.places(ids).get
            return np.array([get(text, -1) for text in texts], dtype=np.intp)
        positions = self._hashes.searchsorted(_hashes(texts, len(texts)))
        positions[positions == len(ids)] = 0
        positions = self._by_hash[positions].astype(np.intp)
        found = ids[positions].tolist()
        if found != texts:
            positions[[one != other for one, other in zip(found, texts, strict=True)]] = -1
        return positions

    def _ascending(self, ids):
        if self._is_ascending is None:
            ascending = bool((ids[1:] > ids[:-1]).all())
            if not ascending:  # ids in an order that the user chose
                self._order = np.argsort(ids, kind="stable")
                self._sorted = ids[self._order]
            self._is_ascending = ascending
        return ids if self._is_ascending else self._sorted


def _hashes(texts, n):
    """Python's hash of each text, which is valid in this process only, like the indexes."""
    return np.fromiter(map(hash, texts), np.int64, n)


def _chunks(ids):
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK].tolist()
