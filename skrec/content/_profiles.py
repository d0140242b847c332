"""Scores of items by their similarity to the items of a user, and what each of these adds.

The similarity of a user's item j and a scored item i is ``own[j] @ other[i]``. It is the cosine
for rows of unit length, and minus a squared distance for the longer vectors of `distances`.
"""

import numpy as np
from scipy.sparse import csr_array, issparse, vstack

from skrec._factors import factor_pairs, factor_scores
from skrec.utils._explain import check_targets, contributions_at
from skrec.utils._fitted import refused
from skrec.utils._parallel import CHUNK_BYTES
from skrec.utils._params import POSITIVE_INTEGER, Options

AGGREGATES = ("mean", "max", "top_k")
PROFILE_RULES = {"aggregate": Options(AGGREGATES), "n_neighbors": POSITIVE_INTEGER}


class ProfileMixin:
    """Scores by similarity to the items of a row, with the parameters of `PROFILE_RULES`.

    Place it left of `BaseRecommender`. A class writes ``_tables(dtype)``, which returns the `own`
    and `other` of this module.
    """

    def _aggregate(self):
        return {"aggregate": self.aggregate, "n_neighbors": self.n_neighbors}

    def _scores(self, X):
        return profile_scores(X, *self._tables(X.dtype), **self._aggregate())

    def _pair_scores(self, X, rows, items):
        if self.aggregate != "mean":
            return super()._pair_scores(X, rows, items)
        return profile_pairs(X, *self._tables(X.dtype), rows, items)

    def _check_width(self, name, width):
        """Raise unless a fitted array has the width of the features."""
        expected = getattr(self, "n_item_features_in_", self.n_features_in_)
        if width != expected:
            raise refused(f"{type(self).__name__}.{name}", f"{width} features", f"{expected}")

    def explain(self, X, items):
        """Split scores into the contributions of the user's items.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users.
        items : array-like of int of shape (n_users,) or (n_users, m)
            The items to explain for each user, such as the result of `predict` or
            `recommend`; -1 for none.

        Returns
        -------
        contributions : csr_array of shape (n_users * m, n_items)
            Row ``u * m + j`` holds the contribution of each item of user u to the score of
            ``items[u, j]``. For "mean" it is the similarity (the cosine, or minus the distance)
            times the item's share of the row. For "max" and "top_k" it is the similarity divided
            by the number of items that count. Rows sum to the scores.

        Raises
        ------
        ValueError
            If `items` does not have one row per user or is out of range.
        """
        X = self._start_scoring(X)
        return profile_explanation(X, items, *self._tables(X.dtype), **self._aggregate())


def longer_table(table, rows):
    """A table, dense or sparse, with further rows below."""
    if issparse(table):
        return csr_array(vstack([table, csr_array(rows)], format="csr"))
    rows = rows.toarray() if issparse(rows) else rows
    return np.concatenate([table, rows.astype(table.dtype, copy=False)])


def distances(vectors):
    """The `own` and `other` that make the similarity minus a squared distance.

    Parameters
    ----------
    vectors : ndarray of shape (n_items, d)

    Returns
    -------
    own, other : ndarray of shape (n_items, d + 2)
        ``own[j] @ other[i]`` is :math:`-|v_j - v_i|^2`.
    """
    squares = np.einsum("if,if->i", vectors, vectors)[:, None]
    ones = np.ones_like(squares)
    return np.hstack([2 * vectors, -squares, -ones]), np.hstack([vectors, ones, squares])


def profile_scores(X, own, other, *, aggregate, n_neighbors):
    """Scores of all items for the rows of X.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
        Canonical; for "mean" values weigh the items of a row.
    own, other : ndarray or csr_array of shape (n_items, d), dtype of X
        See the top of this module.
    aggregate : {"mean", "max", "top_k"}
        How similarities to the row's items are combined: the mean, the largest, or the mean of
        the `n_neighbors` largest.
    n_neighbors : int

    Returns
    -------
    scores : ndarray of shape (n_rows, n_items), dtype of X
        Zeros for an empty row.
    """
    if aggregate == "mean":
        profile = shares(X) @ own
        if issparse(profile):
            return (profile @ other.T).toarray()
        return factor_scores(profile, other.T, X.dtype)
    return _largest(X, own, other, 1 if aggregate == "max" else n_neighbors)


def profile_pairs(X, own, other, rows, items):
    """Scores of some pairs for the aggregate "mean"."""
    profile = shares(X) @ own
    if issparse(profile):
        return _dots(profile, other, rows, items)
    return factor_pairs(profile, other.T, rows, items)


def profile_explanation(X, items, own, other, *, aggregate, n_neighbors):
    """Contributions of each item of a row to the scores of some items; see `explain`.

    Returns
    -------
    contributions : csr_array of shape (n_rows * m, n_items)
    """
    targets = check_targets(items, *X.shape)
    n_targets = targets.shape[1]
    rows = np.repeat(np.arange(X.shape[0]), n_targets)
    sources, weights = X[rows], shares(X)[rows].data
    lengths = np.diff(sources.indptr)
    target_of = np.repeat(targets.ravel(), lengths)
    real = target_of >= 0
    likeness = np.zeros(sources.nnz, X.dtype)
    likeness[real] = _dots(own, other, sources.indices[real], target_of[real])
    if aggregate != "mean":
        n_counted = np.minimum(1 if aggregate == "max" else n_neighbors, np.maximum(lengths, 1))
        group = np.repeat(np.arange(len(rows)), lengths)
        order = np.lexsort((-likeness, group))  # among equal ones the lower item index counts
        place = np.empty(sources.nnz, np.intp)
        place[order] = np.arange(sources.nnz) - np.repeat(sources.indptr[:-1], lengths)
        weights = (place < n_counted[group]) / n_counted[group]
    return contributions_at(X, (likeness * weights).astype(X.dtype), n_targets)


def shares(X):
    """Rows of X divided by their sums."""
    totals = np.asarray(X.sum(axis=1)).ravel()
    totals = np.repeat(np.where(totals > 0, totals, 1), np.diff(X.indptr))
    return csr_array(((X.data / totals).astype(X.dtype), X.indices, X.indptr), shape=X.shape)


def _dots(own, other, first, second):
    """``own[first] @ other[second]`` pair by pair."""
    if not issparse(own):
        return factor_pairs(own, other.T, first, second)
    return np.asarray(own[first].multiply(other[second]).sum(axis=1)).ravel()


def _largest(X, own, other, n):
    """Means of the n largest similarities; each needed one is computed once per block."""
    scores = np.zeros(X.shape, dtype=X.dtype)
    used, place = np.unique(X.indices, return_inverse=True)
    own = own[used]
    width = max(1, CHUNK_BYTES // (X.dtype.itemsize * max(1, len(used))))
    for start in range(0, X.shape[1] if len(used) else 0, width):
        block = slice(start, start + width)
        if issparse(own):
            likeness = (own @ other[block].T).toarray()
        else:
            likeness = factor_scores(own, other[block].T, X.dtype)  # (n_used, width)
        for row in range(X.shape[0]):
            part = likeness[place[X.indptr[row] : X.indptr[row + 1]]]
            if len(part):
                scores[row, block] = _mean_of_largest(part, n)
    return scores


def _mean_of_largest(part, n):
    if n == 1:
        return part.max(axis=0)
    if n < len(part):
        part = np.partition(part, len(part) - n, axis=0)[len(part) - n :]
    return part.mean(axis=0)
