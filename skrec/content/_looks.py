"""The looks of items: cosines of their features, and clusters of them."""

import numpy as np
from scipy.sparse import csr_array, issparse
from sklearn.cluster import KMeans

from skrec.utils._unit_rows import unit_rows

# One minus the cosine of two items that look the same.
_LEAST = 1e-7
_MAX_ITER = 100


class Looks:
    """Looks of some items by their standardised features.

    Parameters
    ----------
    table : StandardTable
    """

    def __init__(self, table):
        self._shift, rows = table.shift, table.rows
        if self._shift is None:
            self._rows = unit_rows(rows, np.float32)
            self._known = self._rows.any(axis=1)
            return
        self._rows, self._known = rows.astype(np.float64), table.known
        self._of_shift = self._rows @ self._shift
        self._square = self._shift @ self._shift
        squares = np.asarray(self._rows.multiply(self._rows).sum(axis=1)).ravel()
        rest = squares - 2 * self._of_shift + self._square
        # A difference made of rounding errors counts as unknown.
        self._known = self._known & (rest > 1e-12 * (squares + self._square))
        self._length = np.sqrt(np.where(self._known, rest, 1))

    def cosines(self, first, second):
        """Cosines of pairs of items, shape (n,); 0 if one of the two is unknown."""
        known = self._known[first] & self._known[second]
        if self._shift is None:
            # Exact near 1, which a sum of products would not be.
            away = np.square(self._rows[first] - self._rows[second]).sum(axis=1)
            return np.where(known, 1 - away.astype(np.float64) / 2, 0)
        product = np.asarray(self._rows[first].multiply(self._rows[second]).sum(axis=1)).ravel()
        product += self._square - self._of_shift[first] - self._of_shift[second]
        return np.where(known, product / (self._length[first] * self._length[second]), 0)

    def same(self, first, second):
        """Which pairs look the same; two items with nothing known do."""
        unknown = ~(self._known[first] | self._known[second])
        return unknown | (self.cosines(first, second) > 1 - _LEAST)


def clusters(table, n_clusters, seed):
    """K-means clusters of the items of a `StandardTable`, at most `n_clusters`."""
    rows = table.rows
    if issparse(rows):  # scikit-learn takes 32-bit indices only
        indices = rows.indices.astype(np.int32), rows.indptr.astype(np.int32)
        rows = csr_array((rows.data, *indices), shape=rows.shape)
    kmeans = KMeans(
        min(n_clusters, _n_distinct(rows)), n_init=1, max_iter=_MAX_ITER, random_state=seed
    )
    return kmeans.fit_predict(rows).astype(np.int64)


def _n_distinct(rows):
    if issparse(rows):
        bounds = zip(rows.indptr[:-1], rows.indptr[1:], strict=True)
        parts = ((rows.indices[a:b].tobytes(), rows.data[a:b].tobytes()) for a, b in bounds)
        return len({hash(part) for part in parts})
    return len({hash(row.tobytes()) for row in rows})
