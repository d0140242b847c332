"""BiasedMF: matrix factorisation of ratings with user and item biases."""

import numpy as np
from scipy.sparse import csr_array
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if

from skrec._factors import Factored, FactoredScoresMixin, SimilarItemsMixin, factor_pairs
from skrec.base import BaseRecommender
from skrec.decomposition._biased_mf_als import alternate, explained_rows
from skrec.decomposition._biased_mf_sgd import descend
from skrec.utils._fitted import Array, Number, required_if
from skrec.utils._known_users import KNOWN_USERS, LearnedUsersMixin
from skrec.utils._params import (
    BOOLEAN,
    NON_NEGATIVE,
    POSITIVE,
    POSITIVE_INTEGER,
    Options,
)
from skrec.utils._progress import ProgressBar
from skrec.utils._rates import learning_rates
from skrec.utils._rating_ridge import rating_penalty, solve_side


class BiasedMF(FactoredScoresMixin, SimilarItemsMixin, LearnedUsersMixin, BaseRecommender):
    r"""Matrix factorisation of ratings with biases, by least squares or by SGD.

    The predicted rating of item i by user u is
    :math:`\hat r_{ui} = \mu + b_u + c_i + w_u^T h_i`, where :math:`\mu` is the mean
    rating. Over the stored ratings R, the model minimises

    .. math:: \sum_{(u, i) \in R} (r_{ui} - \hat r_{ui})^2 + \alpha \left(
        \sum_u n_u^\nu \left( b_u^2 + \sigma \|w_u\|^2 \right)
        + \sum_i n_i^\nu \left( c_i^2 + \sigma \|h_i\|^2 \right) \right)

    where :math:`n_u` and :math:`n_i` are the numbers of ratings of u and of i, and
    :math:`\sigma` is the spread of the ratings (`penalty_unit`), by

    - ``solver="als"``: alternating least squares [1]_. It sets all users' (w, b), then all
      items' (h, c), to their exact minimum, so the objective falls in each sweep.
    - ``solver="sgd"``: a step along minus the gradient for each rating in turn [2]_. Each
      rating has its share of the penalty, :math:`\alpha n_u^{\nu - 1}` of the user's and
      :math:`\alpha n_i^{\nu - 1}` of the item's, in units of :math:`\sigma`.

    With ``bias=False``, :math:`\hat r_{ui} = w_u^T h_i`; "als" with ``alpha=0`` is then the
    plain ALS of textbooks.

    Scores are predicted ratings, not clipped to the scale of the ratings; ``score`` is
    minus the RMSE. Ratings may be negative; zeros, stored or not, mean "not rated". The
    prediction for a user without ratings is :math:`\mu + c_i`.

    Parameters
    ----------
    n_components : int, default=64
        Length d of the vectors.
    solver : {"als", "sgd"}, default="als"
        How the objective is minimised, see above.
    bias : bool, default=True
        Whether the model has :math:`\mu`, b and c.
    alpha : float, default=0.05
        Penalty, the papers' :math:`\lambda`, >= 0. Good values depend much on
        `frequency_exponent`: with 0 they are one to a few tens.
    frequency_exponent : float, default=1.0
        Exponent :math:`\nu` of the number of ratings of a user or item, >= 0. 0 penalises all
        vectors alike; 1 is a penalty for each rating, as in ALS-WR [1]_ and in SGD [2]_.
    penalty_unit : "spread" or float, default="spread"
        The unit :math:`\sigma` > 0 of ratings in penalties and in the steps of "sgd". "spread":
        the standard deviation of the ratings, so that one `alpha` suits stars from 1 to 5 and
        ratings from -10 to 10. 1: the papers' objectives.
    learning_rate : float, default=0.02
        Length of the first steps, > 0; for "sgd".
    schedule : {"linear", "constant"}, default="linear"
        Whether the learning rate falls in a straight line towards 0 at `max_iter`, or stays
        constant; for "sgd".
    max_iter : int, default=30
        Sweeps over users and items, or passes over the ratings.
    init_scale : float, default=0.1
        Expected length of the initial vectors, > 0.
    known_users : {"match", "fold_in"}, default="match"
        For "sgd", how to score a row that equals a training row: "match" takes the vector
        learned for it, "fold_in" solves for it as for a new row. "als" solves for every row.
    random_state : int, RandomState or None, default=None
        Seed of the initial vectors and of the order of the ratings. The same seed gives
        the same bits for any `n_jobs`.
    n_jobs : int or None, default=None
        Threads; None: all cores.
    verbose : bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_items)
        Item vectors h; zeros for items without ratings. This and the next three are float64
        with "als", float32 with "sgd".
    user_factors_ : ndarray of shape (n_users, n_components)
        Vectors w of the training users; zeros for users without ratings.
    user_bias_ : ndarray of shape (n_users,)
        Biases b of the training users; zeros with ``bias=False``.
    item_bias_ : ndarray of shape (n_items,)
        Biases c; zeros with ``bias=False``.
    intercept_ : float
        The mean rating :math:`\mu`; 0 with ``bias=False``.
    penalty_unit_ : float
        The unit :math:`\sigma` in use.
    user_hashes_ : ndarray of uint64 of shape (n_users, 2)
        Hashes of the training rows, to match rows with them; only with "sgd".
    loss_curve_ : list of float
        With "als" the objective after each sweep. With "sgd" the mean squared error of each
        pass, computed before each step, without the penalty.
    n_iter_ : int
        Sweeps or passes made.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.

    See Also
    --------
    skrec.neighbors.UserKNN : Ratings from similar users, with ``feedback="rating"``.
    WMF : Least squares for implicit feedback.

    Notes
    -----
    A new row gets the w and b that minimise the objective for fixed items: a ridge regression,
    solved exactly. "als" does the same for training rows, so `user_factors_` and `user_bias_`
    are the exact minimum for the final items.

    Without a penalty, a row with fewer ratings than unknowns has no unique solution. A ridge of
    at least 1e-10 times the mean diagonal element of the normal equations then chooses (very
    nearly) the solution of least norm. The ridge does not change a larger `alpha`.

    "sgd" deals users and items into blocks and works in parallel on cells of ratings that share
    no block, without races. A sweep of "als" takes about 2 d**2 flops for each rating and
    d**3 / 3 for each user and item, a pass of "sgd" about 8 d for each rating. Memory holds the
    vectors and two copies of the ratings.

    With ``penalty_unit="spread"``, multiplying the ratings by a factor multiplies the predictions
    by it. On 2,000 users of Jester, with ratings from -10 to 10, the default reaches an RMSE of
    4.11 on validation ratings, a unit of 1 reaches 5.24, and the items' means 4.95
    (docs/benchmarks, defaults).

    Differs from [1]_: there are biases, solved for together with the vectors, and the penalty has
    a unit. Differs from [2]_: the penalty and the steps have a unit, the order of the ratings
    suits the cache, and the learning rate falls.

    References
    ----------
    .. [1] Y. Zhou, D. Wilkinson, R. Schreiber, R. Pan, "Large-scale parallel collaborative
       filtering for the Netflix prize", AAIM 2008.
    .. [2] Y. Koren, R. Bell, C. Volinsky, "Matrix factorization techniques for recommender
       systems", IEEE Computer 42(8), 2009.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.decomposition import BiasedMF
    >>> X = np.array([[5, 4, 0, 1], [4, 5, 2, 0], [1, 2, 5, 4], [0, 1, 4, 5]])
    >>> model = BiasedMF(n_components=2, random_state=0).fit(X)
    >>> model.decision_function([[5, 0, 0, 1], [0, 0, 0, 0]]).round(1)
    array([[4.9, 4.3, 2.7, 1.1],
           [2.7, 3.2, 3.5, 3.2]])
    """

    # A row matches a training row by its ratings, not only by its items.
    _reads_values = True

    _parameter_rules = {
        "n_components": POSITIVE_INTEGER,
        "solver": Options(("als", "sgd")),
        "bias": BOOLEAN,
        "alpha": NON_NEGATIVE,
        "frequency_exponent": NON_NEGATIVE,
        "penalty_unit": (Options(("spread",)), POSITIVE),
        "learning_rate": POSITIVE,
        "schedule": Options(("linear", "constant")),
        "max_iter": POSITIVE_INTEGER,
        "init_scale": POSITIVE,
        "known_users": KNOWN_USERS,
    }
    _search_grid = [{"alpha": alpha} for alpha in (0.03, 0.05, 0.07, 0.1)]

    _fitted_rules = {
        "intercept_": Number(),
        "penalty_unit_": Number(np.finfo(np.float64).tiny),
        "components_": Array("n_components", "n_items"),
        "user_factors_": Array("n_users", "n_components"),
        "item_bias_": Array("n_items"),
        "user_bias_": Array("n_users"),
        # ALS solves for every row, and keeps no hashes of rows.
        "user_hashes_": required_if(
            lambda self: self.solver != "als", Array("n_users", 2, dtypes=("uint64",))
        ),
    }

    def __init__(
        self,
        n_components=64,
        *,
        solver="als",
        bias=True,
        alpha=0.05,
        frequency_exponent=1.0,
        penalty_unit="spread",
        learning_rate=0.02,
        schedule="linear",
        max_iter=30,
        init_scale=0.1,
        known_users="match",
        random_state=None,
        n_jobs=None,
        verbose=False,
    ):
        self.n_components = n_components
        self.solver = solver
        self.bias = bias
        self.alpha = alpha
        self.frequency_exponent = frequency_exponent
        self.penalty_unit = penalty_unit
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.max_iter = max_iter
        self.init_scale = init_scale
        self.known_users = known_users
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = False
        tags.recommender_tags.predicts_ratings = True
        tags.recommender_tags.learned_users = self.solver == "sgd"
        return tags

    def fit(self, X, y=None):
        """Learn biases and vectors.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Ratings; zeros mean "not rated".
        y : ignored
            Present for scikit-learn's conventions.

        Returns
        -------
        self : BiasedMF
            The fitted recommender.

        Raises
        ------
        ValueError
            If a parameter or X is not valid, or if SGD diverges.
        """
        X = self._start_fit(X)
        if hasattr(self, "user_hashes_"):
            del self.user_hashes_
        self.intercept_ = float(X.data.mean(dtype=np.float64)) if self.bias and X.nnz else 0.0
        self.penalty_unit_ = self._unit(X.data)
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31 - 1))
        if self.solver == "als":
            self._fit_als(X, rng)
        else:
            self._fit_sgd(X, rng)
        self.n_iter_ = len(self.loss_curve_)
        return self

    @property
    def _how(self):
        return {
            "biased": self.bias,
            "alpha": self.alpha,
            "frequency_exponent": self.frequency_exponent,
            "n_jobs": self.n_jobs,
        }

    def _unit(self, ratings):
        if not isinstance(self.penalty_unit, str):
            return float(self.penalty_unit)
        largest = float(np.abs(ratings).max(initial=0.0))
        # Squares of very large and very small ratings would overflow and vanish.
        spread = largest and largest * float(np.std(ratings.astype(np.float64) / largest))
        # "sgd" keeps vectors and biases in float32, where smaller values would vanish.
        kept = np.float32 if self.solver == "sgd" else np.float64
        return spread if spread >= np.finfo(kept).tiny else 1.0

    def _fit_als(self, X, rng):
        ratings = self._in_units(X)
        start = self._initial(rng, X.shape[1], np.float64)
        items, bias, curve = alternate(ratings, start, sweeps=self._sweeps, **self._how)
        self._keep_items(items, np.zeros(X.shape[1]) if bias is None else bias, curve)
        users = self._solve(ratings)
        self.user_factors_, self.user_bias_ = users[:, :-1].copy(), users[:, -1].copy()

    def _fit_sgd(self, X, rng):
        self._remember(X)
        factors = tuple(self._initial(rng, n, np.float32) for n in X.shape)
        rates = learning_rates(self.learning_rate, self.max_iter, self.schedule)
        biases, curve = descend(
            self._in_units(X), factors, rates=rates, rng=rng, passes=self._sweeps, **self._how
        )
        self._keep_items(factors[1], biases[1], curve)
        self.user_factors_ = factors[0] * self.penalty_unit_**0.5
        self.user_bias_ = biases[0] * self.penalty_unit_

    def _keep_items(self, factors, bias, curve):
        """Convert what was learned from units of the penalty to ratings, and keep it."""
        self.components_ = (factors * self.penalty_unit_**0.5).T
        self.item_bias_ = bias * self.penalty_unit_
        self.loss_curve_ = [loss * self.penalty_unit_ * self.penalty_unit_ for loss in curve]

    def _initial(self, rng, n, dtype):
        scale = self.init_scale / np.sqrt(self.n_components)
        return (scale * rng.standard_normal((n, self.n_components), dtype=dtype)).astype(dtype)

    @property
    def _sweeps(self):
        return ProgressBar(range(self.max_iter), "BiasedMF", shown=self.verbose)

    def _in_units(self, X):
        """The ratings less the intercept, in units and double precision; zeros stay stored."""
        values = (X.data.astype(np.float64) - self.intercept_) / self.penalty_unit_
        return csr_array((values, X.indices, X.indptr), shape=X.shape)

    @property
    def _n_features_out(self):
        return self.components_.shape[0]

    def _problem(self, ratings):
        """The data of the rows' ridge regressions, in units."""
        penalty = rating_penalty(np.diff(ratings.indptr), self.alpha, self.frequency_exponent)
        factors = self.components_.T / self.penalty_unit_**0.5
        bias = self.item_bias_ / self.penalty_unit_ if self.bias else None
        return ratings, factors, bias, penalty

    def _solve(self, ratings):
        """(w, b) of each row at the exact minimum, shape (n_rows, n_components + 1)."""
        factors, bias, _ = solve_side(*self._problem(ratings), n_jobs=self.n_jobs)
        factors *= self.penalty_unit_**0.5
        bias = np.zeros(len(factors)) if bias is None else bias * self.penalty_unit_
        return np.column_stack([factors, bias])

    def _fold_in(self, X, hashes=None):
        return self._solve(self._in_units(X))

    @property
    def _known_vectors(self):
        return np.column_stack([self.user_factors_, self.user_bias_])

    def _vectors(self, X):
        # ALS puts every row at the minimum for its ratings, so no row is remembered.
        return self._fold_in(X) if self.solver == "als" else super()._vectors(X)

    def _users(self, X):
        """w and b of each row."""
        users = self._vectors(X)
        return users[:, :-1], users[:, -1]

    def _factored(self, X):
        factors, bias = self._users(X)
        offset = bias.astype(X.dtype) + X.dtype.type(self.intercept_)
        return Factored(factors, self.item_bias_, offset)

    def _pair_scores(self, X, rows, items):
        factors, bias = (part.astype(X.dtype, copy=False) for part in self._users(X))
        components = self.components_.astype(X.dtype, copy=False)
        scores = factor_pairs(factors, components, rows, items)
        scores += self.item_bias_.astype(X.dtype, copy=False)[items]
        return scores + (bias + X.dtype.type(self.intercept_))[rows]

    @available_if(lambda self: self.solver == "als")
    def explain(self, X, items):
        r"""Split predicted ratings into what each rating of the user adds.

        Let :math:`A_u` be the matrix of the user's normal equations and y the items' vectors
        with a 1 appended for the bias. The prediction for item i is
        :math:`\mu + c_i + \sum_{j} (r_{uj} - \mu - c_j) \, y_j^T A_u^{-1} y_i`. Only with
        ``solver="als"``: users learned by SGD are not a function of their ratings.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Ratings of the users.
        items : array-like of int of shape (n_users,) or (n_users, m)
            The items to explain for each user, such as the result of `predict` or
            `recommend`; -1 for none.

        Returns
        -------
        contributions : csr_array of shape (n_users * m, n_items)
            Row ``u * m + j`` holds the terms of the sum at the items of user u. The row sums to
            the score of ``items[u, j]`` less ``intercept_ + item_bias_``.

        Raises
        ------
        ValueError
            If `items` has the wrong shape or is out of range.
        """
        X = self._start_scoring(X)
        problem = self._problem(self._in_units(X))
        parts = explained_rows(*problem, items, np.float64, n_jobs=self.n_jobs)
        parts.data *= self.penalty_unit_
        return parts.astype(X.dtype, copy=False)
