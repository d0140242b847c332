"""The users of a call: all users, ids, or histories."""

import os
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from skrec._log._ids import describe_ids
from skrec._log_recommender._frames import (
    frame_kind,
    id_list,
    is_file,
    is_frame,
    refuse_other_kind,
)
from skrec._log_recommender._logs import counted, read_log

UNKNOWN_USERS = ("fallback", "skip", "error")


class Users(NamedTuple):
    """Users with their known interactions.

    Attributes
    ----------
    ids : ndarray of shape (n_users,)
    X : csr_array of shape (n_users, n_items)
        Rows to score; empty for unknown users.
    kind : str or None
        Package of the frame of the users, if it was a frame.
    """

    ids: np.ndarray
    X: csr_array
    kind: str | None

    def take(self, rows):
        """Some of the users, by a mask or indices."""
        return Users(self.ids[rows], csr_array(self.X[rows]), self.kind)


def find_users(users, model):
    """Find users of a fitted `LogRecommender`.

    Parameters
    ----------
    users : None, id, array-like of ids, or log of histories
        See `LogRecommender.recommend`.
    model : LogRecommender
        Fitted.

    Returns
    -------
    users : Users
    """
    encoder, known = model.encoder_, model.interactions_
    if users is None:
        return Users(encoder.user_ids_, known, None)
    if hasattr(users, "__next__"):
        users = list(users)
    if is_history(users, encoder):
        log = read_log(users, model.encoder, model.columns)
        if not len(log.columns.user):
            return Users(encoder.user_ids_, known, log.kind).take(np.arange(0))
        X, ids = encoder.transform_histories(tuple(log.columns))
        return Users(ids, counted(X) if model.counts_ else csr_array(X), log.kind)
    ids = id_list(users, "user")
    rows = encoder.encode_users(ids, unknown="ignore")
    if len(ids) and (rows < 0).all():
        refuse_other_kind(ids, encoder.user_ids_, "users")
    padded = csr_array(
        (known.data, known.indices, np.append(known.indptr, known.indptr[-1])),
        shape=(known.shape[0] + 1, known.shape[1]),
    )  # the last row, -1, is empty: it serves unknown users
    return Users(ids, csr_array(padded[rows]), frame_kind(users))


def is_history(users, encoder):
    """Whether `users` is a log, and not a single id or several ids."""
    if isinstance(users, os.PathLike | Mapping) or is_frame(users):
        return True
    if isinstance(users, str):
        known = encoder.encode_users([users], unknown="ignore")[0] >= 0
        return not known and is_file(users)
    if isinstance(users, np.ndarray):
        return users.ndim == 2
    if isinstance(users, list | tuple) and len(users):
        if isinstance(users, tuple) and all(np.ndim(column) == 1 for column in users):
            return not all(isinstance(value, tuple) for value in users)
        rows = all(isinstance(row, tuple | list) and 2 <= len(row) <= 4 for row in users)
        # An id may be a tuple too.
        return rows and (
            isinstance(users[0], list) or encoder.encode_users(users[:1], unknown="ignore")[0] < 0
        )
    return False


def treat_unknown(users, unknown_users, known_ids):
    """Apply `unknown_users`: keep users without interactions, drop them, or raise.

    Parameters
    ----------
    users : Users
    unknown_users : {"fallback", "skip", "error"}
    known_ids : ndarray
        For the message.

    Returns
    -------
    users : Users
    """
    if unknown_users not in UNKNOWN_USERS:
        raise ValueError(
            f"unknown_users must be one of {list(UNKNOWN_USERS)}. Got {unknown_users!r}."
        )
    unknown = np.diff(users.X.indptr) == 0
    if unknown_users == "fallback" or not unknown.any():
        return users
    if unknown_users == "skip":
        return users.take(~unknown)
    raise ValueError(
        f"{int(unknown.sum()):,} of {len(unknown):,} users have no known interaction: "
        f"{describe_ids(users.ids[unknown])}; ids of the fit look like {describe_ids(known_ids)}. "
        "Pass unknown_users='fallback' or 'skip', or the histories of these users."
    )
