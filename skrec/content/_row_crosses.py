"""Crosses of categories: a column for each pair of categories in two fields, hashed if many."""

import numpy as np
from scipy.sparse import csr_array, hstack

from skrec.content._pair_rows import products
from skrec.utils._fitted import Array, refused
from skrec.utils._hashing import mix64
from skrec.utils._params import NONE, POSITIVE_INTEGER


class _Pairs:
    """The rule of `cross_features`: a list of pairs of names or places."""

    def __contains__(self, value):
        return isinstance(value, list | tuple) and all(
            isinstance(pair, list | tuple)
            and len(pair) == 2
            and all(isinstance(name, str | int | np.integer) for name in pair)
            for pair in value
        )

    def __str__(self):
        return "a list of pairs of names, places or labels of fields"


CROSS_RULES = {"cross_features": (NONE, _Pairs()), "n_cross_buckets": POSITIVE_INTEGER}


class CrossesMixin:
    """A `RowModel` with `cross_features` and `n_cross_buckets`, without pairs of vectors."""

    _pairs = False
    _fitted_rules = {
        "cross_pairs_": Array("n_pairs", 2, dtypes=("int64",), low=0),
        "cross_sizes_": Array("n_pairs", dtypes=("int64",), low=1),
    }

    def _learn_crosses(self):
        names, found = getattr(self, "feature_names_in_", None), []
        for pair in self.cross_features or ():
            try:
                a, b = (self.fields_.field_number(name, names) for name in pair)
            except ValueError as error:
                raise ValueError(
                    f"cross_features must be pairs of fields that hold categories. Got {pair!r}: "
                    f"{error}; KBinsDiscretizer makes categories of numbers."
                ) from error
            if a == b:
                raise ValueError(f"cross_features crosses a field with itself: {pair!r}.")
            found.append((a, b))
        self.cross_pairs_ = np.array(found, dtype=np.int64).reshape(-1, 2)
        widths = np.bincount(self.fields_.field_)[self.cross_pairs_]
        self.cross_sizes_ = np.minimum(widths.prod(axis=1), self.n_cross_buckets).astype(np.int64)

    def _n_crosses(self):
        return int(self.cross_sizes_.sum())

    def _crossed(self, X):
        if not len(self.cross_pairs_):
            return None
        known = _only(X, self.fields_.seen_)
        bounds = np.searchsorted(self.fields_.field_, np.arange(self.fields_.n_fields + 1))
        blocks = []
        for (a, b), size in zip(self.cross_pairs_, self.cross_sizes_, strict=True):
            parts = (csr_array(known[:, bounds[f] : bounds[f + 1]]) for f in (a, b))
            blocks.append(_hashed(products(*parts), int(size)))
        crossed = csr_array(hstack(blocks, format="csr"))
        crossed.sum_duplicates()
        return crossed

    def _check_fitted(self):
        super()._check_fitted()
        pairs = self.cross_pairs_
        if len(pairs) and pairs.max() >= self.fields_.n_fields:
            raise refused("cross_pairs_", f"field {pairs.max()}", f"< {self.fields_.n_fields}")


def _only(X, columns):
    """The entries of some columns, in the old shape."""
    kept = columns[X.indices]
    indptr = np.concatenate([[0], np.cumsum(kept)])[X.indptr]
    return csr_array((X.data[kept], X.indices[kept], indptr), shape=X.shape)


def _hashed(crosses, size):
    """Crosses in at most `size` columns."""
    columns = cross_columns(crosses.indices, crosses.shape[1], size)
    return csr_array((crosses.data, columns, crosses.indptr), shape=(crosses.shape[0], size))


def cross_columns(crosses, n_crosses, size):
    """At most `size` columns for crosses that are numbered up to `n_crosses`."""
    if n_crosses <= size:
        return crosses
    return (mix64(crosses.astype(np.uint64)) % np.uint64(size)).astype(np.int64)
