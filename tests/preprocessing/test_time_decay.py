"""TimeDecay: against a loop over entries, and what must hold for any times."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csc_matrix, csr_array
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from skrec.linear_model import EASE
from skrec.preprocessing import InteractionEncoder, TimeDecay
from skrec.utils._times import LEAST_WEIGHT


def _slow(X, half_life, *, reference="row", unit="time", floor=0.0):
    weights = np.zeros(X.shape)
    for user, row in enumerate(X):
        for item in np.flatnonzero(row):
            zero = row.max() if reference == "row" else reference
            age = np.sum(row > row[item]) if unit == "position" else max(0.0, zero - row[item])
            weights[user, item] = max(floor, 0.5 ** (age / half_life), LEAST_WEIGHT)
    return weights


def _times(seed=0, shape=(12, 9)):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(shape) < 0.5, rng.integers(1, 9, shape).astype(float), 0.0)


@pytest.mark.parametrize("half_life", [0.3, 4.0, np.inf])
@pytest.mark.parametrize(
    "options",
    [{}, {"floor": 0.2}, {"reference": 5.5}, {"unit": "position"}, {"reference": 40, "floor": 1}],
)
def test_slow_twin(half_life, options):
    X = _times()
    found = TimeDecay(half_life, **options).fit(_times(1)).transform(csr_array(X))
    assert isinstance(found, csr_array)
    assert_allclose(found.toarray(), _slow(X, half_life, **options))


def test_the_latest_time_of_fit():
    model = TimeDecay(2.0, reference="fit").fit(np.array([[3.0, 7.0], [0.0, 1.0]]))
    assert model.reference_ == 7.0
    assert_allclose(model.transform(np.array([[5.0, 9.0]])).toarray(), [[0.5, 1.0]])
    assert TimeDecay(reference="fit").fit(np.zeros((2, 2))).reference_ == 0.0
    assert not hasattr(model.set_params(reference="row").fit(_times()), "reference_")


@pytest.mark.parametrize("options", [{}, {"unit": "position"}, {"reference": "fit"}])
def test_check_estimator(options):
    results = check_estimator(TimeDecay(3.0, **options), on_skip=None)
    assert {result["status"] for result in results} == {"passed"}


@given(
    times=st.lists(st.integers(0, 5), min_size=1, max_size=8),
    half_life=st.floats(1e-300, 1e300),
    unit=st.sampled_from(["time", "position"]),
)
def test_entries_stay_and_ties_weigh_alike(times, half_life, unit):
    row = np.array([times], dtype=float)
    weights = TimeDecay(half_life, unit=unit).fit_transform(row).toarray()[0]
    assert_array_equal(weights > 0, row[0] > 0)
    order = np.argsort(row[0], kind="stable")
    steps = np.diff(weights[order])
    assert (steps >= 0).all()
    assert (steps[np.diff(row[0][order]) == 0] == 0).all()
    assert not row.any() or weights.max() == 1.0


def test_nothing_vanishes():
    """Sixty half-lives back a weight stays what it is, in float32 too."""
    for dtype in (np.float32, np.float64):
        X = csr_array(np.arange(1, 3000, dtype=dtype)[np.newaxis])
        weights = TimeDecay(1e-3).fit_transform(X)
        assert weights.dtype == dtype
        assert weights.nnz == X.nnz
        assert weights.data.min() == dtype(2.0**-60)
        assert weights.data.min() ** 2 >= np.finfo(dtype).tiny


def test_inputs_are_not_changed():
    X = csr_array(_times())
    before = X.data.copy()
    model = TimeDecay(np.inf).fit(X)
    out = model.transform(X)
    assert_array_equal(out.data, 1.0)
    out.indices[:] = 0
    assert_array_equal(X.toarray(), _times())
    assert_array_equal(X.data, before)
    assert_array_equal(model.transform(csc_matrix(X)).toarray(), _times() > 0)


def test_times_that_float32_cannot_tell_apart():
    X = (1.7e9 + np.arange(4.0))[np.newaxis]
    TimeDecay().fit_transform(X)
    with pytest.raises(ValueError, match=r"TimeDecay takes .* lie 128 apart.*float64"):
        TimeDecay().fit(X.astype(np.float32))
    model = TimeDecay().fit(X)
    with pytest.raises(ValueError, match="days since the first"):
        model.transform(X.astype(np.float32))
    days = ((X - X.min()) / 86_400 + 1).astype(np.float32)
    TimeDecay(30.0).fit_transform(days)


@pytest.mark.parametrize(
    "params",
    [
        {"half_life": 0},
        {"half_life": float("nan")},
        {"half_life": True},
        {"reference": "last"},
        {"reference": -1.0},
        {"unit": "days"},
        {"floor": 1.5},
    ],
)
def test_bad_parameters(params):
    with pytest.raises(ValueError, match=f"'{next(iter(params))}' parameter of TimeDecay"):
        TimeDecay(**params).fit(_times())


def test_positions_have_no_clock():
    with pytest.raises(ValueError, match="reference must be 'row'"):
        TimeDecay(reference="fit", unit="position").fit(_times())


def test_in_a_pipeline_from_a_log():
    log = {
        "user": ["ann", "ann", "bob", "bob", "ann"],
        "item": ["tea", "rum", "tea", "gin", "tea"],
        "time": np.array(["2025-01-01", "2025-03-01", "2025-03-02", "2025-03-03", "2025-04-01"]),
    }
    X = InteractionEncoder(value="time", duplicates="max").fit_transform(log)
    weights = TimeDecay(86_400.0 * 31).fit_transform(X).toarray()
    assert_allclose(weights, [[0, 0.5, 1], [1, 0, 0.5 ** (1 / 31)]])
    assert make_pipeline(TimeDecay(), EASE(1.0)).fit(X).predict(X).tolist() == [0, 1]
