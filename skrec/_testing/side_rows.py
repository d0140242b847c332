"""Checks of user features and context, and of all side information together."""

import warnings

import numpy as np
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.model_selection import KFold, cross_validate

from skrec._testing._data import expect_error, make_data, seeded
from skrec._testing._side import (
    N_COLD,
    assert_close,
    assert_copies,
    assert_refused_table,
    fitted_with,
    for_readers,
    frame_of,
    make_side,
    scores_of,
    spoiled,
    wide,
    with_side,
)
from skrec.utils._interaction_context import InteractionContext
from skrec.utils._item_features import ItemFeatures


@for_readers("user_features", "context")
def check_rows_have_their_own_side(estimator):
    """Side information goes with its row: batch, order and subset change no result."""
    for dtype in (np.float64, np.float32):
        X = make_data(estimator, dtype=dtype)
        side = make_side(estimator, X)
        model = fitted_with(estimator, X, side)
        scores = scores_of(model, X, side)
        assert scores.shape == X.shape
        assert scores.dtype == dtype
        assert np.isfinite(scores).all()
        rtol = 1e-5 if dtype == np.float32 else 1e-10
        atol = rtol * max(1.0, float(np.abs(scores).max()))
        lists = model.recommend(X, k=5, **side.rows)
        np.testing.assert_array_equal(model.predict(X, **side.rows), lists[:, 0])
        for rows in (np.random.RandomState(1).permutation(X.shape[0]), [4], slice(3, 9)):
            part = side.take(rows)
            np.testing.assert_allclose(scores_of(model, X[rows], part), scores[rows], 0, atol)
            np.testing.assert_array_equal(model.recommend(X[rows], k=5, **part.rows), lists[rows])
        assert type(model.score(X, **side.rows)) is float


@for_readers("user_features", "context")
def check_pairs_have_their_own_side(estimator):
    """``score_pairs`` takes features per row of X and a situation per pair."""
    X = make_data(estimator)
    side = make_side(estimator, X)
    model = fitted_with(estimator, X, side)
    rng = np.random.RandomState(3)
    rows, items = rng.randint(X.shape[0], size=40), rng.randint(X.shape[1], size=40)
    given = dict(side.rows)
    one_each = side.take(rows)
    if "context" in given:
        given["context"] = one_each.rows["context"] = rng.uniform(
            size=(40, side.rows["context"].shape[1])
        )
    pairs = model.score_pairs(X, rows, items, **given)
    expected = scores_of(model, X[rows], one_each)[np.arange(40), items]
    assert_close(estimator, pairs, expected, "(pairs)")


@for_readers("user_features", "context")
def check_missing_side_warns(estimator):
    """A model fitted with user features or context warns, once per call, if they are missing."""
    X = make_data(estimator)
    side = make_side(estimator, X)
    model = fitted_with(estimator, X, side)
    means = {
        "user_features": getattr(model, "user_feature_means_", None),
        "context": getattr(model, "context_means_", None),
    }
    rows = {name: np.tile(means[name], (X.shape[0], 1)) for name in side.rows}
    expected = model.decision_function(X, **rows)
    for method in ("decision_function", "predict", "recommend", "score", "score_pairs"):
        pairs = ([0, 1, 1], [2, 0, 2]) if method == "score_pairs" else ()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = getattr(model, method)(X, *pairs)
        messages = [str(w.message) for w in caught if "metadata routing" in str(w.message)]
        assert len(messages) == len(rows), f"{method} warned {len(messages)} times"
        if method == "decision_function":
            assert_close(estimator, found, expected, "(the mean of training)")


@for_readers("user_features")
def check_cold_users(estimator):
    """An empty row is scored from its features alone."""
    X = make_data(estimator)
    side = make_side(estimator, X)
    model = fitted_with(estimator, X, side)
    empty = csr_array((4, X.shape[1]))
    part = side.take([0, 1, 2, 0])
    if "context" in part.rows:  # all users are in the same situation
        part.rows["context"] = side.rows["context"][[0, 0, 0, 0]]
    scores = scores_of(model, empty, part)
    assert np.isfinite(scores).all()
    assert_close(estimator, scores[3], scores[0], "(equal cold users)")
    assert not np.allclose(scores[0], scores[1]), "features of a cold user do not matter"


@for_readers("user_features")
def check_user_features_input(estimator):
    """Every container of the same table gives the same result; bad tables raise an error."""
    X = make_data(estimator)
    side = make_side(estimator, X)
    model = fitted_with(estimator, X, side)
    expected, users = scores_of(model, X, side), side.rows["user_features"]
    for name, form in {"list": users.tolist(), "csr": csr_array(users), "frame": None}.items():
        form = frame_of(users) if name == "frame" else form
        if form is not None:
            other = with_side(side, "user_features", form)
            again = scores_of(fitted_with(estimator, X, other), X, other)
            assert_close(estimator, again, expected, f"({name})")
    assert_refused_table(estimator, X, side, "user_features", users)
    for bad, text in ((users[:-1], "one row"), (users[:, :-1], "columns")):
        wrong = {**side.rows, "user_features": bad}
        expect_error(ValueError, text, model.decision_function, X, **wrong)
    plain = seeded(estimator).fit(X)
    expect_error(ValueError, "without", plain.predict, X, user_features=users)


@for_readers("context")
def check_context_input(estimator):
    """``fit`` takes wrapped context of a canonical X, and scoring takes a table of context."""
    X = make_data(estimator)
    side = make_side(estimator, X)
    context = side.fit["context"]
    model = fitted_with(estimator, X, side)
    bare = with_side(side, "context", context.values, fit_only=True)
    expect_error(TypeError, "InteractionContext", fitted_with, estimator, X, bare)
    wrong = {**side.rows, "context": context}
    expect_error(ValueError, "InteractionContext", model.predict, X, **wrong)
    for spoil in (_zero_stored, _not_sorted):
        expect_error(ValueError, "canonical", fitted_with, estimator, spoil(X), side)
    shorter = with_side(side, "context", context[1:], fit_only=True)
    expect_error(ValueError, "one row per stored entry", fitted_with, estimator, X, shorter)
    values = np.random.RandomState(5).permutation(context.values)
    other = with_side(side, "context", InteractionContext(values, X.indptr), fit_only=True)
    same = scores_of(fitted_with(estimator, X, other), X, side)
    assert not np.allclose(same, scores_of(model, X, side)), (
        "the context of an entry does not matter"
    )


@for_readers("item_features", "user_features", "context")
def check_as_many_users_as_items_and_entries(estimator):
    """With n_users == n_items == nnz every fold of a search gets its own side information."""
    n = 15
    rng = np.random.RandomState(0)
    cells = np.sort(rng.choice(n * n, size=n, replace=False))
    data = rng.randint(1, 6, size=n).astype(float)
    X = csr_array((data, (cells // n, cells % n)), shape=(n, n))
    side = make_side(estimator, X)
    params = dict(side.fit)
    if "item_features" in params:
        params["item_features"] = ItemFeatures(params["item_features"])
    folds = KFold(3, shuffle=True, random_state=0)

    def no_score(estimator, X, y=None):
        return 0.0

    result = cross_validate(
        seeded(estimator),
        X,
        cv=folds,
        params=params,
        scoring=no_score,
        return_estimator=True,
        error_score="raise",
    )
    for model, (train, test) in zip(result["estimator"], folds.split(X), strict=True):
        part = side.take(train)
        expected = seeded(estimator).fit(X[train], **part.fit)
        rows = side.take(test)
        np.testing.assert_array_equal(
            scores_of(model, X[test], rows), scores_of(expected, X[test], rows)
        )


@for_readers("item_features", "user_features", "context")
def check_side_copies(estimator):
    """Copies keep all side information of a model, and a new ``fit`` forgets it."""
    X = make_data(estimator)
    side = make_side(estimator, X)
    model = fitted_with(estimator, X, side)
    assert_copies(model, X, side)
    if "item_features" in side.fit:
        assert_copies(model.with_items(side.items[:N_COLD]), wide(X), side)
    assert not [name for name in vars(clone(model)) if name.endswith("_")]
    plain = seeded(estimator).fit(X)
    expected = plain.decision_function(X)
    np.testing.assert_array_equal(model.fit(X).decision_function(X), expected)
    described = {name for name in vars(model) if "feature" in name} - {"n_features_in_"}
    assert not described & {f"n_{kind}_features_in_" for kind in ("item", "user", "context")}


@for_readers("item_features", "user_features", "context")
def check_failed_fit_with_side(estimator):
    """A fit that refuses features leaves the earlier model unchanged."""
    X = make_data(estimator)
    side = make_side(estimator, X)
    model = fitted_with(estimator, X, side)
    expected = scores_of(model, X, side)
    narrow = csr_array(X.toarray()[:, :-2])
    name, table = next(iter(side.fit.items()))
    table = table.values if name == "context" else table
    wrong = {name: spoiled(table, np.nan)}
    expect_error((ValueError, TypeError), "", model.fit, narrow, **wrong)
    np.testing.assert_array_equal(scores_of(model, X, side), expected)


def _zero_stored(X):
    X = X.copy()
    X.data[0] = 0
    return X


def _not_sorted(X):
    X = X.copy()
    row = int(np.argmax(np.diff(X.indptr) > 1))
    two = slice(X.indptr[row], X.indptr[row] + 2)
    X.indices[two], X.data[two] = X.indices[two][::-1].copy(), X.data[two][::-1].copy()
    return X
