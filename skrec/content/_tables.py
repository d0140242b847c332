"""Tables of features, dense or sparse: their unit, and the columns that are not all zero."""

import numpy as np
from scipy.sparse import issparse

_N_NUMBERS = 2**22  # of a part


def parts(features, rows):
    """Some rows of a table, part by part, so that no second dense table is needed.

    Parameters
    ----------
    features : ndarray or csr_array of shape (n_items, d)
    rows : ndarray of intp of shape (n,)

    Yields
    ------
    place : slice
        The places of the part in `rows`.
    part : ndarray or csr_array of shape (m, d)
        A sparse table comes whole.
    """
    size = len(rows) if issparse(features) else max(1, _N_NUMBERS // max(1, features.shape[1]))
    for start in range(0, len(rows), max(1, size)):
        place = slice(start, start + size)
        yield place, features[rows[place]]


def not_zero(features):
    """Which rows of a table hold anything but zeros."""
    if issparse(features):
        return np.diff(features.indptr) > 0
    found = np.zeros(len(features), dtype=bool)
    for place, part in parts(features, np.arange(len(features))):
        found[place] = (part != 0).any(axis=1)
    return found


def mean_length(features, kept):
    """Mean L2 norm of the nonzero rows of features among the rows `kept`; 1 if there are none."""
    some = features[kept]
    if issparse(some):
        lengths = np.sqrt(some.multiply(some).sum(1))
    else:
        lengths = np.linalg.norm(some, axis=1)
    lengths = lengths[lengths > 0]
    return float(lengths.mean()) if len(lengths) else 1.0


def spread(features, kept):
    """Root mean square distance of the rows `kept` of features from their mean.

    Rows of zeros mean that nothing is known, and do not count. 1 if all rows are zero; the root
    mean square length if all others are equal.
    """
    square, mean, n_known = 0.0, np.zeros(features.shape[1]), 0
    for _, part in parts(features, np.flatnonzero(kept)):
        squares = np.asarray((part * part).sum(axis=1), np.float64)
        n_known += int((squares > 0).sum())
        square += squares.sum()
        mean += np.asarray(part.sum(axis=0, dtype=np.float64))
    if not n_known:
        return 1.0
    square, mean = square / n_known, mean / n_known
    rest = square - mean @ mean
    return float(np.sqrt(rest if rest > 1e-9 * square else square))


def seen_features(features, kept):
    """Which columns of features have a nonzero number in the rows `kept`."""
    found = np.zeros(features.shape[1], dtype=bool)
    for _, part in parts(features, np.flatnonzero(kept)):
        if issparse(part):
            found[part.indices[part.data != 0]] = True
        else:
            found |= (part != 0).any(axis=0)
    return found
