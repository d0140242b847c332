"""The common form of data sets: a Bunch whose arrays are aligned with the matrix."""

import numpy as np
from scipy.sparse import csr_array
from sklearn.utils import Bunch

from skrec._log._aggregate import DUPLICATES, cast_values, dtype_of_times, merge_duplicates
from skrec.utils._times import check_times

__all__ = ["bunch_of", "log_bunch", "require_duplicates_rule", "times_as_values"]


def log_bunch(user, item, user_ids, item_ids, *, value, aligned, duplicates, dtype, more):
    """Build the Bunch of a log.

    Parameters
    ----------
    user, item : ndarray of int of shape (n,)
        Positions among the ids.
    user_ids, item_ids : ndarray
    value : ndarray of shape (n,) or None
    aligned : dict of str to ndarray of shape (n, ...)
        Further columns. "timestamp", or else "time_rank", orders repeated pairs.
    duplicates : str
        See `skrec.preprocessing.InteractionEncoder`.
    dtype : dtype or "auto"
        Dtype of the matrix.
    more : dict
        Further entries of the Bunch.

    Returns
    -------
    data : Bunch
        With X (also as data), user_ids, item_ids, and with user, item and the aligned columns
        in the order of ``X.data``. They keep the last occurrence of a repeated pair.
    """
    time = aligned.get("timestamp", aligned.get("time_rank"))
    shape = (len(user_ids), len(item_ids))
    X, last = merge_duplicates(user, item, value, time, shape, duplicates, dtype)
    same = len(last) == len(user) and (np.diff(last) > 0).all()
    if not same:
        aligned = {name: column[last] for name, column in aligned.items()}
    return bunch_of(X, user_ids, item_ids, aligned, more)


def bunch_of(X, user_ids, item_ids, aligned, more):
    """Build the Bunch of a matrix.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
    user_ids, item_ids : ndarray
    aligned : dict of str to ndarray of shape (nnz, ...)
    more : dict
        Further entries of the Bunch.

    Returns
    -------
    data : Bunch
        See `log_bunch`.
    """
    row = np.repeat(np.arange(X.shape[0], dtype=X.indices.dtype), np.diff(X.indptr))
    return Bunch(
        X=X,
        data=X,
        user=row,
        item=X.indices,
        user_ids=user_ids,
        item_ids=item_ids,
        **aligned,
        **more,
    )


def times_as_values(data, source, dtype):
    """Replace the values of the matrix of a Bunch by the times of the interactions.

    Parameters
    ----------
    data : Bunch
        Result of `log_bunch`, with "timestamp" or else "time_rank", which counts from 0.
    source : str or path-like
        Name of the data in messages.
    dtype : dtype or "auto"
        Dtype of the matrix; "auto" is float64.

    Returns
    -------
    data : Bunch
        The same object. Its X (also as data) holds the timestamps, or the ranks from 1.

    Raises
    ------
    ValueError
        If there are no times, if a time is not above zero (zero means "no interaction"), or if
        `dtype` cannot tell the times apart.
    """
    name = next((name for name in ("timestamp", "time_rank") if name in data), None)
    if name is None:
        raise ValueError(
            f"{source} has no times. Expected a column of timestamps; name it with timestamp=, or "
            "pass as_times=False."
        )
    times = data[name] + (1 if name == "time_rank" else 0)
    if times.min() <= 0:
        raise ValueError(
            f"{source}: the earliest time is {times.min()}, and a matrix can only store times "
            "above zero. Add a number to the times, or pass as_times=False."
        )
    times = cast_values(times.astype(np.float64), dtype_of_times(dtype))
    check_times(times, str(source))
    X = csr_array((times, data.X.indices, data.X.indptr), shape=data.X.shape)
    X.has_canonical_format = True
    data.X = data.data = X
    data.value_name = name
    return data


def require_duplicates_rule(duplicates):
    """Raise a ValueError unless `duplicates` is a known rule."""
    if duplicates not in DUPLICATES:
        raise ValueError(f"duplicates must be one of {DUPLICATES}. Got {duplicates!r}.")
