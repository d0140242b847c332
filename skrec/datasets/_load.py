"""Interaction logs from files, folders and memory."""

import numpy as np

from skrec._log._aggregate import check_dtype, dtype_of_times
from skrec._log._returns import settle_negative
from skrec.datasets._bunch import log_bunch, require_duplicates_rule, times_as_values
from skrec.datasets._cache import read_matrix_market, read_npz
from skrec.datasets._files import is_plain
from skrec.datasets._gather import read_gathered
from skrec.datasets._parts import find_parts, kind_of_parts
from skrec.datasets._reading import check_reading, is_in_memory
from skrec.datasets._scan_readers import are_large
from skrec.datasets._tabular import read_memory
from skrec.utils._log_names import is_time_name

__all__ = ["load_interactions"]


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
    scan_interactions : Users in parts, of text and parquet.
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

    Text, and parquet from 1 MiB on, are read in batches, as `scan_interactions` reads them: at the
    peak at most 40 bytes are taken for each line beyond the matrix, and what the distinct ids
    take. Other logs are held as columns, 100 to 160 bytes a line. Text of less than 1 MiB, and
    files that are irregular, are read line by line; pandas is not needed.

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
    text = check_reading(
        (user, item, value, timestamp), delimiter=delimiter, header=header, quotechar=quotechar,
        encoding=encoding, decimal=decimal, negative=negative, drop_missing=drop_missing,
    )  # fmt: skip
    rules = {"negative": negative, "duplicates": duplicates, "dtype": dtype, "as_times": as_times}
    if is_in_memory(path):
        source, log = "the log", path
    else:
        source, paths = find_parts(path)
        kind = kind_of_parts(source, paths, encoding)
        if kind in ("npz", "matrix market"):
            data = _read_matrix(source, paths[0], kind, rules)
            return data.X if return_X else data
        whole = kind == "parquet" and (len(paths) > 1 or is_plain(paths[0]))
        if kind == "text" or (whole and are_large(paths)):
            data = read_gathered(source, paths, kind, text, drop_missing=drop_missing, **rules)
            return data.X if return_X else data
        log, text["columns"] = _read_table(source, paths, kind, text, in_batches=whole)
    log = read_memory(log, source, text["columns"], drop_missing=drop_missing, decimal=decimal)
    data = _as_bunch(log, source, **rules)
    return data.X if return_X else data


def _read_matrix(source, path, kind, rules):
    read = read_npz if kind == "npz" else read_matrix_market
    dtype = np.float64 if rules["as_times"] else rules["dtype"]
    data = read(path, duplicates=rules["duplicates"], dtype=dtype)
    data.DESCR = f"Interactions in {source}."
    data.n_dropped = 0
    return times_as_values(data, source, rules["dtype"]) if rules["as_times"] else data


def _read_table(source, paths, kind, text, *, in_batches):
    """Columns in memory, and how to ask for them."""
    if kind == "json":
        from skrec.datasets._json import read_json

        return read_json(paths[0], text["columns"], text["encoding"])
    from skrec.datasets._arrow import read_arrow, read_parquet

    if in_batches:
        return read_parquet(source, paths, text["columns"])
    return read_arrow(paths[0], kind, text["columns"])


def _as_bunch(log, source, *, negative, duplicates, dtype, as_times):
    is_time = as_times or is_time_name(log.value_name)
    try:
        data = _merged(
            log, negative=negative, duplicates=duplicates,
            dtype=np.float64 if as_times else dtype_of_times(dtype) if is_time else dtype,
            more={
                "value_name": log.value_name,
                "n_dropped": log.n_dropped,
                "DESCR": f"Interactions in {source}.",
            },
        )  # fmt: skip
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error
    return times_as_values(data, source, dtype) if as_times else data


def _merged(log, *, negative, duplicates, dtype, more):
    user_ids, user, item_ids, item = log.user_ids, log.user, log.item_ids, log.item
    keep, value, n_negative = settle_negative(
        user, item, log.value, negative, name=log.value_name, duplicates=duplicates, stacklevel=4
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
        duplicates=duplicates, dtype=dtype, more=more | {"n_negative": n_negative},
    )  # fmt: skip


def _only_used(ids, codes):
    """Ids that occur, and the codes among these."""
    used = np.zeros(len(ids), dtype=bool)
    used[codes] = True
    return ids[used], (np.cumsum(used) - 1)[codes]
