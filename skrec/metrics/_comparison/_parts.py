"""The data of a comparison: training, test and validation parts."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.sparse import csr_array, issparse
from sklearn import get_config
from sklearn.frozen import FrozenEstimator
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils.validation import has_fit_parameter

from skrec._evaluation._entries import check_interactions, draw_seed
from skrec._evaluation._estimator_rows import held_out_among, rows_as, split_users
from skrec._evaluation._held_out import check_held_out
from skrec._recommend import recommend
from skrec.metrics._candidates import check_candidate_lists
from skrec.metrics._evaluate import evaluate_quietly
from skrec.model_selection import holdout_split, user_train_test_split
from skrec.utils._search_grid import final_step, last_step
from skrec.utils._tags import RecommenderTags
from skrec.utils._validation import check_candidates

_SHARE_OF_USERS = 0.125
_HOLDOUT = 0.2


@dataclass(frozen=True)
class Part:
    """Training data, test data, and the options of the evaluation.

    Side information goes to the models whose ``fit`` takes it.

    Attributes
    ----------
    X_train, X_test : {array-like, sparse matrix, dataframe}
    y_test : csr_array of shape (n_users, n_items)
    candidates : ndarray of int or None
    options : dict
        Keywords of `evaluate` about relevance.
    item_features : object, default=None
    user_features, context : tuple of object, default=(None, None)
        For the rows of `X_train` and of `X_test`.
    items : object, default=None
        The items to rank, see `evaluate`.
    """

    X_train: Any
    X_test: Any
    y_test: csr_array
    candidates: Any = None
    options: dict = field(default_factory=dict)
    item_features: Any = None
    user_features: tuple = (None, None)
    context: tuple = (None, None)
    items: Any = None

    @property
    def has_side(self):
        """Whether there is any side information."""
        sides = (self.item_features, *self.user_features, *self.context)
        return any(side is not None for side in sides)

    def fit(self, estimator):
        """Fit a model to the training data; a frozen model stays as it is."""
        if isinstance(estimator, FrozenEstimator):
            return estimator
        return estimator.fit(self.X_train, **self.fit_params(estimator))

    def fit_params(self, estimator):
        """Keywords of ``fit``: the side information that this model takes."""
        prefix, _ = last_step(estimator)
        if get_config()["enable_metadata_routing"]:
            prefix = ""  # the pipeline knows by itself which step takes what
        given = {
            "item_features": self.item_features,
            "user_features": self.user_features[0],
            "context": self.context[0],
        }
        return {
            f"{prefix}{name}": value
            for name, value in given.items()
            if value is not None and _reads(estimator, name)
        }

    def test_params(self, estimator, rows=None):
        """Keywords of scoring: side information that this model takes, of all users or `rows`."""
        given = {"user_features": self.user_features[1], "context": self.context[1]}
        return {
            name: value if rows is None else _safe_indexing(value, rows)
            for name, value in given.items()
            if value is not None and _reads(estimator, name)
        }

    def evaluate(self, model, metrics):
        """Evaluate a fitted model; all evaluations of a comparison go through here."""
        return evaluate_quietly(
            model,
            self.X_test,
            self.y_test,
            metrics,
            candidates=self.candidates,
            items=self.items,
            **self.test_params(model),
            **self.options,
        )

    def lists(self, model, rows, k):
        """Lists for some of the test users."""
        shown = rows_as(self.X_test, rows, check_interactions(self.X_test))
        items = self.items[rows] if issparse(self.items) else self.items
        return recommend(model, shown, k=k, items=items, **self.test_params(model, rows))


def _reads(estimator, name):
    model = final_step(estimator)
    # A recommender of two models has keywords for everything that either of them could read.
    return (
        has_fit_parameter(model, name)
        and name
        in getattr(get_tags(model), "recommender_tags", RecommenderTags(reads={name})).reads
    )


def sides(value, name, same_rows):
    """Side information of training and test rows, from the argument of `compare_models`."""
    if value is None:
        return None, None
    if isinstance(value, tuple):
        if len(value) != 2:
            raise ValueError(
                f"{name} must be a tuple of two, for X_train and for X_test. Got {len(value)}."
            )
        return value
    if not same_rows:
        raise ValueError(
            f"{name} must be a tuple, for X_train and for X_test, because their users differ. Got "
            f"a {type(value).__name__}."
        )
    return value, value


def test_part(part, rng):
    """The part with its held-out interactions; this function hides them if `y_test` is None.

    Raises
    ------
    ValueError
        If shapes do not agree.
    """
    n_items = check_interactions(part.X_train).shape[1]
    if check_held_out(part.y_test, check_interactions(part.X_test).shape) is None:
        seed = draw_seed(rng)
        shown, held_out = split_users(part.X_test, None, holdout=_HOLDOUT, random_state=seed)
        X_test = rows_as(part.X_test, np.arange(shown.shape[0]), shown)
    else:
        shown, held_out = split_users(part.X_test, part.y_test, holdout=_HOLDOUT, random_state=0)
        X_test = part.X_test
    if shown.shape[1] != n_items:
        raise ValueError(
            f"X_train and X_test must have the same items as columns. Got {n_items} and "
            f"{shown.shape[1]} columns."
        )
    items = check_candidates(part.items, *shown.shape)
    if part.candidates is not None:
        if items is not None:
            raise ValueError(
                "Got items and candidates. Both choose the ranked items: leave one of them out."
            )
        check_candidate_lists(part.candidates, shown.shape)
    held_out = held_out_among(held_out, items)
    return replace(part, X_test=X_test, y_test=held_out, items=items)


def validation_part(part, validation, rng):
    """The part on which a search chooses parameters.

    Parameters
    ----------
    part : Part
        Of the test.
    validation : tuple, dict or None
        See `compare_models`.
    rng : RandomState

    Returns
    -------
    part : Part
    """
    if validation is None:
        return test_part(_drawn(part, rng), rng)
    names = ("X_train", "X_test", "y_test", "candidates")
    if isinstance(validation, Mapping):
        given = dict(validation)
    elif isinstance(validation, (tuple, list)) and len(validation) in (3, 4):
        given = dict(zip(names, validation, strict=False))
    else:
        given = {}
    extra = ("user_features", "context")
    if not set(names[:3]) <= set(given) <= {*names, "items", *extra}:
        raise ValueError(
            "validation must be (X_train, X_test, y_test), or these and candidates, or a dict of "
            "these names, items, user_features and context. Got "
            f"{type(validation).__name__}."
        )
    same = same_users(given["X_train"], given["X_test"])
    for name in extra:
        if given.get(name) is None and getattr(part, name)[0] is not None:
            raise ValueError(
                f"With {name}, a given validation part needs its own: validation={{'X_train': ..., "
                f"'X_test': ..., 'y_test': ..., '{name}': ...}}."
            )
        given[name] = sides(given.get(name), name, same)
    inner = replace(part, candidates=None, items=None)
    return test_part(replace(inner, **given), rng)


def _drawn(part, rng):
    """A validation part drawn from the training part: users, or entries of the same users."""
    own = {"candidates": part.candidates, "items": part.items, "context": part.context[0]}
    for name, lacks in own.items():
        if lacks is not None:
            raise ValueError(
                f"With {name}, a search needs a validation part with its own {name}: "
                "validation={'X_train': ..., 'X_test': ..., 'y_test': ..., "
                f"{name!r}: ...}}."
            )
    X_train, users = check_interactions(part.X_train), part.user_features[0]
    if same_users(part.X_train, part.X_test):
        single = int(np.diff(part.y_test.indptr).max(initial=0)) == 1
        fit, held_out = holdout_split(X_train, 1 if single else _HOLDOUT, random_state=rng)
        return replace(
            part, X_train=fit, X_test=fit, y_test=held_out, user_features=(users, users)
        )  # fmt: skip
    fit, shown, held_out, *rows = user_train_test_split(
        X_train,
        test_size=_SHARE_OF_USERS,
        holdout=_HOLDOUT,
        random_state=rng,
        return_users=True,
    )
    if users is not None:
        users = tuple(_safe_indexing(users, part_rows) for part_rows in rows)
    return replace(
        part, X_train=fit, X_test=shown, y_test=held_out, user_features=users or (None, None)
    )  # fmt: skip


def same_users(X_train, X_test):
    """Whether `X_test` equals `X_train`."""
    if X_train is X_test:
        return True
    a, b = check_interactions(X_train), check_interactions(X_test)
    return (
        a.shape == b.shape
        and a.nnz == b.nnz
        and bool((a.indptr == b.indptr).all())
        and bool((a.indices == b.indices).all())
    )


def sample_users(y_test, n_users, rng):
    """Some users with held-out interactions, ascending."""
    known = np.flatnonzero(np.diff(y_test.indptr))
    return np.sort(rng.permutation(known)[:n_users])
