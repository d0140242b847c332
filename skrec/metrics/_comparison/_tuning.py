"""Choose the parameters of one model on validation users or entries."""

import math
from dataclasses import dataclass, field

from sklearn.base import clone

from skrec.metrics._comparison._best_epoch import best_fit
from skrec.metrics._comparison._estimators import clone_values
from skrec.utils._measure import Cost

# Scores are compared to this many digits, because rounding would decide otherwise on another
# machine. The first of equal scores wins.
_DIGITS = 4
# Failures of one setting only, such as two parameters that exclude each other.
_FAILURES = (ValueError, MemoryError, ArithmeticError)


@dataclass
class Trial:
    """One setting of the parameters, and its validation scores.

    Attributes
    ----------
    parameters : dict
    scores : dict of str to float
        By metric; empty if the fit failed or was not made.
    cost : Cost or None
        Of the fit.
    epochs : dict
        If validation chose the epoch: "epoch", its number, and "curve", the scores.
    refit : dict
        Parameters with which to fit the same model to other data.
    remark : str
        Why there is no score.
    """

    parameters: dict
    scores: dict = field(default_factory=dict)
    cost: Cost | None = None
    epochs: dict = field(default_factory=dict)
    refit: dict = field(default_factory=dict)
    remark: str = ""

    @property
    def score(self):
        """The deciding metric, or None."""
        return next(iter(self.scores.values()), None)


def tune(
    estimator,
    grid,
    X,
    look,
    *,
    fit_params=None,
    sign=1,
    every=None,
    patience=None,
    max_seconds=None,
    known=(),
    keep=False,
    tell=None,
    memory=True,
):
    """Fit a model with each of some settings, and find the setting that validates best.

    Parameters
    ----------
    estimator : estimator
        Not changed.
    grid : list of dict
        Settings, in the order of trial.
    X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
        To fit.
    look : callable
        Takes a fitted model and returns its metrics on the validation part; the first metric
        decides.
    fit_params : dict, default=None
        Keywords of ``fit``.
    sign : {1, -1}, default=1
        -1 where less is better.
    every, patience : int, default=None
        If given, the validation part also chooses the epoch: the fit evaluates it every `every`
        epochs, and ends after `patience` epochs without a better one.
    max_seconds : float, default=None
        Once the fits have taken this long, the remaining settings are left out. The first setting
        is always tried.
    known : sequence of Trial, default=()
        Trials of an earlier, interrupted call.
    keep : bool, default=False
        Whether to keep the model that validates best.
    tell : callable, default=None
        Called with the list of trials after each trial.
    memory : bool, default=True
        Whether to measure the memory of each fit, see `Cost`.

    Returns
    -------
    best : Trial or None
        None if every setting failed.
    model : fitted estimator or None
        The model of `best` with ``keep=True``; None also if `best` was one of `known`.
    trials : list of Trial
    """
    trials, best, model, seconds = [], None, None, 0.0
    for parameters in grid:
        found = next((trial for trial in known if trial.parameters == parameters), None)
        fitted = None
        if found is None and max_seconds is not None and seconds > max_seconds:
            trials.append(Trial(parameters, remark="not tried: the time was over"))
            continue
        if found is None:
            found = Trial(parameters, cost=Cost(memory=memory))
            fitted = _attempt(estimator, found, X, look, fit_params, every, patience)
        seconds += 0.0 if found.cost is None else found.cost.seconds
        trials.append(found)
        if tell is not None:
            tell(trials)
        if found.scores and (best is None or _value(found, sign) > _value(best, sign)):
            best, model = found, fitted if keep else None
    return best, model, trials


def _value(trial, sign):
    """The value to compare; an undefined metric is worse than any other."""
    return float("-inf") if math.isnan(trial.score) else sign * round(trial.score, _DIGITS)


def _attempt(estimator, trial, X, look, fit_params, every, patience):
    """Fit one setting and note its scores in the trial; return the model, or None if it failed."""
    model = clone(estimator)
    try:
        model.set_params(**clone_values(trial.parameters))
        if every is None:
            with trial.cost:
                model.fit(X, **(fit_params or {}))
            trial.scores = dict(look(model))
            return model
        with trial.cost:
            model, trial.scores, trial.epochs = best_fit(
                model, X, look, every=every, patience=patience
            )
    except _FAILURES as error:
        trial.remark = " ".join(str(error).split()) or type(error).__name__
        return None
    trial.refit = {"max_iter": trial.epochs["epoch"]}
    if hasattr(model, "n_annealing_steps_"):  # for all planned epochs; the refit makes fewer
        trial.refit["n_annealing_steps"] = round(model.n_annealing_steps_)
    return model
