"""EASE: the closed-form linear autoencoder (Steck 2019), with dropout (Steck 2020).

Steck and Liang (2021) add pairs of items as inputs.
"""

import numpy as np
from scipy.sparse import csr_array

from skrec._recommend import nearest_items
from skrec.base import BaseRecommender
from skrec.linear_model._gram import add_gram, new_gram
from skrec.linear_model._inverse import ease_weights, ridge_diagonal
from skrec.linear_model._item_pairs import (
    check_pairs_memory,
    frequent_pairs,
    pair_contributions,
    pair_values,
    pair_weights,
    with_pairs,
)
from skrec.linear_model._item_weights import ItemWeightsMixin
from skrec.linear_model._nonnegative import nonnegative_ease_weights
from skrec.linear_model._partial_fit import PartialFitMixin
from skrec.utils._dtype import DTYPE, computation_dtype
from skrec.utils._explain import check_targets
from skrec.utils._finite import require_finite
from skrec.utils._fitted import INDICES, Array, required_if
from skrec.utils._params import (
    BOOLEAN,
    FRACTION,
    POSITIVE,
    Interval,
)
from skrec.utils._sparse import sparse_dot_dense, sparse_dot_dense_pairs
from skrec.utils._statistics import OnePart, Pass, run_rounds
from skrec.utils._validation import check_sample_weight


class EASE(PartialFitMixin, ItemWeightsMixin, BaseRecommender):
    r"""Embarrassingly shallow autoencoder: ridge regression of each item on the others.

    Minimises, in closed form [1]_,

    .. math:: \|X - X B\|_F^2 + \alpha \|B\|_F^2 \quad \text{with} \quad \mathrm{diag}(B) = 0,

    which gives :math:`B = I - P\,\mathrm{diag}(P)^{-1}` with
    :math:`P = (X^T X + \alpha I)^{-1}`. ``dropout=p`` adds
    :math:`\frac{p}{1 - p} \|\mathrm{diag}(X^T X)^{1/2} B\|_F^2` to the penalty. Training with
    inputs dropped out at rate p converges to this objective (EDLAE, full rank [2]_).

    ``positive=True`` minimises the same objective over :math:`B \ge 0`: a non-negative ridge
    regression for each item. This differs from the closed form with its negative weights set to
    zero. Each item of a user then only adds to scores.

    ``n_pairs=m`` takes the m pairs of items that most users share as inputs, too [3]_. The pair
    r = {i, j} has the value :math:`z_{ur} = (x_{ui} x_{uj})^{1/2}`, and the objective is

    .. math:: \|X - X B - Z C\|_F^2 + \alpha \|B\|_F^2 + \alpha' \|C\|_F^2
              \quad \text{with} \quad B_{ii} = 0, \; C_{ri} = 0 \text{ for } i \in r,

    where :math:`\alpha'` is `pair_alpha`. Most weights C are negative: two items of a user that
    predict the same item then do not count twice.

    Scores are ``X @ coef_``, plus ``Z @ pair_coef_``; they rank items and have no unit. A user
    without items gets zeros.

    Parameters
    ----------
    alpha : float, default=150.0
        Penalty, the paper's :math:`\lambda`, > 0. The best value grows with the length of the
        rows; published values, for large data, lie between 200 and 1,000.
    positive : bool, default=False
        Whether weights must be >= 0 (EASE >= 0 of [1]_). The CPU solves column by column, by
        coordinate descent on active sets; CUDA uses ADMM.
    dropout : float, default=0.0
        Rate p, in [0, 1), at which inputs are dropped. Nothing is drawn: the objective is the
        expectation.
    n_pairs : int, default=0
        Number of pairs of items that are inputs: the pairs with the largest :math:`\sum_u x_{ui}
        x_{uj}`. Fewer if fewer pairs of items share a user. ``positive=True`` and `partial_fit`
        accept only 0.
    pair_alpha : float, default=5000.0
        Penalty on the weights of pairs, > 0: the paper's :math:`\lambda_C`, about 10 times its
        :math:`\lambda`. `dropout` raises it as it raises `alpha`.
    dtype : {None, "float32", "float64"}, default=None
        Type of the item-item matrix and its inversion. None: float64 up to 1,024 items,
        float32 above. See Notes for the accuracy.
    device : {"cpu", "auto", "cuda", "cuda:N"} or torch.device, default="cpu"
        Where the matrix is inverted. Any value but "cpu" imports torch; "auto" takes CUDA if
        there is one.
    n_jobs : int or None, default=None
        Threads of the Gram matrix and of scoring; None: all cores. The inversion uses the
        threads of BLAS. The number changes the result by rounding in BLAS at most.

    Attributes
    ----------
    coef_ : ndarray of shape (n_items, n_items)
        The weights B: column j predicts item j; zero diagonal.
    pairs_ : ndarray of int of shape (n_kept_pairs, 2)
        The pairs, i < j, sorted; only with ``n_pairs > 0``.
    pair_coef_ : ndarray of shape (n_kept_pairs, n_items)
        The weights C of the pairs; only with ``n_pairs > 0``.
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
    multiply-adds. Memory is one n_items x n_items matrix; no n_users x n_items matrix is formed.
    With pairs, time and memory are as for n_items + n_pairs items, and C is kept beside B.

    The default `alpha` was chosen on validation users of eight data sets with at most 2,000 items
    and 3,000 training users (docs/benchmarks, defaults). Its nDCG@100 is .96 to 1.00 of the best
    of 12 settings; the earlier default, 250, reaches .94 to 1.00. About five mean row lengths, but
    at least 100, reach .97 to 1.00. ``dropout=0.3`` added .006 of the best on average.

    Differs from [3]_: the weights are the exact minimum, from one inverse; [3]_ approaches it
    by 40 iterations of ADMM. A pair of values other than 0/1 enters by its geometric mean.

    In float32 the weights of MovieLens-1M, binarised, agree with float64 to 7e-6 of the
    largest weight at alpha 300, and to 5e-5 at alpha 1 (docs/benchmarks, ease_accuracy). The
    error grows with the condition number of X^T X + alpha I: use ``dtype="float64"`` with a
    tiny `alpha`.

    References
    ----------
    .. [1] H. Steck, "Embarrassingly shallow autoencoders for sparse data",
       WWW 2019.
    .. [2] H. Steck, "Autoencoders that don't overfit towards the identity",
       NeurIPS 2020.
    .. [3] H. Steck and D. Liang, "Negative interactions for improved collaborative
       filtering: don't go deeper, go higher", RecSys 2021.

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
        "n_pairs": Interval(0, integer=True),
        "pair_alpha": POSITIVE,
        "dtype": DTYPE,
    }
    _search_grid = [
        {"alpha": alpha, "dropout": dropout}
        for dropout in (0.0, 0.3)
        for alpha in (50.0, 200.0, 500.0, 1000.0)
    ]

    _fitted_rules = {
        "coef_": required_if(lambda self: not hasattr(self, "gram_"), Array("n_items", "n_items")),
        "pairs_": required_if(
            lambda self: self.n_pairs,
            Array("n_kept_pairs", 2, dtypes=INDICES, low=0, high="n_items"),
        ),
        "pair_coef_": required_if(lambda self: self.n_pairs, Array("n_kept_pairs", "n_items")),
    }

    def __init__(
        self,
        alpha=150.0,
        *,
        positive=False,
        dropout=0.0,
        n_pairs=0,
        pair_alpha=5000.0,
        dtype=None,
        device="cpu",
        n_jobs=None,
    ):
        self.alpha = alpha
        self.positive = positive
        self.dropout = dropout
        self.n_pairs = n_pairs
        self.pair_alpha = pair_alpha
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
            If a parameter, a combination of parameters or X is not valid, or if X^T X +
            alpha I is singular to working precision.

        Warns
        -----
        ConvergenceWarning
            With ``positive=True``, if a column was not solved in 1,000 passes.
        """
        X = self._start_fit(X)
        self._device()  # raises if it is absent
        weight = check_sample_weight(sample_weight, X.shape[0], np.float64)
        for name in ("gram_", "n_iter_", "pairs_", "pair_coef_"):
            vars(self).pop(name, None)
        if self.n_pairs:
            run_rounds(self._pair_rounds(), OnePart(X, weight))
            return self
        self._finish(self._part(X, weight))
        return self

    def _new_gram(self, X):
        return new_gram(
            X.shape[1], dtype=computation_dtype(self.dtype, X.shape[1]), n_entries=X.nnz
        )

    def _rounds(self, facts):
        return self._pair_rounds() if self.n_pairs else super()._rounds(facts)

    def _pair_rounds(self):
        """The first pass finds the pairs with the largest sums, the second their Gram matrix."""
        if self.positive:
            raise ValueError(
                "EASE: positive=True solves for weights of items only. Got n_pairs="
                f"{self.n_pairs}: use n_pairs=0, or positive=False."
            )
        gram = yield Pass(self._part, again=True)
        pairs = frequent_pairs(require_finite(gram, "The sums of products"), self.n_pairs)
        n_items = len(gram)
        del gram
        gram = yield Pass(self._pair_part, (pairs,))
        alpha = np.repeat([self.alpha, self.pair_alpha], [n_items, len(pairs)])
        diagonal = ridge_diagonal(gram, alpha=alpha, dropout=self.dropout)
        self.pairs_ = pairs
        self.coef_, self.pair_coef_ = pair_weights(
            gram, diagonal, pairs, n_items, device=self._device(), n_jobs=self.n_jobs
        )

    def _pair_part(self, X, pairs, weight=None):
        n_items, n_pairs = X.shape[1], len(pairs)
        both = with_pairs(X, pair_values(X, pairs, n_jobs=self.n_jobs))
        dtype = computation_dtype(self.dtype, both.shape[1])
        check_pairs_memory(n_items, n_pairs, dtype=dtype, n_entries=both.nnz)
        gram = np.zeros((n_items + n_pairs, n_items + n_pairs), dtype=dtype)
        return add_gram(both, gram, sample_weight=weight, n_jobs=self.n_jobs)

    def _check_adds_up(self):
        if self.n_pairs:
            raise ValueError(
                "EASE: partial_fit adds up X^T X, which has no products with pairs. Got "
                f"n_pairs={self.n_pairs}: use n_pairs=0, or fit with all users."
            )

    def _finish(self, gram):
        for name in ("n_iter_", "pairs_", "pair_coef_"):  # of an earlier fit
            vars(self).pop(name, None)
        diagonal = ridge_diagonal(gram, alpha=self.alpha, dropout=self.dropout)
        device = self._device()
        if not self.positive:
            self.coef_ = ease_weights(gram, diagonal, device=device, n_jobs=self.n_jobs)
            return
        self.coef_, self.n_iter_ = nonnegative_ease_weights(
            gram, diagonal, device=device, n_jobs=self.n_jobs
        )

    @property
    def _has_pairs(self):
        return hasattr(self, "pair_coef_")  # `n_pairs` may have changed since the fit

    def _scores(self, X):
        scores = sparse_dot_dense(X, self.coef_, n_jobs=self.n_jobs)
        if self._has_pairs:
            Z = pair_values(X, self.pairs_, n_jobs=self.n_jobs)
            scores += sparse_dot_dense(Z, self.pair_coef_, n_jobs=self.n_jobs)
        return scores

    def _pair_scores(self, X, rows, items):
        scores = sparse_dot_dense_pairs(X, self.coef_, rows, items, n_jobs=self.n_jobs)
        if self._has_pairs:
            Z = pair_values(X, self.pairs_, n_jobs=self.n_jobs)
            scores += sparse_dot_dense_pairs(Z, self.pair_coef_, rows, items, n_jobs=self.n_jobs)
        return scores

    def explain(self, X, items):
        """Split scores into what each item of the user adds.

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
            Row ``u * m + j`` holds ``x_ui * coef_[i, items[u, j]]`` at each item i of user
            u, plus half of what each pair with i adds. The row sums to the score of
            ``items[u, j]``.

        Raises
        ------
        ValueError
            If `items` has the wrong shape or is out of range.
        """
        contributions = super().explain(X, items)
        if not self._has_pairs:
            return contributions
        X = self._start_scoring(X)
        Z = pair_values(X, self.pairs_, n_jobs=self.n_jobs)
        targets = check_targets(items, *X.shape)
        added = pair_contributions(Z, self.pairs_, self.pair_coef_, targets, X.shape[1])
        return csr_array(contributions + added)

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
