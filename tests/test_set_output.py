"""scikit-learn's setting of frames as outputs, over all that transforms."""

import inspect

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csr_array, issparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline

import skrec.preprocessing
from skrec.ensemble import LOCA
from skrec.inspection import EmbeddingDisplay
from skrec.linear_model import EASE
from skrec.preprocessing import BM25Transformer, InteractionEncoder
from skrec.utils import all_recommenders
from tests.instances import small

X = csr_array((np.random.default_rng(0).random((40, 12)) < 0.3) * 1.0)
LOG = pd.DataFrame({"user": ["a", "a", "b", "c"], "item": ["x", "y", "y", "z"]})
FRAMES = {"pandas": pd.DataFrame, "polars": pl.DataFrame}
RECOMMENDERS = [
    pytest.param(small(cls), id=cls.__name__)
    for _, cls in all_recommenders()
    if hasattr(small(cls), "transform")
]
PREPROCESSING = [getattr(skrec.preprocessing, name) for name in skrec.preprocessing.__all__]
SPARSE = [cls for cls in PREPROCESSING if inspect.isclass(cls) and hasattr(cls, "transform")]


def _data(cls):
    return LOG if cls is InteractionEncoder else X


def test_there_are_some():
    assert {InteractionEncoder, BM25Transformer} <= set(SPARSE)
    assert len(RECOMMENDERS) > 5


@pytest.mark.parametrize("kind", FRAMES)
@pytest.mark.parametrize("cls", SPARSE)
def test_sparse_output_stays_sparse(cls, kind):
    expected = cls().fit(_data(cls)).transform(_data(cls))
    with config_context(transform_output=kind):
        fitted = cls().fit(_data(cls))
        outputs = fitted.transform(_data(cls)), cls().fit_transform(_data(cls))
    for output in outputs:
        assert issparse(output)
        np.testing.assert_array_equal(output.toarray(), expected.toarray())
    assert not hasattr(fitted, "set_output")  # as that of TfidfTransformer


@pytest.mark.parametrize("kind", FRAMES)
def test_methods_of_the_encoder(kind):
    encoder = InteractionEncoder(unknown_items="ignore")
    with config_context(transform_output=kind):
        encoder.fit(LOG)
        histories, users = encoder.transform_histories(LOG)
        assert issparse(histories)
        assert users.tolist() == ["a", "b", "c"]
        assert encoder.row_ids(LOG).tolist() == ["a", "b", "c"]
        encoder.inverse_transform(histories)


@pytest.mark.parametrize("kind", FRAMES)
@pytest.mark.parametrize("estimator", RECOMMENDERS)
def test_recommenders_give_frames(estimator, kind):
    model = clone(estimator).set_params(
        **({"random_state": 0} if "random_state" in estimator.get_params() else {})
    )
    expected, scores = model.fit(X).transform(X), model.decision_function(X)
    names = model.get_feature_names_out().tolist()
    with config_context(transform_output=kind):
        again = clone(model).fit(X)
        output = again.transform(X)
        assert type(output) is FRAMES[kind]
        assert list(output.columns) == names
        np.testing.assert_array_equal(output.to_numpy(), expected)
        np.testing.assert_array_equal(again.decision_function(X), scores)
        assert again.recommend(X, 3).shape == (40, 3)
    chosen = clone(model).set_output(transform=kind).fit(X).transform(X)
    assert type(chosen) is FRAMES[kind]


@pytest.mark.parametrize("kind", FRAMES)
def test_what_calls_a_transformer(kind):
    pipeline = make_pipeline(BM25Transformer(), EASE())
    embedded = LOCA(EASE(), embedding=TruncatedSVD(3), n_estimators=2, random_state=0)
    expected = [model.fit(X).decision_function(X) for model in (pipeline, embedded)]
    svd = small(next(cls for name, cls in all_recommenders() if name == "PureSVD")).fit(X)
    with config_context(transform_output=kind):
        for model, scores in zip((pipeline, embedded), expected, strict=True):
            np.testing.assert_array_equal(clone(model).fit(X).decision_function(X), scores)
        assert np.isfinite(cross_validate(pipeline, X, cv=2)["test_score"]).all()
        display = EmbeddingDisplay.from_estimator(svd, X)
        assert display.coordinates.shape == (40, 2)
