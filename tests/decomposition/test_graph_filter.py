"""GraphFilter against dense algebra, PureSVD, and the laws of a projection."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from skrec.decomposition import GraphFilter, PureSVD


def _data(shape=(60, 35), *, seed=0, density=0.25):
    """Counts, with an empty row (4) and an empty column (5)."""
    rng = np.random.default_rng(seed)
    X = (rng.random(shape) < density) * rng.choice([1.0, 1.0, 2.0, 5.0], shape)
    X[4], X[:, 5] = 0, 0
    return X


def _powers(values, exponent):
    return np.where(values > 0, np.where(values > 0, values, 1.0) ** exponent, 0.0)


def _matrix(X, d, w, a, b, weight=None):
    """The matrix M of the scores x M, from dense algebra."""
    weight = np.ones(len(X)) if weight is None else weight
    degree = weight @ X
    R = _powers(X.sum(axis=1), -a)[:, None] * X * _powers(degree, -b)
    _, values, Vt = np.linalg.svd(np.sqrt(weight)[:, None] * R)
    V = Vt[:d][values[:d] > 1e-10].T
    filtered = _powers(degree, -b)[:, None] * (V @ V.T) * _powers(degree, b)
    return filtered + w * (R.T * weight) @ R


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("d", "w", "a", "b"),
    [(6, 0.0, 0.5, 0.5), (6, 0.7, 0.5, 0.5), (3, 2.0, 0.0, 1.0), (30, 0.1, 1.2, 0.3)],
)
def test_scores_are_those_of_dense_algebra(d, w, a, b, weighted):
    X, new = _data(), csr_array(_data((9, 35), seed=1))
    weight = np.random.default_rng(2).integers(0, 4, len(X)) if weighted else None
    model = GraphFilter(d, linear_weight=w, user_exponent=a, item_exponent=b, random_state=0)
    model.fit(X, sample_weight=weight)
    expected = new @ _matrix(X, d, w, a, b, weight)
    scores = model.decision_function(new)
    np.testing.assert_allclose(scores, expected, atol=1e-9)
    rows, items = np.nonzero(np.ones(new.shape))
    shuffled = np.random.default_rng(3).permutation(len(rows))
    found = model.score_pairs(new, rows[shuffled], items[shuffled])
    np.testing.assert_allclose(found, scores.ravel()[shuffled], rtol=1e-9, atol=1e-12)
    assert hasattr(model, "interactions_") == (w > 0)


def test_without_degrees_it_is_pure_svd():
    X = _data((300, 290), density=0.1)
    fit = {"max_iter": 8, "random_state": 0}
    plain = GraphFilter(12, user_exponent=0, item_exponent=0, **fit).fit(X)
    other = PureSVD(12, **fit).fit(X)
    np.testing.assert_allclose(plain.components_, other.components_, atol=1e-12)
    np.testing.assert_allclose(plain.transform(X), other.transform(X), atol=1e-12)
    np.testing.assert_allclose(plain.decision_function(X), other.decision_function(X), atol=1e-12)


@pytest.mark.parametrize(("a", "b"), [(0.5, 0.5), (0.3, 0.8)])
def test_it_is_a_projection_which_at_full_rank_leaves_what_was_seen(a, b):
    X = _data((25, 30))
    full = GraphFilter(30, user_exponent=a, item_exponent=b).fit(X)
    np.testing.assert_allclose(full.decision_function(X), X, atol=1e-9)
    some = GraphFilter(7, user_exponent=a, item_exponent=b).fit(X)
    M = some.decision_function(np.eye(30))
    np.testing.assert_allclose(M @ M, M, atol=1e-10)
    assert np.linalg.matrix_rank(M) == 7
    # In the metric of the degrees the projection is orthogonal: the smallest change of the row.
    scale = _powers(X.sum(axis=0), b)
    symmetric = scale[:, None] * M * _powers(scale, -1.0)
    np.testing.assert_allclose(symmetric, symmetric.T, atol=1e-10)


def test_the_smoothest_signal_of_the_normalised_graph_is_popularity():
    X = _data((80, 20), density=0.5)
    model = GraphFilter(1, user_exponent=0.5, item_exponent=0.5).fit(X)
    np.testing.assert_allclose(model.singular_values_, 1, rtol=1e-12)
    degree = X.sum(axis=0)
    # One component ranks all users' items by their degrees, whoever the users are.
    expected = np.outer(_data((5, 20), seed=1).sum(axis=1), degree) / degree.sum()
    np.testing.assert_allclose(model.decision_function(_data((5, 20), seed=1)), expected)


def test_the_unit_of_the_values_does_not_matter():
    X, new = _data(), _data((9, 35), seed=1)
    # The linear part has the unit to the power 2 - 2 a - 2 b, the filter none.
    halves = {"user_exponent": 0.5, "item_exponent": 0.5, "linear_weight": 1.0}
    for fit in ({"n_components": 8, **halves}, {"n_components": 8}):
        expected = GraphFilter(**fit).fit(X).decision_function(new)
        for unit in (1e-100, 1e100):
            found = GraphFilter(**fit).fit(unit * X).decision_function(new)
            np.testing.assert_allclose(found, expected, atol=1e-9)
    with pytest.raises(ValueError, match=r"sums of values are not finite.*Scale the values"):
        GraphFilter().fit(np.where(X > 0, 1e308, 0.0))


@pytest.mark.parametrize("w", [0.0, 1.0])
def test_batches_subsets_and_threads_agree(w):
    X = csr_array(_data((400, 300), density=0.1).astype(np.float32))
    fit = {"linear_weight": w, "random_state": 0}
    model, other = (GraphFilter(20, n_jobs=n, **fit).fit(X) for n in (1, 2))
    np.testing.assert_array_equal(model.components_, other.components_)
    scores = model.decision_function(X)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, other.decision_function(X), atol=2e-6)
    some = np.array([17, 3, 399, 4])
    np.testing.assert_allclose(model.decision_function(X[some]), scores[some], atol=2e-6)
    assert not scores[4].any()


def test_explanations_add_up_and_items_without_users_have_none():
    X, new = _data(), _data((9, 35), seed=1)
    new[:, 5] = 1
    model = GraphFilter(8, linear_weight=0.5, user_exponent=0.5, item_exponent=0.5).fit(X)
    targets = np.tile([0, 5, -1], (9, 1))
    parts = model.explain(new, targets)
    scores = model.decision_function(new)
    assert not scores[:, 5].any()
    expected = np.column_stack([scores[:, 0], np.zeros((9, 2))])
    np.testing.assert_allclose(parts.sum(axis=1).reshape(9, 3), expected, atol=1e-12)
    assert not parts.toarray()[:, 5].any()
    np.testing.assert_allclose(
        model.transform(new) @ (model.components_ * model.item_scale_),
        new @ _matrix(X, 8, 0.0, 0.5, 0.5), atol=1e-10,
    )  # fmt: skip


def test_similar_items_point_in_the_same_direction():
    X = _data()
    X[:, 7] = X[:, 9]  # twins
    model = GraphFilter(20).fit(X)
    found, cosines = model.similar_items([7, 9], 2, return_scores=True)
    np.testing.assert_array_equal(found[:, 0], [9, 7])
    np.testing.assert_allclose(cosines[:, 0], 1)


def test_a_second_fit_without_the_linear_part_keeps_no_users():
    model = GraphFilter(3, linear_weight=1.0).fit(_data())
    model.set_params(linear_weight=0.0).fit(_data())
    assert not hasattr(model, "interactions_")


@pytest.mark.parametrize(
    "wrong",
    [{"n_components": 0}, {"linear_weight": -1.0}, {"user_exponent": -0.1},
     {"item_exponent": np.inf}, {"max_iter": 2}],
)  # fmt: skip
def test_wrong_parameters_are_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        GraphFilter(**wrong).fit(_data())
