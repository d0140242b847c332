"""The ids of logs in parts."""

from functools import partial
from pathlib import Path

import numpy as np
from sklearn.base import clone

from skrec._log._ids import concatenate_ids, unique_ids
from skrec.dask._log_files import settled_ids
from skrec.dask._parts import (
    drops_returns,
    engine_over,
    has_core,
    is_empty,
    is_path,
    list_of_parts,
    read_part,
)
from skrec.preprocessing import InteractionEncoder
from skrec.utils._params import InstanceOf, check_values
from skrec.utils._statistics import Pass, run_rounds

_ENCODER = {"encoder": (InstanceOf((InteractionEncoder,), "an InteractionEncoder"),)}


def fit_encoder(parts, encoder=None, *, client=None):
    """Learn the ids of logs in parts.

    Parameters
    ----------
    parts : list, path, dask bag or dask dataframe
        Logs, futures or delayed objects of logs, or paths of parquet or CSV files; a single path
        is a folder of files. With ``min_user_count`` or ``min_item_count`` above 1, and with
        ``negative="subtract"``, all lines of a user must be in one part; `fit_encoder` shuffles a
        Dask dataframe by user to ensure this. Ids of CSV files are whole numbers if the ids of all
        files are written so, else text, as in `skrec.datasets.load_interactions`.
    encoder : InteractionEncoder, default=None
        Names the columns. Not changed. None: ``InteractionEncoder()``.
    client : distributed.Client, default=None
        As for `fit`.

    Returns
    -------
    encoder : InteractionEncoder
        A fitted encoder, the same as ``encoder.fit`` on one log of all parts if ids are of one
        kind.

    Raises
    ------
    ValueError
        If nothing is left, a log or a parameter is not valid, `encoder` is not an encoder, or only
        some parts are CSV files.
    TypeError
        If a part is a matrix.

    See Also
    --------
    fit : Fits an estimator to such parts.

    Notes
    -----
    Minimum counts take a round for each sweep of the k-core. Each round sends a mask of the items
    to the workers and receives counts of items.

    Examples
    --------
    >>> import skrec.dask
    >>> parts = [{"user": [1, 1, 2], "item": ["tea", "pot", "tea"]}, {"user": [3], "item": ["rum"]}]
    >>> skrec.dask.fit_encoder(parts).item_ids_
    array(['pot', 'rum', 'tea'], dtype='<U3')
    """
    encoder = InteractionEncoder() if encoder is None else encoder
    check_values("fit_encoder", {"encoder": encoder}, _ENCODER)
    fitted = clone(encoder)
    together = has_core(encoder) or encoder.negative == "subtract"
    parts = list_of_parts(parts, encoder if together else None)
    text = _are_csv(parts)
    engine = engine_over(parts, partial(read_part, encoder=clone(encoder)), client)
    try:
        run_rounds(_rounds(fitted), engine.sum)
    finally:
        engine.close()
    if text:
        fitted.user_ids_ = settled_ids(fitted.user_ids_)
        fitted.item_ids_ = settled_ids(fitted.item_ids_)
    return fitted


def _are_csv(parts):
    """Whether parts are CSV files, all of them or none."""
    text = [is_path(part) and Path(part).suffix == ".csv" for part in parts]
    if any(text) and not all(text):
        raise ValueError(
            f"{sum(text)} of {len(parts)} parts are CSV files. Expected all or none, because ids "
            "of CSV files are text until all of them are known. Write all parts as parquet, or "
            "pass files of one kind."
        )
    return any(text)


class _Ids:
    """Distinct ids; their sum is the union."""

    def __init__(self, users, items):
        self.users, self.items = users, items

    def __add__(self, other):
        return _Ids(_union(self.users, other.users), _union(self.items, other.items))


def _union(first, second):
    return unique_ids(concatenate_ids(first, second), "of the parts")[0]


def _rounds(encoder):
    """Passes that set the ids of an encoder."""
    plain = clone(encoder).set_params(min_user_count=1, min_item_count=1)
    core = has_core(encoder)
    found = yield Pass(_ids_of_part, (plain, not core))
    if found is None:
        raise ValueError(
            "The logs are empty, or all purchases in them are returned: 0 interactions, expected "
            "at least 1."
        )
    if core:
        plain.user_ids_, plain.item_ids_ = found.users[:0], found.items
        found = yield from _core_rounds(encoder, plain)
    encoder.user_ids_, encoder.item_ids_ = found.users, found.items


def _ids_of_part(log, encoder, with_users):
    if is_empty(log):
        return None
    if not drops_returns(encoder):
        fitted = clone(encoder).fit(log)
        return _Ids(fitted.user_ids_[: None if with_users else 0], fitted.item_ids_)
    fitted = clone(encoder).set_params(negative="keep", duplicates="sum").fit(log)
    X, users = fitted.set_params(**encoder.get_params()).transform_histories(log)
    if not X.nnz:  # fit would refuse this part, but other parts may have something left
        return None
    users = users[np.diff(X.indptr) > 0]
    return _Ids(users[: None if with_users else 0], fitted.item_ids_[np.unique(X.indices)])


def _core_rounds(encoder, plain):
    """Repeat the minimum counts of users and items until both hold."""
    least_users, least_items = encoder.min_item_count, encoder.min_user_count
    plain = plain.set_params(unknown_users="new")
    counts = yield Pass(_encode_part, (plain,), kept="write")
    alive = np.ones(len(counts), dtype=bool)
    while True:
        alive &= counts >= least_users
        counts = yield Pass(_drop_items, (alive, least_items), kept="write", rows=False)
        if (counts[alive] >= least_users).all():
            break
    found = yield Pass(_ids_left, kept="write", rows=False)
    if not alive.any():
        raise ValueError(
            f"No interaction is left: min_user_count={least_items} and min_item_count="
            f"{least_users} are too high for these logs."
        )
    return _Ids(found.users, plain.item_ids_[alive])


def _encode_part(log, kept, encoder):
    """Keep the rows of a part and the ids of its users; return counts of items."""
    if is_empty(log):
        return np.zeros(len(encoder.item_ids_), dtype=np.int64), None
    X, ids = encoder.transform_histories(log)
    return _item_counts(X), (X, ids)


def _drop_items(log, kept, alive, least_items):
    if kept is None:
        return np.zeros(len(alive), dtype=np.int64), None
    X, ids = kept
    keep = np.flatnonzero(np.diff(_entries_left(X, alive)) >= least_items)
    X = X[keep]
    return np.where(alive, _item_counts(X), 0), (X, ids[keep])


def _entries_left(X, alive):
    """Running count of entries with remaining items, at the ends of the rows."""
    return np.concatenate([[0], np.cumsum(alive[X.indices])])[X.indptr]


def _ids_left(log, kept):
    if kept is None:
        return None, None
    _, ids = kept
    return _Ids(ids, ids[:0]), None


def _item_counts(X):
    return np.bincount(X.indices, minlength=X.shape[1])
