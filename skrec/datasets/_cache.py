"""Data sets as folders: ``NAME/interactions.npz``, ``items.csv``, ``users.csv``."""

import io

import numpy as np
from scipy.io import mmread
from scipy.sparse import coo_array, csr_array, load_npz

from skrec.datasets._bunch import log_bunch
from skrec.datasets._files import open_binary, plain_errors
from skrec.datasets._tables import aligned_table, genre_matrix
from skrec.utils._sparse_check import sound_sparse

__all__ = ["read_folder", "read_matrix_market", "read_npz", "time_ranks"]

_SIDE = ("user", "item")


def read_npz(path, *, duplicates="error", dtype="auto"):
    """Read an ``interactions.npz``, or a matrix that scipy.sparse.save_npz wrote.

    Parameters
    ----------
    path : pathlib.Path
    duplicates : str, default="error"
        See `skrec.preprocessing.InteractionEncoder`.
    dtype : dtype or "auto", default="auto"
        Dtype of the matrix.

    Returns
    -------
    data : Bunch

    Raises
    ------
    ValueError
        If the file does not hold a log.
    """
    arrays = _load_arrays(path)
    if {"format", "shape", "data"} <= set(arrays):
        arrays = _arrays_of_matrix(path)
    for role in _SIDE:
        _check_index(path, arrays, role)
    user, item = arrays.pop("user"), arrays.pop("item")
    ids = [
        _ids_of(path, arrays, role, index) for role, index in zip(_SIDE, (user, item), strict=True)
    ]
    name = next((name for name in ("rating", "value") if name in arrays), None)
    value = None if name is None else _check_value(path, name, arrays.pop(name), len(user))
    aligned = {key: column for key, column in arrays.items() if column.shape[:1] == user.shape}
    try:
        data = log_bunch(
            user, item, *ids, value=value, aligned=aligned, duplicates=duplicates, dtype=dtype,
            more={"value_name": name},
        )  # fmt: skip
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if name == "rating":
        data.rating = data.X.data
    return data


def read_matrix_market(path, *, duplicates="error", dtype="auto"):
    """Read a matrix in the Matrix Market format, which numbers rows and columns from 1.

    Parameters
    ----------
    path : pathlib.Path
    duplicates : str, default="error"
        See `skrec.preprocessing.InteractionEncoder`.
    dtype : dtype or "auto", default="auto"
        Dtype of the matrix.

    Returns
    -------
    data : Bunch

    Raises
    ------
    ValueError
        If the file is damaged, or its values are not real numbers.
    """
    try:
        with plain_errors(path), open_binary(path) as file:
            matrix = coo_array(mmread(io.BytesIO(file.read())))
    except (ValueError, IndexError, OverflowError) as error:
        raise ValueError(
            f"{path} begins like Matrix Market, but cannot be read ({error}). Expected a "
            "coordinate matrix of real numbers; write it again with scipy.io.mmwrite."
        ) from error
    if not matrix.nnz:
        raise ValueError(f"{path} is empty. Expected at least one entry.")
    value = _check_value(path, "value", matrix.data, matrix.nnz)
    row, column = (np.asarray(axis, dtype=np.int64) for axis in matrix.coords)
    try:
        return log_bunch(
            row, column, *(np.arange(1, size + 1) for size in matrix.shape),
            value=value, aligned={}, duplicates=duplicates, dtype=dtype,
            more={"value_name": "value"},
        )  # fmt: skip
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def read_folder(folder, *, dtype="auto"):
    """Read ``interactions.npz`` and the tables in the same folder.

    Parameters
    ----------
    folder : pathlib.Path
    dtype : dtype or "auto", default="auto"
        Dtype of the matrix.

    Returns
    -------
    data : Bunch
        See `skrec.datasets.load_dataset`.
    """
    data = read_npz(folder / "interactions.npz", dtype=dtype)
    if "timestamp" in data and "time_rank" not in data:
        data.time_rank = time_ranks(data.user, data.timestamp)
    for role, ids in (("item", data.item_ids), ("user", data.user_ids)):
        path = folder / f"{role}s.csv"
        if path.exists():
            data[f"{role}_table"] = aligned_table(path, role, len(ids))
    about = data.get("item_table", {})
    if "title" in about:
        data.titles = about["title"]
    if "genres" in about:
        data.genres = about["genres"]
        data.genre_names, data.item_features = genre_matrix(data.genres)
    data.DESCR = _description(folder)
    return data


def time_ranks(user, timestamp):
    """Rank of each interaction in its user's history, from 0; equal times keep their order.

    Parameters
    ----------
    user : ndarray of int of shape (n,)
    timestamp : ndarray of shape (n,)

    Returns
    -------
    ranks : ndarray of int32 of shape (n,)
    """
    order = np.lexsort((timestamp, user))
    ordered = user[order]
    new = np.ones(len(user), dtype=bool)
    new[1:] = ordered[1:] != ordered[:-1]
    starts = np.flatnonzero(new)
    ranks = np.empty(len(user), dtype=np.int32)
    ranks[order] = np.arange(len(user)) - np.repeat(starts, np.diff(np.append(starts, len(user))))
    return ranks


def _load_arrays(path):
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, AttributeError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(
            f"{path} cannot be read as .npz without pickle ({error}). Expected arrays 'user' and "
            "'item' saved by numpy.savez; delete the file and fetch or save it again."
        ) from error


def _arrays_of_matrix(path):
    X = csr_array(sound_sparse(load_npz(path), str(path)))
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    ids = {f"{role}_ids": np.arange(size) for role, size in zip(_SIDE, X.shape, strict=True)}
    return {"user": rows, "item": X.indices, "value": X.data, **ids}


def _check_index(path, arrays, role):
    column = arrays.get(role)
    if column is None or column.ndim != 1 or column.dtype.kind not in "iu":
        found = {name: f"{array.dtype}{list(array.shape)}" for name, array in arrays.items()}
        raise ValueError(
            f"{path} holds no 1-D array {role!r} of whole numbers. Got {found}; save the log with "
            "numpy.savez(path, user=..., item=...)."
        )
    if len(column) != len(arrays["user"]) or not len(column):
        raise ValueError(
            f"{path}: 'user' and 'item' have {len(arrays['user'])} and {len(column)} entries. "
            "Expected one entry of each per interaction, and at least one interaction."
        )
    if column.min() < 0:
        row = int(np.argmin(column))
        raise ValueError(
            f"{path}: entry {row} of {role!r} is {column[row]}. Expected positions from 0."
        )


def _ids_of(path, arrays, role, index):
    ids = arrays.pop(f"{role}_ids", None)
    beside = path.parent / "original_ids.npz"
    if ids is None and path.name == "interactions.npz" and beside.exists():
        ids = _load_arrays(beside).get(f"{role}_ids")
    if ids is None:
        return np.arange(int(index.max()) + 1)
    if len(ids) <= index.max():
        raise ValueError(
            f"{path}: {role!r} goes up to {index.max()}, but there are only {len(ids)} "
            f"{role}_ids. Expected an id for each position."
        )
    return ids.astype(np.int64) if ids.dtype.kind == "i" else ids


def _check_value(path, name, value, n):
    if value.shape != (n,) or value.dtype.kind not in "iufb":
        raise ValueError(
            f"{path}: {name!r} has dtype {value.dtype} and shape {value.shape}. Expected numbers "
            f"of shape ({n},)."
        )
    bad = ~np.isfinite(value)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise ValueError(
            f"{path}: entry {row} of {name!r} is {value[row]}. Expected finite numbers."
        )
    return value


def _description(folder):
    for name in ("README.md", "README.txt", "README"):
        if (folder / name).exists():
            return (folder / name).read_text(encoding="utf-8", errors="replace")
    return f"Interactions in {folder}."
