"""SLIST: linear regression of the next items on the last ones (Choi et al. 2021)."""

import numpy as np
from scipy.sparse import csr_array

from skrec._recommend import nearest_items
from skrec.base import BaseRecommender
from skrec.linear_model._gram import add_gram
from skrec.linear_model._inverse import invert_positive_definite
from skrec.linear_model._item_weights import ItemWeightsMixin
from skrec.utils._dtype import DTYPE, computation_dtype
from skrec.utils._fitted import Array
from skrec.utils._memory import check_memory
from skrec.utils._params import NONE, POSITIVE, POSITIVE_INTEGER, Interval
from skrec.utils._sparse import sparse_dot_dense, sparse_dot_dense_pairs
from skrec.utils._times import (
    HALF_LIFE,
    check_times,
    entry_ages,
    latest_first,
    ones_like,
    warn_if_unordered,
    weights,
)
from skrec.utils._validation import check_sample_weight

# Rows of the weights that the last step works on at once.
_BLOCK = 512


class SLIST(ItemWeightsMixin, BaseRecommender):
    r"""Linear model of sequences: ridge regression of the next items on the last ones.

    The values of X are times: numbers > 0 in any unit; larger means later. Entries of a row that
    have the same time form a group. Before each group but the first there is a position g. The
    row vector :math:`s_g` holds the user's entries before the position, and :math:`t_g` the entries
    at it and after it. An entry with n other entries between it and the position weighs

    .. math:: 2^{-n / h} \, 2^{-\Delta t / \tau} \;\text{ if } n < \mathrm{window},
        \text{ else } 0,

    where :math:`\Delta t` is the time between the entry and group g. The model minimises, in
    closed form [1]_,

    .. math:: (1 - \sigma) \sum_{u, g} \|t_g - s_g B\|^2 + \sigma \|R - R B\|_F^2
        + \alpha \|B\|_F^2 \quad \text{with} \quad \mathrm{diag}(B) = 0,

    where R is X with ones instead of times. The second term is `EASE`'s, which learns what is
    similar in any order. Scores are ``x @ coef_``, where x is :math:`s_g` at the end of the row.

    Parameters
    ----------
    alpha : float, default=100.0
        Penalty :math:`\alpha` > 0.
    half_life : float, default=2.0
        Number h > 0 of later items after which an item weighs half. Infinite: later items do
        not lower a weight.
    window : int or None, default=20
        How many items before a position count, and how many after it. None: all, which takes
        time quadratic in the length of a row.
    similarity : float, default=0.5
        Share :math:`\sigma` of the term of `EASE`, from 0 (transitions alone) to 1 (`EASE` on
        ones). The best value says how much order matters in the data.
    gap_half_life : float or None, default=None
        Time :math:`\tau` > 0, in the unit of the values of X, after which an item weighs half
        [2]_. None or infinite: time does not lower a weight.
    dtype : {None, "float32", "float64"}, default=None
        Type of the item-item matrices and the inversion. None: float64 up to 1,024 items,
        float32 above.
    n_jobs : int or None, default=None
        Threads of EASE's Gram matrix and of scoring; None: all cores. The number changes the
        result by rounding in BLAS at most.

    Attributes
    ----------
    coef_ : ndarray of shape (n_items, n_items)
        The weights B: row i holds the weights of past item i for each next item; zero diagonal.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.

    See Also
    --------
    EASE : The same without order.
    skrec.ensemble.Recency : Weighs recent items more, for any recommender.

    Notes
    -----
    Entries of one time have no order: they form one group and have one weight. As transitions
    they predict the later groups, never one another. A row whose times are all equal teaches only
    the term of EASE.

    Time is one pass over the entries with ``3 * window`` updates for each (more in large groups),
    plus EASE's Gram matrix and about 2 n_items**3 multiply-adds. Memory is three n_items x n_items
    matrices. No row per position is ever made: recurrences sum over the positions (see the source).

    ``score(X)`` hides items by chance, as for all recommenders. Search with
    ``make_ranking_scorer("ndcg@10", holdout="last")``, which asks for the next item.

    Differs from [1]_: the diagonal of B is zero, since an item that a user has is not a candidate.
    :math:`\sigma` alone mixes the two terms; to weigh sessions by age, use ``sample_weight``.
    Training and scoring share one half-life, and the paper's decay exp(-n / delta) is
    ``half_life = delta * ln 2``. Differs from [2]_: only its decay in time is here, not its
    normalisation by trend.

    References
    ----------
    .. [1] M. Choi, J. Kim, J. Lee, H. Shim, J. Lee, "Session-aware linear item-item models
       for session-based recommendation", WWW 2021.
    .. [2] S. Park, M. Yoon, M. Choi, J. Lee, "Temporal linear item-item model for sequential
       recommendation", WSDM 2025.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.linear_model import SLIST
    >>> X = np.array([[1, 2, 3, 0], [2, 3, 4, 0], [0, 1, 2, 3], [5, 6, 7, 0], [0, 0, 1, 2]])
    >>> model = SLIST(alpha=1.0).fit(X)
    >>> model.predict([[0, 7, 0, 0], [0, 0, 7, 0]])  # after item 1 comes item 2, then 3
    array([2, 3])
    """

    _parameter_rules = {
        "alpha": POSITIVE,
        "half_life": HALF_LIFE,
        "window": (NONE, POSITIVE_INTEGER),
        "similarity": Interval(0, 1),
        "gap_half_life": (NONE, *HALF_LIFE),
        "dtype": DTYPE,
    }
    _search_grid = [
        {"alpha": alpha, "half_life": half_life, "similarity": similarity}
        for alpha in (30.0, 300.0)
        for half_life in (2.0, 10.0)
        for similarity in (0.0, 0.5)
    ]

    _fitted_rules = {"coef_": Array("n_items", "n_items")}

    def __init__(
        self,
        alpha=100.0,
        *,
        half_life=2.0,
        window=20,
        similarity=0.5,
        gap_half_life=None,
        dtype=None,
        n_jobs=None,
    ):
        self.alpha = alpha
        self.half_life = half_life
        self.window = window
        self.similarity = similarity
        self.gap_half_life = gap_half_life
        self.dtype = dtype
        self.n_jobs = n_jobs

    def fit(self, X, y=None, *, sample_weight=None):
        """Compute the weights.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Times of the interactions, > 0.
        y : ignored
            Present for scikit-learn's conventions.
        sample_weight : array-like of shape (n_users,), default=None
            Weights of the users; a weight of 2 is the same as the row twice.

        Returns
        -------
        self : SLIST
            The fitted recommender.

        Raises
        ------
        MemoryError
            If the item-item matrices do not fit; nothing has been allocated then.
        ValueError
            If a parameter or X is not valid, if float32 cannot tell the times apart, or if the
            penalised Gram matrix is singular to working precision.

        Warns
        -----
        UserWarning
            If the times are equal within every row, so that there is no order to learn from.
        """
        X = self._start_fit(X)
        check_times(X.data, "SLIST")
        if self.similarity < 1:
            warn_if_unordered(X, "SLIST")
        weight = check_sample_weight(sample_weight, X.shape[0], np.float64)
        weight = np.ones(X.shape[0]) if weight is None else weight
        gram, cross = self._new_matrices(X)
        if self.similarity < 1:
            self._add_transitions(X, (1 - self.similarity) * weight, gram, cross)
        if self.similarity > 0:
            alike = add_gram(
                ones_like(X),
                np.zeros_like(gram),
                sample_weight=self.similarity * weight,
                n_jobs=self.n_jobs,
            )
            gram += alike
            cross += alike
            cross += alike.T  # counts the diagonal twice, but the diagonal of B is fixed anyway
            del alike
        precision = invert_positive_definite(gram, self.alpha, n_jobs=self.n_jobs)
        self.coef_ = _without_diagonal(precision @ cross, precision)
        return self

    def _new_matrices(self, X):
        n_items = X.shape[1]
        dtype = np.dtype(computation_dtype(self.dtype, n_items))
        needed = 3 * n_items**2 * dtype.itemsize
        check_memory(
            needed,
            f"SLIST with {n_items:,} items in {dtype.name}",
            [
                "keep fewer items (skrec.model_selection.k_core drops the rare ones)",
                "use a sparse model inside Recency, such as Recency(ItemKNN())",
            ],
        )
        return np.zeros((n_items, n_items), dtype), np.zeros((n_items, n_items), dtype)

    def _add_transitions(self, X, row_weight, gram, cross):
        from skrec.linear_model._slist_kernels import Decay, Groups, add_transitions

        order = latest_first(X)[0][::-1]  # the last row first, its earliest entry first
        lengths = np.diff(X.indptr)[::-1]
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        longest = int(lengths.max(initial=0))
        with np.errstate(over="ignore", under="ignore"):
            by_item = np.exp2(-np.arange(longest + 1) / self.half_life)
        window = longest + 1 if self.window is None else int(self.window)
        places = np.empty((2, longest + 1), dtype=np.int64)
        add_transitions(
            X.indices[order],
            X.data[order].astype(np.float64),
            indptr,
            row_weight[::-1].copy(),
            Decay(by_item, self._gap(), window),
            Groups(places[0], np.empty(longest + 1), places[1]),
            gram,
            cross,
        )

    def _gap(self):
        return np.inf if self.gap_half_life is None else float(self.gap_half_life)

    def _past(self, X):
        """The entries of each row with their weights at its end, as in training."""
        check_times(X.data, "SLIST")
        ages = entry_ages(X, unit="position")
        with np.errstate(over="ignore"):
            exponents = ages / self.half_life
            if self._gap() < np.inf:
                exponents += entry_ages(X) / self._gap()
        past = csr_array((weights(exponents, X.dtype), X.indices, X.indptr), shape=X.shape)
        if self.window is not None and (ages >= self.window).any():
            past = past.copy()
            past.data[ages >= self.window] = 0
            past.eliminate_zeros()
        return past

    def _explained_rows(self, X):
        return self._past(X)

    def _scores(self, X):
        return sparse_dot_dense(self._past(X), self.coef_, n_jobs=self.n_jobs)

    def _pair_scores(self, X, rows, items):
        past = self._past(X)
        return sparse_dot_dense_pairs(past, self.coef_, rows, items, n_jobs=self.n_jobs)

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


def _without_diagonal(coef, precision):
    """Impose diag(B) = 0 on the minimum without it: B - P diag(diag(B) / diag(P)), in place."""
    multipliers = coef.diagonal() / precision.diagonal()
    for start in range(0, len(coef), _BLOCK):
        rows = slice(start, start + _BLOCK)
        coef[rows] -= precision[rows] * multipliers
    np.fill_diagonal(coef, 0.0)
    return coef
