"""Dataframes and empty parts: columns are told by their names, and no rows decide nothing."""

import warnings

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer

import skrec.dask
from skrec.datasets import make_interactions
from skrec.decomposition import WMF
from skrec.linear_model import EASE
from skrec.neighbors import ItemKNN
from skrec.preprocessing import BM25Transformer

pd = pytest.importorskip("pandas")

X = make_interactions(60, 6, 200, random_state=0, return_X=True)
FRAME = pd.DataFrame(X.toarray(), columns=list("abcdef"))
TURNED = FRAME[list("fedcba")]

MODELS = [
    EASE(alpha=2.0),
    ItemKNN(3),
    WMF(2, max_iter=2, random_state=0),
    make_pipeline(Binarizer(), EASE(alpha=2.0)),
    make_pipeline(BM25Transformer(), EASE(alpha=2.0)),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_dataframes_are_fitted_by_the_names_of_their_columns(model):
    whole = clone(model).fit(FRAME)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*feature names.*")
        found = skrec.dask.fit(model, [FRAME[:0], FRAME[:30], FRAME[30:]])
    assert found.feature_names_in_.tolist() == whole.feature_names_in_.tolist()
    assert np.allclose(found.decision_function(FRAME), whole.decision_function(FRAME), atol=1e-5)
    for parts in ([FRAME[:30], TURNED[30:]], [TURNED[:30], X[:0], FRAME[30:]]):
        with pytest.raises(ValueError, match=r"in another order: '[af]' and '[af]' in column 0"):
            skrec.dask.fit(model, parts)
    with pytest.raises(ValueError, match="names in some parts and none in others"):
        skrec.dask.fit(model, [FRAME[:30], X[30:]])
    with pytest.raises(ValueError, match="feature names"):
        found.decision_function(TURNED)


@pytest.mark.parametrize("empty", [csr_array((0, 6)), X[:0].toarray(), FRAME[:0]], ids=type)
def test_a_part_without_rows_does_not_decide_the_dtype(empty):
    single = X.astype(np.float32)
    whole = ItemKNN(3).fit(single)
    for parts in ([empty, single], [single, empty], [single[:30], empty, single[30:]]):
        found = skrec.dask.fit(ItemKNN(3), parts)
        assert found.similarity_.dtype == whole.similarity_.dtype == np.float32
        assert np.array_equal(found.similarity_.toarray(), whole.similarity_.toarray())
    mixed = skrec.dask.fit(ItemKNN(3), [single[:30], X[30:].astype(np.float64)])
    assert mixed.similarity_.dtype == np.float64


def test_a_pipeline_may_end_in_passthrough():
    pipeline = make_pipeline(BM25Transformer(), "passthrough")
    found = skrec.dask.fit(pipeline, [X[:30], X[30:]])
    expected = clone(pipeline).fit(X)
    assert np.array_equal(found.transform(X).toarray(), expected.transform(X).toarray())
