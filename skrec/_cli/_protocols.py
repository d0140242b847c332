"""The three ways to split data, and what is said about them."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from skrec._cli._errors import CommandError
from skrec.model_selection import (
    holdout_split,
    leave_one_out_split,
    strong_generalization_split,
)

_SHARE_OF_USERS = 0.125
_HOLDOUT = 0.2


class Part(NamedTuple):
    """What to fit on, what to show, and what to find.

    Attributes
    ----------
    X_train : csr_array of shape (n_train_users, n_items)
    X_shown : csr_array of shape (n_users, n_items)
    y : csr_array of shape (n_users, n_items)
    """

    X_train: csr_array
    X_shown: csr_array
    y: csr_array


class Split(NamedTuple):
    """A split of the data.

    Attributes
    ----------
    test : Part
    validation : Part
        For searches: what is to be found in `test` has no share in it.
    protocol, sizes : str
        For the header.
    """

    test: Part
    validation: Part
    protocol: str
    sizes: str


def split_data(X, times, *, protocol, random_state):
    """Split a binary user-item matrix.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
    times : csr_array of shape (n_users, n_items) or None
        When each interaction happened; "loo" only.
    protocol : {"strong", "weak", "loo"}
    random_state : int

    Returns
    -------
    split : Split

    Raises
    ------
    CommandError
        If there are too few users for the protocol, or nothing is held out.
    """
    rng = np.random.RandomState(random_state)
    split = {"strong": _strong, "weak": _weak, "loo": _leave_one_out}[protocol](X, times, rng)
    if not split.test.y.nnz:
        raise CommandError(
            f"nothing is held out of the test users under --protocol {protocol}: they have too "
            "few interactions. Give more data, or lower --min-value."
        )
    return split


def round_number(n):
    """Round to two significant digits: 754 to 750, at least 1."""
    digits = max(0, len(str(int(n))) - 2)
    return max(1, round(n / 10**digits) * 10**digits)


def _strong(X, times, rng):
    n_test = round_number(_SHARE_OF_USERS * X.shape[0])
    if X.shape[0] < 2 * n_test + 2:
        raise CommandError(
            f"--protocol strong parts the users into training, validation and test users, for "
            f"which {X.shape[0]} are too few. Lower --min-user-count or use --protocol weak."
        )
    parts = strong_generalization_split(
        X, n_validation=n_test, n_test=n_test, holdout=_HOLDOUT, random_state=rng
    )
    sizes = (
        f"{parts.X_train.shape[0]:,} users to train on, {n_test:,} for validation, {n_test:,} to "
        f"test; {parts.X_train.shape[1]:,} items occur in training; {parts.y_test.nnz:,} "
        "interactions of test users held out"
    )
    return Split(
        Part(parts.X_train, parts.X_test, parts.y_test),
        Part(parts.X_train, parts.X_validation, parts.y_validation),
        "strong generalisation: other users are tested than trained on; of their items "
        f"{1 - _HOLDOUT:.0%} are shown and {_HOLDOUT:.0%} held out",
        sizes,
    )


def _weak(X, times, rng):
    X_train, y = holdout_split(X, _HOLDOUT, random_state=rng)
    X_fit, y_validation = holdout_split(X_train, _HOLDOUT, random_state=rng)
    return Split(
        Part(X_train, X_train, y),
        Part(X_fit, X_fit, y_validation),
        f"weak generalisation: {_HOLDOUT:.0%} of the items of each user are held out",
        _entries(X_train, y),
    )


def _leave_one_out(X, times, rng):
    X_train, y = leave_one_out_split(X, timestamps=times, random_state=rng)
    X_fit, y_validation = leave_one_out_split(X_train, timestamps=times, random_state=rng)
    which = "a random" if times is None else "the last"
    return Split(
        Part(X_train, X_train, y),
        Part(X_fit, X_fit, y_validation),
        f"leave one out: {which} item of each user is held out and ranked among all items that "
        "the user does not have",
        _entries(X_train, y),
    )


def _entries(X_train, y):
    return f"{X_train.nnz:,} interactions to train on, {y.nnz:,} held out"
