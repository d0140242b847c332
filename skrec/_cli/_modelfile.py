"""The file between `fit` and `recommend`: a model with its ids, titles and users' rows."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array, issparse
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from skrec._cli._arguments import VALUES
from skrec._cli._errors import CommandError, one_line
from skrec._log_recommender import LogRecommender
from skrec._persistence import load, save
from skrec._version import __version__
from skrec.ensemble import Fallback
from skrec.preprocessing import InteractionEncoder
from skrec.utils._sparse_check import sound_sparse

_KIND = "skrec model file"
_FORMAT = 2


class ModelFile(NamedTuple):
    """Content of the file.

    Attributes
    ----------
    model : Fallback
        Fitted. Users without known items get the popular items.
    encoder : InteractionEncoder
        Ids of the rows and columns.
    interactions : csr_array of shape (n_users, n_items)
        Rows of the known users, the training data.
    seen : csr_array of shape (n_users, n_items)
        All items of the users, also those below `min_value`.
    titles : ndarray of str of shape (n_items,) or None
        Titles of the items; "" for an unknown title.
    min_value : float or None
        Least value of an interaction; None: any value above 0.
    values : {"ones", "keep"}
        Values of the interactions that count.
    facts : dict of str to str
        Description of the data.
    """

    model: Fallback
    encoder: InteractionEncoder
    interactions: csr_array
    seen: csr_array
    titles: np.ndarray | None
    min_value: float | None
    values: str
    facts: dict


def save_model_file(content, path):
    """Write a model file, atomically.

    Parameters
    ----------
    content : ModelFile
    path : pathlib.Path
    """
    head = {"kind": _KIND, "format": _FORMAT, "skrec_version": __version__}
    save(head | content._asdict(), path)


def load_model_file(path):
    """Read a model file, or a saved `LogRecommender`, without executing anything in it.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    content : ModelFile

    Raises
    ------
    CommandError
        If the file is neither, or is damaged.
    OSError, ValueError
        See `skrec.load`.
    """
    try:
        content = load(path)
    except (OSError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, ValueError) and str(path) in str(error):
            raise
        raise _damaged(path, f"{type(error).__name__}: {one_line(error)}") from error
    try:
        if isinstance(content, LogRecommender):
            return _checked(_of_log_recommender(content))
        if isinstance(content, dict) and content.get("kind") == _KIND:
            if content.get("format") != _FORMAT:
                raise _other_format(path, content)
            return _checked(ModelFile(**{name: content[name] for name in ModelFile._fields}))
    except (KeyError, AttributeError, TypeError, ValueError, NotFittedError) as error:
        raise _damaged(path, one_line(error)) from error
    raise CommandError(
        f"{path} has a {type(content).__name__} but no ids; expected a file written by `skrec fit` "
        "or LogRecommender.save. Read files of skrec.save with skrec.load in Python."
    )


def _of_log_recommender(model):
    check_is_fitted(model)
    return ModelFile(
        model=model.recommender_,
        encoder=model.encoder_,
        interactions=model.interactions_,
        seen=model.interactions_,
        titles=model.titles_,
        min_value=None,
        values="ones" if model.counts_ else "keep",
        facts={},
    )


def _checked(content):
    """The same content, after checking each part and that the parts match."""
    if not isinstance(content.model, Fallback):
        raise ValueError(f"its model is a {type(content.model).__name__}")
    check_is_fitted(content.model)
    if not isinstance(content.encoder, InteractionEncoder):
        raise ValueError(f"its encoder is a {type(content.encoder).__name__}")
    ids = (content.encoder.user_ids_, content.encoder.item_ids_)
    if not all(isinstance(one, np.ndarray) and one.ndim == 1 for one in ids):
        raise ValueError("its ids are not arrays")
    shape = tuple(map(len, ids))
    if content.model.n_features_in_ != shape[1]:
        raise ValueError(f"{shape[1]} item ids, but a model of {content.model.n_features_in_}")
    rows = {name: _checked_rows(getattr(content, name), shape) for name in ("interactions", "seen")}
    titles = content.titles
    if titles is not None and not (
        isinstance(titles, np.ndarray) and titles.dtype.kind == "U" and titles.shape == shape[1:]
    ):
        raise ValueError("its titles are not one text for each item")
    number = content.min_value is None or isinstance(content.min_value, int | float)
    if not number or content.values not in VALUES or not isinstance(content.facts, dict):
        raise ValueError("its description of the values is not one that `skrec fit` writes")
    return content._replace(**rows)


def _checked_rows(rows, shape):
    if not issparse(rows) or rows.shape != shape:
        raise ValueError(f"its rows are not a matrix of {shape[0]} users and {shape[1]} items")
    rows = csr_array(sound_sparse(rows, "rows"))
    if rows.dtype.kind != "f" or not np.isfinite(rows.data).all():
        raise ValueError("its rows have values that are not finite numbers")
    rows.sum_duplicates()
    return rows


def _other_format(path, content):
    return CommandError(
        f"{path} was written by skrec {content.get('skrec_version')} in format "
        f"{content.get('format')}; this is skrec {__version__}, which reads format {_FORMAT}. "
        "Use that version, or fit the model again."
    )


def _damaged(path, what):
    return CommandError(f"{path} is damaged: {what}. Fit the model again.")
