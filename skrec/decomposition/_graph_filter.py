"""GraphFilter: an ideal low-pass filter on the graph of items (Shen et al. 2021)."""

import numpy as np
from scipy.sparse import csr_array
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state

from skrec._factors import SimilarItemsMixin, factor_pairs, factor_scores
from skrec.base import BaseRecommender
from skrec.decomposition._svd import operator_of_part, right_singular_vectors, vector_passes
from skrec.utils._explain import explain_scores
from skrec.utils._finite import require_finite
from skrec.utils._fitted import Array, Sparse, required_if
from skrec.utils._parallel import row_chunks
from skrec.utils._params import NON_NEGATIVE, POSITIVE_INTEGER, Interval
from skrec.utils._products import sparse_product, sparse_product_pairs
from skrec.utils._sparse import sparse_dot_dense
from skrec.utils._statistics import Pass
from skrec.utils._validation import check_sample_weight

# Columns of the solver's block beyond n_components / 2.
_N_OVERSAMPLES = 10


class GraphFilter(
    SimilarItemsMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseRecommender
):
    r"""Low-pass filter on the graph of items, without training.

    Users and items are the nodes of a graph with the values of X as edges. The degrees are
    :math:`d_u = \sum_i x_{ui}` and :math:`d_i = \sum_u x_{ui}`. With the powers a =
    `user_exponent` and b = `item_exponent`, let

    .. math:: R = D_U^{-a} X D_I^{-b}.

    The smooth signals on the items are the leading right singular vectors V of R. The scores of
    a row are its image under the ideal low-pass filter, plus w = `linear_weight` times one step
    of propagation [1]_:

    .. math:: s_u = x_u D_I^{-b} V V^T D_I^b + w \, x_u R^T R.

    Both terms are linear in the row, so known and new rows are scored alike. The model learns
    only V.

    Scores rank items and have no unit. A user without items gets zeros.

    Parameters
    ----------
    n_components : int, default=128
        Number of singular vectors that the filter lets through. Sparse data with many items
        needs more (256 to 1,024) than dense data (64 to 256).
    linear_weight : float, default=0.0
        Weight w >= 0 of the linear part. If it is above 0, the model keeps the normalised
        training matrix, 8 bytes for each interaction (12 in float64), and scoring a row reads
        all users who share an item with it. If the exponents do not sum to 1, R has the unit of
        the values to the power 1 - a - b, and the weight depends on that unit.
    user_exponent : float, default=0.3
        The power a >= 0 of the degrees of users. Larger powers make active users count less. The
        paper has 0.5 for users and for items.
    item_exponent : float, default=0.3
        The power b >= 0 of the degrees of items. Larger powers let rare items shape the vectors;
        the scores restore the popularity.
    max_iter : int, default=5
        Products with R^T R in the search for the singular vectors, at least 3. More products
        are more accurate, which hardly changes the lists.
    random_state : int, RandomState or None, default=None
        Seed of the first block of the search.
    n_jobs : int or None, default=None
        Threads of the products with X; None: all cores. The vectors do not depend on it.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_items), dtype of X
        V^T: orthonormal rows by descending singular value. The largest element of each row, by
        absolute value, is positive.
    singular_values_ : ndarray of shape (n_components,), dtype of X
        Singular values of R, descending. With both exponents 0.5 the largest is 1.
    item_scale_ : ndarray of shape (n_items,), dtype of X
        The powers :math:`d_i^b`, relative to the power of the mean degree; 0 for an item without
        users. Scores are ``transform(X) @ (components_ * item_scale_)``, plus the linear part.
    interactions_ : csr_array of shape (n_users, n_items), dtype of X
        R; only with ``linear_weight > 0``.
    n_iter_ : int
        Products with R^T R that were made.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.

    See Also
    --------
    PureSVD : The projection without the degrees.
    skrec.neighbors.P3alpha : Walks of three steps, similar to the linear part.
    skrec.linear_model.EASE : Stronger on dense data.

    Notes
    -----
    The degrees distinguish it from `PureSVD`. On Gowalla nDCG@20 is .090 without them, .157 with
    them, and .158 with the linear part, too; on citeulike-a nDCG@10 is .613, .675 and .712
    (docs/benchmarks). The scale of a row does not change its list, so the formula omits the
    degree of the scored user.

    The vectors are found as in `PureSVD`. Time is about ``4 * max_iter * (n_components / 2
    + 10)`` flops for each entry of X. Memory holds X twice and ``2 * (max_iter - 1)`` blocks of
    ``n_components / 2 + 10`` columns over the items. R^T R is never formed: the linear part
    multiplies a row by R^T, then by R.

    The defaults were chosen on validation users of eight data sets with at most 2,000 items
    (docs/benchmarks, defaults). Their nDCG@100 is .96 to 1.00 of the best of 6 settings; 256
    components with exponents of 0.5 reach .84 to .97.

    Differs from [1]_: the exponents are free and smaller. The linear part has the weight, not the
    filter (the authors' 0.3 is ``linear_weight=1 / 0.3``).

    The linear filter among the polynomial filters of [2]_ is ``linear_weight`` alone. It is similar
    to `skrec.neighbors.P3alpha` and to `skrec.neighbors.ItemKNN` with
    ``metric="asymmetric_cosine"``.

    References
    ----------
    .. [1] Y. Shen, Y. Wu, Y. Zhang, C. Shan, J. Zhang, K. B. Letaief and D. Li, "How
       powerful is graph convolution for recommendation?", CIKM 2021.
    .. [2] J.-D. Park, Y.-M. Shin and W.-Y. Shin, "Turbo-CF: matrix decomposition-free
       graph filtering for fast recommendation", SIGIR 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.decomposition import GraphFilter
    >>> X = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1], [0, 0, 1, 1], [1, 0, 0, 0]])
    >>> model = GraphFilter(n_components=2, random_state=0).fit(X)
    >>> model.predict([[1, 0, 0, 0], [0, 0, 0, 1]])
    array([1, 2])
    """

    _parameter_rules = {
        "n_components": POSITIVE_INTEGER,
        "linear_weight": NON_NEGATIVE,
        "user_exponent": NON_NEGATIVE,
        "item_exponent": NON_NEGATIVE,
        "max_iter": Interval(3, integer=True),
    }
    _search_grid = [
        {"n_components": n_components, "user_exponent": exponent, "item_exponent": exponent}
        for n_components in (64, 128, 256, 512)
        for exponent in (0.3, 0.5)
    ]
    _fitted_rules = {
        "components_": Array("n_components", "n_items"),
        "singular_values_": Array("n_components", low=0),
        "item_scale_": Array("n_items", low=0),
        "interactions_": required_if(
            lambda self: self.linear_weight > 0, Sparse("n_users", "n_items")
        ),
    }

    def __init__(
        self,
        n_components=128,
        *,
        linear_weight=0.0,
        user_exponent=0.3,
        item_exponent=0.3,
        max_iter=5,
        random_state=None,
        n_jobs=None,
    ):
        self.n_components = n_components
        self.linear_weight = linear_weight
        self.user_exponent = user_exponent
        self.item_exponent = item_exponent
        self.max_iter = max_iter
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X, y=None, *, sample_weight=None):
        """Compute the degrees and the singular vectors.

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
        self : GraphFilter
            The fitted recommender.

        Raises
        ------
        ValueError
            If a parameter or X is not valid.
        """
        X = self._start_fit(X)
        weight = check_sample_weight(sample_weight, X.shape[0], np.float64)
        R, degree = normalized(X, weight, self.user_exponent, self.item_exponent)
        found = right_singular_vectors(
            R,
            self.n_components,
            solver="randomized",
            sample_weight=weight,
            n_jobs=self.n_jobs,
            **self._options(),
        )
        self._keep(*found, degree, X.dtype)
        vars(self).pop("interactions_", None)
        if self.linear_weight > 0:
            if weight is not None:
                root = np.sqrt(weight).astype(X.dtype).repeat(np.diff(R.indptr))
                R = csr_array((root * R.data, R.indices, R.indptr), shape=R.shape)
            self.interactions_ = R
        return self

    def _options(self):
        return {
            "max_iter": self.max_iter,
            "n_oversamples": _N_OVERSAMPLES,
            "random_state": check_random_state(self.random_state),
        }

    def _keep(self, vectors, singular_values, n_products, degree, dtype):
        self.components_ = np.ascontiguousarray(vectors).T
        self.singular_values_, self.n_iter_ = singular_values, n_products
        mean = degree.sum() / max(np.count_nonzero(degree), 1)
        self.item_scale_ = power(degree / (mean or 1.0), self.item_exponent).astype(dtype)

    def _rounds(self, facts):
        if self.linear_weight > 0:
            raise ValueError(
                "GraphFilter with linear_weight > 0 keeps the rows of all users, but over parts no "
                f"process has them all. Got linear_weight={self.linear_weight}: use 0."
            )
        degree = yield Pass(item_degrees, again=True)
        arguments = (degree, self.user_exponent, self.item_exponent, self.n_jobs)
        found = yield from vector_passes(
            facts, self.n_components, _operator_of_part, arguments, **self._options()
        )
        self._keep(*found, degree, np.dtype(facts.dtype))

    @property
    def _n_features_out(self):
        return self.components_.shape[0]

    def _vectors(self, X):
        source_scale = power(self.item_scale_, -1.0).astype(X.dtype)
        with np.errstate(over="ignore"):  # scores that are not finite raise an error later
            values = X.data * source_scale[X.indices]
        scaled = csr_array((values, X.indices, X.indptr), shape=X.shape)
        # The rows of the transpose lie in memory as `sparse_dot_dense` wants them.
        items = np.ascontiguousarray(self.components_.T)
        return sparse_dot_dense(scaled, items, n_jobs=self.n_jobs)

    def _scores(self, X):
        scores = factor_scores(self._vectors(X), self.components_, X.dtype, n_jobs=self.n_jobs)
        scores *= self.item_scale_.astype(X.dtype)
        if self.linear_weight > 0:
            by_item = self.interactions_.T.tocsr()
            for rows, to_users in self._to_users(X, by_item):
                linear = sparse_product(
                    to_users, self.interactions_, dtype=X.dtype, n_jobs=self.n_jobs
                )
                linear *= X.dtype.type(self.linear_weight)
                scores[rows] += linear
        return scores

    def _pair_scores(self, X, rows, items):
        components = self.components_.astype(X.dtype, copy=False)
        scores = factor_pairs(self._vectors(X), components, rows, items)
        scores *= self.item_scale_.astype(X.dtype)[items]
        if self.linear_weight > 0:
            by_item = self.interactions_.T.tocsr()
            for part, to_users in self._to_users(X, by_item):
                chosen = np.flatnonzero((rows >= part.start) & (rows < part.stop))
                scores[chosen] += X.dtype.type(self.linear_weight) * sparse_product_pairs(
                    to_users, by_item, rows[chosen] - part.start, items[chosen], dtype=X.dtype
                )
        return scores

    def _to_users(self, X, by_item):
        """Chunks of rows, and their products with each training user."""
        n_users = self.interactions_.shape[0]
        for start, stop in row_chunks(X.shape[0], n_users * (X.dtype.itemsize + 8)):
            yield slice(start, stop), csr_array(X[start:stop] @ by_item)

    def transform(self, X):
        """Compute the users' coefficients of the smooth signals.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users, known or new.

        Returns
        -------
        vectors : ndarray of shape (n_users, n_components), dtype of X
            ``X @ (components_ / item_scale_).T``, without items that had no users.
        """
        X = self._start_dense(X, self._n_features_out)
        return require_finite(self._vectors(X), "The vectors of users")

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
            Row ``u * m + j`` holds, at each item i of user u, what ``x_ui`` adds to the
            score of ``items[u, j]`` through the filter and the linear part. Each row sums to
            the score.

        Raises
        ------
        ValueError
            If `items` has the wrong shape or is out of range.
        """
        X = self._start_scoring(X)
        source_scale = power(self.item_scale_, -1.0)
        by_item = self.interactions_.T.tocsr() if self.linear_weight > 0 else None

        def weights(sources, targets):
            found = factor_pairs(self.components_.T, self.components_, sources, targets)
            found *= source_scale[sources] * self.item_scale_[targets]
            if by_item is not None:
                found += self.linear_weight * sparse_product_pairs(
                    by_item, by_item, sources, targets, dtype=by_item.dtype
                )
            return found

        return explain_scores(X, items, weights)


def normalized(X, sample_weight, user_exponent, item_exponent):
    """R = D_U^-a X D_I^-b, and the degrees of the items.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
        Values above zero.
    sample_weight : ndarray of shape (n_users,) or None
        How often a row counts.
    user_exponent, item_exponent : float

    Returns
    -------
    R : csr_array of shape (n_users, n_items), dtype of X
    degree : ndarray of float64 of shape (n_items,)
    """
    degree = item_degrees(X, sample_weight)
    return scaled_rows(X, degree, user_exponent, item_exponent), degree


def item_degrees(X, sample_weight=None):
    """Sums of the columns, in float64."""
    values = X.data.astype(np.float64, copy=False)
    if sample_weight is not None:
        values = values * np.repeat(sample_weight, np.diff(X.indptr))
    with np.errstate(over="ignore"):
        degree = np.bincount(X.indices, weights=values, minlength=X.shape[1])
    return require_finite(degree, "The sums of values")


def scaled_rows(X, degree, user_exponent, item_exponent):
    """R of some rows, see `normalized`; `degree` is of the items over all rows."""
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    values = X.data.astype(np.float64, copy=False)
    with np.errstate(over="ignore"):
        of_user = np.bincount(rows, weights=values, minlength=X.shape[0])
    require_finite(of_user, "The sums of values")
    scaled = values * power(of_user, -user_exponent)[rows]
    scaled = (scaled * power(degree, -item_exponent)[X.indices]).astype(X.dtype)
    return csr_array((scaled, X.indices, X.indptr), shape=X.shape)


def _operator_of_part(X, kept, degree, user_exponent, item_exponent, n_jobs):
    return operator_of_part(scaled_rows(X, degree, user_exponent, item_exponent), kept, n_jobs)


def power(values, exponent):
    """Powers of values above zero; zeros stay zero."""
    with np.errstate(over="ignore", divide="ignore"):
        powers = np.where(values > 0, values, 1.0) ** exponent
    powers = require_finite(powers, "The powers of the degrees")
    return np.where(values > 0, powers, 0.0).astype(values.dtype)
