"""User features and context as the user passed them, cut by rows."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array, issparse

from skrec.utils._feature_rows import n_rows_of
from skrec.utils._sparse_check import sound_sparse


class GivenSide(NamedTuple):
    """Side information to pass on to an estimator, which checks the values itself."""

    user_features: object = None
    context: object = None

    def keywords(self, rows, *, pairs=None):
        """Keyword arguments of a scoring method, without those that were not given.

        Parameters
        ----------
        rows : slice or ndarray of int
            Rows of X that are scored.
        pairs : ndarray of int, default=None
            For ``score_pairs``: the place in `rows` of each pair. A pair gets the context of
            its row.
        """
        found = {}
        if self.user_features is not None:
            found["user_features"] = _take(self.user_features, rows)
        if self.context is not None:
            context = _take(self.context, rows)
            found["context"] = context if pairs is None else _take(context, pairs)
        return found


def given_side(user_features, context, n_rows):
    """Make a `GivenSide` of tables that have one row per row of X.

    Parameters
    ----------
    user_features, context : {array-like, sparse matrix, dataframe} of n_rows rows, or None
    n_rows : int

    Raises
    ------
    ValueError
        If a table has another number of rows.
    """
    for name, values in (("user_features", user_features), ("context", context)):
        if values is not None and n_rows_of(values) != n_rows:
            raise ValueError(
                f"{name} must have one row per row of X. Got {n_rows_of(values)} rows, expected "
                f"{n_rows}."
            )
    return GivenSide(
        _rows_can_be_taken(user_features, "user_features"), _rows_can_be_taken(context, "context")
    )


def _rows_can_be_taken(values, name):
    if issparse(values):
        return csr_array(sound_sparse(values, name))
    if values is None or hasattr(values, "iloc") or hasattr(values, "shape"):
        return values
    return np.asarray(values)


def _take(values, rows):
    return values.iloc[rows] if hasattr(values, "iloc") else values[rows]
