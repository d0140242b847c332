"""Map ids of any hashable type to positions, without pandas.

A column of ids is either an array of a sortable dtype (whole numbers, floats, text,
bytes), handled by NumPy, or an object array, handled by a dict. If all Python objects of a
column have the same sortable kind, its distinct ids are packed into a plain array. So fitted
encoders hold plain arrays wherever possible.
"""

import warnings
from collections.abc import Iterable
from itertools import chain, repeat

import numpy as np

from skrec._log._coded_ids import CodedIds
from skrec._log._id_index import IdIndex, kept_index
from skrec.utils._parallel import in_other_thread

__all__ = [
    "MAX_WIDTH",
    "as_id_column",
    "concatenate_ids",
    "describe_ids",
    "distinct_of_chunk",
    "find_ids",
    "is_missing",
    "is_text",
    "missing_id",
    "pack_ids",
    "plain",
    "refuse_unhashable",
    "to_numpy",
    "unique_ids",
    "warn_of_float_ids",
    "warn_of_lost_ids",
]

_SORTABLE = "iufUS"
_LOST = ("nan", "NaN", "None", "<NA>", "NaT", "null", "NULL")
_CHUNK = 1 << 20  # objects made from an array at a time
_LONG = 1 << 15  # from this many entries on, the compiled hash table pays off
_HASH_BASE = np.uint64(0x9E3779B97F4A7C15)
MAX_WIDTH = 512  # longer text stays as Python objects, because arrays are padded


def as_id_column(values, name):
    """Turn a column of ids from the user into a 1-D array.

    Parameters
    ----------
    values : array-like of shape (n,), pandas or polars Series
    name : str
        Name of the ids in messages, such as "user".

    Returns
    -------
    column : ndarray of shape (n,)
        With a sortable dtype, or dtype object.

    Raises
    ------
    ValueError
        If an id is missing (None, NaN, NaT, pandas.NA) or the column is not 1-D.
    TypeError
        If an id cannot be hashed.
    """
    if isinstance(values, str | bytes):
        raise TypeError(
            f"Expected a column of {name} ids. Got the single string {values!r}; put it in a list."
        )
    if hasattr(values, "to_numpy"):
        values = to_numpy(values)
    if not isinstance(values, np.ndarray):
        if not isinstance(values, Iterable):
            raise TypeError(f"Expected a column of {name} ids. Got {type(values).__name__}.")
        values = _objects(list(values))
    if values.ndim != 1:
        raise ValueError(
            f"The {name} ids must be 1-D, one per interaction. Got shape {values.shape}."
        )
    if values.dtype.kind == "f":
        _refuse_missing(np.isnan(values), values, name)
    elif values.dtype.kind == "T":  # NumPy's variable-width text
        values = values.astype(object)
    elif values.dtype.kind in "mM":
        _refuse_missing(np.isnat(values), values, name)
        values = _objects(list(values))
    elif values.dtype.kind not in _SORTABLE + "O":
        values = _objects(values.tolist())
    return values


def unique_ids(column, name):
    """Distinct ids, and the position of each entry among them.

    Parameters
    ----------
    column : ndarray or CodedIds of shape (n,)
        From `as_id_column`.
    name : str
        For messages.

    Returns
    -------
    ids : ndarray of shape (n_ids,)
        Ascending if all ids are whole numbers, floats, text or bytes; else in order of first
        appearance.
    codes : ndarray of intp of shape (n,)
        ``ids[codes]`` equals `column`.
    """
    if isinstance(column, CodedIds):
        used = np.flatnonzero(np.bincount(column.codes, minlength=len(column.ids)))
        ids, place = unique_ids(column.ids[used], name)
        position = np.empty(len(column.ids), dtype=np.intp)
        position[used] = place
        return ids, position[column.codes]
    if column.dtype.kind in "iu":
        return _unique_integers(column)
    if column.dtype.kind == "f":
        return np.unique(column, return_inverse=True)
    distinct, codes = _distinct(column, name)
    if column.dtype.kind == "O" and any(map(is_missing, distinct)):
        _refuse_missing(np.fromiter(map(is_missing, column), bool, len(column)), column, name)
    ids = pack_ids(distinct)
    position = {value: place for place, value in enumerate(ids.tolist())}
    order = np.fromiter(map(position.__getitem__, distinct), np.intp, len(distinct))
    return ids, order[codes]


def find_ids(ids, column, name):
    """Positions of a column's ids among known ones.

    Parameters
    ----------
    ids : ndarray of shape (n_ids,)
        Distinct, in any order. For a short `column` the index of these ids is kept for the next
        call, so that later look-ups take only the time of the column.
    column : ndarray or CodedIds of shape (n,)
        From `as_id_column`.
    name : str
        For messages.

    Returns
    -------
    codes : ndarray of intp of shape (n,)
        -1 for ids that are not in `ids`. Ids match if they are equal in Python: 1 equals 1.0,
        but not "1".
    """
    if isinstance(column, CodedIds):
        return find_ids(ids, column.ids, name)[column.codes]
    asked = _plainest(column, len(ids))
    kinds = {ids.dtype.kind, asked.dtype.kind}
    if not len(ids) or not len(column):
        codes = np.full(len(column), -1, dtype=np.intp)
    elif kinds == {"i"}:
        codes = _find_integers(kept_index(ids), ids, asked)
    elif kinds == {"f"}:
        codes = kept_index(ids).bisect(ids, asked)
    elif kinds == {"U"} and _are_few(asked, len(ids)):
        codes = kept_index(ids).find(ids, asked.tolist())
    else:
        distinct, codes = _distinct(column, name)
        # For a long column the index is not kept: it takes more memory than the ids.
        index = kept_index(ids) if _are_few(asked, len(ids)) else IdIndex()
        places = index.places(ids)
        found = np.fromiter(map(places.get, distinct, repeat(-1)), np.intp, len(distinct))
        codes = found[codes]
    if column.dtype.kind == "O" and (codes == -1).any():
        _refuse_missing(np.fromiter(map(is_missing, column), bool, len(column)), column, name)
    return codes


def is_text(ids):
    """Whether ids (at least one) are text or bytes; for objects the first id decides."""
    return ids.dtype.kind in "US" or isinstance(ids.item(0), str | bytes)


def pack_ids(distinct):
    """Put distinct Python ids into an array of the plainest dtype that keeps them unchanged.

    Parameters
    ----------
    distinct : list

    Returns
    -------
    ids : ndarray
        Sorted if all ids have the same sortable kind, else objects in the given order.
    """
    if distinct and all(isinstance(value, str) for value in distinct):
        # Arrays drop trailing NULs and pad to the longest entry.
        widest = max(map(len, distinct))
        if widest <= MAX_WIDTH and not any(value.endswith("\0") for value in distinct):
            return np.array(sorted(distinct), dtype=np.str_)
        return _objects(sorted(distinct))
    if distinct and all(isinstance(value, bytes) for value in distinct):
        if not any(value.endswith(b"\0") for value in distinct):
            return np.array(sorted(distinct), dtype=np.bytes_)
        return _objects(sorted(distinct))
    if distinct and all(_is_integer(value) for value in distinct):
        low, high = min(distinct), max(distinct)
        if low >= -(2**63) and high < 2**63:
            return np.array(sorted(distinct), dtype=np.int64)
        return _objects(sorted(distinct))
    if distinct and all(isinstance(value, float) for value in distinct):
        return np.array(sorted(distinct), dtype=np.float64)
    return _objects(distinct)


def concatenate_ids(first, second):
    """Join two arrays of ids without turning one kind into another.

    Parameters
    ----------
    first, second : ndarray

    Returns
    -------
    ids : ndarray
        Dtype object if the kinds differ.
    """
    if first.dtype.kind == second.dtype.kind:
        return np.concatenate([first, second])
    return _objects([*first.tolist(), *second.tolist()])


def describe_ids(ids, limit=3):
    """A few ids as text for a message, with their type.

    Parameters
    ----------
    ids : array-like
        At least one.
    limit : int, default=3
        Number of ids to show.

    Returns
    -------
    text : str
    """
    some = [plain(value) for value in ids[:limit]]
    text = ", ".join(repr(value) for value in some)
    more = ", ..." if len(ids) > limit else ""
    return f"{text}{more} ({type(some[0]).__name__})"


def warn_of_float_ids(column, name, *, stacklevel=2):
    """Warn if ids are floats with whole values, because readers turn other ids into these.

    Parameters
    ----------
    column : ndarray of shape (n,)
        From `as_id_column`.
    name : str
    stacklevel : int, default=2
        As in `warnings.warn`, from the caller.
    """
    if column.dtype.kind == "f" and len(column) and (column == np.floor(column)).all():
        warnings.warn(
            f"The {name} ids are floats with whole values, such as {column[0].item()!r}. pandas "
            'makes such floats from whole numbers if one is missing, and from "000648" too. Read '
            "ids as text, for example with pandas.read_csv(path, dtype={name_of_the_column: str}), "
            "or convert them.",
            stacklevel=stacklevel + 1,
        )


def warn_of_lost_ids(ids, name, *, stacklevel=2):
    """Warn if an id is a text that pandas writes for a missing one, such as "nan".

    Parameters
    ----------
    ids : ndarray of shape (n_ids,)
        Distinct.
    name : str
    stacklevel : int, default=2
        As in `warnings.warn`, from the caller.
    """
    if ids.dtype.kind not in "UO":
        return
    texts = ids.tolist()
    lost = [text for text in _LOST if text in texts]
    if lost:
        warnings.warn(
            f"Among the {name} ids is {lost[0]!r}. If a column with missing ids was converted to "
            f"text, all rows without an id now belong to one {name}. Drop such rows before, for "
            "example with pandas.DataFrame.dropna; ignore this warning if it is a real id.",
            stacklevel=stacklevel + 1,
        )


def plain(value):
    """A NumPy scalar as a Python object."""
    return value.item() if isinstance(value, np.generic) else value


def to_numpy(column):
    """A column of pandas, polars or pyarrow as an array; objects if pyarrow cannot convert it."""
    if hasattr(getattr(column, "type", None), "value_type") and column.null_count:
        return _objects(column.to_pylist())  # pyarrow fills gaps with the last id of a dictionary
    try:
        return column.to_numpy()
    except (TypeError, ValueError):  # an Array with text or nulls, nested columns
        return _objects(column.to_pylist())


def _unique_integers(column):
    if not len(column):
        return column.astype(np.int64), np.empty(0, dtype=np.intp)
    low, high = int(column.min()), int(column.max())
    if high - low > max(4 * len(column), 1 << 20):
        if len(column) < _LONG:
            ids, codes = np.unique(column, return_inverse=True)
            return _as_int64(ids), codes
        first, codes = _first_rows(column.astype(np.int64).view(np.uint64))
        ids, order = np.unique(column[first], return_inverse=True)
        return _as_int64(ids), order[codes]
    # A compact range: mark the numbers that occur instead of sorting.
    kind = np.int64 if high < 2**63 else np.uint64
    offset = (column.astype(kind) - kind(low)).astype(np.intp)
    seen = np.zeros(high - low + 1, dtype=bool)
    seen[offset] = True
    position = np.cumsum(seen, dtype=np.intp) - 1
    return np.flatnonzero(seen).astype(kind) + kind(low), position[offset]


def _as_int64(ids):
    # The same dtype for all whole numbers that fit.
    return ids.astype(np.int64) if not len(ids) or int(ids[-1]) < 2**63 else ids.astype(np.uint64)


def _plainest(column, n_ids):
    """A column of ids in a sortable dtype, if the cast is exact and quick."""
    if column.dtype.kind == "u" and len(column) and int(column.max()) < 2**63:
        return column.astype(np.int64)
    if column.dtype.kind != "O" or not _are_few(column, n_ids):
        return column
    kinds = set(map(type, column.tolist()))
    if kinds == {int}:
        try:
            return column.astype(np.int64)
        except OverflowError:
            return column
    text = _as_text(column) if kinds == {str} else None
    return column if text is None else text


def _are_few(column, n_ids):
    return len(column) * 8 < n_ids


def _find_integers(index, ids, column):
    low, high = index.range(ids)
    if high - low > max(4 * len(ids), 1 << 20) or _are_few(column, len(ids)):
        return index.bisect(ids, column)
    table = np.full(high - low + 2, -1, dtype=np.intp)  # the last cell means "outside"
    table[ids - low] = np.arange(len(ids))
    inside = (column >= low) & (column <= high)
    return table[np.where(inside, column, high + 1) - low]


def _distinct(column, name):
    """Distinct values as Python objects, by first appearance, and the code of each entry."""
    index = {}
    codes = np.empty(len(column), dtype=np.intp)
    try:
        for start in range(0, len(column), _CHUNK):
            chunk = column[start : start + _CHUNK]
            values, inner = distinct_of_chunk(chunk)
            outer = np.fromiter(
                (index.setdefault(value, len(index)) for value in values), np.intp, len(values)
            )
            codes[start : start + _CHUNK] = outer[inner]
    except TypeError:
        refuse_unhashable(column, name)
        raise
    return list(index), codes


def distinct_of_chunk(chunk):
    """Distinct values of a chunk as Python objects, and the code of each entry.

    Parameters
    ----------
    chunk : ndarray of shape (n,)
        Text, bytes or objects.

    Returns
    -------
    distinct : list
        By first appearance.
    codes : ndarray of intp of shape (n,)
    """
    if len(chunk) >= _LONG:
        text = _as_text(chunk) if chunk.dtype.kind == "O" else chunk
        if text is not None and 0 < text.dtype.itemsize <= 4 * MAX_WIDTH:
            first, codes = _first_rows(_hash_text(text))
            # Different texts with the same hash are very unlikely, but possible.
            if np.array_equal(text[first][codes], text):
                return chunk[first].tolist(), codes
    values = chunk.tolist()
    index = dict.fromkeys(values)
    for code, value in enumerate(index):
        index[value] = code
    return list(index), np.fromiter(map(index.__getitem__, values), np.intp, len(values))


def _as_text(chunk):
    """An object array as text, or None if an entry is not text or would change."""
    values = chunk.tolist()
    if set(map(type, values)) != {str}:
        return None
    lengths = np.fromiter(map(len, values), np.intp, len(values))
    if lengths.max() > MAX_WIDTH:
        return None
    text = chunk.astype(np.str_)
    # Arrays drop trailing NULs.
    return text if np.array_equal(np.char.str_len(text), lengths) else None


def _hash_text(text):
    """64-bit polynomial hash of each entry of a text or bytes array."""
    wide = text.dtype.kind == "U"
    units = np.ascontiguousarray(text).view(np.uint32 if wide else np.uint8)
    units = units.reshape(len(text), -1)
    words = np.zeros(len(text), dtype=np.uint64)
    for place in range(units.shape[1]):
        words *= _HASH_BASE
        words += units[:, place]
        words ^= words >> np.uint64(29)
    return words


def _first_rows(words):
    """First row of each distinct word, and the code of each entry."""
    from skrec._log._ids_kernels import word_codes

    codes = np.empty(len(words), dtype=np.intp)
    return in_other_thread(word_codes, np.ascontiguousarray(words), codes), codes


def _iterate(column):
    chunks = (column[start : start + _CHUNK] for start in range(0, len(column), _CHUNK))
    return chain.from_iterable(chunk.tolist() for chunk in chunks)


def _objects(values):
    # np.array would turn a list of tuples into a 2-D array.
    return np.fromiter(values, dtype=object, count=len(values))


def _is_integer(value):
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def is_missing(value):
    """Whether an object means a missing entry: None, NaN, NaT, pandas.NA.

    Parameters
    ----------
    value : object

    Returns
    -------
    missing : bool
    """
    # pandas.NA compares to NA and pandas.NaT to False, so the name of the type decides.
    return (
        value is None
        or (isinstance(value, float | np.floating) and value != value)
        or type(value).__name__ in ("NAType", "NaTType")
        or (isinstance(value, np.datetime64 | np.timedelta64) and bool(np.isnat(value)))
    )


def _refuse_missing(missing, column, name):
    if missing.any():
        row = int(np.flatnonzero(missing)[0])
        raise missing_id(name, row, plain(column[row]), int(missing.sum()))


def missing_id(name, row, value, n_missing):
    """The ValueError about missing ids.

    Parameters
    ----------
    name : str
        Name of the column, such as "user".
    row : int
        Row of the first missing id.
    value : object
        Entry in that row.
    n_missing : int

    Returns
    -------
    error : ValueError
    """
    return ValueError(
        f"Missing {name} id: entry {row} (counting from 0) is {value!r}. Expected "
        f"an id in every row; drop those {n_missing} rows first, or read the log with "
        "load_interactions(log, drop_missing=True)."
    )


def refuse_unhashable(column, name, *, start=0):
    """Raise a TypeError for the first id of a column that cannot be hashed, if there is one.

    Parameters
    ----------
    column : ndarray of shape (n,) or list
    name : str
        For messages.
    start : int, default=0
        Row of the first entry in the log.
    """
    for row, value in enumerate(column if isinstance(column, list) else _iterate(column), start):
        try:
            hash(value)
        except TypeError as error:
            raise TypeError(
                f"Unhashable {name} id: entry {row} (counting from 0) is {value!r} "
                f"({type(value).__name__}). Expected ids such as numbers, strings or tuples."
            ) from error
