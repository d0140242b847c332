"""Parts of rows, in all their forms, and the engine over them."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from scipy.sparse import csr_array, issparse, load_npz
from sklearn.base import clone

from skrec.dask._log_files import read_csv_log, read_parquet_log
from skrec.utils._engines import JoblibEngine
from skrec.utils._sparse_check import sound_sparse

_TABLES = (".parquet", ".csv")


def engine_over(parts, opener, client, *, encoder=None):
    """An engine over parts.

    Parameters
    ----------
    parts : list, or collection of Dask
    opener : callable
        Opens one part.
    client : distributed.Client or None
        None: the client of the process, if it has one; else joblib's workers.
    encoder : InteractionEncoder, default=None
        Names the column of users by which a Dask dataframe is shuffled.

    Returns
    -------
    engine : object
        See `skrec.utils._engines`.
    """
    client = _current_client() if client is None else client
    parts = list_of_parts(parts, encoder)
    if client is None:
        return JoblibEngine(parts, _Computed(opener))
    from skrec.dask._cluster import ClusterEngine

    return ClusterEngine(client, parts, opener)


def _current_client():
    distributed = sys.modules.get("distributed")
    if distributed is None:  # a process with a client has imported it
        return None
    try:
        return distributed.Client.current()
    except ValueError:
        return None


def list_of_parts(parts, encoder=None):
    """A list of the single parts.

    Parameters
    ----------
    parts : list, path of a folder or a file, dask bag or dask dataframe
    encoder : InteractionEncoder, default=None

    Returns
    -------
    parts : list

    Raises
    ------
    ValueError
        If there is no part.
    TypeError
        If `parts` is one block of rows.
    """
    if is_path(parts):
        path = Path(parts)
        parts = [path] if path.is_file() else _files_of(path)
    elif hasattr(parts, "to_delayed"):
        if encoder is not None and hasattr(parts, "shuffle"):
            parts = parts.shuffle(on=encoder.user)  # all rows of a user into one part
        parts = list(parts.to_delayed())
    elif issparse(parts) or hasattr(parts, "shape"):
        raise TypeError(
            f"Expected parts: a list of blocks of rows. Got one {type(parts).__name__}: use "
            "estimator.fit, or put blocks of its rows into a list."
        )
    parts = list(parts)
    if not parts:
        raise ValueError("There are no parts. Got an empty list, expected at least one part.")
    for part in parts:
        if is_path(part) and not Path(part).exists():
            raise FileNotFoundError(f"There is no file {part}, which is one of the parts.")
    # Workers may have another current folder.
    return [Path(part).absolute() if is_path(part) else part for part in parts]


def is_path(part):
    """Whether a part is a path."""
    return isinstance(part, str | os.PathLike)


def _files_of(folder):
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no file or folder {folder}.")
    found = sorted(
        path for path in folder.iterdir() if path.suffix in (*_TABLES, ".npz") and path.is_file()
    )
    if not found:
        raise ValueError(
            f"The folder {folder} has no part. Expected files that end in .parquet, .csv or .npz."
        )
    return found


class _Computed:
    """Computes delayed objects and opens them, for lack of a cluster."""

    def __init__(self, opener):
        self.opener = opener

    def __call__(self, part):
        return self.opener(part.compute() if hasattr(part, "compute") else part)


def read_part(part, encoder=None):
    """The matrix or the log of a part.

    Parameters
    ----------
    part : path, matrix or log
    encoder : InteractionEncoder, default=None
        Reads the log. None: the part is a matrix.

    Returns
    -------
    content : sparse matrix, array or log

    Raises
    ------
    TypeError
        If there is an encoder and the part is a sparse matrix.
    """
    content = _content(part, encoder) if is_path(part) else part
    if encoder is not None and issparse(content):
        raise TypeError(
            f"{part if is_path(part) else 'A part'} is a matrix ({type(content).__name__}) and has "
            "no ids. Expected logs, which an encoder or a LogRecommender reads; leave encoder= out "
            "for matrices."
        )
    return content


def _content(path, encoder):
    suffix = Path(path).suffix
    if suffix == ".npz":
        return load_npz(path)
    if suffix not in _TABLES:
        raise ValueError(
            f"{path} cannot be read as a part. Got a name that ends in {suffix!r}, expected "
            ".npz (scipy.sparse.save_npz), .parquet or .csv."
        )
    if encoder is None:
        raise TypeError(
            f"{path} is a log. Expected a matrix of users and items (.npz); for logs pass "
            "encoder=, such as the result of skrec.dask.fit_encoder."
        )
    return (read_csv_log if suffix == ".csv" else read_parquet_log)(path, encoder)


class Rows:
    """Opens a part as rows: a matrix as it is, a log through an encoder.

    Parameters
    ----------
    encoder : InteractionEncoder or None
        Fitted.
    users : bool, default=False
        Whether to return the ids of the users as well.
    """

    def __init__(self, encoder=None, *, users=False):
        if encoder is not None and not users and encoder.unknown_users == "new":
            # Known and new users have the same rows, so their ids need not travel.
            encoder = _copy(encoder)
            encoder.user_ids_ = encoder.user_ids_[:0]
        self.encoder, self.users = encoder, users

    @classmethod
    def of_fit(cls, encoder):
        """Rows as ``encoder.fit_transform`` makes them from the log of the encoder's fit.

        Users that the encoder left out, for the minimum count or because they returned everything,
        are not rows here either.
        """
        if encoder is not None and (has_core(encoder) or drops_returns(encoder)):
            encoder = _copy(encoder).set_params(unknown_users="ignore", unknown_items="ignore")
        return cls(encoder)

    def __call__(self, part):
        content = read_part(part, self.encoder)
        if self.encoder is None:
            if not issparse(content) and getattr(content, "ndim", 0) != 2:
                raise TypeError(
                    f"A part is a {type(content).__name__}. Expected a matrix of users and items; "
                    "for logs pass encoder=, such as the result of skrec.dask.fit_encoder."
                )
            X = csr_array(sound_sparse(content, "A part")) if issparse(content) else content
            return (X, range(X.shape[0])) if self.users else X
        if is_empty(content):
            dtype = "float32" if self.encoder.dtype == "auto" else self.encoder.dtype
            X = csr_array((0, len(self.encoder.item_ids_)), dtype=dtype)
            return (X, []) if self.users else X
        X, ids = self.encoder.transform_histories(content)
        return (X, ids) if self.users else X


def has_core(encoder):
    """Whether an encoder leaves out users or items with few partners."""
    return encoder.min_user_count > 1 or encoder.min_item_count > 1


def drops_returns(encoder):
    """Whether an encoder drops or subtracts negative values."""
    return encoder.value is not None and encoder.negative in ("drop", "subtract")


def is_empty(log):
    """Whether a log has no line, such as a partition after a filter."""
    if isinstance(log, Mapping):
        log = next(iter(log.values()), [None])
    elif isinstance(log, tuple) and log:
        log = log[0]  # columns, the first of which has the users
    n_rows = getattr(log, "num_rows", None)
    if n_rows is None:
        n_rows = len(log) if hasattr(log, "__len__") else 1
    return n_rows == 0


def _copy(encoder):
    twin = clone(encoder)
    twin.user_ids_, twin.item_ids_ = encoder.user_ids_, encoder.item_ids_
    return twin
