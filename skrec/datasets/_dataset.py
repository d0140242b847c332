"""Data sets as folders in the data home."""

from pathlib import Path

import numpy as np

from skrec._log._aggregate import check_dtype
from skrec.datasets._base import get_data_home
from skrec.datasets._bunch import times_as_values
from skrec.datasets._cache import read_folder
from skrec.datasets._content import read_item_content

__all__ = ["load_dataset"]


def load_dataset(
    name,
    *,
    data_home=None,
    dtype="auto",
    as_times=False,
    item_content=False,
    return_X=False,
):
    """Load a data set from the data home by the name of its folder.

    Parameters
    ----------
    name : str
        Folder within the data home that holds an ``interactions.npz``.
    data_home : str or path-like, default=None
        As in `get_data_home`.
    dtype : dtype or "auto", default="auto"
        Of the matrix, as in `load_interactions`: float32, for ``as_times=True`` float64.
    as_times : bool, default=False
        Store in the matrix when each interaction happened instead of its value: the
        timestamp, or where the data has only the order, the place in the user's history, from
        1. That is what `skrec.ensemble.Recency` and `skrec.linear_model.SLIST` read.
    item_content : bool, default=False
        Add what else the folder, or one beside it called ``NAME-...``, has of the items:
        tables of features, texts, pictures.
    return_X : bool, default=False
        Return the matrix only.

    Returns
    -------
    data : Bunch or csr_array
        The matrix if ``return_X=True``, else a Bunch with

        - X : csr_array of shape (n_users, n_items): the array "rating" (or "value") of the
          file, else ones; also as data, the name in scikit-learn's data sets;
        - user_ids, item_ids : id of each row and column; positions where the file (or an
          ``original_ids.npz`` beside it) has none;
        - user, item : ndarray of int of shape (nnz,), row and column of each entry of
          ``X.data``, in that order;
        - rating, timestamp, split, cv_fold, ... : every array of the file with an entry per
          interaction, aligned with ``X.data``;
        - time_rank : ndarray of int of shape (nnz,), place of the interaction in the
          user's history, where the file has it or a timestamp;
        - value_name : "rating", "value" or None; with ``as_times=True`` "timestamp" or
          "time_rank";
        - item_table, user_table : Bunch with the columns of ``items.csv`` and
          ``users.csv``, aligned with item_ids and user_ids, where these files are;
        - titles, genres : ndarray of str of shape (n_items,), where items.csv has them;
          genres are joined by "|";
        - genre_names : ndarray of str of shape (n_genres,), and item_features : csr_array
          of shape (n_items, n_genres), 1 where an item is of a genre;
        - item_feature_tables : Bunch of ndarray of float32 of shape (n_items, d), the tables
          of ``item_features.npz``; item_texts : list of str of length n_items, from
          ``items_text.csv``; item_images : ndarray of shape (n_items, 3, h, w), or list of
          paths to files called by the item's id, None for an item without one; each where
          it is, with ``item_content=True``. What is not known is zero, or "";
        - DESCR : str, the folder's README.

    Raises
    ------
    ValueError
        If there is no such data set, or its file is not as above; repeated pairs too; if
        `dtype` cannot hold a value; with ``as_times=True`` if there are no times above zero.

    See Also
    --------
    fetch_movielens : Downloads what is not there.
    load_interactions : A single file.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from skrec.datasets import load_dataset
    >>> with tempfile.TemporaryDirectory() as home:
    ...     os.mkdir(os.path.join(home, "tiny"))
    ...     np.savez(os.path.join(home, "tiny", "interactions.npz"),
    ...              user=[0, 1, 1], item=[1, 1, 0], split=[0, 2, 0])
    ...     data = load_dataset("tiny", data_home=home)
    >>> data.X.toarray(), data.split
    (array([[0., 1.],
           [1., 1.]], dtype=float32), array([0, 0, 2]))
    """
    check_dtype(dtype)
    home = Path(get_data_home(data_home))
    if not isinstance(name, str) or not name or Path(name).name != name:
        raise ValueError(f"name must be the name of a folder in {home}. Got {name!r}.")
    if not (home / name / "interactions.npz").exists():
        there = sorted(path.parent.name for path in home.glob("*/interactions.npz"))
        raise ValueError(
            f"There is no data set {name!r} in {home}. Got {there or 'none'} there; pass "
            "data_home= or set SKREC_DATA, save it with numpy.savez as "
            f"{name}/interactions.npz (user=, item=), or use fetch_movielens or load_interactions."
        )
    data = read_folder(home / name, dtype=np.float64 if as_times else dtype)
    if as_times:
        data = times_as_values(data, home / name, dtype)
    if item_content:
        data.update(read_item_content(home / name, data.item_ids))
    return data.X if return_X else data
