"""Fits over parts that take several passes: the same model as that of one fit."""

import weakref

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from threadpoolctl import threadpool_info, threadpool_limits

import skrec.dask
from skrec.datasets import make_interactions
from skrec.decomposition import WMF, GraphFilter, PureSVD, _svd
from skrec.neighbors import ItemKNN, _parts
from skrec.utils._engines import JoblibEngine
from skrec.utils._fitted_check import check_objects
from skrec.utils._parts import fit_parts
from skrec.utils._statistics import Pass, run_rounds

X = make_interactions(300, 80, 3_000, random_state=0, return_X=True)
COUNTS = csr_array((X.data + (X.indices % 3), X.indices, X.indptr), shape=X.shape)
WIDE = make_interactions(300, 280, 3_000, random_state=1, return_X=True)


def parts_of(X):
    return [X[:100], X[100:101], X[101:101], X[101:]]


@pytest.mark.parametrize(
    "model",
    [
        WMF(8, random_state=0),
        WMF(8, random_state=0, alpha=0.01, unobserved_weight=0.3, cg_steps=1),
        WMF(8, random_state=0, frequency_exponent=0.0, alpha=5.0, confidence=20.0),
        WMF(8, random_state=0, unobserved_weight=0.0, alpha=0.1),
        WMF(8, random_state=0, dtype="float32", cg_steps=20, max_iter=30),
    ],
    ids=repr,
)
def test_wmf_over_parts_is_one_fit(model):
    whole, parts = clone(model).fit(COUNTS), skrec.dask.fit(model, parts_of(COUNTS))
    largest = np.abs(whole.components_).max()
    assert np.allclose(parts.components_, whole.components_, rtol=0, atol=1e-4 * largest)
    assert parts.components_.dtype == whole.components_.dtype
    assert parts.alpha_ == pytest.approx(whole.alpha_, rel=1e-12)
    assert np.allclose(parts.loss_curve_, whole.loss_curve_, rtol=1e-5)
    same = (parts.recommend(COUNTS, 10) == whole.recommend(COUNTS, 10)).all(axis=1)
    assert same.mean() >= 0.999
    assert np.allclose(parts.transform(COUNTS), whole.transform(COUNTS), atol=1e-4)


def test_wmf_over_parts_can_be_saved(tmp_path):
    model = skrec.dask.fit(WMF(4, random_state=0, max_iter=2), parts_of(X))
    again = skrec.load(skrec.save(model, tmp_path / "wmf.skops"))
    assert np.array_equal(again.recommend(X), model.recommend(X))


def test_items_that_nobody_has_get_no_vector():
    empty = csr_array(np.hstack([X.toarray(), np.zeros((300, 2))]))
    model = skrec.dask.fit(WMF(4, random_state=0, max_iter=3), parts_of(empty))
    assert not model.components_[:, 80:].any()
    whole = WMF(4, random_state=0, max_iter=3).fit(empty)
    assert np.allclose(model.components_, whole.components_, atol=1e-9)


@pytest.mark.parametrize("data", [COUNTS, WIDE], ids=["few items", "many items"])
@pytest.mark.parametrize(
    "model", [PureSVD(8, random_state=0), GraphFilter(8, random_state=0)], ids=repr
)
def test_singular_vectors_over_parts_are_those_of_one_fit(model, data):
    whole, parts = clone(model).fit(data), skrec.dask.fit(model, parts_of(data))
    assert np.allclose(parts.singular_values_, whole.singular_values_, rtol=1e-9)
    assert np.allclose(parts.components_, whole.components_, atol=1e-7)
    assert parts.n_iter_ == whole.n_iter_
    assert np.array_equal(parts.recommend(data, 10), whole.recommend(data, 10))
    if hasattr(whole, "item_scale_"):
        assert np.array_equal(parts.item_scale_, whole.item_scale_)


def test_singular_vectors_of_nothing():
    parts = skrec.dask.fit(PureSVD(3, random_state=0), [csr_array(X.shape)] * 2)
    whole = PureSVD(3, random_state=0).fit(csr_array(X.shape))
    assert np.array_equal(parts.components_, whole.components_)
    assert parts.components_.shape == (3, 80)


@pytest.mark.parametrize("block", [1, 3_000, 1 << 26])
@pytest.mark.parametrize(
    "model",
    [
        ItemKNN(10),
        ItemKNN(10, metric="cosine", weighting="bm25", shrinkage=5.0),
        ItemKNN(None, metric="jaccard"),
        ItemKNN(10, metric="pearson", weighting="tfidf"),
        ItemKNN(10, metric="adjusted_cosine", activity_exponent=0.0),
    ],
    ids=repr,
)
def test_neighbors_over_parts_are_those_of_one_fit(model, block, monkeypatch):
    monkeypatch.setattr(_parts, "_BLOCK", block)
    whole, parts = clone(model).fit(COUNTS), skrec.dask.fit(model, parts_of(COUNTS))
    a, b = whole.similarity_, parts.similarity_
    assert np.array_equal(a.indices, b.indices)
    assert np.array_equal(a.indptr, b.indptr)
    assert np.allclose(a.data, b.data, rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    "model",
    [
        ItemKNN(10),
        ItemKNN(10, metric="cosine", weighting="tfidf", shrinkage=5.0),
        ItemKNN(None, metric="jaccard"),
    ],
    ids=repr,
)
def test_partial_fit_of_neighbors_is_one_fit(model, tmp_path):
    whole, parts = clone(model).fit(COUNTS), clone(model)
    parts.partial_fit(COUNTS[:100], solve=False)
    assert not hasattr(parts, "similarity_")
    parts.partial_fit(COUNTS[100:101]).partial_fit(COUNTS[101:])
    a, b = whole.similarity_, parts.similarity_
    assert np.array_equal(a.indices, b.indices)
    assert np.array_equal(a.indptr, b.indptr)
    assert np.allclose(a.data, b.data, rtol=0, atol=1e-10)
    again = skrec.load(skrec.save(parts, tmp_path / "model.skops"))
    assert np.array_equal(again.products_.toarray(), parts.products_.toarray())
    more = again.partial_fit(COUNTS[:5]).recommend(COUNTS)
    assert np.array_equal(more, parts.partial_fit(COUNTS[:5]).recommend(COUNTS))
    assert not hasattr(parts.fit(COUNTS), "products_")
    with pytest.warns(UserWarning, match="begins anew"):
        parts.partial_fit(COUNTS)


def test_whole_products_give_the_bits_of_one_fit():
    model = ItemKNN(10, metric="cosine", activity_exponent=0.0)
    parts = clone(model).partial_fit(X[:100], solve=False).partial_fit(X[100:])
    whole = model.fit(X)
    assert np.array_equal(parts.similarity_.toarray(), whole.similarity_.toarray())
    over_parts = skrec.dask.fit(model, parts_of(X))
    assert np.array_equal(over_parts.similarity_.toarray(), whole.similarity_.toarray())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"metric": "cosine"}, {"metric": "jaccard"}),
        ({"metric": "jaccard"}, {"metric": "cosine"}),
        ({"weighting": "tfidf"}, {"weighting": None}),
        ({"activity_exponent": "auto"}, {"activity_exponent": 0.5}),
    ],
    ids=str,
)
def test_products_of_two_kinds_are_not_added(before, after, tmp_path):
    model = ItemKNN(10, **before).partial_fit(COUNTS[:100])
    whole = ItemKNN(10, **before).fit(COUNTS).similarity_
    for one in (model, skrec.load(skrec.save(model, tmp_path / "model.skops"))):
        one.set_params(**after)
        with pytest.raises(ValueError, match="set the parameters back") as caught:
            one.partial_fit(COUNTS[100:])
        name, value = next(iter(after.items()))
        assert f"{name}={value!r}" in str(caught.value)
        one.set_params(**before).partial_fit(COUNTS[100:])
        np.testing.assert_allclose(one.similarity_.toarray(), whole.toarray(), atol=1e-10)
        one.set_params(**after).fit(COUNTS)  # which keeps no products
        assert np.array_equal(
            one.similarity_.toarray(), clone(one).fit(COUNTS).similarity_.toarray()
        )
        check_objects(one)


def test_what_products_do_not_depend_on_may_change():
    model = ItemKNN(10, metric="cosine", activity_exponent="auto").partial_fit(COUNTS[:100])
    new = {"metric": "asymmetric_cosine", "activity_exponent": 1.0, "n_neighbors": 5}
    model.set_params(**new, shrinkage=3.0).partial_fit(COUNTS[100:])
    whole = clone(model).fit(COUNTS).similarity_
    assert np.array_equal(model.similarity_.indices, whole.indices)
    assert np.allclose(model.similarity_.data, whole.data, rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    "model",
    [ItemKNN(metric="pearson"), ItemKNN(weighting="bm25"), ItemKNN(feedback="rating")],
    ids=repr,
)
def test_partial_fit_of_neighbors_says_what_adds_up(model):
    with pytest.raises(ValueError, match="adds up products of items"):
        model.partial_fit(X)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (WMF(solver="cholesky"), 'use solver="cg"'),
        (PureSVD(solver="arpack"), 'use solver="randomized"'),
        (GraphFilter(linear_weight=0.3), "use 0"),
        (ItemKNN(feedback="rating"), "feedback='implicit'"),
    ],
    ids=lambda value: None,
)
def test_what_is_no_sum_says_so(model, message):
    with pytest.raises(ValueError, match=message):
        skrec.dask.fit(model, parts_of(X))


@pytest.mark.parametrize(
    ("model", "n_passes"),
    [  # the facts, and each pass that looks at the rows
        (WMF(4, max_iter=5, random_state=0), 3),
        (PureSVD(8, random_state=0), 2),
        (GraphFilter(8, random_state=0), 3),
        (ItemKNN(5), 3),
    ],
    ids=repr,
)
def test_passes_over_what_parts_keep_open_no_part(model, n_passes, monkeypatch):
    monkeypatch.setattr(_parts, "_BLOCK", 1)
    opened = []

    def opener(part):
        opened.append(part)
        return WIDE[part]

    fit_parts(model, JoblibEngine([slice(0, 100), slice(100, 300)], opener))
    assert len(opened) == 2 * n_passes


def test_a_pass_that_fails_leaves_blas_its_threads(monkeypatch):
    seen = []

    def fail(X, kept, block):
        seen.append(blas_threads())
        raise KeyboardInterrupt

    monkeypatch.setattr(_svd, "product_of_part", fail)
    with threadpool_limits(2, user_api="blas"):
        with pytest.raises(KeyboardInterrupt) as caught:
            skrec.dask.fit(PureSVD(8, random_state=0), parts_of(WIDE))
        assert caught.traceback  # kept, as an interactive session keeps it
        assert [*seen, blas_threads()] == [{2}, {2}]


def blas_threads():
    return {lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"}


def test_products_of_vectors_are_made_with_all_threads_of_blas():
    seen = []

    def product(block):
        seen.append(blas_threads())
        if len(seen) == 3:
            raise KeyboardInterrupt
        return WIDE.T @ (WIDE @ block)

    options = {"max_iter": 5, "n_oversamples": 4, "random_state": np.random.RandomState(0)}
    with threadpool_limits(2, user_api="blas"):
        rounds = _svd.vector_rounds(280, np.float64, 8, **options)
        with pytest.raises(KeyboardInterrupt):
            _svd.answered(rounds, product)
        assert [*seen, blas_threads()] == [{2}] * 4
        assert rounds.gi_frame is None  # closed, and not only left alone


def test_a_generator_is_closed_where_a_pass_fails():
    closed = []

    def rounds():
        try:
            yield Pass(len)
        finally:
            closed.append(True)

    def answer(ask):
        raise StopIteration  # an error of a pass is no end of the passes

    with pytest.raises(StopIteration) as caught:
        run_rounds(rounds(), answer)
    assert caught.traceback  # kept, and with it the generator
    assert closed


def test_a_total_may_go_before_the_next_pass():
    alive = []

    def rounds():
        total = yield Pass(len)
        alive.append(weakref.ref(total))
        del total
        yield Pass(len)

    def answer(ask):
        alive[:] = [reference() is not None for reference in alive]
        return np.ones(3)

    run_rounds(rounds(), answer)
    assert alive[0] is False
