"""SANSA against EASE, against the optimality of its rows, and within its budgets."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import skrec
import skrec.dask
from skrec.linear_model import EASE, SANSA, _sansa_factor, _sansa_gram
from skrec.linear_model._sansa_gram_kernels import keep_largest
from skrec.utils import _memory
from skrec.utils._statistics import OnePart, run_rounds

ALPHA = 5.0


def _data(n_users=400, n_items=120, seed=0):
    """Users who like one of eight groups of items, some of which are popular."""
    rng = np.random.default_rng(seed)
    group = rng.integers(8, size=n_items)
    like = rng.integers(8, size=(n_users, 1)) == group
    popularity = 0.1 + 0.9 * rng.power(0.5, n_items)
    chance = popularity * np.where(like, 0.6, 0.08)
    X = (rng.random((n_users, n_items)) < chance) * rng.integers(1, 3, n_items)
    return csr_array(X.astype(np.float64))


@pytest.fixture(params=[4096, 40, 1], ids=["head", "both", "tail"])
def head(request, monkeypatch):
    monkeypatch.setattr(_sansa_gram, "_HEAD", request.param)
    return request.param


def _weights(model):
    """The item-item matrix: scores of rows of one item."""
    return model.decision_function(np.eye(len(model.order_)))


def _parts(model, X):
    """K by steps, and X^T X + alpha I in the order of the steps."""
    A = (X.T @ X).toarray() + model.alpha * np.eye(X.shape[1])
    return model.encoder_.toarray()[model.order_].T, A[np.ix_(model.order_, model.order_)]


def _ldl(A):
    L = np.linalg.cholesky(A)
    pivots = np.diagonal(L) ** 2
    return L / np.diagonal(L), pivots


def test_without_sparsity_it_is_ease(head):
    X = _data()
    expected = EASE(ALPHA).fit(X)
    model = SANSA(ALPHA, density=1.0).fit(X)
    np.testing.assert_allclose(_weights(model), expected.coef_, atol=1e-12)
    np.testing.assert_allclose(
        model.decision_function(X), expected.decision_function(X), atol=1e-11
    )
    K, A = _parts(model, X)
    L, pivots = _ldl(A)
    np.testing.assert_allclose(K @ L, np.eye(len(K)), atol=1e-12)
    np.testing.assert_allclose(model.pivots_, pivots, rtol=1e-12)


@given(st.integers(0, 1000), st.floats(0.5, 100.0), st.sampled_from([1, 3, 4096]))
def test_small_matrices_are_exact(seed, alpha, head):
    X = _data(30, 12, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_sansa_gram, "_HEAD", head)
        model = SANSA(alpha).fit(X)
    np.testing.assert_allclose(_weights(model), EASE(alpha).fit(X).coef_, atol=1e-10)


def test_it_approaches_ease_as_density_rises(head):
    X = _data()
    exact = EASE(ALPHA).fit(X).decision_function(X)
    errors = []
    for density in (0.02, 0.05, 0.1, 0.2, 0.3, 0.51):
        scores = SANSA(ALPHA, density=density).fit(X).decision_function(X)
        errors.append(np.linalg.norm(scores - exact) / np.linalg.norm(exact))
    assert (np.diff(errors) < 0).all(), errors
    assert errors[-2] < 0.5 * errors[0]
    assert errors[-1] < 1e-12


def test_rows_are_the_best_on_their_patterns(head):
    X = _data()
    model = SANSA(ALPHA, density=0.1).fit(X)
    K, A = _parts(model, X)
    assert not np.triu(K, 1).any()
    assert (np.diagonal(K) == 1).all()
    residual = np.tril(K @ A, -1)
    assert np.abs(residual[np.tril(K, -1) != 0]).max() < 1e-10 * np.abs(A).max()
    np.testing.assert_allclose(model.pivots_, np.diagonal(K @ A @ K.T), rtol=1e-12)
    _, exact = _ldl(A)
    assert (model.pivots_ >= exact * (1 - 1e-12)).all()


def test_exchanging_items_lowers_the_residual_of_the_inverse(monkeypatch):
    monkeypatch.setattr(_sansa_gram, "_HEAD", 10)
    # What a row is solved on is what it keeps, so that nothing but the exchange is seen.
    monkeypatch.setattr(_sansa_factor, "_OVERSAMPLING", 1)
    X = _data(n_items=150)
    residuals = []
    for max_iter in (1, 2, 4):
        model = SANSA(ALPHA, density=0.13, max_iter=max_iter).fit(X)
        K, A = _parts(model, X)
        L, exact = _ldl(A)
        residual = (K @ L - np.eye(len(K))) * np.sqrt(exact)
        residuals.append(np.linalg.norm(residual) ** 2)
        # What the docstring says of the residual.
        np.testing.assert_allclose(residuals[-1], np.sum(model.pivots_ - exact), rtol=1e-9)
        assert model.n_iter_ == max_iter
        assert len(model.loss_curve_) == max_iter + 1
        assert (np.diff(model.loss_curve_[:max_iter]) < 0).all()
        assert model.loss_curve_[-1] > np.mean(np.log(exact / np.diagonal(A)))
    assert residuals[1] < 0.97 * residuals[0]
    assert residuals[2] < residuals[1]


def test_entries_stay_within_the_density(head):
    X = _data()
    n_items = X.shape[1]
    for density in (1e-9, 0.01, 0.03, 0.1, 0.3):
        model = SANSA(ALPHA, density=density).fit(X)
        budget = max(n_items, int(density * n_items**2))
        assert model.encoder_.nnz == model.decoder_.nnz
        assert 0.99 * budget <= model.encoder_.nnz <= budget
        assert model.density_ == model.encoder_.nnz / n_items**2
        assert np.isfinite(model.decision_function(X)).all()


def test_default_density_is_a_hundred_entries_an_item():
    model = SANSA(ALPHA).fit(_data(n_items=300))
    assert model.encoder_.nnz == 30_000
    assert SANSA(ALPHA).fit(_data(n_items=199)).encoder_.nnz == 199 * 100


def test_an_item_never_predicts_itself(head):
    X = _data()
    model = SANSA(ALPHA, density=0.1).fit(X)
    assert np.abs(np.diagonal(_weights(model))).max() < 1e-15
    narrow = SANSA(ALPHA, density=0.1, dtype="float32").fit(X)
    assert narrow.encoder_.dtype == narrow.decoder_.dtype == np.float32
    assert np.abs(np.diagonal(_weights(narrow))).max() < 1e-15


def test_order_is_by_popularity_and_undone():
    X = _data()
    weight = np.random.default_rng(1).uniform(0.5, 2, X.shape[0])  # no ties
    model = SANSA(ALPHA, density=0.1).fit(X, sample_weight=weight)
    norm = weight @ X.toarray() ** 2
    assert (np.diff(norm[model.order_]) < 0).all()
    order = np.random.default_rng(2).permutation(X.shape[1])
    relabelled = SANSA(ALPHA, density=0.1).fit(csr_array(X[:, order]), sample_weight=weight)
    np.testing.assert_allclose(
        _weights(relabelled), _weights(model)[np.ix_(order, order)], atol=1e-12
    )


def test_sample_weight_is_repetition(head):
    X = _data()
    rng = np.random.default_rng(1)
    # Powers of two times the same rows: sums in any order are exact.
    weight = rng.integers(0, 4, X.shape[0])
    weighted = SANSA(ALPHA, density=0.1).fit(X, sample_weight=weight)
    repeated = SANSA(ALPHA, density=0.1).fit(np.repeat(X.toarray(), weight, axis=0))
    np.testing.assert_allclose(_weights(weighted), _weights(repeated), atol=1e-12)


def test_dropped_elements_leave_everything_positive(monkeypatch):
    monkeypatch.setattr(_sansa_gram, "_HEAD", 5)
    X = _data()
    assert SANSA(ALPHA, density=0.025).fit(X).gram_kept_ == 1.0
    for alpha in (1e-3, ALPHA):
        for n_candidates, n_kept in ((1, 12), (30, 30)):  # 12: 4 * 0.025 * n_items
            model = SANSA(alpha, density=0.025, n_candidates=n_candidates).fit(X)
            _, A = _parts(model, X)
            n_found = np.count_nonzero(np.tril(A, -1)[5:], axis=1)
            assert model.gram_kept_ == np.minimum(n_found, n_kept).sum() / n_found.sum()
            assert (model.pivots_ >= alpha).all()
            assert np.abs(model.decision_function(X)).max() < 10 * X.max()


@pytest.mark.parametrize("block", [1, 200, 1 << 25])
@pytest.mark.parametrize("n_candidates", [40, 5])
def test_gram_rows_keep_the_largest_cosines(n_candidates, block, monkeypatch):
    monkeypatch.setattr(_sansa_gram, "_HEAD", 7)
    monkeypatch.setattr(_sansa_gram, "BLOCK", block)
    X = _data(50, 40)
    weight = np.random.default_rng(3).uniform(0, 2, 50)
    checked = []
    how = {
        "alpha": ALPHA, "n_candidates": n_candidates, "dtype": np.float64, "n_jobs": 2,
        "check": lambda *sizes: checked.append(sizes),
    }  # fmt: skip
    gram = _gram_of(_sansa_gram.gram_rounds(40, **how), OnePart(X, weight))
    A = X.T.toarray() @ (weight[:, None] * X.toarray()) + ALPHA * np.eye(40)
    A = A[np.ix_(gram.order, gram.order)]
    np.testing.assert_allclose(gram.diagonal, np.diagonal(A), atol=1e-12)
    assert (np.diff(gram.diagonal) <= 0).all()
    np.testing.assert_allclose(np.triu(gram.head), np.triu(A[:7, :7]), atol=1e-12)
    dense = csr_array((gram.val, gram.idx, gram.ptr), shape=(33, 40)).toarray()
    expected = np.tril(A, -1)[7:]
    cosine = expected**2 / gram.diagonal
    rank = np.argsort(np.argsort(-cosine, axis=1, kind="stable"), axis=1)
    wanted = np.where(rank < n_candidates, expected, 0)
    np.testing.assert_allclose(dense, wanted, atol=1e-12)
    assert gram.kept == np.count_nonzero(wanted) / np.count_nonzero(expected)
    [(n_head, n_kept, n_block)] = checked
    assert n_head == 7
    assert np.count_nonzero(wanted) <= n_kept <= 33 * n_candidates
    assert n_block <= block


def _gram_of(rounds, answer):
    found = []

    def catch():
        found.append((yield from rounds))

    run_rounds(catch(), answer)
    return found[0]


PARTS = (slice(0, 90), slice(90, 91), slice(91, 91), slice(91, None))
LEARNED = ("encoder_", "decoder_", "diagonal_", "pivots_", "order_")


def _same_bits(a, b):
    for name in LEARNED:
        x, y = (np.asarray(v.todense() if hasattr(v, "todense") else v)
                for v in (getattr(a, name), getattr(b, name)))  # fmt: skip
        assert x.dtype == y.dtype, name
        assert np.array_equal(x, y), name
    facts = [(m.density_, m.gram_kept_, m.loss_curve_, m.n_iter_) for m in (a, b)]
    assert facts[0] == facts[1]


@pytest.mark.parametrize("block", [1, 1000, 1 << 25])
@pytest.mark.parametrize(
    "model",
    [
        SANSA(ALPHA),
        SANSA(ALPHA, density=0.05, n_candidates=1),
        SANSA(ALPHA, density=0.1, dtype="float32", n_jobs=2),
    ],
    ids=repr,
)
def test_over_parts_it_is_one_fit_to_the_bit(model, head, block, monkeypatch):
    monkeypatch.setattr(_sansa_gram, "BLOCK", block)
    X = _data()
    whole = clone(model).fit(X)
    _same_bits(skrec.dask.fit(model, [X[rows] for rows in PARTS]), whole)
    ones = csr_array((np.ones(X.nnz, np.float32), X.indices, X.indptr), shape=X.shape)
    over_parts = skrec.dask.fit(model, [ones[rows] for rows in PARTS])
    _same_bits(over_parts, clone(model).fit(ones))


def test_over_parts_of_any_values_it_is_one_fit_up_to_rounding(head):
    X = _data()
    X.data = X.data * np.random.default_rng(0).uniform(0.5, 1.5, X.nnz)
    whole = SANSA(ALPHA, density=1.0).fit(X)
    parts = skrec.dask.fit(SANSA(ALPHA, density=1.0), [X[rows] for rows in PARTS])
    np.testing.assert_allclose(_weights(parts), _weights(whole), atol=1e-12)


def test_partial_fit_is_one_fit_to_the_bit(head, tmp_path):
    X, model = _data(), SANSA(ALPHA, density=0.05, n_candidates=1)
    weight = np.random.default_rng(1).integers(0, 4, X.shape[0])
    chunked = clone(model)
    for rows in PARTS[:2]:
        chunked.partial_fit(X[rows], sample_weight=weight[rows], solve=False)
        assert not hasattr(chunked, "encoder_")
        with pytest.raises(NotFittedError):
            chunked.recommend(X)
    chunked = skrec.load(skrec.save(chunked, tmp_path / "model.skops"))
    chunked.partial_fit(X[91:], sample_weight=weight[91:])
    whole = clone(model).fit(X, sample_weight=weight)
    _same_bits(chunked, whole)
    expected = np.tril((X.T @ (X * weight[:, None])).toarray())
    np.testing.assert_array_equal(chunked.gram_.toarray(), expected)
    # Other parameters decide what is made of the same sums.
    more = skrec.load(skrec.save(chunked, tmp_path / "model.skops")).set_params(alpha=20.0)
    more.partial_fit(X[:90])
    stacked = csr_array(np.concatenate([X.toarray(), X[:90].toarray()]))
    again = np.concatenate([weight, np.ones(90)])
    _same_bits(more, clone(more).fit(stacked, sample_weight=again))


def test_rounding_of_sums_does_not_order_the_items(head):
    # Sums of .1 end in other bits in another order of the users, and many items tie.
    X = _data()
    X.data[:] = 1.0
    weight, model = np.full(X.shape[0], 0.1), SANSA(ALPHA, density=0.05)
    whole = clone(model).fit(X, sample_weight=weight)
    turned = clone(model).fit(X[::-1], sample_weight=weight)
    chunked = clone(model).partial_fit(X[:31], sample_weight=weight[:31], solve=False)
    chunked.partial_fit(X[31:], sample_weight=weight[31:])
    for other in (turned, chunked):
        np.testing.assert_array_equal(other.order_, whole.order_)
        np.testing.assert_allclose(
            other.decision_function(X), whole.decision_function(X), atol=1e-9
        )


def test_partial_fit_after_fit_begins_anew():
    X = _data()
    model = SANSA(ALPHA).fit(X)
    with pytest.warns(UserWarning, match="partial_fit begins anew"):
        model.partial_fit(X[:50])
    _same_bits(model, SANSA(ALPHA).fit(X[:50]))
    assert not hasattr(model.fit(X), "gram_")
    with pytest.raises(ValueError, match="120 features"):
        SANSA().partial_fit(X).partial_fit(X[:, :3])


def test_of_equal_keys_the_first_are_kept():
    keys = np.array([1.0, 3.0, 2.0, 2.0, 2.0, 0.5])
    kept = np.empty(6, dtype=bool)
    assert keep_largest(keys, 6, 3, kept) == 3
    np.testing.assert_array_equal(np.flatnonzero(kept), [1, 2, 3])
    mark = _sansa_factor._mark_largest
    np.testing.assert_array_equal(np.flatnonzero(mark(keys, 3)), [1, 2, 3])
    assert mark(keys, 9).all()
    assert not mark(keys, 0).any()


def test_threads_do_not_change_the_result(monkeypatch):
    monkeypatch.setattr(_sansa_gram, "_HEAD", 20)
    monkeypatch.setattr(_sansa_gram, "BLOCK", 1000)
    X = _data()
    one, two = (SANSA(ALPHA, density=0.1, n_jobs=jobs).fit(X) for jobs in (1, 2))
    for a, b in ((one.encoder_, two.encoder_), (one.decoder_, two.decoder_)):
        np.testing.assert_array_equal(a.data, b.data)
        np.testing.assert_array_equal(a.indices, b.indices)
    many = csr_array(np.tile(X.toarray(), (10, 1)))
    np.testing.assert_array_equal(one.decision_function(many), two.decision_function(many))


def test_float32_is_close_to_float64(head):
    X = _data()
    wide, narrow = (
        SANSA(ALPHA, density=1.0, dtype=dtype).fit(X) for dtype in ("float64", "float32")
    )
    assert np.abs(_weights(wide) - _weights(narrow)).max() < 1e-5
    assert narrow.decision_function(X.astype(np.float32)).dtype == np.float32


def test_scores_pairs_and_explanations_agree(head):
    X = _data()
    model = SANSA(ALPHA, density=0.1).fit(X)
    B = _weights(model)
    scores = model.decision_function(X)
    np.testing.assert_allclose(scores, X @ B, atol=1e-12)
    rng = np.random.default_rng(0)
    rows, items = rng.integers(X.shape[0], size=200), rng.integers(X.shape[1], size=200)
    np.testing.assert_allclose(model.score_pairs(X, rows, items), scores[rows, items], atol=1e-12)
    best = model.recommend(X, k=3)
    contributions = model.explain(X, best)
    np.testing.assert_allclose(
        contributions.sum(axis=1), np.take_along_axis(scores, best, axis=1).ravel(), atol=1e-12
    )
    first = contributions[[0]].toarray()[0]
    np.testing.assert_allclose(first, X.toarray()[0] * B[:, best[0, 0]], atol=1e-13)


def test_similar_items_have_the_largest_weights(head):
    model = SANSA(ALPHA, density=0.1).fit(_data())
    B = _weights(model)
    np.fill_diagonal(B, -np.inf)
    found, weights = model.similar_items([7, 50], k=5, return_scores=True)
    for item, row, values in zip((7, 50), found, weights, strict=True):
        np.testing.assert_array_equal(row, np.argsort(-B[:, item])[:5])
        np.testing.assert_allclose(values, B[row, item], atol=1e-12)
    assert (model.similar_items(7, k=200)[0, -81:] == -1).all()


def _peak(call):
    """Bytes that a call takes at most, numpy's included."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_is_checked_before_it_is_taken(monkeypatch):
    X, model = _data(n_users=500, n_items=2000), SANSA(density=0.1)
    whole = _peak(lambda: clone(model).fit(X))

    def fails():
        with pytest.raises(MemoryError, match="lower density"):
            model.fit(X)

    monkeypatch.setattr(_memory, "available_memory", lambda: 1000)
    assert _peak(fails) < whole / 10
    assert not hasattr(model, "encoder_")
    with pytest.raises(MemoryError, match=r"SANSA\.partial_fit"):
        model.partial_fit(X)


def test_a_singular_matrix_is_an_error_that_names_alpha():
    with pytest.raises(ValueError, match="alpha"):
        SANSA(1e-300).fit(np.ones((3, 8)))


def test_equal_items_in_single_precision_stay_finite(monkeypatch):
    # Beyond float32 by far: an item whose pivot is pure rounding gets no weight.
    X = np.repeat(_data(n_items=20).toarray(), 5, axis=1)
    model = SANSA(1e-6, density=0.2, dtype="float32")
    with pytest.raises(ValueError, match="float64"):
        model.fit(X)
    monkeypatch.setattr(_sansa_gram, "_HEAD", 1)
    scores = model.fit(X).decision_function(X)
    assert np.abs(scores).max() < 10 * X.max()


@pytest.mark.parametrize("density", [0.0, 1.5, -1, "1%", True])
def test_density_is_a_share(density):
    with pytest.raises(ValueError, match="density"):
        SANSA(density=density).fit(np.eye(3))
