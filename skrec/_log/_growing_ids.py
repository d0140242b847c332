"""Number ids in order of appearance, a block of a log at a time.

Each kind of column has its own dictionary. Compiled hash tables serve whole numbers and text: they
hold each number in eight bytes, each text once, and no Python object. A dict serves other ids.
"""

import numpy as np

from skrec._log._ids import MAX_WIDTH, as_id_column, unique_ids, warn_of_float_ids, warn_of_lost_ids

__all__ = ["ObjectIds", "TextIds", "WholeIds", "growing_ids", "settled_ids", "settled_texts"]

_FIRST_BITS = 12  # log2 of the number of slots of a new table
_MOST_DIRECT = 1 << 27  # greatest number of direct slots for small whole numbers


def growing_ids(arrow_type):
    """An empty dictionary for a column of pyarrow.

    Parameters
    ----------
    arrow_type : pyarrow.DataType

    Returns
    -------
    ids : WholeIds, TextIds or ObjectIds
        For a dictionary column, the dictionary for its values.
    """
    import pyarrow as pa

    if pa.types.is_dictionary(arrow_type):
        arrow_type = arrow_type.value_type
    if pa.types.is_integer(arrow_type):
        return WholeIds(is_large=pa.types.is_uint64(arrow_type))
    if pa.types.is_string(arrow_type) or pa.types.is_large_string(arrow_type):
        return TextIds()
    return ObjectIds()


def settled_ids(ids, used, name, *, stacklevel):
    """The ids that occur, as `unique_ids` returns them, and the position of each code.

    Parameters
    ----------
    ids : WholeIds, TextIds or ObjectIds
    used : ndarray of bool of shape (n_codes,)
    name : str
        Name of the ids in messages.
    stacklevel : int
        Stack level of the warnings about ids that a reader has changed.

    Returns
    -------
    settled : ndarray of shape (n_ids,)
        The ids; Python objects that are text become an array of text.
    position : ndarray of int32 of shape (n_codes,)
        Position of each code in `settled`; -1 for codes that do not occur.
    """
    codes = np.flatnonzero(used)
    found = ids.in_order(codes) if isinstance(ids, TextIds) else None
    if found is not None:
        warn_of_lost_ids(found[0], name, stacklevel=stacklevel + 1)
        return found[0], _positions(codes, found[1], len(used))
    column = as_id_column(ids.take(codes), name)
    if isinstance(ids, ObjectIds):
        if len(column) and all(isinstance(value, float) for value in column.tolist()):
            column = column.astype(np.float64)
        warn_of_float_ids(column, name, stacklevel=stacklevel + 1)
    settled, place = unique_ids(column, name)
    warn_of_lost_ids(settled, name, stacklevel=stacklevel + 1)
    return settled, _positions(codes, place, len(used))


def settled_texts(ids, used):
    """`settled_ids` for a text file: whole numbers if all ids are written as such.

    Parameters
    ----------
    ids : TextIds or ObjectIds
    used : ndarray of bool of shape (n_codes,)

    Returns
    -------
    settled : ndarray of shape (n_ids,) or None
        None if `ids_of_text` must convert the ids.
    position : ndarray of int32 of shape (n_codes,) or None
    """
    codes = np.flatnonzero(used)
    found = ids.in_order(codes, numbers=True) if isinstance(ids, TextIds) else None
    return (None, None) if found is None else (found[0], _positions(codes, found[1], len(used)))


def _positions(codes, place, n_codes):
    position = np.full(n_codes, -1, dtype=np.int32)
    position[codes] = place
    return position


class WholeIds:
    """Whole numbers of up to 64 bits.

    Parameters
    ----------
    is_large : bool, default=False
        Whether the numbers are unsigned and may need all 64 bits.
    """

    def __init__(self, *, is_large=False):
        self._is_large = is_large
        self._bits = _FIRST_BITS
        self._known = np.empty(0, dtype=np.int64)
        self._direct = np.empty(0, dtype=np.int32)
        self._state = np.zeros(1, dtype=np.int64)
        self._grow()

    def __len__(self):
        return int(self._state[0])

    def encode(self, column):
        """Codes, int32, of a pyarrow column without nulls."""
        import pyarrow as pa

        if pa.types.is_dictionary(column.type):
            return _by_dictionary(self, column)
        from skrec._log._growing_kernels import encode_words

        words = column.to_numpy(zero_copy_only=False).astype(np.int64, copy=False)
        codes = np.empty(len(words), dtype=np.int32)
        row = 0
        while True:
            shift = np.uint64(64 - self._bits)
            row = encode_words(
                words, codes, row, self._table, shift, self._known, self._direct, self._state
            )
            if row == len(words):
                return codes
            self._grow()

    def take(self, codes):
        """Ids of some codes, an ndarray."""
        known = self._known[codes]
        return known.view(np.uint64) if self._is_large else known

    def _grow(self):
        """Double the room, and add direct slots for small numbers if many ids are small."""
        from skrec._log._growing_kernels import place_words

        n_known = len(self)
        self._bits += 1
        known = np.empty(1 << (self._bits - 1), dtype=np.int64)
        known[:n_known] = self._known[:n_known]
        self._known = known
        self._table = np.full(1 << self._bits, -1, dtype=np.int32)
        self._direct = np.full(_n_direct(known[:n_known], len(known)), -1, dtype=np.int32)
        shift = np.uint64(64 - self._bits)
        place_words(known, n_known, self._table, shift, self._direct)


def _n_direct(known, room):
    """Number of direct slots, of 4 bytes each, for small whole numbers.

    While no id is known, as many as allowed. Later none if few ids are small, as with hashes,
    and at most twice as many as the largest small id needs.
    """
    most = min(4 * room, _MOST_DIRECT)
    if not len(known):
        return most
    small = known[(known >= 0) & (known < most)]
    return 0 if 4 * len(small) < len(known) else min(most, 2 * int(small.max()) + 2)


class TextIds:
    """Ids of text, compared by their bytes.

    Parameters
    ----------
    encoding : str, default="utf-8"
        Encoding of the bytes.
    strip : bool, default=False
        Whether to ignore blanks around a text.
    """

    def __init__(self, encoding="utf-8", *, strip=False):
        self._encoding, self._strip = encoding, strip
        self._bits = _FIRST_BITS
        self._hashes = np.empty(0, dtype=np.uint64)
        self._bounds = np.zeros(1, dtype=np.int64)
        self._arena = np.empty(1 << 16, dtype=np.uint8)
        self._state = np.zeros(2, dtype=np.int64)
        self._grow()

    def __len__(self):
        return int(self._state[0])

    def encode(self, column):
        """Codes, int32, of a pyarrow column of text or bytes without nulls."""
        import pyarrow as pa

        if pa.types.is_dictionary(column.type):
            return _by_dictionary(self, column)
        from skrec._log._growing_kernels import encode_texts

        is_large = pa.types.is_large_string(column.type) or pa.types.is_large_binary(column.type)
        _, offsets, data = column.buffers()
        n = len(column)
        codes = np.empty(n, dtype=np.int32)
        if not n:
            return codes
        offsets = np.frombuffer(offsets, np.int64 if is_large else np.int32)
        offsets = offsets[column.offset : column.offset + n + 1]
        data = np.empty(1, np.uint8) if data is None else np.frombuffer(data, np.uint8)
        row = 0
        while True:
            row = encode_texts(
                offsets, data, codes, row, self._strip,
                self._table, self._hashes, self._bounds, self._arena, self._state,
            )  # fmt: skip
            if row == n:
                return codes
            self._make_room(int(offsets[row + 1] - offsets[row]))

    def encode_texts(self, texts):
        """Codes, int32, of a list of str, by their bytes in the encoding."""
        import pyarrow as pa

        return self.encode(pa.array([t.encode(self._encoding) for t in texts], pa.large_binary()))

    def take(self, codes):
        """Texts of some ascending codes, an ndarray of str objects.

        Raises
        ------
        UnicodeDecodeError
            If the bytes of a code are not text in the encoding.
        """
        found = self._as_arrow(codes)
        if self._encoding == "utf-8":
            texts = _as_text(found).to_pylist()
        else:
            texts = [value.decode(self._encoding) for value in found.to_pylist()]
        return np.fromiter(texts, dtype=object, count=len(texts))

    def in_order(self, codes, *, numbers=False):
        """Sorted ids of some codes, and the position of each code; None if Python must sort.

        With ``numbers=True`` the ids are int64 if all texts are whole numbers as Python writes
        them.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        if self._encoding != "utf-8" or not len(codes):
            return None
        texts = _as_text(self._as_arrow(codes))
        place = np.empty(len(codes), dtype=np.int32)
        if numbers:
            try:
                whole = texts.cast(pa.int64())
            except pa.ArrowInvalid:
                whole = None
            if whole is not None and whole.cast(pa.large_string()) == texts:
                ids = whole.to_numpy()
                order = np.argsort(ids)
                place[order] = np.arange(len(ids))
                return ids[order], place
        # As in `pack_ids`: arrays drop trailing NULs and pad to the longest entry.
        widest = pc.max(pc.utf8_length(texts)).as_py()
        if widest > MAX_WIDTH or b"\0" in self._last_bytes(codes):
            return None
        order = pc.sort_indices(texts)  # by bytes, which has the same order as by characters
        place[order.to_numpy()] = np.arange(len(codes))
        return np.array(texts.take(order).to_pylist(), dtype=np.str_), place

    def _last_bytes(self, codes):
        ends = self._bounds[1:][codes]
        ends = ends[ends > self._bounds[codes]]
        return self._arena[ends - 1].tobytes()

    def are_text(self, start):
        """Whether the bytes of all codes from `start` on are text in the encoding."""
        try:
            if self._encoding == "utf-8":
                _as_text(self._as_arrow(np.arange(start, len(self))))
            else:
                self.take(np.arange(start, len(self)))
        except UnicodeDecodeError:
            return False
        return True

    def short(self, start, n_bytes):
        """Codes from `start` on whose texts have at most `n_bytes` bytes."""
        lengths = np.diff(self._bounds[start : len(self) + 1])
        return start + np.flatnonzero(lengths <= n_bytes)

    def _as_arrow(self, codes):
        import pyarrow as pa

        n_known = len(self)
        bounds, used = self._bounds[: n_known + 1], self._arena[: self._bounds[n_known]]
        buffers = [None, pa.py_buffer(bounds), pa.py_buffer(used)]
        found = pa.LargeBinaryArray.from_buffers(pa.large_binary(), n_known, buffers)
        if len(codes) and codes[-1] - codes[0] + 1 == len(codes):  # codes ascend: a whole range
            return found.slice(codes[0], len(codes))
        return found.take(pa.array(codes))

    def _make_room(self, length):
        n_known = len(self)
        if n_known == len(self._hashes):
            self._grow()
        needed = int(self._bounds[n_known]) + length + 1
        if needed > len(self._arena):
            arena = np.empty(max(needed, len(self._arena) * 3 // 2), dtype=np.uint8)
            arena[: self._bounds[n_known]] = self._arena[: self._bounds[n_known]]
            self._arena = arena

    def _grow(self):
        from skrec._log._growing_kernels import place_texts

        n_known = len(self)
        self._bits += 1
        hashes = np.empty(1 << (self._bits - 1), dtype=np.uint64)
        hashes[:n_known] = self._hashes[:n_known]
        bounds = np.zeros(len(hashes) + 1, dtype=np.int64)
        bounds[: n_known + 1] = self._bounds[: n_known + 1]
        self._hashes, self._bounds = hashes, bounds
        self._table = np.zeros(1 << self._bits, dtype=np.uint64)
        place_texts(hashes, n_known, self._table)


class ObjectIds:
    """Any other hashable ids, as Python objects."""

    def __init__(self):
        self._codes = {}

    def __len__(self):
        return len(self._codes)

    def encode(self, column):
        """Codes, int32, of a pyarrow column without nulls."""
        return self.encode_texts(column.to_pylist())

    def encode_texts(self, values):
        """Codes, int32, of a list of ids."""
        known = self._codes
        codes = (known.setdefault(value, len(known)) for value in values)
        return np.fromiter(codes, np.int32, len(values))

    def take(self, codes):
        """Ids of some codes, an ndarray of objects."""
        values = np.fromiter(self._codes, dtype=object, count=len(self))
        return values[codes]


def _as_text(found):
    import pyarrow as pa

    try:
        return found.cast(pa.large_string())
    except pa.ArrowInvalid as error:
        raise UnicodeDecodeError("utf-8", b"", 0, 0, str(error)) from error


def _by_dictionary(ids, column):
    """Codes of a dictionary column; only its few values are looked up."""
    if column.dictionary.null_count:
        return ids.encode(column.dictionary_decode())
    place = ids.encode(column.dictionary)
    return place[column.indices.to_numpy(zero_copy_only=False)]
