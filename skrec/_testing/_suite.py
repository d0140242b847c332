"""Checks that every recommender must pass in addition to scikit-learn's `check_estimator`.

Each check is a function of an unfitted estimator. If the estimator breaks the contract, the
check raises an AssertionError or passes on the estimator's own error. The first paragraph of
its docstring is the rule of the contract that it guards.
"""

import inspect
import warnings
from functools import partial
from unittest import SkipTest

from sklearn.base import clone
from sklearn.exceptions import EstimatorCheckFailedWarning

from skrec._testing import behaviour, inputs, persistence, side_items, side_rows
from skrec.utils._tags import recommender_tags

__all__ = ["check_recommender", "parametrize_with_recommender_checks"]


def _checks():
    for module in (behaviour, inputs, persistence, side_items, side_rows):
        for name in sorted(vars(module)):
            if name.startswith("check_"):
                yield vars(module)[name]


def check_recommender(estimator, *, skip=(), on_fail="raise"):
    """Check that an estimator keeps the contract of skrec.

    Run it in addition to `sklearn.utils.estimator_checks.check_estimator`, which checks the
    rules for every scikit-learn estimator. Checks of side information run only for what the
    estimator reads, see `skrec.utils.RecommenderTags`.

    Parameters
    ----------
    estimator : recommender
        An instance; it is cloned for each check.
    skip : sequence of str, default=()
        Names of checks that cannot hold for this estimator, such as
        ``"check_item_permutation"`` and ``"check_duplicate_items_tie"`` if the initial
        weights are drawn item by item.
    on_fail : {"raise", "warn"} or None, default="raise"
        What to do when a check fails: "raise" raises its AssertionError, "warn" warns and
        continues, None continues. The result lists the failures.

    Returns
    -------
    results : list of dict
        One dict per check, in order, with the keys of `check_estimator` ("estimator",
        "check_name", "exception", "status", "expected_to_fail", "expected_to_fail_reason")
        and "rule", the sentence of the contract that the check guards. The status is
        "passed", "failed" or "skipped". Checks named in `skip` do not run;
        "expected_to_fail" is True for them.

    Raises
    ------
    AssertionError
        If a check fails and `on_fail` is "raise". The message begins with the name of the
        check and its rule; the error of the estimator is its cause.
    TypeError
        If `estimator` is a class.
    ValueError
        If `skip` names an unknown check, or `on_fail` is not one of the three values.

    Warns
    -----
    EstimatorCheckFailedWarning
        For each check that fails, if `on_fail` is "warn".

    See Also
    --------
    parametrize_with_recommender_checks : Make a test of each check.
    sklearn.utils.estimator_checks.check_estimator : Check the rules for every estimator.

    Examples
    --------
    >>> from skrec.dummy import DummyRecommender
    >>> from skrec.utils.estimator_checks import check_recommender
    >>> results = check_recommender(DummyRecommender(), on_fail=None)
    >>> {result["status"] for result in results}
    {'passed'}
    >>> print(results[0]["check_name"], "-", results[0]["rule"])
    check_candidates - items restricts the lists: indices, a mask, and a sparse mask per row agree.
    """
    if on_fail not in ("raise", "warn", None):
        raise ValueError(f"on_fail must be 'raise', 'warn' or None. Got {on_fail!r}.")
    if isinstance(estimator, type):
        raise TypeError(
            f"check_recommender takes an instance. Got the class {estimator.__name__}: pass "
            f"{estimator.__name__}()."
        )
    results = []
    for check in _selected(estimator, skip):
        results.append(_result(check, estimator, skipped=check.__name__ in skip))
        if results[-1]["status"] == "failed" and on_fail is not None:
            _report(results[-1], on_fail)
    return results


def _result(check, estimator, *, skipped):
    """Run a check, and return its result."""
    status, exception = "passed", None
    if skipped:
        status = "skipped"
    else:
        try:
            check(clone(estimator))
        except SkipTest as error:
            status, exception = "skipped", error
        except Exception as error:
            status, exception = "failed", error
    return {
        "estimator": estimator,
        "check_name": check.__name__,
        "rule": _rule(check),
        "exception": exception,
        "status": status,
        "expected_to_fail": skipped,
        "expected_to_fail_reason": "named in skip" if skipped else "",
    }


def _rule(check):
    """The sentence of the contract that a check guards: the first paragraph of its docstring."""
    return " ".join(inspect.getdoc(check).split("\n\n")[0].split()).replace("``", "")


def _report(result, on_fail):
    cause = result["exception"]
    error = AssertionError(
        f"{result['check_name']}: {result['rule']} {type(result['estimator']).__name__} breaks "
        f"this rule. {type(cause).__name__}: {cause}"
    )
    if on_fail == "raise":
        raise error from cause
    known = {name: value for name, value in result.items() if name != "rule"}
    warnings.warn(EstimatorCheckFailedWarning(**{**known, "exception": error}), stacklevel=3)


def parametrize_with_recommender_checks(estimators, *, skip=None):
    """Pytest decorator that makes a test of each check for each estimator.

    Parameters
    ----------
    estimators : list of recommender
        Instances.
    skip : callable, default=None
        ``skip(estimator)`` returns the names of checks to leave out.

    Returns
    -------
    decorator : pytest.MarkDecorator
        Parametrizes ``estimator`` and ``check``.

    See Also
    --------
    check_recommender : Run all checks at once.

    Examples
    --------
    >>> from skrec.dummy import DummyRecommender
    >>> from skrec.utils.estimator_checks import parametrize_with_recommender_checks
    >>> @parametrize_with_recommender_checks([DummyRecommender()])
    ... def test_contract(estimator, check):
    ...     check(estimator)
    """
    import pytest

    cases = [
        pytest.param(estimator, partial(_run, check), id=f"{estimator}-{check.__name__}")
        for estimator, names in _with_names(estimators, skip)
        for check in _selected(estimator, names)
        if check.__name__ not in names
    ]
    return pytest.mark.parametrize(("estimator", "check"), cases)


def _with_names(estimators, skip):
    return [(estimator, skip(estimator) if skip else ()) for estimator in estimators]


def _run(check, estimator):
    result = _result(check, estimator, skipped=False)
    if result["status"] == "skipped":
        raise result["exception"]
    if result["status"] == "failed":
        _report(result, "raise")


def _selected(estimator, skip):
    checks = list(_checks())
    unknown = set(skip) - {check.__name__ for check in checks}
    if unknown:
        raise ValueError(
            f"skip names unknown checks: {sorted(unknown)}. Known: "
            f"{[check.__name__ for check in checks]}."
        )
    reads = recommender_tags(estimator).reads
    return [check for check in checks if not hasattr(check, "reads") or check.reads & reads]
