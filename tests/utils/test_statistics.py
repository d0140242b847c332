"""Fits over parts: one code path, the bits of one fit, clear errors; no cluster is needed."""

import tracemalloc
from threading import Event

import joblib
import numpy as np
import pytest
from joblib.parallel import ThreadingBackend
from scipy.sparse import csr_array, save_npz
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer

import skrec.dask
from skrec.datasets import make_interactions
from skrec.decomposition import WMF, GraphFilter, PureSVD
from skrec.dummy import DummyRecommender
from skrec.linear_model import EASE, SANSA, SLIM
from skrec.neighbors import ItemKNN, UserKNN
from skrec.preprocessing import BM25Transformer
from skrec.utils._engines import JoblibEngine
from skrec.utils._fitted_check import learned
from skrec.utils._statistics import Pass, add, add_all

X = make_interactions(240, 30, 1_500, random_state=0, return_X=True)
COUNTS = csr_array((X.data + (X.indices % 3), X.indices, X.indptr), shape=X.shape)


def parts_of(X):
    return [X[:70], X[70:71], X[71:200], X[200:]]


def same_bits(first, second):
    """Whether two estimators have learned the same attributes, to the bit."""
    a, b = learned(first), learned(second)
    assert set(a) == set(b)
    for name in a:
        x, y = (np.asarray(v.todense() if hasattr(v, "todense") else v) for v in (a[name], b[name]))
        assert x.dtype == y.dtype, name
        assert np.array_equal(x, y), name
    return True


ONE_PASS = [
    DummyRecommender(random_state=3),
    EASE(alpha=20.0),
    EASE(alpha=20.0, positive=True),
    EASE(alpha=20.0, dropout=0.3, dtype="float32"),
    SLIM(alpha=10.0),
    SLIM(alpha=10.0, solver="admm"),
    BM25Transformer(),
]


@pytest.mark.parametrize("estimator", ONE_PASS, ids=repr)
@pytest.mark.parametrize("data", [X, COUNTS], ids=["binary", "counts"])
def test_a_fit_over_parts_is_one_fit_to_the_bit(estimator, data):
    whole = clone(estimator).fit(data)
    over_parts = skrec.dask.fit(estimator, parts_of(data))
    assert same_bits(over_parts, whole)
    assert not learned(estimator), "the estimator itself stays as it is"


def test_pairs_of_items_take_a_second_pass():
    model = EASE(alpha=20.0, n_pairs=7, pair_alpha=30.0)
    assert same_bits(skrec.dask.fit(model, parts_of(X)), clone(model).fit(X))
    counts = skrec.dask.fit(model, parts_of(COUNTS))  # the roots of counts are no whole numbers
    assert np.allclose(counts.pair_coef_, clone(model).fit(COUNTS).pair_coef_, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "estimator", [DummyRecommender(random_state=3), BM25Transformer()], ids=repr
)
def test_partial_fit_of_parts_is_one_fit(estimator, tmp_path):
    first, *others = parts_of(COUNTS)
    begun, continued = clone(estimator), clone(estimator).fit(first)
    begun.partial_fit(first)
    for part in others:
        begun.partial_fit(part)
        continued.partial_fit(part)
    whole = clone(estimator).fit(COUNTS)
    assert same_bits(begun, whole)
    assert same_bits(continued, whole)
    assert same_bits(skrec.load(skrec.save(begun, tmp_path / "model.skops")), whole)
    with pytest.raises(ValueError, match="30 features"):
        begun.partial_fit(X[:, :29])
    assert same_bits(begun, whole), "a call that fails changes nothing"


def test_partial_fit_weighs_users():
    weight = np.arange(240) % 4
    model = DummyRecommender()
    for rows in (slice(0, 100), slice(100, 240)):
        model.partial_fit(X[rows], sample_weight=weight[rows])
    expected = np.asarray(X.multiply(weight[:, None]).sum(axis=0)).ravel()
    assert np.array_equal(model.item_popularity_, expected)


@pytest.mark.parametrize("first", [Binarizer(), BM25Transformer()], ids=repr)
def test_parts_of_a_pipeline_may_be_empty(first):
    pipeline = make_pipeline(first, EASE(alpha=2.0))
    expected = clone(pipeline).fit(X)
    model = skrec.dask.fit(pipeline, [X[:0], X[:100], X[100:100], X[100:]])
    scores = model.decision_function(X)
    np.testing.assert_allclose(scores, expected.decision_function(X), rtol=1e-6, atol=1e-6)
    for estimator in (pipeline, EASE()):
        with pytest.raises(ValueError, match="No part has a user"):
            skrec.dask.fit(estimator, [X[:0], X[:0]])


def test_parts_may_be_files_empty_dense_and_of_two_dtypes(tmp_path):
    for number, part in enumerate(parts_of(X)):
        save_npz(tmp_path / f"{number}.npz", part)
    whole = EASE(alpha=20.0).fit(X)
    assert same_bits(skrec.dask.fit(EASE(alpha=20.0), tmp_path), whole)
    mixed = [X[:100].toarray(), X[:0], X[100:].astype(np.float32)]
    assert same_bits(skrec.dask.fit(EASE(alpha=20.0), mixed), whole)


def test_a_pipeline_is_fitted_step_by_step():
    pipeline = make_pipeline(Binarizer(), BM25Transformer(), DummyRecommender())
    whole = clone(pipeline).fit(COUNTS)
    over_parts = skrec.dask.fit(pipeline, parts_of(COUNTS))
    assert np.array_equal(over_parts.decision_function(X), whole.decision_function(X))
    assert same_bits(over_parts[1], whole[1])


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_workers_of_joblib_make_the_same_model(backend):
    with joblib.parallel_config(backend, n_jobs=2):
        model = skrec.dask.fit(EASE(alpha=20.0), parts_of(X))
    assert same_bits(model, EASE(alpha=20.0).fit(X))


@pytest.mark.parametrize(
    ("estimator", "parts", "error", "message"),
    [
        (UserKNN(), [X], TypeError, "UserKNN cannot be fitted over parts"),
        (EASE, [X], TypeError, "cannot be fitted over parts"),
        (EASE(), [], ValueError, "no parts"),
        (EASE(), X, TypeError, "a list of blocks of rows"),
        (EASE(), [X, X[:, :20]], ValueError, "30 and 20"),
        (EASE(), [X, -X], ValueError, "Negative values"),
        (EASE(alpha=-1.0), [X], ValueError, "alpha"),
        (EASE(), ["nowhere.npz"], FileNotFoundError, "no file nowhere.npz"),
        (EASE(), [{"user": [1], "item": [2]}], TypeError, "pass encoder="),
        (SLIM(precompute=False), [X], ValueError, "column by column"),
        (EASE(n_pairs=2, positive=True), [X], ValueError, "n_pairs=2"),
    ],
    ids=lambda value: None,
)
def test_errors_say_what_is_wrong(estimator, parts, error, message):
    with pytest.raises(error, match=message):
        skrec.dask.fit(estimator, parts)


def test_statistics_add_up_and_only_own_ones_change():
    a, b = (np.ones(3), 1), (np.arange(3.0), 2)
    total = add(a, b)
    assert np.array_equal(total[0], [1, 2, 3])
    assert total[1] == 3
    assert np.array_equal(a[0], np.ones(3))
    own = np.ones(3)
    assert add(own, b[0], own=True) is own
    assert add(None, b) is b
    arrays = [np.full(2, float(i)) for i in range(5)]
    assert np.array_equal(add_all(arrays), [10, 10])
    assert [array[0] for array in arrays] == [0, 1, 2, 3, 4]
    assert np.array_equal(add_all([None, *arrays]), [10, 10])
    pairs = [(None, arrays[1]), (arrays[2], None), (arrays[3], None), (arrays[4], arrays[4])]
    assert [part[0] for part in add_all(pairs)] == [9, 5]
    assert [array[0] for array in arrays] == [0, 1, 2, 3, 4]
    assert add_all([None, None]) is None
    assert add(csr_array(np.eye(2)), csr_array(np.eye(2))).format == "csr"


def test_a_process_holds_the_sum_and_one_part_of_it():
    n_bytes = 8 << 20

    def opener(part):
        return np.ones(n_bytes // 8)

    engine = JoblibEngine(range(5), opener)
    tracemalloc.start()
    try:
        total = engine.sum(Pass(np.copy))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (total == 5).all()
    # The sum, the part, and what is made of it.
    assert peak < 3.1 * n_bytes


def test_sums_of_workers_are_added_as_they_come():
    added = Event()

    class Sum:
        def __add__(self, other):
            added.set()
            return self

    def wait(part):
        return (Sum(), part < 2 or added.wait(timeout=20))

    with joblib.parallel_config("threading", n_jobs=3):
        _, all_added = JoblibEngine(range(3), int).sum(Pass(wait))
    assert all_added == 3


def test_workers_that_hand_over_all_at_once_do_too():
    with joblib.parallel_config("multiprocessing", n_jobs=2):
        total = JoblibEngine([1, 2, 3], int).sum(Pass(abs))
    assert total == 6


class _Frozen(ThreadingBackend):
    """Threads whose arrays are read-only on both ways, as in the object store of Ray."""

    supports_return_generator = False

    def submit(self, func, callback=None):
        return super().submit(lambda: _read_only(func()), callback)

    def apply_async(self, func, callback=None):  # of joblib before 1.5
        return super().apply_async(lambda: _read_only(func()), callback)


def _read_only(value):
    if isinstance(value, np.ndarray):
        value = value.copy()
        value.flags.writeable = False
    elif isinstance(value, csr_array):
        arrays = map(_read_only, (value.data, value.indices, value.indptr))
        value = csr_array(tuple(arrays), shape=value.shape)
    elif type(value) in (tuple, list):
        value = type(value)(map(_read_only, value))
    return value


@pytest.mark.parametrize(
    "estimator",
    [
        EASE(alpha=20.0),
        ItemKNN(5),
        WMF(4, max_iter=3, random_state=0),
        PureSVD(4, random_state=0),
        GraphFilter(4, random_state=0),
        SANSA(density=0.5),
        SLIM(),
        DummyRecommender(),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_arrays_of_workers_may_be_read_only(estimator):
    joblib.register_parallel_backend("frozen", _Frozen)
    with joblib.parallel_config("frozen", n_jobs=2):
        assert JoblibEngine([np.ones(3)], np.asarray).sum(Pass(np.copy)).flags.writeable
        model = skrec.dask.fit(estimator, parts_of(X))
    over_parts = skrec.dask.fit(estimator, parts_of(X))
    assert np.allclose(model.decision_function(X), over_parts.decision_function(X), atol=1e-6)
