"""BiasedMF against a dense twin, finite differences and its own objective."""

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.model_selection import GridSearchCV

from skrec.decomposition import BiasedMF
from skrec.decomposition._biased_mf_als import alternate
from skrec.utils._rating_ridge import rating_penalty, solve_side
from tests.reference import biased_mf as twin


def _ratings(n_users=40, n_items=25, seed=0, share=0.35, negative=False):
    """Rank-two ratings with biases and noise; the last user and the last item have none."""
    rng = np.random.RandomState(seed)
    level = 0.0 if negative else 3.5
    full = (
        level
        + 0.5 * rng.normal(size=(n_users, 1))
        + 0.5 * rng.normal(size=n_items)
        + 0.7 * rng.normal(size=(n_users, 2)) @ rng.normal(size=(2, n_items))
        + 0.1 * rng.normal(size=(n_users, n_items))
    )
    full *= rng.uniform(size=full.shape) < share
    full[-1], full[:, -1] = 0, 0
    return csr_array(full)


def _centred(X, mu):
    return csr_array((X.data - mu, X.indices, X.indptr), shape=X.shape)


def _objective(model, X):
    """The stated objective: the plain one of what is measured in units, times their square."""
    unit = model.penalty_unit_
    return unit**2 * twin.objective(
        X.toarray() / unit, model.intercept_ / unit, model.user_factors_ / unit**0.5,
        model.user_bias_ / unit, model.components_.T / unit**0.5, model.item_bias_ / unit,
        model.alpha, model.frequency_exponent, biased=model.bias,
    )  # fmt: skip


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize(("alpha", "nu"), [(0.05, 1.0), (2.0, 0.0), (0.3, 0.5)])
def test_a_sweep_is_that_of_the_dense_twin(biased, alpha, nu):
    X = _ratings()
    mu = X.data.mean() if biased else 0.0
    H = np.random.RandomState(1).normal(size=(X.shape[1], 3))
    count = (X.toarray() != 0).sum(axis=0)
    start = np.asarray(_centred(X, mu).sum(axis=0)) / np.maximum(
        count + rating_penalty(count, alpha, nu), 1
    )
    W, b, H_twin, c_twin = twin.sweep(
        X.toarray(), mu, H, start if biased else 0 * start, alpha, nu, biased=biased
    )
    H_ours, c_ours, curve = alternate(
        _centred(X, mu), H, biased=biased, alpha=alpha, frequency_exponent=nu, sweeps=range(1)
    )
    np.testing.assert_allclose(H_ours, H_twin, atol=1e-9)
    if biased:
        np.testing.assert_allclose(c_ours, c_twin, atol=1e-9)
    else:
        assert c_ours is None
    expected = twin.objective(X.toarray(), mu, W, b, H_twin, c_twin, alpha, nu, biased=biased)
    np.testing.assert_allclose(curve, [expected], rtol=1e-10)


@pytest.mark.parametrize("alpha", [0.0, 0.05, 0.4])
@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("nu", [0.0, 1.0])
def test_the_stated_objective_falls_in_every_sweep(alpha, biased, nu):
    X = _ratings(share=0.5)
    model = BiasedMF(
        4, alpha=alpha, bias=biased, frequency_exponent=nu, max_iter=25, random_state=0
    ).fit(X)
    curve = np.array(model.loss_curve_)
    # The ridge that stands in for alpha=0 may cost 1e-10 of the diagonal: see the Notes.
    assert (np.diff(curve) <= 1e-8 * curve[0]).all()
    assert curve[-1] < 0.98 * curve[0]  # the first sweep does most
    # After the last sweep the users were solved for once more.
    assert _objective(model, X) <= curve[-1] * (1 + 1e-8)
    assert model.n_iter_ == len(curve) == 25


def test_each_half_of_a_sweep_lowers_the_objective():
    X = _ratings()
    mu, alpha, nu = X.data.mean(), 0.1, 1.0
    rng = np.random.RandomState(3)
    W, b = rng.normal(size=(X.shape[0], 3)), rng.normal(size=X.shape[0])
    H, c = rng.normal(size=(X.shape[1], 3)), rng.normal(size=X.shape[1])
    R = X.toarray()
    values = [twin.objective(R, mu, W, b, H, c, alpha, nu)]
    for _ in range(4):
        Z = _centred(X, mu)
        W, b, _ = solve_side(Z, H, c, rating_penalty(np.diff(Z.indptr), alpha, nu))
        values.append(twin.objective(R, mu, W, b, H, c, alpha, nu))
        Z = csr_array(Z.T.tocsr())
        H, c, _ = solve_side(Z, W, b, rating_penalty(np.diff(Z.indptr), alpha, nu))
        values.append(twin.objective(R, mu, W, b, H, c, alpha, nu))
    assert (np.diff(values) < 0).all()


@pytest.mark.parametrize("solver", ["als", "sgd"])
@settings(max_examples=15)
@given(seed=st.integers(0, 500), biased=st.booleans(), nu=st.sampled_from([0.0, 0.5, 1.0]))
def test_a_new_row_satisfies_its_normal_equations(solver, seed, biased, nu):
    X = _ratings(20, 12, seed)
    model = BiasedMF(
        3, solver=solver, bias=biased, alpha=0.2, frequency_exponent=nu, max_iter=3,
        random_state=0, known_users="fold_in",
    ).fit(X)  # fmt: skip
    new = _ratings(6, 12, seed + 1000)
    vectors, scores = model.transform(new), model.decision_function(new)
    H = np.asarray(model.components_.T, dtype=np.float64)
    for u, row in enumerate(new.toarray()):
        rated = np.flatnonzero(row)
        bias = scores[u, 0] - model.intercept_ - model.item_bias_[0] - vectors[u] @ H[0]
        error = row[rated] - scores[u, rated]
        penalty = 0.2 * max(len(rated), 1) ** nu
        unit = model.penalty_unit_
        atol = 1e-9 if solver == "als" else 1e-4  # SGD's vectors are float32
        np.testing.assert_allclose(error @ H[rated], unit * penalty * vectors[u], atol=atol)
        np.testing.assert_allclose(error.sum() if biased else 0, penalty * bias, atol=atol)


@pytest.mark.parametrize("solver", ["als", "sgd"])
@pytest.mark.parametrize("bias", [True, False])
def test_predictions_grow_with_the_ratings(solver, bias):
    X = _ratings()
    options = {"solver": solver, "bias": bias, "max_iter": 5, "random_state": 0}
    small, large = (BiasedMF(3, **options).fit(Z) for Z in (X, X * 8.0))
    np.testing.assert_allclose(
        large.decision_function(X * 8.0), 8 * small.decision_function(X), rtol=1e-5, atol=1e-4
    )
    np.testing.assert_allclose(large.loss_curve_, 64 * np.array(small.loss_curve_), rtol=1e-5)
    assert small.penalty_unit_ == pytest.approx(np.std(X.data))
    # With a unit of 1 the same penalty weighs less on larger ratings.
    small, large = (BiasedMF(3, penalty_unit=1.0, **options).fit(Z) for Z in (X, X * 2.0))
    assert large.penalty_unit_ == 1.0
    assert np.abs(large.decision_function(X * 2.0) - 2 * small.decision_function(X)).max() > 0.01


@pytest.mark.parametrize("value", [3.0, 1e-100, 1e100])
def test_ratings_without_spread_and_of_any_size(value):
    X = csr_array(np.array([[value, 0, value], [value, value, 0]]))
    model = BiasedMF(2, random_state=0).fit(X)
    np.testing.assert_allclose(model.decision_function(X), value)
    Z = csr_array(np.array([[value, 0, -value], [value, -value, 0]]))
    assert BiasedMF(2, random_state=0).fit(Z).penalty_unit_ == pytest.approx(value)


@pytest.mark.parametrize("bias", [True, False])
def test_training_rows_are_solved_for_the_final_items(bias):
    X = _ratings()
    model = BiasedMF(3, bias=bias, max_iter=2, random_state=0).fit(X)
    np.testing.assert_allclose(model.transform(X), model.user_factors_, atol=1e-12)
    expected = (
        model.intercept_
        + model.user_bias_[:, None]
        + model.item_bias_
        + model.user_factors_ @ model.components_
    )
    np.testing.assert_allclose(model.decision_function(X), expected, atol=1e-12)
    if not bias:
        assert model.intercept_ == 0
        assert not model.item_bias_.any()
        assert not model.user_bias_.any()


def test_textbook_als_stays_finite_and_interpolates_short_rows_with_least_norm():
    X = _ratings(share=0.1)
    model = BiasedMF(12, bias=False, alpha=0.0, max_iter=40, random_state=0).fit(X)
    assert np.isfinite(model.decision_function(X)).all()
    H = model.components_.T
    short = [u for u, n in enumerate(np.diff(X.indptr)) if 0 < n <= 4]
    assert len(short) > 10
    for u in short:
        rated = X.indices[X.indptr[u] : X.indptr[u + 1]]
        least = np.linalg.lstsq(H[rated], X.toarray()[u, rated], rcond=1e-9)[0]
        scale = max(1.0, np.abs(least).max())
        np.testing.assert_allclose(model.user_factors_[u], least, atol=1e-4 * scale)


@pytest.mark.parametrize("solver", ["als", "sgd"])
def test_users_and_items_without_ratings(solver):
    X = _ratings()
    model = BiasedMF(3, solver=solver, random_state=0).fit(X)
    cold = model.decision_function(csr_array((2, X.shape[1])))
    np.testing.assert_allclose(cold, np.tile(model.intercept_ + model.item_bias_, (2, 1)))
    assert not model.components_[:, -1].any()
    assert model.item_bias_[-1] == 0
    assert not model.user_factors_[-1].any()
    assert model.user_bias_[-1] == 0
    np.testing.assert_allclose(model.intercept_, X.data.mean())


@pytest.mark.parametrize("biased", [True, False])
def test_a_rating_step_is_minus_the_gradient_by_finite_differences(biased):
    from skrec.utils._rating_kernels import rating_step

    rng = np.random.RandomState(0)
    W, H, b, c = rng.normal(size=(2, 3)), rng.normal(size=(2, 3)), np.zeros(2), np.zeros(2)
    if biased:
        b, c = rng.normal(size=2), rng.normal(size=2)
    rating, of_user, of_item, rate = 1.7, 0.3, 0.8, 1e-7

    def value(parameters):
        w, h, bu, ci = parameters[:3], parameters[3:6], parameters[6], parameters[7]
        error = rating - w @ h - bu - ci
        return (error**2 + of_user * (w @ w + bu**2) + of_item * (h @ h + ci**2)) / 2

    before = np.concatenate([W[1], H[0], [b[1], c[0]]])
    gradient = np.array([(value(before + e) - value(before - e)) / 2e-5 for e in 1e-5 * np.eye(8)])
    if not biased:
        gradient[6:] = 0
    others = W[0].copy(), H[1].copy()
    squared = rating_step(rating, 1, 0, W, H, b, c, rate, of_user, of_item, biased)
    after = np.concatenate([W[1], H[0], [b[1], c[0]]])
    np.testing.assert_allclose((before - after) / rate, gradient, atol=1e-5)
    error = rating - before[:3] @ before[3:6] - before[6] - before[7]
    np.testing.assert_allclose(squared, error**2)
    np.testing.assert_array_equal(W[0], others[0])
    np.testing.assert_array_equal(H[1], others[1])


def test_both_solvers_reach_the_same_objective():
    X = _ratings(200, 60, share=0.4)
    options = {"alpha": 0.1, "max_iter": 150, "random_state": 0}
    als = BiasedMF(3, **options).fit(X)
    sgd = BiasedMF(3, solver="sgd", learning_rate=0.05, **options).fit(X)
    assert sgd.loss_curve_[-1] < 0.5 * sgd.loss_curve_[0]
    assert _objective(sgd, X) == pytest.approx(_objective(als, X), rel=0.02)


@pytest.mark.parametrize("solver", ["als", "sgd"])
def test_better_than_biases_alone_on_held_out_ratings(solver):
    X = _ratings(300, 60, share=0.5)
    held = np.random.RandomState(1).uniform(size=X.nnz) < 0.2
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    train, test = (
        csr_array((X.data[part], (rows[part], X.indices[part])), shape=X.shape)
        for part in (~held, held)
    )
    full = BiasedMF(3, solver=solver, max_iter=60, random_state=0).fit(train)
    biases = BiasedMF(1, solver=solver, alpha=0.05, max_iter=60, init_scale=1e-12, random_state=0)
    rmse, plain = -full.score(train, test), -biases.fit(train).score(train, test)
    assert rmse < 0.35  # noise alone is 0.1, the ratings deviate by 1.2
    assert rmse < 0.7 * plain
    # Rows that are not known are solved for as well as those that were learned.
    folded = full.set_params(known_users="fold_in")
    assert -folded.score(train, test) < 0.4


@pytest.mark.parametrize("solver", ["als", "sgd"])
def test_bits_depend_on_the_seed_and_not_on_the_threads(solver):
    X = _ratings(3000, 2100, share=0.004)  # several blocks
    options = {"solver": solver, "max_iter": 3}
    one, two, other = (
        BiasedMF(4, n_jobs=n, random_state=seed, **options).fit(X)
        for n, seed in ((1, 0), (2, 0), (2, 1))
    )
    for name in ("components_", "user_factors_", "item_bias_", "user_bias_"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert one.loss_curve_ == two.loss_curve_
    assert not np.array_equal(one.components_, other.components_)


@pytest.mark.parametrize("backend", ["threading", "loky"])
@pytest.mark.parametrize("solver", ["als", "sgd"])
def test_search_on_a_parallel_backend(backend, solver):
    X = _ratings()
    grid = {"alpha": [0.05, 0.5]}
    model = BiasedMF(2, solver=solver, max_iter=3, random_state=0, n_jobs=2)
    expected = GridSearchCV(model, grid, cv=2).fit(X)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        found = GridSearchCV(model, grid, cv=2, n_jobs=2).fit(X)
    np.testing.assert_array_equal(
        found.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
    )
    assert (expected.cv_results_["mean_test_score"] < 0).all()  # minus RMSE


def test_known_users_are_matched_or_folded_in():
    X = _ratings()
    model = BiasedMF(3, solver="sgd", max_iter=5, random_state=0).fit(X)
    np.testing.assert_array_equal(model.transform(X), model.user_factors_)
    folded = model.set_params(known_users="fold_in").transform(X)
    assert np.abs(folded - model.user_factors_).max() > 1e-3
    changed = csr_array(X.toarray() + (X.toarray() != 0))
    np.testing.assert_array_equal(
        model.transform(changed), model.set_params(known_users="match").transform(changed)
    )
    assert not hasattr(model.set_params(solver="als").fit(X), "user_hashes_")


def test_explain_adds_up_to_the_prediction():
    X = _ratings(negative=True)
    model = BiasedMF(3, random_state=0).fit(X)
    items = model.recommend(X, k=3)
    contributions = model.explain(X, items)
    scores = np.take_along_axis(model.decision_function(X), items, axis=1)
    rest = scores - model.intercept_ - model.item_bias_[items]
    np.testing.assert_allclose(contributions.sum(axis=1), rest.ravel(), atol=1e-10)
    # A contribution is what the prediction loses with the rating's deviation from its mean.
    u, i = 0, items[0, 0]
    j = X.indices[X.indptr[u]]
    row = X[[u]].toarray()
    row[0, j] = model.intercept_ + model.item_bias_[j]
    lost = scores[0, 0] - model.decision_function(row)[0, i]
    np.testing.assert_allclose(contributions[[0]].toarray()[0, j], lost, atol=1e-10)
    assert not model.explain(X, np.full(X.shape[0], -1)).nnz
    assert not hasattr(BiasedMF(solver="sgd"), "explain")


def test_similar_items_are_those_with_parallel_vectors():
    X = _ratings(200, 20, share=0.5)
    model = BiasedMF(2, random_state=0).fit(X)
    found, cosines = model.similar_items([3, 0], k=4, return_scores=True)
    unit = model.components_ / np.maximum(np.linalg.norm(model.components_, axis=0), 1e-300)
    expected = unit[:, 3] @ unit
    expected[3] = -2
    np.testing.assert_array_equal(found[0], np.argsort(-expected)[:4])
    np.testing.assert_allclose(cosines[0], np.sort(expected)[::-1][:4])


def test_negative_ratings_and_minus_rmse():
    X = _ratings(negative=True)
    assert X.data.min() < 0
    model = BiasedMF(2, random_state=0).fit(X)
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    predicted = model.score_pairs(X, rows, X.indices)
    rmse = np.sqrt(np.mean((predicted - X.data) ** 2))
    np.testing.assert_allclose(model.score(X, X), -rmse)


def test_diverging_sgd_is_an_error_that_names_the_learning_rate():
    with pytest.raises(ValueError, match="learning_rate"):
        BiasedMF(2, solver="sgd", learning_rate=100.0, random_state=0).fit(_ratings())


@pytest.mark.parametrize(
    ("name", "value"),
    [("solver", "cg"), ("alpha", -1.0), ("bias", 1), ("n_components", 0), ("penalty_unit", 0.0)],
)
def test_wrong_parameters(name, value):
    with pytest.raises(ValueError, match=name):
        BiasedMF().set_params(**{name: value}).fit(_ratings())


def test_verbose_shows_the_sweeps(capsys):
    BiasedMF(2, max_iter=3, verbose=True, random_state=0).fit(_ratings())
    assert "3/3" in capsys.readouterr().err
