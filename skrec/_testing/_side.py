"""Side information of the checks, and assertions about it."""

import pickle
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array, hstack

from skrec._testing._data import expect_error, seeded
from skrec._testing.persistence import through_skops
from skrec.utils._interaction_context import InteractionContext
from skrec.utils._tags import recommender_tags

N_COLD = 3
_WIDTH = {"item_features": 6, "user_features": 4, "context": 3}


class Side(NamedTuple):
    """Side information that the estimator reads, as keywords of `fit` and of scoring."""

    fit: dict
    rows: dict

    @property
    def items(self):
        """Features of the items."""
        return self.fit["item_features"]

    def take(self, users):
        """Side information of some users; item features stay whole."""
        whole = {name: self.fit[name] for name in ("item_features",) if name in self.fit}
        part = {name: self.fit[name][users] for name in self.fit if name not in whole}
        return Side(whole | part, {name: value[users] for name, value in self.rows.items()})


def make_side(estimator, X, *, seed=0):
    """Make the item features, user features and context that an estimator reads.

    Values lie in [0, 1]. Item features are images where the class reads images.
    """
    rng = np.random.RandomState(seed + 100)
    reads = recommender_tags(estimator).reads
    fit, rows = {}, {}
    if "images" in reads:
        fit["item_features"] = rng.randint(256, size=(X.shape[1], 3, 32, 32)).astype(np.uint8)
    elif "item_features" in reads:
        fit["item_features"] = rng.uniform(size=(X.shape[1], _WIDTH["item_features"]))
    if "user_features" in reads:
        users = rng.uniform(size=(X.shape[0], _WIDTH["user_features"]))
        fit["user_features"] = rows["user_features"] = users
    if "context" in reads:
        values = rng.uniform(size=(X.nnz, _WIDTH["context"]))
        fit["context"] = InteractionContext(values, X.indptr)
        rows["context"] = rng.uniform(size=(X.shape[0], _WIDTH["context"]))
    return Side(fit, rows)


def for_readers(*names):
    """Decorator of a check for estimators that read one of the names."""

    def mark(check):
        check.reads = frozenset(names)
        return check

    return mark


def fitted_with(estimator, X, side):
    return seeded(estimator).fit(X, **side.fit)


def scores_of(model, X, side):
    return model.decision_function(X, **side.rows)


def assert_close(estimator, actual, expected, message):
    # A network sums in another order when the matrix is wider.
    rtol = 1e-4 if "random_state" in estimator.get_params(deep=False) else 1e-10
    atol = rtol * max(1.0, float(np.abs(expected).max(initial=0.0)))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=atol, err_msg=message)


def wide(X, n_new=N_COLD):
    return csr_array(hstack([X, csr_array((X.shape[0], n_new))], format="csr"))


def longer_side(side, rows):
    """Side information with features of further items."""
    return side._replace(fit={**side.fit, "item_features": np.concatenate([side.items, rows])})


def assert_copies(model, X, side):
    expected = scores_of(model, X, side)
    copies = {"pickle": pickle.loads(pickle.dumps(model))}
    with tempfile.TemporaryDirectory() as folder:
        copies["skops"] = through_skops(model, Path(folder) / "model.skops")
        for name, twin in copies.items():
            np.testing.assert_array_equal(scores_of(twin, X, side), expected, err_msg=name)


def assert_refused_table(estimator, X, side, name, table):
    """NaN, infinity, text and wrong shapes raise ValueError in fit."""
    refused = [(spoiled(table, np.nan), "NaN"), (spoiled(table, np.inf), "inf")]
    refused += [(np.ones(len(table)), "2-D"), (np.ones((len(table), 2, 2)), "2-D")]
    if table.ndim == 2:
        refused.append((np.full(table.shape, "text"), "numbers"))
    for bad, text in refused:
        wrong = with_side(side, name, bad)
        expect_error(ValueError, text, fitted_with, estimator, X, wrong)


def with_side(side, name, value, *, fit_only=False):
    changed = side._replace(fit={**side.fit, name: value})
    if name in side.rows and not fit_only:
        changed = changed._replace(rows={**side.rows, name: value})
    return changed


def spoiled(table, value):
    table = np.array(table, dtype=np.float64)
    table.flat[1] = value
    return table


def frame_of(table, names=None, index=None):
    try:
        import pandas as pd
    except ImportError:
        return None
    if table.ndim != 2:
        return None
    names = [f"f{i}" for i in range(table.shape[1])] if names is None else names
    return pd.DataFrame(table, columns=names, index=index)
