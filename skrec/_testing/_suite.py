"""Checks that every recommender must pass, beside scikit-learn's `check_estimator`.

Each check is a function of an unfitted estimator that raises an AssertionError, or lets
the estimator's own error through, where the contract is broken.
"""

from functools import partial

from sklearn.base import clone

from skrec._testing import behaviour, inputs, persistence, side_items, side_rows
from skrec.utils._tags import recommender_tags

__all__ = ["check_recommender", "parametrize_with_recommender_checks"]


def _checks():
    for module in (behaviour, inputs, persistence, side_items, side_rows):
        for name in sorted(vars(module)):
            if name.startswith("check_"):
                yield vars(module)[name]


def check_recommender(estimator, *, skip=()):
    """Check that an estimator keeps the contract of skrec.

    Run it beside `sklearn.utils.estimator_checks.check_estimator`, which covers what
    holds for every scikit-learn estimator. Checks of side information are run for what
    the estimator reads, see `skrec.utils.RecommenderTags`.

    Parameters
    ----------
    estimator : recommender
        An instance; it is cloned for each check.
    skip : sequence of str, default=()
        Names of checks that cannot hold for this estimator, such as
        ``"check_item_permutation"`` and ``"check_duplicate_items_tie"`` where first
        weights are drawn item by item.

    Raises
    ------
    AssertionError
        If a check fails.
    ValueError
        If `skip` names a check that does not exist.

    See Also
    --------
    parametrize_with_recommender_checks : One test for each check.
    sklearn.utils.estimator_checks.check_estimator : What holds for every estimator.

    Examples
    --------
    >>> from skrec.dummy import DummyRecommender
    >>> from skrec.utils.estimator_checks import check_recommender
    >>> check_recommender(DummyRecommender())
    """
    for check in _selected(estimator, skip):
        check(clone(estimator))


def parametrize_with_recommender_checks(estimators, *, skip=None):
    """Pytest decorator: one test for each estimator and check.

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
    check_recommender : All checks at once.

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
        for estimator in estimators
        for check in _selected(estimator, skip(estimator) if skip else ())
    ]
    return pytest.mark.parametrize(("estimator", "check"), cases)


def _run(check, estimator):
    check(clone(estimator))


def _selected(estimator, skip):
    checks = list(_checks())
    unknown = set(skip) - {check.__name__ for check in checks}
    if unknown:
        raise ValueError(
            f"skip names unknown checks: {sorted(unknown)}. Known: "
            f"{[check.__name__ for check in checks]}."
        )
    reads = recommender_tags(estimator).reads
    wanted = [check for check in checks if check.__name__ not in skip]
    return [check for check in wanted if not hasattr(check, "reads") or check.reads & reads]
