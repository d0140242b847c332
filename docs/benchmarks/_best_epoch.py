"""The validation users choose the epoch of a neural fit, as in Liang et al. (2018)."""

import time

from _record import rounded
from sklearn.base import clone

from skrec.metrics import evaluate


class BestEpoch:
    """A callback of scikit-learn's: keeps the model that validates best, and ends the fit.

    Parameters
    ----------
    look : callable
        From a fitted model to a dict of its metrics on the validation users; the first chooses.
    every : int
        Epochs from one look to the next.
    patience : int
        Epochs without a better one after which to end the fit.
    """

    def __init__(self, look, every, patience):
        self.look, self.every, self.patience = look, every, patience
        self.curve, self.best = [], None

    def setup(self, estimator, context):
        """Nothing to do."""

    def teardown(self, estimator, context):
        """Nothing to do."""

    def on_fit_task_begin(self, estimator, context):
        """Nothing to do."""

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        """Look at the model; True if the fit is to end."""
        epoch = context.task_id + 1
        if context.task_name != "epoch" or epoch % self.every:
            return False
        found = self.look(fitted_estimator)
        score = next(iter(found.values()))
        self.curve.append(round(float(score), 4))
        if self.best is None or score > self.best[0]:
            self.best = score, epoch, fitted_estimator, found
        return epoch - self.best[1] >= self.patience


def check_still(model, expected, look):
    """Check that a model still is the one whose metrics were recorded.

    Raises
    ------
    RuntimeError
        If it is not: it would be another model that is tested.
    """
    found, expected = rounded(look(model)), rounded(expected)
    if found != expected:
        raise RuntimeError(f"The model to be tested validates at {found}, not at {expected}.")


def looking(split, metrics):
    """What `best_fit` looks with: the metrics on the validation users of a split."""

    def look(model):
        return evaluate(model, split.X_validation, split.y_validation, metrics).mean

    return look


def best_fit(model, X, look, *, every, patience):
    """The best model in the course of a fit to X, and what a record says of it."""
    watch = BestEpoch(look, every, patience)
    start = time.process_time()
    clone(model).set_callbacks(watch).fit(X)
    seconds = time.process_time() - start
    _, epoch, best, found = watch.best
    check_still(best, found, look)
    row = {"epoch": epoch, "processor_seconds": round(seconds, 1)}
    return best, row | {"validation": rounded(found), "curve": watch.curve}
