"""Interaction logs from files larger than memory."""

import numpy as np
from scipy.sparse import csr_array

from skrec._log._aggregate import check_dtype
from skrec.datasets._bunch import bunch_of, require_duplicates_rule
from skrec.datasets._gather import BATCH, read_gathered
from skrec.datasets._parts import find_parts, kind_of_parts
from skrec.datasets._reading import check_reading, is_in_memory

__all__ = ["scan_interactions"]


def scan_interactions(
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
    n_parts=None,
    batch_size=BATCH,
):
    """Read a large interaction log from parquet or text, a batch of lines at a time.

    The result equals the result of `load_interactions`, which reads such files in the same way.
    Each batch is turned into codes of 4 bytes as soon as it is read. Two counting passes make the
    matrix: the first counts the lines of each user, the second puts each line in its place. The
    peak memory is the matrix, the distinct ids and at most 40 bytes per line. This function can
    return the users in parts, and refuses formats that must be held as whole columns.

    Parameters
    ----------
    path : str, path-like or list of these
        A file, a folder, a pattern (``logs/*.parquet``), or a list of paths: parquet, or text
        with one interaction in each line, compressed or not. With parquet, names of folders such
        as ``day=1`` become columns. Or a URL, such as ``s3://bucket/logs``, which fsspec opens.
    user, item : str, int or "auto", default="auto"
        Name or position of the column, as in `load_interactions`.
    value : str, int, "auto" or None, default="auto"
        Column of the values of the matrix. None: every interaction counts as 1.
    timestamp : str, int, "auto" or None, default="auto"
        Column of the times. None reads no times, and saves 12 bytes per line.
    delimiter : str, default=None
        Text between the fields of a line. None: it is detected.
    header : bool, default=None
        Whether the first line holds names. None: it is detected.
    quotechar : str or None, default='"'
        Encloses fields that hold the delimiter or line breaks.
    encoding : str, default="utf-8"
        Encoding of text.
    decimal : {".", ","}, default="."
        Character before the fraction of a value that is text.
    timestamp_format : str or None, default=None
        Form of the times, as in `load_interactions`.
    drop_missing : bool, default=False
        Whether to leave out, and count, lines that lack an id, a value or a time.
    negative : {"warn", "keep", "drop", "subtract", "error"}, default="warn"
        What to do with negative values, as in `load_interactions`.
    duplicates : {"sum", "count", "first", "last", "max", "min", "mean", "error"}, \
            default="sum"
        How to merge several interactions of a user with an item. First and last follow the
        timestamps, if known. "error" takes 8 more bytes per line.
    dtype : dtype or "auto", default="auto"
        Dtype of the matrix, as in `load_interactions`: "auto" is float32 unless that would lose
        information.
    as_times : bool, default=False
        Store the time of each interaction in the matrix instead of its value; the latest time
        of a repeated pair.
    return_X : bool, default=False
        Return only the matrix; with `n_parts` a list of matrices.
    n_parts : int, default=None
        Number of parts to return the users in. Parts hold consecutive users, and about equally
        many interactions. The parts share the entries of one matrix, so a part that is kept in
        memory keeps all entries there. Each part has its own ``indptr``, and its own ``user`` of
        4 or 8 bytes per entry.
    batch_size : int, default=131072
        Greatest number of lines that are decoded at a time; 64 bytes of text count as a line.
        Larger batches are hardly faster.

    Returns
    -------
    data : Bunch, csr_array, or list of these
        As in `load_interactions`. With `n_parts` a list of Bunches. X and ``user_ids`` of a part
        have only the users of the part. All parts have the same columns and ``item_ids``, even
        for items that no user of the part has.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImportError
        If `path` is a URL, and fsspec or a package that it needs for the protocol is not
        installed.
    TypeError
        If `path` is not a path.
    ValueError
        As in `load_interactions`, with the same messages: they name the file and number of a bad
        line, and count the bad lines. Also if the files are neither parquet nor text, or if there
        are fewer users than `n_parts`.

    Warns
    -----
    UserWarning
        As in `load_interactions`.

    See Also
    --------
    load_interactions : Load logs of any kind, also from memory.
    skrec.linear_model.EASE.partial_fit : Fit in parts.

    Notes
    -----
    The function refuses JSON, Arrow, ORC, npz, Matrix Market, logs in memory, and parquet files
    within gzip. It reads the files in order, so it finds an error in a file only after it has
    read all earlier files.

    A hash table holds each distinct id. A whole number takes 16 to 64 bytes there. A text takes 32
    to 64 bytes in addition to its own. While a table grows, it takes half as much again. While the
    ids are sorted, two more copies of all texts exist, as Python and as numpy objects.

    Examples
    --------
    >>> import os, tempfile
    >>> import pyarrow as pa
    >>> import pyarrow.parquet as pq
    >>> from skrec.datasets import scan_interactions
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for day, (users, items) in enumerate([(["ann", "bob"], [7, 9]), (["ann"], [9])]):
    ...         table = pa.table({"user": users, "item": items})
    ...         pq.write_table(table, os.path.join(folder, f"day{day}.parquet"))
    ...     data = scan_interactions(folder)
    ...     parts = scan_interactions(folder, n_parts=2)
    >>> data.X.toarray()
    array([[1., 1.],
           [0., 1.]], dtype=float32)
    >>> data.user_ids, data.item_ids
    (array(['ann', 'bob'], dtype='<U3'), array([7, 9]))
    >>> [part.X.toarray().tolist() for part in parts]
    [[[1.0, 1.0]], [[0.0, 1.0]]]
    """
    require_duplicates_rule(duplicates)
    check_dtype(dtype)
    text = check_reading(
        (user, item, value, timestamp), delimiter=delimiter, header=header, quotechar=quotechar,
        encoding=encoding, decimal=decimal, timestamp_format=timestamp_format,
        negative=negative, drop_missing=drop_missing,
    )  # fmt: skip
    _check_counts(n_parts, batch_size)
    if is_in_memory(path):
        raise TypeError(
            f"Expected a path or a list of paths. Got {type(path).__name__}; read a log in memory "
            "with skrec.datasets.load_interactions."
        )
    source, paths = find_parts(path)
    kind = kind_of_parts(source, paths, encoding)
    if kind not in ("text", "parquet"):
        raise ValueError(
            f"{source} is of kind {kind}. Expected parquet, or text with one interaction in each "
            "line; read it with skrec.datasets.load_interactions."
        )
    data = read_gathered(
        source, paths, kind, text, drop_missing=drop_missing, negative=negative,
        duplicates=duplicates, dtype=dtype, as_times=as_times, batch_size=int(batch_size),
    )  # fmt: skip
    if n_parts is None:
        return data.X if return_X else data
    parts = _in_parts(data, int(n_parts), source)
    return [part.X for part in parts] if return_X else parts


def _check_counts(n_parts, batch_size):
    for name, count in (("n_parts", n_parts), ("batch_size", batch_size)):
        whole = isinstance(count, int | np.integer) and not isinstance(count, bool)
        if not (whole and 1 <= count < 2**31) and not (name == "n_parts" and count is None):
            raise ValueError(f"{name} must be a whole number of at least 1. Got {count!r}.")


def _in_parts(data, n_parts, source):
    """A Bunch for each part of the users; parts have about equally many interactions."""
    n_users, indptr = data.X.shape[0], data.X.indptr
    if n_users < n_parts:
        raise ValueError(
            f"{source} has {n_users} users. Expected at least one for each part; got "
            f"n_parts={n_parts}."
        )
    wanted = np.arange(1, n_parts) * (data.X.nnz / n_parts)
    cuts = [0, *np.searchsorted(indptr, wanted).tolist(), n_users]
    for part in range(1, n_parts):  # at least one user in each part, and in all later ones
        cuts[part] = min(max(cuts[part], cuts[part - 1] + 1), n_users - n_parts + part)
    more = {name: data[name] for name in ("value_name", "n_dropped", "n_negative", "DESCR")}
    parts = []
    for first, last in zip(cuts[:-1], cuts[1:], strict=True):
        entries = slice(indptr[first], indptr[last])
        X = csr_array((last - first, data.X.shape[1]), dtype=data.X.dtype)
        X.indptr = indptr[first : last + 1] - indptr[first]
        # The constructor would copy these slices, since they are small parts of large arrays.
        X.data, X.indices = data.X.data[entries], data.X.indices[entries]
        X.has_canonical_format = True
        times = {"timestamp": data.timestamp[entries]} if "timestamp" in data else {}
        parts.append(bunch_of(X, data.user_ids[first:last], data.item_ids, times, more))
    return parts
