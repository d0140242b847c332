"""The folder of the data sets."""

import os
import shutil
from pathlib import Path

__all__ = ["clear_data_home", "get_data_home"]

# The folders that this package makes; everything else in data_home belongs to the user.
_OWN_FOLDERS = (
    "ml-100k",
    "ml-10m",
    "ml-1m",
    "ml-20m",
    "ml-25m",
    "ml-32m",
    "ml-latest-small",
)
_REMEDY = (
    "Pass data_home=, or set the environment variable SKREC_DATA, to a folder you may write to."
)


def get_data_home(data_home=None):
    """Return the folder of the data sets, and create it if necessary.

    Parameters
    ----------
    data_home : str or path-like, default=None
        None: the environment variable ``SKREC_DATA``, or else ``~/scikit_recsys_data``.
        ``~`` stands for the home folder.

    Returns
    -------
    data_home : str
        The folder. It holds each data set as ``NAME/interactions.npz``, perhaps with
        ``NAME/items.csv`` and ``NAME/users.csv``.

    Raises
    ------
    ValueError
        If the folder cannot be created.

    See Also
    --------
    clear_data_home : Remove the downloaded data sets.

    Examples
    --------
    >>> import os, tempfile
    >>> from skrec.datasets import get_data_home
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     os.path.isdir(get_data_home(os.path.join(folder, "data")))
    True
    """
    path = _path(data_home)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"The data folder {path} cannot be created ({error.strerror}). {_REMEDY}"
        ) from error
    return str(path)


def clear_data_home(data_home=None):
    """Remove the data sets that `fetch_movielens` keeps.

    The function removes the folders that `fetch_movielens` makes (``ml-1m`` and so on) with
    their content, and the data folder itself if it is then empty. Your own data stays.

    Parameters
    ----------
    data_home : str or path-like, default=None
        As in `get_data_home`.

    See Also
    --------
    get_data_home : Return the folder of the data sets.

    Examples
    --------
    >>> import os, tempfile
    >>> from skrec.datasets import clear_data_home
    >>> folder = tempfile.mkdtemp()
    >>> os.mkdir(os.path.join(folder, "ml-1m"))
    >>> clear_data_home(folder)
    >>> os.path.exists(folder)
    False
    """
    path = _path(data_home)
    for name in _OWN_FOLDERS:
        if (path / name).is_dir():
            shutil.rmtree(path / name)
    if path.is_dir() and not any(path.iterdir()):
        path.rmdir()


def _path(data_home):
    chosen = data_home or os.environ.get("SKREC_DATA") or Path("~") / "scikit_recsys_data"
    try:
        return Path(chosen).expanduser()
    except RuntimeError as error:  # a user without an entry in the password file
        raise ValueError(
            f"The data folder {chosen} cannot be found: this user has no home. {_REMEDY}"
        ) from error
