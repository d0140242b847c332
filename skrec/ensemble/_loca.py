"""LOCA: local models around anchor users (Choi et al. 2021)."""

from contextlib import nullcontext

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils import check_random_state, get_tags

from skrec._delegation import seeded_clone
from skrec.base import BaseRecommender
from skrec.decomposition import PureSVD
from skrec.ensemble._anchors import coverage_anchors, random_anchors
from skrec.ensemble._kernel import (
    N_QUANTILES,
    angle_quantiles,
    kernel_weights,
    share_bandwidth,
    unit_rows,
)
from skrec.ensemble._members import (
    check_members_memory,
    check_weightable,
    fit_member,
    torch_threads,
)
from skrec.linear_model import EASE
from skrec.utils._blas_threads import one_blas_thread
from skrec.utils._fitted import INDICES, Array, Fitted, Series
from skrec.utils._parallel import effective_n_threads
from skrec.utils._params import (
    NON_NEGATIVE,
    NONE,
    POSITIVE_INTEGER,
    InstanceOf,
    Interval,
    Options,
)
from skrec.utils._progress import ProgressBar
from skrec.utils._tags import recommender_tags

# The largest distance is 2; a wider kernel would cover unknown users.
_BANDWIDTH = Interval(0, 2, closed="right")
# With more components all angles are nearer to 1, and fewer pairs of users lie within the usual
# bandwidths.
_N_COMPONENTS = 16
# Number of pairs to score at a time.
_N_PAIRS = 1 << 16


class LOCA(MetaEstimatorMixin, BaseRecommender):
    r"""Local collaborative models: one for the users around each anchor, and one for all users.

    Users have embeddings :math:`e_u`. With the angle d between two embeddings, in units of a right
    angle, and the Epanechnikov kernel K [1]_,

    .. math:: d(u, v) = \tfrac{2}{\pi} \arccos \frac{e_u^T e_v}{\|e_u\| \|e_v\|}, \qquad
        K_h(u, v) = \tfrac34 \max\left(0, 1 - (d(u, v) / h)^2\right),

    LOCA fits a clone of `estimator` around each anchor user :math:`a_t`, with the weight
    :math:`K_{h_{fit}}(u, a_t)` on user u's part of the objective. Users of weight zero are left
    out of that fit. The scores of a row are the weighted mean over the local models,

    .. math:: s_u = \frac{\sum_t K_{h_{predict}}(u, a_t)\, s_u^{(t)} + g\, s_u^{(0)}}
        {\sum_t K_{h_{predict}}(u, a_t) + g},

    where :math:`s^{(0)}` is the global model, fitted to all users alike, and g is
    `global_weight`. A row that no local model covers gets the scores of the global model.

    Scores have the unit of `estimator`'s scores: ratings, if it predicts ratings.

    Parameters
    ----------
    estimator : recommender, default=None
        The model to fit locally and globally. Its fit must take weights of users: by
        `sample_weight`, or as the autoencoders do. None: ``EASE()``.
    n_estimators : int, default=50
        Number of anchors. If fewer users have an embedding, there are fewer local models.
    embedding : transformer, default=None
        Fitted to X; its ``transform`` embeds known and new users. The paper uses ``MultVAE()``.
        None: the global model if it has ``transform``, else ``PureSVD(n_components=16)``.
    anchors : {"coverage", "random"}, default="coverage"
        "coverage" takes, one after the other, the user who covers most of the uncovered users, see
        Notes. "random" draws users without replacement.
    fit_bandwidth : float, default=0.95
        Sets :math:`h_{fit}`, see `bandwidth_unit`. With a wider kernel a local model is more like
        the global model.
    predict_bandwidth : float, default=0.25
        Sets :math:`h_{predict}`. With a wider kernel more local models share in a row's scores.
        May be changed after ``fit``.
    bandwidth_unit : {"users", "angle"}, default="users"
        Unit of the bandwidths. "users": a share of the users, in (0, 1]; h is the angle that
        covers this share of all pairs of users, for any embedding. "angle": h itself, in (0, 2],
        in units of a right angle, as in the paper.
    global_weight : float, default=1.0
        Weight g >= 0 of the global model; the kernel weights of local models are at most 3/4. 0 is
        the paper's rule. May be changed after ``fit``.
    weight_sum : {"n_local", "n_users", "n_items", None}, default="n_users"
        Sum to which the weights of a local fit are scaled: the number of its users (a mean weight
        of one), the number of all users, or the number of items. None: no scaling of the kernel.
        It matters if the penalty does not grow with the weights, see Notes.
    n_jobs : int or None, default=None
        Number of local models to fit at the same time, as in joblib: None means one, with all
        cores, outside of a `joblib.parallel_config`. Several local models share the cores, with
        one BLAS thread each. They run in threads unless another backend is set.
    random_state : int, RandomState or None, default=None
        Seed of random anchors, and of the models whose own `random_state` is None.
    verbose : bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    estimator_ : recommender
        The global model.
    estimators_ : list of recommender
        The local models.
    embedding_ : transformer
        The transformer that embeds users; may be `estimator_` itself.
    anchors_ : ndarray of intp of shape (n_local,)
        Rows of the training X that are the anchors.
    anchor_vectors_ : ndarray of shape (n_local, n_components)
        Embeddings of the anchors, of length 1.
    n_local_users_ : ndarray of intp of shape (n_local,)
        Number of users in each local fit.
    angle_quantiles_ : ndarray of shape (1001,)
        Quantiles of the angles between pairs of users, in steps of 1/1000, ascending.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.

    See Also
    --------
    skrec.linear_model.EASE : The default model.
    sklearn.ensemble.BaggingRegressor : Its members differ by chance and count equally.

    Notes
    -----
    Angles lie between 0 and 2 right angles, because cosines may be negative. Cosines are rounded
    to multiples of 2**-20. A user with a zero embedding, such as a user without items, is at
    distance 2 from every anchor: in no local fit, and scored by the global model.

    With ``anchors="coverage"`` a user covers all users at a distance below `predict_bandwidth`;
    its local model will help to score them. Ties go to the lower row. Once all users are covered,
    all count as uncovered again, and the remaining anchors are chosen in the same way. The choice
    takes about ``n_users**2 * n_components`` multiply-adds.

    EASE, SLIM and the like minimise a sum over users plus a penalty, so smaller weights mean a
    stronger penalty. With None a user counts no more in a local fit than in the global fit. With
    "n_users" the ratio of data to penalty is the same as in the global fit. The authors' code uses
    "n_items" for EASE. Autoencoders always scale the weights to a mean of one, so the choice does
    not affect them.

    The authors' settings for autoencoders are ``anchors="coverage"``, angles of 0.8 and 0.4,
    ``weight_sum="n_local"`` and no global model; for EASE they are ``anchors="random"``, 0.6 and
    0.5, and ``weight_sum="n_items"``. Good angles depend on the embedding: with more components
    angles are nearer to 1, and fewer users lie within a bandwidth. Shares of the users carry over
    between data sets. They are worth a search, and `local_weights` shows which rows are covered.
    On validation users of six data sets (600 items each; docs/benchmarks, defaults) the defaults
    around ``EASE(250)`` gain .002 to .013 nDCG@100 on four and lose .001 and .003 on two. Angles
    of 0.8 and 0.4 with ``weight_sum="n_local"`` and no global model lose up to .008.

    Memory holds `n_estimators` models, with n_items**2 numbers each for EASE; `fit` checks that
    they fit before it fits the first. Each local model scores only the rows that it covers.

    Differs from [1]_: new users are embedded like training users; the penalty of `estimator` is
    the same in the global and the local models; `global_weight` and the repeated covering are
    additions.

    References
    ----------
    .. [1] M. Choi, Y. Jeong, J. Lee and J. Lee, "Local collaborative autoencoders",
       WSDM 2021.

    Examples
    --------
    Two groups of users, and a local model for each:

    >>> import numpy as np
    >>> from skrec.ensemble import LOCA
    >>> from skrec.linear_model import EASE
    >>> X = np.array([[1, 1, 1, 0, 0, 0], [1, 1, 1, 0, 0, 0], [1, 1, 0, 0, 0, 0],
    ...               [0, 0, 1, 1, 1, 0], [0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1]])
    >>> model = LOCA(
    ...     EASE(alpha=1.0), n_estimators=2, fit_bandwidth=0.5, predict_bandwidth=0.5
    ... ).fit(X)
    >>> model.anchors_, model.n_local_users_
    (array([0, 3]), array([3, 3]))
    >>> model.predict([[1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1, 0]])
    array([1, 3])
    """

    _parameter_rules = {
        "estimator": (NONE, InstanceOf((BaseEstimator,), "a recommender (not a class)")),
        "n_estimators": POSITIVE_INTEGER,
        "embedding": (NONE, InstanceOf((BaseEstimator,), "a transformer (not a class)")),
        "anchors": Options(("coverage", "random")),
        "fit_bandwidth": _BANDWIDTH,
        "predict_bandwidth": _BANDWIDTH,
        "bandwidth_unit": Options(("users", "angle")),
        "global_weight": NON_NEGATIVE,
        "weight_sum": Options(("n_local", "n_users", "n_items", None)),
    }
    _search_grid = [
        {"fit_bandwidth": bandwidth, "global_weight": weight}
        for bandwidth in (0.5, 0.95)
        for weight in (0.0, 1.0)
    ]

    _fitted_rules = {
        "estimator_": Fitted(),
        "embedding_": Fitted("transform"),
        "anchors_": Array("n_local", dtypes=INDICES, low=0, distinct=True),
        "anchor_vectors_": Array("n_local", "n_components", dtypes=("float64",)),
        "n_local_users_": Array("n_local", dtypes=INDICES, low=0),
        "angle_quantiles_": Array(N_QUANTILES, dtypes=("float64",), low=0),
        "estimators_": Series(Fitted(), "n_local"),
    }

    def __init__(
        self,
        estimator=None,
        *,
        n_estimators=50,
        embedding=None,
        anchors="coverage",
        fit_bandwidth=0.95,
        predict_bandwidth=0.25,
        bandwidth_unit="users",
        global_weight=1.0,
        weight_sum="n_users",
        n_jobs=None,
        random_state=None,
        verbose=False,
    ):
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.embedding = embedding
        self.anchors = anchors
        self.fit_bandwidth = fit_bandwidth
        self.predict_bandwidth = predict_bandwidth
        self.bandwidth_unit = bandwidth_unit
        self.global_weight = global_weight
        self.weight_sum = weight_sum
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = get_tags(self._base()).input_tags.positive_only
        rates = recommender_tags(self._base()).predicts_ratings
        tags.recommender_tags.predicts_ratings = rates
        return tags

    def _base(self):
        return EASE() if self.estimator is None else self.estimator

    def fit(self, X, y=None):
        """Fit the global model, the embedding and the local models.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions, or ratings, that `estimator` takes.
        y : ignored
            Present for scikit-learn's conventions.

        Returns
        -------
        self : LOCA
            The fitted recommender.

        Raises
        ------
        MemoryError
            If the local models do not fit into memory; raised before the first is fitted.
        TypeError
            If `estimator` cannot weigh users, or `embedding` cannot embed them.
        ValueError
            If a parameter or X is not valid.
        """
        X = self._start_fit(X)
        check_weightable(self._base(), type(self).__name__)
        self._check_shares("fit_bandwidth", "predict_bandwidth")
        random_state = check_random_state(self.random_state)
        self.estimator_ = seeded_clone(self._base(), random_state).fit(X)
        self.embedding_ = self._fit_embedding(X, random_state)
        unit = unit_rows(self.embedding_.transform(X))
        self.angle_quantiles_ = angle_quantiles(unit)
        self.anchors_ = self._choose_anchors(unit, random_state)
        self.anchor_vectors_ = unit[self.anchors_]
        members = [seeded_clone(self._base(), random_state) for _ in self.anchors_]
        groups = [self._local_users(unit, anchor, X.shape) for anchor in self.anchor_vectors_]
        self.n_local_users_ = np.array([len(users) for users, _ in groups], dtype=np.intp)
        check_members_memory(self.estimator_, self.n_local_users_, len(unit), type(self).__name__)
        self.estimators_ = self._fit_members(X, members, groups)
        return self

    def _check_shares(self, *names):
        for name in names:
            share = getattr(self, name)
            if self.bandwidth_unit == "users" and share > 1:
                raise ValueError(
                    f"With bandwidth_unit='users' {name} must be a share of the users in (0, 1]. "
                    f"Got {share}: use a smaller one, or bandwidth_unit='angle'."
                )

    def _bandwidth(self, value):
        if self.bandwidth_unit == "angle":
            return value
        return share_bandwidth(self.angle_quantiles_, value)

    def _check_fitted(self):
        width = self.embedding_.transform(csr_array((1, self.n_features_in_))).shape[1]
        if width != self.anchor_vectors_.shape[1]:
            raise ValueError(
                f"LOCA.anchor_vectors_ has {self.anchor_vectors_.shape[1]} components, but "
                f"embedding_ makes {width}."
            )

    def _fit_embedding(self, X, random_state):
        if self.embedding is None and hasattr(self.estimator_, "transform"):
            return self.estimator_
        if self.embedding is None:
            return seeded_clone(PureSVD(n_components=_N_COMPONENTS), random_state).fit(X)
        if not hasattr(self.embedding, "fit") or not hasattr(clone(self.embedding), "transform"):
            raise TypeError(
                "The `embedding` of LOCA must have fit and transform. Got "
                f"{type(self.embedding).__name__}: use PureSVD(), MultVAE(), or a Pipeline that "
                "ends in a transformer."
            )
        return seeded_clone(self.embedding, random_state).fit(X)

    def _choose_anchors(self, unit, random_state):
        if self.anchors == "random":
            return random_anchors(unit, self.n_estimators, random_state)
        bandwidth = self._bandwidth(self.predict_bandwidth)
        return coverage_anchors(unit, self.n_estimators, bandwidth)

    def _local_users(self, unit, anchor, shape):
        """The users in the fit around an anchor, and their weights."""
        bandwidth = self._bandwidth(self.fit_bandwidth)
        weight = kernel_weights(unit, anchor[np.newaxis], bandwidth)[:, 0]
        users = np.flatnonzero(weight)
        weight = weight[users]
        if self.weight_sum is not None:
            n_users, n_items = shape
            totals = {"n_local": len(users), "n_users": n_users, "n_items": n_items}
            weight *= totals[self.weight_sum] / weight.sum()
        return users, weight

    def _fit_members(self, X, members, groups):
        n_workers = min(effective_n_jobs(self.n_jobs), max(1, len(members)))
        at_once = n_workers > 1
        n_threads = max(1, effective_n_threads() // n_workers) if at_once else None
        # A generator, so that the rows of a member are copied only when its fit starts.
        tasks = (
            delayed(fit_member)(member, X[users], weight, n_threads)
            for member, (users, weight) in zip(members, groups, strict=True)
        )
        tasks = ProgressBar(tasks, "LOCA", shown=self.verbose, total=len(members))
        with one_blas_thread() if at_once else nullcontext(), torch_threads(n_threads):
            return list(Parallel(n_jobs=self.n_jobs, prefer="threads")(tasks))

    def local_weights(self, X):
        """Return the weight of each local model for each user.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users, known or new.

        Returns
        -------
        weights : ndarray of float64 of shape (n_users, n_local)
            The kernel with `predict_bandwidth`. No local model covers a row of zeros; the global
            model scores it.
        """
        return self._kernel(self._start_dense(X, len(self.anchor_vectors_)))

    def _kernel(self, X):
        unit = unit_rows(self.embedding_.transform(X))
        self._check_shares("predict_bandwidth")
        bandwidth = self._bandwidth(self.predict_bandwidth)
        return kernel_weights(unit, self.anchor_vectors_, bandwidth)

    def _scores(self, X):
        def score(model, rows):
            return model.decision_function(X[rows])

        return self._blend(self._kernel(X), score, X.shape[1], X.dtype)

    def _pair_scores(self, X, rows, items):
        found = np.empty(len(rows), dtype=X.dtype)
        order = np.argsort(rows, kind="stable")  # a row is in one part, or in consecutive parts
        for start in range(0, len(rows), _N_PAIRS):
            part = order[start : start + _N_PAIRS]
            users, places = np.unique(rows[part], return_inverse=True)
            found[part] = self._some_pair_scores(X[users], places, items[part])
        return found

    def _some_pair_scores(self, X, rows, items):
        def score(model, pairs):
            return model.score_pairs(X, rows[pairs], items[pairs])[:, np.newaxis]

        return self._blend(self._kernel(X)[rows], score, 1, X.dtype)[:, 0]

    def _blend(self, kernel, score, width, dtype):
        """Weighted mean over the models; ``score(model, places)`` scores some rows."""
        local = kernel.sum(axis=1)
        covered = local > 0
        total = np.where(covered, local + self.global_weight, 1.0)
        shares = [*(kernel / total[:, np.newaxis]).T]
        shares.append(np.where(covered, self.global_weight / total, 1.0))
        blended = np.zeros((len(kernel), width), dtype=dtype)
        for model, share in zip([*self.estimators_, self.estimator_], shares, strict=True):
            places = np.flatnonzero(share)
            if len(places):
                weight = share[places, np.newaxis].astype(dtype)
                blended[places] += weight * score(model, places)
        return blended
