"""Frames of the caller's kind: pandas, polars or pyarrow, imported only when needed."""

import importlib
import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from skrec._log._ids import as_id_column, describe_ids, is_text

# By the package of an object. pyarrow is always installed, since skrec reads files with it.
_KINDS = {"pandas": "pandas", "polars": "polars", "pyarrow": "pyarrow"}

_REMEDIES = {
    "path": "Read the ids first, such as Path(...).read_text().splitlines() for one in each line.",
    "table": "Pass one column, such as frame['item'], of a collected frame.",
}


def frame_kind(data):
    """The package of a frame or of a column of a frame, or None.

    Parameters
    ----------
    data : object

    Returns
    -------
    kind : {"pandas", "polars", "pyarrow"} or None
    """
    return _KINDS.get(type(data).__module__.partition(".")[0])


def is_frame(data):
    """Whether data is a table with named columns."""
    # Of the class: polars warns where a lazy frame is asked for its columns.
    return hasattr(type(data), "columns") or hasattr(type(data), "column_names")


def column_names(frame):
    """Names of the columns of a frame."""
    return [*(getattr(frame, "column_names", None) or frame.columns)]


def make_frame(columns, kind):
    """Make a frame.

    Parameters
    ----------
    columns : dict of str to ndarray of shape (n,)
    kind : {"pandas", "polars", "pyarrow"} or None
        None, or a package that is not installed, means pandas, or else pyarrow.

    Returns
    -------
    frame : pandas.DataFrame, polars.DataFrame or pyarrow.Table
    """
    if kind is None or find_spec(kind) is None:
        kind = "pandas" if find_spec("pandas") is not None else "pyarrow"
    package = importlib.import_module(kind)
    if kind == "pyarrow":
        return package.table({name: _plain(values) for name, values in columns.items()})
    if kind == "polars":
        columns = {name: _plain(values) for name, values in columns.items()}
    return package.DataFrame(columns)


def is_file(text):
    """Whether a text is the path of a file."""
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long for a path, or with a NUL
        return False


def id_list(ids, name="given"):
    """Ids of any container as an array; a single id counts as a list of one.

    Parameters
    ----------
    ids : id, array-like of ids, column of a frame, or set
    name : str, default="given"
        For messages.

    Returns
    -------
    ids : ndarray of shape (n,)

    Raises
    ------
    TypeError
        If `ids` is a path or a frame.
    """
    if isinstance(ids, os.PathLike) or is_frame(ids):
        kind = "path" if isinstance(ids, os.PathLike) else "table"
        raise TypeError(
            f"Expected {name} ids: an id, a list of ids or a column of a table. Got a {kind}, a "
            f"{type(ids).__name__}. {_REMEDIES[kind]}"
        )
    if frame_kind(ids) == "pyarrow":
        ids = ids.to_pylist() if hasattr(ids, "to_pylist") else [ids.as_py()]
    elif hasattr(ids, "dtype") or hasattr(ids, "to_numpy"):
        ids = [ids] if np.ndim(ids) == 0 else ids
    elif isinstance(ids, str | bytes) or not hasattr(ids, "__iter__"):
        ids = [ids]
    else:
        ids = list(ids)
    return as_id_column(_plain_array(ids), name)


def refuse_other_kind(ids, known, name):
    """Raise a ValueError if unknown ids are text and the known ids are not, or the reverse.

    Parameters
    ----------
    ids : ndarray of shape (n,)
        None of them is known.
    known : ndarray of shape (n_known,)
    name : str
        What has the ids, in the plural.
    """
    if is_text(ids) != is_text(known):
        raise ValueError(
            f"None of the {len(ids):,} {name} is known: ids like {describe_ids(ids)} never equal "
            f"ids of the fit, which look like {describe_ids(known)}. Convert them to the type of "
            "the ids in the log."
        )


def _plain_array(ids):
    """Turn a list of whole numbers or text into a plain array, for faster look-ups."""
    kinds = {type(value) for value in ids} if isinstance(ids, list) else set()
    if kinds == {int} and all(-(2**63) <= value < 2**63 for value in ids):
        return np.array(ids, dtype=np.int64)
    if kinds == {str} and not any(value.endswith("\0") for value in ids):
        return np.array(ids, dtype=np.str_)
    return ids


def _plain(values):
    # polars and pyarrow accept mixed objects only as a list.
    return values.tolist() if values.dtype.kind == "O" else values
