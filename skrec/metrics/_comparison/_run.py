"""Tune, fit, measure and test one model."""

import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from skrec._evaluation._entries import check_interactions
from skrec.metrics._comparison._estimators import clone_values, python_line, unfitted
from skrec.metrics._comparison._paired import less_is_better
from skrec.metrics._comparison._parts import Part
from skrec.metrics._comparison._tuning import tune
from skrec.metrics._evaluate import evaluate
from skrec.utils._measure import Cost
from skrec.utils._search_grid import is_search
from skrec.utils._text import parameters_text

# Compiled kernels specialise on dtypes and on thresholds in the number of items. A sample of this
# size triggers the same kernels as all of the data.
_WARM_UP_USERS, _WARM_UP_ITEMS = 64, 1100
_SAMPLE_LENGTH = 10


class ComparisonInterrupt(KeyboardInterrupt):
    """Ctrl-C during a comparison; `comparison` holds the models finished before."""

    def __init__(self, interrupt, comparison):
        super().__init__(*interrupt.args)
        self.comparison = comparison


@dataclass(frozen=True)
class Tuning:
    """How to choose parameters.

    Attributes
    ----------
    part : Part
    metric : str
    """

    part: Part
    metric: str

    @property
    def sign(self):
        """-1 where less is better."""
        return -1 if less_is_better(self.metric) else 1

    def look(self, model):
        """The deciding metric of a fitted model on the validation part."""
        return self.part.evaluate(model, [self.metric]).mean


@dataclass(frozen=True)
class Plan:
    """The steps for each model.

    Attributes
    ----------
    part : Part
        Of the test.
    metrics : list of str
    tuning : Tuning or None
    sample : ndarray of intp of shape (n_sample,)
        Test users whose lists are kept.
    keep : bool
        Whether to keep the fitted models.
    tell : callable
        Called with a text for the progress bar, and whether a step is done.
    """

    part: Part
    metrics: list
    tuning: Tuning | None
    sample: Any
    keep: bool
    tell: Any


@dataclass
class ModelRun:
    """A model that has been fitted and tested.

    Attributes
    ----------
    name : str
    result : Bunch
        Of `evaluate`.
    parameters, fit_command : str
        The estimator as Python code; the lines that make and fit it.
    fit_seconds, predict_seconds : float
    peak_bytes : int or None
    chosen : dict
        Parameters that a search has chosen.
    trials : list of Trial
    lists : ndarray of intp of shape (n_sample, 10)
        Recommendations to the users of the sample.
    estimator : fitted estimator or None
    """

    name: str
    result: Any
    parameters: str
    fit_command: str
    fit_seconds: float
    predict_seconds: float
    peak_bytes: int | None
    chosen: dict = field(default_factory=dict)
    trials: list = field(default_factory=list)
    lists: Any = None
    estimator: Any = None


def run_model(name, given, grid, plan):
    """Tune, fit, measure and test one model.

    Parameters
    ----------
    name : str
    given : estimator
        Not changed; a fitted search stands for its chosen parameters.
    grid : list of dict
        Settings to try; empty: no search.
    plan : Plan

    Returns
    -------
    run : ModelRun
    """
    part, tell = plan.part, plan.tell
    estimator, chosen = unfitted(given)
    tell(f"{name}: preparing")
    _warm_up(estimator, part, plan.metrics)
    trials = []
    if grid:
        best, trials = _choose(name, estimator, grid, plan)
        chosen = best.parameters
        estimator.set_params(**clone_values(chosen))
    tell(f"{name}: fitting")
    with Cost() as fit_cost:
        part.fit(estimator)
    tell(f"{name}: testing", done=True)
    with Cost(memory=False) as test_cost:
        result = part.evaluate(estimator, plan.metrics)
    lists = part.lists(estimator, plan.sample, _SAMPLE_LENGTH)
    tell(f"{name}: done", done=True)
    if is_search(estimator):
        chosen, fitted = dict(estimator.best_params_), estimator.best_estimator_
    else:
        fitted = estimator
    frozen = isinstance(estimator, FrozenEstimator)
    return ModelRun(
        name=name,
        result=result,
        parameters=parameters_text(fitted),
        fit_command=python_line(fitted),
        fit_seconds=float("nan") if frozen else fit_cost.seconds,
        predict_seconds=test_cost.seconds,
        peak_bytes=None if frozen else fit_cost.peak_bytes,
        chosen=chosen,
        trials=trials,
        lists=lists,
        estimator=estimator if plan.keep else None,
    )


def _choose(name, estimator, grid, plan):
    tuning = plan.tuning

    def next_trial(trials):
        done = len(trials)
        plan.tell(f"{name}: setting {done} of {len(grid)} tried", done=True)

    best, _, trials = tune(
        estimator,
        grid,
        tuning.part.X_train,
        tuning.look,
        fit_params=tuning.part.fit_params(estimator),
        sign=tuning.sign,
        tell=next_trial,
        memory=False,
    )
    if best is None:
        raise ValueError(f"Every setting of the search failed: {trials[0].remark}")
    return best, trials


def _warm_up(estimator, part, metrics):
    """Compile and import all that a fit and a test need, before time and memory are measured.

    Side information cannot be cut to a sample, so with it there is no warm-up.
    """
    if part.has_side or isinstance(estimator, FrozenEstimator):
        return
    if is_search(estimator):
        estimator = estimator.estimator
    X_train, X_test, y_test = (
        check_interactions(matrix)[:_WARM_UP_USERS][:, :_WARM_UP_ITEMS]
        for matrix in (part.X_train, part.X_test, part.y_test)
    )
    # A sample can be too small where the data are not; the fit itself will raise real errors.
    with warnings.catch_warnings(), suppress(Exception):
        warnings.simplefilter("ignore")
        evaluate(clone(estimator).fit(X_train), X_test, y_test, metrics)
