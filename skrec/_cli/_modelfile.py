"""The file between `fit` and `recommend`: a model with its ids, titles and users' rows."""

from sklearn.exceptions import NotFittedError

from skrec._cli._errors import CommandError, one_line
from skrec._model_content import OtherFormatError, content_of, is_of_file, mapping_of
from skrec._persistence import load, save
from skrec.ensemble import Fallback


def save_model_file(content, path):
    """Write a model file, atomically.

    Parameters
    ----------
    content : ModelContent
    path : pathlib.Path
    """
    save(mapping_of(content), path)


def load_model_file(path):
    """Read a model file, or a saved `LogRecommender`, without executing anything in it.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    content : ModelContent
        Its model is a `Fallback`: users without a known item get the popular items. Rows of
        users are there.

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
    if not is_of_file(content):
        raise CommandError(
            f"{path} has a {type(content).__name__} but no ids; expected a file written by `skrec "
            "fit` or LogRecommender.save. Read files of skrec.save with skrec.load in Python."
        )
    try:
        return _with_users(content_of(content))
    except OtherFormatError as error:
        raise CommandError(f"{path} cannot be used: {error}") from error
    except (AttributeError, TypeError, ValueError, NotFittedError) as error:
        raise _damaged(path, one_line(error)) from error


def _with_users(content):
    if not isinstance(content.model, Fallback):
        raise ValueError(f"its model is a {type(content.model).__name__}")
    if content.interactions is None:
        raise ValueError("it has no rows of users")
    return content if content.seen is not None else content._replace(seen=content.interactions)


def _damaged(path, what):
    return CommandError(f"{path} cannot be used: {what.rstrip('.')}. Fit the model again.")
