"""Divisions by residuals, norms, curvatures and counts: data and penalties where these are nothing.

Every recommender fits and scores them with finite scores, or raises a ValueError that says why.
"""

import inspect
import warnings

import numpy as np
import pytest
from scipy.sparse import csr_array

from skrec.decomposition import BPR, WMF, BiasedMF
from skrec.neighbors import ItemKNN, UserKNN
from skrec.utils import all_recommenders
from tests import instances

_RNG = np.random.default_rng(0)
_PLAIN = (_RNG.uniform(size=(12, 9)) < 0.3) * _RNG.integers(1, 4, (12, 9)).astype(float)
_SINGLE = np.zeros((8, 7))
_SINGLE[3, 4] = 1
DATA = {
    "plain": _PLAIN,
    "no entry": np.zeros((5, 4)),
    "one entry": _SINGLE,
    "equal rows": np.tile((np.arange(7) % 3 == 0) * 1.0, (8, 1)),
    "equal columns": np.tile(((np.arange(8) % 3 == 0) * 1.0)[:, None], (1, 6)),
    "all equal": np.full((6, 5), 3.7),
    "identity": np.eye(7),
    "one row": np.ones((1, 5)),
    "one column": np.ones((5, 1)),
    "least float64": _PLAIN * 5e-324,
    "squares underflow": _PLAIN * 1e-200,
    "least float32": (_PLAIN * 1.5e-45).astype(np.float32),
    "large": _PLAIN * 1e20,
    "squares overflow float32": (_PLAIN * 1e30).astype(np.float32),
}
# Of networks' steps a huge penalty makes an error that names the loss; a tiny one is none.
PENALTIES = (None, 1e-300, 1e30)


def _instances(cls):
    parameters = inspect.signature(cls).parameters
    small = {"max_iter": 2} if "random_state" in parameters and "max_iter" in parameters else {}
    for penalty in PENALTIES if "alpha" in parameters else PENALTIES[:1]:
        yield instances.small(cls, **small, **({} if penalty is None else {"alpha": penalty}))
    for name, options in _VARIANTS.get(cls.__name__, {}).items():
        for option in options:
            yield instances.small(cls, **small, **{name: option})


_VARIANTS = {
    "ItemKNN": {
        "metric": ["pearson", "adjusted_cosine", "jaccard", "asymmetric_cosine"],
        "weighting": ["bm25", "tfidf"],
        "feedback": ["rating"],
    },
    "UserKNN": {
        "metric": ["pearson", "adjusted_cosine", "jaccard", "asymmetric_cosine"],
        "weighting": ["bm25", "tfidf"],
        "feedback": ["rating"],
    },
    "WMF": {"solver": ["cholesky"], "unobserved_weight": [0.0], "dtype": ["float32"]},
    "BiasedMF": {"solver": ["sgd"], "alpha": [0.0]},
    "RBMRecommender": {"orientation": ["item"], "alpha": [0.0]},
    "BPR": {"loss": ["hinge", "warp"], "solver": ["adagrad"]},
    "SLIM": {"solver": ["admm"], "positive": [False]},
    "EASE": {"positive": [True], "n_pairs": [4]},
    "GraphFilter": {"linear_weight": [1.0], "item_exponent": [0.0, 2.0]},
    "RP3beta": {"exponent": [0.0, 3.0], "normalize": [False]},
}


@pytest.mark.parametrize("cls", [cls for _, cls in all_recommenders()], ids=lambda c: c.__name__)
def test_scores_are_finite_or_the_fit_says_why(cls):
    for estimator in _instances(cls):
        if "random_state" in estimator.get_params(deep=False):
            estimator.set_params(random_state=0)
        for name, dense in DATA.items():
            X = csr_array(dense)
            new = csr_array(np.roll(dense, 1, axis=1))  # rows that were not there
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    estimator.fit(X)
                except ValueError:
                    continue
                for rows in (X, new):
                    finite = np.isfinite(estimator.decision_function(rows)).all()
                    assert finite, f"{estimator} on {name}"
                estimator.recommend(new, 3)


@pytest.mark.parametrize("cls", [ItemKNN, UserKNN])
def test_vectors_whose_norm_underflows_are_nobodys_neighbours(cls):
    X = csr_array(np.vstack([_PLAIN, np.where(_PLAIN > 0, 5e-324, 0.0)]))
    model = cls(weighting=None)  # how many rows have an item counts nowhere else
    scores = model.fit(X).decision_function(X)
    assert scores[:12].any()
    if cls is UserKNN:
        np.testing.assert_array_equal(scores[12:], 0)
        expected = model.fit(csr_array(_PLAIN)).decision_function(csr_array(_PLAIN))
        np.testing.assert_allclose(scores[:12], expected, rtol=1e-12)


@pytest.mark.parametrize(
    "estimator",
    [
        BPR(3, alpha=1e3, max_iter=20, random_state=0),
        BPR(3, alpha=1e300, max_iter=20, random_state=0),
        BPR(3, alpha=1e300, solver="adagrad", max_iter=20, random_state=0),
        BiasedMF(3, solver="sgd", alpha=1e300, max_iter=20, random_state=0),
    ],
)
def test_a_penalty_above_what_a_step_can_take_leaves_nothing_and_does_not_diverge(estimator):
    X = csr_array((_PLAIN > 0) * 1.0)
    estimator.fit(X)
    # What is left is the last step, of the learning rate times differences of such vectors.
    assert np.abs(estimator.components_).max() < 1e-3
    assert np.isfinite(estimator.decision_function(csr_array(np.roll(X.toarray(), 1, 1)))).all()


def test_a_penalty_that_is_nothing_gives_the_solution_of_least_norm():
    """More unknowns than entries: what a Cholesky factor of rounding would make is noise."""
    X = csr_array((_PLAIN > 0) * 1.0)
    fit = {"frequency_exponent": 0.0, "unobserved_weight": 0.5, "max_iter": 3, "random_state": 0}
    tiny = WMF(40, alpha=1e-300, **fit).fit(X)
    H, D = tiny.components_.T, X.toarray()
    for row, vector in zip(D, tiny.transform(X), strict=True):
        if row.any():
            root = np.sqrt(0.5 + row)[:, None]
            target = root[:, 0] * (row > 0)
            expected = np.linalg.lstsq(root * H, target, rcond=1e-6)[0]
            np.testing.assert_allclose(vector @ H.T, expected @ H.T, atol=1e-5)
