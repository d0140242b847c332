"""Shared methods of weighted least squares models: each row's vector is the result of a solve."""

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from skrec._factors import Factored, FactoredScoresMixin, SimilarItemsMixin, factor_pairs
from skrec.utils._device import cpu_or_device
from skrec.utils._finite import require_finite
from skrec.utils._fitted import Absent, Array
from skrec.utils._products import FEW_ROWS
from skrec.utils._sparse import one_row
from skrec.utils._wmf_als import HalfStep, explain_entries, gram_matrix


class WeightedFactorsMixin(
    FactoredScoresMixin, SimilarItemsMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin
):
    """Scores, user vectors and explanations from `components_`, by weighted least squares.

    With the items fixed, the vector of a row minimises a penalty plus the sum over all cells of
    ``c (preference - vector @ item)^2``. The weight c of a missing entry is
    `unobserved_weight`; a stored entry adds `confidence` times its value to it.

    The estimator must have the parameters `confidence`, `unobserved_weight`, `device` and
    `n_jobs`, implement `_user_penalty`, and call `_keep_factors` at the end of `fit`.
    """

    _fitted_rules = {
        "components_": Array("n_components", "n_items"),
        "user_factors_": Absent(Array("n_users", "n_components")),
        "_gram": Array("n_components", "n_components"),
    }

    def _user_penalty(self, X):
        """The ridge penalty of each row, shape (n_rows,)."""
        raise NotImplementedError

    def _missing_weight(self):
        """The weight of a missing entry."""
        return self.unobserved_weight

    def _counted_items(self):
        """Mask of the items whose missing entries count; None: all items."""
        return None

    def _half_step(self, X, penalty, weight, *, counted=None, cg_steps=0, on_cpu=False):
        problem = {"confidence": self.confidence, "unobserved_weight": self._missing_weight()}
        device = cpu_or_device(self.device)  # a missing device is an error, even with on_cpu
        problem |= {"counted": counted, "cg_steps": cg_steps}
        if on_cpu or getattr(device, "type", device) == "cpu":
            return HalfStep(X, penalty, weight, **problem, n_jobs=self.n_jobs)
        from skrec.utils._wmf_torch import TorchHalfStep

        return TorchHalfStep(X, penalty, weight, **problem, device=device)

    def _keep_factors(self, X, items):
        """Set the fitted attributes from item vectors, and solve for the training rows.

        Parameters
        ----------
        X : csr_array of shape (n_users, n_items)
        items : ndarray of shape (n_items, n_components)
        """
        self._set_items(items)
        vectors = np.zeros((X.shape[0], items.shape[1]), dtype=items.dtype)
        counted, ones = self._counted_items(), np.ones(X.shape[1])
        step = self._half_step(X, self._user_penalty(X), ones, counted=counted)
        step.solve_many(np.ascontiguousarray(items), self._gram, vectors)
        self.user_factors_ = vectors

    def _set_items(self, items):
        self.components_ = items.T
        counted = self._counted_items()
        weight = None if counted is None else counted.astype(items.dtype)
        self._gram = gram_matrix(items, self._missing_weight(), weight, n_jobs=self.n_jobs)

    @property
    def _n_features_out(self):
        return self.components_.shape[0]

    def _vectors(self, X):
        """The vector of each row: the exact solution of its own problem."""
        items, counted, penalty = self.components_.T, self._counted_items(), self._user_penalty(X)
        vectors = np.zeros((X.shape[0], items.shape[1]), dtype=items.dtype)
        # Sending the item vectors to the device takes longer than solving a few rows.
        few = X.shape[0] <= FEW_ROWS
        if X.shape[0] == 1 and X.nnz:  # a solve reads its own items: the same, without the others
            items, counted = items[X.indices], None if counted is None else counted[X.indices]
            X = one_row(np.arange(X.nnz, dtype=np.int32), X.data, X.nnz)
        ones = np.ones(X.shape[1])
        step = self._half_step(X, penalty, ones, counted=counted, on_cpu=few)
        step.solve(np.ascontiguousarray(items), self._gram, vectors)
        return vectors

    def _factored(self, X):
        return Factored(self._vectors(X))

    def _pair_scores(self, X, rows, items):
        vectors = self._vectors(X).astype(X.dtype, copy=False)
        return factor_pairs(vectors, self.components_.astype(X.dtype, copy=False), rows, items)

    def transform(self, X):
        """Compute the vectors of users.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users, known or new.

        Returns
        -------
        vectors : ndarray of shape (n_users, n_components), dtype of X
            ``vectors @ components_`` are the scores.
        """
        X = self._start_dense(X, self._n_features_out)
        return require_finite(self._vectors(X).astype(X.dtype, copy=False), "The vectors of users")

    def explain(self, X, items):
        r"""Split scores into the contribution of each item of the user.

        With :math:`A_u` the matrix of the user's normal equations, the score of item i is
        :math:`\sum_{j \in S_u} c_{uj} \, h_i^T A_u^{-1} h_j` (Hu et al., section 5).

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users.
        items : array-like of int of shape (n_users,) or (n_users, m)
            The items to explain for each user, such as the result of `predict` or
            `recommend`; -1 for none.

        Returns
        -------
        contributions : csr_array of shape (n_users * m, n_items)
            Row ``u * m + j`` holds the terms of the sum at the items of user u. The terms
            add up to the score of ``items[u, j]``.

        Raises
        ------
        ValueError
            If `items` has the wrong shape or is out of range.
        """
        X = self._start_scoring(X)
        step = HalfStep(
            X,
            self._user_penalty(X),
            np.ones(X.shape[1]),
            confidence=self.confidence,
            unobserved_weight=self._missing_weight(),
            counted=self._counted_items(),
            n_jobs=self.n_jobs,
        )
        return explain_entries(step, np.ascontiguousarray(self.components_.T), self._gram, items)
