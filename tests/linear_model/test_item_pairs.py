"""EASE with pairs of items as inputs: ridge regressions with the columns left out, by hand."""

import itertools

import numpy as np
import pytest
from scipy.sparse import csr_array

from skrec.linear_model import EASE
from skrec.linear_model._item_pairs import check_pairs_memory, frequent_pairs, pair_values


def _data(shape=(70, 14), *, seed=0, counts=True):
    rng = np.random.default_rng(seed)
    values = rng.choice([1.0, 1.0, 2.0, 5.0], shape) if counts else 1.0
    X = (rng.random(shape) < np.linspace(0.6, 0.1, shape[1])) * values
    X[4], X[:, 5] = 0, 0
    return X


def _inputs(X, pairs):
    return np.hstack([X, np.sqrt(X[:, pairs[:, 0]] * X[:, pairs[:, 1]])])


def _regressions(X, pairs, alpha, pair_alpha, *, dropout=0.0, weight=None):
    """Each item by a ridge regression on the inputs that do not hold it."""
    weight = np.ones(len(X)) if weight is None else weight
    inputs, n_items = _inputs(X, pairs), X.shape[1]
    gram = (inputs.T * weight) @ inputs
    penalty = np.repeat([alpha, pair_alpha], [n_items, len(pairs)]) + dropout / (
        1 - dropout
    ) * np.diag(gram)
    W = np.zeros((inputs.shape[1], n_items))
    for i in range(n_items):
        kept = np.flatnonzero(np.concatenate([np.arange(n_items) != i, ~(pairs == i).any(axis=1)]))
        A = gram[np.ix_(kept, kept)] + np.diag(penalty[kept])
        W[kept, i] = np.linalg.solve(A, gram[kept, i])
    return W


@pytest.mark.parametrize(
    ("n_pairs", "options"),
    [(1, {}), (25, {}), (10**6, {"dropout": 0.4}), (25, {"weighted": True, "counts": False})],
)
def test_weights_are_those_of_regressions_without_what_holds_the_item(n_pairs, options):
    X = _data(counts=options.pop("counts", True))
    weighted = options.pop("weighted", False)
    weight = np.random.default_rng(1).integers(0, 4, len(X)) if weighted else None
    model = EASE(7.0, n_pairs=n_pairs, pair_alpha=30.0, **options).fit(X, sample_weight=weight)
    expected = _regressions(X, model.pairs_, 7.0, 30.0, weight=weight, **options)
    np.testing.assert_allclose(np.vstack([model.coef_, model.pair_coef_]), expected, atol=1e-10)
    assert (expected[14:] < 0).sum() > (expected[14:] > 0).sum()
    new = _data((9, 14), seed=2)
    scores = model.decision_function(new)
    np.testing.assert_allclose(scores, _inputs(new, model.pairs_) @ expected, atol=1e-10)
    rows, items = np.nonzero(np.ones_like(new))
    np.testing.assert_allclose(model.score_pairs(new, rows, items), scores.ravel(), atol=1e-12)


def test_pairs_of_a_large_penalty_say_nothing():
    X = _data()
    plain, pairs = EASE(7.0).fit(X), EASE(7.0, n_pairs=30, pair_alpha=1e12).fit(X)
    np.testing.assert_allclose(pairs.coef_, plain.coef_, atol=1e-9)
    assert np.abs(pairs.pair_coef_).max() < 1e-9
    alone = EASE(7.0, n_pairs=5).fit(np.eye(14) + 0.0)  # no two items have a user in common
    assert alone.pairs_.shape == (0, 2)
    assert alone.pair_coef_.shape == (0, 14)


def test_the_most_frequent_pairs_are_kept_of_equal_ones_the_lower(monkeypatch):
    X = _data((40, 23), counts=False)
    gram = X.T @ X
    order = sorted(itertools.combinations(range(23), 2), key=lambda pair: (-gram[pair], pair))
    gram[np.tril_indices(23, -1)] = np.nan  # is not read
    monkeypatch.setattr("skrec.linear_model._item_pairs._BLOCK", 4)
    for n in (1, 7, 60):
        expected = sorted(order[:n])
        np.testing.assert_array_equal(frequent_pairs(gram, n), expected)
    found = frequent_pairs(gram, 10**6)
    assert len(found) == (np.triu(X.T @ X, 1) > 0).sum()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_of_pairs_are_geometric_means_whatever_the_threads(dtype):
    X = csr_array(_data((3_000, 14)).astype(dtype))
    pairs = np.array([[0, 1], [0, 9], [3, 4], [9, 13]], dtype=np.int32)
    one, two = (pair_values(X, pairs, n_jobs=n) for n in (1, 2))
    np.testing.assert_allclose(one.toarray(), _inputs(X.toarray(), pairs)[:, 14:], rtol=1e-6)
    np.testing.assert_array_equal(one.data, two.data)
    assert one.has_canonical_format
    assert one.dtype == dtype


def test_explanations_add_up_half_of_a_pair_at_either_item():
    X, new = _data(), csr_array(_data((9, 14), seed=2))
    model = EASE(7.0, n_pairs=30, pair_alpha=10.0).fit(X)
    targets = np.tile([3, -1, 5], (9, 1))
    parts = model.explain(new, targets)
    scores = model.decision_function(new)
    expected = np.where(targets >= 0, scores[:, targets[0]], 0)
    np.testing.assert_allclose(parts.sum(axis=1).reshape(9, 3), expected, atol=1e-12)
    pair = model.pairs_[0]
    row = np.zeros((1, 14))
    row[0, pair] = 1
    target = np.setdiff1d(np.arange(14), pair)[:1]
    found = model.explain(row, target).toarray()[0, pair]
    half = model.pair_coef_[0, target[0]] / 2
    np.testing.assert_allclose(found, model.coef_[pair, target[0]] + half, rtol=1e-10)


def test_what_pairs_do_not_go_with_is_said():
    with pytest.raises(ValueError, match=r"positive=True.*n_pairs=3: use n_pairs=0"):
        EASE(positive=True, n_pairs=3).fit(_data())
    with pytest.raises(ValueError, match=r"partial_fit.*n_pairs=3: use n_pairs=0"):
        EASE(n_pairs=3).partial_fit(_data())
    with pytest.raises(ValueError, match="pair_alpha"):
        EASE(pair_alpha=0.0).fit(_data())
    model = EASE(n_pairs=3).fit(_data()).set_params(n_pairs=0)
    with pytest.warns(UserWarning, match="begins anew"):
        assert not hasattr(model.partial_fit(_data()), "pairs_")
    model = EASE(n_pairs=3).fit(_data())
    model.set_params(n_pairs=0).fit(_data())
    assert not hasattr(model, "pairs_")
    with pytest.raises(MemoryError, match=r"1,000 items and 10,000,000 pairs.*a smaller n_pairs"):
        check_pairs_memory(1_000, 10**7, dtype=np.float32, n_entries=0)


@pytest.mark.cuda
def test_cuda_agrees():
    X = _data((500, 60))
    fit = {"alpha": 5.0, "n_pairs": 100, "dtype": "float32"}
    expected = EASE(**fit).fit(X)
    found = EASE(**fit, device="cuda").fit(X)
    np.testing.assert_array_equal(found.pairs_, expected.pairs_)
    for name in ("coef_", "pair_coef_"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-4)
