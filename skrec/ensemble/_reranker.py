"""Shared by re-ranking models: the model within, and the head of its lists."""

from abc import abstractmethod

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import has_fit_parameter

from skrec._delegation import (
    FitThatMayWeigh,
    aligned_side,
    check_no_ratings,
    check_scores,
    fit_keywords,
    longer_model,
    scores_of,
    seeded_clone,
    with_tags_of,
)
from skrec.base import BaseRecommender, UserSideMixin
from skrec.ensemble._list_head import with_head
from skrec.linear_model import EASE
from skrec.utils._fitted import Fitted
from skrec.utils._params import NONE, InstanceOf
from skrec.utils._ties import quantize_scores
from skrec.utils._topk import top_k
from skrec.utils._validation import check_sample_weight

RECOMMENDER = InstanceOf((BaseEstimator,), "a recommender (not a class)")


class Reranker(MetaEstimatorMixin, UserSideMixin, BaseRecommender):
    """Base of the models that reorder the head of another model's lists.

    A subclass writes `_head`, and `_learn` if it needs more than the model.
    """

    _parameter_rules = {"estimator": (NONE, RECOMMENDER)}
    _search_within = "estimator"
    _fitted_rules = {"estimator_": Fitted()}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags = with_tags_of([self._base()], tags)
        tags.recommender_tags.reads |= self._own_side()
        return tags

    def _own_side(self):
        """Side information that the class reads itself."""
        return frozenset({"item_features"})

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
        """Fit the model, and keep the data that the new order needs.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions that the model takes.
        y : ignored
            Present for scikit-learn's conventions.
        item_features : ItemFeatures, {array-like, sparse matrix, dataframe} of shape \
                (n_items, n_item_features), or images, default=None
            For the order of the lists, if the class reads them, and for a model that reads them.
        user_features : {array-like, sparse matrix, dataframe} of shape \
                (n_users, n_user_features), default=None
            Passed to a model that reads them, like `context`.
        context : InteractionContext, default=None
            One row for each stored entry of X.
        sample_weight : array-like of shape (n_users,), default=None
            Weights of the users; a keyword only if the model has it.

        Returns
        -------
        self : Reranker
            The fitted recommender.

        Raises
        ------
        TypeError
            If `estimator` has no ``decision_function``, or nothing reads the given side
            information.
        ValueError
            If a parameter, X or the features are not valid, or the model predicts ratings.
        """
        X = self._start_fit(X)
        side = self._start_side(
            X, item_features=item_features, user_features=user_features, context=context
        )
        base = self._base()
        check_scores(self, "estimator", base)
        check_no_ratings(self, "estimator", base)
        given = fit_keywords(base, aligned_side(side, X), sample_weight)
        model = seeded_clone(base, check_random_state(self.random_state)).fit(X, **given)
        self.estimator_ = model
        self._learn(X, side, check_sample_weight(sample_weight, X.shape[0], np.float64))
        return self

    def _learn(self, X, side, weight):
        """Keep the training data that `_head` needs; `weight` of the rows, None for 1."""

    @abstractmethod
    def _head(self, X, scores):
        """The items at the head of each row's list, best first: (n_rows, m), padded with -1."""

    def _scores(self, X, side=None):
        scores = scores_of(self.estimator_, X, side)
        return with_head(scores, X, self._head(X, scores))

    def _extended(self, item_features):
        return {"estimator_": longer_model(self.estimator_, item_features)}


Reranker.fit = FitThatMayWeigh(Reranker.fit)


def is_table(features):
    """Whether item features are given as a table, and not as images."""
    return features is not None and not isinstance(features, list) and features.ndim == 2


def candidates(X, scores, n_candidates):
    """The best items of each row, and their relevance.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
        Seen items.
    scores : ndarray of shape (n_rows, n_items)
    n_candidates : int

    Returns
    -------
    items : ndarray of intp of shape (n_rows, m)
        Best first, padded with -1.
    relevance : ndarray of shape (n_rows, m), float64
        1 for the best item of the row, 0 for the last, in between by the scores; 1 for all items
        if all scores tie, and 0 for padding.
    """
    items, _ = top_k(scores, min(n_candidates, scores.shape[1]), seen=X)
    here = items >= 0
    # Cells of the grid, so that rounding does not matter.
    cells = quantize_scores(scores)
    keys = cells[np.arange(len(items))[:, None], items]
    best = keys[:, :1]
    last = np.where(here, keys, np.inf).min(axis=1, keepdims=True, initial=np.inf)
    span = np.where(here.any(axis=1, keepdims=True), best - last, 0.0)
    relevance = np.where(span > 0, 1 - (best - keys) / np.where(span > 0, span, 1.0), 1.0)
    return items, np.where(here, relevance, 0.0)
