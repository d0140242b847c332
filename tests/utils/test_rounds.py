"""Fits over parts that take several passes: the same model as that of one fit."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone

import skrec.dask
from skrec.datasets import make_interactions
from skrec.decomposition import WMF, GraphFilter, PureSVD
from skrec.neighbors import ItemKNN, _parts

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
