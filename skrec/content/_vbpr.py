"""VBPR: Bayesian personalised ranking with features of the items (He and McAuley 2016)."""

import numpy as np
import torch
from scipy.sparse import eye_array, issparse
from torch import nn

from skrec._torch._learned_users import PAIR_RULES, FactorRecommender, first_rows, has_users
from skrec.content._cold import ColdRule, cold_level
from skrec.content._features import FeatureTable
from skrec.content._tables import seen_features, spread
from skrec.utils._fitted import Absent, Array, Number, refused
from skrec.utils._params import NON_NEGATIVE, POSITIVE, POSITIVE_INTEGER, Options
from skrec.utils._side_information import SideInformation

_STD = 0.1  # of the first vectors' lengths


class VBPRNet(nn.Module):
    """Vectors and biases of items, own ones and projections of their features.

    Parameters
    ----------
    n_users : int or None
        None: the vectors of users come from outside.
    n_items : int
    n_features : int
    n_components, n_content_components : int
    sparse : bool
        Whether gradients of vectors are sparse.
    """

    def __init__(self, n_users, n_items, n_features, n_components, n_content_components, sparse):
        super().__init__()
        self.sizes = [n_components, n_content_components]
        if n_users is not None:
            self.user = nn.Embedding(n_users, sum(self.sizes), sparse=sparse)
        self.item = nn.Embedding(n_items, n_components, sparse=sparse)
        self.bias = nn.Embedding(n_items, 1, sparse=sparse)
        # E for the content's vector, and in the last column beta' for its bias.
        self.projection = nn.Parameter(torch.empty(n_features, n_content_components + 1))
        self.features = None

    def forward(self, vector, item):
        """Outputs (n, m) of vectors (n, d) and items (n, m)."""
        own, of_content = vector.split(self.sizes, dim=1)
        content = self.features.product_of(item, self.projection)  # (n, m, d' + 1)
        product = (self.item(item) @ own[:, :, None])[:, :, 0]
        product = product + (content[:, :, :-1] @ of_content[:, :, None])[:, :, 0]
        return product + self.bias(item)[:, :, 0] + content[:, :, -1]


class VBPR(FactorRecommender):
    r"""Bayesian personalised ranking with projections of the items' features.

    The score of item i with features :math:`f_i` for user u is

    .. math:: s_{ui} = \beta_i + \gamma_u^T \gamma_i + \theta_u^T E f_i + \beta'^T f_i

    with biases, vectors, the projection E and :math:`\beta'` learned from triplets of a user,
    an item i of the user and an item j that the user does not have [1]_. The paper reads features
    of pictures; any table works. `fit` minimises the mean over the interactions (u, i). Each draws
    `n_negatives` items j anew in each epoch, uniformly among the items that somebody has and the
    user does not:

    .. math:: \frac{1}{|X|} \sum_{(u, i)} \left( \sum_j \ell(s_{ui} - s_{uj})
        + \frac{\alpha}{2} \Big( \|\gamma_u\|^2 + \|\theta_u\|^2 + \sum_{k \in \{i, j \ldots\}}
        (\|\gamma_k\|^2 + \beta_k^2) \Big) \right)
        + \frac{\alpha_E}{2} \left( \|E\|_F^2 + \|\beta'\|^2 \right)

    with :math:`\ell(x) = \log(1 + e^{-x})`, or :math:`\max(0, 1 - x)` with ``loss="hinge"``.

    Features rank an item without users in X; `with_items` adds items that were not columns of X.
    Beside the terms of its features such an item has predicted :math:`\gamma_i` and
    :math:`\beta_i`, and a level, see `cold_items`. Scores only rank items. Only the set of a
    user's items matters, not the stored values.

    Parameters
    ----------
    n_components : int, default=32
        Length of the vectors gamma of single items.
    n_content_components : int, default=32
        Length of the vectors theta and E f, the part of the features.
    loss : {"bpr", "hinge"}, default="bpr"
        The loss of a difference of scores, see above.
    n_negatives : int, default=1
        Items drawn for each interaction, > 0.
    alpha : float, default=0.03
        Penalty of the vectors and biases that an interaction and its negatives read, >= 0. A
        larger penalty lets features decide more. Then items without users rank better among
        all others.
    feature_alpha : float, default=3e-3
        Penalty :math:`\alpha_E` of the projection, >= 0. Without a penalty, and at the vectors'
        learning rate, the projection overfits the training items and ranks badly.
    feature_rate : float, default=0.3
        Learning rate of the projection, as a share of `learning_rate`, > 0.
    cold_items : {"predict", "zero"}, default="predict"
        The gamma and beta of items without users. "predict": a ridge regression predicts them,
        relative to their mean, from the features, learned on the other items [2]_; all these
        items also get one number, `cold_level_`. "zero": zeros, as in [1]_; then such items are
        ranked well among themselves, and low among items that have users.
    known_users : {"match", "fold_in"}, default="match"
        "match": a row with the same items as a training row gets its learned vector (the first
        such row's); any other row is folded in. "fold_in" folds every row in.
    solver : {"adam", "sparse_adam"}, default="adam"
        "adam" moves all vectors in each step. "sparse_adam" moves only those that the batch
        reads: a different optimiser, faster with many users or items.
    learning_rate : float, default=0.01
        Adam's learning rate, > 0.
    batch_size : int, default=1024
        Interactions in a batch, each with its negatives.
    max_iter : int, default=50
        Number of epochs; with `warm_start`, of further epochs.
    early_stopping : bool, default=False
        Whether to hold out items of the users, stop when the nDCG@100 of finding them no longer
        rises, and keep the best weights.
    validation_fraction : float, default=0.1
        Share of the items that `early_stopping` holds out, in (0, 1), of at most 10,000 users.
    n_iter_no_change : int, default=10
        Stop after this many epochs without a rise by more than `tol`.
    tol : float, default=1e-4
        Smallest rise of the validation score that counts, >= 0.
    warm_start : bool, default=False
        Whether a further `fit` continues from the fitted weights. Rows seen before start from
        their vectors (equal rows from the first one's); other rows are folded in first. Pass
        the features again. Adam's moments start anew.
    device : {"auto", "cpu", "cuda", "cuda:N"} or torch.device, default="auto"
        Where to compute, resolved at each call; "auto" takes CUDA where there is one.
    random_state : int, RandomState or None, default=None
        Seed of the first weights, the order and the negatives. The same seed gives the same
        bits on the same CPU.
    verbose : bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    components_ : ndarray of shape (n_components + n_content_components, n_items), float32
        The vectors of the items: gamma, and below it E f.
    item_bias_ : ndarray of shape (n_items,), float32
        The beta plus the biases made of features.
    user_factors_ : ndarray of shape (n_users, n_components + n_content_components), float32
        The gamma and theta of the training users. A user without items, or with every item that
        anybody has, has zeros, or with ``alpha=0`` the mean of the others.
    user_hashes_ : ndarray of uint64 of shape (n_users, 2)
        Hashes that identify the rows of training users.
    user_mean_ : ndarray of shape (n_components + n_content_components,)
        Mean of the vectors of the users who were in training pairs.
    user_precision_ : ndarray of shape (d, d), d being n_components + n_content_components
        Inverse of the covariance of these vectors; with ``alpha=0`` both serve to fold users in.
    seed_ : int
        Seed of the negatives that folding in draws.
    item_has_users_ : ndarray of bool of shape (n_items,)
        Which items had users at `fit`: negatives are drawn among these.
    feature_scale_ : float
        Divisor of the features: the root mean square distance of the features of items with
        users from their mean.
    cold_projection_ : ndarray of shape (n_item_features, n_components + 1), float32
        Turns divided features into the gamma and, in the last column, the beta of items without
        users; only with ``cold_items="predict"`` and features, as the next two.
    cold_offset_ : ndarray of shape (n_components + 1,), float32
        Added to the product, unless a row of features is zero.
    cold_level_ : float
        Added to the beta of items without users.
    weights_ : dict of str to ndarray, float32
        "item.weight", gamma; "bias.weight", beta; "projection", E and, in the last column,
        beta', for features divided by `feature_scale_`. Zero for items without users, and for
        features that no item with users has.
    loss_curve_ : list of float
        Mean loss of an interaction over the batches of each epoch, the penalty of the vectors
        included.
    validation_scores_ : list of float
        nDCG@100 of the held-out items after each epoch; empty without `early_stopping`.
    best_validation_score_ : float
        The best of these scores, or the score of the model that a resumed fit started from; only
        with `early_stopping`.
    n_iter_ : int
        Number of epochs.
    counts_ : bool
        Whether X of `fit` held whole numbers only.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.
    n_item_features_in_ : int
        Number of features; only if there were features.
    item_feature_names_in_ : ndarray of str of shape (n_item_features,)
        Only if the features had string column names.

    See Also
    --------
    skrec.decomposition.BPR : The same without features.

    Notes
    -----
    *Time*: each triplet takes about ``20 * (n_components + n_content_components)`` flops, and each
    batch 6 for each component and entry of the features, of all items or of those in the batch;
    Adam updates all weights. *Memory*: features are not kept; a fit makes one float32 copy of
    them.

    Features are divided by one number, so that neither penalty nor learning rate depends on
    their unit. A part common to all features has no effect on pairs. The scales of the columns
    count: standardise tables such as genres (`~sklearn.preprocessing.StandardScaler`), so that
    rare ones have an effect. A row of zeros means that nothing is known of an item. Features made
    from the interactions, held-out ones included, leak what is to be predicted.

    Zeros in place of gamma and beta rank items without users too low, for two reasons. The gamma
    and beta of items with users learn a part of what their features tell, since E and beta' learn
    more slowly. And training pushes down the items that a user does not have, but never an item
    without users. So the scores of such items lie closer together than the scores of other items,
    which take the heads of the lists. The regression restores the first part. The level restores
    the second. It scores training pairs of items, first the one and then the other as if nobody
    had it, and minimises :math:`\sum \log(1 + e^{-x})` over the differences x.

    A new row is folded in: Newton's method minimises the loss of the whole row and the penalty
    over its vector, in float64. Its content and `seed_` determine 256 negatives, which count for
    `n_negatives`; a row's scores depend on no other row. With ``alpha=0`` a normal prior with the
    mean and the covariance of the learned vectors replaces the penalty.

    Differs from [1]_: Adam on batches replaces stochastic descent; one alpha penalises the
    vectors of users and items; E is penalised, and learns more slowly; an item without users is not
    a negative, and its parameters come from its features instead of zeros.

    References
    ----------
    .. [1] R. He and J. McAuley, "VBPR: visual Bayesian personalized ranking from implicit
       feedback", AAAI 2016.
    .. [2] Z. Gantner, L. Drumond, C. Freudenthaler, S. Rendle and L. Schmidt-Thieme, "Learning
       attribute-to-feature mappings for cold-start recommendations", ICDM 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.content import VBPR
    >>> X = np.array([[1, 1, 0, 0, 0], [0, 0, 1, 1, 0]] * 10)  # nobody has the last item
    >>> F = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [1, 0]])  # it is like the first two
    >>> model = VBPR(2, n_content_components=2, random_state=0).fit(X, item_features=F)
    >>> model.predict(X[:2])
    array([4, 4])
    >>> scores = model.decision_function(X[:2])
    >>> bool(scores[0, 4] > scores[1, 4])
    True
    >>> model.with_items([[0, 1]]).n_features_in_
    6
    """

    _parameter_rules = {
        "n_components": POSITIVE_INTEGER,
        "n_content_components": POSITIVE_INTEGER,
        "feature_alpha": NON_NEGATIVE,
        "feature_rate": POSITIVE,
        "cold_items": Options(("predict", "zero")),
        **PAIR_RULES,
        "loss": Options(("bpr", "hinge")),
    }
    _search_grid = [{"alpha": alpha} for alpha in (0.01, 0.03, 0.07, 0.2)]

    _fitted_rules = {
        "feature_scale_": Number(0),
        "cold_projection_": Absent(Array("n_item_features", "n_own", dtypes=("float32",))),
        "cold_offset_": Absent(Array("n_own", dtypes=("float32",))),
        "cold_level_": Absent(Number()),
    }

    def __init__(
        self,
        n_components=32,
        *,
        n_content_components=32,
        loss="bpr",
        n_negatives=1,
        alpha=0.03,
        feature_alpha=3e-3,
        feature_rate=0.3,
        cold_items="predict",
        known_users="match",
        solver="adam",
        learning_rate=0.01,
        batch_size=1024,
        max_iter=50,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        warm_start=False,
        device="auto",
        random_state=None,
        verbose=False,
    ):
        self.n_components = n_components
        self.n_content_components = n_content_components
        self.loss = loss
        self.n_negatives = n_negatives
        self.alpha = alpha
        self.feature_alpha = feature_alpha
        self.feature_rate = feature_rate
        self.cold_items = cold_items
        self.known_users = known_users
        self.solver = solver
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y=None, *, item_features=None):
        """Learn vectors, biases and the projection.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions, >= 0.
        y : ignored
            Present for scikit-learn's conventions; passed to callbacks.
        item_features : ItemFeatures, {array-like, sparse matrix, dataframe} of shape \
                (n_items, n_item_features), default=None
            Row i describes column i of X. None: only its place describes an item, and the
            model is BPR with ``n_components + n_content_components`` components.

        Returns
        -------
        self : VBPR
            The fitted recommender.

        Raises
        ------
        ValueError
            If a parameter, X or the features are not valid, or the loss is not finite. The
            estimator then stays as it was.

        Warns
        -----
        ConvergenceWarning
            If the fit was interrupted: the model of the last whole epoch is kept.
        """
        return self._fit_weighted(X, None, y=y, side=SideInformation(item_features))

    def _build_module(self, shape, problem=None):
        features = None if problem is None else _features_of(problem)
        n_features = len(self.weights_["projection"]) if problem is None else features.shape[1]
        module = VBPRNet(
            *shape, n_features, self.n_components, self.n_content_components,
            self.solver == "sparse_adam",
        )  # fmt: skip
        if problem is not None:
            kept, generator = has_users(problem.X), problem.generator
            first_rows(module.user.weight, None, _STD / sum(module.sizes) ** 0.5, generator)
            first_rows(module.item.weight, kept, _STD / module.sizes[0] ** 0.5, generator)
            seen = seen_features(features, kept)
            first_rows(module.projection, seen, _STD / module.sizes[1] ** 0.5, generator)
            with torch.no_grad():
                module.projection[:, -1] = 0
                module.bias.weight.zero_()
            if not self.n_iter_:  # a fit that continues keeps the unit of its projection
                self.feature_scale_ = spread(features, kept)
            module.features = FeatureTable(features, problem.device, self.feature_scale_)
        return module

    def _check_fitted(self):
        width = getattr(self, "n_item_features_in_", None)
        n_features = len(self.weights_["projection"])
        if width is not None and n_features != width:
            raise refused("VBPR.weights_['projection']", f"{n_features} rows", f"{width}")

    def _parameter_groups(self, module):
        projection = {
            "params": [module.projection],
            "lr": self.learning_rate * self.feature_rate,
            "weight_decay": self.feature_alpha,
        }
        names = ("user", "item", "bias")
        return [{"params": [getattr(module, name).weight for name in names]}, projection]

    def _penalty(self, module, vector, item):
        squares = module.item(item).square().sum((1, 2)) + module.bias(item).square().sum((1, 2))
        return vector.square().sum(1) + squares

    def _item_vectors(self, module):
        content = module.features.product(module.projection)
        items = torch.cat([module.item.weight, content[:, :-1]], dim=1)
        return items, module.bias.weight[:, 0] + content[:, -1]

    def _keep(self, module, problem):
        super()._keep(module, problem)
        # State of an earlier fit must not remain beside the state set here.
        for name in ("cold_projection_", "cold_offset_", "cold_level_"):
            vars(self).pop(name, None)
        if problem.item_features is None or self.cold_items == "zero":
            return
        features, kept = _features_of(problem), self.item_has_users_
        own = np.hstack([self.weights_[name] for name in ("item.weight", "bias.weight")])
        rule = ColdRule.fitted(features, self.feature_scale_, kept, own)
        self.cold_projection_, self.cold_offset_ = rule.projection, rule.offset
        expected = rule(features, self.feature_scale_)  # (n_items, n_components + 1)
        with torch.inference_mode():
            warm = self._item_vectors(module)
            change = torch.from_numpy(expected - own).to(problem.device)
            cold = warm[0].clone(), warm[1] + change[:, -1]
            cold[0][:, : self.n_components] += change[:, :-1]
            self.cold_level_ = cold_level(problem, module.user.weight, warm, cold)
        self.components_[: self.n_components, ~kept] = expected[~kept, :-1].T
        self.item_bias_[~kept] += expected[~kept, -1] + np.float32(self.cold_level_)

    def _cold_rows(self, features):
        """Vectors and biases of items without users, shape (m, n_components + 1)."""
        if not hasattr(self, "cold_level_"):
            width = self.weights_["item.weight"].shape[1] + 1
            return np.zeros((features.shape[0], width), np.float32)
        rule = ColdRule(self.cold_projection_, self.cold_offset_)
        rows = rule(features, self.feature_scale_)
        rows[:, -1] += np.float32(self.cold_level_)
        return rows

    def _extended(self, item_features):
        content = (item_features @ self.weights_["projection"]) / self.feature_scale_
        content = np.asarray(content, dtype=np.float32)  # (m, n_content_components + 1)
        n_new = len(content)
        longer = {}
        for name in ("item.weight", "bias.weight"):  # an item without users has zeros
            known = self.weights_[name]
            longer[name] = np.concatenate([known, np.zeros((n_new, known.shape[1]), known.dtype)])
        own = self._cold_rows(item_features)
        columns = np.hstack([own[:, :-1], content[:, :-1]]).T
        return {
            "components_": np.hstack([self.components_, columns]),
            "item_bias_": np.concatenate([self.item_bias_, content[:, -1] + own[:, -1]]),
            "item_has_users_": np.concatenate([self.item_has_users_, np.zeros(n_new, bool)]),
            "weights_": {**self.weights_, **longer},
        }


def _features_of(problem):
    """The features of a problem; without any, each item has its own."""
    features = problem.item_features
    if features is None:
        return eye_array(problem.X.shape[1], format="csr", dtype=np.float32)
    return features.tocsr() if issparse(features) else features
