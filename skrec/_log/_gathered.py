"""Turn a log of codes that comes in blocks into CSR: count the lines of each user, place them.

Each line is kept as codes in int32, a value in float32 if that is exact, and a time in int32 if it
fits. The lines of a user are placed together, in their order in the log. The merged entries
overwrite the lines, so that no second copy is made.
"""

from collections import deque
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from skrec._log._aggregate import cast_exact, merge_duplicates
from skrec._log._returns import subtract_returns
from skrec._log._times import whole_times

__all__ = ["GatheredLog", "Matrix"]

_CHUNK = 1 << 16  # lines that are merged at a time, few enough to stay in the cache
_SHORT = 1 << 15  # up to this many lines, users or items numpy is fast enough


class _Block(NamedTuple):
    user: np.ndarray
    item: np.ndarray
    value: np.ndarray | None
    timestamp: np.ndarray | None


class Matrix(NamedTuple):
    """The matrix of a log, and its times.

    Attributes
    ----------
    X : csr_array of shape (n_users, n_items)
        One stored entry per pair, zeros included; sorted indices.
    timestamp : ndarray of int64 or float64 of shape (nnz,) or None
        Time of the last line of each pair.
    """

    X: csr_array
    timestamp: np.ndarray | None


class GatheredLog:
    """Lines of a log as codes.

    Attributes
    ----------
    n_lines : int
        Number of lines.
    n_negative : int
        Number of lines added with a negative value.
    first_negative : tuple of (int, float) or None
        Line (from 0) and value of the first negative value.
    """

    def __init__(self):
        self._blocks = deque()
        self.n_lines = self.n_negative = 0
        self.first_negative = None
        self._has_fractions = False  # whether times have fractions of seconds

    def add(self, user, item, value, timestamp):
        """Add lines.

        Parameters
        ----------
        user, item : ndarray of int32 of shape (n,)
            Codes.
        value : ndarray of float64 of shape (n,) or None
            All blocks must have values, or none.
        timestamp : ndarray of int64 or float64 of shape (n,) or None
            As `value`.
        """
        if not len(user):
            return
        if value is not None and (value < 0).any():
            negative = value < 0
            if self.first_negative is None:
                row = int(np.argmax(negative))
                self.first_negative = self.n_lines + row, value[row].item()
            self.n_negative += int(np.count_nonzero(negative))
        if timestamp is not None:
            timestamp = whole_times(timestamp)
            self._has_fractions |= timestamp.dtype.kind == "f"
        self.n_lines += len(user)
        self._blocks.append(_Block(user, item, _narrow_values(value), _narrow_times(timestamp)))

    def mark(self):
        """A mark for `rewind`."""
        counts = self.n_lines, self.n_negative, self.first_negative, self._has_fractions
        return len(self._blocks), counts

    def rewind(self, mark):
        """Forget the lines added since a mark."""
        n_blocks, counts = mark
        while len(self._blocks) > n_blocks:
            self._blocks.pop()
        self.n_lines, self.n_negative, self.first_negative, self._has_fractions = counts

    def drop_negative(self):
        """Leave out the lines with a negative value."""
        for _ in range(len(self._blocks)):
            block = self._blocks.popleft()
            kept = block.value >= 0
            if not kept.all():
                self.n_lines -= int(np.count_nonzero(~kept))
                block = _Block(*(None if column is None else column[kept] for column in block))
            self._blocks.append(block)

    def first(self):
        """Codes of the user and the item of the first line."""
        return int(self._blocks[0].user[0]), int(self._blocks[0].item[0])

    def count_pair(self, user, item):
        """Number of lines with given codes of user and item."""
        return sum(
            np.count_nonzero((block.user == user) & (block.item == item)) for block in self._blocks
        )

    def counts(self, side, n_codes):
        """Number of lines of each code.

        Parameters
        ----------
        side : {"user", "item"}
        n_codes : int

        Returns
        -------
        counts : ndarray of int64 of shape (n_codes,)
        """
        counts = np.zeros(n_codes, dtype=np.int64)
        for block in self._blocks:
            _add_counts(getattr(block, side), counts)
        return counts

    def to_matrix(self, user_position, item_position, shape, *, duplicates, dtype, subtract):
        """Make the matrix, and drop the lines.

        Parameters
        ----------
        user_position, item_position : ndarray of int32 of shape (n_codes,)
            Row and column of each code.
        shape : tuple of int
        duplicates : str
            See `skrec.preprocessing.InteractionEncoder`.
        dtype : dtype or "auto"
            Dtype of the matrix.
        subtract : bool
            Whether negative values are returns, to be subtracted from purchases.

        Returns
        -------
        matrix : Matrix
            With ``subtract=True``, users and items without remaining purchases are empty.

        Raises
        ------
        ValueError
            See `merge_duplicates` and `cast_values`.
        """
        bounds, columns = self._placed(
            user_position, item_position, shape[0], numbered=duplicates == "error"
        )
        if "timestamp" in columns and self._has_fractions:
            columns["timestamp"] = columns["timestamp"].astype(np.float64, copy=False)
        merged = _Merged(bounds, columns)
        for first, last in _row_chunks(bounds):
            merged.add(first, last, shape[1], duplicates, subtract)
        return merged.finish(shape, dtype)

    def _placed(self, user_position, item_position, n_users, *, numbered):
        """Bounds of the lines of each user, and the columns other than users, in that order."""
        counts = self.counts("user", len(user_position))
        used = user_position >= 0
        bounds = np.zeros(n_users + 1, dtype=np.int64)
        bounds[1:][user_position[used]] = counts[used]
        np.cumsum(bounds, out=bounds)
        columns = {"item": np.empty(self.n_lines, dtype=np.int32)}
        for name in ("value", "timestamp"):
            found = [getattr(block, name) for block in self._blocks]
            if found and found[0] is not None:
                dtype = np.result_type(*{column.dtype for column in found})
                columns[name] = np.empty(self.n_lines, dtype=dtype)
            del found
        if numbered:
            columns["line"] = np.empty(self.n_lines, dtype=np.int64)
        cursor, line = bounds[:-1].copy(), 0
        while self._blocks:
            block = self._blocks.popleft()
            places = _take_places(user_position[block.user], cursor)
            columns["item"][places] = item_position[block.item]
            for name in ("value", "timestamp"):
                if name in columns:
                    columns[name][places] = getattr(block, name)
            if numbered:
                columns["line"][places] = np.arange(line, line + len(places))
                line += len(places)
        return bounds, columns


class _Merged:
    """Merges the lines of users, and overwrites them with the result."""

    def __init__(self, bounds, columns):
        self._bounds = bounds
        self._item = columns["item"]
        self._value, self._time = columns.get("value"), columns.get("timestamp")
        self._line = columns.get("line")
        self._has_values = self._value is not None
        if not self._has_values:
            self._value = np.empty(len(self._item), dtype=np.float32)
        self._indptr = np.zeros(len(bounds), dtype=np.int64)
        self._n = 0

    def add(self, first, last, n_items, duplicates, subtract):
        """Merge the lines of the next users."""
        bounds = self._bounds[first : last + 1]
        lines = slice(bounds[0], bounds[-1])
        user = np.repeat(np.arange(last - first), np.diff(bounds))
        item = self._item[lines]
        value = self._value[lines].astype(np.float64) if self._has_values else None
        time, line = (None if c is None else c[lines] for c in (self._time, self._line))
        if subtract and (value < 0).any():
            keep, value = subtract_returns(user, item, value)
            user, item, value = user[keep], item[keep], value[keep]
            time = None if time is None else time[keep]
        shape = (last - first, n_items)
        X, at = merge_duplicates(user, item, value, time, shape, duplicates, np.float64, lines=line)
        kept = slice(self._n, self._n + X.nnz)
        if time is not None:
            self._time[kept] = time[at]
        self._item[kept] = X.indices
        self._write(kept, X.data)
        self._indptr[first + 1 : last + 1] = self._n + X.indptr[1:]
        self._n = kept.stop

    def _write(self, kept, data):
        """Write values in float32 as long as that is exact; from then on all in float64."""
        if self._value.dtype == np.float32:
            with np.errstate(over="ignore", under="ignore"):
                narrow = data.astype(np.float32)
            if not np.array_equal(narrow, data):
                self._value = self._value.astype(np.float64)
        self._value[kept] = data

    def finish(self, shape, dtype):
        """The matrix."""
        index_dtype = np.int32 if max(self._n, *shape) < 2**31 else np.int64
        indptr = self._indptr.astype(index_dtype)
        data, item, time = self._value, self._item, self._time
        self._value = self._item = self._time = None
        for column in (data, item, time):
            if column is not None:
                column.resize(self._n, refcheck=False)  # no other code refers to the column
        data = cast_exact(data, dtype)
        X = csr_array((data, item.astype(index_dtype, copy=False), indptr), shape=shape)
        X.has_canonical_format = True
        if time is not None and time.dtype.kind == "i":
            time = time.astype(np.int64, copy=False)
        return Matrix(X, time)


def _is_short(codes, per_code):
    """Whether numpy finishes before an import of numba would."""
    return len(codes) < _SHORT and len(per_code) < _SHORT


def _add_counts(codes, counts):
    if _is_short(codes, counts):
        counts += np.bincount(codes, minlength=len(counts))
        return
    from skrec._log._growing_kernels import add_counts

    add_counts(codes, counts)


def _take_places(codes, cursor):
    """Return the next free place of each code, and advance the code's cursor."""
    if not _is_short(codes, cursor):
        from skrec._log._growing_kernels import take_places

        places = np.empty(len(codes), dtype=np.int64)
        take_places(codes, cursor, places)
        return places
    order = np.argsort(codes, kind="stable")
    counts = np.bincount(codes, minlength=len(cursor))
    places = np.empty(len(codes), dtype=np.int64)
    places[order] = np.arange(len(codes)) + np.repeat(cursor - (np.cumsum(counts) - counts), counts)
    cursor += counts
    return places


def _row_chunks(bounds):
    """Ranges of users whose lines fit into the cache together."""
    n_users, first = len(bounds) - 1, 0
    while first < n_users:
        last = int(np.searchsorted(bounds, bounds[first] + _CHUNK, side="right")) - 1
        last = min(max(last, first + 1), n_users, first + _CHUNK)
        yield first, last
        first = last


def _narrow_values(values):
    if values is None:
        return None
    with np.errstate(over="ignore", under="ignore"):
        narrow = values.astype(np.float32)
    return narrow if np.array_equal(narrow, values) else values


def _narrow_times(times):
    """Whole times in int32 if they fit."""
    if times is None:
        return None
    if times.dtype.kind != "i":
        return times
    small = len(times) and times.min() >= -(2**31) and times.max() < 2**31
    return times.astype(np.int32) if small else times
