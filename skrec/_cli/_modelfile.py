"""The file between `fit` and `recommend`: a model with its ids, titles and users' rows."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator

from skrec._cli._errors import CommandError
from skrec._persistence import load, save
from skrec._version import __version__
from skrec.preprocessing import InteractionEncoder

_KIND = "skrec model file"
_FORMAT = 1


class ModelFile(NamedTuple):
    """What the file holds.

    Attributes
    ----------
    model : estimator
        Fitted.
    encoder : InteractionEncoder
        Ids of the rows and columns.
    interactions : csr_array of shape (n_users, n_items)
        What the model was fitted on: the rows of the known users.
    seen : csr_array of shape (n_users, n_items)
        All that the users have, also what was below the least value.
    titles : ndarray of str of shape (n_items,) or None
        Titles of the items, "" where one is not known.
    min_value : float or None
        Least value of an interaction; None stands for any above 0.
    facts : dict of str to str
        What the data were.
    """

    model: BaseEstimator
    encoder: InteractionEncoder
    interactions: csr_array
    seen: csr_array
    titles: np.ndarray | None
    min_value: float | None
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
    """Read a model file; nothing in it is executed.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    content : ModelFile

    Raises
    ------
    CommandError
        If it is no file that `skrec fit` has written.
    FileNotFoundError, ValueError
        See `skrec.load`.
    """
    content = load(path)
    if not isinstance(content, dict) or content.get("kind") != _KIND:
        raise CommandError(
            f"{path} holds a {type(content).__name__} but no ids; expected a file that "
            "`skrec fit` has written. Files of skrec.save are read with skrec.load in Python."
        )
    if content["format"] != _FORMAT:
        raise CommandError(
            f"{path} was written by skrec {content['skrec_version']} in format "
            f"{content['format']}; this is skrec {__version__}, which reads format {_FORMAT}. "
            "Use that version, or fit the model again."
        )
    return ModelFile(**{name: content[name] for name in ModelFile._fields})
