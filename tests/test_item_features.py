"""Item features inside searches: n_users == n_items, routing on and off, two workers."""

import numpy as np
import pytest
import sklearn
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer

from skrec import ItemFeatures
from skrec.base import BaseRecommender
from skrec.utils._item_features import check_item_features
from skrec.utils._params import POSITIVE


class Content(BaseRecommender):
    """Scores by similarity of features; keeps what it got, to look at afterwards."""

    _parameter_rules = {"width": POSITIVE}

    def __init__(self, width=1.0):
        self.width = width

    def fit(self, X, y=None, *, item_features=None):
        X = self._start_fit(X)
        values = np.asarray(check_item_features(item_features, X.shape[1]))
        self.checksum_ = float((values * np.arange(len(values))[:, np.newaxis]).sum())
        self.similarity_ = np.exp(-((values - values.T) ** 2) / self.width)
        return self

    def _scores(self, X):
        return (X @ self.similarity_).astype(X.dtype)


@pytest.fixture(scope="module")
def square():
    rng = np.random.RandomState(0)
    features = rng.uniform(size=(24, 1))
    X = (rng.uniform(size=(24, 24)) < 0.4).astype(float)
    expected = float((features * np.arange(24)[:, np.newaxis]).sum())
    return X, features, expected


def test_a_raw_array_is_cut_by_the_search(square):
    X, features, _ = square
    with pytest.raises(ValueError, match="ItemFeatures"):
        GridSearchCV(Content(), {"width": [1.0]}, cv=2, error_score="raise").fit(
            X, item_features=features
        )


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_wrapped_features_stay_whole(square, n_jobs):
    X, features, expected = square
    search = GridSearchCV(
        Content(), {"width": [0.1, 1.0]}, cv=3, n_jobs=n_jobs, error_score="raise"
    ).fit(X, item_features=ItemFeatures(features))
    assert search.best_estimator_.checksum_ == expected


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_with_metadata_routing(square, n_jobs):
    X, features, expected = square
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(Binarizer(), Content().set_fit_request(item_features=True))
        search = GridSearchCV(
            pipeline, {"content__width": [0.1, 1.0]}, cv=3, n_jobs=n_jobs, error_score="raise"
        ).fit(X, item_features=ItemFeatures(features))
        assert search.best_estimator_[-1].checksum_ == expected
        result = cross_validate(
            pipeline, X, params={"item_features": ItemFeatures(features)}, return_estimator=True
        )
    assert {model[-1].checksum_ for model in result["estimator"]} == {expected}
