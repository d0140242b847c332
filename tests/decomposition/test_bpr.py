"""BPR: gradients by finite differences, losses, negatives, determinism, known users."""

import joblib
import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.model_selection import cross_val_score

from skrec.decomposition import BPR
from skrec.decomposition import _bpr_sgd as sgd
from skrec.utils._cells import Cells
from skrec.utils._hashing import keyed_negatives, row_hashes
from skrec.utils._rates import learning_rates

LOSSES = ("log", "hinge", "warp")


def _data(n_users=120, n_items=40, n_groups=4, seed=0):
    """Users of a group like the items of that group; popular items come first in each."""
    rng = np.random.RandomState(seed)
    same = np.arange(n_users)[:, None] % n_groups == np.arange(n_items) % n_groups
    popular = np.linspace(1.0, 0.3, n_items)
    return csr_array((rng.uniform(size=same.shape) < np.where(same, 0.55, 0.03) * popular) * 1.0)


def _held_out(X):
    """Every fourth item of each user held out."""
    dense = X.toarray()
    held_out = np.zeros_like(dense)
    for row, held in zip(dense, held_out, strict=True):
        held[np.flatnonzero(row)[::4]] = 1
    return csr_array(dense - held_out), csr_array(held_out)


def _wide(seed=0):
    """Wide enough for several blocks of users and of items."""
    rng = np.random.RandomState(seed)
    return csr_array((rng.uniform(size=(300, 2600)) < 0.01) * 1.0)


def _loss(x, name, weight=1.0):
    if name == "log":
        return np.log1p(np.exp(-x))
    return weight * max(0.0, 1.0 - x)


def _value(parameters, d, name, alpha, weight):
    """The objective of one triplet, p, q_i, q_j, b_i and b_j in one vector."""
    p, a, b = parameters[:d], parameters[d : 2 * d], parameters[2 * d : 3 * d]
    x = p @ (a - b) + parameters[-2] - parameters[-1]
    return _loss(x, name, weight) + alpha / 2 * parameters @ parameters


def _train_once(name, X, d, model, alpha, rate, *, max_sampled=1, adaptive=False):
    """One pass of the kernel over all of X, which makes one block; the sum of the losses."""
    cells = Cells(X, np.random.default_rng(0), n_jobs=1)
    assert cells.n == 1
    squares = np.ones(X.shape[0]), np.ones(X.shape[1])
    harmonic = sgd.harmonic_sums(X.shape[1], np.float64)
    descent = sgd.Descent(sgd.LOSSES.index(name), harmonic, max_sampled, rate, alpha, adaptive)
    return sgd.one_pass(cells, descent, sgd.Model(*model, *squares)), squares


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("separation", [-0.7, 0.4, 3.0])
def test_a_step_is_minus_the_gradient_of_the_triplet(name, separation):
    # Two items, of which the user has the first: there is one triplet, and one negative.
    rng = np.random.RandomState(0)
    d, alpha, rate = 3, 0.3, 1e-7
    P, Q, bias = rng.normal(size=(1, d)), rng.normal(size=(2, d)), rng.normal(size=2)
    bias[0] += separation - (P[0] @ (Q[0] - Q[1]) + bias[0] - bias[1])
    before = np.concatenate([P[0], Q[0], Q[1], bias])
    steps = 1e-6 * np.eye(len(before))
    weight = 1.0  # WARP: (n_items - 1) / 1 draw is rank 1, and its weight is 1
    gradient = np.array(
        [
            (
                _value(before + e, d, name, alpha, weight)
                - _value(before - e, d, name, alpha, weight)
            )
            / 2e-6
            for e in steps
        ]
    )
    total, _ = _train_once(name, csr_array([[1.0, 0.0]]), d, (P, Q, bias), alpha, rate)
    moved = (before - np.concatenate([P[0], Q[0], Q[1], bias])) / rate
    if name == "warp" and separation > 1:
        gradient[:] = 0  # no draw beats the item: it is left alone, penalty and all
    np.testing.assert_allclose(moved, gradient, atol=1e-6)
    np.testing.assert_allclose(total, _loss(separation, name), atol=1e-12)


def test_adagrad_divides_by_the_root_of_one_plus_the_mean_squared_gradients():
    rng = np.random.RandomState(1)
    d, rate, alpha = 3, 0.1, 0.2
    P, Q, bias = rng.normal(size=(1, d)), rng.normal(size=(2, d)), rng.normal(size=2)
    p, (a, b), c = P[0].copy(), Q.copy(), bias.copy()
    slope = 1 / (1 + np.exp(p @ (a - b) + c[0] - c[1]))
    of_user = 1 + np.mean((slope * (a - b)) ** 2)
    of_item = 1 + np.mean(np.append(slope * p, slope) ** 2)
    _, squares = _train_once(
        "log", csr_array([[1.0, 0.0]]), d, (P, Q, bias), alpha, rate, adaptive=True
    )
    np.testing.assert_allclose(squares[0], [of_user])
    np.testing.assert_allclose(squares[1], [of_item, of_item])
    step_u, step_i = rate / np.sqrt(of_user), rate / np.sqrt(of_item)
    np.testing.assert_allclose(P[0], p + step_u * (slope * (a - b) - alpha * p))
    np.testing.assert_allclose(Q[0], a + step_i * (slope * p - alpha * a))
    np.testing.assert_allclose(Q[1], b + step_i * (-slope * p - alpha * b))
    np.testing.assert_allclose(bias[1], c[1] + step_i * (-slope - alpha * c[1]))


def test_warp_weighs_by_the_rank_that_the_number_of_draws_estimates():
    # 21 items; the user has item 0, and only item 20 violates: the sum of the loss shows
    # the weight of rank floor(20 / draws), and the draws are geometric.
    n, ranks = 21, []
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, n))])
    X = csr_array(([1.0], ([0], [0])), shape=(1, n))
    for seed in range(300):
        P, Q, bias = np.zeros((1, 2)), np.zeros((n, 2)), np.full(n, -5.0)
        bias[0], bias[20] = 0.0, 0.5
        cells = Cells(X, np.random.default_rng(seed), n_jobs=1)
        model = sgd.Model(P, Q, bias, np.ones(1), np.ones(n))
        total = sgd.one_pass(cells, sgd.Descent(2, harmonic, 50, 1e-9, 0.0, False), model)
        if total == 0:  # 50 draws have not found it
            ranks.append(0)
            continue
        weight = total / 1.5  # 1 - x = 1.5
        rank = int(np.flatnonzero(np.isclose(harmonic, weight))[0])
        assert rank in {20 // draws for draws in range(1, 51)}
        ranks.append(rank)
    ranks = np.array(ranks)
    # One draw (rank 20) has a chance of 1/20, more than 10 (rank 1 or 0) of 0.95**10 = .60.
    assert np.mean(ranks == 20) == pytest.approx(0.05, abs=0.04)
    assert np.mean(ranks <= 1) == pytest.approx(0.60, abs=0.09)
    assert np.mean(ranks == 0) == pytest.approx(0.95**20, abs=0.09)


def test_max_sampled_bounds_the_draws():
    n = 21
    X = csr_array(([1.0], ([0], [0])), shape=(1, n))
    harmonic = sgd.harmonic_sums(n, np.float64)
    found = 0
    for seed in range(200):
        P, Q, bias = np.zeros((1, 2)), np.zeros((n, 2)), np.full(n, -5.0)
        bias[0], bias[20] = 0.0, 0.5
        cells = Cells(X, np.random.default_rng(seed), n_jobs=1)
        model = sgd.Model(P, Q, bias, np.ones(1), np.ones(n))
        found += sgd.one_pass(cells, sgd.Descent(2, harmonic, 2, 1e-9, 0.0, False), model) > 0
    assert found / 200 == pytest.approx(1 - 0.95**2, abs=0.06)


@pytest.mark.parametrize(("by_popularity", "n_negatives"), [(False, 12), (True, 12)])
def test_negatives_are_uniform_or_popular_and_never_the_users_own(by_popularity, n_negatives):
    n = 16
    own = np.arange(4)
    popularity = np.arange(n)  # column i has i users beside the one that is looked at
    dense = (np.arange(n)[:, None] > n - 1 - popularity).astype(float)
    dense[0] = np.isin(np.arange(n), own)
    X = csr_array(dense)
    counts = np.zeros(n)
    for seed in range(400):
        # Only user 0 learns from: a negative's bias falls below zero.
        part = csr_array(dense * (np.arange(n) == 0)[:, None])
        cells = Cells(part, np.random.default_rng(seed), n_jobs=1)
        if by_popularity:
            cells.copies = np.bincount(X.indices, minlength=n) + 1
        model = sgd.Model(np.zeros((n, 1)), np.zeros((n, 1)), np.zeros(n), np.ones(n), np.ones(n))
        sgd.one_pass(cells, sgd.Descent(1, np.zeros(1), 1, 1e-3, 0.0, False), model)
        counts += np.maximum(0, -model.item_bias)
    assert not counts[own].any()
    expected = np.where(by_popularity, np.bincount(X.indices, minlength=n) + 1, 1.0)
    expected[own] = 0
    shares = counts / counts.sum()
    np.testing.assert_allclose(shares, expected / expected.sum(), atol=0.02)


def test_every_other_item_becomes_a_negative_over_the_passes():
    X = _wide()
    cells = Cells(X, np.random.default_rng(0), n_jobs=1)
    assert cells.n > 1
    bias = np.zeros(X.shape[1], dtype=np.float32)
    model = sgd.Model(
        np.zeros((X.shape[0], 1), np.float32), np.zeros((X.shape[1], 1), np.float32), bias,
        np.ones(X.shape[0], np.float32), np.ones(X.shape[1], np.float32),
    )  # fmt: skip
    descent = sgd.Descent(1, np.zeros(1), 1, np.float32(1e-3), np.float32(0), False)
    for _ in range(4):
        sgd.one_pass(cells, descent, model)
    popularity = np.bincount(X.indices, minlength=X.shape[1])
    negatives = 4 * popularity - bias / 1e-3  # as a positive each bias rises by the rate
    expected = 4 * X.nnz / X.shape[1]
    assert negatives.mean() == pytest.approx(expected, rel=1e-3)
    # Independent draws would make the variance the mean (Poisson).
    assert negatives.var() == pytest.approx(expected, rel=0.25)


def test_every_interaction_is_visited_once_a_pass():
    X = _wide()
    cells = Cells(X, np.random.default_rng(0), n_jobs=2)
    for _ in range(2):
        cells.deal()
        visited = csr_array((np.ones(X.nnz), (cells.cell_user, cells.cell_item)), shape=X.shape)
        assert (visited != X).nnz == 0
        assert cells.bounds[-1] == X.nnz
        assert (np.diff(cells.bounds) >= 0).all()


@pytest.mark.parametrize("solver", ["adagrad", "sgd"])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_loss_falls_and_the_ranking_is_better_than_by_popularity(loss, solver):
    from skrec.dummy import DummyRecommender

    X = _data()
    rate = 0.02 if (loss, solver) == ("warp", "sgd") else 0.2
    model = BPR(8, loss=loss, solver=solver, learning_rate=rate, max_iter=60, random_state=0)
    train, y = _held_out(X)
    model.fit(train)
    # WARP weighs what is left the more, the higher it ranks: its loss falls slowly.
    assert model.loss_curve_[-1] < (0.9 if loss == "warp" else 0.7) * model.loss_curve_[0]
    assert model.n_iter_ == len(model.loss_curve_) == 60
    assert model.score(train, y) > DummyRecommender().fit(train).score(train, y) + 0.05


@pytest.mark.parametrize("loss", LOSSES)
def test_fold_in_ranks_as_well_as_what_was_learned(loss):
    from skrec.dummy import DummyRecommender

    train, y = _held_out(_data(200))
    model = BPR(8, loss=loss, max_iter=60, random_state=0).fit(train)
    matched = model.score(train, y)
    folded = model.set_params(known_users="fold_in").score(train, y)
    assert folded == pytest.approx(matched, abs=0.05)
    assert matched > DummyRecommender().fit(train).score(train, y) + 0.05


@pytest.mark.parametrize("loss", LOSSES)
def test_fold_in_lowers_the_rows_own_loss(loss):
    X = _data()
    model = BPR(4, loss=loss, max_iter=40, random_state=0, known_users="fold_in").fit(X)
    scores = model.decision_function(X)
    zero = np.tile(model.item_bias_, (X.shape[0], 1))

    def pair_loss(values):
        total, pairs = 0.0, 0
        for u in range(X.shape[0]):
            own = X.indices[X.indptr[u] : X.indptr[u + 1]]
            rest = np.setdiff1d(np.arange(X.shape[1]), own)
            x = values[u, own][:, None] - values[u, rest]
            total += (np.logaddexp(0, -x) if loss == "log" else np.maximum(0, 1 - x)).sum()
            pairs += x.size
        return total / pairs

    assert pair_loss(scores) < 0.8 * pair_loss(zero)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("negatives", ["uniform", "popularity"])
def test_bits_depend_on_the_seed_and_not_on_the_threads(loss, negatives):
    X = _wide()
    options = {"loss": loss, "negatives": negatives, "max_iter": 2, "learning_rate": 0.05}
    one, two, other = (
        BPR(5, n_jobs=n, random_state=seed, **options).fit(X)
        for n, seed in ((1, 0), (2, 0), (2, 1))
    )
    for name in ("components_", "user_factors_", "item_bias_"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert one.loss_curve_ == two.loss_curve_
    assert not np.array_equal(one.components_, other.components_)
    new = _wide(1)
    np.testing.assert_array_equal(one.transform(new), two.transform(new))
    np.testing.assert_array_equal(one.transform(new)[:3], one.transform(new[:3]))


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_cross_validation_on_a_parallel_backend(backend):
    X = _data()
    model = BPR(4, max_iter=3, random_state=0, n_jobs=2)
    expected = cross_val_score(model, X, cv=2)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        np.testing.assert_array_equal(cross_val_score(model, X, cv=2, n_jobs=2), expected)


def test_known_users_are_matched_by_content():
    X = _data()
    X = X[np.sort(np.unique(X.toarray(), axis=0, return_index=True)[1])]  # no row is twice there
    model = BPR(4, max_iter=5, random_state=0).fit(X)
    order = np.random.RandomState(0).permutation(X.shape[0])
    np.testing.assert_array_equal(model.transform(X[order]), model.user_factors_[order])
    folded = model.set_params(known_users="fold_in").transform(X)
    assert np.abs(folded - model.user_factors_).max() > 1e-2
    other = 1 - X.toarray()
    other = other[[not (row == X.toarray()).all(1).any() for row in other]]
    by_match = model.set_params(known_users="match").transform(other)
    by_fold_in = model.set_params(known_users="fold_in").transform(other)
    np.testing.assert_array_equal(by_match, by_fold_in)


@pytest.mark.parametrize("known_users", ["match", "fold_in"])
@pytest.mark.parametrize("negatives", ["uniform", "popularity"])
def test_values_do_not_matter(known_users, negatives):
    X = _data().toarray()
    counts = X * np.random.RandomState(1).randint(1, 6, X.shape)
    options = {"known_users": known_users, "negatives": negatives, "random_state": 0}
    models = [BPR(4, max_iter=5, **options).fit(values) for values in (X, counts)]
    expected = models[0].decision_function(X)
    for model in models:
        for values in (X, counts, X.astype(np.int8)):
            np.testing.assert_array_equal(model.decision_function(values), expected)


def test_rows_without_triplets():
    X = _data().toarray()
    X[3], X[4] = 0, 1
    model = BPR(4, max_iter=5, random_state=0).fit(X)
    for known_users in ("match", "fold_in"):
        scores = model.set_params(known_users=known_users).decision_function(X[3:5])
        np.testing.assert_array_equal(scores, np.tile(model.item_bias_.astype(float), (2, 1)))


def test_the_item_bias_is_popularity_where_nothing_else_tells():
    rng = np.random.RandomState(0)
    X = csr_array((rng.uniform(size=(400, 12)) < np.linspace(0.05, 0.6, 12)) * 1.0)
    model = BPR(2, alpha=0.02, max_iter=100, random_state=0).fit(X)
    popularity = np.bincount(X.indices)
    assert np.corrcoef(model.item_bias_, popularity)[0, 1] > 0.9
    np.testing.assert_array_equal(model.item_popularity_, popularity)


def test_popular_negatives_of_a_new_row():
    X = _data(400, 20)
    popularity = np.arange(1, 21) ** 2
    hashes = row_hashes(X)
    uniform = keyed_negatives(X, 64, 3, hashes=hashes)
    drawn = sgd.popular_negatives(X, uniform, popularity, 4, hashes)
    dense = X.toarray()
    assert not np.take_along_axis(dense, drawn, axis=1).any()
    free = dense[0] == 0
    rows = np.flatnonzero((dense == dense[0]).all(axis=1))
    np.testing.assert_array_equal(drawn[rows], np.tile(drawn[0], (len(rows), 1)))
    # Over all rows: each draws in proportion to popularity among what it has not.
    expected = ((dense == 0) * popularity / ((dense == 0) * popularity).sum(axis=1)[:, None]).sum(0)
    counts = np.bincount(drawn.ravel(), minlength=20) / 64
    np.testing.assert_allclose(counts, expected, rtol=0.25, atol=1.0)
    assert free.any()


def test_similar_items_share_the_group():
    model = BPR(8, max_iter=60, random_state=0).fit(_data(400))
    similar = model.similar_items(np.arange(8), k=5)
    assert np.mean(similar % 4 == np.arange(8)[:, None] % 4) > 0.9
    assert (similar != np.arange(8)[:, None]).all()


def test_factors_that_grow_without_bound_are_an_error_that_names_the_remedy():
    with pytest.raises(ValueError, match="learning_rate"):
        BPR(4, solver="sgd", loss="warp", learning_rate=1e30, random_state=0).fit(_data())


@pytest.mark.parametrize(
    ("name", "value"),
    [("loss", "bpr"), ("solver", "adam"), ("alpha", -1.0), ("negatives", "all"), ("max_iter", 0),
     ("learning_rate", 0.0), ("schedule", "cosine"), ("known_users", "id"), ("max_sampled", 0)],
)  # fmt: skip
def test_wrong_parameters(name, value):
    with pytest.raises(ValueError, match=name):
        BPR().set_params(**{name: value}).fit(_data())


def test_learning_rates():
    np.testing.assert_allclose(learning_rates(0.4, 4, "linear"), [0.4, 0.3, 0.2, 0.1])
    np.testing.assert_allclose(learning_rates(0.4, 2, "constant"), [0.4, 0.4])


def test_verbose_shows_the_passes(capsys):
    BPR(2, max_iter=3, verbose=True, random_state=0).fit(_data())
    assert "3/3" in capsys.readouterr().err
