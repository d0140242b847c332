"""Small data sets and assertions of the checks."""

import numpy as np
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.utils import get_tags

SCORING_METHODS = ("decision_function", "predict_proba", "transform")


def make_data(estimator, *, n_users=30, n_items=14, seed=0, dtype=np.float64, twins=True):
    """A user-item matrix with an empty user, an empty item and duplicate items.

    Columns 3 and 4 are equal, and so are columns 7 and 9, so that ties happen. Values are
    small whole numbers; if the estimator's tags allow it, they are halves around zero.
    """
    rng = np.random.RandomState(seed)
    dense = rng.randint(1, 6, size=(n_users, n_items)).astype(dtype)
    if not get_tags(estimator).input_tags.positive_only:
        dense -= 3.5
    dense *= rng.uniform(size=dense.shape) < 0.35
    dense[5] = 0
    dense[:, 11] = 0
    if twins:
        dense[:, 4] = dense[:, 3]
        dense[:, 9] = dense[:, 7]
    return csr_array(dense)


def fitted(estimator, X):
    """A clone with a fixed seed, fitted."""
    return seeded(estimator).fit(X)


def seeded(estimator):
    """A clone with a fixed seed."""
    estimator = clone(estimator)
    if "random_state" in estimator.get_params(deep=False):
        estimator.set_params(random_state=0)
    return estimator


def outputs(estimator, X):
    """The results of all scoring methods for some rows, by name of the method."""
    found = {name: getattr(estimator, name)(X) for name in methods(estimator)}
    found["predict"] = estimator.predict(X)
    found["recommend"] = estimator.recommend(X, k=6)
    return found


def methods(estimator):
    """The scoring methods that an estimator has."""
    return [name for name in SCORING_METHODS if hasattr(estimator, name)]


def assert_same(actual, expected, *, rtol=0.0, message=""):
    """Assert that outputs are equal: indices exactly, scores to `rtol` of the largest score."""
    for name in expected:
        a, b = np.asarray(actual[name]), np.asarray(expected[name])
        if b.dtype.kind == "i":
            np.testing.assert_array_equal(a, b, err_msg=f"{name} {message}")
        else:
            atol = rtol * max(1.0, float(np.abs(b).max(initial=0.0)))
            np.testing.assert_allclose(a, b, rtol=0, atol=atol, err_msg=f"{name} {message}")


def expect_error(kinds, text, function, *args, **options):
    """Raise an AssertionError unless a call raises one of `kinds` with `text` in its message."""
    try:
        function(*args, **options)
    except kinds as error:
        if text.lower() not in str(error).lower():
            raise AssertionError(f"The message should mention {text!r}; got: {error}") from error
        return
    raise AssertionError(f"{function} should have raised one of {kinds} ({text}).")
