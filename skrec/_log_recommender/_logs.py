"""Turn a log of any kind into columns, a matrix with ids, and times."""

import os
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array
from sklearn.base import clone

from skrec._log._columns import Columns, columns_of_records, read_columns
from skrec._log_recommender._frames import column_names, frame_kind, is_frame
from skrec.datasets import load_interactions
from skrec.preprocessing import InteractionEncoder
from skrec.utils._log_names import guess_column

_ROLES = ("user", "item", "value", "timestamp")
_DATA_SET = {"X", "user", "item", "user_ids", "item_ids"}


class Log(NamedTuple):
    """A log that has been read.

    Attributes
    ----------
    columns : Columns
        User, item, and value and timestamp or None; one entry per interaction.
    kind : str or None
        Package of the log, if it was a frame.
    titles : dict or None
        Titles by id, if the log came with titles.
    """

    columns: Columns
    kind: str | None = None
    titles: dict | None = None


def read_log(log, encoder, names=None):
    """Read a log.

    Parameters
    ----------
    log : dataframe, mapping of columns, path, Bunch of a data set, or another log that \
            `InteractionEncoder` takes
    encoder : InteractionEncoder or None
        Names the columns. None: columns with usual names are used.
    names : dict of str to str or None, default=None
        Names of some columns by role, in place of an encoder.

    Returns
    -------
    log : Log

    Raises
    ------
    ValueError
        If columns cannot be identified, or an entry is invalid.
    """
    names = _checked_names(names, encoder)
    if frame_kind(log) == "polars" and hasattr(log, "collect"):  # a lazy frame
        log = log.collect()
    if _are_paths(log):
        log = _read_files(log, _file_options(encoder) | names, named=encoder is not None)
    log = columns_of_records(log)
    if isinstance(log, Mapping) and set(log) >= _DATA_SET:
        return _of_data_set(log)
    columns = (None,) * 4
    if isinstance(log, Mapping) or is_frame(log):
        columns = _names(log, encoder, names)
    return Log(read_columns(log, columns), frame_kind(log))


def fit_matrix(columns, encoder, *, ratings):
    """Learn the ids of a log.

    Parameters
    ----------
    columns : Columns
    encoder : InteractionEncoder or None
        None: a pair counts as 1 if its values add up to more than 0. With `ratings`, the last
        value of a pair is its rating.
    ratings : bool
        Whether the model predicts ratings.

    Returns
    -------
    encoder : InteractionEncoder
        Fitted. It ignores unknown items from now on, and gives unknown users new rows.
    X : csr_array of shape (n_users, n_items)
    """
    own = encoder is None
    how = {"duplicates": "last" if ratings else "sum", "negative": "keep"}
    encoder = InteractionEncoder(**how) if own else clone(encoder)
    X = encoder.fit_transform(tuple(columns))
    encoder.set_params(unknown_items="ignore", unknown_users="new")
    return encoder, counted(X) if own and not ratings else X


def counted(X):
    """Replace values above 0 by ones, and drop all other entries."""
    X = csr_array(X)
    above = X.data > 0
    kept = np.concatenate([[0], np.cumsum(above)])[X.indptr]
    data = np.ones(int(above.sum()), dtype=X.dtype)
    return csr_array((data, X.indices[above], kept), shape=X.shape)


def time_matrix(columns, encoder):
    """Time of the latest interaction of each pair, or None if the log has no times.

    Parameters
    ----------
    columns : Columns
    encoder : InteractionEncoder
        Fitted to the same log.

    Returns
    -------
    times : csr_array of shape (n_users, n_items) or None
        Times of zero are stored too.
    """
    if columns.timestamp is None:
        return None
    latest = clone(encoder).set_params(
        duplicates="max", negative="keep", unknown_users="ignore", unknown_items="ignore",
        dtype=np.float64,
    )  # fmt: skip
    latest.user_ids_, latest.item_ids_ = encoder.user_ids_, encoder.item_ids_
    return latest.transform((columns.user, columns.item, columns.timestamp))


def _are_paths(log):
    """Whether a log is a path, or a list of paths of its parts."""
    if isinstance(log, list) and log:
        return all(isinstance(part, str | os.PathLike) for part in log)
    return isinstance(log, str | os.PathLike)


def _of_data_set(data):
    """Log of a Bunch that a loader of `skrec.datasets` returned."""
    X = csr_array(data["X"])
    columns = Columns(
        np.asarray(data["user_ids"])[data["user"]],
        np.asarray(data["item_ids"])[data["item"]],
        X.data.astype(np.float64),
        data.get("timestamp"),
    )
    titles = data.get("titles")
    if titles is not None:
        titles = dict(zip(np.asarray(data["item_ids"]).tolist(), titles, strict=True))
    return Log(columns, None, titles)


def _file_options(encoder):
    if encoder is None:
        return {"negative": "keep", "dtype": np.float64}
    options = {
        "dtype": np.float64,  # the encoder decides the dtype of the matrix
        "value": encoder.value,
        "duplicates": encoder.duplicates,
        "negative": encoder.negative,
    }
    if encoder.timestamp is not None:
        options["timestamp"] = encoder.timestamp
    for role in ("user", "item"):
        name = getattr(encoder, role)
        if name != role:  # the default name means any usual name
            options[role] = name
    return options


def _checked_names(names, encoder):
    """Names of columns by role, as a dict."""
    if names is None:
        return {}
    if encoder is not None:
        raise ValueError("The encoder names the columns already: pass columns= or encoder=.")
    unknown = [role for role in names if role not in _ROLES]
    if unknown or None in names.values():
        raise ValueError(
            f"columns must name columns by role: some of {list(_ROLES)}. Got {dict(names)!r}."
        )
    return dict(names)


def _read_files(paths, options, *, named):
    try:
        return load_interactions(paths, **options)
    except ValueError as error:
        columns = "its encoder" if named else "columns={'user': ..., 'item': ...}"
        error.add_note(
            f"A LogRecommender names columns by {columns}. For all other arguments, pass it the "
            "result of skrec.datasets.load_interactions(path, ...)."
        )
        raise


def _names(frame, encoder, given):
    """Names of the four columns of a frame."""
    available = list(frame) if isinstance(frame, Mapping) else column_names(frame)
    if encoder is not None:
        return tuple(getattr(encoder, role) for role in _ROLES)
    names = []
    for role in _ROLES:
        if role in given:
            if given[role] not in available:
                raise ValueError(
                    f"The log has no column {given[role]!r} for the {role}s. Got columns "
                    f"{available}."
                )
            names.append(given[role])
            continue
        others = [name for name in available if name not in given.values()]
        place = guess_column([str(name) for name in others], role)
        if place is None and role in ("user", "item"):
            raise ValueError(
                f"No column of the log has a usual name for the {role}s. Got columns "
                f"{available}; name them: columns={{'user': ..., 'item': ...}}."
            )
        names.append(None if place is None else others[place])
    return tuple(names)
