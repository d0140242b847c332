"""The fast path from a user's history in ids to a row.

For each request a service passes the history of one user: a few plain ids. The general reader of
logs, with all its forms, rules and messages, takes several times as long as looking up the ids.
This module looks at the history once. Any history that is not perfectly plain goes to the general
reader, which reports the errors.
"""

import numpy as np

from skrec._log._aggregate import AUTO, DUPLICATES
from skrec._log._id_index import kept_index
from skrec._log._ids import concatenate_ids, pack_ids
from skrec._log._returns import NEGATIVE
from skrec.utils._sparse import one_row

__all__ = ["plain_history"]

_LONG = 1 << 10  # more interactions are not a request for one user
_KINDS = {"i": int, "U": str}


def plain_history(encoder, log):
    """The result of `InteractionEncoder.transform_histories` for a plain history, or None.

    None only means that the general reader must read the log. Any other result equals the result
    of the general reader, which would give no error and no warning.

    Parameters
    ----------
    encoder : InteractionEncoder
    log : object

    Returns
    -------
    history : tuple of (csr_array of shape (1, n_items), ndarray of shape (1,)) or None
        Not None only for interactions of one user with different items, without values and times,
        in a list of tuples or a tuple of arrays, with ids that are whole numbers or text like the
        encoder's.
    """
    state = vars(encoder)
    user_ids, item_ids = state.get("user_ids_"), state.get("item_ids_")
    if item_ids is None or not len(item_ids) or not _has_plain_parameters(encoder):
        return None
    columns = _plain_columns(log, user_ids.dtype.kind, item_ids.dtype.kind)
    if columns is None:
        return None
    users, items = columns
    if users.count(users[0]) < len(users):
        return None
    try:
        indices = kept_index(item_ids).find(item_ids, items)
        place = kept_index(user_ids).find_one(user_ids, users[0])
    except OverflowError:  # a whole number beyond 64 bits
        return None
    if place < 0 and encoder.unknown_users != "new":
        return None
    indices.sort()
    if indices[0] < 0:
        if encoder.unknown_items != "ignore" or indices[-1] < 0:
            return None
        indices = indices[indices.searchsorted(0) :]
    if not (indices[1:] > indices[:-1]).all():
        return None
    dtype = np.float64 if encoder.dtype is np.float64 else np.float32
    X = one_row(indices, np.ones(len(indices), dtype), len(item_ids))
    if place < 0:
        return X, concatenate_ids(user_ids[:0], pack_ids(users[:1]))
    return X, user_ids[place : place + 1].copy()


def _has_plain_parameters(encoder):
    """Whether the parameters are valid, and no rule of theirs applies to a plain history."""
    texts = encoder.duplicates, encoder.negative, encoder.unknown_users, encoder.unknown_items
    least = encoder.min_user_count, encoder.min_item_count
    dtype = encoder.dtype
    return (
        set(map(type, texts)) == {str}
        and texts[0] in DUPLICATES
        and texts[1] in NEGATIVE
        and (texts[1] != "subtract" or texts[0] == "sum")
        and texts[2] in ("new", "ignore", "error")
        and texts[3] in ("error", "ignore")
        and set(map(type, least)) == {int}
        and min(least) >= 1
        and (dtype is np.float32 or dtype is np.float64 or (type(dtype) is str and dtype == AUTO))
    )


def _plain_columns(log, user_kind, item_kind):
    """A list of users and a list or array of items, of the same length above 0; or None."""
    if user_kind not in _KINDS or item_kind not in _KINDS:
        return None
    if type(log) is list:
        if not 0 < len(log) <= _LONG or set(map(type, log)) != {tuple}:
            return None
        if set(map(len, log)) != {2}:
            return None
        users, items = map(list, zip(*log, strict=True))
        if set(map(type, users)) != {_KINDS[user_kind]}:
            return None
        return (users, items) if set(map(type, items)) == {_KINDS[item_kind]} else None
    if type(log) is not tuple or len(log) < 2 or any(more is not None for more in log[2:]):
        return None
    if len(log) > 4 or not type(log[0]) is type(log[1]) is np.ndarray:
        return None
    users, items = log[:2]
    if users.dtype.kind != user_kind or items.dtype.kind != item_kind:
        return None
    if users.ndim != 1 or users.shape != items.shape or not 0 < len(users) <= _LONG:
        return None
    return users.tolist(), items if item_kind == "i" else items.tolist()
