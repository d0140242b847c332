"""LLORMA: local low-rank factorisations of ratings (Lee et al. 2013)."""

from functools import partial

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.utils import check_random_state, get_tags

from skrec._delegation import seeded_clone
from skrec.base import BaseRecommender
from skrec.decomposition import BiasedMF
from skrec.ensemble._anchors import random_cells
from skrec.ensemble._kernel import PEAK, kernel_weights, unit_rows
from skrec.utils._dtype import single
from skrec.utils._fitted import INDICES, Array, Fitted, Number
from skrec.utils._memory import check_memory
from skrec.utils._parallel import effective_n_threads, row_chunks, run_ranges
from skrec.utils._params import (
    BOOLEAN,
    NON_NEGATIVE,
    NONE,
    POSITIVE,
    POSITIVE_INTEGER,
    InstanceOf,
    Options,
)
from skrec.utils._progress import ProgressBar
from skrec.utils._rates import learning_rates
from skrec.utils._sparse import pattern
from skrec.utils._tags import recommender_tags

# Fixed cost of a row's regressions, in ratings.
_ROW_COST = 16
# Smallest penalty of a row's regressions. Without a penalty, rows with fewer ratings than
# components have no unique minimum, and rounding would choose one. This penalty chooses the
# shortest vector.
_LEAST_PENALTY = 1e-9


class LLORMA(MetaEstimatorMixin, BaseRecommender):
    r"""Local low-rank factorisations of ratings, around pairs of a user and an item.

    A global model has vectors :math:`e_u` of users and :math:`e_i` of items. With the angle d
    between two users or two items, in units of a right angle, and the Epanechnikov kernel K [1]_,

    .. math:: d(a, b) = \tfrac{2}{\pi} \arccos \frac{e_a^T e_b}{\|e_a\| \|e_b\|}, \qquad
        K_h(a, b) = \max\left(0, 1 - (d(a, b) / h)^2\right),

    each anchor is a user :math:`u_t` and an item :math:`i_t` that the user has rated. Around it a
    factorisation :math:`\hat r^{(t)}_{ui} = \mu + b_u + c_i + p_u^T q_i` minimises

    .. math:: \sum_{(u, i) \in R} K_h(u, u_t) K_h(i, i_t) \left(
        (r_{ui} - \hat r^{(t)}_{ui})^2 + \alpha \left(
        \|p_u\|^2 + b_u^2 + \|q_i\|^2 + c_i^2 \right) \right)

    over the stored ratings R, with the mean rating :math:`\mu`. Ratings of weight zero are
    skipped. The predicted rating is the weighted mean over the local models,

    .. math:: \hat r_{ui} = \frac{\sum_t K_h(u, u_t) K_h(i, i_t) \hat r^{(t)}_{ui}}
        {\sum_t K_h(u, u_t) K_h(i, i_t)},

    and the global model's prediction if no anchor covers the pair [2]_.

    Scores are predicted ratings; ``score`` is minus the RMSE. Ratings may be negative if
    `estimator` allows it; zeros, stored or not, mean "not rated".

    Parameters
    ----------
    estimator : recommender, default=None
        The global model. It must predict ratings and have vectors of users (``transform``, for
        known and new rows) and of items (``components_``). None: ``BiasedMF(20)``.
    n_estimators : int, default=50
        Number of anchors, the paper's q. If fewer users have a vector, there are fewer.
    n_components : int, default=20
        Length d of the local vectors, the paper's rank r.
    bandwidth : float, default=1.6
        Kernel width h > 0, in units of a right angle. Angles lie between 0 and 2, so a very large
        h gives all ratings the same weight. The paper's 0.8 suits vectors of a model without
        biases, which all point in nearly the same direction. Vectors of `BiasedMF` point in all
        directions.
    alpha : float, default=0.04
        Penalty >= 0, the paper's :math:`\lambda`. The regressions of scored rows use at least
        1e-9.
    learning_rate : float, default=0.06
        Initial step length on a rating of weight one, > 0.
    schedule : {"linear", "constant"}, default="linear"
        Course of the learning rate: in a straight line to 0 at `max_iter`, or constant.
    max_iter : int, default=30
        Largest number of passes over the ratings for each local model.
    tol : float, default=1e-4
        A local model is finished when its weighted RMSE, measured during the steps, does not fall
        by this much from one pass to the next, >= 0.
    init_scale : float, default=0.1
        Expected length of the initial vectors, > 0.
    clip : bool, default=False
        Whether to clip predictions to the range of the training ratings.
    random_state : int, RandomState or None, default=None
        Seed of the anchors, the initial vectors and the order of the ratings, and of `estimator`
        if its own `random_state` is None. The same seed gives the same bits for any `n_jobs`.
    n_jobs : int or None, default=None
        Number of threads, each of which learns a local model. None: all cores.
    verbose : bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    estimator_ : recommender
        The global model.
    anchors_ : ndarray of intp of shape (n_local,)
        Rows of the training X of the anchors' users.
    anchor_items_ : ndarray of intp of shape (n_local,)
        The anchors' items.
    anchor_vectors_ : ndarray of shape (n_local, n_global), float64
        Vectors of the anchors' users in the global model, of length 1.
    item_weights_ : ndarray of shape (n_local, n_items), float64
        The kernel of each item in each local model.
    local_components_ : ndarray of shape (n_local, n_items, n_components + 1), float32
        The items' vectors q, followed by their biases c, in each local model.
    local_rmse_ : ndarray of shape (n_local,), float64
        Weighted RMSE in the last pass of each local model, measured during the steps.
    intercept_ : float
        The mean rating :math:`\mu`.
    rating_range_ : ndarray of shape (2,), float64
        Least and largest training rating.
    n_iter_ : int
        Largest number of passes of a local model.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.

    See Also
    --------
    LOCA : Local models of any kind, around users only.
    skrec.decomposition.BiasedMF : A single factorisation of all ratings.

    Notes
    -----
    Training rows and new rows are scored in the same way. The global model embeds the row, and its
    angles to the anchors' users weigh the local models. In each local model a weighted ridge
    regression with fixed items solves for its p and :math:`b_u`. A user without ratings has no
    vector, so no anchor covers it. Cosines are rounded to multiples of 2**-20.

    A pass of a local model takes about ``8 * d`` flops for each rating that it covers. A row's
    regressions take ``n_local`` times ``d**2`` flops for each rating and ``d**3 / 3``. Memory
    holds `local_components_` and, for each thread, the users of one local model. Scores of all
    items are computed row by row, without an array of n_users x n_items x n_local.

    On MovieLens-1M local models with equal weights have nearly the same RMSE as with the default
    bandwidth. So most of the gain comes from averaging models with different initial vectors.

    Differs from [1]_: local models have biases and the mean rating, like the global model; the
    penalty is weighted like the errors, so a rating of weight one half counts as half a rating;
    initial vectors are normal and small instead of uniform in (0, 1); the kernel has no factor
    3/4, which cancels in the prediction and would only scale the learning rate; the learning rate
    falls; a regression solves for a row's own vectors. Pairs that no anchor covers get the global
    model's prediction, not the middle of the scale, and clipping is an option. In the authors'
    code ratings of weight zero shrink vectors too, which is a further penalty; here they have no
    effect.

    References
    ----------
    .. [1] J. Lee, S. Kim, G. Lebanon and Y. Singer, "Local low-rank matrix approximation",
       ICML 2013.
    .. [2] J. Lee, S. Kim, G. Lebanon, Y. Singer and S. Bengio, "LLORMA: local low-rank matrix
       approximation", Journal of Machine Learning Research 17, 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.ensemble import LLORMA
    >>> X = np.array([[5, 4, 0, 1], [4, 5, 2, 0], [1, 2, 5, 4], [0, 1, 4, 5]])
    >>> model = LLORMA(n_estimators=3, n_components=2, random_state=0).fit(X)
    >>> model.decision_function([[5, 0, 0, 1]]).round(1)
    array([[4.9, 4.8, 4.1, 3.1]])
    """

    _parameter_rules = {
        "estimator": (NONE, InstanceOf((BaseEstimator,), "a recommender (not a class)")),
        "n_estimators": POSITIVE_INTEGER,
        "n_components": POSITIVE_INTEGER,
        "bandwidth": POSITIVE,
        "alpha": NON_NEGATIVE,
        "learning_rate": POSITIVE,
        "schedule": Options(("linear", "constant")),
        "max_iter": POSITIVE_INTEGER,
        "tol": NON_NEGATIVE,
        "init_scale": POSITIVE,
        "clip": BOOLEAN,
    }
    _search_grid = [
        {"bandwidth": bandwidth, "alpha": alpha}
        for bandwidth in (1.2, 1.6)
        for alpha in (0.03, 0.05, 0.07)
    ]

    _fitted_rules = {
        "estimator_": Fitted("transform"),
        "anchors_": Array("n_local", dtypes=INDICES, low=0, distinct=True),
        "anchor_items_": Array("n_local", dtypes=INDICES, low=0, high="n_items"),
        "anchor_vectors_": Array("n_local", "n_global", dtypes=("float64",)),
        "item_weights_": Array("n_local", "n_items", dtypes=("float64",)),
        "local_components_": Array("n_local", "n_items", None, dtypes=("float32",)),
        "local_rmse_": Array("n_local", dtypes=("float64",)),
        "intercept_": Number(),
        "rating_range_": Array(2, dtypes=("float64",)),
    }

    def __init__(
        self,
        estimator=None,
        *,
        n_estimators=50,
        n_components=20,
        bandwidth=1.6,
        alpha=0.04,
        learning_rate=0.06,
        schedule="linear",
        max_iter=30,
        tol=1e-4,
        init_scale=0.1,
        clip=False,
        random_state=None,
        n_jobs=None,
        verbose=False,
    ):
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.n_components = n_components
        self.bandwidth = bandwidth
        self.alpha = alpha
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.max_iter = max_iter
        self.tol = tol
        self.init_scale = init_scale
        self.clip = clip
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = get_tags(self._base()).input_tags.positive_only
        tags.recommender_tags.predicts_ratings = True
        tags.recommender_tags.learned_users = recommender_tags(self._base()).learned_users
        return tags

    def _base(self):
        # `fit` refuses anything but an estimator; scikit-learn may ask for tags before.
        return self.estimator if isinstance(self.estimator, BaseEstimator) else BiasedMF(20)

    def fit(self, X, y=None):
        """Fit the global model and the local models.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Ratings; zeros mean "not rated".
        y : ignored
            Present for scikit-learn's conventions.

        Returns
        -------
        self : LLORMA
            The fitted recommender.

        Raises
        ------
        MemoryError
            If the local models do not fit into memory.
        TypeError
            If `estimator` does not predict ratings or has no vectors.
        ValueError
            If a parameter or X is not valid, or a local model diverges.
        """
        X = self._start_fit(X)
        self._check_base()
        random_state = check_random_state(self.random_state)
        self.estimator_ = seeded_clone(self._base(), random_state).fit(X)
        users, items = self._unit_users(X), unit_rows(self._item_vectors(X.shape[1]), "LLORMA")
        anchors = random_cells(X, users, items, self.n_estimators, random_state)
        self._check_local_memory(len(anchors[0]), X.shape)
        self.anchors_, self.anchor_items_ = anchors
        self.anchor_vectors_ = users[self.anchors_]
        self.item_weights_ = self._kernel(items, items[self.anchor_items_]).T.copy()
        self.intercept_ = float(X.data.mean(dtype=np.float64)) if X.nnz else 0.0
        limits = (X.data.min(), X.data.max()) if X.nnz else (0.0, 0.0)
        self.rating_range_ = np.array(limits, dtype=np.float64)
        self._learn(X, self._kernel(users, self.anchor_vectors_), random_state)
        return self

    def _check_base(self):
        base = self._base()
        if not recommender_tags(base).predicts_ratings or not hasattr(base, "transform"):
            raise TypeError(
                "LLORMA needs a factor model of ratings as its `estimator`, such as BiasedMF(). "
                f"Got {type(base).__name__}, which "
                + ("has no transform." if hasattr(base, "decision_function") else "scores nothing.")
            )

    def _item_vectors(self, n_items):
        components = getattr(self.estimator_, "components_", None)
        if np.shape(components)[1:] != (n_items,):
            raise TypeError(
                "LLORMA needs vectors of items: `components_` of shape (n_components, n_items) in "
                f"its fitted `estimator`. {type(self.estimator_).__name__} does not have them: use "
                "BiasedMF()."
            )
        return components.T

    def _check_local_memory(self, n_local, shape):
        n_users, n_items = shape
        threads = min(n_local, effective_n_threads(self.n_jobs))
        needed = 4 * (self.n_components + 1) * (n_local * n_items + threads * n_users)
        check_memory(
            needed,
            f"LLORMA with {n_local} local models of {self.n_components} components on "
            f"{n_items:,} items",
            ["lower n_estimators or n_components", "keep fewer items"],
        )

    def _unit_users(self, X):
        return unit_rows(self.estimator_.transform(X), "LLORMA")

    def _kernel(self, unit, anchors):
        return kernel_weights(unit, anchors, self.bandwidth) / PEAK

    def _learn(self, X, user_weights, random_state):
        """Learn the local models, several at the same time."""
        from skrec.ensemble._llorma_kernels import learn_local_model

        seed, n_local = random_state.randint(2**31 - 1), len(self.anchors_)
        ratings = self._shuffled(X, np.random.default_rng(seed))
        # Items without a rating of positive weight stay zero, as the penalty demands.
        is_reached = (pattern(X, dtype=np.float64).T @ user_weights).T * self.item_weights_ > 0
        rates = learning_rates(self.learning_rate, self.max_iter, self.schedule)
        self.local_components_ = np.zeros((*is_reached.shape, self.n_components + 1), np.float32)
        self.local_rmse_, n_iter = np.zeros(n_local), np.zeros(n_local, dtype=np.intp)

        def members(begin, start, stop):
            for t in range(begin + start, begin + stop):
                rng = np.random.default_rng([seed, t])
                model = tuple(self._first_vectors(rng, n) for n in X.shape)
                weights = user_weights[:, t], self.item_weights_[t]
                n_iter[t], self.local_rmse_[t] = learn_local_model(
                    ratings, tuple(part.astype(np.float32) for part in weights), model, rates,
                    single(self.alpha), float(self.tol), rng.integers(2**64, dtype=np.uint64),
                )  # fmt: skip
                self.local_components_[t, is_reached[t]] = model[1][is_reached[t]]

        n_threads = effective_n_threads(self.n_jobs)
        for begin in ProgressBar(range(0, n_local, n_threads), "LLORMA", shown=self.verbose):
            n = min(n_threads, n_local - begin)
            run_ranges(partial(members, begin), n, n_jobs=self.n_jobs)
        self._check_learned()
        self.n_iter_ = int(n_iter.max(initial=0))

    def _check_learned(self):
        if not (np.isfinite(self.local_rmse_).all() and np.isfinite(self.local_components_).all()):
            raise ValueError(
                f"Local models diverge at learning_rate={self.learning_rate} and "
                f"alpha={self.alpha}: use a smaller learning_rate."
            )

    def _shuffled(self, X, rng):
        """Users, items and centred values of the ratings, in random order."""
        order = rng.permutation(X.nnz)
        users = np.repeat(np.arange(X.shape[0], dtype=np.int32), np.diff(X.indptr))
        values = (X.data - self.intercept_).astype(np.float32)
        return users[order], X.indices.astype(np.int32)[order], values[order]

    def _first_vectors(self, rng, n):
        scale = single(self.init_scale / np.sqrt(self.n_components))
        vectors = rng.standard_normal((n, self.n_components + 1), dtype=np.float32) * scale
        vectors[:, -1] = 0  # the biases
        return vectors

    def _local_rows(self, X):
        """Weights of the local models for each row, and the row's vectors in them."""
        from skrec.ensemble._llorma_kernels import local_vectors

        weights = self._kernel(self._unit_users(X), self.anchor_vectors_)
        vectors = np.empty((X.shape[0], *self.local_components_.shape[::2]))
        centred = X.data.astype(np.float64) - self.intercept_

        def rows(start, stop):
            local_vectors(
                X.indptr, X.indices, centred, weights, self.item_weights_, self.local_components_,
                max(float(self.alpha), _LEAST_PENALTY), vectors, start, stop,
            )  # fmt: skip

        run_ranges(rows, X.shape[0], n_jobs=self.n_jobs, weights=np.diff(X.indptr) + _ROW_COST)
        return vectors, weights

    def _blended(self, scores):
        return np.clip(scores, *self.rating_range_, out=scores) if self.clip else scores

    @property
    def _local_models(self):
        return self.item_weights_, self.local_components_, self.intercept_

    def _row_bytes(self):
        n_local, _, width = self.local_components_.shape
        return 8 * n_local * (width + 1)

    def _scores(self, X):
        from skrec.ensemble._llorma_kernels import blend_dense

        scores = self.estimator_.decision_function(X).astype(X.dtype, copy=False)
        for first, last in row_chunks(X.shape[0], self._row_bytes()):
            local, some = self._local_rows(X[first:last]), scores[first:last]

            def rows(start, stop, local=local, some=some):
                blend_dense(*local, *self._local_models, some, start, stop)

            run_ranges(rows, last - first, n_jobs=self.n_jobs)
        return self._blended(scores)

    def _pair_scores(self, X, rows, items):
        from skrec.ensemble._llorma_kernels import blend_pairs

        scores = self.estimator_.score_pairs(X, rows, items).astype(X.dtype, copy=False)
        wanted, group = np.unique(rows, return_inverse=True)
        order = np.argsort(group, kind="stable")
        bounds = np.searchsorted(group[order], np.arange(len(wanted) + 1))
        for first, last in row_chunks(len(wanted), self._row_bytes()):
            pairs = order[bounds[first] : bounds[last]]
            local, some = self._local_rows(X[wanted[first:last]]), scores[pairs]
            places = group[pairs] - first, items[pairs]

            def part(start, stop, local=local, some=some, places=places):
                blend_pairs(*local, *self._local_models, *places, some, start, stop)

            run_ranges(part, len(pairs), n_jobs=self.n_jobs)
            scores[pairs] = some
        return self._blended(scores)
