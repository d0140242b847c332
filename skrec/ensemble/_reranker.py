"""What re-ranking models share: a model around which they stand, and the head of its lists."""

from abc import abstractmethod

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.validation import has_fit_parameter

from skrec._delegation import (
    aligned_side,
    fit_keywords,
    kind_of_model,
    longer_model,
    readable_side,
    seeded_clone,
    side_keywords,
)
from skrec.base import BaseRecommender, UserSideMixin
from skrec.ensemble._list_head import with_head
from skrec.linear_model import EASE
from skrec.utils._fitted import Fitted
from skrec.utils._params import NONE, InstanceOf
from skrec.utils._ties import quantize_scores
from skrec.utils._topk import top_k

RECOMMENDER = InstanceOf((BaseEstimator,), "a recommender (not a class)")


class Reranker(MetaEstimatorMixin, UserSideMixin, BaseRecommender):
    """Base of the models that order the head of another one's lists anew.

    A subclass writes `_head`, and `_learn` if it needs more than the model.
    """

    _parameter_rules = {"estimator": (NONE, RECOMMENDER)}
    _search_within = "estimator"
    _fitted_rules = {"estimator_": Fitted()}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        base = self._base()
        tags.input_tags.positive_only = get_tags(base).input_tags.positive_only
        tags.recommender_tags.learned_users = kind_of_model(base).learned_users
        tags.recommender_tags.reads = readable_side(base) | self._own_side()
        return tags

    def _own_side(self):
        """Side information that the class reads itself."""
        return frozenset({"item_features"})

    def _base(self):
        # What is no estimator is refused by `fit`; tags are asked for before.
        return self.estimator if isinstance(self.estimator, BaseEstimator) else EASE()

    def _weighs(self):
        return has_fit_parameter(self._base(), "sample_weight")

    def _fit(self, X, side, sample_weight):
        """`fit`, of which the subclasses have the docstring."""
        X = self._start_fit(X)
        side = self._start_side(X, **side)
        base = self._base()
        self._check_base(base)
        given = fit_keywords(base, aligned_side(side, X), sample_weight)
        model = seeded_clone(base, check_random_state(self.random_state)).fit(X, **given)
        self.estimator_ = model
        self._learn(X, side)
        return self

    def _check_base(self, base):
        name = type(self).__name__
        if not hasattr(base, "decision_function"):
            raise TypeError(
                f"The `estimator` of {name} must be a recommender, or a pipeline or search that "
                f"ends in one. Got {type(base).__name__}, which has no decision_function."
            )
        if kind_of_model(base).predicts_ratings:
            raise ValueError(
                f"The scores of {name} are places in lists, so its `estimator` must not predict "
                f'ratings. Got {type(base).__name__}; use feedback="implicit", or another model.'
            )

    def _learn(self, X, side):
        """Keep what `_head` needs of the training data."""

    @abstractmethod
    def _head(self, X, scores):
        """The items at the head of each row's list, in their order: (n_rows, m), -1 for none."""

    def _scores(self, X, side=None):
        known = {} if side is None else side_keywords(self.estimator_, *side)
        scores = self.estimator_.decision_function(X, **known).astype(X.dtype, copy=False)
        return with_head(scores, X, self._head(X, scores))

    def _extended(self, item_features):
        return {"estimator_": longer_model(self.estimator_, item_features)}


def is_table(features):
    """Whether item features are there, and no images."""
    return features is not None and not isinstance(features, list) and features.ndim == 2


def candidates(X, scores, n_candidates):
    """The best items of each row, and how good they are for it.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
        Seen items.
    scores : ndarray of shape (n_rows, n_items)
    n_candidates : int

    Returns
    -------
    items : ndarray of intp of shape (n_rows, m)
        Best first; -1 for none.
    relevance : ndarray of shape (n_rows, m), float64
        1 for the best one, 0 for the last one of the row, in between by the scores; 1 for all
        where all scores tie, and 0 beside -1.
    """
    items, _ = top_k(scores, min(n_candidates, scores.shape[1]), seen=X)
    here = items >= 0
    # Cells of the grid, so that rounding decides nothing.
    cells = quantize_scores(scores)
    keys = cells[np.arange(len(items))[:, None], items]
    best = keys[:, :1]
    last = np.where(here, keys, np.inf).min(axis=1, keepdims=True, initial=np.inf)
    span = np.where(here.any(axis=1, keepdims=True), best - last, 0.0)
    relevance = np.where(span > 0, 1 - (best - keys) / np.where(span > 0, span, 1.0), 1.0)
    return items, np.where(here, relevance, 0.0)
