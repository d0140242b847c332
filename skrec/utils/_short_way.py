"""The short way through the contract: rows that validation would return as they are.

What a service asks for one user is one row, which its own code has made canonical. To be told so
by scikit-learn takes ten times what the list takes. Here the arrays are looked at once, and
whatever is not as plain as can be goes the long way, which says what is wrong.
"""

import copy

import numpy as np
from scipy.sparse import csr_array, csr_matrix


def plain_rows(estimator, X):
    """X as `skrec.utils._validation.validate_interactions` would return it, or None.

    None says nothing about X but that it has to be validated. What is not None is what
    validation returns for it, without an error, a warning or a trace on the estimator.

    Parameters
    ----------
    estimator : fitted estimator
    X : object

    Returns
    -------
    X : csr_array of shape (n_rows, n_items) or None
        A shell of its own around the arrays of X, a csr_array or csr_matrix of float32 or float64
        with int32 indices, sorted and without duplicates, of which all values are positive and
        finite, and of the width that the estimator was fitted with, which knows no names of
        columns.
    """
    if type(X) not in (csr_array, csr_matrix):
        return None
    state = vars(estimator)
    if "feature_names_in_" in state or X.ndim != 2:  # the long way misses the names
        return None
    n_rows, n_items = X.shape
    if n_rows < 1 or n_items < 1 or n_items != state.get("n_features_in_"):
        return None
    if not _are_canonical(X.data, X.indices, X.indptr, n_rows, n_items):
        return None
    if type(X) is csr_array:
        shell = copy.copy(X)  # what scipy notes of it is not the caller's
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
    # A minimum that is NaN is not above zero. Read as unsigned, a negative index is a large one.
    if not (data.min() > 0 and data.max() < np.inf and indices.view(np.uint32).max() < n_items):
        return False
    rises = indices[1:] > indices[:-1]
    if n_rows > 1:
        starts = indptr[1:-1]
        rises[starts[(starts > 0) & (starts < n)] - 1] = True  # from one row to the next
    return bool(rises.all())


def _is_plain(array, kinds):
    """Whether compiled code reads it as it is: contiguous, aligned, of native byte order."""
    if type(array) is not np.ndarray or array.ndim != 1 or array.dtype.char not in kinds:
        return False
    flags = array.flags
    return array.dtype.isnative and flags.c_contiguous and flags.aligned
