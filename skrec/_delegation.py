"""Helpers of models around other models: seeds, side information, user weights, new items."""

import copy
from functools import wraps

import numpy as np
from sklearn.base import clone
from sklearn.utils import get_tags

from skrec.base import BaseRecommender
from skrec.dummy import DummyRecommender
from skrec.utils._feature_rows import n_rows_of
from skrec.utils._interaction_context import InteractionContext
from skrec.utils._search_grid import final_step
from skrec.utils._tags import recommender_tags

__all__ = [
    "FitThatMayWeigh",
    "aligned_side",
    "check_no_ratings",
    "check_scores",
    "fit_keywords",
    "kind_of_model",
    "longer_model",
    "readable_side",
    "scores_of",
    "seeded_clone",
    "side_keywords",
    "with_tags_of",
]


def seeded_clone(estimator, random_state):
    """Clone an estimator, and draw each seed that is None, nested ones too.

    Parameters
    ----------
    estimator : estimator
    random_state : RandomState

    Returns
    -------
    twin : estimator
        Has the seeds that were given, and drawn ones for the others.
    """
    twin = clone(estimator)
    parameters = twin.get_params(deep=True)
    seeds = {
        name: random_state.randint(np.iinfo(np.int32).max)
        for name in sorted(parameters)
        if name.split("__")[-1] == "random_state" and parameters[name] is None
    }
    return twin.set_params(**seeds)


def kind_of_model(model):
    """`RecommenderTags` of a recommender, or of the last step of a pipeline or a search."""
    return recommender_tags(model if isinstance(model, BaseRecommender) else final_step(model))


def readable_side(model):
    """Side information that a model accepts; a pipeline accepts none."""
    return recommender_tags(model).reads


def with_tags_of(models, tags):
    """Tags of a class around several models: the union of what the models need and read."""
    tags.input_tags.positive_only = any(
        get_tags(model).input_tags.positive_only for model in models
    )
    kinds = [kind_of_model(model) for model in models]
    tags.recommender_tags.learned_users = any(kind.learned_users for kind in kinds)
    tags.recommender_tags.reads = frozenset().union(*map(readable_side, models))
    return tags


def check_scores(owner, name, model):
    """Raise unless an inner model has scores.

    Parameters
    ----------
    owner : estimator
        The estimator around the model.
    name : str
        Name of the owner's parameter.
    model : estimator
    """
    if not hasattr(model, "decision_function"):
        raise TypeError(
            f"The `{name}` of {type(owner).__name__} must be a recommender, or a pipeline or "
            f"search that ends in one. Got {type(model).__name__}, which has no decision_function."
        )


def check_no_ratings(owner, name, model):
    """Raise if an inner model predicts ratings: the scores of its owner are not ratings."""
    if kind_of_model(model).predicts_ratings:
        raise ValueError(
            f"The scores of {type(owner).__name__} are no ratings, so its `{name}` must not "
            f'predict ratings. Got {type(model).__name__}; use feedback="implicit" or another '
            "model."
        )


def aligned_side(side, X):
    """Checked side information as inner models accept it: context is cut by the rows of X."""
    if side.context is None:
        return side
    return side._replace(context=InteractionContext(side.context, X.indptr))


def fit_keywords(model, side, sample_weight):
    """Keywords of ``fit`` for one model.

    Parameters
    ----------
    model : recommender
    side : SideInformation
        See `aligned_side`.
    sample_weight : ndarray of shape (n_users,) or None

    Returns
    -------
    keywords : dict of str to object
        The given values that the model reads.
    """
    read = readable_side(model)
    given = {name: value for name, value in side._asdict().items() if name in read}
    given = {name: value for name, value in given.items() if value is not None}
    if sample_weight is not None:
        given["sample_weight"] = sample_weight
    return given


def side_keywords(model, user_features, context):
    """Keywords of the scoring methods for one model: the given values that the model reads."""
    given = {"user_features": user_features, "context": context}
    read = readable_side(model)
    return {name: value for name, value in given.items() if value is not None and name in read}


def scores_of(model, X, side):
    """Scores of an inner model for rows of X, in the dtype of X.

    Parameters
    ----------
    model : fitted recommender
    X : csr_array of shape (n_rows, n_items)
    side : RowSide or None

    Returns
    -------
    scores : ndarray of shape (n_rows, n_items)
    """
    known = {} if side is None else side_keywords(model, *side)
    return model.decision_function(X, **known).astype(X.dtype, copy=False)


def longer_model(model, item_features):
    """A fitted model with further items."""
    if "item_features" in readable_side(model):
        return model.with_items(item_features)
    if not isinstance(model, DummyRecommender):
        raise ValueError(
            f"with_items needs models that read item features. Got {type(model).__name__}, which "
            "does not; use DummyRecommender() as the fallback, or a model of skrec.utils."
            "all_recommenders(reads='item_features')."
        )
    longer = copy.copy(model)
    n_new = n_rows_of(item_features)
    longer.item_popularity_ = np.append(model.item_popularity_, np.zeros(n_new))
    longer.n_features_in_ = model.n_features_in_ + n_new
    return longer


class FitThatMayWeigh:
    """The method `fit`, with `sample_weight` in its signature where the inner models weigh users.

    scikit-learn and ensembles read the signature to learn whether `fit` takes weights. The method
    ``_weighs()`` of the class decides it.
    """

    def __init__(self, weighted):
        @wraps(weighted)
        def plain(self, X, y=None, *, item_features=None, user_features=None, context=None):
            return weighted(
                self,
                X,
                y,
                item_features=item_features,
                user_features=user_features,
                context=context,
            )

        del plain.__wrapped__  # inspect.signature would show the signature of `weighted`
        self.weighted, self.plain = weighted, plain

    def __get__(self, instance, owner=None):
        if instance is None:
            return self.weighted
        fit = self.weighted if instance._weighs() else self.plain
        return fit.__get__(instance, owner)
