"""Data sets and splits of run_defaults.py."""

from typing import NamedTuple

import numpy as np
from _data import interactions
from _defaults_features import item_features
from scipy.sparse import csr_array

from skrec.metrics._comparison._parts import Part
from skrec.model_selection import evaluation_split, holdout_split, strong_generalization_split

SEED = 98765
DATA = (
    "ml-100k", "ml-latest-small", "ml-1m", "frappe", "citeulike-a", "citeulike-t",
    "amazon-beauty", "gowalla", "jester-1",
)  # fmt: skip
# Most items, most users: a fit of EASE at 2,000 items takes about half a second.
SIZES = {
    "all": (2000, 5000),
    "narrow": (1000, 3000),
    "local": (600, 3000),
    "known": (1000, 3000),
    "wide": (100_000, 100_000),
    "ratings": (100_000, 2000),
}


class Problem(NamedTuple):
    """A data set of run_defaults.py: the parts to validate and to test on, and the metric.

    `side` holds what `fit` takes beside the matrix.
    """

    name: str
    facts: dict
    validation: Part
    test: Part
    metric: str
    sign: int
    side: dict


def problem(data, part, features=None):
    """A data set, split; `features` is a kind of `item_features`."""
    return _ratings(data) if part == "ratings" else _implicit(data, part, features)


def _liked(data):
    """Ones where a user has an item, or rated it with 4 or more, and the items of the columns."""
    log = interactions(data)
    if data == "frappe":
        user, item = log["context"][:, 0], log["item_fields"][:, 0]
    else:
        user, item = log["user"], log["item"]
    chosen = np.ones(len(user), dtype=bool)
    if "rating" in log.files:
        chosen = log["rating"] >= 4
    elif data == "gowalla":
        chosen = log["split"] < 2
    user = np.unique(user[chosen], return_inverse=True)[1]
    items, item = np.unique(item[chosen], return_inverse=True)
    X = csr_array((np.ones(len(user), dtype=np.float32), (user, item)))
    X.data[:] = 1.0
    return X, items


def _implicit(data, part, features):
    n_items, n_users = SIZES[part]
    X, items = _liked(data)
    users = np.bincount(X.indices, minlength=X.shape[1])
    kept = np.sort(np.argsort(-users, kind="stable")[:n_items])
    X, items = X[:, kept], items[kept]
    X = X[np.diff(X.indptr) >= 5]
    drawn = np.random.default_rng(SEED).permutation(X.shape[0])[:n_users]
    X = X[np.sort(drawn)]
    if part == "known":
        return _known(data, X, _side(data, features, items))
    n_held = min(1000, X.shape[0] // 5)
    split = strong_generalization_split(X, n_validation=n_held, n_test=n_held, random_state=SEED)
    X = split.X_train
    facts = {
        "users": X.shape[0], "items": X.shape[1], "entries": X.nnz,
        "validation_users": n_held, "test_users": n_held,
    }  # fmt: skip
    return Problem(
        f"{data}, {part}",
        facts,
        Part(X, split.X_validation, split.y_validation),
        Part(X, split.X_test, split.y_test),
        "ndcg@100",
        1,
        _side(data, features, items[split.kept_items]),
    )


def _side(data, features, items):
    return {} if features is None else {"item_features": item_features(data, features, items)}


def _known(data, X, side):
    """A fifth of each user's items is held out, for models that know their users by id."""
    X_train, y_test = holdout_split(X, 0.2, random_state=SEED)
    X_rest, y_validation = holdout_split(X_train, 0.2, random_state=SEED)
    facts = {"users": X.shape[0], "items": X.shape[1], "entries": X.nnz}
    parts = Part(X_rest, X_rest, y_validation), Part(X_train, X_train, y_test)
    return Problem(f"{data}, known", facts, *parts, "ndcg@100", 1, side)


def _ratings(data):
    log = interactions(data)
    user, item, rating = log["user"], log["item"], log["rating"].astype(np.float64)
    chosen = (rating != 0) & (user < SIZES["ratings"][1])
    X = csr_array((rating[chosen], (user[chosen], item[chosen])))
    split = evaluation_split(X, "ratings", holdout=0.1, random_state=SEED)
    X_train, X_shown, y, *_ = split.validation
    facts = {"users": X.shape[0], "items": X.shape[1], "entries": X.nnz}
    return Problem(
        f"{data}, ratings",
        facts,
        Part(X_train, X_shown, y),
        Part(split.X_train, split.X_test, split.y_test),
        "rmse",
        -1,
        {},
    )
