"""P3alpha and RP3beta: walks counted one by one, powers of a transition matrix, ItemKNN."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from skrec.neighbors import ItemKNN, P3alpha, RP3beta
from tests.reference import neighbors as twin

ROWS = twin.dense_data(seed=3, shape=(9, 18))


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize(("exponent", "beta"), [(1.0, 0.0), (0.6, 0.4), (1.7, 1.2), (0.0, 0.5)])
@pytest.mark.parametrize("n_neighbors", [None, 4])
def test_weights_and_scores_are_those_of_walks_counted_one_by_one(
    exponent, beta, n_neighbors, normalize
):
    X = twin.dense_data()
    how = {"exponent": exponent, "n_neighbors": n_neighbors, "normalize": normalize}
    model = RP3beta(popularity_exponent=beta, **how).fit(X)
    expected = twin.walk_weights(X, beta=beta, **how)
    np.testing.assert_allclose(model.similarity_.toarray(), expected, rtol=1e-10, atol=1e-14)
    scores = twin.walk_scores(ROWS, expected, exponent=exponent)
    np.testing.assert_allclose(model.decision_function(ROWS), scores, rtol=1e-10, atol=1e-14)
    rows, items = np.nonzero(np.ones_like(ROWS))
    np.testing.assert_array_equal(
        model.score_pairs(ROWS, rows, items), model.decision_function(ROWS).ravel()
    )
    if beta == 0:
        same = P3alpha(**how).fit(X).similarity_
        np.testing.assert_array_equal(same.toarray(), model.similarity_.toarray())


def test_plain_walks_have_the_probabilities_of_the_third_power_of_the_transition_matrix():
    X = twin.dense_data(seed=1)
    n_users, n_items = X.shape
    edges = np.block([[np.zeros((n_users, n_users)), X], [X.T, np.zeros((n_items, n_items))]])
    degree = edges.sum(axis=1, keepdims=True)
    step = edges / np.where(degree > 0, degree, 1)
    arrives = np.linalg.matrix_power(step, 3)[:n_users, n_users:]
    returns = np.diag(np.linalg.matrix_power(step, 2)[n_users:, n_users:])
    model = P3alpha(None, exponent=1.0, normalize=False).fit(X)
    scores = model.decision_function(X) + step[:n_users, n_users:] * returns
    np.testing.assert_allclose(scores, arrives, atol=1e-14)
    # Walks that return to an item they came through are left out: the others lead elsewhere.
    reached = model.similarity_.sum(axis=1) + returns
    np.testing.assert_allclose(reached[X.any(axis=0)], 1, rtol=1e-12)


@pytest.mark.parametrize("n_neighbors", [3, None])
def test_where_all_users_have_equally_many_items_they_are_neighbours_with_free_exponents(
    n_neighbors,
):
    X = np.argsort(np.random.default_rng(0).random((30, 18)), axis=1) < 5
    walks = RP3beta(n_neighbors, exponent=0.8, popularity_exponent=0.3, normalize=False).fit(X)
    neighbors = ItemKNN(
        n_neighbors, source_exponent=1.6, target_exponent=0.6, activity_exponent=0.0
    ).fit(X)
    np.testing.assert_allclose(
        5**0.8 * walks.similarity_.toarray(), neighbors.similarity_.toarray(), rtol=1e-10
    )


@pytest.mark.parametrize("cls", [P3alpha, RP3beta])
def test_weighting_a_user_is_repeating_the_row(cls):
    X = twin.dense_data()
    weight = np.random.default_rng(0).integers(0, 4, len(X))
    weighted = cls(5).fit(X, sample_weight=weight).similarity_
    repeated = cls(5).fit(np.repeat(X, weight, axis=0)).similarity_
    np.testing.assert_allclose(weighted.toarray(), repeated.toarray(), rtol=1e-12)


def test_the_unit_of_the_values_does_not_matter():
    X = twin.dense_data()
    for unit in (1e-150, 2.0**30, 1e150):
        found = RP3beta(4).fit(unit * X)
        np.testing.assert_allclose(
            found.decision_function(unit * ROWS), RP3beta(4).fit(X).decision_function(ROWS),
            rtol=1e-9,
        )  # fmt: skip
    with pytest.raises(ValueError, match=r"sums of values are not finite.*Scale the values"):
        P3alpha().fit(np.where(X > 0, 1e308, 0.0))


def test_cut_and_scaled_rows_add_up_to_one_and_popularity_chooses_no_neighbours():
    X = twin.dense_data(seed=4)
    plain, divided = (RP3beta(4, popularity_exponent=b).fit(X).similarity_ for b in (0.0, 2.0))
    np.testing.assert_array_equal(plain.indices, divided.indices)
    for T in (plain, divided):
        assert np.diff(T.tocsc().indptr).max() == 4
        assert not T.diagonal().any()
        np.testing.assert_allclose(T.sum(axis=1)[np.diff(T.indptr) > 0], 1, rtol=1e-12)


def test_explanations_add_up_and_similar_items_are_what_one_item_recommends():
    X = twin.dense_data(seed=6)
    model = RP3beta(6).fit(X)
    lists, scores = model.recommend(ROWS, 3, return_scores=True)
    parts = model.explain(ROWS, lists)
    real = lists >= 0
    np.testing.assert_allclose(
        parts.sum(axis=1).reshape(lists.shape)[real], scores[real], rtol=1e-12
    )
    assert set(parts.nonzero()[1]) <= set(ROWS.nonzero()[1])
    alike, weights = model.similar_items(np.arange(18), 5, return_scores=True)
    items, scores = model.recommend(np.eye(18), 5, return_scores=True)
    kept = weights > 0
    np.testing.assert_array_equal(alike[kept], items[kept])
    np.testing.assert_allclose(weights[kept], scores[kept])
    assert (alike[~kept] == -1).all()
    assert not kept[5].any()  # item 5 has no user


def test_the_result_does_not_depend_on_the_threads():
    rng = np.random.default_rng(0)
    X = csr_array((rng.random((300, 120)) < 0.2) * rng.random((300, 120)))
    one, two = (RP3beta(20, n_jobs=n).fit(X) for n in (1, 2))
    np.testing.assert_array_equal(one.similarity_.data, two.similarity_.data)
    np.testing.assert_array_equal(one.decision_function(X), two.decision_function(X))


@pytest.mark.parametrize(
    "wrong", [{"exponent": -1.0}, {"popularity_exponent": np.nan}, {"n_neighbors": 0},
              {"normalize": 1}],
)  # fmt: skip
def test_wrong_parameters_are_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RP3beta(**wrong).fit(ROWS)
