"""PureSVD against dense decompositions, ARPACK and its own promises."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, random_array
from scipy.sparse.linalg import svds

from skrec.decomposition import PureSVD

SOLVERS = ["randomized", "arpack"]


def _data(shape=(500, 400), density=0.05, seed=0):
    """More items than are decomposed as a dense matrix; popular items and active users."""
    rng = np.random.default_rng(seed)
    X = random_array(shape, density=density, random_state=rng, format="csr")
    X = csr_array(X * (1 + np.arange(shape[1])[::-1] % 7))
    users, items = rng.normal(size=(shape[0], 8)) ** 2, rng.normal(size=(shape[1], 8)) ** 2
    X.data *= np.einsum("ef,ef->e", users[np.repeat(np.arange(len(users)), np.diff(X.indptr))],
                        items[X.indices])  # fmt: skip
    return X


def _decaying(shape=(500, 400), seed=0):
    """Singular values 1 / j, so that the leading ones are well apart."""
    rng = np.random.default_rng(seed)
    U = np.linalg.qr(rng.normal(size=shape))[0]
    V = np.linalg.qr(rng.normal(size=(shape[1], shape[1])))[0]
    return np.abs((U / (1 + np.arange(shape[1]))) @ V.T)


@pytest.mark.parametrize("solver", SOLVERS)
def test_vectors_are_those_of_a_dense_decomposition(solver):
    X = _decaying()
    _, s, Vt = np.linalg.svd(X)
    model = PureSVD(10, solver=solver, max_iter=10, random_state=0).fit(X)
    np.testing.assert_allclose(model.singular_values_, s[:10], rtol=1e-9)
    np.testing.assert_allclose(
        model.components_.T @ model.components_, Vt[:10].T @ Vt[:10], atol=1e-6
    )
    np.testing.assert_allclose(np.abs(np.sum(model.components_ * Vt[:10], axis=1)), 1, atol=1e-7)


def test_arpack_agrees_with_scipys_svds():
    X = _data()
    model = PureSVD(12, solver="arpack", random_state=0).fit(X)
    _, s, Vt = svds(X, k=12, v0=np.ones(400))
    np.testing.assert_allclose(model.singular_values_, s[::-1], rtol=1e-10)
    np.testing.assert_allclose(
        X @ model.components_.T @ model.components_, X @ Vt.T @ Vt, atol=1e-8
    )


def test_the_randomized_solver_gets_nearer_with_every_product():
    X = _data(shape=(900, 700))
    exact = np.sum(PureSVD(30, solver="arpack").fit(X).singular_values_ ** 2)
    missing = []
    for max_iter in (3, 4, 6, 8, 12):
        model = PureSVD(30, max_iter=max_iter, random_state=0).fit(X)
        missing.append(1 - np.linalg.norm(model.transform(X)) ** 2 / exact)
        assert model.n_iter_ == max_iter
        np.testing.assert_allclose(model.components_ @ model.components_.T, np.eye(30), atol=1e-10)
    assert (np.diff(missing) < 0).all()
    assert missing[3] < 1e-3  # max_iter=8, the default
    assert abs(missing[-1]) < 1e-5


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("n_items", [30, 400])
def test_scores_are_the_projection(solver, n_items):
    X = _data(shape=(200, n_items))
    model = PureSVD(7, solver=solver, random_state=0).fit(X)
    V = model.components_.T
    assert V.shape == (n_items, 7)
    new = _data(shape=(20, n_items), seed=1)
    np.testing.assert_allclose(model.transform(new), new @ V, atol=1e-10)
    np.testing.assert_allclose(model.decision_function(new), new @ V @ V.T, atol=1e-10)
    assert not model.decision_function(csr_array((2, n_items))).any()


def test_components_are_sorted_signed_and_named():
    model = PureSVD(6, random_state=0).fit(_data())
    assert (np.diff(model.singular_values_) <= 0).all()
    peaks = np.abs(model.components_).argmax(axis=1)
    assert (model.components_[np.arange(6), peaks] > 0).all()
    assert list(model.get_feature_names_out()[:2]) == ["puresvd0", "puresvd1"]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("n_items", [30, 400])
def test_sample_weight_is_repetition_even_where_the_space_is_random(solver, n_items):
    X = _data(shape=(150, n_items))
    weight = np.random.RandomState(1).randint(0, 4, X.shape[0])
    fit = {"solver": solver, "max_iter": 3, "random_state": 0}
    weighted = PureSVD(8, **fit).fit(X, sample_weight=weight)
    repeated = PureSVD(8, **fit).fit(X[np.repeat(np.arange(X.shape[0]), weight)])
    np.testing.assert_allclose(weighted.singular_values_, repeated.singular_values_, rtol=1e-10)
    np.testing.assert_allclose(
        weighted.decision_function(X), repeated.decision_function(X), atol=1e-8
    )
    plain = PureSVD(8, **fit).fit(X)
    assert np.abs(plain.decision_function(X) - weighted.decision_function(X)).max() > 0.1


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_beyond_the_rank_there_are_zeros(solver, dtype):
    rng = np.random.default_rng(0)
    X = (rng.uniform(size=(40, 3)) @ rng.uniform(size=(3, 400))).astype(dtype)
    model = PureSVD(9, solver=solver, random_state=0).fit(X)
    assert (model.singular_values_ > 0).sum() == 3
    assert not model.components_[3:].any()
    assert model.components_.dtype == model.singular_values_.dtype == dtype
    atol = 1e-4 if dtype == np.float32 else 1e-10
    np.testing.assert_allclose(model.decision_function(X), X, atol=atol)  # all of it is kept


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_matrix_without_entries_gives_zeros(solver):
    model = PureSVD(5, solver=solver).fit(csr_array((4, 400)))
    assert not model.decision_function(np.ones((2, 400))).any()
    assert not model.singular_values_.any()


@given(st.integers(1, 12), st.integers(1, 40), st.integers(1, 60), st.integers(0, 99))
@settings(max_examples=25)
def test_small_matrices_of_any_shape_are_decomposed_exactly(n_users, n_items, d, seed):
    X = _data(shape=(n_users, n_items), density=0.5, seed=seed)
    model = PureSVD(d).fit(X)
    assert model.components_.shape == (d, n_items)
    s = np.zeros(max(d, n_users, n_items))
    s[: min(n_users, n_items)] = np.linalg.svd(X.toarray(), compute_uv=False)
    np.testing.assert_allclose(model.singular_values_, s[:d], atol=1e-5 * max(1.0, s[0]))


def test_float32_is_close_to_float64():
    X = _data()
    wide = PureSVD(10, random_state=0).fit(X)
    narrow = PureSVD(10, random_state=0).fit(X.astype(np.float32))
    np.testing.assert_allclose(narrow.singular_values_, wide.singular_values_, rtol=1e-5)
    scores = wide.decision_function(X)
    np.testing.assert_allclose(
        narrow.decision_function(X), scores, atol=2e-3 * np.abs(scores).max()
    )


def test_a_seed_decides_and_threads_do_not():
    X = _data(shape=(3000, 400))
    one = PureSVD(10, n_jobs=1, random_state=3).fit(X)
    two = PureSVD(10, n_jobs=2, random_state=3).fit(X)
    np.testing.assert_array_equal(one.components_, two.components_)
    np.testing.assert_array_equal(one.transform(X), two.transform(X))
    other = PureSVD(10, n_jobs=1, random_state=4).fit(X)
    assert np.abs(one.singular_values_ - other.singular_values_).max() > 0


def test_explain_is_each_entry_times_the_projector():
    X = _data(shape=(50, 30))
    model = PureSVD(5).fit(X)
    items = model.recommend(X, k=3)
    items[4, 1] = -1
    contributions = model.explain(X, items)
    scores = np.take_along_axis(model.decision_function(X), items, axis=1)
    scores[4, 1] = 0
    np.testing.assert_allclose(contributions.sum(axis=1), scores.ravel(), atol=1e-10)
    projector = model.components_.T @ model.components_
    expected = X.toarray()[7] * projector[:, items[7, 2]]
    np.testing.assert_allclose(contributions[[23]].toarray()[0], expected, atol=1e-12)


def test_similar_items_are_those_with_the_largest_cosine():
    model = PureSVD(5).fit(_data(shape=(50, 30)))
    unit = model.components_ / np.linalg.norm(model.components_, axis=0)
    cosines = unit.T @ unit
    np.fill_diagonal(cosines, -np.inf)
    expected = np.argsort(-cosines[[3, 8]], axis=1)[:, :4]
    np.testing.assert_array_equal(model.similar_items([3, 8], k=4), expected)


@pytest.mark.parametrize(
    "wrong",
    [{"n_components": 0}, {"solver": "lanczos"}, {"max_iter": 2}, {"n_oversamples": -1}],
)
def test_wrong_parameters_are_errors(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PureSVD(**wrong).fit(_data(shape=(5, 5)))


def test_the_default_captures_what_the_documentation_says(data_home):
    if not (data_home / "ml-1m").is_dir():
        pytest.skip("ml-1m is not there")
    log = np.load(data_home / "ml-1m" / "interactions.npz")
    X = csr_array((np.ones(len(log["user"])), (log["user"], log["item"])))
    exact = np.sum(PureSVD(64, solver="arpack").fit(X).singular_values_ ** 2)
    found = np.sum(PureSVD(64, random_state=0).fit(X).singular_values_ ** 2)
    assert 0 <= 1 - found / exact < 1e-4
