"""Interaction logs from files, folders and memory."""

import os

import numpy as np

from skrec._log._aggregate import check_dtype, dtype_of_times
from skrec._log._returns import NEGATIVE, settle_negative
from skrec.datasets._bunch import (
    ids_of_text,
    log_bunch,
    require_duplicates_rule,
    times_as_values,
)
from skrec.datasets._cache import read_matrix_market, read_npz
from skrec.datasets._guess import ROLES
from skrec.datasets._layout import find_layout
from skrec.datasets._parts import find_parts, join_logs, kind_of_parts
from skrec.datasets._tabular import read_memory
from skrec.datasets._text import read_carefully
from skrec.datasets._text_checks import (
    header_names,
    refuse_doubtful,
    refuse_no_lines,
    refuse_other_names,
    refuse_second_header,
)
from skrec.utils._log_names import is_time_name

__all__ = ["check_reading", "is_in_memory", "load_interactions"]

_LARGE = 1 << 20  # bytes from which the import of pyarrow pays


def load_interactions(
    path,
    *,
    user="auto",
    item="auto",
    value="auto",
    timestamp="auto",
    delimiter=None,
    header=None,
    quotechar='"',
    encoding="utf-8",
    decimal=".",
    drop_missing=False,
    negative="warn",
    duplicates="sum",
    dtype="auto",
    as_times=False,
    return_X=False,
):
    """Read an interaction log from a file, a folder or memory.

    Parameters
    ----------
    path : str, path-like, list of these, or log
        A file, whose first bytes, not its name, say what it is:

        - text with one interaction in each line;
        - JSON: an object or a list in each line, a list of such, or an object with a list
          for each column;
        - parquet, Arrow (feather) or ORC;
        - npz: the format of `load_dataset`, or a matrix saved with
          `scipy.sparse.save_npz`; or Matrix Market. The parameters on columns, text, missing and
          negative values do not apply to them;

        each of them compressed by gzip, bzip2, xz or zstd, too (but npz), or the only file
        of a zip archive. A folder, a pattern (``logs/*.csv``) or a list of paths is read as the
        parts of one log, as text or parquet; names of folders such as ``day=1`` are columns
        of parquet.

        Or a log in memory, in a form that `skrec.preprocessing.InteractionEncoder` takes: a
        DataFrame of pandas or polars, a pyarrow Table, a mapping or tuple of columns, a
        list of rows.
    user, item : str, int or "auto", default="auto"
        Name or place (from 0) of the column. "auto": a column with a usual name, such as
        "user_id" or "movieId"; without a header the first and the second.
    value : str, int, "auto" or None, default="auto"
        Column with what is stored in the matrix. "auto": one with a usual name, such as
        "rating" or "count"; without a header the third if it holds numbers. None, or no
        such column: every interaction counts as 1.
    timestamp : str, int, "auto" or None, default="auto"
        Column with the time: numbers, which are kept as they are, or ISO 8601 dates, which
        become Unix seconds (as UTC without a time zone). "auto": one with a usual name;
        without a header the fourth. None: no times.
    delimiter : str, default=None
        Between the fields of a line, such as "," or "::"; ``r"\\s+"`` for any run of
        blanks. None: found out, or refused where two of them are possible.
    header : bool, default=None
        Whether the first line holds names. None: found out, or refused where it may hold
        names or an interaction.
    quotechar : str or None, default='"'
        Encloses fields that hold the delimiter or line breaks. None: quotes mean nothing.
    encoding : str, default="utf-8"
        Of the text.
    decimal : {".", ","}, default="."
        Before the fraction of a value that is text.
    drop_missing : bool, default=False
        Leave out the lines that lack an id, a value or a time, and count them, instead of
        refusing the file.
    negative : {"warn", "keep", "drop", "subtract", "error"}, default="warn"
        What negative values are: ratings, which are kept, or returns, which are dropped or,
        with ``duplicates="sum"``, subtracted from what the user bought of the item; a pair
        of which nothing is left is none, and the times are those of purchases. "warn" keeps
        them, and warns unless the column's name is that of a rating.
    duplicates : {"sum", "count", "first", "last", "max", "min", "mean", "error"}, \
            default="sum"
        What several interactions of one user with one item become, as in
        `skrec.preprocessing.InteractionEncoder`; first and last by timestamp where known.
    dtype : dtype or "auto", default="auto"
        Of the matrix: float64, float32 or whole numbers. A value that it cannot hold is an
        error; float32 rounds to seven digits. "auto": float32, which takes two thirds of the
        memory, unless that would lose something: float64 for ``as_times=True``, where the
        column of values has a usual name of times, where a value, such as a sum of repeated
        pairs, is above 2**24 (16,777,216) in size, beyond which float32 skips whole numbers,
        where float32 is more than 2**-14 away from one, or where the square of one is zero in
        float32. Repeated pairs are merged in float64 with any dtype.
    as_times : bool, default=False
        Store in the matrix when each interaction happened, of a repeated pair the latest,
        instead of its value. That is what `skrec.ensemble.Recency` and
        `skrec.linear_model.SLIST` read.
    return_X : bool, default=False
        Return the matrix only.

    Returns
    -------
    data : Bunch or csr_array
        The matrix if ``return_X=True``, else a Bunch with

        - X : csr_array of shape (n_users, n_items), one stored entry per pair; also as data,
          the name in scikit-learn's data sets;
        - user_ids, item_ids : id of each row and column, sorted; of text files int64 if all
          ids are written as whole numbers (without leading zeros), else str; of other logs
          as they are;
        - user, item : ndarray of int of shape (nnz,), row and column of each entry of
          ``X.data``, in that order;
        - timestamp : ndarray of int64 or float64 of shape (nnz,), aligned with ``X.data``;
          only if the file has it. Of a repeated pair the latest;
        - value_name : name of the column of values ("value" without a header), or None; with
          ``as_times=True`` "timestamp";
        - n_dropped : int, number of lines that `drop_missing` left out;
        - n_negative : int, number of negative values;
        - DESCR : str;
        - for npz what `load_dataset` says, without the tables.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    TypeError
        If `path` is neither a path nor a log.
    ValueError
        If a line has another number of fields than the first, no id, or a value or time
        that is not finite; the message names file and line (from 1), what was found, what
        is expected and a remedy, and counts the bad lines. Also if delimiter, header or
        columns cannot be told, if a column that was guessed by its place holds what it
        cannot be (times as ids, ids as values), and if the file is empty, damaged or of
        another kind. Of several files if one is named twice, if only some have a header or a
        column that is read, or if a column of parquet has types in two files that mean different
        things, such as text and whole numbers; sizes of numbers and units of times may differ.
        With ``as_times=True`` if there are no times, they are not above zero, or `dtype` cannot
        tell them apart.

    Warns
    -----
    UserWarning
        If values are negative, see `negative`; if the ids of a log in memory are floats with
        whole values or read as "nan", which is made of other ids or of missing ones.

    See Also
    --------
    load_dataset : A folder in the data home, with titles.
    fetch_movielens : Data from the web.
    skrec.preprocessing.InteractionEncoder : A transformer, which keeps the ids.

    Notes
    -----
    An id that is empty or reads nan, null, none, NaT, <NA> or \\N in any case counts as
    missing.

    The delimiter is the one under which all of the first lines have the same number of
    fields, and the most; a blank is none where another one fits, too. Comments (``#``,
    ``%``) and Excel's ``sep=;`` before the table are skipped. The first line is a header if it
    names a known user and item column, or has no number or date where the lines below have some.
    Where it is neither like the others (by digits and punctuation) nor has an id that
    occurs again, it may be one, and `header` is asked for.

    Large files are read in blocks by pyarrow, and line by line where they are
    irregular; pandas is not needed.

    Examples
    --------
    >>> import os, tempfile
    >>> from skrec.datasets import load_interactions
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "log.csv")
    ...     with open(path, "w") as file:
    ...         _ = file.write("user,item,rating\\nann,7,4.5\\nbob,9,3\\nann,9,1\\n")
    ...     data = load_interactions(path)
    >>> data.X.toarray()
    array([[4.5, 1. ],
           [0. , 3. ]], dtype=float32)
    >>> data.user_ids, data.item_ids
    (array(['ann', 'bob'], dtype='<U3'), array([7, 9]))
    """
    require_duplicates_rule(duplicates)
    check_dtype(dtype)
    given, dtype = dtype, np.float64 if as_times else dtype
    text = check_reading(
        (user, item, value, timestamp), delimiter=delimiter, header=header, quotechar=quotechar,
        encoding=encoding, decimal=decimal, negative=negative, drop_missing=drop_missing,
    )  # fmt: skip
    columns = text["columns"]
    if is_in_memory(path):
        source, kind = "the log", "memory"
        log = read_memory(path, source, columns, drop_missing=drop_missing, decimal=decimal)
    else:
        source, paths = find_parts(path)
        kind = kind_of_parts(source, paths, encoding)
        if kind in ("npz", "matrix market"):
            read = read_npz if kind == "npz" else read_matrix_market
            data = read(paths[0], duplicates=duplicates, dtype=dtype)
            data.DESCR = f"Interactions in {source}."
            data.n_dropped = 0
            data = times_as_values(data, source, given) if as_times else data
            return data.X if return_X else data
        log = _read_files(source, paths, kind, text, drop_missing)
    try:
        data = _as_bunch(log, kind, source, negative=negative, duplicates=duplicates, dtype=dtype)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error
    data = times_as_values(data, source, given) if as_times else data
    return data.X if return_X else data


def check_reading(
    columns, *, delimiter, header, quotechar, encoding, decimal, negative, drop_missing
):
    """Check the parameters on how a log is read.

    Parameters
    ----------
    columns : tuple of 4 of str, int, "auto" or None
    delimiter, header, quotechar, encoding, decimal, negative, drop_missing : object
        See `load_interactions`.

    Returns
    -------
    text : dict
        Those of `find_layout`.
    """
    _check_rules(negative, drop_missing)
    _check_columns(columns)
    _check_text_parameters(delimiter, quotechar, encoding, decimal)
    return {
        "delimiter": delimiter, "header": header, "columns": columns, "quotechar": quotechar,
        "encoding": encoding, "decimal": decimal,
    }  # fmt: skip


def is_in_memory(log):
    """Whether it is a log and no path; a TypeError if it is neither."""
    if log is None or isinstance(log, bytes | int | float):
        raise TypeError(
            f"Expected a path, a list of paths or a log in memory. Got {type(log).__name__}."
        )
    if isinstance(log, str | os.PathLike):
        return False
    paths = isinstance(log, list) and all(isinstance(part, str | os.PathLike) for part in log)
    return not (paths and log)


def _read_files(source, paths, kind, text, drop_missing):
    columns = text["columns"]
    if kind == "text":
        return _read_text(source, paths, text, drop_missing)
    if kind == "json":
        from skrec.datasets._json import read_json

        log, columns = read_json(paths[0], columns, text["encoding"])
    elif len(paths) > 1 or source.is_dir():
        from skrec.datasets._arrow import read_parquet_parts

        log, columns = read_parquet_parts(source, paths, columns)
    else:
        from skrec.datasets._arrow import read_arrow

        log, columns = read_arrow(paths[0], kind, columns)
    return read_memory(log, source, columns, drop_missing=drop_missing, decimal=text["decimal"])


def _read_text(source, paths, text, drop_missing):
    first = find_layout(paths[0], **text)
    logs = [_read_part(paths[0], first, drop_missing)]
    given = text | {"delimiter": first.delimiter, "header": first.header, "columns": first.places}
    for path in paths[1:]:
        layout = find_layout(path, **given)
        refuse_other_names(source, (paths[0], path), (first, layout), header=text["header"])
        logs.append(_read_part(path, layout, drop_missing))
    log = join_logs(logs)
    refuse_no_lines(source, len(log.user), log.n_dropped)
    _refuse_second_header(source, first, log)
    if first.doubtful:
        sides = (log.user, log.user_ids), (log.item, log.item_ids)
        names = tuple(ids[codes[0]] for codes, ids in sides)
        counts = tuple(np.count_nonzero(codes == codes[0]) for codes, _ in sides)
        refuse_doubtful(source, len(log.user), names, counts, (log.user_ids, log.item_ids))
    return log


def _refuse_second_header(source, layout, log):
    names = header_names(layout)
    if names is not None and names[0] in log.user_ids and names[1] in log.item_ids:
        codes = log.user_ids.index(names[0]), log.item_ids.index(names[1])
        n_again = np.count_nonzero((log.user == codes[0]) & (log.item == codes[1]))
        refuse_second_header(source, names, n_again)


def _read_part(path, layout, drop_missing):
    log = None
    if path.stat().st_size >= _LARGE:
        from skrec.datasets._text_fast import read_fast

        log = read_fast(path, layout, drop_missing=drop_missing)
    return read_carefully(path, layout, drop_missing=drop_missing) if log is None else log


def _as_bunch(log, kind, source, *, negative, duplicates, dtype):
    user_ids, user, item_ids, item = log.user_ids, log.user, log.item_ids, log.item
    if kind == "text":
        user_ids, place = ids_of_text(user_ids)
        user = place[user]
        item_ids, place = ids_of_text(item_ids)
        item = place[item]
    keep, value, n_negative = settle_negative(
        user, item, log.value, negative, name=log.value_name, duplicates=duplicates
    )
    timestamp = log.timestamp
    if keep is not None:
        user_ids, user = _only_used(user_ids, user[keep])
        item_ids, item = _only_used(item_ids, item[keep])
        value = value[keep]
        timestamp = None if timestamp is None else timestamp[keep]
    return log_bunch(
        user, item, user_ids, item_ids, value=value,
        aligned={} if timestamp is None else {"timestamp": timestamp},
        duplicates=duplicates,
        dtype=dtype_of_times(dtype) if is_time_name(log.value_name) else dtype,
        more={
            "value_name": log.value_name,
            "n_dropped": log.n_dropped,
            "n_negative": n_negative,
            "DESCR": f"Interactions in {source}.",
        },
    )  # fmt: skip


def _only_used(ids, codes):
    """Ids that occur, and the codes among these."""
    used = np.zeros(len(ids), dtype=bool)
    used[codes] = True
    return ids[used], (np.cumsum(used) - 1)[codes]


def _check_rules(negative, drop_missing):
    if not isinstance(drop_missing, bool | np.bool_):
        raise ValueError(f"drop_missing must be True or False. Got {drop_missing!r}.")
    if negative not in NEGATIVE:
        raise ValueError(f"negative must be one of {NEGATIVE}. Got {negative!r}.")


def _check_columns(columns):
    for role, column in zip(ROLES, columns, strict=True):
        absent = column is None and role in ("value", "timestamp")
        place = isinstance(column, int) and not isinstance(column, bool)
        if not (absent or place or isinstance(column, str)):
            raise ValueError(
                f"{role} must be the name or the place of a column, or 'auto'. Got {column!r}."
            )


def _check_text_parameters(delimiter, quotechar, encoding, decimal):
    if delimiter is not None and not (
        isinstance(delimiter, str) and delimiter and not set(delimiter) & set("\r\n")
    ):
        raise ValueError(f"delimiter must be text without line breaks, or None. Got {delimiter!r}.")
    if quotechar is not None and not (isinstance(quotechar, str) and len(quotechar) == 1):
        raise ValueError(f"quotechar must be one character, or None. Got {quotechar!r}.")
    if decimal not in (".", ","):
        raise ValueError(f"decimal must be '.' or ','. Got {decimal!r}.")
    if quotechar is not None and quotechar == delimiter:
        raise ValueError(
            f"delimiter and quotechar are both {quotechar!r}. Expected two characters; pass "
            "quotechar=None if quotes mean nothing."
        )
    try:
        "".encode(encoding)  # codecs.lookup knows others, too, that are none of text
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError(
            f"encoding must be a name that Python knows, such as 'utf-8' or 'latin-1'. Got "
            f"{encoding!r}."
        ) from error
