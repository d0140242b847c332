"""SLIM against scikit-learn's ElasticNet, the optimality conditions, EASE and itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls
from scipy.sparse import csr_array, vstack
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet

from skrec.linear_model import EASE, SLIM, _slim
from skrec.utils.estimator_checks import check_recommender
from tests.instances import OUR_CHECKS_SAME_FOR_VARIANTS, scikit_learn_checks

TIGHT = {"tol": 1e-9, "dtype": "float64"}


def make_matrix(n_users=80, n_items=30, *, seed=0, binary=False, density=0.25):
    """Items in overlapping groups, so that weights are not all zero."""
    rng = np.random.default_rng(seed)
    taste = rng.gamma(0.5, size=(n_users, 6)) @ rng.gamma(0.5, size=(6, n_items))
    chosen = rng.uniform(size=taste.shape) < density * taste / taste.mean()
    values = np.ones(taste.shape) if binary else rng.integers(1, 6, size=taste.shape)
    dense = np.where(chosen, values, 0).astype(float)
    dense[:, -1] = 0  # an item that nobody has
    return csr_array(dense)


def objective(X, W, alpha, l1_ratio):
    W = W.toarray().astype(float)
    residual = X - X @ W
    penalty = l1_ratio * np.abs(W).sum() + (1 - l1_ratio) / 2 * (W**2).sum()
    return 0.5 * (residual**2).sum() + alpha * penalty


def elastic_net(X, alpha, l1_ratio, *, positive, candidates=None):
    """The weights by scikit-learn, one column at a time, with a precomputed Gram matrix."""
    n_users, n_items = X.shape
    W = np.zeros((n_items, n_items))
    for j in range(n_items):
        chosen = np.arange(n_items) != j
        if candidates is not None:
            chosen &= candidates[:, j]
        if not chosen.any():
            continue
        A = np.asfortranarray(X[:, chosen])
        model = ElasticNet(
            alpha=alpha / n_users,
            l1_ratio=l1_ratio,
            positive=positive,
            fit_intercept=False,
            precompute=A.T @ A,
            tol=1e-12,
            max_iter=100_000,
        )
        W[chosen, j] = model.fit(A, X[:, j]).coef_
    return W


def nearest_by_cosine(X, k):
    """candidates[i, j]: i is one of the k nearest items of j, of equal ones the first."""
    G = X.T @ X
    norm = np.sqrt(np.diag(G))
    candidates = np.zeros(G.shape, dtype=bool)
    for j in range(len(G)):
        others = [i for i in range(len(G)) if i != j and G[i, j] > 0]
        others.sort(key=lambda i: (-round(G[i, j] / norm[i], 12), i))
        candidates[others[:k], j] = True
    return candidates


FORMS = [
    pytest.param({"precompute": True}, id="gram"),
    pytest.param({"precompute": False}, id="entries"),
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize(("alpha", "l1_ratio"), [(20.0, 0.1), (3.0, 0.7), (8.0, 0.01)])
def test_columns_equal_elastic_net(form, positive, alpha, l1_ratio):
    X = make_matrix()
    expected = elastic_net(X.toarray(), alpha, l1_ratio, positive=positive)
    model = SLIM(alpha, l1_ratio=l1_ratio, positive=positive, **form, **TIGHT).fit(X)
    np.testing.assert_allclose(model.coef_.toarray(), expected, atol=1e-7)
    assert expected.any()
    # Single precision and the default tolerance.
    model.set_params(tol=1e-5, dtype="float32").fit(X)
    np.testing.assert_allclose(model.coef_.toarray(), expected, atol=1e-4)
    assert model.coef_.dtype == np.float32


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("positive", [True, False])
def test_active_set_grows(form, positive):
    """Columns with some hundred weights, so that items enter in several rounds."""
    X = make_matrix(400, 300, seed=1, binary=True)
    model = SLIM(1.0, l1_ratio=0.01, positive=positive, **form, **TIGHT).fit(X)
    counts = np.diff(model.coef_.tocsc().indptr)
    assert counts.max() > 64
    assert kkt_violation(X.toarray(), model.coef_.toarray(), 0.01, 0.99, positive) < 1e-6


def kkt_violation(X, W, l1, l2, positive):
    """Largest absolute violation of the optimality conditions off the diagonal."""
    Q = X.T @ (X - X @ W) - l2 * W  # minus the gradient of the smooth part
    zero = np.maximum(Q if positive else np.abs(Q), l1) - l1
    violation = np.where(W == 0, zero, np.abs(Q - l1 * np.sign(W)))
    np.fill_diagonal(violation, 0)
    return violation.max()


@given(
    seed=st.integers(0, 10**6),
    alpha=st.floats(0.01, 30),
    l1_ratio=st.floats(0, 0.99),
    positive=st.booleans(),
    precompute=st.booleans(),
)
def test_optimality_conditions(seed, alpha, l1_ratio, positive, precompute):
    X = make_matrix(40, 12, seed=seed)
    model = SLIM(
        alpha, l1_ratio=l1_ratio, positive=positive, precompute=precompute, max_iter=10**5, **TIGHT
    ).fit(X)
    W = model.coef_.toarray()
    assert not W.diagonal().any()
    assert not positive or W.min() >= 0
    assert np.all(model.coef_.data != 0)
    l1, l2 = alpha * l1_ratio, alpha * (1 - l1_ratio)
    # tol is in units of weights; times the curvature it is in those of the gradient.
    curvature = (X**2).sum(axis=0).max() + l2
    assert kkt_violation(X.toarray(), W, l1, l2, positive) < 1e-7 * curvature


@pytest.mark.parametrize("form", FORMS)
def test_lasso(form):
    X = make_matrix(seed=2)
    expected = elastic_net(X.toarray(), 6.0, 1.0, positive=True)
    model = SLIM(6.0, l1_ratio=1.0, **form, **TIGHT).fit(X)
    np.testing.assert_allclose(model.coef_.toarray(), expected, atol=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_without_l1_it_is_ease(form):
    X = make_matrix(seed=3)
    model = SLIM(10.0, l1_ratio=0.0, positive=False, **form, **TIGHT).fit(X)
    expected = EASE(10.0, dtype="float64").fit(X).coef_
    np.testing.assert_allclose(model.coef_.toarray(), expected, atol=1e-7)


@pytest.mark.parametrize("form", FORMS)
def test_without_l1_it_is_nonnegative_least_squares(form):
    X = make_matrix(seed=4).toarray()
    model = SLIM(10.0, l1_ratio=0.0, **form, **TIGHT).fit(X)
    # The ridge penalty as further rows.
    stacked = np.vstack([X, np.sqrt(10.0) * np.eye(X.shape[1])])
    for j in range(X.shape[1]):
        others = np.arange(X.shape[1]) != j
        weights, _ = nnls(stacked[:, others], np.r_[X[:, j], np.zeros(X.shape[1])])
        np.testing.assert_allclose(model.coef_[:, [j]].toarray()[others, 0], weights, atol=1e-7)


@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("n_neighbors", [None, 6])
def test_solvers_reach_the_same_objective(positive, n_neighbors):
    X = make_matrix(200, 60, seed=5)
    options = {"l1_ratio": 0.1, "positive": positive, "n_neighbors": n_neighbors}
    descent = SLIM(20.0, **options, **TIGHT).fit(X)
    admm = SLIM(20.0, solver="admm", tol=1e-6, dtype="float64", **options).fit(X)
    best = objective(X, descent.coef_, 20.0, 0.1)
    found = objective(X, admm.coef_, 20.0, 0.1)
    nothing = objective(X, csr_array(descent.coef_.shape), 20.0, 0.1)
    assert best <= found < best + 1e-6 * (nothing - best)
    np.testing.assert_allclose(admm.coef_.toarray(), descent.coef_.toarray(), atol=1e-4)
    assert not admm.coef_.diagonal().any()
    assert admm.coef_.nnz < 1.2 * descent.coef_.nnz


def test_admm_by_default_is_close():
    X = make_matrix(300, 80, seed=6)
    admm = SLIM(20.0, solver="admm", dtype="float32").fit(X)
    descent = SLIM(20.0).fit(X)
    best = objective(X, descent.coef_, 20.0, 0.05)
    nothing = objective(X, csr_array(descent.coef_.shape), 20.0, 0.05)
    assert objective(X, admm.coef_, 20.0, 0.05) < best + 1e-5 * (nothing - best)
    assert admm.n_iter_ < 300


@pytest.mark.cuda
def test_admm_on_cuda():
    X = make_matrix(300, 80, seed=6)
    on_cpu = SLIM(20.0, solver="admm", dtype="float64").fit(X)
    on_cuda = SLIM(20.0, solver="admm", dtype="float64", device="cuda").fit(X)
    np.testing.assert_allclose(on_cuda.coef_.toarray(), on_cpu.coef_.toarray(), atol=1e-6)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("positive", [True, False])
def test_neighbors_are_the_candidates(form, positive):
    X = make_matrix(seed=7, binary=True)  # small counts, so that cosines tie
    candidates = nearest_by_cosine(X.toarray(), 5)
    expected = elastic_net(X.toarray(), 2.0, 0.1, positive=positive, candidates=candidates)
    model = SLIM(2.0, l1_ratio=0.1, positive=positive, n_neighbors=5, **form, **TIGHT).fit(X)
    np.testing.assert_allclose(model.coef_.toarray(), expected, atol=1e-7)


@pytest.mark.parametrize("form", FORMS)
def test_neighbors_without_a_weight_keep_their_places(form):
    """A large L1 term rules some of the nearest out; no other item takes their place."""
    rng = np.random.default_rng(0)
    X = (rng.random((80, 30)) < 0.2 * np.linspace(2, 0.2, 30)).astype(float)
    candidates = nearest_by_cosine(X, 5)
    expected = elastic_net(X, 250.0, 0.05, positive=True, candidates=candidates)
    model = SLIM(250.0, l1_ratio=0.05, n_neighbors=5, **form, **TIGHT).fit(X)
    np.testing.assert_allclose(model.coef_.toarray(), expected, atol=1e-7)
    assert 0 < model.coef_.nnz < 5 * 30


@pytest.mark.parametrize("form", FORMS)
def test_more_neighbors_than_items_is_all_items(form):
    X = make_matrix(seed=8)
    few, all_ = (SLIM(5.0, n_neighbors=k, **form, **TIGHT).fit(X) for k in (10**6, None))
    np.testing.assert_array_equal(few.coef_.toarray(), all_.coef_.toarray())


@pytest.mark.parametrize("options", [{"n_neighbors": None}, {"n_neighbors": 6}])
@pytest.mark.parametrize("form", [*FORMS, pytest.param({"solver": "admm"}, id="admm")])
def test_sample_weight_is_repetition(form, options):
    X = make_matrix(seed=9)
    weight = np.random.default_rng(0).integers(0, 4, size=X.shape[0])
    repeated = X[np.repeat(np.arange(X.shape[0]), weight)]
    options = {"tol": 1e-9, "dtype": "float64", **options, **form}
    weighted = SLIM(20.0, **options).fit(X, sample_weight=weight)
    expected = SLIM(20.0, **options).fit(repeated).coef_.toarray()
    np.testing.assert_allclose(weighted.coef_.toarray(), expected, atol=1e-9)
    assert np.abs(SLIM(20.0, **options).fit(X).coef_.toarray() - expected).max() > 0.01


@pytest.mark.parametrize("solver", ["cd", "admm"])
def test_partial_fit_adds_up(solver):
    X = make_matrix(seed=10)
    whole = SLIM(20.0, solver=solver).fit(X)
    model = SLIM(20.0, solver=solver).partial_fit(X[:30], solve=False)
    assert not hasattr(model, "coef_")
    model.partial_fit(X[30:31]).partial_fit(X[31:])
    np.testing.assert_allclose(model.coef_.toarray(), whole.coef_.toarray(), atol=1e-12)
    np.testing.assert_allclose(np.triu(model.gram_), np.triu((X.T @ X).toarray()))
    weight = np.linspace(0, 2, X.shape[0])
    parts = SLIM(20.0, solver=solver)
    for rows in np.array_split(np.arange(X.shape[0]), 3):
        parts.partial_fit(X[rows], sample_weight=weight[rows])
    expected = SLIM(20.0, solver=solver).fit(X, sample_weight=weight).coef_
    np.testing.assert_allclose(parts.coef_.toarray(), expected.toarray(), atol=1e-10)
    assert not hasattr(parts.fit(X), "gram_")


@pytest.mark.parametrize("solver", ["cd", "admm"])
def test_a_solve_of_partial_fit_copies_no_gram_matrix(solver, monkeypatch):
    X = make_matrix(seed=10)
    model = SLIM(20.0, solver=solver)
    made = []
    new_gram = model._new_gram

    def counted(X):
        made.append(X.shape)
        return new_gram(X)

    monkeypatch.setattr(model, "_new_gram", counted)
    model.partial_fit(X[:30]).partial_fit(X[30:])
    assert len(made) == 2  # the sum of each call, and nothing to solve with
    np.testing.assert_allclose(np.triu(model.gram_), np.triu((X.T @ X).toarray()))


@pytest.mark.parametrize("form", FORMS)
def test_threads_do_not_change_a_bit(form):
    X = make_matrix(200, 300, seed=11)  # several times 64 columns
    one, four = (SLIM(5.0, n_jobs=n, **form).fit(X).coef_ for n in (1, 4))
    for name in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(one, name), getattr(four, name))


def test_auto_takes_the_form_that_pays(monkeypatch):
    monkeypatch.setattr(_slim, "SMALL", 10)
    called = []
    for name in ("gram_columns", "entry_columns"):
        solve = getattr(_slim, name)
        monkeypatch.setattr(
            _slim, name, lambda *a, n=name, s=solve, **k: (called.append(n), s(*a, **k))[1]
        )
    full, sparse = make_matrix(300, 20, seed=12), make_matrix(40, 300, seed=12, density=0.01)
    SLIM().fit(full)
    SLIM().fit(sparse)
    SLIM(precompute=False).fit(full)
    SLIM(precompute=True).fit(sparse)
    monkeypatch.setattr(_slim, "available_memory", lambda: 100)
    SLIM().fit(full)
    assert called == [f"{n}_columns" for n in ("gram", "entry", "entry", "gram", "entry")]


@pytest.mark.parametrize("solver", ["cd", "admm"])
def test_too_large_raises_before_it_allocates(solver):
    X = csr_array(([1.0], ([0], [0])), shape=(2, 10**6))
    with pytest.raises(MemoryError, match="SLIM with 1,000,000 items in float32"):
        SLIM(solver=solver, precompute=True).fit(X)


@pytest.mark.parametrize("form", [*FORMS, pytest.param({"solver": "admm"}, id="admm")])
def test_too_few_iterations_warn(form):
    X = make_matrix(seed=13)
    with pytest.warns(ConvergenceWarning, match=r"max_iter=1\b.*Raise max_iter"):
        model = SLIM(5.0, max_iter=1, **form).fit(X)
    assert model.n_iter_ == 1
    assert model.coef_.nnz


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("form", FORMS)
def test_no_warning_where_it_converges(form):
    # Three copies of the items, no L2 penalty: singular, and still solved.
    base = make_matrix(60, 15, seed=14).toarray()
    X = np.hstack([base, base, base])
    model = SLIM(4.0, l1_ratio=1.0, **form).fit(X)
    assert 1 <= model.n_iter_ <= 1000
    assert kkt_violation(X, model.coef_.toarray(), 4.0, 0.0, True) < 0.1


def test_explain_adds_up():
    X = make_matrix(seed=15)
    model = SLIM(5.0).fit(X)
    items, scores = model.recommend(X, k=3, return_scores=True)
    contributions = model.explain(X, items)
    np.testing.assert_allclose(
        np.asarray(contributions.sum(axis=1)).reshape(scores.shape), scores, atol=1e-12
    )
    W = model.coef_.toarray()
    np.testing.assert_allclose(
        contributions.toarray()[4], X.toarray()[1] * W[:, items[1, 1]], atol=1e-12
    )


def test_similar_items():
    X = make_matrix(seed=16)
    model = SLIM(5.0).fit(X)
    W = model.coef_.toarray()
    items, weights = model.similar_items([3, 29], k=4, return_scores=True)
    np.testing.assert_array_equal(items[0], np.argsort(-W[:, 3], kind="stable")[:4])
    np.testing.assert_array_equal(weights[0], np.sort(W[:, 3])[::-1][:4])
    assert (items[1] == -1).all()  # nobody has it
    with pytest.raises(ValueError, match="items"):
        model.similar_items([30])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("alpha", 0),
        ("l1_ratio", 1.5),
        ("l1_ratio", -0.1),
        ("positive", 1),
        ("n_neighbors", 0),
        ("solver", "sgd"),
        ("precompute", "yes"),
        ("tol", 0.0),
        ("max_iter", 0),
        ("dtype", "float16"),
        ("n_jobs", 0),
    ],
)
def test_bad_parameters(name, value):
    with pytest.raises(ValueError, match=name):
        SLIM(**{name: value}).fit(np.eye(3))


def test_bad_device():
    with pytest.raises(ValueError, match="device"):
        SLIM(solver="admm", device="tpu").fit(np.eye(3))


CONFIGURATIONS = [
    SLIM(2.0),
    SLIM(2.0, precompute=False),
    SLIM(2.0, positive=False, l1_ratio=0.2),
    SLIM(2.0, n_neighbors=4),
    SLIM(2.0, solver="admm", tol=1e-8),
]


@pytest.mark.parametrize("estimator", CONFIGURATIONS, ids=str)
def test_contract(estimator):
    # With neighbours, which of equally near items are candidates depends on their order.
    check_recommender(estimator, skip=OUR_CHECKS_SAME_FOR_VARIANTS)


@pytest.mark.parametrize(
    ("estimator", "check"),
    scikit_learn_checks([SLIM(0.1), SLIM(0.1, precompute=False)], variants=True),
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_stacked_data_in_pieces_is_scored_alike():
    X = make_matrix(seed=17)
    model = SLIM(5.0).fit(X)
    both = model.decision_function(vstack([X, X[::-1]]).tocsr())
    np.testing.assert_array_equal(both[: X.shape[0]], both[X.shape[0] :][::-1])


@pytest.mark.slow
def test_neural_collaborative_filtering_protocol(data_home):
    """HR@10 and NDCG@10 on ML-1M within .005 of Ferrari Dacrema et al.'s .7162 / .4468."""
    folder = data_home / "ml-1m"
    if not folder.is_dir():
        pytest.skip("ml-1m is not there")
    data = np.load(folder / "interactions.npz")
    split = np.load(folder / "ncf_leave_one_out.npz")
    X = csr_array((np.ones(len(data["user"])), (data["user"], data["item"])))
    users, tested = np.arange(X.shape[0]), split["test_item"]
    X = (X - csr_array((np.ones(len(users)), (users, tested)), shape=X.shape)).tocsr()
    X.eliminate_zeros()
    model = SLIM(100.0, l1_ratio=0.05).fit(X)
    others = split["negatives"].astype(np.intp)
    positive = model.score_pairs(X, users, tested)
    negative = model.score_pairs(X, np.repeat(users, 99), others.ravel()).reshape(-1, 99)
    ahead = (negative >= positive[:, None]) & (others != tested[:, None])
    rank = ahead.sum(axis=1)
    assert abs(np.mean(rank < 10) - 0.7162) < 0.005
    assert abs(np.mean(np.where(rank < 10, 1 / np.log2(rank + 2), 0)) - 0.4468) < 0.005
