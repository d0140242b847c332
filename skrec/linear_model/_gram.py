"""The Gram matrix X^T diag(w) X of a sparse matrix, in one triangle of one dense buffer."""

import numpy as np

from skrec.utils._memory import check_memory
from skrec.utils._parallel import run_ranges

# Rows that the blocked inversion eliminates at once, see skrec.linear_model._inverse.
BLOCK_SIZE = 512


def gram_memory(n_items, *, dtype=np.float32, n_entries=0):
    """Estimate the bytes that `add_gram` and the inversion need beside X.

    Parameters
    ----------
    n_items : int
        Number of items.
    dtype : dtype, default=np.float32
        Type of the Gram matrix.
    n_entries : int, default=0
        Stored entries of the largest X that is added.

    Returns
    -------
    n_bytes : int
        The buffer, plus the larger of two: the column order of X (12 bytes an entry, enough
        for indices of 64 bits), and the panel of the inversion.
    """
    itemsize = np.dtype(dtype).itemsize
    panel = n_items * min(n_items, BLOCK_SIZE) * itemsize
    return n_items * n_items * itemsize + max(panel, 12 * n_entries)


def new_gram(n_items, *, dtype=np.float32, n_entries=0, name="EASE"):
    """Allocate an empty Gram matrix, if there is memory for the whole fit.

    Parameters
    ----------
    n_items : int
        Number of items.
    dtype : {np.float32, np.float64}, default=np.float32
        Type of the matrix, and of the weights that are computed in it.
    n_entries : int, default=0
        Stored entries of the X that will be added, for the estimate.
    name : str, default="EASE"
        Name of the estimator, for the message.

    Returns
    -------
    gram : ndarray of shape (n_items, n_items)
        Zeros, C-contiguous.

    Raises
    ------
    MemoryError
        If there is too little memory; the message names the remedies.
    """
    dtype = np.dtype(dtype)
    remedies = [
        "keep fewer items (skrec.model_selection.k_core drops the rare ones)",
        "use a sparse model such as ItemKNN",
    ]
    if dtype == np.float64:
        remedies.insert(0, "use dtype=np.float32, which halves it")
    what = f"{name} with {n_items:,} items in {dtype.name}"
    check_memory(gram_memory(n_items, dtype=dtype, n_entries=n_entries), what, remedies)
    return np.zeros((n_items, n_items), dtype=dtype)


def add_gram(X, gram, *, sample_weight=None, n_jobs=None):
    """Add X^T diag(sample_weight) X to the upper triangle of `gram`, in place.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items), float32 or float64
        Canonical: indices sorted, no duplicates. Indices of 32 or 64 bits.
    gram : ndarray of shape (n_items, n_items), float32 or float64
        C-contiguous. Elements below the diagonal are neither read nor written.
    sample_weight : array-like of shape (n_users,), default=None
        Non-negative weight of each row; None means 1.
    n_jobs : int or None, default=None
        Threads, see `skrec.utils._parallel.effective_n_threads`.

    Returns
    -------
    gram : ndarray
        The same object.

    Raises
    ------
    ValueError
        If X is not canonical, or a shape, a dtype or a weight does not fit.

    Notes
    -----
    Row i of the result is the sum, over the users u of item i, of w_u x_ui times the part
    of u's row from i on. Each thread computes whole rows, shared out by their cost. So there
    is no race, a thread's buffer is one row, and every element is summed in one order: the
    number of threads does not change a bit of the result.

    One call sums in float64 and rounds each element of `gram` once. So in float32 an
    element has a relative error of at most 2**-24 (6e-8) for each call that added to it,
    and counts (binary X, integer weights) are exact up to 2**24 = 16,777,216 users.

    Memory beside `gram` is 8 bytes for each stored entry (16 from 2**31 entries on), and
    4 more if the indices have 64 bits.
    """
    n_items = X.shape[1]
    check_square(gram, n_items)
    weight = _row_weights(sample_weight, X.shape[0])
    if not X.has_canonical_format:
        raise ValueError(
            "The Gram matrix needs rows with sorted item indices and no duplicates. Got a "
            "matrix that is not in canonical format: call X.sum_duplicates() first."
        )
    if X.nnz == 0:
        return gram
    # The kernels are imported here because numba takes half a second.
    from skrec.linear_model import _gram_kernels as kernels

    items = _unsigned(X.indices[: X.nnz])
    values = X.data[: X.nnz]
    indptr = X.indptr.astype(np.int64)
    entries = np.int32 if X.nnz < 2**31 else np.int64
    position = np.empty(X.nnz, dtype=entries)
    user = np.empty(X.nnz, dtype=entries)
    cost = np.empty(n_items, dtype=np.float64)
    first = np.empty(n_items + 1, dtype=np.int64)
    kernels.column_entries(items, indptr, first, position, user, cost)
    columns = (indptr, first, position, user)

    if values.min() == values.max():
        # Binary data: one factor replaces all values, so they need not be read.
        weight = weight * float(values[0]) ** 2

        def add_rows(start, stop):
            kernels.add_pattern_rows(items, *columns, weight, gram, start, stop)

    else:

        def add_rows(start, stop):
            kernels.add_value_rows(items, values, *columns, weight, gram, start, stop)

    run_ranges(add_rows, n_items, n_jobs=n_jobs, weights=cost)
    return gram


def check_square(matrix, n_items):
    """Refuse a matrix that the kernels and BLAS cannot work on in place."""
    flags = matrix.flags
    supported = matrix.dtype in (np.float32, np.float64)
    if matrix.shape != (n_items, n_items) or not supported:
        raise ValueError(
            f"Expected a matrix of shape ({n_items}, {n_items}) of float32 or float64. Got "
            f"shape {matrix.shape} of {matrix.dtype}."
        )
    if not (flags.c_contiguous and flags.writeable and flags.aligned):
        raise ValueError(
            "Expected a C-contiguous, aligned, writeable matrix, since the computation "
            "overwrites it. Got one that is not: pass np.require(matrix, requirements='CAW')."
        )


def _row_weights(sample_weight, n_users):
    if sample_weight is None:
        return np.ones(n_users, dtype=np.float64)
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.shape != (n_users,):
        raise ValueError(
            f"sample_weight must have one weight for each of the {n_users} rows of X. Got shape "
            f"{weight.shape}."
        )
    if not np.all(np.isfinite(weight)) or np.any(weight < 0):
        raise ValueError(
            "sample_weight must be finite and not negative. Got a weight of "
            f"{weight[~np.isfinite(weight) | (weight < 0)][0]}: use 0 to leave a row out."
        )
    return weight


def _unsigned(indices):
    """Item indices as uint32, without a copy if they have 32 bits."""
    if indices.dtype == np.int32:
        return indices.view(np.uint32)
    return indices.astype(np.uint32)
