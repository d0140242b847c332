"""Checks of matrices before NumPy, scipy or scikit-learn convert them."""

from collections.abc import Mapping
from contextlib import contextmanager

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array

from skrec.utils._log_names import guess_column
from skrec.utils._sparse_check import sound_sparse

# A log has users, items, values, times and perhaps one more column.
_MAX_LOG_COLUMNS = 5
_ENCODE = (
    "skrec.preprocessing.InteractionEncoder makes a matrix from a log, and "
    "skrec.datasets.load_interactions makes one from a file."
)
_DATES = ("date", "time", "duration", "timestamp")
# Parts of the messages of numpy and pandas about text and dates.
_NOT_NUMBERS = {"could not convert string": "text", "DateTime64": "dates", "Timestamp": "dates"}


def sound_matrix(X, name="X", *, log=False):
    """Check that a matrix is safe to convert, and return it.

    Parameters
    ----------
    X : {array-like, sparse matrix, dataframe}
    name : str, default="X"
        Name of the matrix in messages.
    log : bool, default=False
        Whether to refuse a dataframe of few columns with the usual names of a log.

    Returns
    -------
    X : object
        Sparse matrices on a new shell, see `skrec.utils._sparse_check.sound_sparse`.

    Raises
    ------
    ValueError
        For a malformed sparse matrix, dates, durations or a log.
    """
    if issparse(X):
        _refuse_dates(getattr(getattr(X, "data", None), "dtype", None), name)
        return sound_sparse(X, name)
    columns = _columns_of(X)
    if columns is None:
        _refuse_named(X, name)
        array = _as_array(X) if isinstance(X, list | tuple) else X
        _refuse_dates(getattr(array, "dtype", None), name)
        if isinstance(array, np.ndarray):
            _refuse_objects(array, name)
        return X
    for dtype in _dtypes_of(X):
        _refuse_dates(dtype, name)
    if log:
        _refuse_log(columns, name)
    return X


def checked_array(
    X,
    *,
    name="X",
    log=False,
    accept_sparse=False,
    dtype="numeric",
    ensure_all_finite=True,
    ensure_2d=True,
    ensure_min_samples=1,
    ensure_min_features=1,
):
    """`sklearn.utils.check_array` behind `sound_matrix`; nothing else in skrec calls it.

    Parameters
    ----------
    X : {array-like, sparse matrix, dataframe}
    name : str, default="X"
        Name of the matrix in messages.
    log : bool, default=False
        See `sound_matrix`.
    accept_sparse, dtype, ensure_all_finite, ensure_2d, ensure_min_samples, ensure_min_features
        See `sklearn.utils.check_array`.

    Returns
    -------
    X : ndarray or sparse matrix

    Raises
    ------
    ValueError
        As `sound_matrix` and `check_array` do.
    """
    X = sound_matrix(X, name, log=log)
    with readable_errors(name):
        return check_array(
            X,
            accept_sparse=accept_sparse,
            dtype=dtype,
            ensure_all_finite=ensure_all_finite,
            ensure_2d=ensure_2d,
            ensure_min_samples=ensure_min_samples,
            ensure_min_features=ensure_min_features,
            input_name=name,
        )


@contextmanager
def readable_errors(name="X"):
    """A block whose conversion errors say what `name` holds and what skrec expects."""
    try:
        yield
    except OverflowError as error:
        raise ValueError(
            f"{name} holds a number that no float64 can hold ({error}). Expected a matrix of "
            "finite numbers; scale the values."
        ) from error
    except (TypeError, ValueError) as error:
        if name == "X" and "Expected 2D array" in str(error):
            raise ValueError(
                f"{error} skrec reads a user-item matrix with a row for each user: X[[0]] is the "
                "first user's. skrec.LogRecommender takes ids of users."
            ) from error
        holds = [what for word, what in _NOT_NUMBERS.items() if word in str(error)]
        if not holds:
            raise
        raise ValueError(
            f"{name} holds {holds[0]}: {error}. Expected a user-item matrix of numbers; got a log "
            f"with ids? {_ENCODE}"
        ) from error


def _as_array(values):
    try:
        return np.asarray(values)
    except ValueError:  # ragged lists: `check_array` says so
        return None


def _columns_of(X):
    """Names of the columns of a dataframe or table as a list, or None."""
    columns = getattr(X, "column_names", None)  # arrow
    if columns is None:
        columns = getattr(X, "columns", None)
    return None if columns is None or callable(columns) else list(columns)


def _dtypes_of(X):
    if hasattr(X, "dtypes"):
        return set(X.dtypes)
    schema = getattr(X, "schema", None)  # arrow
    return {field.type for field in schema} if hasattr(schema, "names") else set()


def _refuse_dates(dtype, name):
    if dtype is None:
        return
    kind = getattr(dtype, "kind", None)
    if kind is None:  # polars and arrow name their types
        kind = "M" if str(dtype).lower().startswith(_DATES) else ""
    if isinstance(kind, str) and kind in ("m", "M"):
        raise _dates(name, f"dtype {dtype}")


def _refuse_objects(array, name):
    if array.dtype != object:
        return
    for value in array.flat:
        if issparse(value):
            raise ValueError(
                f"{name} holds sparse matrices: got {type(value).__name__} of shape {value.shape} "
                f"in an array of shape {array.shape}. Expected one matrix; see scipy.sparse.vstack."
            )
        # float() accepts NumPy's dates; of all other dates check_array raises an error.
        if isinstance(value, np.datetime64 | np.timedelta64):
            raise _dates(name, f"{value!r}")


def _dates(name, got):
    return ValueError(
        f"{name} holds dates: got {got}. Expected a matrix of numbers; got a log with ids? "
        f"{_ENCODE} Times of interactions go into `timestamps`."
    )


def _refuse_named(X, name):
    """Refuse mappings and structured arrays: they have named columns but are not dataframes."""
    names = getattr(getattr(X, "dtype", None), "names", None)  # of a structured array
    names = list(X) if isinstance(X, Mapping) else names
    if isinstance(names, list | tuple):
        raise ValueError(
            f"{name} has named columns: got {type(X).__name__} with {list(names)[:5]}. Expected "
            f"a user-item matrix of numbers; got a log with ids? {_ENCODE}"
        )


def _refuse_log(columns, name):
    if not 2 <= len(columns) <= _MAX_LOG_COLUMNS:
        return
    named = [column for column in columns if isinstance(column, str)]
    user, item = guess_column(named, "user"), guess_column(named, "item")
    if user is None or item is None:
        return
    raise ValueError(
        f"{name} is a log: its columns are {columns}, one interaction per row. Expected a "
        f"user-item matrix of numbers, with a row per user and a column per item. {_ENCODE} "
        "skrec.LogRecommender takes the log itself, and a search inside it: "
        "LogRecommender(GridSearchCV(...))."
    )
