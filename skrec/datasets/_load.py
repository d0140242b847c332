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
    timestamp_format=None,
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
        A file in one of these formats. Its first bytes decide the format, not its name:

        - text with one interaction in each line;
        - JSON: an object or a list in each line, a list of objects or lists, or an object with
          a list for each column;
        - parquet, Arrow (feather) or ORC;
        - npz: the format of `load_dataset`, or a matrix saved with
          `scipy.sparse.save_npz`; or Matrix Market. The parameters on columns, text, missing and
          negative values do not apply to them.

        A file other than npz may be compressed by gzip, bzip2, xz or zstd, or be the only file
        of a zip archive. A folder, a pattern (``logs/*.csv``) or a list of paths holds the parts
        of one log, as text or parquet. With parquet, names of folders such as ``day=1`` become
        columns.

        Or a log in memory, in a form that `skrec.preprocessing.InteractionEncoder` takes: a
        DataFrame of pandas or polars, a pyarrow Table, a mapping or tuple of columns, a
        list of rows.
    user, item : str, int or "auto", default="auto"
        Name or position (from 0) of the column. "auto": a column with a usual name, such as
        "user_id" or "movieId"; without a header the first and the second column.
    value : str, int, "auto" or None, default="auto"
        Column of the values of the matrix. "auto": a column with a usual name, such as
        "rating" or "count"; without a header the third column if it holds numbers. None, or
        no such column: every interaction counts as 1.
    timestamp : str, int, "auto" or None, default="auto"
        Column of the times. Numbers are kept unchanged; ISO 8601 dates become Unix seconds, in
        UTC if they have no time zone. "auto": a column with a usual name; without a header the
        fourth column. None: no times.
    delimiter : str, default=None
        Text between the fields of a line, such as "," or "::"; ``r"\\s+"`` for any run of
        blanks. None: it is detected. If two delimiters are possible, an error says so.
    header : bool, default=None
        Whether the first line holds names. None: it is detected. If the line may hold names or
        an interaction, an error says so.
    quotechar : str or None, default='"'
        Encloses fields that hold the delimiter or line breaks. None: quotes have no meaning.
    encoding : str, default="utf-8"
        Encoding of text.
    decimal : {".", ","}, default="."
        Character before the fraction of a value that is text.
    timestamp_format : str or None, default=None
        Form of the times as of `datetime.datetime.strptime`, such as "%d.%m.%Y %H:%M" or
        "%Y%m%d", without "%Z". All text and numbers in the column of times must have this form,
        and there must be such a column. None: numbers and ISO 8601.
    drop_missing : bool, default=False
        Whether to leave out, and count, lines that lack an id, a value or a time. If False,
        such lines are an error.
    negative : {"warn", "keep", "drop", "subtract", "error"}, default="warn"
        What to do with negative values. Keep them if they are ratings. If they are returns,
        drop them, or, with ``duplicates="sum"``, subtract them from the user's purchases of the
        item. A pair with no purchase left is removed, and the times are those of purchases.
        "warn" keeps negative values, and warns unless the column has a usual name of ratings.
    duplicates : {"sum", "count", "first", "last", "max", "min", "mean", "error"}, \
            default="sum"
        How to merge several interactions of a user with an item, as in
        `skrec.preprocessing.InteractionEncoder`. First and last follow the timestamps, if known.
    dtype : dtype or "auto", default="auto"
        Dtype of the matrix: float64, float32 or whole numbers. A value that it cannot hold is
        an error; float32 rounds to seven digits. "auto" is float32, which takes two thirds of
        the memory, unless float32 would lose information. It is float64 with
        ``as_times=True``, if the value column has a usual name of times, if a value (or a sum
        of repeated pairs) exceeds 2**24 (16,777,216) in size, beyond which float32 skips whole
        numbers, if float32 changes a value by more than 2**-14, or if the square of a value is
        zero in float32. Repeated pairs are merged in float64 with any dtype.
    as_times : bool, default=False
        Store the time of each interaction in the matrix instead of its value; the latest time
        of a repeated pair. `skrec.ensemble.Recency` and `skrec.linear_model.SLIST` read such a
        matrix.
    return_X : bool, default=False
        Return only the matrix.

    Returns
    -------
    data : Bunch or csr_array
        The matrix if ``return_X=True``, else a Bunch with

        - X : csr_array of shape (n_users, n_items), one stored entry per pair; also as data,
          the name in scikit-learn's data sets;
        - user_ids, item_ids : id of each row and column, sorted. Ids of text files are int64
          if all are written as whole numbers (without leading zeros), else str; other logs
          keep their ids;
        - user, item : ndarray of int of shape (nnz,), row and column of each entry of
          ``X.data``;
        - timestamp : ndarray of int64 or float64 of shape (nnz,), aligned with ``X.data``, if
          the log has times; the latest time of a repeated pair;
        - value_name : name of the column of values ("value" without a header), or None; with
          ``as_times=True`` "timestamp";
        - n_dropped : int, number of lines that `drop_missing` left out;
        - n_negative : int, number of negative values;
        - DESCR : str;
        - for npz also the entries of `load_dataset`, without the tables.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    TypeError
        If `path` is neither a path nor a log.
    ValueError
        If a line has another number of fields than the first line, no id, or a value or time
        that is not finite. The message names the file and the line (from 1), what was found,
        what is expected and a remedy, and counts the bad lines.
        If the delimiter, the header or the columns cannot be identified, or if a column
        guessed by position does not fit its role (times as ids, ids as values).
        If the file is empty, damaged or of another kind.
        If one of several files is named twice, if only some files have a header or a wanted
        column, or if two parquet files give a column types of different meaning, such as text
        and whole numbers. Sizes of numbers and units of times may differ.
        With ``as_times=True``, if there are no times, if they are not above zero, or if
        `dtype` cannot tell them apart.

    Warns
    -----
    UserWarning
        If values are negative, see `negative`. If the ids of a log in memory are floats with
        whole values, or the text "nan", which may come from other ids or from missing ones.

    See Also
    --------
    scan_interactions : Load text and parquet, with the users in parts.
    load_dataset : Load a folder of the data home, with titles.
    fetch_movielens : Download and load MovieLens.
    skrec.preprocessing.InteractionEncoder : A transformer that keeps the ids.

    Notes
    -----
    An id counts as missing if it is empty or one of nan, null, none, NaT, <NA> and \\N, in
    upper or lower case.

    The delimiter is the one that splits all of the first lines into equally many, and the
    most, fields. A blank is the delimiter only if no other one fits. Comments (``#``, ``%``)
    and Excel's ``sep=;`` before the table are skipped. The first line is a header if it has
    known names of the user and item column, or if it has no number or date while the lines
    below do. It is doubtful if it is unlike the other lines (by digits and punctuation) and
    its ids occur in no other line. Then an error asks for `header`.

    Text, and parquet from 1 MiB on, are read in batches, as in `scan_interactions`. The peak
    memory is the matrix, the distinct ids and at most 40 bytes per line. Other logs are held as
    columns, with 100 to 160 bytes per line. Text of less than 1 MiB and irregular files are read
    line by line. pandas is not needed.

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
        encoding=encoding, decimal=decimal, timestamp_format=timestamp_format,
        negative=negative, drop_missing=drop_missing,
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
    log = read_memory(
        log, source, text["columns"], drop_missing=drop_missing, decimal=decimal,
        form=text["form"],
    )  # fmt: skip
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
    """Columns in memory, and the names to read from them."""
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
    """The ids that occur, and codes into these ids."""
    used = np.zeros(len(ids), dtype=bool)
    used[codes] = True
    return ids[used], (np.cumsum(used) - 1)[codes]
