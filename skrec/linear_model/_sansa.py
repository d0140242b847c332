"""SANSA: EASE with a sparse approximate inverse, for very many items (Spisak et al. 2023)."""

from functools import partial

import numpy as np
from scipy.sparse import csr_array

from skrec._recommend import nearest_items
from skrec.base import BaseRecommender
from skrec.linear_model._item_weights import ItemWeightsMixin
from skrec.linear_model._sansa_factor import check_room, factorise, n_needed
from skrec.linear_model._sansa_gram import gram_rounds
from skrec.linear_model._sansa_partial_fit import PartialFitMixin, is_solved
from skrec.utils._arrays import kernel_csr, read_only
from skrec.utils._dtype import DTYPE, computation_dtype
from skrec.utils._fitted import INDICES, Array, Number, Sparse, required_if
from skrec.utils._parallel import run_ranges
from skrec.utils._params import (
    NONE,
    POSITIVE,
    POSITIVE_INTEGER,
    Interval,
)
from skrec.utils._statistics import OnePart, run_rounds
from skrec.utils._validation import check_sample_weight

# Entries of each factor per item, if `density` is None.
_ENTRIES_PER_ITEM = 100
# Products below this number are not worth a second thread.
_MIN_WORK = 1 << 18


class SANSA(PartialFitMixin, ItemWeightsMixin, BaseRecommender):
    r"""Scalable approximate non-symmetric autoencoder: EASE in two sparse factors.

    EASE's weights [3]_ are :math:`B = I - P\,\mathrm{diag}(P)^{-1}` with
    :math:`P = (X^T X + \alpha I)^{-1}`, a dense matrix. SANSA [1]_ approximates

    .. math:: P \approx K^T D^{-1} K

    with a diagonal D > 0 and a sparse K, which is unit lower triangular when the items are
    in the order of descending popularity. So :math:`B \approx I - E F` with two sparse
    factors, :math:`E = K^T` and :math:`F = D^{-1} K\,\mathrm{diag}(P)^{-1}`. No dense
    matrix of all pairs of items is ever formed. ``diag(B) = 0`` holds as in EASE.

    Without sparsity K is the inverse of the factor L of :math:`X^T X + \alpha I = L D L^T`,
    and the result is EASE. Otherwise, in the order of the items:

    - The first 4,096 items, the head, are factored and inverted exactly.
    - Row i of any other item is :math:`k = e_i - \sum_{j \in S} w_j e_j`, where S are items
      before i, at first those with the largest cosines. The w minimise
      :math:`d_i = k A k^T` with :math:`A = X^T X + \alpha I`. This also minimises
      :math:`\sum_i (d_i - D_i) = \|(K L - I) D^{1/2}\|_F^2` on this pattern: the residual of
      K as an inverse of L, without computing L. Then, up to `max_iter` - 1 times, items with
      a small :math:`w_j^2 A_{jj}` leave S for near items with a large residual
      :math:`(k A)_j^2 / A_{jj}`, wherever that lowers :math:`d_i`.
    - `density` limits the entries of K: those with the largest :math:`K_{ij}^2 A_{jj} / d_i`
      stay. Rows of up to 1,024 entries are solved once more for the values of these entries.

    Scores rank items and have no unit. A user without items gets zeros.

    Parameters
    ----------
    alpha : float, default=150.0
        Penalty, EASE's :math:`\lambda`, > 0. The best value grows with the number of users.
    density : float or None, default=None
        Most entries of each factor, as a share of n_items**2, in (0, 1]. The whole triangle,
        which gives EASE, is (n_items + 1) / (2 n_items), a little over 0.5. The diagonal of K
        counts n_items entries and is always kept. None: 100 entries per item, which is the
        whole triangle up to 199 items.
    max_iter : int, default=2
        How often the rows beyond the head are solved; items are exchanged in between. 1 keeps
        the items with the largest cosines.
    n_candidates : int, default=1024
        Most elements of X^T X that the row of an item beyond the head keeps: the elements with the
        largest cosines, among the items before it. At least 4 times the entries of a factor per
        item are kept. The others count as zeros.
    dtype : {None, "float32", "float64"}, default=None
        Type of the computation and the factors. None: float64 up to 1,024 items, float32 above.
    n_jobs : int or None, default=None
        Threads; None: all cores. The number changes the result by rounding in BLAS at most.

    Attributes
    ----------
    encoder_ : csr_array of shape (n_items, n_items)
        The factor E. Rows are items; columns are steps: positions in `order_`.
    decoder_ : csr_array of shape (n_items, n_items)
        The factor F. Rows are steps, columns items.
    diagonal_ : ndarray of shape (n_items,), dtype=float64
        Diagonal of E F, 1 up to rounding. Scores are
        ``X * diagonal_ - (X @ encoder_) @ decoder_``, so the diagonal of B is zero despite
        rounding.
    pivots_ : ndarray of shape (n_items,), dtype=float64
        The diagonal of D, step by step.
    order_ : ndarray of intp of shape (n_items,)
        The item of each step.
    density_ : float
        Stored entries of each factor divided by n_items**2.
    gram_kept_ : float
        Share of the non-zero elements of X^T X, in the rows beyond the head, that
        `n_candidates` keeps.
    loss_curve_ : list of float
        Mean of log(d_i / A_ii), after each solution and at the end. It falls from solution to
        solution, towards its value for exact factors. At the end it rises by the cost of the
        dropped entries.
    n_iter_ : int
        How often the rows beyond the head were solved.
    gram_ : csr_array of shape (n_items, n_items), float64
        Lower triangle of the sum of X^T X so far; only after `partial_fit`.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.

    See Also
    --------
    EASE : The exact weights, in a dense matrix.
    SLIM : Sparse weights by an L1 penalty.

    Notes
    -----
    Let m be the entries of a factor per item. Time beyond the head is one pass over the pairs
    of items within the users, plus, for each item and solution, about (2 m)**3 / 3 multiply-adds
    and a look at up to 6 m rows of `n_candidates` elements. Memory holds both factors, the kept
    elements of X^T X (8 bytes each in float32), the head, 128 MB in float32, and whole rows of
    X^T X, at most 0.8 GB. To score a user, the model reads the rows of E of the user's items, and
    the rows of F that these lead to.

    On MovieLens-1M, strong generalisation, nDCG@100 is .430 at a density of .05, .427 at .01
    and .424 at .005; EASE's is .431 (docs/benchmarks/bench_sansa.py). On validation users of eight
    data sets with at most 2,000 items, the default reaches .997 to 1.001 of the nDCG@100 of
    ``EASE()`` (docs/benchmarks, defaults).

    Rows beyond the head are solved on up to 2 m items, chosen among the 4 m nearest. Items
    without a common user are among these only if no more than 4 m items come before i. A is
    positive definite with every pivot at least `alpha`. Elements that `n_candidates` drops can
    break that: an item whose pivot within a row falls below ``alpha / 2`` gets no weight there.
    D is at least `alpha` in any case.

    Differs from [1]_: [1]_ first computes an approximate L; its K is an approximate inverse of
    it, improved by minimal-residual steps. Here the rows of K minimise the residual of the
    exact L on their pattern in one step, as in [2]_. That is one approximation instead of two,
    and no incomplete factor can break down. The order of the items keeps K sparse, not L.

    References
    ----------
    .. [1] M. Spisak, R. Bartyzal, A. Hoskovec, L. Peska and M. Tuma, "Scalable approximate
       nonsymmetric autoencoder for collaborative filtering", RecSys 2023.
    .. [2] L. Y. Kolotilina and A. Y. Yeremin, "Factorized sparse approximate inverse
       preconditionings I", SIAM Journal on Matrix Analysis and Applications 14(1), 1993.
    .. [3] H. Steck, "Embarrassingly shallow autoencoders for sparse data",
       WWW 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.linear_model import SANSA
    >>> X = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1], [0, 1, 1, 1]])
    >>> model = SANSA(alpha=1.0).fit(X)
    >>> model.predict([[1, 0, 0, 0], [0, 0, 0, 1]])
    array([1, 2])
    >>> model.similar_items([1], k=2)
    array([[0, 2]])
    """

    _parameter_rules = {
        "alpha": POSITIVE,
        "density": (NONE, Interval(0, 1, closed="right")),
        "max_iter": POSITIVE_INTEGER,
        "n_candidates": POSITIVE_INTEGER,
        "dtype": DTYPE,
    }
    _search_grid = [{"alpha": alpha} for alpha in (50.0, 200.0, 500.0, 1000.0)]

    _fitted_rules = {
        **{
            name: required_if(is_solved, rule)
            for name, rule in {
                "order_": Array("n_items", dtypes=INDICES, low=0, high="n_items", distinct=True),
                "pivots_": Array("n_items", low=0),
                "encoder_": Sparse("n_items", "n_items"),
                "decoder_": Sparse("n_items", "n_items"),
                "diagonal_": Array("n_items", dtypes=("float64",)),
                "gram_kept_": Number(0, 1),
                "density_": Number(0, 1),
            }.items()
        },
    }

    def __init__(
        self,
        alpha=150.0,
        *,
        density=None,
        max_iter=2,
        n_candidates=1024,
        dtype=None,
        n_jobs=None,
    ):
        self.alpha = alpha
        self.density = density
        self.max_iter = max_iter
        self.n_candidates = n_candidates
        self.dtype = dtype
        self.n_jobs = n_jobs

    def fit(self, X, y=None, *, sample_weight=None):
        """Compute the factors.

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
        self : SANSA
            The fitted recommender.

        Raises
        ------
        MemoryError
            If there is too little memory; nothing large has been allocated then.
        ValueError
            If a parameter or X is not valid, or if X^T X + alpha I is not positive
            definite to working precision.
        """
        X = self._start_fit(X)
        weight = check_sample_weight(sample_weight, X.shape[0], np.float64)
        for name in ("gram_", "_activity"):
            vars(self).pop(name, None)
        run_rounds(self._rounds(None, n_stored=X.nnz), OnePart(X, weight))
        return self

    def _rounds(self, facts, n_stored=0):
        n_items = self.n_features_in_
        self._finish((yield from gram_rounds(n_items, **self._how(n_items, n_stored))))

    def _how(self, n_items, n_stored=0):
        """Settings of the Gram matrix, for `skrec.linear_model._sansa_gram`."""
        n_entries, dtype = self._n_entries(n_items), computation_dtype(self.dtype, n_items)
        room = {"n_entries": n_entries, "n_stored": n_stored, "dtype": dtype}
        return {
            "alpha": float(self.alpha),
            "n_candidates": max(self.n_candidates, n_needed(n_items, n_entries)),
            "dtype": dtype,
            "n_jobs": self.n_jobs,
            "check": partial(check_room, n_items, **room),
        }

    def _finish(self, gram):
        """Set the fitted attributes from an `OrderedGram`."""
        n_items = len(gram.order)
        factor = factorise(
            gram,
            alpha=float(self.alpha),
            n_entries=self._n_entries(n_items),
            max_iter=self.max_iter,
            n_jobs=self.n_jobs,
        )
        self.order_, self.pivots_ = gram.order, factor.pivots
        self.n_iter_, self.loss_curve_ = factor.n_iter, factor.loss
        self.gram_kept_ = gram.kept
        self.density_ = factor.K.nnz / n_items**2
        self._set_factors(factor.K)

    def _n_entries(self, n_items):
        if self.density is None:
            return min(_ENTRIES_PER_ITEM, n_items) * n_items
        return max(n_items, int(self.density * n_items**2))

    def _set_factors(self, K):
        """Bring K from the order of the steps to the order of the items, and scale it."""
        n_items = K.shape[0]
        by_item = csr_array((K.data, self.order_[K.indices], K.indptr), shape=K.shape)
        by_item.sort_indices()
        self.encoder_ = by_item.T.tocsr()
        step = np.repeat(np.arange(n_items), np.diff(K.indptr))
        scaled = by_item.data / self.pivots_[step]  # float64
        squares = by_item.data * scaled
        precision = np.bincount(by_item.indices, weights=squares, minlength=n_items)
        decoded = (scaled / precision[by_item.indices]).astype(K.dtype)
        self.diagonal_ = np.bincount(
            by_item.indices,
            weights=by_item.data.astype(np.float64) * decoded,
            minlength=n_items,
        )
        self.decoder_ = csr_array((decoded, by_item.indices, by_item.indptr), shape=K.shape)

    def _scores(self, X):
        return self._products(X, self.encoder_, self.decoder_)

    def _products(self, X, encoder, decoder):
        from skrec.linear_model._sansa_kernels import score_rows

        out = np.empty(X.shape, dtype=X.dtype)
        arrays = kernel_csr(X), kernel_csr(encoder), kernel_csr(decoder), read_only(self.diagonal_)

        def rows(start, stop):
            score_rows(*arrays, start, stop, out)

        work = X.nnz + out.size
        run_ranges(
            rows,
            X.shape[0],
            n_jobs=self.n_jobs if work > _MIN_WORK else 1,
            weights=np.diff(X.indptr) + 1,
        )
        return out

    def _pair_scores(self, X, rows, items):
        from skrec.linear_model._sansa_kernels import score_pairs

        order = np.argsort(rows, kind="stable")  # each row is encoded once
        found = np.empty(len(rows), dtype=X.dtype)
        score_pairs(
            *(kernel_csr(X), kernel_csr(self.encoder_), kernel_csr(self.decoder_.T.tocsr())),
            *(read_only(self.diagonal_), rows[order], items[order], found),
        )
        scores = np.empty_like(found)
        scores[order] = found
        return scores

    def _weights(self, sources, targets):
        from skrec.linear_model._sansa_kernels import weights_of

        out = np.empty(len(sources))
        weights_of(
            *(kernel_csr(self.encoder_), kernel_csr(self.decoder_.T.tocsr())),
            *(sources.astype(np.intp), targets.astype(np.intp), out),
        )
        return out

    def _heaviest(self, items, k):
        n_items = len(self.order_)
        # Rows of B^T = diag - F^T E^T.
        factors = self.decoder_.T.tocsr(), self.encoder_.T.tocsr()

        def weights_of(items):
            n, ones = len(items), np.ones(len(items), self.encoder_.dtype)
            rows = csr_array((ones, items, np.arange(n + 1)), shape=(n, n_items))
            return self._products(rows, *factors)

        return nearest_items(
            weights_of, items, n_items, k, dtype=self.encoder_.dtype, return_scores=True
        )
