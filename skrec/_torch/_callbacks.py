"""The callbacks of scikit-learn, where it has them (from 1.9 on)."""

import copy

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:
        """Of a scikit-learn without callbacks: there is nothing to set."""

    def with_callbacks(method):
        """The method as it is."""
        return method


class FitTasks:
    """Tells the callbacks of an estimator of its fit, and of each epoch as a task of it.

    Parameters
    ----------
    estimator : TorchRecommender
    X : csr_array of shape (n_users, n_items)
        What `fit` was given, canonical.
    y : object
        What `fit` was given beside it.
    n_epochs : int
        How many epochs there can be.
    """

    def __init__(self, estimator, X, y, n_epochs):
        self._estimator, self._data, self._fit = estimator, {"X": X, "y": y}, None
        if hasattr(estimator, "_init_callback_context"):
            self._fit = estimator._init_callback_context(max_subtasks=n_epochs)
            self._fit.call_on_fit_task_begin(estimator=estimator, **self._data)

    def epoch(self, fitted):
        """After an epoch. True: a callback wants no more of them.

        Parameters
        ----------
        fitted : callable
            Returns the fitted attributes as they are now; called only if a callback asks.
        """
        if self._fit is None:
            return False
        task = self._fit.subcontext("epoch")
        task.call_on_fit_task_begin(estimator=self._estimator, **self._data)
        return task.call_on_fit_task_end(
            estimator=self._estimator, reconstruction_attributes=fitted, **self._data
        )

    def end(self):
        """After the fit, when the estimator is whole."""
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
