"""A thousand fuzzed inputs over all estimators and functions; `tests/fuzz.py` runs more."""

import numpy as np
import pytest

from tests.fuzz import DOCUMENTED, Wrong, run_case, watch


@pytest.mark.parametrize(
    ("first", "last"), [(0, 200), pytest.param(200, 1000, marks=pytest.mark.slow)]
)
def test_odd_inputs_give_a_result_or_a_clear_error(first, last):
    failures, outcomes = watch(first, last)
    assert not failures, "\n".join(failures[:20])
    assert sum(outcomes.values()) == last - first
    # The inputs are odd, but not so odd that nothing is ever computed.
    assert outcomes["result"] > (last - first) / 10
    assert outcomes["ValueError"] > (last - first) / 10


def test_a_case_is_the_same_each_time():
    found = []
    for _ in range(2):
        for number in range(30):
            try:
                found.append(run_case(number))
            except Exception as error:
                found.append(repr(error))
    assert found[:30] == found[30:]


def _run_some():
    for number in range(50):
        run_case(number)


def test_a_result_that_is_not_finite_is_a_failure(monkeypatch):
    from skrec.linear_model import EASE

    monkeypatch.setattr("tests.fuzz._classes", lambda: [EASE])
    monkeypatch.setattr("tests.fuzz._METHODS", ("decision_function",))
    monkeypatch.setattr(EASE, "decision_function", lambda self, X: np.array([np.nan]))
    with pytest.raises(Wrong, match="not finite"):
        _run_some()


@pytest.mark.parametrize(
    "error",
    [KeyError("item"), IndexError("out of bounds"), TypeError("'int' object is not iterable")],
)
def test_an_error_from_inside_is_a_failure(monkeypatch, error):
    from skrec.linear_model import EASE

    def broken(self, X):
        raise error

    monkeypatch.setattr("tests.fuzz._classes", lambda: [EASE])
    monkeypatch.setattr("tests.fuzz._METHODS", ("predict",))
    monkeypatch.setattr(EASE, "predict", broken)
    wrong = Wrong if isinstance(error, DOCUMENTED) else type(error)
    with pytest.raises(wrong):
        _run_some()
