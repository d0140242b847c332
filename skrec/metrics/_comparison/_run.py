"""Tune, fit, measure and test one model."""

import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import has_fit_parameter

from skrec._evaluation._entries import check_interactions
from skrec._evaluation._estimator_rows import rows_as
from skrec._recommend import recommend
from skrec.metrics._comparison._estimators import clone_values, python_line, unfitted
from skrec.metrics._comparison._tuning import tune
from skrec.metrics._evaluate import evaluate
from skrec.utils._measure import Cost
from skrec.utils._search_grid import final_step, is_search, last_step
from skrec.utils._text import parameters_text

# What compiled kernels specialise on (dtypes, thresholds in the number of items) is the
# same for this much of the data as for all of it.
_WARM_UP_USERS, _WARM_UP_ITEMS = 64, 1100
_SAMPLE_LENGTH = 10


@dataclass(frozen=True)
class Part:
    """What models learn from, whom they are evaluated on, and how.

    Attributes
    ----------
    X_train, X_test : {array-like, sparse matrix, dataframe}
    y_test : csr_array of shape (n_users, n_items)
    candidates : ndarray of int or None
    options : dict
        Keywords of `evaluate` about relevance.
    item_features : object, default=None
        For the models whose ``fit`` takes them.
    """

    X_train: Any
    X_test: Any
    y_test: csr_array
    candidates: Any = None
    options: dict = field(default_factory=dict)
    item_features: Any = None

    def fit(self, estimator):
        """Fit a model to what it learns from; one that is frozen stays as it is."""
        if isinstance(estimator, FrozenEstimator):
            return estimator
        return estimator.fit(self.X_train, **self.fit_params(estimator))

    def fit_params(self, estimator):
        """Keywords of ``fit``: the side information that this model takes."""
        prefix, last = last_step(estimator)
        takes = has_fit_parameter(final_step(last), "item_features")
        if self.item_features is None or not takes:
            return {}
        return {f"{prefix}item_features": self.item_features}

    def evaluate(self, model, metrics):
        """Evaluate a fitted model; the only place where this is done."""
        return evaluate(
            model, self.X_test, self.y_test, metrics, candidates=self.candidates, **self.options
        )


@dataclass(frozen=True)
class Tuning:
    """How to choose parameters.

    Attributes
    ----------
    part : Part
    metric : str
    sign : {1, -1}
    """

    part: Part
    metric: str
    sign: int

    def look(self, model):
        """The deciding metric of a fitted model on the validation part."""
        return self.part.evaluate(model, [self.metric]).mean


@dataclass
class ModelRun:
    """A model that has been fitted and tested.

    Attributes
    ----------
    name : str
    result : Bunch
        Of `evaluate`.
    parameters, fit_command : str
        The estimator as Python prints it; the lines that make and fit it.
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


def run_model(name, given, part, metrics, *, grid=(), tuning=None, sample=None, tell):
    """Tune, fit, measure and test one model.

    Parameters
    ----------
    name : str
    given : estimator
        Not changed; a fitted search is taken for what it has chosen.
    part : Part
    metrics : list of str
    grid : list of dict
        Settings to try; without one, there is no search.
    tuning : Tuning, default=None
    sample : ndarray of intp of shape (n_sample,)
        Test users whose lists are kept.
    tell : callable
        Called with what is being done, and whether a step is done.

    Returns
    -------
    run : ModelRun
    """
    estimator, chosen = unfitted(given)
    tell(f"{name}: preparing")
    _warm_up(estimator, part, metrics)
    trials = []
    if grid:
        best, trials = _choose(name, estimator, grid, tuning, tell)
        chosen = best.parameters
        estimator.set_params(**clone_values(chosen))
    tell(f"{name}: fitting")
    with Cost() as fit_cost:
        part.fit(estimator)
    tell(f"{name}: testing", done=True)
    with Cost() as test_cost:
        result = part.evaluate(estimator, metrics)
    lists = sample_lists(estimator, part, sample)
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
        estimator=estimator,
    )


def sample_lists(model, part, sample):
    """Lists of ten for the users of the sample."""
    rows = rows_as(part.X_test, sample, check_interactions(part.X_test))
    return recommend(model, rows, k=_SAMPLE_LENGTH)


def _choose(name, estimator, grid, tuning, tell):
    def next_trial(trials):
        done = len(trials)
        tell(f"{name}: setting {done} of {len(grid)} tried", done=True)

    best, _, trials = tune(
        estimator,
        grid,
        tuning.part.X_train,
        tuning.look,
        fit_params=tuning.part.fit_params(estimator),
        sign=tuning.sign,
        tell=next_trial,
    )
    if best is None:
        raise ValueError(f"Every setting of the search failed: {trials[0].remark}")
    return best, trials


def _warm_up(estimator, part, metrics):
    """Compile and import what a fit and a test need, which is no part of their time and memory."""
    if part.item_features is not None or isinstance(estimator, FrozenEstimator):
        return
    if is_search(estimator):
        estimator = estimator.estimator
    X_train, X_test, y_test = (
        check_interactions(matrix)[:_WARM_UP_USERS][:, :_WARM_UP_ITEMS]
        for matrix in (part.X_train, part.X_test, part.y_test)
    )
    # A sample can be too small where the data are not; the fit itself will tell.
    with warnings.catch_warnings(), suppress(ValueError):
        warnings.simplefilter("ignore")
        evaluate(clone(estimator).fit(X_train), X_test, y_test, metrics)


def sample_users(y_test, n_users, rng):
    """Some users of whom something is held out, ascending."""
    known = np.flatnonzero(np.diff(y_test.indptr))
    return np.sort(rng.permutation(known)[:n_users])
