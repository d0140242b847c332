"""Sparse matrices in the form that the kernels take."""

import numpy as np


def kernel_csr(matrix, values=None):
    """The arrays of a csr_array in the same types whatever their source.

    numba compiles a kernel again for other index types and for read-only arrays (memory
    maps). So this function always returns int64 pointers and int32 indices, all read-only.

    Parameters
    ----------
    matrix : csr_array
    values : ndarray of shape (nnz,), default=None
        Values to use instead of the matrix's.

    Returns
    -------
    ptr, idx, val : ndarray
        Views where the types already match.
    """
    values = matrix.data if values is None else values
    return (
        read_only(matrix.indptr.astype(np.int64, copy=False)),
        read_only(matrix.indices.astype(np.int32, copy=False)),
        read_only(values),
    )


def read_only(array):
    """A read-only view of a contiguous array."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
