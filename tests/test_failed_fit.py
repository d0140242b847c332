"""An estimator whose fit fails, anywhere and by anything, is to the bit what it was before."""

import gc
import inspect
import os
import sys
import warnings
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

import skrec
from skrec._testing._data import assert_same, make_data, outputs, seeded
from skrec.autoencoder import MultVAE
from skrec.content import VBPR
from skrec.decomposition import WMF, BiasedMF
from skrec.ensemble import LOCA
from skrec.linear_model import EASE, SANSA, SLIM
from skrec.neighbors import ItemKNN, UserKNN
from skrec.preprocessing import BM25Transformer, InteractionEncoder
from skrec.utils import all_recommenders
from tests.instances import small

_SOURCE = str(Path(skrec.__file__).parent) + os.sep
_KINDS = (RuntimeError, KeyboardInterrupt, MemoryError)
_N_POINTS = 9  # of the slow tests; 4 show each kind of failure and the end

RECOMMENDERS = [small(cls) for _, cls in all_recommenders()] + [
    BiasedMF(4, solver="sgd", max_iter=3),
    EASE(positive=True),
    ItemKNN(feedback="rating", deviation="both"),
    LOCA(small(MultVAE), n_estimators=2),
    SLIM(solver="admm"),
    UserKNN(feedback="rating", deviation="both"),
    *(
        small(cls, warm_start=True, early_stopping=True)
        for _, cls in all_recommenders()
        if {"warm_start", "early_stopping"} <= cls().get_params().keys()
    ),
]


@pytest.fixture(autouse=True, scope="module")
def _few_objects_to_collect():
    # A collection goes through every object of the test session, half a second each time; those
    # that are there by now take no part.
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


class _Injection:
    """Counts the calls of skrec's functions in a block, and raises at one of them."""

    def __init__(self, place=None, error=None):
        self.n_calls, self._place, self._error = 0, place, error

    def _trace(self, frame, event, _):
        # Closing a generator is a call as well, and what that raises nobody hears.
        code = frame.f_code
        if code.co_filename.startswith(_SOURCE) and not code.co_flags & inspect.CO_GENERATOR:
            self.n_calls += 1
            if self.n_calls == self._place:
                raise self._error

    def __enter__(self):
        gc.collect()
        gc.disable()  # what objects do when they are collected is no part of the block
        self._before = sys.gettrace()
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_):
        sys.settrace(self._before)
        gc.enable()


def _places(n_calls, n_points):
    """Calls at which to fail: the first one, the last one, and some between."""
    return np.unique(np.linspace(1, n_calls, n_points).astype(int))


def _raised(call, estimator, injection):
    """What a call raises; an interrupted neural fit, which keeps the last epoch, warns."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "The fit was interrupted", ConvergenceWarning)
        try:
            with injection:
                call(estimator)
        except BaseException as error:
            return error
    return None


def _failures(call, again, n_points=4):
    """Fail `call(again())` at places all over it, in each way; yields the estimator after it."""
    call(again())  # what is kept for the next time is kept now
    estimator = again()
    with _Injection() as count:
        call(estimator)
    assert count.n_calls > 3
    for number, place in enumerate(_places(count.n_calls, n_points)):
        kind = _KINDS[number % len(_KINDS)]
        estimator = again()
        before = joblib.hash(vars(estimator))
        injection = _Injection(place, kind("injected"))
        error = _raised(call, estimator, injection)
        if error is None and count.n_calls - 5 <= injection.n_calls < place:
            continue  # a few calls fewer than when they were counted: it had ended before
        # In pretraining, before there is a model of any epoch, the interrupt is raised anew.
        interrupted = kind is KeyboardInterrupt and isinstance(
            error, ConvergenceWarning | KeyboardInterrupt
        )
        assert interrupted or "injected" in f"{error} {error.__cause__}", f"call {place}: {error}"
        after = joblib.hash(vars(estimator))
        assert after == before, f"{kind.__name__} at call {place} of {count.n_calls}"
        yield estimator


@pytest.mark.parametrize("n_points", [4, pytest.param(_N_POINTS, marks=pytest.mark.slow)])
@pytest.mark.parametrize("original", RECOMMENDERS, ids=str)
def test_a_failed_refit_leaves_the_model(original, n_points):
    X = make_data(original)
    wide = make_data(original, n_users=40, n_items=31, seed=1)
    model = seeded(original).fit(X)
    expected = outputs(model, X)
    # Going on takes the columns of the first fit.
    other = make_data(original, seed=1) if _resumes(original) else wide
    state = {**vars(model)}

    def again():
        twin = clone(model)
        vars(twin).update(state)
        return twin

    for twin in _failures(lambda twin: twin.fit(other), again, n_points):
        assert_same(outputs(twin, X), expected)


@pytest.mark.slow
@pytest.mark.parametrize("original", RECOMMENDERS, ids=str)
def test_a_failed_first_fit_leaves_nothing(original):
    X = make_data(original)
    for model in _failures(lambda model: model.fit(X), lambda: seeded(original), _N_POINTS):
        assert set(vars(model)) == set(model.get_params(deep=False))


def _resumes(estimator):
    return estimator.get_params(deep=False).get("warm_start", False)


@pytest.mark.parametrize(
    "original", [EASE(), EASE(positive=True), SLIM(), SLIM(solver="admm"), SANSA()], ids=str
)
def test_a_failed_partial_fit_leaves_gram_and_weights(original):
    X, more = make_data(original), make_data(original, seed=1)
    for begin in ("partial_fit", "fit"):
        model = getattr(clone(original), begin)(X)
        # The very arrays: a change in place would show in the model, too.
        state, expected = {**vars(model)}, outputs(model, X)

        def again(model=model, state=state):
            twin = clone(model)
            vars(twin).update(state)
            return twin

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="partial_fit begins anew")
            for twin in _failures(lambda twin: twin.partial_fit(more), again):
                assert_same(outputs(twin, X), expected)


def test_a_failed_fit_transform_leaves_the_model():
    model = WMF(3, max_iter=2, random_state=0).fit(make_data(WMF()))
    state, wide = {**vars(model)}, make_data(WMF(), n_items=31, seed=1)

    def again():
        twin = clone(model)
        vars(twin).update(state)
        return twin

    for _ in _failures(lambda twin: twin.fit_transform(wide), again):
        pass


def test_with_items_that_fails_leaves_the_model():
    rng = np.random.default_rng(0)
    X, features = make_data(VBPR()), rng.normal(size=(14, 3))
    model = small(VBPR, random_state=0).fit(X, item_features=features)
    new = rng.normal(size=(4, 3))
    for twin in _failures(lambda model: model.with_items(new), lambda: model):
        assert twin.n_features_in_ == 14


@pytest.mark.parametrize("encoder", [BM25Transformer(), InteractionEncoder()], ids=str)
def test_transformers(encoder):
    if isinstance(encoder, BM25Transformer):
        first, second = make_data(WMF()), make_data(WMF(), n_items=31)
    else:
        first, second = [("a", "x"), ("b", "y")], [("c", "z"), ("d", "y"), ("c", "y")]
    for method in ("fit", "fit_transform"):
        for _ in _failures(
            lambda twin, method=method: getattr(twin, method)(second),
            lambda: clone(encoder).fit(first),
        ):
            pass


@pytest.mark.parametrize("cls", [cls for _, cls in all_recommenders()], ids=lambda c: c.__name__)
def test_values_too_large_for_a_wider_refit(cls):
    rng = np.random.default_rng(0)
    narrow, wide = (rng.random((30, 10)) < 0.3) * 1.0, (rng.random((30, 300)) < 0.1) * 1.0
    model = seeded(small(cls)).fit(narrow)
    expected = outputs(model, narrow)
    wide[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        model.fit(wide)
    check_is_fitted(model)
    with pytest.raises(ValueError, match="10 features"):
        model.recommend(np.nan_to_num(wide), 3)
    assert_same(outputs(model, narrow), expected)


def test_overflow_in_the_solver_of_a_wider_refit():
    rng = np.random.default_rng(0)
    narrow, wide = (rng.random((30, 10)) < 0.3) * 1.0, (rng.random((30, 3000)) < 0.1) * 1.0
    model = WMF(3, max_iter=2, random_state=0).fit(narrow)
    expected = outputs(model, narrow)
    with pytest.raises(ValueError, match="overflow"):
        model.fit(wide * 1e160)
    with pytest.raises(ValueError, match="10 features"):
        model.recommend(wide, 3)
    assert_same(outputs(model, narrow), expected)
