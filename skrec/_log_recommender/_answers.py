"""Lists, similar items, users and explanations as columns with ids and titles."""

import warnings
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from skrec._discovery import all_recommenders
from skrec._log._ids import describe_ids
from skrec._log_recommender._frames import id_list, is_file, refuse_other_kind
from skrec._why_not import standing
from skrec.utils._parallel import row_chunks

_CHUNK = 1 << 25  # bytes of scores in memory at a time


def candidate_mask(encoder, items, exclude):
    """Mask of the items that may be recommended, or None for all items.

    Parameters
    ----------
    encoder : InteractionEncoder
        Fitted.
    items, exclude : array-like of ids or None

    Returns
    -------
    mask : ndarray of bool of shape (n_items,) or None
    """
    if items is None and exclude is None:
        return None
    mask = np.full(len(encoder.item_ids_), items is None)
    if items is not None:
        ids = id_list(items, "item")
        columns = encoder.encode_items(ids, unknown="ignore")
        unknown = columns < 0
        if unknown.all():
            _refuse_path(items)
            raise ValueError(
                f"items names {len(ids):,} items, none of which was in the log of the fit"
                + (
                    f": {describe_ids(ids)}; ids of the fit look like "
                    f"{describe_ids(encoder.item_ids_)}."
                    if len(ids)
                    else ". Pass at least one item, or None for all items."
                )
            )
        if unknown.any():
            warnings.warn(
                f"{int(unknown.sum()):,} of the {len(ids):,} items were not in the log of the fit, "
                f"such as {describe_ids(ids[unknown])}. The model cannot recommend them before the "
                "next fit.",
                stacklevel=3,
            )
        mask[columns[~unknown]] = True
    if exclude is not None:
        ids = id_list(exclude, "item")
        columns = encoder.encode_items(ids, unknown="ignore")
        if len(ids) and (columns < 0).all():
            _refuse_path(exclude)
            refuse_other_kind(ids, encoder.item_ids_, "items")
        mask[columns[columns >= 0]] = False
    return mask


def _refuse_path(ids):
    """Raise a TypeError if unknown ids are the path of a file."""
    if isinstance(ids, str) and is_file(ids):
        id_list(Path(ids), "item")


def known_columns(encoder, ids):
    """Columns of items; raise for items that were not in the log of the fit."""
    columns = encoder.encode_items(ids, unknown="ignore")
    unknown = columns < 0
    if unknown.any():
        raise ValueError(
            f"{int(unknown.sum()):,} of {len(ids):,} items were not in the log of the fit: "
            f"{describe_ids(ids[unknown])}; ids of the fit look like "
            f"{describe_ids(encoder.item_ids_)}."
        )
    return columns


def recommended(model, X, k, *, items, exclude_seen):
    """Lists, scores, and a mask of the rows that the fallback has scored.

    Parameters
    ----------
    model : Fallback
        Fitted.
    X : csr_array of shape (n_users, n_items)
    k : int
    items : ndarray of bool of shape (n_items,) or None
    exclude_seen : bool

    Returns
    -------
    lists : ndarray of intp of shape (n_users, width)
        ``width`` is `k`, or the number of items if that is smaller; padded with -1.
    scores : ndarray of shape (n_users, width)
    fallback : ndarray of bool of shape (n_users,)
    """
    k = min(k, X.shape[1])
    if not X.shape[0]:
        return (
            np.empty((0, k), dtype=np.intp),
            np.empty((0, k), dtype=X.dtype),
            np.empty(0, dtype=bool),
        )
    lists, scores = model.recommend(
        X, k, items=items, exclude_seen=exclude_seen, return_scores=True
    )
    return lists, scores, model.uses_fallback(X)


def standing_of(model, users, item, k, mask, *, exclude_seen, names):
    """Where an item stands for a user, and why.

    Parameters
    ----------
    model : Fallback
        Fitted.
    users : Users
        One user.
    item : int
    k : int
    mask : ndarray of bool of shape (n_items,) or None
    exclude_seen : bool
    names : tuple of str
        The user and the item as the reason names them.

    Returns
    -------
    why : WhyNot
    """
    mask = np.ones(users.X.shape[1], dtype=bool) if mask is None else mask
    scores = np.asarray(model.decision_function(users.X))
    why = standing(scores, users.X, item, k, mask, exclude_seen=exclude_seen, names=names)
    if not model.uses_fallback(users.X)[0]:
        return why
    return why._replace(reason=f"{why.reason} The fallback makes the list.")


def listed(found):
    """Rows and places of the entries of lists, without the padding of -1.

    Parameters
    ----------
    found : ndarray of intp of shape (n_rows, k)

    Returns
    -------
    rows, places : tuple of ndarray
        Row and place (from 0) of each entry.
    """
    return np.nonzero(found >= 0)


def with_titles(columns, titles, items):
    """Add the titles of items, given by column index, to the columns if there are titles."""
    return columns if titles is None else columns | {"title": titles[items]}


def inner_model(model):
    """The fitted recommender inside a fallback, a pipeline, a search or a frozen estimator."""
    while True:
        if hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        elif hasattr(model, "uses_fallback"):
            model = model.estimator_
        elif isinstance(model, FrozenEstimator):
            model = model.estimator
        elif isinstance(model, Pipeline):
            model = model.steps[-1][1]
        else:
            return model


def require_method(model, name):
    """The inner model if it has a method, else a TypeError that names classes with the method."""
    inner = inner_model(model)
    if not hasattr(inner, name):
        able = [other for other, cls in all_recommenders() if hasattr(cls, name)]
        raise TypeError(
            f"{type(inner).__name__} has no {name}. Use a recommender that has it: "
            f"{', '.join(sorted(set(able) - {'Fallback'}))}."
        )
    return inner


def similar_lists(model, items, k, mask, n_items):
    """Similar items of given items, among the items of a mask.

    Parameters
    ----------
    model : recommender
        Must have ``similar_items``.
    items : ndarray of intp of shape (n,)
    k : int
    mask : ndarray of bool of shape (n_items,) or None
    n_items : int

    Returns
    -------
    found : ndarray of intp of shape (n, k)
        Padded with -1.
    scores : ndarray of shape (n, k)
    """
    if mask is None:
        return model.similar_items(items, k, return_scores=True)
    found = np.full((len(items), k), -1, dtype=np.intp)
    scores = np.full((len(items), k), -np.inf)
    for start, stop in row_chunks(len(items), n_items * 16, chunk_bytes=_CHUNK):
        every, values = model.similar_items(items[start:stop], n_items, return_scores=True)
        kept = (every >= 0) & mask[every]
        order = np.argsort(~kept, axis=1, kind="stable")[:, :k]  # candidates come first
        width = order.shape[1]
        every = np.where(kept, every, -1)
        found[start:stop, :width] = np.take_along_axis(every, order, axis=1)
        values = np.where(kept, values, -np.inf)
        scores[start:stop, :width] = np.take_along_axis(values, order, axis=1)
    return found, scores


def best_users(model, X, items, k, *, exclude_seen):
    """Users with the highest scores for some items.

    Rows that the fallback scores are left out, since they all have the same scores.

    Parameters
    ----------
    model : Fallback
        Fitted.
    X : csr_array of shape (n_users, n_items)
    items : ndarray of intp of shape (n,)
    k : int
    exclude_seen : bool

    Returns
    -------
    users : ndarray of intp of shape (n, k)
        Rows of X, best first; padded with -1.
    scores : ndarray of shape (n, k)
    """
    n_items = X.shape[1]
    users = np.full((k, len(items)), -1, dtype=np.intp)
    best = np.full((k, len(items)), -np.inf)
    able = np.flatnonzero(~model.uses_fallback(X))
    row_bytes = max(n_items, 4 * len(items)) * X.dtype.itemsize
    for start, stop in row_chunks(len(able), row_bytes, chunk_bytes=_CHUNK):
        rows = able[start:stop]
        part = csr_array(X[rows])
        pairs = np.divmod(np.arange(len(rows) * len(items)), len(items))
        scores = model.score_pairs(part, pairs[0], items[pairs[1]]).reshape(len(rows), -1)
        if exclude_seen:
            scores = np.where(part[:, items].toarray() != 0, -np.inf, scores)
        both = np.concatenate([best, scores])
        order = np.argsort(-both, axis=0, kind="stable")[:k]  # ties: the lower row
        everybody = np.concatenate([users, np.repeat(rows[:, None], len(items), axis=1)])
        best = np.take_along_axis(both, order, axis=0)
        users = np.take_along_axis(everybody, order, axis=0)
    users[np.isneginf(best)] = -1
    return users.T, best.T


def contributions(model, X, item):
    """Contribution of each item of a row to the score of an item.

    Parameters
    ----------
    model : Fallback
        Fitted.
    X : csr_array of shape (1, n_items)
    item : int

    Returns
    -------
    items : ndarray of intp of shape (n,)
        Items of the row, the largest contribution first.
    contributions : ndarray of shape (n,)
    """
    inner, rows, outer = require_method(model, "explain"), X, model.estimator_
    while outer is not inner:
        if hasattr(outer, "best_estimator_"):
            outer = outer.best_estimator_
        elif isinstance(outer, Pipeline):
            rows = outer[:-1].transform(rows) if len(outer.steps) > 1 else rows
            outer = outer.steps[-1][1]
        else:
            outer = outer.estimator_ if hasattr(outer, "estimator_") else outer.estimator
    found = csr_array(inner.explain(rows, np.array([[item]])))
    order = np.argsort(-found.data, kind="stable")
    return found.indices[order], found.data[order]
