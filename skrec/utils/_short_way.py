"""A fast path of validation, for rows that validation would return unchanged.

A service scores one row per request, and its own code has made the row canonical. scikit-learn's
validation of that row takes ten times as long as the list itself. This module checks the arrays
once. Every X that it does not accept goes through full validation, which reports errors.
"""

import copy

import numpy as np
from scipy.sparse import csr_array, csr_matrix


def plain_rows(estimator, X):
    """X as `skrec.utils._validation.validate_interactions` would return it, or None.

    None means only that X needs full validation. For any other result, validation would
    return the same matrix without an error, a warning or a change of the estimator.

    Parameters
    ----------
    estimator : fitted estimator
    X : object

    Returns
    -------
    X : csr_array of shape (n_rows, n_items) or None
        A new object around the arrays of X. X must be a csr_array or csr_matrix of float32 or
        float64, with int32 indices that are sorted and without duplicates, with positive finite
        values, and with the width of the fit. The estimator must have no feature names.
    """
    if type(X) not in (csr_array, csr_matrix):
        return None
    state = vars(estimator)
    if "feature_names_in_" in state or X.ndim != 2:  # full validation warns of missing names
        return None
    n_rows, n_items = X.shape
    if n_rows < 1 or n_items < 1 or n_items != state.get("n_features_in_"):
        return None
    if not _are_canonical(X.data, X.indices, X.indptr, n_rows, n_items):
        return None
    if type(X) is csr_array:
        shell = copy.copy(X)  # scipy sets flags on the copy, not on the caller's object
    else:
        shell = csr_array((X.data, X.indices, X.indptr), shape=X.shape)
    shell.has_canonical_format = True
    return shell


def _are_canonical(data, indices, indptr, n_rows, n_items):
    if not (_is_plain(data, "fd") and _is_plain(indices, "i") and _is_plain(indptr, "i")):
        return False
    n = len(data)
    if len(indices) != n or len(indptr) != n_rows + 1 or indptr[0] != 0 or indptr[-1] != n:
        return False
    if n_rows > 1 and (indptr[1:] < indptr[:-1]).any():
        return False
    if n == 0:
        return True
    # A NaN minimum fails the test > 0. Read as unsigned, a negative index is a large one.
    if not (data.min() > 0 and data.max() < np.inf and indices.view(np.uint32).max() < n_items):
        return False
    rises = indices[1:] > indices[:-1]
    if n_rows > 1:
        starts = indptr[1:-1]
        rises[starts[(starts > 0) & (starts < n)] - 1] = True  # from one row to the next
    return bool(rises.all())


def _is_plain(array, kinds):
    """Whether compiled code can read an array: contiguous, aligned, of native byte order."""
    if type(array) is not np.ndarray or array.ndim != 1 or array.dtype.char not in kinds:
        return False
    flags = array.flags
    return array.dtype.isnative and flags.c_contiguous and flags.aligned
