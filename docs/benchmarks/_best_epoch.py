"""The validation users choose the epoch of a neural fit, as in Liang et al. (2018)."""

import time

from _record import rounded
from sklearn.base import clone

from skrec.metrics import evaluate


class BestEpoch:
    """A callback of scikit-learn's: keeps the model that validates best, and ends the fit.

    Parameters
    ----------
    X, y : csr_array of shape (n_validation, n_items)
        What is shown of the validation users, and what is held out from them.
    metrics : list of str
        The first one chooses.
    every : int
        Epochs from one look to the next.
    patience : int
        Epochs without a better one after which to end the fit.
    **options
        Of `skrec.metrics.evaluate`.
    """

    def __init__(self, X, y, metrics, every, patience, **options):
        self.X, self.y, self.metrics = X, y, metrics
        self.every, self.patience, self.options = every, patience, options
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
        found = evaluate(fitted_estimator, self.X, self.y, self.metrics, **self.options)
        mean = found.mean
        score = float(mean[self.metrics[0]])
        self.curve.append(round(score, 4))
        if self.best is None or score > self.best[0]:
            self.best = score, epoch, fitted_estimator, rounded(mean)
        return epoch - self.best[1] >= self.patience


def check_still(model, expected, evaluate_again):
    """Check that a model still is the one whose metrics were recorded.

    Raises
    ------
    RuntimeError
        If it is not: it would be another model that is tested.
    """
    found = rounded(evaluate_again(model).mean)
    if found != expected:
        raise RuntimeError(f"The model to be tested validates at {found}, not at {expected}.")


def best_fit(model, split, metrics, *, every, patience):
    """The best model in the course of a fit, and what a record says of it."""
    watch = BestEpoch(split.X_validation, split.y_validation, metrics, every, patience)
    start = time.process_time()
    clone(model).set_callbacks(watch).fit(split.X_train)
    _, epoch, best, mean = watch.best
    check_still(best, mean, lambda m: evaluate(m, split.X_validation, split.y_validation, metrics))
    row = {"epoch": epoch, "processor_seconds": round(time.process_time() - start, 1)}
    return best, {**row, "validation": mean, "curve": watch.curve}
