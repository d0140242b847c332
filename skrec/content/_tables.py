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


def seen_features(features, kept):
    """Which columns of features are not zero everywhere in the rows `kept`."""
    some = features[kept]
    if issparse(some):
        return np.bincount(some.indices[some.data != 0], minlength=some.shape[1]) > 0
    return (some != 0).any(axis=0)
