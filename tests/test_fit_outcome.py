"""The end of a fit: scores that are not finite are an error, scores all alike a warning."""

import warnings

import numpy as np
import pytest
from scipy.sparse import csr_array

from skrec.base import BaseRecommender
from skrec.decomposition import WMF, BiasedMF
from skrec.dummy import DummyRecommender
from skrec.ensemble import LOCA, Fallback
from skrec.linear_model import EASE, SANSA, SLIM
from skrec.neighbors import ItemKNN, UserKNN
from skrec.neural_network import GMF
from skrec.utils import _fit_outcome, all_recommenders
from tests.instances import small

ALIKE = "scores all items alike"
X = csr_array((np.random.default_rng(0).uniform(size=(40, 15)) < 0.3) * 1.0)
LONG = np.random.default_rng(1).integers(0, [[3000], [20_000]], (2, 9000))
SHORT_ROWS = csr_array((np.ones(9000, np.float32), LONG), shape=(3000, 20_000))
SHORT_ROWS.data[:] = 1


@pytest.mark.parametrize(
    ("estimator", "remedy"),
    [
        (WMF(8, alpha=0.01, random_state=0), "smaller alpha (0.01) or frequency_exponent"),
        (WMF(8, alpha=0.01, random_state=0, solver="cholesky"), "frequency_exponent (1.0)"),
    ],
)
def test_a_fixed_penalty_of_wmf_grows_with_the_catalogue_and_says_so(estimator, remedy):
    with pytest.warns(UserWarning, match=ALIKE) as caught:
        estimator.fit(SHORT_ROWS)
    assert remedy in str(caught[0].message)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimator.set_params(frequency_exponent=0.5, unobserved_weight=0.01).fit(SHORT_ROWS)
        estimator.set_params(alpha="auto", frequency_exponent=1.0, unobserved_weight=0.1).fit(
            SHORT_ROWS
        )


@pytest.mark.parametrize(
    "estimator",
    [
        EASE(alpha=1e300),
        SLIM(alpha=1e10),
        SLIM(alpha=1e4, l1_ratio=0.5),
        SANSA(alpha=1e300),
        WMF(4, alpha=1e6, random_state=0),
        Fallback(EASE(alpha=1e300), fallback=EASE(alpha=1e300)),
        LOCA(EASE(alpha=1e300), n_estimators=2, random_state=0),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_a_penalty_that_leaves_nothing_warns_once(estimator):
    with pytest.warns(UserWarning, match=ALIKE) as caught:
        estimator.fit(X)
    assert [str(w.message).split()[0] for w in caught if ALIKE in str(w.message)] == [
        type(estimator).__name__
    ]
    parameters = estimator.get_params()
    alpha = "estimator__alpha" if "estimator" in parameters else "alpha"
    assert f" smaller {alpha} ({parameters[alpha]!r})" in str(caught[0].message)


@pytest.mark.parametrize("cls", [cls for _, cls in all_recommenders()], ids=lambda c: c.__name__)
def test_a_sound_fit_does_not_warn(cls):
    estimator = small(cls)
    if "random_state" in estimator.get_params(deep=False):
        estimator.set_params(random_state=0)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=f".*{ALIKE}")
        estimator.fit(X)


@pytest.mark.parametrize(
    "equal", [np.ones((6, 4)), np.zeros((6, 4)), np.ones((5, 1)), np.repeat([[2.0], [0]], 5, 1)]
)
def test_columns_that_are_all_equal_have_equal_scores_by_right(equal):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for estimator in (EASE(), WMF(3, random_state=0), ItemKNN(), UserKNN()):
            estimator.fit(equal)


def test_equally_popular_items_are_no_fault_of_a_list_by_popularity():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DummyRecommender().fit(np.eye(6))


def test_equal_ratings_predict_equal_ratings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        BiasedMF(2, random_state=0).fit(X)
        BiasedMF(2, random_state=0).fit(csr_array((4, 3)))
    with pytest.warns(UserWarning, match=ALIKE):
        BiasedMF(2, alpha=1e30, random_state=0).fit(X * np.arange(1, 16))


def test_items_that_nobody_has_together_have_no_neighbours():
    for estimator in (ItemKNN(), EASE(), SLIM()):
        with pytest.warns(UserWarning, match=ALIKE):
            estimator.fit(np.eye(6))


def test_small_scores_say_as_much_as_large_ones_where_the_model_has_no_unit():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = EASE(alpha=1e20).fit(X)
    assert model.decision_function(X).max() < 1e-15


class _Bad(BaseRecommender):
    """Scores that are not finite for one item, or equal."""

    def __init__(self, value=np.nan):
        self.value = value

    def fit(self, X, y=None):
        X = self._start_fit(X)
        self.row_ = np.zeros(X.shape[1])
        self.row_[-1] = self.value
        return self

    def _scores(self, X):
        return np.tile(self.row_.astype(X.dtype), (X.shape[0], 1))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_scores_that_are_not_finite_are_an_error_and_the_model_stays(value):
    model = _Bad(1.0).fit(X)
    before = dict(vars(model))
    with pytest.raises(ValueError, match="not finite"):
        model.set_params(value=value).fit(X)
    assert {**before, "value": value} == vars(model)


def test_values_that_overflow_the_similarity_are_an_error():
    with pytest.raises(ValueError, match="squares are infinite in float32"):
        ItemKNN(metric="asymmetric_cosine").fit((X * 1e30).astype(np.float32))


def test_few_rows_are_looked_at_and_the_longest_among_them(monkeypatch):
    seen = []
    decide = EASE._decide
    monkeypatch.setattr(
        EASE, "_decide", lambda self, rows: seen.append(rows.X) or decide(self, rows)
    )
    EASE().fit(X)
    assert 1 <= seen[0].shape[0] <= 8
    assert np.diff(seen[0].indptr).max() == np.diff(X.indptr).max()
    monkeypatch.setattr(_fit_outcome, "_N_SCORES", 1)
    EASE().fit(X)
    assert seen[1].shape[0] <= 2


def test_models_within_a_model_are_not_asked():
    class Outer(_Bad):
        def fit(self, X, y=None):
            _Bad(0.0).fit(X)  # all alike
            return super().fit(X)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Outer(1.0).fit(X)
    with pytest.warns(UserWarning, match=ALIKE):
        Outer(0.0).fit(X)


def test_a_penalty_of_zero_is_not_advised_to_be_smaller():
    with pytest.warns(UserWarning, match="scores all items alike") as caught:
        GMF(4, max_iter=1, random_state=0).fit(np.array([[1.0, 0, 0], [0, 0, 0]]))
    assert "smaller" not in str(caught[0].message)
