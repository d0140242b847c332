"""Tables of features, dense or sparse: their unit, and which columns say something."""

import numpy as np
from scipy.sparse import issparse


def mean_length(features, kept):
    """Mean L2 norm of the rows `kept` of features that are not zero; 1 if there are none."""
    some = features[kept]
    if issparse(some):
        lengths = np.sqrt(some.multiply(some).sum(1))
    else:
        lengths = np.linalg.norm(some, axis=1)
    lengths = lengths[lengths > 0]
    return float(lengths.mean()) if len(lengths) else 1.0


def spread(features, kept):
    """Root mean square distance of the rows `kept` of features from their mean.

    Rows of zeros say nothing and do not count. 1 if there are no others; the root mean square
    length where all are equal.
    """
    some = features[kept]
    squares = np.asarray((some * some).sum(axis=1), np.float64)
    known = squares > 0
    if not known.any():
        return 1.0
    n_known = int(known.sum())
    mean = np.asarray(some.sum(axis=0, dtype=np.float64)) / n_known
    square = squares.sum() / n_known
    rest = square - mean @ mean
    return float(np.sqrt(rest if rest > 1e-9 * square else square))


def seen_features(features, kept):
    """Which columns of features are not zero everywhere in the rows `kept`."""
    some = features[kept]
    if issparse(some):
        return np.bincount(some.indices[some.data != 0], minlength=some.shape[1]) > 0
    return (some != 0).any(axis=0)
