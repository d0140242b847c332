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
        Name of a folder in the data home that holds an ``interactions.npz``.
    data_home : str or path-like, default=None
        As in `get_data_home`.
    dtype : dtype or "auto", default="auto"
        Dtype of the matrix, as in `load_interactions`. "auto" is float32, with
        ``as_times=True`` float64.
    as_times : bool, default=False
        Store the time of each interaction in the matrix instead of its value: the timestamp,
        or, if the data has only an order, the rank in the user's history, from 1.
        `skrec.ensemble.Recency` and `skrec.linear_model.SLIST` read such a matrix.
    item_content : bool, default=False
        Add the content of the items from the folder and from sibling folders ``NAME-...``:
        tables of features, texts, pictures.
    return_X : bool, default=False
        Return only the matrix.

    Returns
    -------
    data : Bunch or csr_array
        The matrix if ``return_X=True``, else a Bunch with

        - X : csr_array of shape (n_users, n_items): the array "rating" (or "value") of the
          file, else ones; also as data, the name in scikit-learn's data sets;
        - user_ids, item_ids : id of each row and column, from the file or from
          ``original_ids.npz`` in the same folder, else the positions;
        - user, item : ndarray of int of shape (nnz,), row and column of each entry of
          ``X.data``;
        - rating, timestamp, split, cv_fold, ... : every array of the file with an entry per
          interaction, aligned with ``X.data``;
        - time_rank : ndarray of int of shape (nnz,), rank of the interaction in the user's
          history from 0, if the file has ranks or timestamps;
        - value_name : "rating", "value" or None; with ``as_times=True`` "timestamp" or
          "time_rank";
        - item_table, user_table : Bunch with the columns of ``items.csv`` and
          ``users.csv``, aligned with item_ids and user_ids, if these files exist;
        - titles, genres : ndarray of str of shape (n_items,), if items.csv has them;
          genres are joined by "|";
        - genre_names : ndarray of str of shape (n_genres,), and item_features : csr_array
          of shape (n_items, n_genres), 1 where an item has a genre;
        - item_feature_tables : Bunch of ndarray of float32 of shape (n_items, d), the tables
          of ``item_features.npz``; item_texts : list of str of length n_items, from
          ``items_text.csv``; item_images : ndarray of shape (n_items, 3, h, w), or list of
          paths of files named by item id, with None for an item without a file. These entries
          need ``item_content=True`` and their files. Unknown content is zero or "";
        - DESCR : str, the folder's README.

    Raises
    ------
    ValueError
        If there is no such data set, if its file has another form or repeated pairs, if
        `dtype` cannot hold a value, or, with ``as_times=True``, if there are no times above
        zero.

    See Also
    --------
    fetch_movielens : Download and load MovieLens.
    load_interactions : Load a single file.

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
