"""Targets of row models: classes, or numbers."""

import warnings

import numpy as np
from scipy.special import expit, log_softmax, softmax
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.exceptions import DataConversionWarning
from sklearn.metrics import roc_auc_score
from sklearn.utils.multiclass import check_classification_targets
from torch.nn import functional

from skrec.content._row_categories import Categories
from skrec.content._row_model import RowModel
from skrec.utils._fitted import Number
from skrec.utils._matrices import checked_array


def _column(y):
    """Targets as a 1-D array; a single column raises scikit-learn's warning."""
    if y is None:
        raise ValueError(
            "This estimator requires y to be passed, but the target y is None. Expected an array "
            "of shape (n_samples,)."
        )
    y = checked_array(y, name="y", ensure_2d=False, dtype=None)
    if y.ndim == 2 and y.shape[1] == 1:
        warnings.warn(
            "A column-vector y was passed when a 1d array was expected. Please change the shape "
            "of y to (n_samples,), for example using ravel().",
            DataConversionWarning,
            stacklevel=8,
        )
        y = y.ravel()
    if y.ndim != 1:
        raise ValueError(f"y should be a 1d array, got an array of shape {y.shape} instead.")
    return y


class RowClassifier(ClassifierMixin, RowModel):
    """A `RowModel` of classes: log odds of two, or a softmax over more."""

    _fitted_rules = {"classes_": Categories("biufUO", least=2)}

    @property
    def _n_outputs(self):
        return 1 if len(self.classes_) == 2 else len(self.classes_)

    def _checked_target(self, y):
        y = _column(y)
        check_classification_targets(y)
        return y

    def _codes(self, target, *, learn):
        classes = np.unique(target)
        if learn:
            if len(classes) < 2:
                raise ValueError(
                    f"y must have at least two classes in rows of positive weight. Got one class: "
                    f"{classes[0]!r}."
                )
            self.classes_ = classes
        elif not np.isin(classes, self.classes_).all():
            raise ValueError(
                f"warm_start continues with the classes of the first fit, {self.classes_}. Got "
                f"others: {np.setdiff1d(classes, self.classes_)}. Use warm_start=False."
            )
        return np.searchsorted(self.classes_, target)

    def _learn_target(self, codes, weight):
        """Nothing to learn: `_codes` has set the classes."""

    def _scaled_target(self, codes):
        return codes.astype(np.int64)

    def _strata(self, target):
        return target

    def _first_bias(self, target, weight):
        """Log odds, or logarithms, of the shares of the classes."""
        share = np.bincount(target, weight, minlength=len(self.classes_)) + 1e-9 * weight.sum()
        logs = np.log(share / share.sum())
        return logs[1:] - logs[:1] if len(logs) == 2 else logs

    def _losses(self, out, target):
        if out.shape[1] == 1:
            return functional.binary_cross_entropy_with_logits(
                out[:, 0], target.to(out.dtype), reduction="none"
            )
        return functional.cross_entropy(out, target, reduction="none")

    def _score_of(self, out, target, weight):
        if self.scoring == "roc_auc":
            if len(self.classes_) > 2:
                raise ValueError(
                    f"scoring='roc_auc' is for two classes. Got {len(self.classes_)}; use 'loss'."
                )
            if target.min() == target.max():
                return np.nan
            return roc_auc_score(target, out[:, 0], sample_weight=weight)
        if out.shape[1] == 1:
            out = np.column_stack([np.zeros(len(out)), out])
        logs = log_softmax(out, axis=1)[np.arange(len(out)), target]
        return np.average(logs, weights=weight)

    def decision_function(self, X):
        """Log odds of the second of two classes, or the logits of more.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        scores : ndarray of float64 of shape (n_samples,) or (n_samples, n_classes)
            Above 0 where ``classes_[1]`` is the more likely class.
        """
        out = self._outputs(X)
        return out[:, 0] if out.shape[1] == 1 else out

    def predict_proba(self, X):
        """Probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        probabilities : ndarray of float64 of shape (n_samples, n_classes)
            In the order of `classes_`; rows sum to 1.
        """
        out = self._outputs(X)
        if out.shape[1] == 1:
            return expit(np.column_stack([-out[:, 0], out[:, 0]]))
        return softmax(out, axis=1)

    def predict(self, X):
        """The most likely class.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        classes : ndarray of shape (n_samples,)
            Labels of `classes_`.
        """
        out = self._outputs(X)
        best = out[:, 0] > 0 if out.shape[1] == 1 else out.argmax(axis=1)
        return self.classes_[best.astype(np.intp)]


class RowRegressor(RegressorMixin, RowModel):
    """A `RowModel` of numbers, fitted by squared errors of standardised targets."""

    _fitted_rules = {"target_mean_": Number(), "target_scale_": Number(0)}
    _n_outputs = 1

    def _checked_target(self, y):
        y = _column(y)
        try:
            return checked_array(y, name="y", ensure_2d=False, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"y must hold numbers: {error}") from error

    def _codes(self, target, *, learn):
        return target

    def _learn_target(self, codes, weight):
        mean = np.average(codes, weights=weight)
        scale = np.sqrt(np.average((codes - mean) ** 2, weights=weight))
        self.target_mean_ = float(mean)
        self.target_scale_ = float(scale) if scale > 1e-12 * abs(mean) else 1.0

    def _scaled_target(self, codes):
        return ((codes - self.target_mean_) / self.target_scale_).astype(np.float32)

    def _strata(self, target):
        return np.zeros(len(target))

    def _first_bias(self, target, weight):
        return np.zeros(1)

    def _losses(self, out, target):
        return 0.5 * (out[:, 0] - target).square()

    def _score_of(self, out, target, weight):
        return -0.5 * np.average((out[:, 0] - target) ** 2, weights=weight)

    def predict(self, X):
        """Predicted values.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        values : ndarray of float64 of shape (n_samples,)
            In the unit of y.
        """
        return self._outputs(X)[:, 0] * self.target_scale_ + self.target_mean_
