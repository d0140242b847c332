"""Checks of item features, for recommenders that read them."""

import numpy as np
from scipy.sparse import csr_array

from skrec._testing._data import expect_error, make_data
from skrec._testing._side import (
    N_COLD,
    assert_close,
    assert_refused_table,
    fitted_with,
    for_readers,
    frame_of,
    longer_side,
    make_side,
    scores_of,
    spoiled,
    wide,
    with_side,
)
from skrec.utils._interaction_context import InteractionContext
from skrec.utils._item_features import ItemFeatures


@for_readers("item_features")
def check_empty_columns_change_nothing(estimator):
    """Further items without users, fitted with their features, change no score of the others."""
    X = make_data(estimator)
    side = make_side(estimator, X)
    new = make_side(estimator, X, seed=1).items[:N_COLD]
    expected = scores_of(fitted_with(estimator, X, side), X, side)
    found = scores_of(fitted_with(estimator, wide(X), longer_side(side, new)), wide(X), side)
    assert_close(estimator, found[:, : X.shape[1]], expected, "(with empty columns)")


@for_readers("item_features")
def check_cold_items(estimator):
    """An item without users is scored by its features alone, and listed like any other."""
    X = wide(make_data(estimator))
    n_known = X.shape[1] - N_COLD
    side = make_side(estimator, X)
    items = side.items.copy()
    items[-1] = items[-2]  # two cold items with equal features
    side = side._replace(fit={**side.fit, "item_features": items})
    model = fitted_with(estimator, X, side)
    scores = scores_of(model, X, side)
    assert np.isfinite(scores).all(), "cold items need finite scores"
    assert_close(estimator, scores[:, -1], scores[:, -2], "(cold items of equal features)")
    np.testing.assert_array_equal(scores_of(fitted_with(estimator, X, side), X, side), scores)
    other = items.copy()
    other[-3] = items[0]
    changed = side._replace(fit={**side.fit, "item_features": other})
    moved = scores_of(fitted_with(estimator, X, changed), X, side)
    assert not np.allclose(moved[:, -3], scores[:, -3]), "a cold item's features do not matter"
    assert_close(estimator, moved[:, :n_known], scores[:, :n_known], "(another cold item)")
    cold = np.arange(n_known, X.shape[1])
    lists = model.recommend(X, k=N_COLD, items=cold, **side.rows)
    assert (np.sort(lists, axis=1) == cold).all(), "recommend must list cold items"


@for_readers("item_features")
def check_with_items(estimator):
    """The longer model scores known items as before, and the original stays unchanged."""
    X = make_data(estimator)
    side = make_side(estimator, X)
    model = fitted_with(estimator, X, side)
    expected = scores_of(model, X, side)
    longer = model.with_items(ItemFeatures(make_side(estimator, X, seed=1).items[:N_COLD]))
    assert longer.n_features_in_ == X.shape[1] + N_COLD
    assert model.n_features_in_ == X.shape[1], "with_items changed the model itself"
    np.testing.assert_array_equal(scores_of(model, X, side), expected)
    found = scores_of(longer, wide(X), side)
    assert np.isfinite(found).all()
    assert_close(estimator, found[:, : X.shape[1]], expected, "(with_items)")
    taken = wide(X).tolil()
    taken[0, -1] = 1.0  # users may have the new items
    taken = csr_array(taken.tocsr())
    assert np.isfinite(scores_of(longer, taken, side)).all()
    assert (longer.recommend(taken, k=taken.shape[1], **side.rows)[0] != taken.shape[1] - 1).all()
    again = longer.with_items(side.items[:1])
    assert again.n_features_in_ == longer.n_features_in_ + 1
    expect_error(ValueError, "features", longer.predict, X, **side.rows)
    expect_error(ValueError, "NaN", model.with_items, spoiled(side.items[:2], np.nan))
    if side.items.ndim == 2:
        expect_error(ValueError, "columns", model.with_items, side.items[:2, :-1])


@for_readers("item_features")
def check_with_items_equals_fit(estimator):
    """``fit(X, F).with_items(N)`` equals ``fit([X 0], [F; N])``."""
    X = make_data(estimator)
    side = make_side(estimator, X)
    new = make_side(estimator, X, seed=1).items[:N_COLD]
    found = scores_of(fitted_with(estimator, X, side).with_items(new), wide(X), side)
    expected = scores_of(fitted_with(estimator, wide(X), longer_side(side, new)), wide(X), side)
    assert_close(estimator, found, expected, "(with_items and fit)")


@for_readers("item_features")
def check_item_features_permutation(estimator):
    """Relabelling the items together with their features relabels the scores."""
    X = make_data(estimator, twins=False)
    side = make_side(estimator, X)
    order = np.random.RandomState(2).permutation(X.shape[1])
    permuted = csr_array(X[:, order])
    moved = side._replace(fit={**side.fit, "item_features": side.items[order]})
    if "context" in side.fit:  # the entries of X move with the columns
        entries = csr_array((np.arange(1, X.nnz + 1), X.indices, X.indptr), X.shape)[:, order]
        values = side.fit["context"].values[csr_array(entries).sorted_indices().data - 1]
        moved.fit["context"] = InteractionContext(values, permuted.indptr)
    expected = scores_of(fitted_with(estimator, X, side), X, side)[:, order]
    found = scores_of(fitted_with(estimator, permuted.sorted_indices(), moved), permuted, side)
    assert_close(estimator, found, expected, "(permuted items)")


@for_readers("item_features")
def check_item_features_input(estimator):
    """Every container of the same table gives the same result; bad tables raise a clear error."""
    X = make_data(estimator)
    side = make_side(estimator, X)
    expected = scores_of(fitted_with(estimator, X, side), X, side)
    before = side.items.copy()

    def scores_with(items):
        return scores_of(
            fitted_with(estimator, X, with_side(side, "item_features", items)), X, side
        )

    forms = {"wrapped": ItemFeatures(side.items)}
    if side.items.ndim == 2:
        forms |= {"list": side.items.tolist(), "csr": csr_array(side.items), "frame": None}
    for name, items in forms.items():
        items = frame_of(side.items) if name == "frame" else items
        if items is not None:
            assert_close(estimator, scores_with(items), expected, f"({name})")
    zero = side.items.copy()
    zero[2] = 0  # the features of this item are unknown
    assert np.isfinite(scores_with(zero)).all()
    np.testing.assert_array_equal(side.items, before, err_msg="fit changed its features")
    assert_refused_table(estimator, X, side, "item_features", side.items)
    expect_error(ValueError, "one row per item", scores_with, side.items[:-1])


@for_readers("item_features")
def check_item_frame_in_another_order(estimator):
    """A frame of features raises if its index has the names of X in another order."""
    names = [f"item {i}" for i in range(make_data(estimator).shape[1])]
    X = make_data(estimator)
    side = make_side(estimator, X)
    frame, table = frame_of(X.toarray(), names), frame_of(side.items, index=names)
    if frame is None or table is None:
        return
    fitted_with(estimator, frame, with_side(side, "item_features", table))
    wrong = with_side(side, "item_features", ItemFeatures(table.iloc[::-1]))
    expect_error(ValueError, "order", fitted_with, estimator, frame, wrong)
