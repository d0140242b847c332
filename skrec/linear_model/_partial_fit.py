"""`partial_fit`: learn from users part by part, by adding up the Gram matrix."""

from abc import abstractmethod

import numpy as np

from skrec.linear_model._gram import add_gram
from skrec.utils._begin_anew import forget_fit
from skrec.utils._device import cpu_or_device
from skrec.utils._fitted import Absent, Array
from skrec.utils._statistics import SumsMixin
from skrec.utils._validation import check_sample_weight


class PartialFitMixin(SumsMixin):
    """`partial_fit` of a recommender that learns `coef_` from X^T X alone."""

    _fitted_rules = {"gram_": Absent(Array("n_items", "n_items"))}
    _keeps_gram = False  # whether `_finish` leaves the upper triangle as it was

    def __sklearn_is_fitted__(self):
        return hasattr(self, "coef_")  # not before the first `partial_fit` that solves

    @abstractmethod
    def _new_gram(self, X):
        """An empty Gram matrix for the items of X, or a MemoryError with remedies."""

    @abstractmethod
    def _finish(self, gram):
        """Set `coef_` from a Gram matrix, which it overwrites unless `_keeps_gram`."""

    def _part(self, X, weight=None):
        return add_gram(X, self._new_gram(X), sample_weight=weight, n_jobs=self.n_jobs)

    def _device(self):
        return cpu_or_device(self.device)

    def partial_fit(self, X, y=None, *, sample_weight=None, solve=True):
        """Add more users, with the result of one `fit` on all users so far.

        Keeps the dense Gram matrix X^T X, even where `fit` would not compute it. `fit` keeps no
        Gram matrix: a `partial_fit` after it begins anew. Each call rounds the matrix to its
        dtype. In float32, the default above 1,024 items, a call that adds 1 to an element of
        2^24 = 16,777,216 or more leaves it as it was: use ``dtype="float64"`` if so many users
        share an item.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of further users, >= 0.
        y : ignored
            Present for scikit-learn's conventions.
        sample_weight : array-like of shape (n_users,), default=None
            Weights of the users.
        solve : bool, default=True
            Whether to compute `coef_` from the users so far. False saves time while more parts
            follow; use True in the last call.

        Returns
        -------
        self : object
            The recommender.

        Raises
        ------
        MemoryError
            If the item-item matrices do not fit.
        ValueError
            If a parameter or X is not valid.

        Warns
        -----
        ConvergenceWarning
            If the weights did not converge within the allowed passes.
        UserWarning
            If it begins anew after `fit`.
        """
        self._check_adds_up()
        first = not hasattr(self, "gram_")
        X = self._start_fit(X, reset=first)
        self._device()  # raises if it is absent
        weight = check_sample_weight(sample_weight, X.shape[0], np.float64)
        if first:
            forget_fit(self, ("coef_", "n_iter_"), "Gram matrix")
        # A copy, so that a failure leaves the old matrix unchanged.
        gram = self._new_gram(X) if first else self._copy_of_gram(X)
        self.gram_ = add_gram(X, gram, sample_weight=weight, n_jobs=self.n_jobs)
        if solve:
            self._finish(self.gram_ if self._keeps_gram else self._copy_of_gram(X))
        return self

    def _check_adds_up(self):
        """Raise a ValueError if the parameters need more than X^T X from the users."""

    def _copy_of_gram(self, X):
        copy = self._new_gram(X)
        copy[...] = self.gram_
        return copy
