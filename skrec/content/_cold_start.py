"""ColdStart: a ridge regression from features to scores, for items without users."""

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_array, issparse
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.validation import has_fit_parameter

from skrec._delegation import (
    FitThatMayWeigh,
    aligned_side,
    check_scores,
    fit_keywords,
    kind_of_model,
    readable_side,
    seeded_clone,
    side_keywords,
)
from skrec._factors import factor_scores
from skrec.base import BaseRecommender, UserSideMixin
from skrec.decomposition import PureSVD
from skrec.utils._fitted import Absent, Array, Fitted, refused
from skrec.utils._memory import check_memory
from skrec.utils._params import NONE, POSITIVE, InstanceOf
from skrec.utils._validation import check_sample_weight

_RIDGE = ("item_has_users_", "coef_", "feature_means_", "cold_weights_")


class ColdStart(MetaEstimatorMixin, UserSideMixin, BaseRecommender):
    r"""Any recommender, with a ridge regression from features to scores for items without users.

    `estimator` scores the items with users in X. A ridge regression of a user's scores on the
    features of these items,

    .. math:: \min_{b, w} \sum_{i \,\mathrm{has\ users}} (s_{ui} - b - w^T f_i)^2
        + \alpha \|w\|^2,

    gives the scores :math:`b + w^T f_i` of all other items. The scores of a factor model are
    :math:`v_u^T q_i + b_i`; then those of the other items are :math:`v_u^T \hat q_i + \hat b_i`,
    where a ridge regression predicts :math:`\hat q_i` and :math:`\hat b_i` from features, as in the
    attribute mapping of [1]_: a ridge regression is linear in its targets.

    Parameters
    ----------
    estimator : recommender, default=None
        Scores the items that have users. A pipeline or a search that ends in a recommender works
        too. None: ``PureSVD()``.
    alpha : float, default=1.0
        Penalty :math:`\alpha > 0`. Features are first divided by their mean length over items
        with users, so that `alpha` means the same in any unit.
    random_state : int, RandomState or None, default=None
        Seed of `estimator` where its own `random_state` is None.

    Attributes
    ----------
    estimator_ : recommender
        The fitted model. With features it has only the columns of X with users; else all.
    item_has_users_ : ndarray of bool of shape (n_items,)
        Which items are columns of `estimator_`. Only with features, as the next three attributes.
    coef_ : ndarray of shape (n_item_features, n_known), float64
        ``coef_ @ scores`` is the w of a user with these scores of the n_known items with users.
    feature_means_ : ndarray of shape (n_item_features,), float64
        Means of the features of items with users, in the unit of the features.
    cold_weights_ : ndarray of shape (n_known, n_cold), float64
        ``scores @ cold_weights_`` are the scores of the n_cold items without users.
    n_item_features_in_ : int
        Number of item features; only if there were any.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.

    See Also
    --------
    VBPR : Learns vectors and a projection of features together.
    skrec.neighbors.ItemKNN : With ``item_features``, joins similarities of content and of users.

    Notes
    -----
    Without ``item_features``, `ColdStart` is `estimator`. Only the regression reads the features,
    even where `estimator` could read them. `estimator` is fitted to the columns with users only:
    empty columns change no score, and ``fit(X, F).with_items(N)`` equals a fit with N and empty
    columns. It also sees only these columns of a row to score.

    A column without users is a new item of a shop, or an item that nobody wants. Both get the
    scores of items with similar features.

    `coef_` is dense. Reduce text features of thousands of words first, for example by
    scikit-learn's TruncatedSVD.

    Differs from [1]_: the paper also learns the mapping of attributes by BPR's loss or by nearest
    neighbours. Here it is linear, fitted by least squares, and has an intercept.

    References
    ----------
    .. [1] Z. Gantner, L. Drumond, C. Freudenthaler, S. Rendle, L. Schmidt-Thieme, "Learning
       attribute-to-feature mappings for cold-start recommendations", ICDM 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.content import ColdStart
    >>> from skrec.decomposition import PureSVD
    >>> X = np.array([[1, 1, 0, 0, 0], [0, 0, 1, 1, 0]] * 10)  # nobody has the last item
    >>> F = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [1, 0]])  # it is like the first two
    >>> model = ColdStart(PureSVD(2), alpha=0.1).fit(X, item_features=F)
    >>> scores = model.decision_function(X[:2])
    >>> bool(scores[0, 4] > scores[1, 4])
    True
    >>> model.with_items([[0, 1]]).recommend([[0, 0, 1, 1, 0, 0]], k=1)
    array([[5]])
    """

    _parameter_rules = {
        "estimator": (NONE, InstanceOf((BaseEstimator,), "a recommender (not a class)")),
        "alpha": POSITIVE,
    }
    # A given estimator's own settings are tried instead.
    _search_grid = [{"alpha": alpha} for alpha in (0.3, 1.0, 3.0, 10.0)]
    _search_within = "estimator"

    _fitted_rules = {
        "estimator_": Fitted(size="n_known"),
        "item_has_users_": Absent(Array("n_items", dtypes=("bool",))),
        "coef_": Absent(Array("n_item_features", "n_known", dtypes=("float64",))),
        "feature_means_": Absent(Array("n_item_features", dtypes=("float64",))),
        "cold_weights_": Absent(Array("n_known", "n_cold", dtypes=("float64",))),
    }

    def __init__(self, estimator=None, *, alpha=1.0, random_state=None):
        self.estimator = estimator
        self.alpha = alpha
        self.random_state = random_state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        base = self._base()
        tags.input_tags.positive_only = get_tags(base).input_tags.positive_only
        tags.recommender_tags.predicts_ratings = kind_of_model(base).predicts_ratings
        tags.recommender_tags.learned_users = kind_of_model(base).learned_users
        rows = readable_side(base) & {"user_features", "context"}
        tags.recommender_tags.reads = frozenset({"item_features"}) | rows
        return tags

    def _base(self):
        # `fit` refuses anything that is not an estimator, but tags are asked for before.
        return self.estimator if isinstance(self.estimator, BaseEstimator) else PureSVD()

    def _weighs(self):
        return has_fit_parameter(self._base(), "sample_weight")

    def fit(
        self,
        X,
        y=None,
        *,
        item_features=None,
        user_features=None,
        context=None,
        sample_weight=None,
    ):
        """Fit the model to the items with users, and the regression to its scores.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions, or ratings, as the model takes them.
        y : ignored
            Present for scikit-learn's conventions.
        item_features : ItemFeatures, {array-like, sparse matrix, dataframe} of shape \
                (n_items, n_item_features), default=None
            Row i describes column i of X. None: the model alone.
        user_features : {array-like, sparse matrix, dataframe} of shape \
                (n_users, n_user_features), default=None
            Passed on to an estimator that reads them, as is `context`.
        context : InteractionContext, default=None
            One row for each stored entry of X.
        sample_weight : array-like of shape (n_users,), default=None
            Weights of the users; only present if `estimator` has it.

        Returns
        -------
        self : ColdStart
            The fitted recommender.

        Raises
        ------
        TypeError
            If `estimator` has no ``decision_function``, or does not read an argument given here.
        ValueError
            If a parameter, X or the features are not valid.
        MemoryError
            If the regression does not fit into memory.
        """
        X = self._start_fit(X)
        side = self._start_side(
            X, item_features=item_features, user_features=user_features, context=context
        )
        base = self._base()
        check_scores(self, "estimator", base)
        for name in _RIDGE:
            vars(self).pop(name, None)
        if side.item_features is not None:
            X, side = self._fit_ridge(X, side, sample_weight)
        given = fit_keywords(
            base, aligned_side(side._replace(item_features=None), X), sample_weight
        )
        model = seeded_clone(base, check_random_state(self.random_state))
        self.estimator_ = model.fit(X, **given)
        return self

    def _fit_ridge(self, X, side, sample_weight):
        """Fit the regression; returns the columns with users, and the rest of `side` for them."""
        users = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
        weight = check_sample_weight(sample_weight, X.shape[0], np.float64)
        counts = True if weight is None else weight[users] > 0
        has_users = np.zeros(X.shape[1], dtype=bool)
        has_users[X.indices[np.broadcast_to(counts, X.nnz)]] = True
        if not has_users.any():  # nothing is known of any item
            has_users[:] = True
        known, features = np.flatnonzero(has_users), side.item_features
        self.coef_, self.feature_means_ = ridge(features[known], self.alpha)
        self.item_has_users_ = has_users
        self.cold_weights_ = self._weights_of(features[np.flatnonzero(~has_users)])
        kept = has_users[X.indices]
        if side.context is not None and not kept.all():
            side = side._replace(context=side.context[np.flatnonzero(kept)])
        return csr_array(X[:, known]), side

    def _weights_of(self, features):
        """Weight of each known item's score in the score of each item of `features`."""
        n_known, n_cold = self.coef_.shape[1], features.shape[0]
        check_memory(
            8 * n_known * n_cold,
            f"ColdStart with {n_cold:,} items without users beside {n_known:,} with users",
            ["leave out items that nobody has", "add them in parts, with_items"],
        )
        # float64 whatever the dtype of the features: w is a difference of many scores.
        product = np.asarray(features.astype(np.float64) @ self.coef_)  # (n_cold, n_known)
        product += 1.0 / n_known - self.feature_means_ @ self.coef_
        return np.ascontiguousarray(product.T)

    def _check_fitted(self):
        if hasattr(self, "coef_"):
            n_known, n_cold = self.cold_weights_.shape
            found = int(self.item_has_users_.sum()), len(self.item_has_users_)
            if found != (n_known, n_known + n_cold):
                raise refused("ColdStart.item_has_users_", f"{found[0]} items", f"{n_known}")

    def _extended(self, item_features):
        n_new = item_features.shape[0]
        has_users = np.concatenate([self.item_has_users_, np.zeros(n_new, dtype=bool)])
        weights = np.hstack([self.cold_weights_, self._weights_of(item_features)])
        return {"item_has_users_": has_users, "cold_weights_": weights}

    def _scores(self, X, side=None):
        known = {} if side is None else side_keywords(self.estimator_, *side)
        if not hasattr(self, "coef_"):
            return self.estimator_.decision_function(X, **known).astype(X.dtype, copy=False)
        has_users = self.item_has_users_
        of_known = self.estimator_.decision_function(X[:, np.flatnonzero(has_users)], **known)
        scores = np.empty(X.shape, dtype=X.dtype)
        scores[:, has_users] = of_known
        scores[:, ~has_users] = factor_scores(of_known, self.cold_weights_, np.float64)
        return scores

    def _pair_scores(self, X, rows, items, side=None):
        has_users = getattr(self, "item_has_users_", np.ones(X.shape[1], dtype=bool))
        if not hasattr(self.estimator_, "score_pairs") or not has_users[items].all():
            return super()._pair_scores(X, rows, items, side)
        known = {} if side is None else side_keywords(self.estimator_, *side)
        places = np.cumsum(has_users) - 1
        X = X[:, np.flatnonzero(has_users)]
        scores = self.estimator_.score_pairs(X, rows, places[items], **known)
        return scores.astype(X.dtype, copy=False)


def ridge(features, alpha):
    """The matrix that turns targets of items into ridge weights of features, and feature means.

    Parameters
    ----------
    features : ndarray or csr_array of shape (n, d)
    alpha : float
        Penalty, for features of mean length 1.

    Returns
    -------
    coef : ndarray of shape (d, n), float64
        ``coef @ targets`` is the w of the ridge regression with intercept.
    means : ndarray of shape (d,), float64
    """
    n, d = features.shape
    check_memory(
        8 * (2 * n * d + 2 * min(n, d) ** 2),
        f"ColdStart with {d:,} features of {n:,} items",
        ["reduce the features first, such as by TruncatedSVD(300)"],
    )
    dense = (features.toarray() if issparse(features) else features).astype(np.float64)
    lengths = np.linalg.norm(dense, axis=1)
    lengths = lengths[lengths > 0]
    penalty = alpha * (lengths.mean() ** 2 if len(lengths) else 1.0)
    means = dense.mean(axis=0)
    dense -= means
    if d <= n:  # (F'F + alpha)^-1 F'
        gram = dense.T @ dense
        gram.flat[:: d + 1] += penalty
        return cho_solve(cho_factor(gram), dense.T), means
    gram = dense @ dense.T  # F' (FF' + alpha)^-1
    gram.flat[:: n + 1] += penalty
    return cho_solve(cho_factor(gram), dense).T, means


ColdStart.fit = FitThatMayWeigh(ColdStart.fit)
