"""What a service is made of: a model, ids, and the rows of known users."""

import os
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from skrec._log_recommender import LogRecommender
from skrec._persistence import load
from skrec.ensemble import Fallback
from skrec.preprocessing import InteractionEncoder
from skrec.utils._sparse_check import sound_sparse

_READ = ("model", "encoder", "interactions", "seen", "titles", "values", "min_value")
_ABOUT_THE_FILE = ("kind", "format", "skrec_version", "facts")  # of `skrec fit`
_VALUES = (None, "ones", "keep")


class Content(NamedTuple):
    """What is served.

    Attributes
    ----------
    model : recommender
        Fitted.
    fallback : recommender or None
        For rows with fewer than `least` items.
    least : int
    encoder : InteractionEncoder
        Of the ids; unknown ones are ignored, or new.
    interactions : csr_array of shape (n_users, n_items) or None
        Rows of the known users. None: no user is known.
    seen : csr_array of shape (n_users, n_items) or None
        What these users have.
    titles : ndarray of str of shape (n_items,) or None
    ones : bool
        Whether an interaction that counts is a 1, whatever its value.
    min_value : float or None
        Least value of an interaction that counts.
    has_all : bool
        Whether a user has what is in the history, also what the model does not read. False: the
        user has what the model reads, as in ``recommend`` of the model.
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
    """Read what a `Server` is given.

    Parameters
    ----------
    source : recommender, LogRecommender, mapping, str or path-like

    Returns
    -------
    content : Content

    Raises
    ------
    OSError, ModelFileError
        Of a file, see `skrec.load`.
    TypeError
        If it is none of these.
    ValueError
        If its parts do not fit to each other.
    NotFittedError
        If the model is not fitted.
    """
    if isinstance(source, str | os.PathLike):
        return read_content(load(source))
    if isinstance(source, LogRecommender):
        check_is_fitted(source)
        return _content(
            source.recommender_,
            source.encoder_,
            interactions=source.interactions_,
            titles=source.titles_,
            ones=source.counts_,
        )
    if isinstance(source, Mapping) and {"model", "encoder"} <= set(source):
        _check_names(source)
        return _content(
            source["model"],
            source["encoder"],
            interactions=source.get("interactions"),
            seen=source.get("seen"),
            titles=source.get("titles"),
            ones=source.get("values") == "ones",  # as `skrec fit` writes it
            min_value=source.get("min_value"),
        )
    if hasattr(source, "decision_function"):
        check_is_fitted(source)
        return _content(source, _encoder_of_columns(source))
    raise TypeError(
        "A Server is made of a fitted recommender, a LogRecommender, a mapping with 'model' and "
        f"'encoder', or the path of a file with one of them. Got {type(source).__name__}."
    )


def _check_names(source):
    unknown = [name for name in source if name not in (*_READ, *_ABOUT_THE_FILE)]
    if unknown:
        raise ValueError(
            f"A Server reads {', '.join(map(repr, _READ))} of a mapping. Got "
            f"{', '.join(map(repr, unknown[:5]))} too, which it would not use. Titles belong under "
            "'titles', and a model for users without items belongs into the model: "
            "skrec.ensemble.Fallback(model). Leave out all else."
        )
    if source.get("values") not in _VALUES:
        raise ValueError(f"'values' must be 'ones' or 'keep'. Got {source['values']!r}.")


def _content(
    model, encoder, *, interactions=None, seen=None, titles=None, ones=False, min_value=None
):
    check_is_fitted(model)
    if not isinstance(encoder, InteractionEncoder):
        raise TypeError(
            f"'encoder' must be a fitted InteractionEncoder. Got {type(encoder).__name__}."
        )
    check_is_fitted(encoder)
    n_users, n_items = len(encoder.user_ids_), len(encoder.item_ids_)
    if model.n_features_in_ != n_items:
        raise ValueError(
            f"The encoder has {n_items:,} item ids, and the model was fitted to "
            f"{model.n_features_in_:,} items. Pass the encoder that made the matrix of the fit."
        )
    interactions = _rows("interactions", interactions, (n_users, n_items))
    has_all = seen is not None or min_value is not None
    seen = interactions if seen is None else _rows("seen", seen, (n_users, n_items))
    if titles is not None:
        titles = np.asarray(titles)
        if titles.shape != (n_items,):
            raise ValueError(
                f"titles must have one entry for each of the {n_items:,} items. Got shape "
                f"{titles.shape}."
            )
    main, fallback, least = unwrapped(model), None, 0
    if isinstance(main, Fallback):
        main, fallback, least = main.estimator_, main.fallback_, main.min_interactions
    known = InteractionEncoder(**encoder.get_params())
    known.set_params(unknown_items="ignore", unknown_users="new", min_user_count=1)
    if known.negative == "warn":  # of the log, once; a request has values as it means them
        known.set_params(negative="keep")
    known.user_ids_, known.item_ids_ = encoder.user_ids_, encoder.item_ids_
    return Content(
        main, fallback, least, known, interactions, seen, titles, ones, min_value, has_all
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


def _rows(name, matrix, shape):
    if matrix is None:
        return None
    matrix = csr_array(sound_sparse(matrix, name))
    if matrix.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold numbers. Got values of dtype {matrix.dtype}.")
    # As a fit reads it: models score floats, and a history may have a value that is not whole.
    if matrix.dtype != np.float32:
        matrix = matrix.astype(np.float64, copy=False)
    if not np.isfinite(matrix.data).all():
        raise ValueError(f"{name} must hold finite numbers. Got NaN or infinity.")
    if matrix.shape != shape:
        raise ValueError(
            f"{name} must have a row for each user id and a column for each item id, shape "
            f"{shape}. Got {matrix.shape}."
        )
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    if not (matrix.data != 0).all():
        matrix = matrix.copy()
        matrix.eliminate_zeros()
    return matrix


def _encoder_of_columns(model):
    """An encoder whose ids are the names of the columns, or their numbers."""
    names = getattr(model, "feature_names_in_", None)
    ids = np.arange(model.n_features_in_) if names is None else np.array(names.tolist())
    return InteractionEncoder.from_ids(np.zeros(1, dtype=np.int64), ids)
