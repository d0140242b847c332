"""The parts of a model with ids, in memory or in a file: commands and services read them alike."""

from collections.abc import Mapping
from numbers import Real
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array, issparse
from sklearn.utils.validation import check_is_fitted

from skrec._log_recommender import LogRecommender
from skrec._version import __version__
from skrec.preprocessing import InteractionEncoder
from skrec.utils._sparse_check import sound_sparse

__all__ = ["VALUES", "ModelContent", "OtherFormatError", "content_of", "is_of_file", "mapping_of"]

VALUES = ("ones", "keep")
_KIND = "skrec model file"
_FORMAT = 2
_HEAD = ("kind", "format", "skrec_version")


class OtherFormatError(ValueError):
    """A file is of another version of skrec."""


class ModelContent(NamedTuple):
    """A model, its ids, and what is known of users and items.

    Attributes
    ----------
    model : recommender
        Fitted.
    encoder : InteractionEncoder
        Ids of the rows and columns.
    interactions : csr_array of shape (n_users, n_items) or None
        Rows of the known users, float32 or float64, canonical, none of them zero. None: no user
        is known.
    seen : csr_array of shape (n_users, n_items) or None
        All items that these users have, also items that do not count, such as items below the least
        value; no entry is zero. None: the items in `interactions`.
    titles : ndarray of str of shape (n_items,) or None
        Titles of the items, "" where one is not known.
    min_value : float or None
        Least value of an interaction that counts; None stands for any above 0.
    values : {"ones", "keep"}
        Values of the interactions that count.
    facts : dict of str to str
        Facts about the data of the fit.
    """

    model: object
    encoder: InteractionEncoder
    interactions: csr_array | None = None
    seen: csr_array | None = None
    titles: np.ndarray | None = None
    min_value: float | None = None
    values: str = "keep"
    facts: Mapping = {}


def mapping_of(content):
    """The mapping that a file of ``python -m skrec fit`` holds.

    Parameters
    ----------
    content : ModelContent

    Returns
    -------
    mapping : dict
    """
    head = dict(zip(_HEAD, (_KIND, _FORMAT, __version__), strict=True))
    return head | content._asdict()


def is_of_file(source):
    """Whether an object is a `LogRecommender`, or the content of a file of ``skrec fit``."""
    if isinstance(source, LogRecommender):
        return True
    return isinstance(source, Mapping) and source.get("kind") == _KIND


def content_of(source):
    """The content of a `LogRecommender` or of a mapping, each of whose parts fits to the others.

    Parameters
    ----------
    source : LogRecommender or mapping
        A mapping has the names of `ModelContent`. The first two are required, and all of them in a
        file of ``skrec fit``.

    Returns
    -------
    content : ModelContent

    Raises
    ------
    TypeError, ValueError
        If a part is not valid; `OtherFormatError` for a file of another version.
    NotFittedError
        If the model or the encoder is not fitted.
    """
    if isinstance(source, LogRecommender):
        check_is_fitted(source)
        content = ModelContent(
            source.recommender_,
            source.encoder_,
            interactions=source.interactions_,
            titles=source.titles_,
            values="ones" if source.counts_ else "keep",
        )
    else:
        _check_names(source)
        parts = {name: source[name] for name in ModelContent._fields if name in source}
        if parts.get("values", "") is None:
            del parts["values"]
        content = ModelContent(**parts)
    return _checked(content)


def _check_names(source):
    names = ModelContent._fields
    if is_of_file(source):
        if source.get("format") != _FORMAT:
            raise OtherFormatError(
                f"The file was written by skrec {source.get('skrec_version')} in format "
                f"{source.get('format')}; this is skrec {__version__}, which reads format "
                f"{_FORMAT}. Use that version, or fit the model again."
            )
        missing = [name for name in names if name not in source]
        if missing:
            raise ValueError(
                f"A file of skrec fit holds {', '.join(map(repr, names))}. Got none of "
                f"{', '.join(map(repr, missing))}."
            )
    unknown = [name for name in source if name not in (*names, *_HEAD)]
    if unknown:
        raise ValueError(
            f"A mapping of a model has {', '.join(map(repr, names))}. Got "
            f"{', '.join(map(repr, unknown[:5]))} too, which nothing would use. Titles belong "
            "under 'titles', and a model for users without items belongs into the model: "
            "skrec.ensemble.Fallback(model). Leave out all else."
        )


def _checked(content):
    model, encoder = content.model, content.encoder
    check_is_fitted(model)
    if not isinstance(encoder, InteractionEncoder):
        raise TypeError(
            f"'encoder' must be a fitted InteractionEncoder. Got {type(encoder).__name__}."
        )
    check_is_fitted(encoder)
    ids = (encoder.user_ids_, encoder.item_ids_)
    if not all(isinstance(one, np.ndarray) and one.ndim == 1 for one in ids):
        raise ValueError("The ids of the encoder must be arrays of one dimension.")
    shape = tuple(map(len, ids))
    if model.n_features_in_ != shape[1]:
        raise ValueError(
            f"The encoder has {shape[1]:,} item ids, and the model was fitted to "
            f"{model.n_features_in_:,} items. Pass the encoder that made the matrix of the fit."
        )
    if content.values not in VALUES:
        raise ValueError(f"'values' must be 'ones' or 'keep'. Got {content.values!r}.")
    least = content.min_value
    if least is not None and not (_is_number(least) and np.isfinite(least)):
        raise ValueError(f"'min_value' must be a finite number or None. Got {least!r}.")
    if not isinstance(content.facts, Mapping):
        raise ValueError(f"'facts' must be a mapping. Got {type(content.facts).__name__}.")
    return content._replace(
        interactions=_rows("interactions", content.interactions, shape),
        seen=_rows("seen", content.seen, shape),
        titles=_titles(content.titles, shape[1]),
    )


def _is_number(value):
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def _titles(titles, n_items):
    if titles is None:
        return None
    if not isinstance(titles, np.ndarray):
        titles = np.asarray(titles, dtype=object)  # else NaN would become the text "nan"
    if titles.shape != (n_items,):
        raise ValueError(
            f"titles must have one entry for each of the {n_items:,} items. Got shape "
            f"{titles.shape}."
        )
    if titles.dtype.kind == "U":
        return titles
    wrong = [title for title in titles.tolist() if not isinstance(title, str)][:1]
    if wrong:
        raise ValueError(
            f'titles must be text, "" where an item has none. Got {wrong[0]!r} '
            f"({type(wrong[0]).__name__}). Convert each title to text first."
        )
    return titles.astype(np.str_)


def _rows(name, matrix, shape):
    if matrix is None:
        return None
    if not issparse(matrix):
        raise ValueError(f"{name} must be a sparse matrix. Got {type(matrix).__name__}.")
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
