"""RBMRecommender: a restricted Boltzmann machine of ratings (Salakhutdinov et al. 2007)."""

import numpy as np
from sklearn.utils import check_random_state

from skrec._torch._schedules import rate_share
from skrec.autoencoder._rating_levels import expected_level, find_levels, nearest_level
from skrec.autoencoder._rbm_fit import (
    ContrastiveDivergence,
    Machine,
    first_machine,
    hidden_probabilities,
    log_frequencies,
)
from skrec.autoencoder._softmax_units import solve_units
from skrec.base import BaseRecommender
from skrec.utils._blas_threads import one_blas_thread
from skrec.utils._finite import require_finite
from skrec.utils._fitted import COUNT, Array, required_if
from skrec.utils._known_users import KNOWN_USERS, LearnedUsersMixin
from skrec.utils._parallel import run_ranges
from skrec.utils._params import (
    BOOLEAN,
    FRACTION,
    NON_NEGATIVE,
    POSITIVE,
    POSITIVE_INTEGER,
    Interval,
    Options,
)
from skrec.utils._progress import ProgressBar

# Numbers in one block of logits.
_BLOCK = 1 << 20
_SINGLE = ("float32",)
# The attributes that `fit` sets in each orientation.
_FITTED = {
    "user": ("item_weights_", "item_intercept_", "rated_weights_"),
    "item": ("user_weights_", "user_intercept_", "components_", "user_hashes_"),
}


def _of_users(rule):
    return required_if(lambda self: self.orientation == "user", rule)


def _of_items(rule):
    return required_if(lambda self: self.orientation == "item", rule)


class RBMRecommender(LearnedUsersMixin, BaseRecommender):
    r"""Restricted Boltzmann machine of ratings, trained by contrastive divergence.

    Each rating is a softmax unit over the K levels of ratings; hidden units h are binary [1]_. With
    ``orientation="user"`` an example is a user and the units are the items. Only the rated items
    :math:`R_u` take part; :math:`k_i` is the level of a rating:

    .. math:: E_u(V, h) = -\sum_{i \in R_u} \left( b_{i k_i} + \sum_f W_{i k_i f} h_f \right)
        - \sum_f c_f h_f

    .. math:: \max \; \frac1n \sum_u \log \frac{\sum_h e^{-E_u(V_u, h)}}
        {\sum_{V, h} e^{-E_u(V, h)}}
        - \frac{\alpha}{2} \left( \|W\|^2 + \|b - b^0\|^2 \right)

    The gradient of the first term is the mean of the energy's gradient over the model, less the
    energy's gradient at the data. CD-T estimates the mean after T steps of Gibbs sampling from
    the data:

    .. math:: p(h_f = 1 \mid V) = \sigma\left(c_f + \sum_{i \in R_u} W_{i k_i f}\right),
        \qquad p(k_i = k \mid h) = \mathrm{softmax}_k\left(b_{ik} + \sum_f W_{ikf} h_f\right)

    The b start from :math:`b^0`, the logarithms of the levels' frequencies among the ratings of
    the item.

    A score is the mean of the levels under :math:`p(k_i = k \mid \hat h)`, where
    :math:`\hat h_f = p(h_f = 1 \mid V)` of the scored row, known or new. Scores have the unit of
    the ratings; ``score`` is minus the RMSE. Ratings may be negative; zeros, stored or not, mean
    "not rated".

    With ``orientation="item"`` rows and columns change places: an item is an example, and a
    user is a softmax unit with weights :math:`W_u` and biases :math:`b_u` of its own. The codes
    :math:`\hat h_i` of the items, `components_`, follow from the ratings of `fit`. A new row has
    no weights yet: they are set to the minimum of

    .. math:: -\sum_{i \in R_u} \log \mathrm{softmax}_{k_i}\left(b_u + W_u \hat h_i\right)
        + \frac{\alpha m}{2} \left( \|W_u\|^2 + \|b_u - b^0_u\|^2 \right)

    where m is the number of items with ratings, and :math:`\alpha m` is at least .1. Contrastive
    divergence has the same gradient if hidden units do not change between the data and the
    samples.

    Parameters
    ----------
    n_components : int, default=100
        Number of hidden units, the paper's F. Several hundred are better with
        ``orientation="item"``.
    orientation : {"user", "item"}, default="user"
        Whether users or items are the examples, see above.
    conditional : bool, default=False
        Whether to add :math:`\sum_{i \in R_u} D_{if}` to :math:`c_f`, so that the set of rated
        items counts, too: the paper's conditional RBM.
    n_levels : int, default=10
        Most levels, from 2 to 100. If ratings have more distinct values, the levels are the means
        of this many bins of about equal counts.
    n_gibbs_steps : int, default=1
        The number T of steps in the first epochs.
    max_gibbs_steps : int or None, default=None
        The T of the last epochs; T rises in equal shares of the epochs. None: T stays the same.
    alpha : float, default=0.001
        Penalty, >= 0; hidden biases have none.
    learning_rate : float, default=0.05
        Learning rate of the first epochs, > 0, for the mean gradient of a batch.
    schedule : {"linear", "constant"}, default="linear"
        Whether the learning rate falls linearly, epoch by epoch, to 0 at `max_iter`, or stays
        constant.
    momentum : float, default=0.9
        Share of a step that the next one repeats, in [0, 1).
    batch_size : int, default=100
        Examples in a batch.
    max_iter : int, default=50
        Number of epochs.
    known_users : {"match", "fold_in"}, default="match"
        With ``orientation="item"``, how to score a row that equals a training row in items and
        ratings: "match" takes the weights learned for it, "fold_in" solves for them as for a new
        row. No effect with ``orientation="user"``.
    random_state : int, RandomState or None, default=None
        Seed of the first weights, the order and the samples. The same seed gives the same
        bits for any `n_jobs`.
    n_jobs : int or None, default=None
        Threads; None: all cores.
    verbose : bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    levels_ : ndarray of shape (K,), float64
        The levels, ascending.
    item_weights_ : ndarray of shape (n_items, K, n_components), float32
        The W; zeros for items without ratings. This and the next two exist only with
        ``orientation="user"``.
    item_intercept_ : ndarray of shape (n_items, K), float32
        The b.
    rated_weights_ : ndarray of shape (n_items, n_components), float32
        The D; only with ``conditional=True``.
    user_weights_ : ndarray of shape (n_users, K, n_components), float32
        The W of the training users; zeros for users without ratings. This and the next three
        exist only with ``orientation="item"``.
    user_intercept_ : ndarray of shape (n_users, K), float32
        The b of the training users.
    components_ : ndarray of shape (n_components, n_items), float32
        The codes of the items.
    user_hashes_ : ndarray of uint64 of shape (n_users, 2)
        Hashes of the training rows, to match rows with them.
    intercept_hidden_ : ndarray of shape (n_components,), float32
        The c.
    loss_curve_ : list of float
        Mean of :math:`-\log p(k_i \mid h)` over the ratings in each epoch, at hidden states
        drawn from the data, computed before each update.
    n_iter_ : int
        Number of epochs.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.

    See Also
    --------
    UserAutoRec : An autoencoder of the same rows, trained by gradients.
    ItemAutoRec : An autoencoder of the same columns.
    skrec.decomposition.BiasedMF : Usually more accurate, and faster.

    Notes
    -----
    A rating that is not a level counts as the nearest level. Predictions lie between the least
    and the greatest level.

    An epoch takes about ``(2 T + 6) * X.nnz * n_components`` multiplications and additions, and
    ``2 * T * X.nnz * K * n_components`` for the softmax; a batch moves six numbers for each
    weight. The weights of the units take ``4 * n_units * K * n_components`` bytes, twice as much
    during `fit`. With ``orientation="item"`` a new row of n ratings takes some tens of steps of
    ``4 n K min(n, n_components)`` flops.

    On validation ratings of MovieLens-1M, neither a rising T nor ``conditional=True`` lowered the
    error with ``orientation="user"``.

    Differs from [1]_: the penalty holds biases near the log frequencies; the learning rate falls;
    the probabilities of hidden units, not their states, enter the gradient; T is the same in
    all epochs unless `max_gibbs_steps` is given. Predictions use the paper's second formula, with
    probabilities in place of hidden states, not the exact conditional distribution. The item
    orientation follows [2]_, which does not treat new users.

    References
    ----------
    .. [1] R. Salakhutdinov, A. Mnih and G. Hinton, "Restricted Boltzmann machines for
       collaborative filtering", ICML 2007.
    .. [2] S. Sedhain, A. K. Menon, S. Sanner and L. Xie, "AutoRec: Autoencoders meet
       collaborative filtering", WWW 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.autoencoder import RBMRecommender
    >>> X = np.array([[5, 4, 0, 1], [4, 5, 2, 0], [1, 2, 5, 4], [0, 1, 4, 5]] * 5)
    >>> model = RBMRecommender(8, learning_rate=0.2, max_iter=100, random_state=0)
    >>> model.fit(X).predict([[5, 0, 0, 1], [1, 0, 0, 5]])
    array([1, 2])
    """

    # A row matches a training row by its ratings, not only by its items.
    _reads_values = True

    _parameter_rules = {
        "n_components": POSITIVE_INTEGER,
        "orientation": Options(("user", "item")),
        "conditional": BOOLEAN,
        "n_levels": Interval(2, 100, integer=True),
        "n_gibbs_steps": POSITIVE_INTEGER,
        "max_gibbs_steps": (Options((None,)), POSITIVE_INTEGER),
        "alpha": NON_NEGATIVE,
        "learning_rate": POSITIVE,
        "schedule": Options(("linear", "constant")),
        "momentum": FRACTION,
        "batch_size": POSITIVE_INTEGER,
        "max_iter": POSITIVE_INTEGER,
        "known_users": KNOWN_USERS,
    }
    _search_grid = [
        {"n_components": n_components, "alpha": alpha}
        for n_components in (100, 300)
        for alpha in (0.0005, 0.001, 0.002)
    ]

    _fitted_rules = {
        "levels_": Array("n_levels", dtypes=("float64",)),
        "intercept_hidden_": Array("n_components", dtypes=_SINGLE),
        "item_weights_": _of_users(Array("n_items", "n_levels", "n_components", dtypes=_SINGLE)),
        "item_intercept_": _of_users(Array("n_items", "n_levels", dtypes=_SINGLE)),
        "rated_weights_": required_if(
            lambda self: self.conditional and self.orientation == "user",
            Array("n_items", "n_components", dtypes=_SINGLE),
        ),
        "user_weights_": _of_items(Array("n_users", "n_levels", "n_components", dtypes=_SINGLE)),
        "user_intercept_": _of_items(Array("n_users", "n_levels", dtypes=_SINGLE)),
        "components_": _of_items(Array("n_components", "n_items", dtypes=_SINGLE)),
        "user_hashes_": _of_items(Array("n_users", 2, dtypes=("uint64",))),
        "_level_counts": Array("n_levels", dtypes=("int64",), low=0),
        "_n_examples": COUNT,
    }

    def __init__(
        self,
        n_components=100,
        *,
        orientation="user",
        conditional=False,
        n_levels=10,
        n_gibbs_steps=1,
        max_gibbs_steps=None,
        alpha=0.001,
        learning_rate=0.05,
        schedule="linear",
        momentum=0.9,
        batch_size=100,
        max_iter=50,
        known_users="match",
        random_state=None,
        n_jobs=None,
        verbose=False,
    ):
        self.n_components = n_components
        self.orientation = orientation
        self.conditional = conditional
        self.n_levels = n_levels
        self.n_gibbs_steps = n_gibbs_steps
        self.max_gibbs_steps = max_gibbs_steps
        self.alpha = alpha
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.momentum = momentum
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.known_users = known_users
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = False
        tags.recommender_tags.predicts_ratings = True
        tags.recommender_tags.learned_users = self.orientation == "item"
        return tags

    def fit(self, X, y=None):
        """Learn the weights.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Ratings; zeros mean "not rated".
        y : ignored
            Present for scikit-learn's conventions.

        Returns
        -------
        self : RBMRecommender
            The fitted recommender.

        Raises
        ------
        ValueError
            If a parameter or X is not valid, or if the weights diverge.
        """
        X = self._start_fit(X)
        for name in (name for names in _FITTED.values() for name in names):
            vars(self).pop(name, None)
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31 - 1))
        self.levels_ = find_levels(X.data, self.n_levels)
        self._level_counts = np.bincount(
            nearest_level(X.data, self.levels_), minlength=len(self.levels_)
        )
        examples = X if self.orientation == "user" else X.T.tocsr()
        self._n_examples = int(np.count_nonzero(np.diff(examples.indptr)))
        machine = self._train(examples, rng)
        self.intercept_hidden_ = machine.hidden_bias
        if self.orientation == "user":
            self.item_weights_, self.item_intercept_ = machine.weight, machine.bias
            if self.conditional:
                self.rated_weights_ = machine.rated
        else:
            self.user_weights_, self.user_intercept_ = machine.weight, machine.bias
            self.components_ = np.ascontiguousarray(self._encode(examples, machine).T)
            self._remember(X)
        self.n_iter_ = len(self.loss_curve_)
        return self

    def _train(self, examples, rng):
        """The `Machine` of the rows of a csr_array, trained."""
        levels = nearest_level(examples.data, self.levels_)
        machine = first_machine(
            examples, levels, self._level_counts, self.n_components, self.conditional, rng
        )
        divergence = ContrastiveDivergence(
            examples,
            levels,
            machine,
            momentum=self.momentum,
            alpha=self.alpha,
            batch_size=self.batch_size,
            rng=rng,
            n_jobs=self.n_jobs,
        )
        self.loss_curve_ = []
        progress = ProgressBar(range(self.max_iter), "RBMRecommender", shown=self.verbose)
        for epoch in progress:
            rate = self.learning_rate * rate_share(self.schedule, epoch / self.max_iter)
            loss = divergence.epoch(rate, self._gibbs_steps(epoch))
            if not machine.is_finite():
                raise ValueError(
                    f"Contrastive divergence diverges: after epoch {epoch + 1} the weights are not "
                    f"finite at learning_rate={self.learning_rate:g}. Use a smaller learning_rate."
                )
            self.loss_curve_.append(loss)
        return machine

    def _gibbs_steps(self, epoch):
        """T of an epoch, counted from 0."""
        if self.max_gibbs_steps is None:
            return self.n_gibbs_steps
        more = max(0, self.max_gibbs_steps - self.n_gibbs_steps)
        return self.n_gibbs_steps + (more + 1) * epoch // self.max_iter

    def _encode(self, examples, machine, dtype=np.float32):
        """p(h | V) of the rows of a csr_array, shape (n_rows, n_components)."""
        levels = nearest_level(examples.data, self.levels_)
        return hidden_probabilities(examples, levels, machine, dtype, n_jobs=self.n_jobs)

    @property
    def _by_user(self):
        """Whether an example of the fit was a user."""
        return hasattr(self, "item_weights_")

    @property
    def _n_features_out(self):
        return len(self.intercept_hidden_)

    @property
    def _known_vectors(self):
        """Weights and biases of the training users, a row for each, flattened."""
        return _joined(self.user_weights_, self.user_intercept_)

    def _fold_in(self, X, hashes=None):
        levels = nearest_level(X.data, self.levels_)
        codes = self.components_.T.astype(np.float64)
        start = log_frequencies(X, levels, self._level_counts).astype(np.float64)
        return _joined(*solve_units(X, levels, codes, start, self.alpha * self._n_examples))

    def _users(self, X):
        """The rows' part of their scores, in the dtype of X.

        Returns
        -------
        users : tuple of ndarray
            Codes of the rows with ``orientation="user"``, otherwise their weights and biases.
        """
        if self._by_user:
            rated = getattr(self, "rated_weights_", np.zeros((0, self._n_features_out)))
            machine = Machine(
                self.item_weights_, self.item_intercept_, self.intercept_hidden_, rated
            )
            return (self._encode(X, machine, X.dtype),)
        vectors = self._vectors(X).astype(X.dtype, copy=False)
        n_levels = len(self.levels_)
        weight = vectors[:, :-n_levels].reshape(len(vectors), n_levels, -1)
        return weight, vectors[:, -n_levels:]

    def _scores(self, X):
        users, scores = self._users(X), np.empty(X.shape, dtype=X.dtype)
        with one_blas_thread():
            if self._by_user:
                self._expect_items(*users, scores)
            else:
                self._expect_users(*users, scores)
        return scores

    def _expect_items(self, codes, scores):
        n_levels = len(self.levels_)
        weight = self.item_weights_.astype(codes.dtype, copy=False)
        bias = self.item_intercept_.astype(codes.dtype, copy=False)
        size = max(1, _BLOCK // (max(1, len(codes)) * n_levels))

        def blocks(start, stop):
            for first in range(start, stop, size):
                part = slice(first, min(first + size, stop))
                logits = codes @ weight[part].reshape(-1, codes.shape[1]).T
                logits = logits.reshape(len(codes), -1, n_levels) + bias[part]
                scores[:, part] = expected_level(logits, self.levels_)

        run_ranges(blocks, scores.shape[1], n_jobs=self.n_jobs if scores.size > _BLOCK else 1)

    def _expect_users(self, weight, bias, scores):
        codes = self.components_.T.astype(scores.dtype, copy=False)

        def rows(start, stop):
            for row in range(start, stop):
                logits = codes @ weight[row].T + bias[row]  # (n_items, K)
                scores[row] = expected_level(logits, self.levels_)

        run_ranges(rows, len(scores), n_jobs=self.n_jobs if scores.size > _BLOCK else 1)

    def _pair_scores(self, X, rows, items):
        users, scores = self._users(X), np.empty(len(rows), dtype=X.dtype)
        size = max(1, _BLOCK // (len(self.levels_) * self._n_features_out))
        for start in range(0, len(rows), size):
            part = slice(start, start + size)
            row, item = rows[part], items[part]
            if self._by_user:
                code, weight, bias = users[0][row], self.item_weights_, self.item_intercept_
                weight, bias = weight[item].astype(X.dtype), bias[item].astype(X.dtype)
            else:
                code = self.components_.T[item].astype(X.dtype)
                weight, bias = users[0][row], users[1][row]
            logits = np.matmul(weight, code[:, :, np.newaxis])[:, :, 0] + bias
            scores[part] = expected_level(logits, self.levels_)
        return scores

    def transform(self, X):
        r"""Compute vectors of users.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Ratings of the users, known or new.

        Returns
        -------
        vectors : ndarray of shape (n_users, n_components), dtype of X
            With ``orientation="user"`` the probabilities of the hidden units. With
            ``orientation="item"`` :math:`\sum_k (r_k - \bar r) W_{uk}`, where r are the levels and
            :math:`\bar r` is their mean: what each hidden unit of an item adds for the user.
        """
        X = self._start_dense(X, self._n_features_out)
        vectors = self._users(X)[0]
        if not self._by_user:
            centred = (self.levels_ - self.levels_.mean()).astype(X.dtype)
            vectors = np.einsum("ukf,k->uf", vectors, centred)
        return require_finite(vectors, "The vectors of users")


def _joined(weight, bias):
    return np.concatenate([weight.reshape(len(weight), -1), bias], axis=1)
