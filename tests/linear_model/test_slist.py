"""SLIST: against regressions on one row per position, which the library never makes."""

import numpy as np
import pytest
from scipy.sparse import csr_array

import skrec
from skrec.linear_model import EASE, SLIST
from skrec.metrics import evaluate

N_ITEMS = 9


def _times(n_users=25, *, ties=False, seed=0):
    """Rows of distinct times, or of few that several entries share."""
    rng = np.random.default_rng(seed)
    X = np.zeros((n_users, N_ITEMS))
    for row in X:
        n = rng.integers(0, N_ITEMS)
        when = rng.integers(1, 5, n) if ties else 1 + rng.permutation(40)[:n]
        row[rng.permutation(N_ITEMS)[:n]] = when
    return X


def _weight(row, item, moment, earlier, model):
    """What an item weighs at a moment, before it or at it and after."""
    time = row[item]
    if time < moment:
        between = np.sum((row > time) & (row < moment))
    else:
        between = np.sum((row >= moment) & (row < time))
    if model.window is not None and between >= model.window:
        return 0.0
    gap = np.inf if model.gap_half_life is None else model.gap_half_life
    return 2.0 ** (-between / model.half_life) * 2.0 ** (-abs(moment - time) / gap)


def _positions(X, model):
    """A row of what was before and one of what came next, for each position of each user."""
    before, after, users = [], [], []
    for user, row in enumerate(X):
        for moment in np.unique(row[row > 0])[1:]:
            weights = [
                _weight(row, item, moment, row[item] < moment, model) if row[item] else 0.0
                for item in range(len(row))
            ]
            before.append(np.where(row < moment, weights, 0.0))
            after.append(np.where(row >= moment, weights, 0.0))
            users.append(user)
    shape = (-1, N_ITEMS)
    return np.reshape(before, shape), np.reshape(after, shape), np.array(users, dtype=int)


def _slow_coef(X, model, weight=None):
    """Least squares for each item alone, on the stacked equations."""
    weight = np.ones(len(X)) if weight is None else weight
    S, T, users = _positions(X, model)
    R = (X > 0).astype(float)
    by_position = np.sqrt((1 - model.similarity) * weight[users])[:, None]
    by_user = np.sqrt(model.similarity * weight)[:, None]
    inputs = np.vstack([by_position * S, by_user * R, np.sqrt(model.alpha) * np.eye(N_ITEMS)])
    targets = np.vstack([by_position * T, by_user * R, np.zeros((N_ITEMS, N_ITEMS))])
    coef = np.zeros((N_ITEMS, N_ITEMS))
    for item in range(N_ITEMS):
        others = np.arange(N_ITEMS) != item
        coef[others, item] = np.linalg.lstsq(inputs[:, others], targets[:, item])[0]
    return coef


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"similarity": 0.0, "window": 3},
        {"similarity": 0.3, "window": 2, "half_life": 0.7, "gap_half_life": 4.0},
        {"similarity": 0.1, "window": None, "half_life": np.inf},
        {"similarity": 0.0, "window": None, "half_life": 5.0, "gap_half_life": 20.0},
        {"similarity": 0.2, "window": 1},
    ],
)
def test_least_squares_over_positions(options, ties):
    X = _times(ties=ties)
    model = SLIST(alpha=0.8, **options).fit(csr_array(X))
    np.testing.assert_allclose(model.coef_, _slow_coef(X, model), atol=1e-9)


def test_scores_of_what_came_before_the_end():
    X = _times(ties=True, seed=3)
    model = SLIST(2.0, window=4, half_life=3.0, gap_half_life=2.0).fit(X)
    past = np.zeros(X.shape)
    for user, row in enumerate(X):
        for item in np.flatnonzero(row):
            later = np.sum(row > row[item])
            if later < 4:
                past[user, item] = 2.0 ** (-later / 3.0 - (row.max() - row[item]) / 2.0)
    scores = model.decision_function(X)
    np.testing.assert_allclose(scores, past @ model.coef_)
    parts = model.explain(X, model.predict(X))
    best = np.take_along_axis(scores, model.predict(X)[:, None], axis=1)[:, 0]
    np.testing.assert_allclose(parts.sum(axis=1), np.where(model.predict(X) < 0, 0, best))
    rows, items = np.divmod(np.arange(X.size), N_ITEMS)
    np.testing.assert_allclose(model.score_pairs(X, rows, items), scores.ravel())


def test_similarity_alone_is_ease():
    X = _times(60)
    ones = (X > 0).astype(float)
    model = SLIST(3.0, similarity=1.0, half_life=np.inf, window=None).fit(X)
    expected = EASE(3.0).fit(ones)
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-12)
    np.testing.assert_allclose(
        model.decision_function(X), expected.decision_function(ones), atol=1e-12
    )


def test_weights_are_repeated_rows():
    X, weight = _times(), np.arange(25) % 3
    model = SLIST(1.0, window=3).fit(X, sample_weight=weight)
    again = SLIST(1.0, window=3).fit(np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(model.coef_, again.coef_, atol=1e-12)
    np.testing.assert_allclose(model.coef_, _slow_coef(X, model, weight), atol=1e-9)


def test_order_is_what_counts():
    """Another unit and another clock for each user change nothing, another order does."""
    X = _times()
    model = SLIST().fit(X)
    other = np.where(X > 0, 3.0 * X + 1e6 * np.arange(1, 26)[:, None], 0.0)
    np.testing.assert_allclose(SLIST().fit(other).coef_, model.coef_)
    backwards = np.where(X > 0, 50.0 - X, 0.0)
    assert np.abs(SLIST().fit(backwards).coef_ - model.coef_).max() > 1e-3


def test_finds_what_comes_next():
    """Users walk around a circle of items: the next is one of two that are equally near."""
    rng = np.random.default_rng(0)
    X, y = np.zeros((300, 30)), np.zeros((300, 30))
    for row, held in zip(X, y, strict=True):
        path = (rng.integers(30) + np.arange(8)) % 30
        row[path[:7]] = np.arange(1, 8)
        held[path[7]] = 8
    found = evaluate(SLIST(1.0).fit(X[:200]), X[200:], y[200:], "hit_rate@1")
    alike = evaluate(EASE(1.0).fit(X[:200] > 0), (X > 0)[200:], y[200:], "hit_rate@1")
    assert found.mean["hit_rate@1"] == 1.0 > alike.mean["hit_rate@1"] + 0.2


@pytest.mark.slow  # compiles the kernel once more
def test_float32_matrices():
    X = _times(60)
    model = SLIST(3.0, dtype="float32").fit(X)
    np.testing.assert_allclose(model.coef_, SLIST(3.0).fit(X).coef_, atol=1e-5)


def test_a_saved_model(tmp_path):
    X = _times(60)
    model = SLIST(3.0).fit(X)
    loaded = skrec.load(skrec.save(model, tmp_path / "model.skops"))
    np.testing.assert_array_equal(loaded.decision_function(X), model.decision_function(X))


def test_times_that_float32_cannot_tell_apart():
    X = (1.7e9 * (_times() > 0) + _times()).astype(np.float32)
    with pytest.raises(ValueError, match=r"SLIST takes .* lie 128 apart.*float64"):
        SLIST().fit(X)
    model = SLIST().fit(_times())
    with pytest.raises(ValueError, match="float32 cannot tell apart"):
        model.decision_function(X)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("alpha", 0.0),
        ("half_life", 0.0),
        ("half_life", float("nan")),
        ("half_life", None),
        ("window", 0),
        ("similarity", 1.5),
        ("gap_half_life", -1.0),
    ],
)
def test_parameters(name, value):
    with pytest.raises(ValueError, match=f"'{name}' parameter of SLIST"):
        SLIST(**{name: value}).fit(_times())


def test_rows_without_order():
    """One time for all: nothing to learn from order, and equal weights."""
    X = (_times() > 0).astype(float)
    with pytest.warns(UserWarning, match=r"SLIST takes .* each row has a single time"):
        model = SLIST(1.0).fit(X)
    np.testing.assert_allclose(model.coef_, _slow_coef(X, SLIST(1.0)), atol=1e-9)
    np.testing.assert_allclose(model.decision_function(X), X @ model.coef_)
