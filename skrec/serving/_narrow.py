r"""Lists from tables in 8 bits, equal to the lists of the whole tables to the bit.

With :math:`T` a table whose product with a row are scores, :math:`s_i = \max_f |T_{fi}| / 127`,
:math:`q_{fi} = \mathrm{round}(T_{fi} / s_i)` and :math:`R = T - q s`, an estimate
:math:`s_i \sum_f v_f q_{fi}` is wrong by at most

.. math:: s_i \, \min\left(\rho \|v\|_2, \eta \|v\|_1\right), \quad
    \rho = \max_i \|R_i\|_2 / s_i, \quad \eta = \max_{fi} |R_{fi}| / s_i,

and by rounding. An item is in no list if its estimate plus this error is below scores that k items
reach for certain. The model itself scores the other items, some dozens. A request reads a quarter
of the table's bytes. The narrow table has one byte a number, and 16 bytes an item: its scale, its
bias and two places.
"""

import numpy as np

from skrec._factors import factor_scores
from skrec.utils._ties import grid_width
from skrec.utils._topk import top_k

# Share of the items that may be left; where more are, the whole table is read.
_LARGEST_SHARE = 8
_TINY = 1e-35  # more than sums lose of numbers below the least float32
# Above it a float32 could overflow on the way.
_LARGEST = 1e30
_EPS = float(np.finfo(np.float32).eps)


class NarrowTable:
    """A table in 8 bits, and how wrong its products may be.

    Its items are in order of length, the longest first: once no further item can reach the list,
    the rest is not read.

    Parameters
    ----------
    table : ndarray of shape (m, n_items), float32 or float64
        Finite.
    bias : ndarray of shape (n_items,), default=None
        Added to each product. None: zeros.
    """

    def __init__(self, table, bias=None):
        from skrec.serving._narrow_kernels import TILE

        vectors, n_items = table.T, table.shape[1]
        lengths = np.sqrt(np.einsum("if,if->i", vectors, vectors, dtype=np.float64))
        order = np.argsort(-lengths, kind="stable").astype(np.int32)
        narrow, scale = np.empty(table.shape, np.int8), np.empty(n_items, np.float32)
        self._of_length = self._of_sum = 0.0
        for start in range(0, n_items, TILE):
            part = slice(start, start + TILE)
            numbers, scale[part], square, largest = _rounded(vectors[order[part]])
            narrow[:, part] = numbers.T
            self._of_length = max(self._of_length, 1.001 * float(np.sqrt(square)))
            self._of_sum = max(self._of_sum, 1.001 * float(largest))
        self._order, self._place = order, np.empty(n_items, np.int32)
        self._place[order] = np.arange(n_items, dtype=np.int32)
        self._widest = float(scale.max())
        bias = np.zeros(n_items, np.float32) if bias is None else bias[order].astype(np.float32)
        self._most_bias = float(np.abs(bias).max())
        reach = (1.001 * lengths[order[::TILE]]).astype(np.float32)
        self._narrow = narrow, scale, bias, reach

    def open_items(self, values, k, seen, dtype, offset=0.0):
        """Items that may be in a list.

        Parameters
        ----------
        values : ndarray of shape (m,)
            Factors of the rows of the table.
        k : int
            Length of the list.
        seen : ndarray of int of shape (n_seen,)
            Items that take no part.
        dtype : dtype
            In which the scores will be computed.
        offset : float, default=0.0
            Added to all products.

        Returns
        -------
        items : ndarray of int32 of shape (n_open,)
            Ascending. They hold the list, and an item whose score has the largest size of all.
            None: the whole table has to be read.
        """
        from skrec.serving._narrow_kernels import open_items

        table, scale, bias, reach = self._narrow
        values = values.astype(np.float64)
        total, length = float(np.abs(values).sum()), float(np.sqrt(values @ values))
        away = self._most_bias + abs(offset)
        if not total * (1 + 130 * self._widest) + away < _LARGEST:
            return None
        rounding = 127 * (2 * len(values) + 16) * _EPS * total
        width = 1.001 * (min(self._of_length * length, self._of_sum * total) + rounding)
        # Among equal keys the lower item comes first: an item may be in a list whose score is a
        # cell of the grid below another.
        slack = 2 * grid_width(dtype) + 32 * _EPS
        rest = 16 * _EPS * away + _TINY
        errors = width, slack, rest, self._widest, 1.001 * length, 1.001 * away + rest
        if offset:
            bias = bias + np.float32(offset)
        found = np.empty(len(scale) // _LARGEST_SHARE, np.int32)
        n, _ = open_items(
            np.arange(len(table), dtype=np.int32),
            values.astype(np.float32),
            (table, scale, bias, reach),
            tuple(map(np.float32, errors)),
            k,
            self._place[seen],
            found,
        )
        return None if n < 1 else np.sort(self._order[found[:n]])


def _rounded(vectors):
    """Vectors in 8 bits, their scales, and the largest square and part of an error, in scales."""
    sizes = np.abs(vectors).max(axis=1)
    scale = np.maximum(sizes / 127, np.finfo(np.float32).tiny).astype(np.float32)
    wide = scale[:, np.newaxis].astype(np.float64)
    numbers = np.rint(vectors / wide).clip(-127, 127).astype(np.int8)
    error = np.abs(vectors - numbers * wide) / wide
    scale[sizes == 0] = 0  # an item without weights is known for certain
    return numbers, scale, np.einsum("if,if->i", error, error).max(), error.max()


class NarrowFactors:
    """Lists of a factor model for one row, by its item vectors in 8 bits.

    Parameters
    ----------
    model : fitted recommender
        With `FactoredScoresMixin`, and item vectors as rows in memory. Item biases, if there are
        any, are in `item_bias_`; for other biases the whole table is read.
    """

    def __init__(self, model):
        self._model, self._bias = model, getattr(model, "item_bias_", None)
        self._table = NarrowTable(model.components_, self._bias)

    def __call__(self, X, k, seen, what):
        """Items and scores of a list, as `top_k` of all scores returns them.

        Parameters
        ----------
        X : csr_array of shape (1, n_items)
            Canonical.
        k : int
        seen : tuple (indptr, indices)
            Items that are not listed, as of a csr_array.
        what : str
            Subject of an error of scores that are not finite.
        """
        vectors, item_bias, offset = self._model._factored(X)
        found = None
        if item_bias is self._bias:
            of_all = 0.0 if offset is None else float(offset[0])
            found = self._table.open_items(vectors[0], k, seen.indices, X.dtype, of_all)
        if found is None:
            return top_k(
                self._scores(X, vectors, item_bias, offset), k, seen=seen, finite=what, n_jobs=1
            )
        return listed(self._scores(X, vectors, item_bias, offset, found), k, found, seen.indices)

    def _scores(self, X, vectors, item_bias, offset, items=None):
        components = self._model.components_
        if items is not None:
            components = components.T[items].T
            item_bias = None if item_bias is None else item_bias[items]
        return factor_scores(
            vectors, components, X.dtype, item_bias=item_bias, offset=offset, n_jobs=1
        )


def listed(scores, k, items, seen):
    """The list among some items, ascending, by their scores."""
    out = set(seen.tolist())
    takes_part = [item not in out for item in items.tolist()]
    allowed = None if all(takes_part) else np.array(takes_part)
    places, values = top_k(scores, k, allowed=allowed, n_jobs=1)
    return np.where(places < 0, -1, items[places]).astype(np.intp), values
