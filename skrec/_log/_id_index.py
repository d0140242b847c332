"""What is made of known ids to find others among them; kept as long as the ids are there.

A request names a few ids. To go through a million known ones for each of them would take far
longer than all the rest of it.
"""

import weakref

import numpy as np

__all__ = ["IdIndex", "kept_index"]

# id of an array -> a weak reference to it, and its index, which does not hold it.
_KEPT = {}


def kept_index(ids):
    """The `IdIndex` of an array of ids, made at the first call.

    Parameters
    ----------
    ids : ndarray of shape (n_ids,)
        Distinct. It is known again as the same object, which must not have changed.

    Returns
    -------
    index : IdIndex
    """
    place = id(ids)
    found = _KEPT.get(place)
    if found is None or found[0]() is not ids:
        gone = weakref.ref(ids, lambda reference: _forget(place, reference))
        found = _KEPT[place] = gone, IdIndex()
    return found[1]


def _forget(place, reference):
    found = _KEPT.get(place)
    if found is not None and found[0] is reference:  # not that of a later array in its place
        _KEPT.pop(place, None)


class IdIndex:
    """Positions of known ids. Its methods take these ids: it holds nothing that keeps them."""

    def __init__(self):
        self._places = self._is_ascending = self._order = self._sorted = None

    def places(self, ids):
        """Position of each id by the id, a dict."""
        if self._places is None:
            self._places = {value: place for place, value in enumerate(ids.tolist())}
        return self._places

    def range(self, ids):
        """The least and the largest of some whole numbers."""
        ordered = self._ascending(ids)
        return int(ordered[0]), int(ordered[-1])

    def bisect(self, ids, column):
        """Positions of the entries of a column among ids of its kind, which can be sorted.

        Parameters
        ----------
        ids : ndarray of shape (n_ids,)
        column : ndarray of shape (n,)

        Returns
        -------
        positions : ndarray of intp of shape (n,)
            -1 where the entry is not among the ids.
        """
        ordered = self._ascending(ids)
        short = column
        if column.dtype.kind == ids.dtype.kind == "U" and column.dtype.itemsize > ids.itemsize:
            # NumPy would copy all known ids to the longer kind. What is cut differs below.
            short = column.astype(ids.dtype)
        positions = ordered.searchsorted(short)
        positions[positions == len(ordered)] = 0
        other = ordered[positions] != column
        if self._order is not None:
            positions = self._order[positions]
        positions[other] = -1
        return positions.astype(np.intp, copy=False)

    def _ascending(self, ids):
        if self._is_ascending is None:
            ascending = bool((ids[1:] > ids[:-1]).all())
            if not ascending:  # ids that a user gave in an order of their own
                self._order = np.argsort(ids, kind="stable")
                self._sorted = ids[self._order]
            self._is_ascending = ascending
        return ids if self._is_ascending else self._sorted
