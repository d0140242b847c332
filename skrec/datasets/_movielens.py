"""MovieLens, from GroupLens."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from skrec._log._aggregate import check_dtype
from skrec.datasets._base import get_data_home
from skrec.datasets._bunch import times_as_values
from skrec.datasets._cache import read_folder
from skrec.datasets._content import read_item_content
from skrec.datasets._download import DownloadError, downloaded, read_checksum

__all__ = ["fetch_movielens"]

_URL = "https://files.grouplens.org/datasets/movielens/"


class _Edition(NamedTuple):
    folder: str
    md5: str | None  # None: the archive changes from time to time, so its md5 is downloaded
    size: str


_EDITIONS = {
    "100k": _Edition("ml-100k", "0e33842e24a9c977be4e0107933c0723", "5 MB"),
    "1m": _Edition("ml-1m", "c4d9eecfca2ab87c1945afe126590906", "6 MB"),
    "10m": _Edition("ml-10m", "ce571fd55effeba0271552578f2648bd", "66 MB"),
    "20m": _Edition("ml-20m", "cd245b17a1ae2cc31bb14903e1204af3", "199 MB"),
    "25m": _Edition("ml-25m", "6b51fb2759a8657d3bfcbfc42b592ada", "262 MB"),
    "32m": _Edition("ml-32m", "d472be332d4daa821edc399621853b57", "239 MB"),
    "latest-small": _Edition("ml-latest-small", None, "1 MB"),
}


def fetch_movielens(
    edition="100k",
    *,
    data_home=None,
    download_if_missing=True,
    dtype="auto",
    as_times=False,
    as_frame=False,
    item_content=False,
    return_X=False,
    n_retries=3,
    delay=1.0,
    verbose=False,
):
    """Load ratings of movies from MovieLens, downloaded on first use.

    ============  ========  =======  ==========  =================  ============
    name          users     movies   ratings     scale              further data
    ============  ========  =======  ==========  =================  ============
    100k          943       1,682    100,000     1, 2, ..., 5       users, folds
    1m            6,040     3,706    1,000,209   1, 2, ..., 5       users
    10m           69,878    10,677   10,000,054  0.5, 1, ..., 5
    20m           138,493   26,744   20,000,263  0.5, 1, ..., 5
    25m           162,541   59,047   25,000,095  0.5, 1, ..., 5
    32m           200,948   84,432   32,000,204  0.5, 1, ..., 5
    latest-small  changes   changes  changes     0.5, 1, ..., 5
    ============  ========  =======  ==========  =================  ============

    The table counts movies with at least one rating.

    Parameters
    ----------
    edition : {"100k", "1m", "10m", "20m", "25m", "32m", "latest-small"}, default="100k"
        Name of the data set. GroupLens replaces "latest-small" from time to time; the others
        never change.
    data_home : str or path-like, default=None
        Folder of the data sets, see `get_data_home`.
    download_if_missing : bool, default=True
        If False, raise an OSError if the data is not in `data_home`.
    dtype : dtype or "auto", default="auto"
        Dtype of the matrix, as in `load_interactions`. "auto" is float32, with
        ``as_times=True`` float64.
    as_times : bool, default=False
        Store the time of each interaction in the matrix instead of its value: the timestamp,
        or, if the data has only an order, the rank in the user's history, from 1.
        `skrec.ensemble.Recency` and `skrec.linear_model.SLIST` read such a matrix.
    as_frame : bool, default=False
        Add the log as a pandas DataFrame with the original ids.
    item_content : bool, default=False
        Add the content of the movies from the folder in `data_home` and from sibling folders
        ``NAME-...``: tables of features, texts, posters. They are not downloaded.
    return_X : bool, default=False
        Return only the matrix.
    n_retries : int, default=3
        Number of times that an interrupted download is resumed.
    delay : float, default=1.0
        Seconds between two tries.
    verbose : bool, default=False
        Whether to show the progress of the download.

    Returns
    -------
    data : Bunch or csr_array
        The matrix if ``return_X=True``, else a Bunch with

        - X : csr_array of shape (n_users, n_movies), the ratings; also as data, the name in
          scikit-learn's data sets;
        - user_ids, item_ids : ndarray of int64, MovieLens's ids of rows and columns;
        - user, item : ndarray of int32 of shape (n_ratings,), row and column of each
          entry of ``X.data``;
        - rating : ndarray of shape (n_ratings,), ``X.data`` unless ``as_times=True``;
        - timestamp : ndarray of int64 of shape (n_ratings,), Unix seconds, aligned with
          ``X.data`` (a folder that another program made may lack it);
        - time_rank : ndarray of int of shape (n_ratings,), rank of the rating in the
          user's history from 0; ratings of the same second keep the order of the file;
        - titles, genres : ndarray of str of shape (n_movies,); genres are joined by "|";
        - genre_names : ndarray of str of shape (n_genres,), and item_features : csr_array
          of shape (n_movies, n_genres), 1 where a movie has a genre;
        - item_table, user_table : Bunch with all columns of ``items.csv`` and
          ``users.csv``, aligned with item_ids and user_ids; user_table only for 100k and 1m;
        - cv_fold, ua_test, ub_test : the official splits of 100k, aligned with ``X.data``;
        - frame : DataFrame with user, item, rating and timestamp, if ``as_frame=True``;
        - item_feature_tables, item_texts, item_images : as in `load_dataset`, with
          ``item_content=True``;
        - value_name : "rating", with ``as_times=True`` "timestamp";
        - DESCR : str, GroupLens's README with the terms of use.

    Raises
    ------
    OSError
        If the data is missing and cannot be downloaded; the message says where to put the
        file by hand.
    ValueError
        If `edition` or `dtype` is not allowed, or a file has unexpected content.
    ImportError
        If ``as_frame=True`` and pandas is not installed.

    See Also
    --------
    load_dataset : Load any folder of the data home.
    clear_data_home : Remove the downloaded data sets.

    Notes
    -----
    The function checks the archive against the md5 that GroupLens publishes, converts it to
    ``NAME/interactions.npz`` with ``items.csv`` and ``users.csv``, and removes it. An
    interrupted download leaves a ``.part`` file, and the next call continues from there.

    GroupLens's terms allow use for research; most editions may not be redistributed.
    Publications must cite [1]_.

    References
    ----------
    .. [1] F. M. Harper and J. A. Konstan, "The MovieLens Datasets: History and Context",
       ACM Transactions on Interactive Intelligent Systems 5(4), 2015.

    Examples
    --------
    >>> from skrec.datasets import fetch_movielens
    >>> data = fetch_movielens("1m")  # doctest: +SKIP
    >>> data.X.shape  # doctest: +SKIP
    (6040, 3706)
    """
    if edition not in _EDITIONS:
        raise ValueError(f"edition must be one of {list(_EDITIONS)}. Got {edition!r}.")
    check_dtype(dtype)
    chosen = _EDITIONS[edition]
    folder = Path(get_data_home(data_home)) / chosen.folder
    if not (folder / "interactions.npz").exists():
        try:
            _prepare(chosen, folder, download_if_missing, n_retries, delay, verbose)
        except FileNotFoundError:
            # Another process may have converted, and removed, an archive put there by hand.
            if not (folder / "interactions.npz").exists():
                raise
    data = read_folder(folder, dtype=np.float64 if as_times else dtype)
    if as_times:
        data = times_as_values(data, folder, dtype)
    if item_content:
        data.update(read_item_content(folder, data.item_ids))
    if as_frame:
        data.frame = _frame(data)
    return data.X if return_X else data


def _prepare(edition, folder, download_if_missing, n_retries, delay, verbose):
    """Download the archive if it is missing, check it and convert it."""
    from skrec.datasets._movielens_raw import convert_archive

    archive = folder / f"{edition.folder}.zip"
    url = _URL + archive.name
    by_hand = f"download {url} ({edition.size}) elsewhere and put it at {archive}"
    if _is_sound(archive, edition.md5):
        convert_archive(archive, folder)
        archive.unlink(missing_ok=True)
        return
    if not download_if_missing:
        raise OSError(
            f"MovieLens is not in {folder} and download_if_missing=False. Expected "
            f"interactions.npz there; allow the download, or {by_hand}."
        )
    tries = {"n_retries": n_retries, "delay": delay}
    try:
        folder.mkdir(exist_ok=True)
        known_hash = f"md5:{edition.md5}"
        if edition.md5 is None:
            known_hash = read_checksum(f"{url}.md5", **tries)
        with downloaded(url, archive, known_hash, **tries, progress=verbose) as file:
            convert_archive(file, folder)
    except DownloadError as error:
        raise OSError(
            f"MovieLens could not be downloaded: {error}. Expected {url} to answer; try again "
            f"(the download resumes where it stopped), or {by_hand} and call again."
        ) from error
    except PermissionError as error:
        raise OSError(
            f"MovieLens is not in {folder}, and this user cannot write there ({error}). Pass "
            "data_home=, or set the environment variable SKREC_DATA, to a folder you may write to."
        ) from error


def _is_sound(archive, md5):
    """Whether the archive exists, perhaps put there by hand, and is sound."""
    if not archive.exists():
        return False
    if md5 is None:  # each member has a checksum within the zip
        return True
    with open(archive, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest() == md5


def _frame(data):
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("as_frame=True needs pandas: `pip install pandas`.") from error
    columns = {"user": data.user_ids[data.user], "item": data.item_ids[data.item]}
    columns |= {name: data[name] for name in ("rating", "timestamp") if name in data}
    return pd.DataFrame(columns)
