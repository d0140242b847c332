"""The callbacks of scikit-learn, from version 1.9 on."""

import copy

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:
        """Empty: this scikit-learn has no callbacks."""

    def with_callbacks(method):
        """Return the method unchanged."""
        return method


class FitTasks:
    """Reports a fit to the estimator's callbacks, and each epoch as a task of the fit.

    Parameters
    ----------
    estimator : TorchRecommender
    X : csr_array of shape (n_users, n_items)
        The X of `fit`, canonical.
    y : object
        The y of `fit`.
    n_epochs : int
        Most epochs.
    """

    def __init__(self, estimator, X, y, n_epochs):
        self._estimator, self._data, self._fit = estimator, {"X": X, "y": y}, None
        if hasattr(estimator, "_init_callback_context"):
            self._fit = estimator._init_callback_context(max_subtasks=n_epochs)
            self._fit.call_on_fit_task_begin(estimator=estimator, **self._data)

    def epoch(self, fitted):
        """Report the end of an epoch; return True if a callback asks to stop.

        Parameters
        ----------
        fitted : callable
            Returns the current fitted attributes; called only if a callback asks for them.
        """
        if self._fit is None:
            return False
        task = self._fit.subcontext("epoch")
        task.call_on_fit_task_begin(estimator=self._estimator, **self._data)
        return task.call_on_fit_task_end(
            estimator=self._estimator, reconstruction_attributes=fitted, **self._data
        )

    def end(self):
        """Report the end of the fit, when the estimator is complete."""
        if self._fit is not None:
            self._fit.call_on_fit_task_end(
                estimator=self._estimator, reconstruction_attributes={}, **self._data
            )


def kept(estimator, module, problem):
    """The attributes that `_keep` sets for a module, on a copy of the estimator."""
    fitted = copy.copy(estimator)
    before = dict(vars(fitted))
    fitted._keep(module, problem)
    return {
        name: value
        for name, value in vars(fitted).items()
        if name not in before or value is not before[name]
    }
