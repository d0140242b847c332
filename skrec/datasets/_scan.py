"""Interaction logs from files that are larger than the memory they may take."""

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

    The result is that of `load_interactions`, which reads such files in the same way: each batch
    becomes codes of 4 bytes as soon as it is read, and two counting passes make the matrix. One
    counts the lines of each user, the other puts each line in its place. At the peak at most 40
    bytes are taken for each line beyond the matrix, and what the distinct ids take. Here users
    may come in parts, and what would be held as columns is refused.

    Parameters
    ----------
    path : str, path-like or list of these
        A file, a folder, a pattern (``logs/*.parquet``), or a list of paths: parquet, or text
        with one interaction in each line, compressed or not. Names of folders such as ``day=1``
        are columns of parquet. Or a URL, such as ``s3://bucket/logs``, which fsspec opens.
    user, item : str, int or "auto", default="auto"
        Name or place of the column, as in `load_interactions`.
    value : str, int, "auto" or None, default="auto"
        Column with what is stored in the matrix; None: every interaction counts as 1.
    timestamp : str, int, "auto" or None, default="auto"
        Column with the time. None, where times are not needed, saves 12 bytes a line.
    delimiter : str, default=None
        Between the fields of a line. None: found out.
    header : bool, default=None
        Whether the first line holds names. None: found out.
    quotechar : str or None, default='"'
        Encloses fields that hold the delimiter or line breaks.
    encoding : str, default="utf-8"
        Of the text.
    decimal : {".", ","}, default="."
        Before the fraction of a value that is text.
    drop_missing : bool, default=False
        Leave out the lines that lack an id, a value or a time, and count them.
    negative : {"warn", "keep", "drop", "subtract", "error"}, default="warn"
        What negative values are, as in `load_interactions`.
    duplicates : {"sum", "count", "first", "last", "max", "min", "mean", "error"}, \
            default="sum"
        What several interactions of one user with one item become; first and last by timestamp
        where known. "error" takes 8 bytes more a line.
    dtype : dtype or "auto", default="auto"
        Of the matrix, as in `load_interactions`: "auto" is float32 unless that would lose
        something.
    as_times : bool, default=False
        Store in the matrix when each interaction happened, of a repeated pair the latest.
    return_X : bool, default=False
        Return the matrix only; of parts a list of matrices.
    n_parts : int, default=None
        Return the users in so many parts, one after the other, each with about as many
        interactions. The parts share the entries of one matrix, and a part that is kept keeps all
        of them. Each part has its own ``indptr``, and its own ``user`` of 4 or 8 bytes an entry.
    batch_size : int, default=131072
        How many lines are decoded at a time, at most; of text it is 64 bytes for each. More is
        hardly faster.

    Returns
    -------
    data : Bunch, csr_array, or list of these
        As of `load_interactions`. With `n_parts` a list of Bunches, each with some of the users:
        X and ``user_ids`` have the rows of the part, and all parts have the same columns and
        ``item_ids``, also those of items that no user of the part has.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImportError
        If `path` is a URL and fsspec, or what it needs for the protocol, is not installed.
    TypeError
        If `path` is no path.
    ValueError
        As of `load_interactions`, with the same messages: a bad line of text is named by its
        file and number, and bad lines are counted. Also if the files are neither parquet nor
        text, or if there are fewer users than `n_parts`.

    Warns
    -----
    UserWarning
        As of `load_interactions`.

    See Also
    --------
    load_interactions : Logs of any kind, also in memory.
    skrec.linear_model.EASE.partial_fit : A fit in parts.

    Notes
    -----
    JSON, Arrow, ORC, npz, Matrix Market and logs in memory are refused, and a parquet file within
    gzip is not unpacked. What is wrong with a file is found when the files before it have been
    read.

    Each distinct id stands in a hash table. A whole number takes 16 to 64 bytes there, a text 32 to
    64 bytes beside its own, and half as much again while a table grows. Texts stand in the memory
    twice more, as Python's and as numpy's, while the sorted ids are made.

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
        encoding=encoding, decimal=decimal, negative=negative, drop_missing=drop_missing,
    )  # fmt: skip
    _check_counts(n_parts, batch_size)
    if is_in_memory(path):
        raise TypeError(
            f"Expected the path of files, or a list of paths. Got {type(path).__name__}; read a "
            "log in memory with skrec.datasets.load_interactions."
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
    """A Bunch for each part of the users; parts have about as many interactions."""
    n_users, indptr = data.X.shape[0], data.X.indptr
    if n_users < n_parts:
        raise ValueError(
            f"{source} has {n_users} users. Expected at least one for each part; got "
            f"n_parts={n_parts}."
        )
    wanted = np.arange(1, n_parts) * (data.X.nnz / n_parts)
    cuts = [0, *np.searchsorted(indptr, wanted).tolist(), n_users]
    for part in range(1, n_parts):  # at least one user in each part, before and behind
        cuts[part] = min(max(cuts[part], cuts[part - 1] + 1), n_users - n_parts + part)
    more = {name: data[name] for name in ("value_name", "n_dropped", "n_negative", "DESCR")}
    parts = []
    for first, last in zip(cuts[:-1], cuts[1:], strict=True):
        entries = slice(indptr[first], indptr[last])
        X = csr_array((last - first, data.X.shape[1]), dtype=data.X.dtype)
        X.indptr = indptr[first : last + 1] - indptr[first]
        # Given to the constructor they would be copied: they are small parts of large arrays.
        X.data, X.indices = data.X.data[entries], data.X.indices[entries]
        X.has_canonical_format = True
        times = {"timestamp": data.timestamp[entries]} if "timestamp" in data else {}
        parts.append(bunch_of(X, data.user_ids[first:last], data.item_ids, times, more))
    return parts
