"""The parts of a service: a model, ids, and the rows of known users."""

import os
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from skrec._log_recommender import LogRecommender
from skrec._model_content import content_of
from skrec._persistence import load
from skrec.ensemble import Fallback
from skrec.preprocessing import InteractionEncoder


class Content(NamedTuple):
    """The parts of a service.

    Attributes
    ----------
    model : recommender
        Fitted.
    fallback : recommender or None
        For rows with fewer than `least` items.
    least : int
    encoder : InteractionEncoder
        Encoder of the ids; unknown ids are ignored, or new.
    interactions : csr_array of shape (n_users, n_items) or None
        Rows of the known users. None: no user is known.
    seen : csr_array of shape (n_users, n_items) or None
        The items that these users have.
    titles : ndarray of str of shape (n_items,) or None
    ones : bool
        Whether an interaction that counts is a 1, whatever its value.
    min_value : float or None
        Least value of an interaction that counts.
    has_all : bool
        Whether a user has all items of the history, also items that the model does not read. False:
        the user has the items that the model reads, as in ``recommend`` of the model.
    """

    model: object
    fallback: object
    least: int
    encoder: InteractionEncoder
    interactions: csr_array | None
    seen: csr_array | None
    titles: np.ndarray | None
    ones: bool
    min_value: float | None
    has_all: bool

    @property
    def n_items(self):
        """Width of the matrices."""
        return len(self.encoder.item_ids_)


def read_content(source):
    """Read the source of a `Server`.

    Parameters
    ----------
    source : recommender, LogRecommender, mapping, str or path-like

    Returns
    -------
    content : Content

    Raises
    ------
    OSError, ModelFileError
        As `skrec.load`, for a file.
    TypeError
        If it is none of these.
    ValueError
        If its parts do not fit to each other.
    NotFittedError
        If the model is not fitted.
    """
    if isinstance(source, str | os.PathLike):
        return read_content(load(source))
    if isinstance(source, LogRecommender) or (
        isinstance(source, Mapping) and {"model", "encoder"} <= set(source)
    ):
        return _content(content_of(source))
    if hasattr(source, "decision_function"):
        check_is_fitted(source)
        return _content(content_of({"model": source, "encoder": _encoder_of_columns(source)}))
    raise TypeError(
        "A Server is made of a fitted recommender, a LogRecommender, a mapping with 'model' and "
        f"'encoder', or the path of a file with one of them. Got {type(source).__name__}."
    )


def _content(given):
    main, fallback, least = unwrapped(given.model), None, 0
    if isinstance(main, Fallback):
        main, fallback, least = main.estimator_, main.fallback_, main.min_interactions
    known = InteractionEncoder(**given.encoder.get_params())
    known.set_params(unknown_items="ignore", unknown_users="new", min_user_count=1)
    if known.negative == "warn":  # of the log, once; a request has values as it means them
        known.set_params(negative="keep")
    known.user_ids_, known.item_ids_ = given.encoder.user_ids_, given.encoder.item_ids_
    return Content(
        model=main,
        fallback=fallback,
        least=least,
        encoder=known,
        interactions=given.interactions,
        seen=given.interactions if given.seen is None else given.seen,
        titles=given.titles,
        ones=given.values == "ones",
        min_value=given.min_value,
        has_all=given.seen is not None or given.min_value is not None,
    )


def unwrapped(model):
    """The fitted model of a search or of a frozen estimator, which scores as they do."""
    while True:
        if hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        elif isinstance(model, FrozenEstimator):
            model = model.estimator
        else:
            return model


def _encoder_of_columns(model):
    """An encoder whose ids are the names of the columns, or their numbers."""
    names = getattr(model, "feature_names_in_", None)
    ids = np.arange(model.n_features_in_) if names is None else np.array(names.tolist())
    return InteractionEncoder.from_ids(np.zeros(1, dtype=np.int64), ids)
