"""SLIM: sparse linear methods (Ning and Karypis 2011)."""

import numpy as np
from scipy.sparse import csr_array

from skrec.base import BaseRecommender
from skrec.linear_model._admm import admm_columns, admm_memory
from skrec.linear_model._gram import gram_memory
from skrec.linear_model._item_weights import ItemWeightsMixin
from skrec.linear_model._partial_fit import PartialFitMixin
from skrec.linear_model._slim_columns import entry_columns, gram_columns
from skrec.utils._dtype import DTYPE, SMALL, computation_dtype
from skrec.utils._explain import stored_weights
from skrec.utils._finite import require_squares
from skrec.utils._fitted import Sparse, required_if
from skrec.utils._lists import stored_lists
from skrec.utils._memory import available_memory, check_memory
from skrec.utils._params import (
    BOOLEAN,
    NONE,
    POSITIVE,
    POSITIVE_INTEGER,
    Interval,
    Options,
)
from skrec.utils._products import sparse_product, sparse_product_pairs
from skrec.utils._validation import check_sample_weight

# The Gram matrix is faster if the number of pairs of items within the users, which bounds its
# entries, exceeds this share of its elements.
_MIN_FILL = 0.5


class SLIM(PartialFitMixin, ItemWeightsMixin, BaseRecommender):
    r"""Sparse linear method: elastic-net regression of each item on the others.

    Minimises [1]_

    .. math:: \tfrac12 \|X - X W\|_F^2 + \alpha \left( \rho \|W\|_1
              + \tfrac{1 - \rho}{2} \|W\|_F^2 \right)
              \quad \text{with} \quad \mathrm{diag}(W) = 0

    and :math:`W \ge 0` if `positive`, where :math:`\rho` is `l1_ratio`. The columns of W
    are independent problems. The loss is not divided by the number of users: the paper's
    :math:`\lambda` is :math:`\alpha \rho`, its :math:`\beta` is
    :math:`\alpha (1 - \rho)`, and scikit-learn's `ElasticNet` takes ``alpha / n_users``.

    Scores are ``X @ coef_``; they rank items and have no unit. A user without items gets zeros.

    Parameters
    ----------
    alpha : float, default=50.0
        Penalty, > 0. The best value grows with the number of users and the square of the values.
    l1_ratio : float, default=0.01
        Share of the L1 penalty, in [0, 1]. It makes W sparse; with `positive`, W is sparse
        even without it. At 1 the weights need not be unique.
    positive : bool, default=True
        Whether weights must be >= 0.
    n_neighbors : int or None, default=None
        Number of nearest items by cosine that may predict an item, as in fsSLIM. None: all
        items.
    solver : {"cd", "admm"}, default="cd"
        "cd" is coordinate descent [2]_, one column at a time: faster if W is sparse. "admm" is
        the alternating direction method of multipliers [3]_: one inversion, and a matrix
        product per iteration, for any penalty, on CPU or CUDA; use it if W is not sparse. It
        needs room for six n_items x n_items matrices.
    precompute : {"auto"} or bool, default="auto"
        Whether "cd" works on the whole Gram matrix, n_items x n_items, or on X itself, with
        memory in proportion to the entries of X and W. "auto" estimates which is faster, and
        takes X if the Gram matrix does not fit into memory.
    tol : float or None, default=None
        "cd": a column is solved when no weight, on its own, would change by more than
        `tol` times the largest weight that one item alone would get. "admm": the
        primal and dual residuals, relative to the weights. None: 1e-5, with "cd" in
        float64 1e-10.
    max_iter : int, default=1000
        Most passes over the active items of a column, or most iterations of ADMM.
    dtype : {None, "float32", "float64"}, default=None
        Type of the computation and of `coef_`. None: float64 up to 1,024 items, float32 above.
    device : {"cpu", "auto", "cuda", "cuda:N"} or torch.device, default="cpu"
        Where "admm" computes; "auto" takes CUDA if there is one. "cd" uses the CPU.
    n_jobs : int or None, default=None
        Threads; None: all cores. The number changes the result by rounding in BLAS at most.

    Attributes
    ----------
    coef_ : csr_array of shape (n_items, n_items)
        The weights W: column j predicts item j; no diagonal, no stored zeros.
    gram_ : ndarray of shape (n_items, n_items)
        Upper triangle of the sum of X^T X so far; only after `partial_fit`.
    n_iter_ : int
        Passes that the slowest column took, or iterations of ADMM.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.

    See Also
    --------
    EASE : The L2 penalty alone, in closed form, with a dense W.
    skrec.neighbors.ItemKNN : Similarities that are not learned.

    Notes
    -----
    With X >= 0 and `positive`, an item with :math:`x_k^T x_j \le \alpha \rho` never gets a
    weight for item j, so columns of rare items are cheap. A column starts with the few most
    promising items; others enter as the gradient asks for them. With s weights in a column, a
    pass costs s**2 operations. A gradient costs s * n_items operations or, without the Gram
    matrix, the entries of the users who have the active items.

    The defaults were chosen on validation users of eight data sets (docs/benchmarks, defaults).
    Their nDCG@100 is .98 to 1.00 of the best of 12 settings; the earlier defaults, an `alpha` of
    100 and an `l1_ratio` of .05, reach .72 to .99. Raise `alpha` for many more users: on
    MovieLens-1M 300 was best. A larger `l1_ratio` is faster, but leaves items of short rows
    without any weight.

    MovieLens-1M (6,040 x 3,706, 61 weights a column) takes about a second on two cores.

    Differs from [1]_: columns are solved to the optimality conditions, not for a number of
    sweeps. fsSLIM chooses the candidates of each column by cosine alone.

    References
    ----------
    .. [1] X. Ning and G. Karypis, "SLIM: Sparse linear methods for top-N recommender
       systems", ICDM 2011.
    .. [2] J. Friedman, T. Hastie and R. Tibshirani, "Regularization paths for generalized
       linear models via coordinate descent", Journal of Statistical Software 33(1), 2010.
    .. [3] H. Steck, M. Dimakopoulou, N. Riabov and T. Jebara, "ADMM SLIM: Sparse
       recommendations for many users", WSDM 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.linear_model import SLIM
    >>> X = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1], [0, 1, 1, 1]])
    >>> model = SLIM(alpha=1.0).fit(X)
    >>> model.predict([[1, 0, 0, 0], [0, 0, 0, 1]])
    array([1, 2])
    >>> model.coef_.toarray().round(2)
    array([[0.  , 0.57, 0.14, 0.  ],
           [0.5 , 0.  , 0.29, 0.  ],
           [0.  , 0.29, 0.  , 0.5 ],
           [0.  , 0.14, 0.57, 0.  ]])
    """

    _parameter_rules = {
        "alpha": POSITIVE,
        "l1_ratio": Interval(0, 1),
        "positive": BOOLEAN,
        "n_neighbors": (NONE, POSITIVE_INTEGER),
        "solver": Options(("cd", "admm")),
        "precompute": (Options(("auto",)), BOOLEAN),
        "tol": (NONE, POSITIVE),
        "max_iter": POSITIVE_INTEGER,
        "dtype": DTYPE,
    }
    _search_grid = [
        {"alpha": alpha, "l1_ratio": l1_ratio}
        for l1_ratio in (0.01, 0.05)
        for alpha in (20.0, 100.0, 300.0, 1000.0)
    ]

    _keeps_gram = True
    _fitted_rules = {
        "coef_": required_if(lambda self: not hasattr(self, "gram_"), Sparse("n_items", "n_items"))
    }

    def __init__(
        self,
        alpha=50.0,
        *,
        l1_ratio=0.01,
        positive=True,
        n_neighbors=None,
        solver="cd",
        precompute="auto",
        tol=None,
        max_iter=1000,
        dtype=None,
        device="cpu",
        n_jobs=None,
    ):
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.positive = positive
        self.n_neighbors = n_neighbors
        self.solver = solver
        self.precompute = precompute
        self.tol = tol
        self.max_iter = max_iter
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
        self : SLIM
            The fitted recommender.

        Raises
        ------
        MemoryError
            If the item-item matrices do not fit; nothing has been allocated then.
        ValueError
            If a parameter or X is not valid.

        Warns
        -----
        ConvergenceWarning
            If `max_iter` did not suffice.
        """
        X = self._start_fit(X)
        self._device()  # raises if it is absent
        weight = check_sample_weight(sample_weight, X.shape[0], np.float64)
        require_squares(X.data, "The values of X")
        vars(self).pop("gram_", None)
        if self.solver == "admm" or self._takes_gram(X):
            self._finish(self._part(X, weight))
            return self
        n_items = X.shape[1]
        self._keep(
            *entry_columns(
                X,
                **self._objective(n_items),
                sample_weight=weight,
                dtype=computation_dtype(self.dtype, n_items),
            )
        )
        return self

    def _rounds(self, facts):
        if self.solver == "cd" and not isinstance(self.precompute, str) and not self.precompute:
            raise ValueError(
                "SLIM over parts adds up X^T X. Got precompute=False, which reads X column by "
                'column: use precompute=True or "auto", or fit in one process.'
            )
        return super()._rounds(facts)

    def _part(self, X, weight=None):
        require_squares(X.data, "The values of X")
        return super()._part(X, weight)

    def _keep(self, coef, n_iter):
        self.coef_ = csr_array(coef)
        self.n_iter_ = max(1, n_iter)

    def _objective(self, n_items):
        tol = self.tol
        if tol is None:
            exact = self.solver == "cd" and computation_dtype(self.dtype, n_items) == np.float64
            tol = 1e-10 if exact else 1e-5
        return {
            "penalty": self.alpha * (1.0 - self.l1_ratio),
            "l1": self.alpha * self.l1_ratio,
            "positive": self.positive,
            "n_neighbors": self.n_neighbors,
            "tol": tol,
            "max_iter": self.max_iter,
            "n_jobs": self.n_jobs,
        }

    def _finish(self, gram):
        if self.solver == "cd":
            self._keep(*gram_columns(gram, **self._objective(len(gram))))
        else:
            objective = self._objective(len(gram))
            self._keep(*admm_columns(gram, **objective, device=self._device()))

    def _device(self):
        device = super()._device()
        if self.solver == "cd" and self.device != "auto" and str(device) != "cpu":
            raise ValueError(
                f"solver='cd' computes on the CPU only. Got device={self.device!r}: use "
                "device='cpu', or solver='admm'."
            )
        return device

    def _takes_gram(self, X):
        n_items = X.shape[1]
        if self.precompute != "auto" or n_items <= SMALL:
            return bool(self.precompute)
        lengths = np.diff(X.indptr).astype(np.float64)
        needed = gram_memory(n_items, dtype=computation_dtype(self.dtype, n_items), n_entries=X.nnz)
        room = available_memory()
        return lengths @ lengths > _MIN_FILL * n_items**2 and (room is None or needed <= room)

    def _new_gram(self, X):
        n_items, dtype = X.shape[1], computation_dtype(self.dtype, X.shape[1])
        remedies = ["keep fewer items (skrec.model_selection.k_core drops the rare ones)"]
        if dtype == np.float64:
            remedies.append('use dtype="float32", which halves it')
        needed = gram_memory(n_items, dtype=dtype, n_entries=X.nnz)
        if self.solver == "admm":
            needed += admm_memory(n_items, dtype=dtype)
            remedies.append('use solver="cd"')
        else:
            remedies.append('use fit with precompute=False or "auto"')
        check_memory(needed, f"SLIM with {n_items:,} items in {dtype.name}", remedies)
        return np.zeros((n_items, n_items), dtype=dtype)

    def _scores(self, X):
        return sparse_product(X, self.coef_, dtype=X.dtype, n_jobs=self.n_jobs)

    def _pair_scores(self, X, rows, items):
        return sparse_product_pairs(X, self.coef_.T.tocsr(), rows, items, dtype=X.dtype)

    def _weights(self, sources, targets):
        return stored_weights(self.coef_, sources, targets)

    def _heaviest(self, items, k):
        return stored_lists(self.coef_, items, k, n_jobs=self.n_jobs)
