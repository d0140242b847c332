"""`partial_fit` of SANSA: users come in parts, and X^T X adds up as a sparse matrix."""

import numpy as np
from scipy.sparse import csr_array

from skrec.linear_model._sansa_gram import gram_of_sums, n_sums, sums_of
from skrec.utils._begin_anew import forget_fit
from skrec.utils._fitted import Absent, Array, Sparse, required_if
from skrec.utils._memory import check_memory
from skrec.utils._validation import check_sample_weight

# The attributes that `fit` sets.
_LEARNED = (
    "order_", "pivots_", "encoder_", "decoder_", "diagonal_", "gram_kept_", "density_",
    "loss_curve_", "n_iter_",
)  # fmt: skip


def is_solved(model):
    """Whether a model must have its factors: it has some, or it has no sums that are unsolved."""
    return hasattr(model, "order_") or not hasattr(model, "gram_")


class PartialFitMixin:
    """`partial_fit` of `SANSA`, which keeps the sums of all users as `gram_`."""

    _fitted_rules = {
        "gram_": Absent(Sparse("n_items", "n_items")),
        "_activity": required_if(
            lambda self: hasattr(self, "gram_"), Array("n_items", dtypes=("float64",), low=0)
        ),
    }

    def partial_fit(self, X, y=None, *, sample_weight=None, solve=True):
        """Add more users, with the result of one `fit` on all users so far.

        Keeps X^T X, a sparse matrix: 12 bytes for each pair of items that share a user, whatever
        `n_candidates` is. `fit` keeps no X^T X: a `partial_fit` after it begins anew. If the sums
        are whole numbers, as for binary data, the result has the bits of one fit; otherwise it is
        the same up to rounding.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of further users, >= 0.
        y : ignored
            Present for scikit-learn's conventions.
        sample_weight : array-like of shape (n_users,), default=None
            Weights of the users.
        solve : bool, default=True
            Whether to compute the factors from the users so far. False saves time while more
            parts follow; use True in the last call.

        Returns
        -------
        self : SANSA
            The recommender.

        Raises
        ------
        MemoryError
            If there is too little memory.
        ValueError
            If a parameter or X is not valid, or if X^T X + alpha I is not positive definite to
            working precision.

        Warns
        -----
        UserWarning
            If it begins anew after `fit`.
        """
        first = not hasattr(self, "gram_")
        X = self._start_fit(X, reset=first)
        weight = check_sample_weight(sample_weight, X.shape[0], np.float64)
        if first:
            forget_fit(self, _LEARNED, "sums of X^T X")
        self._add(X, weight, first)
        if solve:
            self._finish(gram_of_sums(self.gram_, self._activity, **self._how(X.shape[1])))
        return self

    def __sklearn_is_fitted__(self):
        return hasattr(self, "encoder_")  # not before the first `partial_fit` that solves

    def _add(self, X, weight, first):
        known = 0 if first else self.gram_.nnz
        check_memory(
            36 * n_sums(X) + 12 * known,  # parts of threads, the joined parts, the old and new sums
            f"The sums of SANSA.partial_fit over {X.shape[1]:,} items",
            ["use fit, or skrec.dask.fit for parts, which keep the nearest items only",
             "give fewer users at once"],
        )  # fmt: skip
        gram, activity = sums_of(X, weight, self.n_jobs)
        self.gram_ = gram if first else csr_array(self.gram_ + gram)
        self._activity = activity if first else self._activity + activity
