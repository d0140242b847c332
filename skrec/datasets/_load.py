"""Interaction logs from files and folders."""

import codecs
from pathlib import Path

import numpy as np

from skrec.datasets._base import get_data_home
from skrec.datasets._bunch import ids_of_text, log_bunch, require_duplicates_rule
from skrec.datasets._cache import read_folder, read_npz
from skrec.datasets._files import file_kind
from skrec.datasets._guess import ROLES, first_line_is_doubtful
from skrec.datasets._layout import find_layout
from skrec.datasets._text import read_carefully

__all__ = ["load_dataset", "load_interactions"]

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
    duplicates="sum",
    dtype=np.float64,
    return_X=False,
):
    """Read an interaction log from a file.

    Parameters
    ----------
    path : str or path-like
        Its first bytes, not its name, say what it is:

        - parquet;
        - npz: the format of `load_dataset`, or a matrix saved with
          `scipy.sparse.save_npz`; the parameters on columns and text do not apply;
        - anything else is text with one interaction in each line.

        Compressed by gzip, bzip2, xz or zstd, or the only file in a zip archive, too.
    user, item : str, int or "auto", default="auto"
        Name or place (from 0) of the column. "auto": a column with a usual name, such as
        "user_id" or "movieId"; without a header the first and the second.
    value : str, int, "auto" or None, default="auto"
        Column with what is stored in the matrix. "auto": one with a usual name, such as
        "rating" or "count"; without a header the third if it holds numbers (if they look
        like Unix times it is an error to leave them to "auto"). None, or no such column:
        every interaction counts as 1.
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
        Before the fraction of a value.
    drop_missing : bool, default=False
        Leave out the lines that lack an id, a value or a time, and count them, instead of
        refusing the file.
    duplicates : {"sum", "count", "first", "last", "max", "min", "mean", "error"}, \
            default="sum"
        What several interactions of one user with one item become, as in
        `skrec.preprocessing.InteractionEncoder`; first and last by timestamp where known.
    dtype : dtype, default=numpy.float64
        Of the matrix.
    return_X : bool, default=False
        Return the matrix only.

    Returns
    -------
    data : Bunch or csr_array
        The matrix if ``return_X=True``, else a Bunch with

        - X : csr_array of shape (n_users, n_items), one stored entry per pair; also as data,
          the name in scikit-learn's data sets;
        - user_ids, item_ids : id of each row and column, sorted; int64 if all ids are
          written as whole numbers (without leading zeros), else str;
        - user, item : ndarray of int of shape (nnz,), row and column of each entry of
          ``X.data``, in that order;
        - timestamp : ndarray of int64 or float64 of shape (nnz,), aligned with ``X.data``;
          only if the file has it. Of a repeated pair the latest;
        - value_name : name of the column of values ("value" without a header), or None;
        - n_dropped : int, number of lines that `drop_missing` left out;
        - DESCR : str;
        - for ``.npz`` what `load_dataset` says, without the tables.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a line has another number of fields than the first, no id, or a value or time
        that is not finite; the message names file and line (from 1), what was found, what
        is expected and a remedy, and counts the bad lines. Also if delimiter, header or
        columns cannot be told, if a column that was guessed by its place holds what it
        cannot be (times as ids, ids as values), and if the file is empty or of another kind.

    See Also
    --------
    load_dataset : A folder in the data home, with titles.
    fetch_movielens : Data from the web.
    skrec.preprocessing.InteractionEncoder : The same for logs in memory.

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
           [0. , 3. ]])
    >>> data.user_ids, data.item_ids
    (array(['ann', 'bob'], dtype='<U3'), array([7, 9]))
    """
    require_duplicates_rule(duplicates)
    path = _existing_file(path)
    columns = _check_columns((user, item, value, timestamp))
    _check_text_parameters(delimiter, quotechar, encoding, decimal)
    kind = file_kind(path)
    if kind == "npz":
        data = read_npz(path, duplicates=duplicates, dtype=dtype)
        data.DESCR = f"Interactions in {path}."
        return data.X if return_X else data
    if kind == "parquet":
        from skrec.datasets._parquet import read_parquet

        log = read_parquet(path, columns)
        user_ids, user_codes, item_ids, item_codes = log.user_ids, log.user, log.item_ids, log.item
    else:
        layout = find_layout(
            path, delimiter=delimiter, header=header, columns=columns, quotechar=quotechar,
            encoding=encoding, decimal=decimal,
        )  # fmt: skip
        log = _read_text(path, layout, drop_missing)
        user_ids, place = ids_of_text(log.user_ids)
        user_codes = place[log.user]
        item_ids, place = ids_of_text(log.item_ids)
        item_codes = place[log.item]
    try:
        data = log_bunch(
            user_codes, item_codes, user_ids, item_ids, value=log.value,
            aligned={} if log.timestamp is None else {"timestamp": log.timestamp},
            duplicates=duplicates, dtype=dtype,
            more={
                "value_name": log.value_name,
                "n_dropped": log.n_dropped,
                "DESCR": f"Interactions in {path}.",
            },
        )  # fmt: skip
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return data.X if return_X else data


def load_dataset(name, *, data_home=None, dtype=np.float64, return_X=False):
    """Load a data set from the data home by the name of its folder.

    Parameters
    ----------
    name : str
        Folder within the data home that holds an ``interactions.npz``.
    data_home : str or path-like, default=None
        As in `get_data_home`.
    dtype : dtype, default=numpy.float64
        Of the matrix.
    return_X : bool, default=False
        Return the matrix only.

    Returns
    -------
    data : Bunch or csr_array
        The matrix if ``return_X=True``, else a Bunch with

        - X : csr_array of shape (n_users, n_items): the array "rating" (or "value") of the
          file, else ones; also as data, the name in scikit-learn's data sets;
        - user_ids, item_ids : id of each row and column; positions where the file (or an
          ``original_ids.npz`` beside it) has none;
        - user, item : ndarray of int of shape (nnz,), row and column of each entry of
          ``X.data``, in that order;
        - rating, timestamp, split, cv_fold, ... : every array of the file with an entry per
          interaction, aligned with ``X.data``;
        - time_rank : ndarray of int of shape (nnz,), place of the interaction in the
          user's history, where the file has it or a timestamp;
        - value_name : "rating", "value" or None;
        - item_table, user_table : Bunch with the columns of ``items.csv`` and
          ``users.csv``, aligned with item_ids and user_ids, where these files are;
        - titles, genres : ndarray of str of shape (n_items,), where items.csv has them;
          genres are joined by "|";
        - genre_names : ndarray of str of shape (n_genres,), and item_features : csr_array
          of shape (n_items, n_genres), 1 where an item is of a genre;
        - DESCR : str, the folder's README.

    Raises
    ------
    ValueError
        If there is no such data set, or its file is not as above; repeated pairs too.

    See Also
    --------
    fetch_movielens : Downloads what is not there.
    load_interactions : A single file.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from skrec.datasets import load_dataset
    >>> with tempfile.TemporaryDirectory() as home:
    ...     os.mkdir(os.path.join(home, "tiny"))
    ...     np.savez(os.path.join(home, "tiny", "interactions.npz"),
    ...              user=[0, 1, 1], item=[1, 1, 0], split=[0, 2, 0])
    ...     data = load_dataset("tiny", data_home=home)
    >>> data.X.toarray(), data.split
    (array([[0., 1.],
           [1., 1.]]), array([0, 0, 2]))
    """
    home = Path(get_data_home(data_home))
    if not isinstance(name, str) or not name or Path(name).name != name:
        raise ValueError(f"name must be the name of a folder in {home}. Got {name!r}.")
    if not (home / name / "interactions.npz").exists():
        there = sorted(path.parent.name for path in home.glob("*/interactions.npz"))
        raise ValueError(
            f"There is no data set {name!r} in {home}. Got {there or 'none'} there; pass "
            "data_home= or set SKREC_DATA, save it with numpy.savez as "
            f"{name}/interactions.npz (user=, item=), or use fetch_movielens or load_interactions."
        )
    data = read_folder(home / name, dtype=dtype)
    return data.X if return_X else data


def _read_text(path, layout, drop_missing):
    log = None
    if path.stat().st_size >= _LARGE:
        from skrec.datasets._text_fast import read_fast

        log = read_fast(path, layout)
    if log is None:
        log = read_carefully(path, layout, drop_missing=drop_missing)
    if not len(log.user):
        what = f"{log.n_dropped} lines without an id, value or time" if log.n_dropped else "names"
        raise ValueError(f"{path} has {what} but no interactions. Expected one in each line.")
    if layout.doubtful and first_line_is_doubtful(log.user, log.user_ids, log.item, log.item_ids):
        first = [log.user_ids[log.user[0]], log.item_ids[log.item[0]]]
        raise ValueError(
            f"{path}: the first line may hold names or an interaction: {first} occur nowhere else "
            "and are unlike what follows. Expected a header with usual names, or a log whose first "
            "line is like the others; pass header=True or header=False."
        )
    return log


def _existing_file(path):
    path = Path(path).expanduser()
    if path.is_dir():
        raise ValueError(
            f"{path} is a folder. Expected a file; for a folder with an interactions.npz use "
            f"load_dataset({path.name!r}, data_home={str(path.parent)!r})."
        )
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}. Expected an interaction log.")
    return path


def _check_columns(columns):
    for role, column in zip(ROLES, columns, strict=True):
        absent = column is None and role in ("value", "timestamp")
        place = isinstance(column, int) and not isinstance(column, bool)
        if not (absent or place or isinstance(column, str)):
            raise ValueError(
                f"{role} must be the name or the place of a column, or 'auto'. Got {column!r}."
            )
    return columns


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
        codecs.lookup(encoding)
    except (LookupError, TypeError) as error:
        raise ValueError(
            f"encoding must be a name that Python knows, such as 'utf-8' or 'latin-1'. Got "
            f"{encoding!r}."
        ) from error
