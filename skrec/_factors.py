"""Scores and similar items of factor models."""

from typing import NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skrec._recommend import nearest_items
from skrec.utils._blas_threads import one_blas_thread
from skrec.utils._parallel import run_ranges
from skrec.utils._products import FEW_ROWS, rows_product


def factor_scores(vectors, components, dtype, *, item_bias=None, offset=None, n_jobs=None):
    """Scores of every item for some user vectors.

    Parameters
    ----------
    vectors : ndarray of shape (n_rows, n_components)
    components : ndarray of shape (n_components, n_items)
    dtype : {np.float32, np.float64}
        Dtype of the computation and of the scores.
    item_bias : ndarray of shape (n_items,), default=None
        Added to each row.
    offset : ndarray of shape (n_rows,), default=None
        Added to each column.
    n_jobs : int or None, default=None
        Number of threads.

    Returns
    -------
    scores : ndarray of shape (n_rows, n_items)
    """
    vectors = vectors.astype(dtype, copy=False)
    if len(vectors) <= (1 if components.dtype == dtype else FEW_ROWS):
        scores = rows_product(vectors, components.T, n_jobs=n_jobs)
    else:
        scores = _product(vectors, components.astype(dtype, copy=False), n_jobs)
    if item_bias is not None:
        scores += item_bias.astype(dtype, copy=False)
    if offset is not None:
        scores += offset.astype(dtype, copy=False)[:, np.newaxis]
    return scores


class Factored(NamedTuple):
    """The factors of the scores of some rows, see `factor_scores`.

    Attributes
    ----------
    vectors : ndarray of shape (n_rows, n_components)
    item_bias : ndarray of shape (n_items,) or None
    offset : ndarray of shape (n_rows,) or None
    """

    vectors: np.ndarray
    item_bias: np.ndarray | None = None
    offset: np.ndarray | None = None


class FactoredScoresMixin:
    """Scores of rows by `components_` and what `_factored` returns of the rows.

    The estimator has the parameter `n_jobs`.
    """

    def _factored(self, X):
        """`Factored` of rows."""
        raise NotImplementedError

    def _scores(self, X):
        vectors, item_bias, offset = self._factored(X)
        return factor_scores(
            vectors,
            self.components_,
            X.dtype,
            item_bias=item_bias,
            offset=offset,
            n_jobs=self.n_jobs,
        )


def _product(vectors, components, n_jobs):
    scores = np.empty((vectors.shape[0], components.shape[1]), dtype=vectors.dtype)

    def rows(start, stop):
        np.matmul(vectors[start:stop], components, out=scores[start:stop])

    with one_blas_thread():
        run_ranges(rows, len(scores), n_jobs=n_jobs if scores.size > 1 << 16 else 1)
    return scores


def factor_pairs(vectors, components, rows, items):
    """``(vectors @ components)[rows, items]`` without the whole product.

    Parameters
    ----------
    vectors : ndarray of shape (n_rows, n_components)
    components : ndarray of shape (n_components, n_items)
    rows, items : ndarray of intp of shape (n_pairs,)

    Returns
    -------
    scores : ndarray of shape (n_pairs,)
    """
    scores = np.empty(len(rows), dtype=np.result_type(vectors, components))
    by_item = components.T
    size = max(1, (1 << 22) // max(1, vectors.shape[1]))
    for start in range(0, len(rows), size):
        part = slice(start, start + size)
        scores[part] = np.einsum("pf,pf->p", vectors[rows[part]], by_item[items[part]])
    return scores


def similar_columns(components, items, k, *, return_scores=False):
    """Items whose factors have the highest cosine with those of given items.

    Parameters
    ----------
    components : ndarray of shape (n_components, n_items)
    items : array-like of int of shape (n,)
        Items whose neighbours are wanted.
    k : int
        Length of the lists.
    return_scores : bool, default=False
        Whether to return the cosines as well.

    Returns
    -------
    similar : ndarray of intp of shape (n, k)
        Best first; the item itself is left out; padded with -1.
    scores : ndarray of shape (n, k)
        Only with ``return_scores=True``; -inf beside -1.
    """
    length = np.sqrt(np.einsum("fi,fi->i", components, components))
    unit = components / np.where(length > 0, length, 1)
    return nearest_items(
        lambda chosen: unit[:, chosen].T @ unit,
        items,
        unit.shape[1],
        k,
        dtype=unit.dtype,
        return_scores=return_scores,
    )


class SimilarItemsMixin:
    """`similar_items` by the cosine between columns of `components_`."""

    def similar_items(self, items, k=10, *, return_scores=False):
        """Find the items whose columns of `components_` have the highest cosine.

        Parameters
        ----------
        items : array-like of int of shape (n,)
            Column indices of X.
        k : int, default=10
            Length of the lists.
        return_scores : bool, default=False
            Whether to return the cosines as well.

        Returns
        -------
        similar : ndarray of intp of shape (n, k)
            Best first; the item itself is left out; padded with -1.
        scores : ndarray of shape (n, k)
            Only with ``return_scores=True``; -inf beside -1.

        Raises
        ------
        ValueError
            If an index is out of range, or k is not a whole number >= 1.
        """
        check_is_fitted(self)
        return similar_columns(self.components_, items, k, return_scores=return_scores)
