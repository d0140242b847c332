"""The validation part chooses the epoch of a neural fit, as in Liang et al. (2018)."""

import time

from sklearn.base import clone

_DIGITS = 4


class BestEpoch:
    """A callback of scikit-learn that keeps the model that validates best, and ends the fit.

    Parameters
    ----------
    look : callable
        Takes a fitted model and returns a dict of its metrics on the validation part; the first
        metric decides.
    every : int
        Epochs from one look to the next.
    patience : int
        The fit ends after this many epochs without a better one.

    Attributes
    ----------
    curve : list of float
        The deciding metric at each look.
    best : tuple or None
        Score, epoch, model and metrics of the best look.
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
        self.curve.append(round(float(score), _DIGITS))
        if self.best is None or score > self.best[0]:
            self.best = score, epoch, fitted_estimator, found
        return epoch - self.best[1] >= self.patience


def check_still(model, expected, look):
    """Check that a model still has the metrics that were noted for it.

    Raises
    ------
    RuntimeError
        If it has not: the test would be of another model.
    """
    found, expected = (
        {name: round(float(value), _DIGITS) for name, value in scores.items()}
        for scores in (look(model), expected)
    )
    if found != expected:
        raise RuntimeError(f"The model to be tested validates at {found}, not at {expected}.")


def best_fit(model, X, look, *, every, patience):
    """Fit a model, and keep its state at the epoch that validates best.

    Parameters
    ----------
    model : estimator
        A neural model, which takes callbacks. Not changed.
    X : {array-like, sparse matrix} of shape (n_users, n_items)
    look : callable
        Takes a fitted model and returns a dict of metrics; the first metric decides.
    every, patience : int
        See `BestEpoch`.

    Returns
    -------
    best : fitted estimator
    scores : dict of str to float
        Its metrics.
    epochs : dict
        "epoch", the best one; "processor_seconds" of the whole fit with its looks; "curve".
    """
    watch = BestEpoch(look, every, patience)
    start = time.process_time()
    clone(model).set_callbacks(watch).fit(X)
    seconds = time.process_time() - start
    _, epoch, best, found = watch.best
    check_still(best, found, look)
    epochs = {"epoch": epoch, "processor_seconds": seconds, "curve": watch.curve}
    return best, dict(found), epochs
