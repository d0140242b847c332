"""ResidualMF: a dot product with biases, and a network for its residual (Rendle et al. 2020)."""

import numpy as np
import torch
from scipy.sparse import csr_array

from skrec._factors import SimilarItemsMixin
from skrec._torch._estimator import TORCH_RULES
from skrec._torch._weights import Weights
from skrec.base import BaseRecommender
from skrec.neural_network._residual_branch import BranchScorer
from skrec.neural_network._residual_factors import Arrays, fold_in_logistic
from skrec.neural_network._residual_fit import TwoSolversMixin
from skrec.utils._device import resolve_device
from skrec.utils._fitted import COUNT, CURVE, SEED, Absent, Array, Number, required_if
from skrec.utils._known_users import KNOWN_USERS, LearnedUsersMixin
from skrec.utils._params import NON_NEGATIVE, POSITIVE, POSITIVE_INTEGER, SIZES_OR_NONE, Options
from skrec.utils._rating_ridge import rating_penalty, solve_side
from skrec.utils._state_torch import torch_state


class ResidualMF(SimilarItemsMixin, TwoSolversMixin, LearnedUsersMixin, BaseRecommender):
    r"""A dot product with biases, and a network that learns the residual of the dot product.

    The score of item i for user u is

    .. math:: y_{ui} = b + b_u + c_i + p_u^T q_i + f(p_u, q_i)

    where f is a ReLU network, absent with ``hidden_layer_sizes=()``. Without it the model is the
    dot product that [1]_ found ahead of learned similarities. With ``feedback="implicit"``, `fit`
    minimises the sum over the interactions (u, i) of

    .. math:: \log(1 + e^{-y_{ui}}) + \sum_{j} \log(1 + e^{y_{uj}}) + \frac{\alpha}{2}
        \sum \|\cdot\|^2

    with `n_negatives` items j drawn anew in each epoch, uniformly among **all** items, the user's
    own items included. With ``feedback="rating"`` it minimises the sum over the ratings of

    .. math:: \frac12 (r_{ui} - y_{ui})^2 + \frac{\alpha}{2} \left(
        \|p_u\|^2 + \|q_i\|^2 + b_u^2 + c_i^2 \right).

    The penalty applies to what a sample, an interaction or one of its negatives, reads: its
    :math:`p, q, b_u, c_i` and b. Two solvers share the work:

    1. Stochastic gradient descent learns the factors without the network, in `max_iter` epochs,
       one sample after the other. Interactions and negatives come in random order.
    2. With `hidden_layer_sizes`, Adam then learns the network in `branch_max_iter` epochs, with
       the factors fixed. The loss is the same, with :math:`\frac{\alpha}{2}` times the squares of
       the network's weights added to its mean. The network's last layer starts at zero: so Adam
       starts from the scores of the plain model, and early stopping may return to them.

    With implicit feedback scores are logits, and only the set of a user's items matters. With
    ratings scores are predicted ratings, not clipped, and ``score`` is minus the RMSE; zeros,
    stored or not, mean "not rated".

    Parameters
    ----------
    n_components : int, default=64
        Length d of the vectors. The embeddings of [1]_ count the bias as a dimension: 192 there
        are 191 here.
    feedback : {"implicit", "rating"}, default="implicit"
        Meaning of the stored values, see above.
    hidden_layer_sizes : tuple of int, default=()
        Widths of the network's layers, the first of which reads :math:`p_u` and :math:`q_i`.
        (): no network.
    n_negatives : int, default=8
        Items drawn for each interaction, > 0.
    alpha : float, default=0.01
        Penalty, the :math:`\lambda` of [1]_, >= 0. Ratings need more, about 0.04. On validation
        users of eight data sets .01 is better than .005.
    learning_rate : float, default=0.02
        Learning rate of the factors' first steps, > 0.
    schedule : {"constant", "linear"}, default="linear"
        Whether this learning rate stays constant, as in [1]_, or falls linearly towards 0 at
        `max_iter`.
    max_iter : int, default=48
        Epochs of the factors; with `warm_start`, of further epochs.
    init_scale : float, default=0.1
        Standard deviation of the first vectors' numbers, > 0.
    branch_learning_rate : float, default=0.001
        Adam's learning rate for the network, > 0.
    branch_max_iter : int, default=5
        Epochs of the network.
    batch_size : int, default=2048
        Interactions in a batch of the network, each with its negatives.
    known_users : {"match", "fold_in"}, default="match"
        "match": a row equal to a training row, ratings included, gets its learned vector (the
        first such row's); any other row is folded in. "fold_in" folds every row in.
    early_stopping : bool, default=False
        Whether to hold out items of the users, stop either solver when the nDCG@100 of finding
        them, or minus the RMSE of the held-out ratings, no longer rises, and keep the best.
    validation_fraction : float, default=0.1
        Share of the items that `early_stopping` holds out, in (0, 1), of at most 10,000 users.
    n_iter_no_change : int, default=10
        Stop after this many epochs without a rise by more than `tol`.
    tol : float, default=1e-4
        Smallest rise of the validation score that counts, >= 0.
    warm_start : bool, default=False
        Whether a further `fit` continues from the fitted factors and network. Rows seen before
        start from their vectors; other rows are folded in first.
    device : {"auto", "cpu", "cuda", "cuda:N"} or torch.device, default="auto"
        Where to compute the network, resolved at each call; "auto" takes CUDA where there is one.
        Factors are learned on the CPU.
    random_state : int, RandomState or None, default=None
        Seed of all random draws. The same seed gives the same bits on the same CPU, whatever
        `n_jobs` is.
    n_jobs : int or None, default=None
        Threads of the factors' descent; None: all cores.
    verbose : bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_items), float32
        The vectors q.
    user_factors_ : ndarray of shape (n_users, n_components), float32
        The vectors p of the training users; zeros for users without items.
    user_bias_ : ndarray of shape (n_users,), float32
        The biases :math:`b_u` of the training users.
    item_bias_ : ndarray of shape (n_items,), float32
        The biases :math:`c_i`.
    intercept_ : float
        The b, learned from interactions, or the mean of ratings.
    user_hashes_ : ndarray of uint64 of shape (n_users, 2)
        Hashes that identify the rows of training users.
    weights_ : dict of str to ndarray, float32
        The network's weights: "user.weight" and "item.weight" are the halves of its first layer.
        Only with `hidden_layer_sizes`.
    loss_curve_ : list of float
        Mean loss of an interaction with its negatives, or of a rating, over each epoch of the
        factors, computed during the epoch, without the penalty.
    branch_loss_curve_ : list of float
        The mean loss of the network's epochs, its penalty included; empty without a network.
    validation_scores_ : list of float
        The score of the held-out items after each epoch, of the factors and then of the network;
        empty without `early_stopping`.
    best_validation_score_ : float
        Score of the kept model; only with `early_stopping`.
    n_iter_ : int
        Epochs of the factors.
    seed_ : int
        Seed of the items that stand for all items in folding in.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.

    See Also
    --------
    GMF : A weighted product without biases; negatives are items that the user does not have.
    skrec.decomposition.BPR : A dot product learned from pairs of items.
    skrec.decomposition.BiasedMF : The plain model of ratings, also by least squares.

    Notes
    -----
    A new row is folded in: the objective of the factors, summed over the row, is minimised over
    its p and :math:`b_u` with all else fixed. This problem is convex. Newton's method solves it in
    float64 without random negatives: their expectation, ``n_negatives / n_items`` times the sum
    over all items, replaces them. Above 4,096 items `seed_` draws 4,096 items to stand for all.
    Ratings have a closed form. The network reads the resulting vector like the vectors of training
    users. So a known user's row, folded in, scores like the same row of a new user.

    Users and items are dealt into blocks, the items anew for each epoch. Threads work in parallel
    on cells of interactions that share no block; negatives come from the item block of the cell.
    Over the epochs every item is equally likely as a negative. Cells that run at once start with
    one b, and its next value is the mean of theirs. A sample costs about 8 d flops. An epoch of
    the network takes as many, plus ``6 * (1 + n_negatives) * X.nnz`` times the sum of the products
    of neighbouring widths.

    Differs from [1]_: the order is random within cells instead of over all samples, and cells
    learn b in parallel; the learning rate falls and is larger, and epochs are fewer. The setting
    of [1]_ on MovieLens-1M is ``ResidualMF(191, alpha=0.005, learning_rate=0.002,
    schedule="constant", max_iter=256)``. With ratings b is the mean and not learned. The network is
    not part of [1]_: it is a residual branch as in [2]_, but deeper than one layer, and trained
    with fixed factors, so that it cannot spoil them.

    References
    ----------
    .. [1] S. Rendle, W. Krichene, L. Zhang and J. Anderson, "Neural collaborative filtering vs.
       matrix factorization revisited", RecSys 2020.
    .. [2] K. He, X. Zhang, S. Ren and J. Sun, "Deep residual learning for image recognition",
       CVPR 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.neural_network import ResidualMF
    >>> X = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1], [0, 0, 1, 1]] * 5)
    >>> model = ResidualMF(4, learning_rate=0.1, max_iter=100, random_state=0).fit(X)
    >>> model.predict([[1, 0, 0, 0], [0, 0, 0, 1]])
    array([1, 2])
    """

    _parameter_rules = {
        "n_components": POSITIVE_INTEGER,
        "feedback": Options(("implicit", "rating")),
        "hidden_layer_sizes": SIZES_OR_NONE,
        "n_negatives": POSITIVE_INTEGER,
        "alpha": NON_NEGATIVE,
        "schedule": Options(("constant", "linear")),
        "init_scale": POSITIVE,
        "branch_learning_rate": POSITIVE,
        "branch_max_iter": POSITIVE_INTEGER,
        "known_users": KNOWN_USERS,
        **{name: rule for name, rule in TORCH_RULES.items() if name != "precision"},
    }
    _search_grid = [
        {"n_components": n, "alpha": alpha} for n in (64, 128) for alpha in (0.005, 0.01, 0.02)
    ]
    _fitted_rules = {
        "components_": Array("n_components", "n_items", dtypes=("float32",)),
        "user_factors_": Array("n_users", "n_components", dtypes=("float32",)),
        "user_bias_": Array("n_users", dtypes=("float32",)),
        "item_bias_": Array("n_items", dtypes=("float32",)),
        "intercept_": Number(),
        "seed_": SEED,
        "weights_": required_if(lambda self: len(self.hidden_layer_sizes) > 0, Weights()),
        "loss_curve_": CURVE,
        "branch_loss_curve_": CURVE,
        "n_iter_": COUNT,
        "validation_scores_": CURVE,
        "best_validation_score_": Absent(Number(finite=False)),
        "_split_seed": SEED,
    }

    def __init__(
        self,
        n_components=64,
        *,
        feedback="implicit",
        hidden_layer_sizes=(),
        n_negatives=8,
        alpha=0.01,
        learning_rate=0.02,
        schedule="linear",
        max_iter=48,
        init_scale=0.1,
        branch_learning_rate=0.001,
        branch_max_iter=5,
        batch_size=2048,
        known_users="match",
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        warm_start=False,
        device="auto",
        random_state=None,
        n_jobs=None,
        verbose=False,
    ):
        self.n_components = n_components
        self.feedback = feedback
        self.hidden_layer_sizes = hidden_layer_sizes
        self.n_negatives = n_negatives
        self.alpha = alpha
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.max_iter = max_iter
        self.init_scale = init_scale
        self.branch_learning_rate = branch_learning_rate
        self.branch_max_iter = branch_max_iter
        self.batch_size = batch_size
        self.known_users = known_users
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = not self._is_rating
        tags.recommender_tags.predicts_ratings = self._is_rating
        return tags

    @property
    def _is_rating(self):
        return self.feedback == "rating"

    @property
    def _reads_values(self):
        return self._is_rating

    @property
    def _score_unit(self):
        return None if self._is_rating else 1.0  # of the log odds

    def fit(self, X, y=None):
        """Learn the factors, then the network if there is one.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions, >= 0, or ratings; zeros mean "none".
        y : ignored
            Present for scikit-learn's conventions.

        Returns
        -------
        self : ResidualMF
            The fitted recommender.

        Raises
        ------
        ValueError
            If a parameter or X is not valid, or the loss is not finite. The estimator then stays
            as it was.

        Warns
        -----
        ConvergenceWarning
            If the fit was interrupted: the model of the last whole epoch is kept.
        """
        flag = isinstance(self.warm_start, bool | np.bool_)  # other values fail the rules below
        resumes = flag and self.warm_start and hasattr(self, "components_")
        X = self._start_fit(X, reset=not resumes)
        with torch_state():
            return self._learn(X, resumes)

    @property
    def _n_features_out(self):
        return self.components_.shape[0]

    @property
    def _known_vectors(self):
        return np.column_stack([self.user_factors_, self.user_bias_])

    def _fold_in(self, X, hashes):
        if not self._is_rating:
            return fold_in_logistic(
                X, self.components_.T, self.item_bias_, self.intercept_,
                n_negatives=self.n_negatives, alpha=self.alpha, seed=self.seed_, n_jobs=self.n_jobs,
            )  # fmt: skip
        values = X.data.astype(np.float64) - self.intercept_
        ratings = csr_array((values, X.indices, X.indptr), shape=X.shape)
        penalty = rating_penalty(np.diff(X.indptr), self.alpha, 1.0)
        found = solve_side(
            ratings, self.components_.T, self.item_bias_, penalty, n_jobs=self.n_jobs
        )
        return np.column_stack(found[:2])

    def _arrays_of(self, X):
        found = self._vectors(X)
        return Arrays(
            found[:, :-1], self.components_.T, found[:, -1], self.item_bias_,
            np.array([self.intercept_]),
        )  # fmt: skip

    def _scorer(self, dtype):
        """The fitted network for scores of a dtype."""
        device, branch = resolve_device(self.device), self._build_module(None)
        state = {
            # Workers get read-only memory maps, which torch does not take.
            name: torch.from_numpy(np.require(value.astype(dtype), requirements="W")).to(device)
            for name, value in self.weights_.items()
        }
        branch.load_state_dict(state, assign=True)
        return BranchScorer(branch.eval(), self.components_.T)

    def _scores(self, X):
        arrays = self._arrays_of(X)
        scores = arrays.scores(X.dtype, self.n_jobs)
        if self.hidden_layer_sizes:
            with torch_state():
                scores += self._scorer(X.dtype).dense(arrays.users)
        return scores

    def _pair_scores(self, X, rows, items):
        wanted, group = np.unique(rows, return_inverse=True)
        arrays = self._arrays_of(X[wanted])
        scores = arrays.pair_scores(group, items, X.dtype)
        if self.hidden_layer_sizes:
            with torch_state():
                scores += self._scorer(X.dtype).pairs(arrays.users, group, items)
        return scores
