"""Recency: any recommender, on rows whose older entries weigh less."""

import warnings

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from skrec._delegation import (
    FitThatMayWeigh,
    aligned_side,
    check_scores,
    fit_keywords,
    kind_of_model,
    longer_model,
    readable_side,
    scores_of,
    seeded_clone,
    side_keywords,
)
from skrec.base import BaseRecommender, UserSideMixin
from skrec.linear_model import EASE
from skrec.utils._fitted import Fitted
from skrec.utils._params import NONE, InstanceOf, Interval, check_parameters
from skrec.utils._times import (
    HALF_LIFE,
    UNIT,
    check_times,
    decayed,
    ones_like,
    warn_if_unordered,
)

# Rows and weights for the test whether a decay changes scores at all.
_N_ROWS, _VISIBLE = 8, 0.75


def _within_has(method):
    def has(self):
        return hasattr(getattr(self, "estimator_", self._base()), method)

    return has


class Recency(MetaEstimatorMixin, UserSideMixin, BaseRecommender):
    r"""A recommender in whose scores a user's recent items count more than old ones.

    The values of X are times: numbers > 0 in any unit, larger values are later. `estimator` is
    fitted to ones instead of times. It scores rows in which an entry of age a weighs

    .. math:: w(a) = \max(\mathrm{floor},\; 2^{-a / h}),

    with the half-life h [1]_; age counts from the row's latest time. So the fit ignores times, and
    only the rows to score are decayed. On MovieLens-1M this brings most of the gain from times:
    see the guide, "When order and time matter".

    Parameters
    ----------
    estimator : recommender, default=None
        The model: a recommender, or a pipeline or search that ends in one. It must read the values
        of a row, see Notes. None: ``EASE()``.
    half_life : float, default=2592000.0
        Age h > 0 at which an entry of a scored row weighs 1/2, in the unit of the values of X, or
        in items for ``unit="position"``. The default is 30 days if times are Unix seconds.
        Infinite: no decay. May be changed after ``fit``.
    fit_half_life : float or None, default=None
        Half-life of the training rows of `estimator`. None: the training rows are ones.
    unit : {"time", "position"}, default="time"
        Unit of age. "time": a difference of times. "position": the number of later entries of the
        row, the same for entries of one time. May be changed after ``fit``.
    floor : float, default=0.0
        Smallest weight, from 0 to 1, in rows to score and in training rows. May be changed after
        ``fit``.
    random_state : int, RandomState or None, default=None
        Seed of the model within, if its own `random_state` is None.

    Attributes
    ----------
    estimator_ : recommender
        The fitted model.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.

    See Also
    --------
    skrec.preprocessing.TimeDecay : Applies the weights to training rows and scored rows alike.
    skrec.linear_model.SLIST : Learns which item comes next.

    Notes
    -----
    With ``half_life=numpy.inf`` the result is `estimator` on ones. A stored entry never gets a
    weight of 0, see `TimeDecay`. A search over "half_life" with GridSearchCV fits the same model
    again for each value; ``set_params(half_life=...)`` on a fitted model does not.

    ``score(X)`` hides random items, as for all recommenders. Search with
    ``make_ranking_scorer("ndcg@10", holdout="last")``, which hides the last item.

    Differs from [1]_: the paper decays the ratings of an item-based model. `Recency` decays the
    values of a row for any model, also by position.

    Models that do not read values do not change, and `fit` warns: popularity, and most models with
    a learned vector per user, such as `BPR`. `fit` refuses models of ratings, because X holds
    times and no ratings.

    `Recency` passes on the side information that `estimator` reads. ``sample_weight`` is a keyword
    of ``fit``, and `explain`, `similar_items` and `with_items` exist, if `estimator` has them.

    References
    ----------
    .. [1] Y. Ding, X. Li, "Time weight collaborative filtering",
       CIKM 2005.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.ensemble import Recency
    >>> from skrec.linear_model import EASE
    >>> X = np.array([[1, 2, 3, 0, 0], [2, 3, 0, 0, 0], [0, 0, 1, 2, 3], [0, 0, 0, 2, 1]])
    >>> model = Recency(EASE(alpha=1.0), half_life=1, unit="position").fit(X)
    >>> model.predict([[7, 0, 0, 9, 0], [9, 0, 0, 7, 0]])  # first item 0, then 3; then 3 and 0
    array([4, 1])
    """

    _parameter_rules = {
        "estimator": (NONE, InstanceOf((BaseEstimator,), "a recommender (not a class)")),
        "half_life": HALF_LIFE,
        "fit_half_life": (NONE, *HALF_LIFE),
        "unit": UNIT,
        "floor": Interval(0, 1),
    }
    # In items, a unit that suits all data. A half-life that is set is not searched.
    _search_grid = [
        {"unit": "position", "half_life": half_life} for half_life in (2.0, 5.0, 20.0, 100.0)
    ]

    _fitted_rules = {"estimator_": Fitted()}

    def __init__(
        self,
        estimator=None,
        *,
        half_life=2_592_000.0,
        fit_half_life=None,
        unit="time",
        floor=0.0,
        random_state=None,
    ):
        self.estimator = estimator
        self.half_life = half_life
        self.fit_half_life = fit_half_life
        self.unit = unit
        self.floor = floor
        self.random_state = random_state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        base = self._base()
        tags.input_tags.positive_only = True
        tags.recommender_tags.learned_users = kind_of_model(base).learned_users
        tags.recommender_tags.reads = readable_side(base)
        return tags

    def _base(self):
        # `fit` refuses anything but an estimator; scikit-learn may ask for tags before.
        return self.estimator if isinstance(self.estimator, BaseEstimator) else EASE()

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
        """Fit the model to ones instead of times, or to decayed rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Times, > 0 for interactions.
        y : ignored
            Present for scikit-learn's conventions.
        item_features : ItemFeatures, {array-like, sparse matrix, dataframe} of shape \
                (n_items, n_item_features), or images, default=None
            Passed to a model that reads them, like `user_features` and `context`.
        user_features : {array-like, sparse matrix, dataframe} of shape \
                (n_users, n_user_features), default=None
            Row u describes row u of X.
        context : InteractionContext, default=None
            One row for each stored entry of X.
        sample_weight : array-like of shape (n_users,), default=None
            Weights of the users; a keyword only if the model has it.

        Returns
        -------
        self : Recency
            The fitted recommender.

        Raises
        ------
        TypeError
            If `estimator` has no ``decision_function``, or does not read the given side
            information.
        ValueError
            If a parameter or X is not valid, if float32 cannot tell the times apart, or if
            `estimator` predicts ratings.

        Warns
        -----
        UserWarning
            If decayed rows and rows of ones have the same scores, or if no row has different
            times.
        """
        times = X = self._start_fit(X)
        check_times(X.data, "Recency")
        if self.half_life < np.inf:
            warn_if_unordered(X, "Recency")
        side = self._start_side(
            X, item_features=item_features, user_features=user_features, context=context
        )
        base = self._base()
        self._check_base(base)
        given = fit_keywords(base, aligned_side(side, X), sample_weight)
        if self.fit_half_life is None:
            X = ones_like(X)
        else:
            X = decayed(X, self.fit_half_life, unit=self.unit, floor=self.floor)
        model = seeded_clone(base, check_random_state(self.random_state))
        self.estimator_ = model.fit(X, **given)
        if not readable_side(base) & {"user_features", "context"}:
            self._warn_if_blind(times)
        return self

    def _check_base(self, base):
        check_scores(self, "estimator", base)
        if kind_of_model(base).predicts_ratings:
            raise ValueError(
                "The `estimator` of Recency must not predict ratings, because X holds times. Got "
                f"{type(base).__name__}; use a model of implicit feedback, such as EASE, or "
                'feedback="implicit".'
            )

    def _warn_if_blind(self, X):
        """Warn if the model within does not see the decay of a few rows."""
        weights = self._decay(X)
        decayed_entries = np.flatnonzero(weights.data < _VISIBLE)
        rows = np.searchsorted(X.indptr, decayed_entries[:_N_ROWS], side="right") - 1
        if not len(rows):
            return
        rows = np.unique(rows)
        asked = self.estimator_.decision_function(weights[rows])
        if np.array_equal(asked, self.estimator_.decision_function(ones_like(X)[rows])):
            warnings.warn(
                f"{type(self.estimator_).__name__} scores decayed rows like rows of ones: it reads "
                "which items a row has, but no values, so Recency changes nothing. Use a model "
                "that reads values, such as EASE, ItemKNN, PureSVD or MultVAE.",
                UserWarning,
                stacklevel=4,
            )

    def _decay(self, X):
        # Half-lives may have been changed since `fit`.
        check_parameters(self, self._parameter_rules)
        check_times(X.data, "Recency")
        return decayed(X, self.half_life, unit=self.unit, floor=self.floor)

    @available_if(_within_has("similar_items"))
    def similar_items(self, items, k=10, *, return_scores=False):
        """Find similar items, if `estimator` can.

        Parameters
        ----------
        items : array-like of int of shape (n,)
            Column indices of X.
        k : int, default=10
            Length of the lists.
        return_scores : bool, default=False
            Whether to return the scores as well.

        Returns
        -------
        similar : ndarray of intp of shape (n, k)
            Best first, without the item itself; padded with -1.
        scores : ndarray of shape (n, k)
            Only with ``return_scores=True``; -inf for padding.
        """
        check_is_fitted(self)
        return self.estimator_.similar_items(items, k, return_scores=return_scores)

    @available_if(_within_has("explain"))
    def explain(self, X, items):
        """Split scores into contributions of the user's items, if `estimator` can.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Times of the users' interactions.
        items : array-like of int of shape (n_users,) or (n_users, m)
            The items to explain for each user, such as the result of `predict` or
            `recommend`; -1 for none.

        Returns
        -------
        contributions : csr_array of shape (n_users * m, n_items)
            Result of `explain` of `estimator` for the decayed rows. Row ``u * m + j`` adds up to
            the score of ``items[u, j]``; recent items contribute most.

        Raises
        ------
        ValueError
            If `items` has the wrong shape or is out of range.
        """
        return self.estimator_.explain(self._decay(self._start_scoring(X)), items)

    def _scores(self, X, side=None):
        return scores_of(self.estimator_, self._decay(X), side)

    def _pair_scores(self, X, rows, items, side=None):
        if not hasattr(self.estimator_, "score_pairs"):
            return super()._pair_scores(X, rows, items, side)
        known = {} if side is None else side_keywords(self.estimator_, *side)
        scores = self.estimator_.score_pairs(self._decay(X), rows, items, **known)
        return scores.astype(X.dtype, copy=False)

    def _extended(self, item_features):
        return {"estimator_": longer_model(self.estimator_, item_features)}


Recency.fit = FitThatMayWeigh(Recency.fit)
