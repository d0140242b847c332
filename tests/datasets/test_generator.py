import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.utils import Bunch

from skrec.datasets import _generator_kernels as kernels
from skrec.datasets import load_demo, make_interactions
from skrec.datasets._generator import Catalogue, Tastes
from skrec.datasets._generator_parts import split_activity


def _ndcg(scores, seen, held, k=100):
    """Mean nDCG@k of binary relevance; rows without held-out items do not count."""
    scores = np.where(seen > 0, -np.inf, scores)
    k = min(k, scores.shape[1])
    top = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    discount = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(discount)[np.minimum(held.sum(axis=1), k).astype(int) - 1]
    return (np.take_along_axis(held, top, axis=1) @ discount / ideal).mean()


def _ease_against_popularity(X, alpha, seed, n_folds=5):
    """nDCG@100 of both for new users, over folds of users, a fifth of each hidden."""
    rng = np.random.default_rng(seed)
    folds = np.array_split(rng.permutation(X.shape[0]), n_folds)
    ease, popular = [], []
    for test in folds:
        mask = np.ones(X.shape[0], dtype=bool)
        mask[test] = False
        gram = (X[mask].T @ X[mask]).toarray()
        P = np.linalg.inv(gram + alpha * np.eye(len(gram)))
        B = -P / np.diag(P)
        np.fill_diagonal(B, 0)
        D = X[test].toarray()
        D = D[D.sum(axis=1) >= 2]
        held = np.zeros_like(D)
        for row in range(len(D)):
            items = np.flatnonzero(D[row])
            held[row, rng.choice(items, max(1, len(items) // 5), replace=False)] = 1
        seen = D - held
        ease.append(_ndcg(seen @ B, seen, held))
        popular.append(_ndcg(np.tile(np.diag(gram), (len(D), 1)), seen, held))
    return np.mean(ease), np.mean(popular)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("n_users", "n_items", "n_interactions", "alpha"),
    [(100, 50, None, 10), (200, 40, 800, 10), (300, 100, None, 30), (1500, 400, None, 100)],
)
def test_personalised_models_beat_popularity(n_users, n_items, n_interactions, alpha, seed):
    X = make_interactions(n_users, n_items, n_interactions, random_state=seed, return_X=True)
    ease, popular = _ease_against_popularity(X, alpha, seed)
    assert ease > 1.3 * popular


def test_without_taste_nothing_is_personal():
    X = make_interactions(1000, 100, 15000, taste=0.0, random_state=0, return_X=True)
    ease, popular = _ease_against_popularity(X, 1000, 0)
    assert ease < 1.05 * popular


@settings(max_examples=60)
@given(
    n_users=st.integers(1, 40),
    n_items=st.integers(1, 40),
    density=st.floats(0, 1),
    taste=st.sampled_from([0.0, 0.9, 1.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_exact_number_without_duplicates(n_users, n_items, density, taste, seed):
    n = max(1, round(density * n_users * n_items))
    data = make_interactions(n_users, n_items, n, taste=taste, random_state=seed)
    X = data.X
    assert isinstance(X, csr_array)
    assert X.shape == (n_users, n_items)
    assert X.nnz == n
    assert_array_equal(X.data, 1)
    entries = data.user.astype(np.int64) * n_items + data.item
    assert (np.diff(entries) > 0).all()  # sorted, and each pair once
    if n >= n_users:
        assert np.diff(X.indptr).min() >= 1


@given(
    n_users=st.integers(1, 50),
    n_items=st.integers(1, 50),
    share=st.floats(0, 1),
    sigma=st.sampled_from([0.0, 1.0, 4.0]),
)
def test_activity_sums_up(n_users, n_items, share, sigma):
    n = max(1, round(share * n_users * n_items))
    counts = split_activity(n_users, n_items, n, sigma, np.random.default_rng(0))
    assert counts.sum() == n
    assert counts.min() >= 0
    assert counts.max() <= n_items


def test_same_seed_same_bits():
    params = {"feedback": "rating", "timestamps": True, "item_features": True}
    one = make_interactions(200, 80, random_state=3, **params)
    two = make_interactions(200, 80, random_state=3, **params)
    other = make_interactions(200, 80, random_state=4, **params)
    for name in one:
        a, b = one[name], two[name]
        if isinstance(a, csr_array):
            assert (a != b).nnz == 0
        else:
            assert_array_equal(a, b)
    assert (one.X != other.X).nnz > 0


def test_the_log_does_not_depend_on_what_comes_with_it():
    plain = make_interactions(100, 60, random_state=1)
    rich = make_interactions(
        100, 60, random_state=1, feedback="rating", timestamps=True, item_features=True
    )
    assert_array_equal(plain.item, rich.item)


def test_global_random_state_is_untouched():
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    make_interactions(50, 20, random_state=0)
    make_interactions(50, 20, random_state=np.random.RandomState(0))
    assert_array_equal(np.random.get_state()[1], before)


def test_long_tail_and_activity():
    X = make_interactions(4000, 1000, 80_000, random_state=0, return_X=True)
    popularity = np.sort(np.bincount(X.indices, minlength=1000))[::-1]
    assert popularity[:200].sum() > 0.5 * X.nnz
    assert popularity[500:].sum() < 0.25 * X.nnz
    activity = np.log(np.diff(X.indptr))
    inner = activity[np.diff(X.indptr) > 5]  # 5 is the floor
    assert 0.5 < inner.std() < 1.2
    assert stats.skew(np.exp(activity)) > 2


def test_law_of_the_draws():
    """First draws follow the weights; the finish by keys is the same law as rejection."""
    n_users, weights = 40_000, np.array([4.0, 2.0, 1.0, 1.0])
    indptr = np.arange(0, 2 * n_users + 1, 2)
    one_group = (np.arange(n_users + 1), np.zeros(n_users, np.int64), np.ones(n_users))
    catalogue = Catalogue(
        np.array([0, 4]), np.arange(4), np.cumsum(weights), weights / 8, np.zeros(4, np.int64)
    )
    drawn = np.empty(2 * n_users, dtype=np.int32)
    kernels.draw_items(indptr, Tastes(*one_group, 0.5), catalogue, np.uint64(1), 0, n_users, drawn)
    pairs = drawn.reshape(-1, 2)
    expected = np.zeros((4, 4))
    for i in range(4):
        for j in range(4):
            if i != j:
                expected[i, j] = weights[i] / 8 * weights[j] / (8 - weights[i])
    found = np.bincount(pairs[:, 0] * 4 + pairs[:, 1], minlength=16) / n_users
    assert_allclose(found, expected.ravel(), atol=4 * np.sqrt(0.25 / n_users))

    state, out = np.uint64(5), np.empty(2, dtype=np.int32)
    counts = np.zeros(16)
    for user in range(8000):
        seen = np.full(4, -1, dtype=np.int64)
        start = np.uint64((int(state) + user * 0x9E3779B97F4A7C15 * 64) % 2**64)
        kernels._finish(start, weights / 8, np.zeros(4, np.int64), np.ones(1), 0.0, seen, 0, out)
        counts[out[0] * 4 + out[1]] += 1
    assert_allclose(counts / 8000, expected.ravel(), atol=4 * np.sqrt(0.25 / 8000))


def test_ratings():
    data = make_interactions(3000, 300, feedback="rating", random_state=0)
    assert_array_equal(np.unique(data.rating), [1, 2, 3, 4, 5])
    assert data.rating is data.X.data
    assert data.value_name == "rating"
    assert 3 < data.rating.mean() < 4
    halves = make_interactions(3000, 300, feedback="rating", half_stars=True, random_state=0)
    assert_array_equal(np.unique(halves.rating), np.arange(1, 11) / 2)
    # Biases alone explain a good part, so ratings can be learned.
    user_mean = np.bincount(data.user, data.rating) / np.bincount(data.user)
    residual = data.rating - user_mean[data.user]
    item_mean = np.bincount(data.item, residual) / np.maximum(np.bincount(data.item), 1)
    rest = residual - item_mean[data.item]
    assert rest.var() < 0.8 * data.rating.var()
    # What is left depends on the group: tastes are in the ratings too.
    cell = data.user.astype(np.int64) * 1000 + data.item_group[data.item]
    _, code, size = np.unique(cell, return_inverse=True, return_counts=True)
    between = (np.bincount(code, rest) ** 2 / size).sum() / (len(size) - 1)
    assert between > 1.3 * rest.var()


def test_timestamps():
    data = make_interactions(300, 100, timestamps=True, random_state=0)
    assert data.timestamp.dtype == np.int64
    assert data.timestamp.shape == data.X.data.shape
    assert data.timestamp.min() >= 1420070400
    for user in range(300):
        row = slice(data.X.indptr[user], data.X.indptr[user + 1])
        times = data.timestamp[row]
        assert len(np.unique(times)) == len(times)
        assert_array_equal(np.argsort(np.argsort(times)), data.time_rank[row])
    # Favourites come first: the weight of the first item is above that of the last.
    popularity = np.bincount(data.item, minlength=100)
    last = np.diff(data.X.indptr)[data.user] - 1
    early = popularity[data.item[data.time_rank == 0]].mean()
    late = popularity[data.item[data.time_rank == last]].mean()
    assert early > 1.1 * late


def test_item_features_tell_the_group():
    data = make_interactions(200, 400, 3000, n_groups=5, item_features=True, random_state=0)
    assert data.item_features.shape == (400, 20)
    assert len(data.feature_names) == 20
    assert_array_equal(np.unique(data.item_features.data), [1])
    scores = cross_val_score(LogisticRegression(), data.item_features.toarray(), data.item_group)
    assert scores.mean() > 0.6  # chance is .2


def test_group_shares():
    # Sparse enough that hardly a draw is rejected as a repeat.
    data = make_interactions(2000, 5000, 10_000, n_groups=25, popularity_exponent=0.0,
                             random_state=0)  # fmt: skip
    shares = data.user_group_shares
    assert_allclose(shares.sum(axis=1), 1)
    hits = shares.toarray()[data.user, data.item_group[data.item]] > 0
    expected = 0.9 + 0.1 * np.average(np.diff(shares.indptr) / 25, weights=np.diff(data.X.indptr))
    assert_allclose(hits.mean(), expected, atol=0.01)


def test_return_and_dtype():
    X = make_interactions(30, 20, random_state=0, return_X=True, dtype=np.float32)
    assert isinstance(X, csr_array)
    assert X.dtype == np.float32
    data = make_interactions(30, 20, random_state=0)
    assert isinstance(data, Bunch)
    assert data.data is data.X


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_users": 0}, "n_users of make_interactions must be a whole number >= 1"),
        ({"n_items": 2.5}, "n_items"),
        ({"n_users": 3, "n_items": 4, "n_interactions": 13}, "13 is more than the 12 pairs"),
        ({"n_items": 10, "n_groups": 11}, "n_groups=11 is more than n_items=10"),
        ({"taste": 1.1}, "taste"),
        ({"popularity_exponent": -1}, "popularity_exponent"),
        ({"activity_sigma": -1}, "activity_sigma"),
        ({"feedback": "stars"}, "feedback .* one of 'implicit', 'rating'"),
        ({"timestamps": 1}, "timestamps"),
    ],
)
def test_bad_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        make_interactions(**params)


def test_demo():
    data = load_demo()
    assert data.X.shape == (2000, 600)
    assert data.X.nnz == 40_000
    assert len(set(data.titles.tolist())) == 600
    assert data.user_ids[0] == "listener-0001"
    assert data.item_ids[-1] == "album-600"
    assert_array_equal(data.genre_names[data.item_features.indices], data.genres)
    assert (load_demo(return_X=True) != data.X).nnz == 0
    ease, popular = _ease_against_popularity(data.X, 50, 0, n_folds=2)
    assert ease > 1.3 * popular


def test_item_images_show_the_group():
    data = make_interactions(100, 200, 1500, n_groups=5, item_images=True, random_state=0)
    assert data.item_images.shape == (200, 3, 24, 24)
    assert data.item_images.dtype == np.uint8
    colours = data.item_images.reshape(200, 3, -1)
    features = np.hstack([colours.mean(axis=2), colours.std(axis=2)])
    assert (
        cross_val_score(LogisticRegression(max_iter=2000), features, data.item_group).mean() > 0.8
    )
    again = make_interactions(100, 200, 1500, n_groups=5, item_images=True, random_state=0)
    assert_array_equal(again.item_images, data.item_images)
    without = make_interactions(100, 200, 1500, n_groups=5, random_state=0)
    assert_array_equal(without.X.toarray(), data.X.toarray())
