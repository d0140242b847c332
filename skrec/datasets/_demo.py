"""A data set that needs no file: a small generated log with readable names."""

import numpy as np
from scipy.sparse import csr_array

from skrec.datasets._generator import make_interactions

__all__ = ["load_demo"]

_GENRES = (
    "Ambient", "Blues", "Classical", "Dub", "Electro", "Folk", "Gospel", "House", "Indie", "Jazz",
)  # fmt: skip


def load_demo(*, dtype="auto", return_X=False):
    """Load the built-in demonstration data: 2,000 listeners, 600 albums, 40,000 plays.

    `make_interactions` generates the data, always the same. It describes no real person.

    Parameters
    ----------
    dtype : dtype or "auto", default="auto"
        Dtype of the matrix, as in `load_interactions`. "auto" is float32.
    return_X : bool, default=False
        Return only the matrix.

    Returns
    -------
    data : Bunch or csr_array
        The matrix if ``return_X=True``, else the Bunch of `make_interactions` with
        timestamps, and in addition

        - user_ids, item_ids : ndarray of str, such as "listener-0001" and "album-001";
        - titles : ndarray of str of shape (n_items,), such as "Jazz No. 12";
        - genres : ndarray of str of shape (n_items,);
        - genre_names : ndarray of str of shape (10,), and item_features : csr_array of
          shape (n_items, 10), 1 where an item has a genre.

    See Also
    --------
    make_interactions : Generate logs of other sizes.

    Examples
    --------
    >>> from skrec.datasets import load_demo
    >>> data = load_demo()
    >>> data.X.shape, data.X.nnz
    ((2000, 600), 40000)
    >>> str(data.titles[0])
    'Blues No. 1'
    """
    data = make_interactions(
        2000, 600, 40000, n_groups=len(_GENRES), timestamps=True, dtype=dtype, random_state=0
    )
    if return_X:
        return data.X
    names = np.array(_GENRES)
    genre = data.item_group
    # Albums are numbered within their genre, in the order of the columns.
    order = np.argsort(genre, kind="stable")
    starts = np.searchsorted(genre[order], np.arange(len(names)))
    number = np.empty(len(genre), dtype=np.int64)
    number[order] = np.arange(len(genre)) - starts[genre[order]] + 1
    data.user_ids = np.array([f"listener-{i + 1:04d}" for i in range(data.X.shape[0])])
    data.item_ids = np.array([f"album-{i + 1:03d}" for i in range(data.X.shape[1])])
    data.genres = names[genre]
    data.titles = np.array([f"{names[g]} No. {n}" for g, n in zip(genre, number, strict=True)])
    data.genre_names = names
    data.item_features = _indicator(genre, len(names))
    data.DESCR = (
        "skrec's demonstration data: a generated log of 40,000 plays of 600 albums by 2,000 "
        "listeners."
    )
    return data


def _indicator(groups, n_groups):
    indptr = np.arange(len(groups) + 1)
    return csr_array((np.ones(len(groups)), groups, indptr), shape=(len(groups), n_groups))
