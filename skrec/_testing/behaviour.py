"""Checks of results: ranking, independence of rows, equivariance."""

import numpy as np
from scipy.sparse import csr_array

from skrec._testing._data import assert_same, fitted, make_data, methods, outputs
from skrec.utils._ties import quantize_scores


def check_output_shapes(estimator):
    """Every method returns the right shape and dtype, and scores are finite."""
    for dtype in (np.float64, np.float32):
        X = make_data(estimator, dtype=dtype)
        model = fitted(estimator, X)
        scores = model.decision_function(X)
        assert scores.shape == X.shape, f"decision_function has shape {scores.shape}"
        assert scores.dtype == dtype, f"{scores.dtype} scores for {dtype.__name__} input"
        assert np.isfinite(scores).all(), "decision_function must be finite"
        predicted = model.predict(X)
        assert predicted.shape == (X.shape[0],), f"predict has shape {predicted.shape}"
        assert predicted.dtype == np.intp, f"predict has dtype {predicted.dtype}"
        items, values = model.recommend(X, k=4, return_scores=True)
        assert items.shape == values.shape == (X.shape[0], 4)
        assert items.dtype == np.intp
        assert values.dtype == dtype
        score = model.score(X)
        assert type(score) is float, f"score returns {type(score)}"
        if hasattr(model, "predict_proba"):
            np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1.0, rtol=1e-5)
        if hasattr(model, "transform"):
            names = model.get_feature_names_out()
            assert model.transform(X).shape == (X.shape[0], len(names))


def check_seen_items_never_recommended(estimator):
    """Items of the row are left out unless asked for, and short lists end in -1."""
    X = make_data(estimator)
    model = fitted(estimator, X)
    seen = X.toarray() != 0
    k = X.shape[1]
    items = model.recommend(X, k=k)
    for user, row in enumerate(items):
        found = row[row >= 0]
        assert not seen[user, found].any(), "a seen item was recommended"
        assert len(found) == len(set(found)) == (~seen[user]).sum(), "unseen items are missing"
        assert (row[len(found) :] == -1).all(), "the padding must come last"
    everything = model.recommend(X, k=k, exclude_seen=False)
    assert (np.sort(everything, axis=1) == np.arange(k)).all()
    full = csr_array(np.ones((1, k)))
    assert model.predict(full)[0] == -1, "predict must return -1 if no item is left"
    assert (model.recommend(full, k=k + 3) == -1).all()


def check_recommend_equals_naive(estimator):
    """``recommend`` equals an argsort of quantised scores by (score, index)."""
    for dtype in (np.float64, np.float32):
        X = make_data(estimator, dtype=dtype)
        model = fitted(estimator, X)
        scores = model.decision_function(X)
        keys = quantize_scores(scores)
        keys[X.toarray() != 0] = -np.inf
        index = np.broadcast_to(np.arange(X.shape[1]), X.shape)
        order = np.lexsort((index, -keys), axis=1)
        expected = np.where(np.isfinite(np.take_along_axis(keys, order, axis=1)), order, -1)
        items, values = model.recommend(X, k=X.shape[1], return_scores=True)
        np.testing.assert_array_equal(items, expected)
        np.testing.assert_array_equal(model.predict(X), expected[:, 0])
        real = items >= 0
        rows = np.nonzero(real)[0]
        atol = 1e-5 if dtype == np.float32 else 1e-10
        np.testing.assert_allclose(values[real], scores[rows, items[real]], atol=atol, rtol=atol)


def check_candidates(estimator):
    """``items`` restricts the lists: indices, a mask, and a sparse mask per row agree."""
    X = make_data(estimator)
    model = fitted(estimator, X)
    n_users, n_items = X.shape
    chosen = np.array([12, 2, 4, 3, 8])
    mask = np.zeros(n_items, dtype=bool)
    mask[chosen] = True
    whole = model.recommend(X, k=n_items)
    expected = np.full_like(whole, -1)
    for user, row in enumerate(whole):
        kept = [item for item in row if item >= 0 and mask[item]]
        expected[user, : len(kept)] = kept
    np.testing.assert_array_equal(model.recommend(X, k=n_items, items=chosen), expected)
    np.testing.assert_array_equal(model.recommend(X, k=n_items, items=mask), expected)
    per_row = csr_array(np.tile(mask, (n_users, 1)))
    np.testing.assert_array_equal(model.recommend(X, k=n_items, items=per_row), expected)


def check_row_independence(estimator):
    """The batch, the order and the subset of rows never change a row's result.

    Lists must be equal, and scores equal to rounding. Duplicate items make ties.
    """
    for dtype in (np.float64, np.float32):
        X = make_data(estimator, dtype=dtype)
        model = fitted(estimator, X)
        X = X[np.r_[np.arange(X.shape[0]), [5, 2, 2]]]  # with duplicate rows
        whole = outputs(model, X)
        # BLAS may sum dense products in another order in another batch.
        rtol = 1e-5 if dtype == np.float32 else 1e-10
        order = np.random.RandomState(1).permutation(X.shape[0])
        shuffled = outputs(model, X[order])
        assert_same(shuffled, {n: v[order] for n, v in whole.items()}, rtol=rtol, message="(order)")
        for user in range(0, X.shape[0], 3):
            alone = outputs(model, X[[user]])
            expected = {name: value[[user]] for name, value in whole.items()}
            assert_same(alone, expected, rtol=rtol, message="(one row)")


def check_ties(estimator):
    """Among equal scores the lower index comes first, in every row and for every candidate.

    Few scores of a fitted model are equal, so the check replaces the scores of each row by two
    values.
    """
    X = make_data(estimator)
    model = fitted(estimator, X)
    scores_of = model._scores

    def halves(*args, **side):
        scores = scores_of(*args, **side)
        return (scores > np.median(scores, axis=1, keepdims=True)).astype(scores.dtype)

    model._scores = halves
    scores = model.decision_function(X)
    assert set(np.unique(scores)) <= {0.0, 1.0}, "decision_function must return `_scores`"
    unseen = X.toarray() == 0
    for exclude_seen in (True, False):
        items = model.recommend(X, k=X.shape[1], exclude_seen=exclude_seen)
        for user, row in enumerate(items):
            left = unseen[user] | (not exclude_seen)
            best, others = (np.flatnonzero(left & (scores[user] == value)) for value in (1, 0))
            np.testing.assert_array_equal(
                row[row >= 0],
                np.concatenate([best, others]),
                err_msg="of equal scores the lower index comes first",
            )
    np.testing.assert_array_equal(model.predict(X), model.recommend(X, k=1)[:, 0])


def check_duplicate_items_tie(estimator):
    """Equal columns have equal scores, and tie if their scores fall into one cell of the grid.

    The rule cannot hold if the initial weights of each item are drawn and the model depends on
    the draw. Such an estimator skips the check.
    """
    X = make_data(estimator)
    model = fitted(estimator, X)
    scores = model.decision_function(X)
    keys = quantize_scores(scores)
    position = np.argsort(model.recommend(X, k=X.shape[1], exclude_seen=False), axis=1)
    atol = 1e-6 * max(1.0, float(np.abs(scores).max()))
    for a, b in ((3, 4), (7, 9)):
        np.testing.assert_allclose(
            scores[:, a], scores[:, b], rtol=1e-6, atol=atol, err_msg="equal items must tie"
        )
        tied = keys[:, a] == keys[:, b]
        assert (position[tied, a] < position[tied, b]).all(), "the lower index comes first"


def check_item_permutation(estimator):
    """Relabelling the items relabels the scores."""
    X = make_data(estimator, twins=False)
    order = np.random.RandomState(2).permutation(X.shape[1])
    model, relabelled = fitted(estimator, X), fitted(estimator, csr_array(X[:, order]))
    expected = model.decision_function(X)[:, order]
    actual = relabelled.decision_function(csr_array(X[:, order]))
    atol = 1e-6 * max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=atol)


def check_score_pairs(estimator):
    """``score_pairs`` equals the entries of ``decision_function``."""
    X = make_data(estimator)
    model = fitted(estimator, X)
    rng = np.random.RandomState(3)
    rows, items = rng.randint(X.shape[0], size=60), rng.randint(X.shape[1], size=60)
    scores = model.decision_function(X)
    pairs = model.score_pairs(X, rows, items)
    assert pairs.dtype == scores.dtype
    atol = 1e-10 * max(1.0, float(np.abs(scores).max()))
    np.testing.assert_allclose(pairs, scores[rows, items], rtol=1e-10, atol=atol)
    assert model.score_pairs(X, [], []).shape == (0,)


def check_empty_rows_and_columns(estimator):
    """Empty users, empty items, a single user and a single item are ordinary data."""
    X = make_data(estimator)
    model = fitted(estimator, X)
    empty = csr_array((3, X.shape[1]))
    assert np.isfinite(model.decision_function(empty)).all(), "empty rows must have scores"
    assert (model.recommend(empty, k=3) >= 0).all()
    for shape in ((1, X.shape[1]), (X.shape[0], 1)):
        part = csr_array(X.toarray()[: shape[0], : shape[1]])
        small = fitted(estimator, part)
        assert small.decision_function(part).shape == shape
    none = csr_array(X.shape)
    assert np.isfinite(fitted(estimator, none).decision_function(none)).all()


def check_refit_forgets(estimator):
    """A second ``fit`` forgets the first, and equal fits give equal models bit for bit."""
    X, other = make_data(estimator), make_data(estimator, n_users=17, n_items=13, seed=4)
    fresh = fitted(estimator, X)
    again = fitted(estimator, other).fit(X)
    for name in methods(fresh):
        np.testing.assert_array_equal(
            getattr(again, name)(X), getattr(fresh, name)(X), err_msg=name
        )
    np.testing.assert_array_equal(again.recommend(X, k=5), fresh.recommend(X, k=5))


def check_explain(estimator):
    """If ``explain`` exists, contributions have the right shape and lie at items of the row."""
    if not hasattr(estimator, "explain"):
        return
    X = make_data(estimator)
    model = fitted(estimator, X)
    items = model.recommend(X, k=2)
    contributions = model.explain(X, items)
    assert contributions.shape == (2 * X.shape[0], X.shape[1])
    seen = np.repeat(X.toarray() != 0, 2, axis=0)
    assert not contributions.toarray()[~seen].any(), "only items of the row can contribute"
    assert not contributions.toarray()[items.ravel() < 0].any()
