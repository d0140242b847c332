"""What stands around other models: seeds, side information, weights of users, further items."""

import copy
from functools import wraps

import numpy as np
from sklearn.base import clone

from skrec.base import BaseRecommender
from skrec.dummy import DummyRecommender
from skrec.utils._feature_rows import n_rows_of
from skrec.utils._interaction_context import InteractionContext
from skrec.utils._search_grid import final_step
from skrec.utils._tags import recommender_tags

__all__ = [
    "FitThatMayWeigh",
    "aligned_side",
    "fit_keywords",
    "kind_of_model",
    "longer_model",
    "readable_side",
    "seeded_clone",
    "side_keywords",
]


def seeded_clone(estimator, random_state):
    """Clone an estimator; seeds that are None, nested ones too, are drawn.

    Parameters
    ----------
    estimator : estimator
    random_state : RandomState

    Returns
    -------
    twin : estimator
        Seeds that were given are kept.
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
    """`RecommenderTags` of a recommender, or of that at the end of a pipeline or a search."""
    return recommender_tags(model if isinstance(model, BaseRecommender) else final_step(model))


def readable_side(model):
    """Side information that can be handed to a model; a pipeline takes none."""
    return recommender_tags(model).reads


def aligned_side(side, X):
    """Checked side information in the form that models within take it, context by rows of X."""
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
        What is given and what the model reads.
    """
    read = readable_side(model)
    given = {name: value for name, value in side._asdict().items() if name in read}
    given = {name: value for name, value in given.items() if value is not None}
    if sample_weight is not None:
        given["sample_weight"] = sample_weight
    return given


def side_keywords(model, user_features, context):
    """Keywords of the scoring methods for one model: what is given and what it reads."""
    given = {"user_features": user_features, "context": context}
    read = readable_side(model)
    return {name: value for name, value in given.items() if value is not None and name in read}


def longer_model(model, item_features):
    """A fitted model with further items."""
    if "item_features" in readable_side(model):
        return model.with_items(item_features)
    if not isinstance(model, DummyRecommender):
        raise ValueError(
            f"with_items needs models that read item features. Got {type(model).__name__}, which "
            "does not; use DummyRecommender() for a fallback, or a model of skrec.utils."
            "all_recommenders(reads='item_features')."
        )
    longer = copy.copy(model)
    n_new = n_rows_of(item_features)
    longer.item_popularity_ = np.append(model.item_popularity_, np.zeros(n_new))
    longer.n_features_in_ = model.n_features_in_ + n_new
    return longer


class FitThatMayWeigh:
    """The method `fit`, with `sample_weight` in its signature where the models within weigh users.

    scikit-learn, and an ensemble, ask the signature whether weights mean something. The class
    says by ``_weighs()`` whether they do.
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

        del plain.__wrapped__  # the signature is its own
        self.weighted, self.plain = weighted, plain

    def __get__(self, instance, owner=None):
        if instance is None:
            return self.weighted
        fit = self.weighted if instance._weighs() else self.plain
        return fit.__get__(instance, owner)
