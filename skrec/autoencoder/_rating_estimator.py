"""Shared by the rating autoencoders: defaults, clipping, curves of errors."""

from abc import abstractmethod

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from skrec._evaluation._default_score import negative_rmse
from skrec._torch._estimator import TORCH_RULES, TorchRecommender
from skrec._torch._layers import ACTIVATIONS, initialise
from skrec._torch._optimizers import split_penalty
from skrec._torch._place import sent_array
from skrec.utils._fitted import COUNT, CURVE, INDICES, Array, Named, Number, Series
from skrec.utils._parallel import row_chunks
from skrec.utils._params import BOOLEAN, NON_NEGATIVE, NONE, Interval, Options

RATING_RULES = {
    "activation": Options(tuple(ACTIVATIONS)),
    "alpha": NON_NEGATIVE,
    "center": BOOLEAN,
    "default_rating": (NONE, Interval()),
    "clip": BOOLEAN,
    "schedule": Options(("linear", "constant")),
    **TORCH_RULES,
}


class RatingAutoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, TorchRecommender):
    """An autoencoder of observed ratings.

    A subclass writes `_net` and `_loss`. If its network does not read users' rows, it also writes
    the hooks for its own rows and `_reconstruction`.
    """

    _fitted_rules = {
        "default_rating_": Number(),
        "rating_range_": Series(Number(), 2, kind=tuple),
        "n_ratings_": Array("n_items", dtypes=INDICES, low=0),
        "_n_examples": COUNT,
        "error_curves_": Named(CURVE),
    }

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = False
        tags.recommender_tags.predicts_ratings = True
        return tags

    @abstractmethod
    def _net(self, n_columns):
        """The network of rows with `n_columns` columns, with weights of any value."""

    def fit(self, X, y=None, *, X_test=None):
        """Learn the weights.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Ratings; zeros mean "not rated".
        y : ignored
            Present for scikit-learn's conventions; passed on to callbacks.
        X_test : {array-like, sparse matrix, dataframe} of shape (n_test_users, n_items), \
                default=None
            Ratings of users to watch: `error_curves_` gets their errors after each epoch. They
            neither train nor stop the model.

        Returns
        -------
        self : object
            The fitted recommender.

        Raises
        ------
        ValueError
            If a parameter, X or X_test is not valid, or the loss is not finite. The estimator
            then stays as it was.

        Warns
        -----
        ConvergenceWarning
            If the fit was interrupted: the model of the last whole epoch is kept.
        """
        return self._fit_weighted(X, None, y=y, watched=X_test)

    def _build_module(self, shape, problem=None):
        """The module, with the columns' mean ratings as output biases and as center."""
        module = self._net(shape[1])
        if problem is not None:
            initialise(module, problem.generator)
            mean = column_means(problem.X, mean_rating(problem.X))
            with torch.no_grad():
                mean = torch.tensor(mean, dtype=torch.float32)
                module.decoder[-1].bias += mean
                module.center += mean * self.center
        return module

    def _plan(self, problem, n_updates, n_certain):
        """Set the fallbacks of predictions and the number of examples, and begin the curves."""
        X = problem.X
        self.default_rating_ = (
            mean_rating(X) if self.default_rating is None else float(self.default_rating)
        )
        self.rating_range_ = (float(X.data.min()), float(X.data.max())) if X.nnz else (0.0, 0.0)
        self.n_ratings_ = np.bincount(X.indices, minlength=X.shape[1])
        self._n_examples = X.shape[0]
        # Copies, so that a failed fit leaves the old curves unchanged.
        known = self.error_curves_ if self.n_iter_ else {}
        self.error_curves_ = {name: list(curve) for name, curve in known.items()}

    def _parameter_groups(self, module):
        # The loss is a batch's mean, so its share |B| / n of alpha / 2 ||.||^2 is divided by |B|.
        return split_penalty(module, self.alpha / self._n_examples)

    def _score(self, module, rows):
        return module(rows, module.inputs(rows))

    def _scores(self, X):
        return self._completed(super()._scores(X), X)

    def _device_scores(self, X, device):
        scores = super()._device_scores(X, device)
        if self.clip:
            scores = scores.clamp(*self.rating_range_)
        items, rows = self.n_ratings_ == 0, np.diff(X.indptr) == 0
        unknown = sent_array(items, device) | sent_array(rows, device)[:, None]
        return scores.masked_fill(unknown, self.default_rating_)

    def _scorer(self, module, problem):
        outputs = super()._scorer(module, problem)
        return lambda X: self._completed(outputs(X), X)

    def _completed(self, scores, X):
        """Clip predictions, and set the default where nothing is known; in place."""
        if self.clip:
            np.clip(scores, *self.rating_range_, out=scores)
        scores[:, self.n_ratings_ == 0] = self.default_rating_
        scores[np.diff(X.indptr) == 0] = self.default_rating_
        return scores

    def _reconstruction(self, module, problem):
        """RMSE of the module on its training ratings."""
        return observed_rmse(self._scorer(module, problem), problem.X)

    def _watch(self, problem, held, watched):
        """Record errors after each epoch, if there are validation or test users."""
        if watched is None and not self.early_stopping:
            return None

        def watch(module, score):
            scores = self._scorer(module, problem)
            if held is not None:
                self._append("validation_reconstruction", observed_rmse(scores, held))
                self._append("validation_prediction", -score)
            self._append("train_reconstruction", self._reconstruction(module, problem))
            if watched is not None:
                self._append("test_reconstruction", observed_rmse(scores, watched))
                self._append("test_prediction", -negative_rmse(pairs_of(scores), watched))

        return watch

    def _append(self, name, value):
        self.error_curves_.setdefault(name, []).append(float(value))

    def reconstruction_error(self, X):
        """Compute the RMSE of ratings that the model reads; `score` hides some instead.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Ratings of users, known or new.

        Returns
        -------
        error : float
            Square root of the mean of ``(x_ui - prediction_ui)**2`` over the stored ratings;
            NaN without ratings.
        """
        return observed_rmse(self._scores, self._start_scoring(X))

    def transform(self, X):
        """Compute the outputs of the innermost layer.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Ratings of the users, known or new.

        Returns
        -------
        vectors : ndarray of shape (n_users, n_components), dtype of X
            A representation of each user.
        """
        X = self._start_dense(X, self._n_features_out)
        return self._encoded(X, lambda module, rows: module.encode(rows, module.inputs(rows)))


def column_means(X, default):
    """Mean of the stored values of each column; the default for columns without any."""
    count = np.bincount(X.indices, minlength=X.shape[1])
    total = np.bincount(X.indices, weights=X.data, minlength=X.shape[1])
    return np.where(count > 0, total / np.maximum(count, 1), default)


def mean_rating(X):
    """Mean of the stored values; 0 if there are none."""
    return float(X.data.mean(dtype=np.float64)) if X.nnz else 0.0


def pairs_of(scores):
    """Make ``pairs(X, rows, items)`` from a function that scores all items for rows of X."""
    return lambda X, rows, items: scores(X)[rows, items]


def observed_rmse(scores, X):
    """RMSE of ``scores(X_rows)``, which has the shape of X_rows, at the stored values of X."""
    if not X.nnz:
        return float("nan")
    total = 0.0
    for start, stop in row_chunks(X.shape[0], X.shape[1] * X.dtype.itemsize):
        part = X[start:stop]
        rows = np.repeat(np.arange(part.shape[0]), np.diff(part.indptr))
        error = scores(part)[rows, part.indices] - part.data
        total += float(np.sum(np.square(error, dtype=np.float64)))
    return float(np.sqrt(total / X.nnz))
