"""BPR, maximum-margin matrix factorisation and WARP: factors from pairwise losses."""

import numpy as np
from sklearn.utils import check_random_state

from skrec._factors import Factored, FactoredScoresMixin, SimilarItemsMixin, factor_pairs
from skrec.base import BaseRecommender
from skrec.decomposition._bpr_sgd import (
    LOSSES,
    Descent,
    harmonic_sums,
    pairwise_factors,
    popular_negatives,
)
from skrec.utils._dtype import single
from skrec.utils._fitted import SEED, Array
from skrec.utils._hashing import keyed_negatives
from skrec.utils._known_users import KNOWN_USERS, LearnedUsersMixin
from skrec.utils._parallel import run_ranges
from skrec.utils._params import (
    NON_NEGATIVE,
    POSITIVE,
    POSITIVE_INTEGER,
    Options,
)
from skrec.utils._progress import ProgressBar
from skrec.utils._rates import learning_rates

# Negatives drawn for the fold-in of a user.
_N_NEGATIVES = 256


class BPR(FactoredScoresMixin, SimilarItemsMixin, LearnedUsersMixin, BaseRecommender):
    r"""Matrix factorisation by pairwise ranking: BPR-MF, maximum margin, WARP.

    The score of item i for user u is :math:`s_{ui} = p_u^T q_i + b_i`. For triplets of a
    user, an item i of the user and an item j that the user does not have, the model minimises

    .. math:: \sum_{(u, i, j)} \ell(s_{ui} - s_{uj}) + \frac{\alpha}{2} \left(
        \|p_u\|^2 + \|q_i\|^2 + \|q_j\|^2 + b_i^2 + b_j^2 \right)

    by stochastic descent, one triplet for each interaction in each pass, with

    - ``loss="log"``: :math:`\ell(x) = \log(1 + e^{-x})`, Bayesian personalised ranking [1]_;
    - ``loss="hinge"``: :math:`\ell(x) = \max(0, 1 - x)`, maximum margin with margin 1 [2]_;
    - ``loss="warp"``: :math:`\ell(x) = L(r) \max(0, 1 - x)` [3]_, where j is the first drawn
      item that violates the margin, :math:`r = \lfloor (n_{items} - 1) / draws \rfloor`
      estimates the rank of i, and :math:`L(r) = \sum_{j \le r} 1/j` makes the top of the
      list count most. If `max_sampled` draws find no violation, i gets no step.

    Scores rank items and have no unit. The model reads which items a user has, not the stored
    values. A user without items gets the item biases.

    Parameters
    ----------
    n_components : int, default=64
        Length d of the factors.
    loss : {"log", "hinge", "warp"}, default="log"
        The pairwise loss, see above.
    solver : {"adagrad", "sgd"}, default="adagrad"
        "sgd": plain steps. "adagrad": divides the step of a user or an item by the root of one
        plus the sum of its mean squared gradients so far, so that frequent users and items
        slow down. For WARP's weights use "adagrad", or a `learning_rate` of about 0.01.
    alpha : float, default=0.01
        Penalty, the papers' :math:`\lambda`, >= 0, on the parameters of each triplet. WARP's
        losses are larger and need a larger penalty: 0.2 to 1.
    learning_rate : float, default=0.2
        Length of the first steps, > 0.
    schedule : {"linear", "constant"}, default="linear"
        Whether the learning rate falls in a straight line towards 0 at `max_iter`, or stays
        constant.
    max_iter : int, default=50
        Passes over the interactions. Large catalogues need more passes, or WARP: most uniform
        negatives are too easy to teach anything.
    max_sampled : int, default=50
        Most draws to find a violating item, for ``loss="warp"``.
    negatives : {"uniform", "popularity"}, default="uniform"
        How j is drawn among the items that the user does not have: uniformly, or in proportion
        to the number of their users plus one.
    init_scale : float, default=0.1
        Expected length of the initial factors, > 0.
    known_users : {"match", "fold_in"}, default="match"
        How to score a row that has the items of a training row: "match" takes the vector
        learned for it, "fold_in" treats it as a new row. See Notes.
    random_state : int, RandomState or None, default=None
        Seed of the initial factors, of the order and of the negatives. The same seed gives the
        same bits for any `n_jobs`.
    n_jobs : int or None, default=None
        Threads; None: all cores.
    verbose : bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_items), float32
        Item factors.
    user_factors_ : ndarray of shape (n_users, n_components), float32
        Factors of the training users; zeros for users without items.
    item_bias_ : ndarray of shape (n_items,), float32
        Item biases.
    item_popularity_ : ndarray of int of shape (n_items,)
        Number of training users of each item.
    user_hashes_ : ndarray of uint64 of shape (n_users, 2)
        Hashes of the training rows, to match rows with them.
    loss_curve_ : list of float
        Loss of the triplets in each pass, computed before each step, without the penalty, and
        divided by the number of interactions. A user with all items makes no triplet.
    n_iter_ : int
        Passes made.
    seed_ : int
        Seed of the negatives of new rows.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.

    See Also
    --------
    WMF : Weighted least squares on all cells instead of pairs.
    PureSVD : Least squares in closed form.

    Notes
    -----
    A new row is folded in: the same solver minimises the same loss over the row's vector alone,
    in as many passes. Its 256 negatives are drawn once, keyed by the row's content and `seed_`.
    So a row's result is a function of the row.

    The solver deals users and items into blocks, the items anew for each pass. It works in
    parallel on cells of interactions that share no block, and draws negatives from the item
    block of the cell. Over the passes, every item is an equally likely negative. There are no
    races, and the working set stays in cache.

    A pass takes about 9 d multiply-adds for each interaction (7 d with "sgd"; with WARP d
    more for each draw). Memory holds the factors, plus 8 bytes for each interaction.

    Differs from [1]_: a pass visits every interaction once instead of drawing with replacement;
    the learning rate falls; there is one `alpha`. Differs from [3]_: a penalty replaces the bound
    on the norms.

    References
    ----------
    .. [1] S. Rendle, C. Freudenthaler, Z. Gantner, L. Schmidt-Thieme, "BPR: Bayesian
       personalized ranking from implicit feedback", UAI 2009.
    .. [2] M. Weimer, A. Karatzoglou, A. Smola, "Improving maximum margin matrix
       factorization", Machine Learning 72, 2008.
    .. [3] J. Weston, S. Bengio, N. Usunier, "WSABIE: scaling up to large vocabulary image
       annotation", IJCAI 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.decomposition import BPR
    >>> X = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1], [0, 0, 1, 1], [1, 0, 0, 0]])
    >>> model = BPR(n_components=4, random_state=0).fit(X)
    >>> model.predict([[1, 0, 0, 0], [0, 0, 0, 1]])
    array([1, 2])
    """

    _parameter_rules = {
        "n_components": POSITIVE_INTEGER,
        "loss": Options(("log", "hinge", "warp")),
        "solver": Options(("adagrad", "sgd")),
        "alpha": NON_NEGATIVE,
        "learning_rate": POSITIVE,
        "schedule": Options(("linear", "constant")),
        "max_iter": POSITIVE_INTEGER,
        "max_sampled": POSITIVE_INTEGER,
        "negatives": Options(("uniform", "popularity")),
        "init_scale": POSITIVE,
        "known_users": KNOWN_USERS,
    }
    _score_unit = 1.0  # of the log odds
    _search_grid = [
        {"n_components": 128, "loss": loss, "alpha": alpha}
        for loss, alphas in (("log", (0.003, 0.01, 0.03)), ("warp", (0.3, 1.0)))
        for alpha in alphas
    ]

    _fitted_rules = {
        "components_": Array("n_components", "n_items", dtypes=("float32",)),
        "user_factors_": Array("n_users", "n_components", dtypes=("float32",)),
        "item_bias_": Array("n_items", dtypes=("float32",)),
        "item_popularity_": Array("n_items", dtypes=("int64",), low=0, high=2**53),
        "seed_": SEED,
    }

    def __init__(
        self,
        n_components=64,
        *,
        loss="log",
        solver="adagrad",
        alpha=0.01,
        learning_rate=0.2,
        schedule="linear",
        max_iter=50,
        max_sampled=50,
        negatives="uniform",
        init_scale=0.1,
        known_users="match",
        random_state=None,
        n_jobs=None,
        verbose=False,
    ):
        self.n_components = n_components
        self.loss = loss
        self.solver = solver
        self.alpha = alpha
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.max_iter = max_iter
        self.max_sampled = max_sampled
        self.negatives = negatives
        self.init_scale = init_scale
        self.known_users = known_users
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X, y=None):
        """Learn the factors.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions, >= 0.
        y : ignored
            Present for scikit-learn's conventions.

        Returns
        -------
        self : BPR
            The fitted recommender.

        Raises
        ------
        ValueError
            If a parameter or X is not valid, or if the factors grow without bound.
        """
        X = self._start_fit(X)
        random_state = check_random_state(self.random_state)
        self.seed_ = int(random_state.randint(2**31 - 1))
        self._remember(X)
        try:
            users, items, bias, curve = self._descend(X, np.random.default_rng(self.seed_))
        except FloatingPointError as error:
            raise ValueError(
                f"{error} The factors grow without bound at learning_rate={self.learning_rate}: "
                "use a smaller learning_rate, a larger alpha, or solver='adagrad'."
            ) from error
        counts = np.diff(X.indptr)
        # Users without a triplet have learned nothing: zero minimises their penalty.
        users[(counts == 0) | (counts == X.shape[1])] = 0
        self.user_factors_, self.components_, self.item_bias_ = users, items.T, bias
        self.item_popularity_ = np.bincount(X.indices, minlength=X.shape[1])
        self.loss_curve_, self.n_iter_ = curve, len(curve)
        return self

    def _descend(self, X, rng):
        return pairwise_factors(
            X,
            self.n_components,
            loss=self.loss,
            solver=self.solver,
            alpha=self.alpha,
            rates=learning_rates(self.learning_rate, self.max_iter, self.schedule),
            max_sampled=self.max_sampled,
            by_popularity=self.negatives == "popularity",
            init_scale=self.init_scale,
            rng=rng,
            n_jobs=self.n_jobs,
            passes=ProgressBar(range(self.max_iter), "BPR", shown=self.verbose),
        )

    @property
    def _n_features_out(self):
        return self.components_.shape[0]

    def _fold_in(self, X, hashes):
        from skrec.decomposition._bpr_kernels import fold_in_rows

        items = np.ascontiguousarray(self.components_.T)
        negatives = self._negatives(X, hashes)
        vectors = np.empty((X.shape[0], items.shape[1]), dtype=items.dtype)
        descent = Descent(
            LOSSES.index(self.loss),
            harmonic_sums(X.shape[1]),
            self.max_sampled,
            learning_rates(self.learning_rate, self.max_iter, self.schedule),
            single(self.alpha),
            self.solver == "adagrad",
        )
        model = (items, self.item_bias_)

        def rows(start, stop):
            fold_in_rows(X.indptr, X.indices, negatives, model, descent, vectors, start, stop)

        run_ranges(rows, X.shape[0], n_jobs=self.n_jobs, weights=np.diff(X.indptr) + 1)
        return vectors

    def _negatives(self, X, hashes):
        """Negatives of new rows, drawn by the rows' content."""
        uniform = keyed_negatives(X, _N_NEGATIVES, self.seed_, hashes=hashes)
        if self.negatives == "uniform":
            return uniform
        return popular_negatives(X, uniform, self.item_popularity_ + 1, self.seed_ + 1, hashes)

    def _factored(self, X):
        return Factored(self._vectors(X), self.item_bias_)

    def _pair_scores(self, X, rows, items):
        vectors = self._vectors(X).astype(X.dtype, copy=False)
        scores = factor_pairs(vectors, self.components_.astype(X.dtype, copy=False), rows, items)
        return scores + self.item_bias_[items].astype(X.dtype, copy=False)
