"""Parts of rows, in whatever form users have them, and what walks over them."""

import os
import sys
from pathlib import Path

from scipy.sparse import csr_array, issparse, load_npz
from sklearn.base import clone

from skrec.utils._engines import JoblibEngine
from skrec.utils._sparse_check import sound_sparse

_TABLES = (".parquet", ".csv")


def engine_over(parts, opener, client, *, encoder=None):
    """An engine over parts.

    Parameters
    ----------
    parts : list, or collection of Dask
    opener : callable
        Opens one of them.
    client : distributed.Client or None
        None: that of the process, if it has one; else joblib's workers.
    encoder : InteractionEncoder, default=None
        Names the column of users by which a Dask dataframe is brought in order.

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
    if distributed is None:  # who has a client has imported it
        return None
    try:
        return distributed.Client.current()
    except ValueError:
        return None


def list_of_parts(parts, encoder=None):
    """A list of what is one part each.

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
        If there is none.
    TypeError
        If it is one block of rows.
    """
    if isinstance(parts, str | os.PathLike):
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
        if isinstance(part, str | os.PathLike) and not Path(part).exists():
            raise FileNotFoundError(f"There is no file {part}, which is one of the parts.")
    return parts


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
    """Opens delayed objects where there is no cluster that would have computed them."""

    def __init__(self, opener):
        self.opener = opener

    def __call__(self, part):
        return self.opener(part.compute() if hasattr(part, "compute") else part)


def read_part(part):
    """The matrix, or the log, that a part is or names.

    Parameters
    ----------
    part : path, matrix or log

    Returns
    -------
    content : sparse matrix, array or log
    """
    if not isinstance(part, str | os.PathLike):
        return part
    suffix = Path(part).suffix
    if suffix == ".npz":
        return load_npz(part)
    if suffix not in _TABLES:
        raise ValueError(
            f"{part} is no part that can be read. Got a name that ends in {suffix!r}, expected "
            ".npz (scipy.sparse.save_npz), .parquet or .csv."
        )
    if suffix == ".csv":
        from pyarrow.csv import read_csv

        return read_csv(part)
    from pyarrow.parquet import read_table

    return read_table(part)


class Rows:
    """Opens a part as rows: a matrix as it is, a log by an encoder.

    Parameters
    ----------
    encoder : InteractionEncoder or None
        Fitted.
    users : bool, default=False
        Whether the ids of the users are wanted as well.
    """

    def __init__(self, encoder=None, *, users=False):
        if encoder is not None and not users and encoder.unknown_users == "new":
            # Known users or new ones make the same rows: their ids need not travel.
            encoder = _copy(encoder)
            encoder.user_ids_ = encoder.user_ids_[:0]
        self.encoder, self.users = encoder, users

    def __call__(self, part):
        content = read_part(part)
        if self.encoder is None:
            if not issparse(content) and getattr(content, "ndim", 0) != 2:
                raise TypeError(
                    f"A part is a {type(content).__name__}. Expected a matrix of users and items; "
                    "for logs pass encoder=, such as that of skrec.dask.fit_encoder."
                )
            X = csr_array(sound_sparse(content, "A part")) if issparse(content) else content
            return (X, range(X.shape[0])) if self.users else X
        if is_empty(content):
            dtype = "float32" if self.encoder.dtype == "auto" else self.encoder.dtype
            X = csr_array((0, len(self.encoder.item_ids_)), dtype=dtype)
            return (X, []) if self.users else X
        X, ids = self.encoder.transform_histories(content)
        return (X, ids) if self.users else X


def is_empty(log):
    """Whether a log has no line, as a partition that a filter left."""
    n_rows = getattr(log, "num_rows", None)
    if n_rows is None:
        n_rows = len(log) if hasattr(log, "__len__") else 1
    return n_rows == 0


def _copy(encoder):
    twin = clone(encoder)
    twin.user_ids_, twin.item_ids_ = encoder.user_ids_, encoder.item_ids_
    return twin
