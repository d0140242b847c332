"""Scores and similarities of ItemKNN and UserKNN: slow dense twins, hand cases, edges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skrec.neighbors import ItemKNN, UserKNN
from skrec.neighbors._options import rating_deviation
from tests.reference import neighbors as twin
from tests.reference.neighbors import dense_data

METRICS = ("cosine", "asymmetric_cosine", "adjusted_cosine", "pearson", "jaccard")
MODELS = [ItemKNN, UserKNN]


def _with(model, **params):
    """An estimator whose frequency exponent is called `exponent`."""
    exponent = params.pop("exponent", 0.0)
    name = "activity_exponent" if model is ItemKNN else "popularity_exponent"
    return model(**{name: exponent}, n_jobs=1, **params)


def _twin_options(model):
    exponent, weighting = getattr(model, "activity_exponent", None), model.weighting
    if exponent == "auto":
        exponent = 1.0
    if weighting == "auto":
        counts = model.feedback == "implicit" and model.metric != "jaccard"
        weighting = "tfidf" if counts else None
    return {
        "metric": model.metric,
        "rating": model.feedback == "rating",
        "weighting": weighting,
        "exponent": model.popularity_exponent if exponent is None else exponent,
        "shrinkage": model.shrinkage,
        "source": model.source_exponent,
        "target": 0.7 if model.target_exponent == "auto" else model.target_exponent,
    }


def _twin_neighbors(model, train, X):
    if isinstance(model, ItemKNN):
        full = twin.similarities(train.T, train.T, **_twin_options(model))
        np.fill_diagonal(full, 0.0)
        return twin.nearest(full, model.n_neighbors).T
    return twin.nearest(twin.similarities(X, train, **_twin_options(model)), model.n_neighbors)


def _twin_scores(model, train, X):
    score = twin.item_scores if isinstance(model, ItemKNN) else twin.user_scores
    rating = {"deviation": rating_deviation(model), "damping": model.damping}
    return score(
        X, _twin_neighbors(model, train, X), train, rating=model.feedback == "rating", **rating
    )


@st.composite
def cases(draw):
    """Options that go together, a training matrix and rows to score."""
    feedback = draw(st.sampled_from(["implicit", "rating"]))
    implicit = feedback == "implicit"
    metric = draw(st.sampled_from(METRICS))
    weightings = [None, "tfidf", "bm25"] if implicit and metric != "jaccard" else [None]
    options = {
        "n_neighbors": draw(st.sampled_from([1, 2, 4, 50, None])),
        "metric": metric,
        "shrinkage": draw(st.sampled_from([0.0, 0.5, 10.0])),
        "source_exponent": draw(st.sampled_from([0.0, 0.3, 1.0, 2.0])),
        "target_exponent": draw(st.sampled_from([0.0, 0.3, 1.0])),
        "weighting": draw(st.sampled_from(weightings)),
        "exponent": draw(st.sampled_from([0.0, 0.5, 1.0])),
        "feedback": feedback,
        "deviation": None if implicit else draw(st.sampled_from([None, "item", "user", "both"])),
        "damping": draw(st.sampled_from([0.0, 3.0])),
    }
    n_items = draw(st.integers(1, 7))
    value = st.integers(0, 3) if implicit else st.integers(-4, 4)
    train = draw(arrays(float, (draw(st.integers(1, 8)), n_items), elements=value))
    X = draw(arrays(float, (draw(st.integers(1, 3)), n_items), elements=value))
    return options, train, X


@pytest.mark.parametrize("model", MODELS)
@given(case=cases())
def test_scores_equal_the_slow_twin(model, case):
    options, train, X = case
    fitted = _with(model, **options).fit(train)
    scores = fitted.decision_function(X)
    expected = _twin_scores(fitted, train, X)
    np.testing.assert_allclose(scores, expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"n_neighbors": None, "shrinkage": 3.0, "exponent": 0.7},
        {"n_neighbors": 4, "weighting": "tfidf", "source_exponent": 0.6},
        {"n_neighbors": 4, "weighting": "bm25", "shrinkage": 1.0, "exponent": 0.5},
        {"feedback": "rating", "n_neighbors": 6},
        {"feedback": "rating", "n_neighbors": 6, "deviation": "item", "damping": 2.0},
        {"feedback": "rating", "n_neighbors": 6, "deviation": None},
        {"feedback": "rating", "deviation": "user", "shrinkage": 2.0, "exponent": 1.0},
        {"feedback": "rating", "n_neighbors": None, "deviation": "both", "damping": 5.0},
    ],
    ids=lambda options: ",".join(f"{name}={value}" for name, value in options.items()),
)
def test_each_metric_equals_the_slow_twin(model, metric, options):
    if metric == "jaccard" and "weighting" in options:
        pytest.skip("refused, see test_contradictions")
    rating = options.get("feedback") == "rating"
    train, X = dense_data(rating=rating), dense_data(1, rating=rating)[:6]
    fitted = _with(model, metric=metric, **options).fit(train)
    expected = _twin_scores(fitted, train, X)
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(fitted.decision_function(X), expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("metric", METRICS)
def test_similarity_is_oriented_from_the_users_item_to_the_scored_item(metric):
    X = dense_data()
    model = ItemKNN(5, metric=metric, source_exponent=1.4, target_exponent=0.2).fit(X)
    np.testing.assert_allclose(
        model.similarity_.toarray(), _twin_neighbors(model, X, X), rtol=1e-9, atol=1e-12
    )
    assert np.diff(model.similarity_.tocsc().indptr).max() == 5  # columns are cut, not rows
    assert not model.similarity_.diagonal().any()
    assert model.similarity_.indices.dtype == np.int32
    np.testing.assert_allclose(model.decision_function(X), X @ model.similarity_, rtol=1e-12)


def test_hand_cases():
    # Users who have item 0: {0, 1}; item 1: {0, 1, 2}; item 2: {2}.
    X = np.array([[1, 1, 0], [1, 1, 0], [0, 1, 1]])
    plain = {"metric": "cosine", "activity_exponent": 0.0}
    cosine = ItemKNN(**plain).fit(X).similarity_.toarray()
    np.testing.assert_allclose(cosine[0, 1], 2 / np.sqrt(6))
    np.testing.assert_allclose(cosine[1, 2], 1 / np.sqrt(3))
    assert cosine[0, 2] == 0
    shrunk = ItemKNN(shrinkage=1.0, **plain).fit(X).similarity_.toarray()
    np.testing.assert_allclose(shrunk[0, 1], 2 / (np.sqrt(6) + 1))
    jaccard = ItemKNN(**plain | {"metric": "jaccard"}).fit(X).similarity_.toarray()
    np.testing.assert_allclose(jaccard[0, 1], 2 / 3)
    # Each user has 2 items and weight 1/2; the norms are sqrt(1) and sqrt(3/2).
    weighted = ItemKNN(metric="cosine").fit(X).similarity_.toarray()
    np.testing.assert_allclose(weighted[0, 1], 1 / np.sqrt(1.5))
    np.testing.assert_allclose(ItemKNN().fit(X).similarity_.toarray()[0, 1], 1 / 1.5**0.35)
    # The probability of the scored item given the user's: 2 of the 3 who have 1 have 0.
    conditional = ItemKNN(source_exponent=2.0, target_exponent=0.0, activity_exponent=0.0)
    conditional = conditional.fit(X).similarity_.toarray()
    np.testing.assert_allclose([conditional[1, 0], conditional[0, 1]], [2 / 3, 1.0])
    # Pearson's correlation over all users, those with neither item included.
    pearson = (
        ItemKNN(**plain | {"metric": "pearson"}).fit([[1, 1], [1, 1], [0, 1], [0, 0]]).similarity_
    )

    expected = np.corrcoef([1, 1, 0, 0], [1, 1, 1, 0])[0, 1]
    np.testing.assert_allclose(pearson.toarray()[0, 1], expected)
    # ... of the values as they are weighed.
    counts = np.array([[1, 1, 0], [2, 1, 0], [0, 1, 3], [1, 0, 0], [0, 0, 1]])
    idf = 1 + np.log(4 / (1 + (counts > 0).sum(1)))
    found = (
        ItemKNN(**plain | {"metric": "pearson"}, weighting="tfidf")
        .fit(counts)
        .similarity_.toarray()
    )
    expected = np.corrcoef((counts * idf[:, None]).T)
    np.testing.assert_allclose(found[0, 1], expected[0, 1])


def test_resnick_by_hand():
    train = np.array([[5.0, 3.0, 4.0], [1.0, 5.0, 3.0]])
    row = np.array([[4.0, 2.0, 0.0]])
    # Deviations (2: 1, -1), (v: 1, -1, 0), (w: -2, 2, 0): v is alike, w is opposed.
    model = UserKNN(feedback="rating", metric="pearson", deviation="user").fit(train)
    np.testing.assert_allclose(model.decision_function(row), [[4.0, 2.0, 3.0]])
    neighbors, similarity = model.similar_users(row, k=2, return_scores=True)
    np.testing.assert_array_equal(neighbors, [[0, -1]])
    np.testing.assert_allclose(similarity[0, 0], 1.0)


def test_weighted_average_by_hand():
    train = np.array([[4.0, 2.0, 0.0], [4.0, 2.0, 5.0], [2.0, 0.0, 1.0]])
    model = ItemKNN(feedback="rating", deviation=None).fit(train)
    s = model.similarity_.toarray()
    expected = (s[0, 2] * 3.0 + s[1, 2] * 1.0) / (s[0, 2] + s[1, 2])
    np.testing.assert_allclose(model.decision_function([[3.0, 1.0, 0.0]])[0, 2], expected)


@pytest.mark.parametrize("model", MODELS)
def test_a_rating_without_neighbours_is_the_mean(model):
    # Item 2 shares no user with the others; item 3 has no ratings.
    train = np.array([[5.0, 4, 0, 0], [3, 2, 0, 0], [0, 0, 1, 0]])
    mean, item_2 = train.sum() / 5, 1.0
    row = [[4.0, 0, 0, 0], [0, 0, 0, 0]]
    scores = model(feedback="rating", deviation=None).fit(train).decision_function(row)
    np.testing.assert_allclose(scores[0, 2:], [item_2, mean])
    np.testing.assert_allclose(scores[1], [4.0, 3.0, item_2, mean])
    both = model(feedback="rating").fit(train).decision_function(row)
    np.testing.assert_allclose(both[0, 2:], [item_2 + 0.0, mean])  # the row's bias is 4 - 4
    damped = model(feedback="rating", deviation=None, damping=3.0).fit(train).decision_function(row)
    np.testing.assert_allclose(damped[1, 2], (1 + 3 * mean) / 4)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("metric", ["pearson", "adjusted_cosine"])
def test_ratings_without_spread_are_alike_to_nothing(model, metric):
    # A third is no float: the deviations of equal ratings must not be its rounding.
    train = np.full((7, 6), 10 / 3)
    fitted = model(feedback="rating", metric=metric).fit(train)
    np.testing.assert_allclose(fitted.decision_function(train), train)
    if model is ItemKNN:
        assert fitted.similarity_.nnz == 0
    else:
        assert (fitted.similar_users(train, k=1) == -1).all()


def test_the_cut_takes_the_lower_index_of_equal_similarities():
    X = np.ones((4, 6))
    kept = ItemKNN(2).fit(X).similarity_.toarray() > 0
    for i in range(6):
        others = [j for j in range(6) if j != i]
        assert np.flatnonzero(kept[:, i]).tolist() == others[:2]


def test_rounding_does_not_order_neighbours():
    # Sums of tenths in another order differ in their last bits.
    rng = np.random.default_rng(3)
    column = rng.choice([0.1, 0.3, 0.7, 1.1, 0.0], 200)
    other = rng.choice([0.1, 0.3, 0.7, 0.0], 200)
    copies = [np.c_[column, other][rng.permutation(200)] for _ in range(6)]
    X = np.zeros((1200, 7))
    X[:, 0] = np.concatenate([pair[:, 0] for pair in copies])
    for at, pair in enumerate(copies):
        X[200 * at : 200 * (at + 1), at + 1] = pair[:, 1]
    sums = [float(np.cumsum(pair[:, 0] * pair[:, 1])[-1]) for pair in copies]
    assert len(set(sums)) > 1
    for k in range(1, 6):
        kept = np.flatnonzero(ItemKNN(k).fit(X).similarity_.toarray()[:, 0])
        np.testing.assert_array_equal(kept, np.arange(1, k + 1))


@pytest.mark.parametrize("model", MODELS)
def test_duplicate_items_tie(model):
    X = dense_data(2)
    X = np.c_[X, X[:, 3], X[:, 8], X[:, 3]]
    for metric in METRICS:
        scores = model(7, metric=metric).fit(X).decision_function(X)
        for a, b in ((3, 18), (3, 20), (8, 19)):
            np.testing.assert_allclose(scores[:, a], scores[:, b], rtol=1e-12, err_msg=metric)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (6, 1), (3, 4)])
@pytest.mark.parametrize("feedback", ["implicit", "rating"])
@pytest.mark.parametrize("metric", METRICS)
def test_tiny_and_empty_matrices(model, shape, feedback, metric):
    for X in (np.zeros(shape), np.ones(shape), np.eye(*shape)):
        fitted = model(1000, feedback=feedback, metric=metric).fit(X)
        scores = fitted.decision_function(np.vstack([X, np.ones((1, shape[1]))]))
        assert np.isfinite(scores).all()
        rows = np.arange(len(scores))
        pairs = fitted.score_pairs(np.vstack([X, np.ones((1, shape[1]))]), rows, rows * 0)
        np.testing.assert_array_equal(pairs, scores[:, 0])


def test_the_whole_buffer_is_used():
    # Far more candidates than the kernel's buffer holds, in rising and falling order.
    for order in (1, -1):
        lengths = np.arange(1, 301)[::order]
        X = np.zeros((301, 301))
        for item, length in enumerate(lengths):
            X[:length, item + 1] = 1.0
        X[:, 0] = 1.0
        kept = np.flatnonzero(ItemKNN(4).fit(X).similarity_.toarray()[:, 0])
        best = np.sort(np.argsort(-lengths, kind="stable")[:4]) + 1
        np.testing.assert_array_equal(kept, best)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"shrinkage": 2.0, "exponent": 0.5},
        {"feedback": "rating"},
        {"feedback": "rating", "deviation": None},
        {"feedback": "rating", "deviation": "both", "damping": 1.0, "shrinkage": 1.0},
    ],
    ids=str,
)
def test_explanations_add_up(model, metric, options):
    rating = options.get("feedback") == "rating"
    train, X = dense_data(rating=rating), dense_data(9, rating=rating)[:7]
    fitted = _with(model, n_neighbors=6, metric=metric, **options).fit(train)
    items = np.array([[0, 17, 3]] * 7)
    items[1, 0] = -1
    parts = fitted.explain(X, items)
    assert parts.shape == (21, 18)
    assert not (parts.toarray()[np.repeat(X == 0, 3, axis=0)]).any()
    assert parts.toarray()[3].sum() == 0  # -1 explains nothing
    scores = np.take_along_axis(fitted.decision_function(X), items, axis=1)
    if rating:
        # Without neighbours in the row, or with none who rated the item, nothing adds up.
        deviation = rating_deviation(fitted)
        base = twin.expected_ratings(X, train, deviation=deviation, damping=fitted.damping)
        base = np.take_along_axis(base, items, axis=1)
        asked = np.diff(parts.indptr).reshape(7, 3) > 0
        scores = scores - base if deviation else np.where(asked, scores, 0.0)
    scores[1, 0] = 0.0
    assert (scores != 0).mean() > 0.5
    np.testing.assert_allclose(parts.sum(axis=1).reshape(7, 3), scores, rtol=1e-9, atol=1e-10)
    single = fitted.explain(X, items[:, 1])
    np.testing.assert_allclose(single.toarray(), parts[1::3].toarray(), rtol=1e-12)
    with pytest.raises(ValueError, match="n_users=7"):
        fitted.explain(X, [0, 1])


def test_similar_items_are_the_columns_of_the_similarity():
    X = dense_data()
    model = ItemKNN(6, metric="asymmetric_cosine").fit(X)
    column = model.similarity_.toarray()[:, 3]
    items, values = model.similar_items([3, 5], k=8, return_scores=True)
    order = np.argsort(-column, kind="stable")[:6]
    np.testing.assert_array_equal(items[0], [*order, -1, -1])
    np.testing.assert_array_equal(values[0, :6], column[order])
    assert (items[1] == -1).all()  # item 5 has no user
    assert np.isneginf(values[1]).all()
    assert model.similar_items(3, k=40).shape == (1, 40)
    with pytest.raises(ValueError, match="must lie in"):
        model.similar_items([18])


def test_similar_users_of_a_training_row_start_with_itself():
    X = dense_data()
    found, similarity = UserKNN(3).fit(X).similar_users(X[[7]], k=25, return_scores=True)
    assert found[0, 0] == 7
    np.testing.assert_allclose(similarity[0, 0], 1.0)
    assert (found >= 0).sum() > 3  # n_neighbors is for scores


def test_weights_change_the_similarity_and_not_the_row():
    X = dense_data()
    model = ItemKNN(weighting="bm25").fit(X)
    np.testing.assert_allclose(model.decision_function(X), X @ model.similarity_, rtol=1e-12)
