"""EASE: the closed-form linear autoencoder (Steck 2019), with dropout (Steck 2020)."""

import numpy as np

from skrec._recommend import nearest_items
from skrec.base import BaseRecommender
from skrec.linear_model._gram import add_gram, new_gram
from skrec.linear_model._inverse import ease_weights, ridge_diagonal
from skrec.linear_model._item_weights import ItemWeightsMixin
from skrec.linear_model._nonnegative import nonnegative_ease_weights
from skrec.linear_model._partial_fit import PartialFitMixin
from skrec.utils._dtype import DTYPE, computation_dtype
from skrec.utils._fitted import Array, required_if
from skrec.utils._params import (
    BOOLEAN,
    FRACTION,
    POSITIVE,
)
from skrec.utils._sparse import sparse_dot_dense, sparse_dot_dense_pairs
from skrec.utils._validation import check_sample_weight


class EASE(PartialFitMixin, ItemWeightsMixin, BaseRecommender):
    r"""Embarrassingly shallow autoencoder: ridge regression of each item on the others.

    Minimises, in closed form [1]_,

    .. math:: \|X - X B\|_F^2 + \alpha \|B\|_F^2 \quad \text{with} \quad \mathrm{diag}(B) = 0,

    which gives :math:`B = I - P\,\mathrm{diag}(P)^{-1}` with
    :math:`P = (X^T X + \alpha I)^{-1}`. With ``dropout=p`` the penalty gets the term
    :math:`\frac{p}{1 - p} \|\mathrm{diag}(X^T X)^{1/2} B\|_F^2`, which is what training
    with inputs dropped out at rate p converges to (EDLAE, full rank [2]_).

    With ``positive=True`` the same objective is minimised over :math:`B \ge 0`: a
    non-negative ridge regression for each item, which is not the closed form with its
    negative weights set to zero. Scores then are sums of what speaks for an item.

    Scores are ``X @ coef_``; they rank items and are in no unit. A user without items
    gets zeros.

    Parameters
    ----------
    alpha : float, default=250.0
        Penalty, the paper's :math:`\lambda`, > 0. Grows with the number of users;
        published values lie between 200 and 1,000.
    positive : bool, default=False
        Whether weights must be >= 0, EASE >= 0 of [1]_: solved column by column on the
        CPU by coordinate descent on active sets, on CUDA by ADMM.
    dropout : float, default=0.0
        Rate p at which inputs are dropped in expectation, in [0, 1).
    dtype : {None, "float32", "float64"}, default=None
        Of the item-item matrix and its inversion. None: float64 up to 1,024 items,
        float32 above. See Notes for the accuracy.
    device : {"cpu", "auto", "cuda", "cuda:N"} or torch.device, default="cpu"
        Where the matrix is inverted. Anything but "cpu" imports torch; "auto" takes
        CUDA where there is one.
    n_jobs : int or None, default=None
        Threads of the Gram matrix and of scoring; None: all cores. The inversion uses
        the threads of BLAS. The result does not depend on it, up to BLAS.

    Attributes
    ----------
    coef_ : ndarray of shape (n_items, n_items)
        The weights B: column j predicts item j; zero diagonal.
    gram_ : ndarray of shape (n_items, n_items)
        Upper triangle of the sum of X^T X so far; only after `partial_fit`.
    n_features_in_ : int
        Number of items.
    n_iter_ : int
        Only with ``positive=True``: passes that the slowest column took, or iterations of
        ADMM.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.

    See Also
    --------
    SLIM : With an L1 penalty, for sparse weights.
    skrec.neighbors.ItemKNN : Sparse item-item similarities, for very many items.

    Notes
    -----
    Time is one pass over the pairs of items within each user, plus about n_items**3
    multiply-adds; memory is one n_items x n_items matrix. Needs no n_users x n_items.
    In float32 the weights of MovieLens-1M, binarised, agree with float64 to 7e-6 of the
    largest weight at alpha 300, and to 5e-5 at alpha 1 (docs/benchmarks, ease_accuracy): the
    error grows with the condition number of X^T X + alpha I, so a tiny `alpha` wants
    ``dtype="float64"``.

    References
    ----------
    .. [1] H. Steck, "Embarrassingly shallow autoencoders for sparse data",
       WWW 2019.
    .. [2] H. Steck, "Autoencoders that don't overfit towards the identity",
       NeurIPS 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.linear_model import EASE
    >>> X = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1], [0, 1, 1, 1]])
    >>> model = EASE(alpha=1.0).fit(X)
    >>> model.predict([[1, 0, 0, 0], [0, 0, 0, 1]])
    array([1, 2])
    """

    _parameter_rules = {
        "alpha": POSITIVE,
        "positive": BOOLEAN,
        "dropout": FRACTION,
        "dtype": DTYPE,
    }
    _search_grid = [
        {"alpha": alpha, "dropout": dropout}
        for dropout in (0.0, 0.3)
        for alpha in (50.0, 200.0, 500.0, 1000.0)
    ]

    _fitted_rules = {
        "coef_": required_if(lambda self: not hasattr(self, "gram_"), Array("n_items", "n_items"))
    }

    def __init__(
        self,
        alpha=250.0,
        *,
        positive=False,
        dropout=0.0,
        dtype=None,
        device="cpu",
        n_jobs=None,
    ):
        self.alpha = alpha
        self.positive = positive
        self.dropout = dropout
        self.dtype = dtype
        self.device = device
        self.n_jobs = n_jobs

    def fit(self, X, y=None, *, sample_weight=None):
        """Compute the weights.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions, >= 0.
        y : ignored
            Present for scikit-learn's conventions.
        sample_weight : array-like of shape (n_users,), default=None
            Weights of the users; a weight of 2 is the same as the row twice.

        Returns
        -------
        self : EASE
            The fitted recommender.

        Raises
        ------
        MemoryError
            If the item-item matrix does not fit; nothing has been allocated then.
        ValueError
            If a parameter or X is not valid, or if X^T X + alpha I is singular to
            working precision.

        Warns
        -----
        ConvergenceWarning
            With ``positive=True``, if a column was not solved in 1,000 passes.
        """
        X = self._start_fit(X)
        device = self._device()
        weight = check_sample_weight(sample_weight, X.shape[0], np.float64)
        for name in ("gram_", "n_iter_"):
            vars(self).pop(name, None)
        gram = self._new_gram(X)
        add_gram(X, gram, sample_weight=weight, n_jobs=self.n_jobs)
        self.coef_ = self._solve(gram, device)
        return self

    def _new_gram(self, X):
        return new_gram(
            X.shape[1], dtype=computation_dtype(self.dtype, X.shape[1]), n_entries=X.nnz
        )

    def _learn_from(self, gram, X, device):
        vars(self).pop("n_iter_", None)
        copy = self._new_gram(X)
        copy[...] = gram
        self.coef_ = self._solve(copy, device)

    def _solve(self, gram, device):
        diagonal = ridge_diagonal(gram, alpha=self.alpha, dropout=self.dropout)
        if not self.positive:
            return ease_weights(gram, diagonal, device=device, n_jobs=self.n_jobs)
        coef, self.n_iter_ = nonnegative_ease_weights(
            gram, diagonal, device=device, n_jobs=self.n_jobs
        )
        return coef

    def _scores(self, X):
        return sparse_dot_dense(X, self.coef_, n_jobs=self.n_jobs)

    def _pair_scores(self, X, rows, items):
        return sparse_dot_dense_pairs(X, self.coef_, rows, items, n_jobs=self.n_jobs)

    def _weights(self, sources, targets):
        return self.coef_[sources, targets]

    def _heaviest(self, items, k):
        return nearest_items(
            lambda targets: self.coef_[:, targets].T,
            items,
            len(self.coef_),
            k,
            dtype=self.coef_.dtype,
            return_scores=True,
        )
