"""RBMRecommender: sampling, gradients and predictions against enumeration; laws; folding in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.utils import get_tags

from skrec.autoencoder import RBMRecommender
from skrec.autoencoder._rating_levels import expected_level, find_levels, nearest_level
from skrec.autoencoder._rbm_fit import (
    ContrastiveDivergence,
    Machine,
    hidden_probabilities,
    log_frequencies,
)
from skrec.autoencoder._softmax_units import solve_units
from tests.reference import rbm as reference

SMALL = {"learning_rate": 0.2, "batch_size": 16, "max_iter": 15, "random_state": 0, "n_jobs": 1}
BOTH = pytest.mark.parametrize("orientation", ["user", "item"])


def small(orientation, **options):
    return RBMRecommender(6, orientation=orientation, **{**SMALL, **options})


def make_ratings(n_users=80, n_items=20, *, density=0.5, seed=0):
    """Ratings from 1 to 5 with two tastes; the last item and the last user have none."""
    rng = np.random.default_rng(seed)
    taste = rng.normal(0, 1, (n_users, 2)) @ rng.normal(0, 1, (2, n_items))
    ratings = np.clip(np.round(3 + taste), 1, 5) * (rng.random(taste.shape) < density)
    ratings[-1] = 0
    ratings[:, -1] = 0
    return csr_array(ratings)


@pytest.fixture(scope="module")
def X():
    return make_ratings()


def tiny_machine(*, conditional=False, seed=0):
    """Three units with three levels, two hidden units."""
    rng = np.random.default_rng(seed)
    shapes = (3, 3, 2), (3, 3), (2,), (3 if conditional else 0, 2)
    return Machine(*(rng.normal(0, 0.8, shape).astype(np.float32) for shape in shapes))


def copies(units, levels, n):
    """An example that is there n times, and the levels of its entries."""
    indices = np.tile(np.array(units, dtype=np.int32), n)
    indptr = np.arange(n + 1, dtype=np.int64) * len(units)
    X = csr_array((np.ones(len(indices)), indices, indptr), shape=(n, 3))
    return X, np.tile(np.array(levels, dtype=np.int8), n)


def one_step(machine, X, levels, n_steps, **options):
    options = {"momentum": 0.0, "alpha": 0.0, **options}
    after = Machine(*(part.copy() for part in machine))
    divergence = ContrastiveDivergence(
        X, levels, after, batch_size=X.shape[0], rng=np.random.default_rng(0), n_jobs=1, **options
    )
    loss = divergence.epoch(1.0, n_steps)
    return after, divergence, loss


@pytest.mark.parametrize("conditional", [False, True])
def test_twin_gradient_is_that_of_the_log_likelihood(conditional):
    machine = [part.astype(np.float64) for part in tiny_machine(conditional=conditional)]
    found = reference.gradient(machine, [0, 2], [1, 2])
    for part, slope in zip(machine, found, strict=True):
        for at in np.ndindex(part.shape):
            old, value = part[at], []
            for step in (1e-5, -1e-5):
                part[at] = old + step
                value.append(reference.log_likelihood(machine, [0, 2], [1, 2]))
            part[at] = old
            assert slope[at] == pytest.approx((value[0] - value[1]) / 2e-5, abs=1e-8)


@pytest.mark.parametrize("conditional", [False, True])
def test_contrastive_divergence_of_many_steps_is_the_gradient(conditional):
    machine, units, shown = tiny_machine(conditional=conditional), [0, 2], [1, 2]
    after, _, _ = one_step(machine, *copies(units, shown, 20_000), 30)
    exact = reference.gradient([part.astype(np.float64) for part in machine], units, shown)
    for new, old, slope in zip(after, machine, exact, strict=True):
        # Standard errors are at most .5 / sqrt(20,000) = .0036.
        np.testing.assert_allclose(new - old, slope, atol=0.015)
    assert not np.any(after.weight[1] - machine.weight[1])  # a unit that is not shown


def test_one_step_of_sampling_has_the_right_mean():
    machine, units, shown = tiny_machine(conditional=True), [0, 1, 2], [1, 2, 0]
    _, divergence, loss = one_step(machine, *copies(units, shown, 20_000), 1)
    wide = [part.astype(np.float64) for part in machine]
    found, probability = reference.given(wide, units, shown)
    hidden = sum(p * h for (_, h), p in zip(found, probability, strict=True))
    np.testing.assert_allclose(divergence._hidden, np.tile(hidden, (20_000, 1)), rtol=1e-5)
    # Of the drawn levels of unit 0, and of the loss: means over the hidden states of the data.
    expected, nats = np.zeros(3), 0.0
    for (_, h), p in zip(found, probability, strict=True):
        for unit in range(3):
            logits = wide[1][unit] + wide[0][unit] @ h
            softmax = np.exp(logits) / np.exp(logits).sum()
            expected += p * softmax * (unit == 0)
            nats -= p * np.log(softmax[shown[unit]]) / 3
    drawn = np.bincount(divergence._last_levels[::3], minlength=3) / 20_000
    np.testing.assert_allclose(drawn, expected, atol=0.015)
    assert loss == pytest.approx(nats, abs=0.01)


def test_a_step_is_what_numpy_makes_of_the_samples():
    X = make_ratings(30, 6, seed=1)
    levels = (X.data - 1).astype(np.int8)
    rng = np.random.default_rng(3)
    shapes = (6, 5, 4), (6, 5), (4,), (6, 4)
    machine = Machine(*(rng.normal(0, 0.3, shape).astype(np.float32) for shape in shapes))
    after = Machine(*(part.copy() for part in machine))
    divergence = ContrastiveDivergence(
        X, levels, after, momentum=0.7, alpha=0.05, batch_size=30, rng=rng, n_jobs=1
    )
    expected = [part.astype(np.float64) for part in machine]
    speed = [np.zeros(part.shape) for part in machine]
    known = np.diff(X.T.tocsr().indptr) > 0
    n = np.count_nonzero(np.diff(X.indptr))  # empty rows teach nothing
    for rate in (0.5, 0.25):
        divergence.epoch(rate, 2)
        found = hidden_probabilities(X, levels, Machine(*_as_single(expected)), np.float64)
        last = hidden_probabilities(
            X, divergence._last_levels, Machine(*_as_single(expected)), np.float64
        )
        slope = [np.zeros(part.shape) for part in expected]
        for row in np.flatnonzero(np.diff(X.indptr)):
            slope[2] += found[row] - last[row]
            for e in range(X.indptr[row], X.indptr[row + 1]):
                unit = X.indices[e]
                for k, sign, h in ((levels[e], 1, found), (divergence._last_levels[e], -1, last)):
                    slope[0][unit, k] += sign * h[row]
                    slope[1][unit, k] += sign
                slope[3][unit] += found[row] - last[row]
        anchors = (0, machine.bias, None, 0)
        for part, fast, down, anchor in zip(expected, speed, slope, anchors, strict=True):
            decay = 0 if anchor is None else 0.05 * (part - anchor)
            fast *= 0.7
            fast += rate * (down / n - decay)
            mask = slice(None) if anchor is None else known
            part[mask] += fast[mask]
        for part, twin in zip(after, expected, strict=True):
            np.testing.assert_allclose(part, twin, atol=2e-6)


def _as_single(machine):
    return [part.astype(np.float32) for part in machine]


def test_scores_are_means_of_levels_under_the_mean_field(X):
    model = small("user", conditional=True).fit(X)
    row = X[:1].toarray()[0]
    total = model.intercept_hidden_.astype(np.float64)
    for item in np.flatnonzero(row):
        total = total + model.item_weights_[item, int(row[item]) - 1] + model.rated_weights_[item]
    hidden = 1 / (1 + np.exp(-total))
    logits = model.item_intercept_ + model.item_weights_ @ hidden
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.decision_function(X[:1])[0], softmax @ np.arange(1, 6))
    np.testing.assert_allclose(model.transform(X[:1])[0], hidden)


@BOTH
def test_it_predicts_better_than_means(orientation, X):
    X = X if orientation == "user" else X.T.tocsr()
    hidden = np.random.default_rng(1).random(X.nnz) < 0.2
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))[hidden]
    items, truth = X.indices[hidden], X.data[hidden]
    train = X.copy()
    train.data[hidden] = 0
    train.eliminate_zeros()
    model = small(orientation, learning_rate=0.05, batch_size=4, max_iter=100).fit(train)
    error = np.sqrt(np.mean((model.score_pairs(train, rows, items) - truth) ** 2))
    assert error < 0.85 * np.sqrt(np.mean((train.data.mean() - truth) ** 2))
    assert model.loss_curve_[-1] < 0.6 * model.loss_curve_[0]


@BOTH
def test_pairs_are_scored_as_rows_are(orientation, X):
    model = small(orientation).fit(X)
    rows, items = np.nonzero(np.ones((7, X.shape[1])))
    known, new = X[:7], make_ratings(7, seed=5)
    for part in (known, new, known.astype(np.float32)):
        scores = model.decision_function(part)
        assert scores.dtype == part.dtype
        np.testing.assert_allclose(
            model.score_pairs(part, rows, items).reshape(scores.shape), scores, rtol=1e-5
        )


def test_the_item_orientation_is_that_of_the_transposed_ratings(X):
    by_item = small("item").fit(X)
    by_user = small("user").fit(X.T.tocsr())
    known = X[:-1]  # a row without ratings equals no unit that has learned
    np.testing.assert_allclose(
        by_item.decision_function(known),
        by_user.decision_function(X.T.tocsr()).T[:-1],
        rtol=1e-5,
    )


@BOTH
def test_levels_are_names_only(orientation, X):
    model = small(orientation).fit(X)
    other = X.copy()
    other.data = 10 * X.data - 35
    np.testing.assert_allclose(
        clone(model).fit(other).decision_function(other[:9]),
        10 * model.decision_function(X[:9]) - 35,
        rtol=1e-9,
    )


@BOTH
def test_threads_and_seeds(orientation, X):
    one = small(orientation, max_gibbs_steps=3).fit(X)
    two = clone(one).set_params(n_jobs=2).fit(X)
    for name, value in vars(one).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, getattr(two, name))
    other = clone(one).set_params(random_state=1).fit(X)
    assert np.abs(other.intercept_hidden_ - one.intercept_hidden_).max() > 0


@BOTH
def test_nothing_known_is_the_mean(orientation, X):
    model = small(orientation).fit(X)
    scores = model.decision_function(X)
    mean = X.data.mean()
    if orientation == "user":
        assert not model.item_weights_[-1].any()
        np.testing.assert_allclose(scores[:, -1], mean, rtol=1e-5)
    else:
        assert not model.user_weights_[-1].any()
        np.testing.assert_allclose(scores[-1], mean, rtol=1e-5)
    assert scores.min() >= 1
    assert scores.max() <= 5


def test_a_row_is_known_by_its_ratings_too(X):
    X = X.T.tocsr()
    model = small("item", learning_rate=0.05, batch_size=4).fit(X)
    row = X[:1]
    known = model.decision_function(row)
    codes = model.components_.T.astype(np.float64)
    logits = codes @ model.user_weights_[0].T + model.user_intercept_[0]
    np.testing.assert_allclose(known[0], expected_level(logits, model.levels_), rtol=1e-6)
    changed = row.copy()
    changed.data = 6 - row.data  # the same items
    folded = clone(model).set_params(known_users="fold_in").fit(X)
    np.testing.assert_allclose(
        model.decision_function(changed), folded.decision_function(changed), rtol=1e-9
    )
    assert np.abs(folded.decision_function(row) - known).max() > 1e-3
    assert get_tags(model).recommender_tags.learned_users
    assert not get_tags(small("user")).recommender_tags.learned_users


@pytest.mark.parametrize(("n", "d"), [(3, 8), (40, 4)])
def test_new_units_are_at_the_minimum(n, d):
    rng = np.random.default_rng(n)
    X = csr_array(np.ones((1, n)))
    levels = rng.integers(0, 3, n).astype(np.int8)
    codes, start = rng.random((n, d)), rng.normal(size=(1, 3))
    weight, bias = solve_units(X, levels, codes, start, 0.3)
    _, by_weight, by_bias = reference.unit_objective(
        codes, levels, weight[0], bias[0], start[0], 0.3
    )
    np.testing.assert_allclose(by_weight, 0, atol=1e-5)
    np.testing.assert_allclose(by_bias, 0, atol=1e-5)


def test_a_new_row_is_like_one_that_was_learned(X):
    X = X.T.tocsr()
    model = small("item", learning_rate=0.05, batch_size=4, max_iter=100).fit(X)
    learned = model.decision_function(X)
    folded = model.set_params(known_users="fold_in").decision_function(X)
    correlation = np.corrcoef(learned.ravel(), folded.ravel())[0, 1]
    assert correlation > 0.9


def test_log_frequencies():
    X = csr_array(np.array([[1.0, 0, 1], [0, 0, 0]]))
    found = np.exp(log_frequencies(X, np.array([0, 0]), np.array([3, 1])))
    np.testing.assert_allclose(found, [[2.75 / 3, 0.25 / 3], [0.75, 0.25]], rtol=1e-6)


def test_many_values_are_put_into_bins():
    values = np.random.default_rng(0).normal(size=1000)
    levels = find_levels(values, 4)
    order = np.sort(values)
    np.testing.assert_allclose(levels, [order[i : i + 250].mean() for i in range(0, 1000, 250)])
    np.testing.assert_array_equal(find_levels(np.array([3.0, 1, 3]), 2), [1, 3])
    np.testing.assert_array_equal(find_levels(np.array([]), 2), [0])
    assert np.isfinite(find_levels(np.full(30, 1e308) * np.linspace(0.5, 1, 30), 3)).all()
    np.testing.assert_array_equal(
        nearest_level(np.array([-9.0, 1.9, 2.0, 2.1, 9]), np.array([1.0, 3.0])), [0, 0, 0, 1, 1]
    )


NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30)


@given(values=NUMBERS, n_levels=st.integers(2, 12))
def test_levels_of_any_values(values, n_levels):
    values = np.array(values)
    levels = find_levels(values, n_levels)
    assert 1 <= len(levels) <= n_levels
    assert (np.diff(levels) > 0).all()
    wide = np.abs(values).max()
    assert values.min() - 1e-9 * wide <= levels[0]
    assert levels[-1] <= values.max() + 1e-9 * wide
    places = nearest_level(values, levels)
    distance = np.abs(values[:, np.newaxis] - levels)
    found = distance[np.arange(len(values)), places]
    np.testing.assert_allclose(found, distance.min(axis=1), atol=1e-9 * wide)
    if len(set(values.tolist())) <= n_levels:
        np.testing.assert_array_equal(levels[places], values)


@given(seed=st.integers(0, 10_000), shift=st.floats(-1e3, 1e3))
def test_expected_levels_lie_between_the_levels(seed, shift):
    rng = np.random.default_rng(seed)
    levels = np.sort(rng.normal(size=4))
    logits = rng.normal(0, 20, (5, 4))
    found = expected_level(logits + shift, levels)
    assert (levels[0] - 1e-12 <= found).all()
    assert (found <= levels[-1] + 1e-12).all()
    # More weight on the highest level never lowers the mean.
    logits[:, -1] += 1
    assert (expected_level(logits, levels) >= found - 1e-9).all()


def test_gibbs_steps_rise():
    model = RBMRecommender(n_gibbs_steps=2, max_gibbs_steps=4, max_iter=6)
    assert [model._gibbs_steps(epoch) for epoch in range(6)] == [2, 2, 3, 3, 4, 4]
    model.set_params(max_gibbs_steps=None)
    assert [model._gibbs_steps(epoch) for epoch in range(6)] == [2] * 6


def test_a_fit_that_diverges_says_so(X):
    with pytest.raises(ValueError, match="Use a smaller learning_rate"):
        small("user", learning_rate=1e38).fit(X)


@BOTH
def test_what_the_other_orientation_left_is_gone(orientation, X):
    other = "item" if orientation == "user" else "user"
    model = small(other, conditional=True).fit(X).set_params(orientation=orientation).fit(X)
    fresh = small(orientation, conditional=True).fit(X)
    assert vars(model).keys() == vars(fresh).keys()
