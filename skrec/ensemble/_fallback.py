"""Fallback: another model for rows with too few items."""

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
    scores_of,
    seeded_clone,
    side_keywords,
    with_tags_of,
)
from skrec.base import BaseRecommender, UserSideMixin
from skrec.decomposition import BiasedMF
from skrec.dummy import DummyRecommender
from skrec.linear_model import EASE
from skrec.utils._fitted import Fitted
from skrec.utils._params import NONE, InstanceOf, Interval

_RECOMMENDER = InstanceOf((BaseEstimator,), "a recommender (not a class)")


def _has_similar_items(self):
    return hasattr(getattr(self, "estimator_", self._main()), "similar_items")


class Fallback(MetaEstimatorMixin, UserSideMixin, BaseRecommender):
    r"""A model for users with enough items, and another model for all other users.

    With n_u the number of items in a row of X,

    .. math:: s_u = \begin{cases} s_u^{(model)} & n_u \ge n_{min} \\
        s_u^{(fallback)} & \text{otherwise.} \end{cases}

    A model that sums over a user's items scores all items alike for an empty row. Ties go to the
    lowest column, so its list is worse than the popular items. Both models are fitted to all of X.
    This is a switching hybrid [1]_.

    Scores of different rows are in the units of different models; only the order within a row
    counts. If `estimator` predicts ratings, `fallback` must do so too.

    Parameters
    ----------
    estimator : recommender, default=None
        The model for rows with at least `min_interactions` items: a recommender, or a pipeline or
        search that ends in one. None: ``EASE()``.
    fallback : recommender, default=None
        The model for all other rows. None: ``DummyRecommender()``, which recommends popular items,
        or ``BiasedMF(1)`` if `estimator` predicts ratings; for an empty row it predicts the items'
        mean ratings, shrunk.
    min_interactions : int, default=1
        :math:`n_{min}` >= 0, compared with the number of items in the row. 1: only empty rows get
        the fallback's scores. 0: no row does. May be changed after ``fit``.
    random_state : int, RandomState or None, default=None
        Seed of the models whose own `random_state` is None.

    Attributes
    ----------
    estimator_, fallback_ : recommender
        The fitted models.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.

    See Also
    --------
    skrec.dummy.DummyRecommender : Recommends by popularity.
    skrec.metrics.evaluate : Reports unknown users apart.

    Notes
    -----
    `fit` passes side information to the models that read it. So a fallback that reads features of
    users scores users with no other information. ``sample_weight`` is a keyword of ``fit`` if both
    models have it. `with_items` works if each model reads item features or is a
    `DummyRecommender`, which treats a new item as an item that nobody has.

    ``fit`` clones the models each time, so their `warm_start` has no effect.

    References
    ----------
    .. [1] R. Burke, "Hybrid recommender systems: survey and experiments",
       User Modeling and User-Adapted Interaction 12, 2002.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.ensemble import Fallback
    >>> from skrec.linear_model import EASE
    >>> X = np.array([[0, 1, 0, 1], [0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]])
    >>> EASE(alpha=1.0).fit(X).predict(X[-1:])  # nothing is known: the lowest column
    array([0])
    >>> model = Fallback(EASE(alpha=1.0)).fit(X)
    >>> model.predict(X[-1:])  # what most users have
    array([1])
    >>> model.uses_fallback(X)
    array([False, False, False, False,  True])
    """

    _parameter_rules = {
        "estimator": (NONE, _RECOMMENDER),
        "fallback": (NONE, _RECOMMENDER),
        "min_interactions": Interval(0, integer=True),
    }
    # If a model is given, its own settings are tried instead.
    _search_grid = [{"min_interactions": least} for least in (1, 2, 3, 5)]
    _search_within = "estimator"

    _fitted_rules = {"estimator_": Fitted(), "fallback_": Fitted()}

    def __init__(self, estimator=None, *, fallback=None, min_interactions=1, random_state=None):
        self.estimator = estimator
        self.fallback = fallback
        self.min_interactions = min_interactions
        self.random_state = random_state

    def __sklearn_tags__(self):
        models = self._models()
        tags = with_tags_of(models, super().__sklearn_tags__())
        tags.recommender_tags.predicts_ratings = kind_of_model(models[0]).predicts_ratings
        return tags

    def _main(self):
        # `fit` refuses anything but an estimator; scikit-learn may ask for tags before.
        return self.estimator if isinstance(self.estimator, BaseEstimator) else EASE()

    def _models(self):
        """The two models, with the defaults filled in."""
        main = self._main()
        if isinstance(self.fallback, BaseEstimator):
            return main, self.fallback
        if kind_of_model(main).predicts_ratings:
            return main, BiasedMF(1)
        return main, DummyRecommender()

    def _weighs(self):
        return all(has_fit_parameter(model, "sample_weight") for model in self._models())

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
        """Fit both models to all rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions, or ratings, that both models take.
        y : ignored
            Present for scikit-learn's conventions.
        item_features : ItemFeatures, {array-like, sparse matrix, dataframe} of shape \
                (n_items, n_item_features), or images, default=None
            Passed to the models that read them, like `user_features` and `context`.
        user_features : {array-like, sparse matrix, dataframe} of shape \
                (n_users, n_user_features), default=None
            Row u describes row u of X.
        context : InteractionContext, default=None
            One row for each stored entry of X.
        sample_weight : array-like of shape (n_users,), default=None
            Weights of the users; a keyword only if both models have it.

        Returns
        -------
        self : Fallback
            The fitted recommender.

        Raises
        ------
        TypeError
            If a model has no ``decision_function``, or neither reads the given side information.
        ValueError
            If a parameter or X is not valid, or `estimator` predicts ratings and `fallback`
            does not.
        """
        X = self._start_fit(X)
        side = self._start_side(
            X, item_features=item_features, user_features=user_features, context=context
        )
        models = self._models()
        self._check_models(*models)
        side = aligned_side(side, X)
        random_state = check_random_state(self.random_state)
        fitted = []
        for model in models:
            given = fit_keywords(model, side, sample_weight)
            fitted.append(seeded_clone(model, random_state).fit(X, **given))
        self.estimator_, self.fallback_ = fitted
        return self

    def _check_models(self, main, other):
        for name, model in (("estimator", main), ("fallback", other)):
            check_scores(self, name, model)
        rates = [kind_of_model(model).predicts_ratings for model in (main, other)]
        if rates[0] and not rates[1]:
            raise ValueError(
                f"The fallback of a model that predicts ratings must predict ratings. Got "
                f"{type(other).__name__} for {type(main).__name__}; use BiasedMF(1), or "
                'UserKNN(feedback="rating").'
            )

    def uses_fallback(self, X):
        """Find the rows that get the fallback's scores.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users, known or new.

        Returns
        -------
        uses_fallback : ndarray of bool of shape (n_users,)
            True for rows with fewer than `min_interactions` items.
        """
        return self._is_short(self._start_scoring(X))

    @available_if(_has_similar_items)
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

    def _is_short(self, X):
        return np.diff(X.indptr) < self.min_interactions

    def _parts(self, short):
        """Each fitted model with its own places."""
        for model, own in ((self.estimator_, ~short), (self.fallback_, short)):
            places = np.flatnonzero(own)
            if len(places):
                yield model, places

    def _scores(self, X, side=None):
        scores = np.empty(X.shape, dtype=X.dtype)
        for model, rows in self._parts(self._is_short(X)):
            if len(rows) == X.shape[0]:  # the usual case: no copy of rows and scores
                return scores_of(model, X, side)
            scores[rows] = scores_of(model, X[rows], None if side is None else side.take(rows))
        return scores

    def _pair_scores(self, X, rows, items, side=None):
        if not all(hasattr(model, "score_pairs") for model in (self.estimator_, self.fallback_)):
            return super()._pair_scores(X, rows, items, side)
        scores = np.empty(len(rows), dtype=X.dtype)
        for model, pairs in self._parts(self._is_short(X)[rows]):
            users, places = np.unique(rows[pairs], return_inverse=True)
            known = {}
            if side is not None:  # context has one row per pair, features one per row of X
                context = side._replace(user_features=None).take(pairs).context
                features = side._replace(context=None).take(users).user_features
                known = side_keywords(model, features, context)
            scores[pairs] = model.score_pairs(X[users], places, items[pairs], **known)
        return scores

    def _extended(self, item_features):
        names = ("estimator_", "fallback_")
        return {name: longer_model(getattr(self, name), item_features) for name in names}


Fallback.fit = FitThatMayWeigh(Fallback.fit)
