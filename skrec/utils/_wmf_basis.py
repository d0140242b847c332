"""Vectors in the basis in which a Gram matrix is diagonal.

A row's conjugate gradients multiply by the Gram matrix once per step. The steps are the same in
every orthonormal basis. In the basis of the eigenvectors the product takes d operations, not d^2.
"""

import numpy as np

from skrec.utils._blas_threads import one_blas_thread
from skrec.utils._parallel import run_ranges

# Rows of one product. It does not depend on the threads, and a shorter block is filled up, so that
# equal rows have equal results wherever they stand.
_BLOCK = 512


def eigenbasis(gram):
    """Diagonalise a Gram matrix.

    Parameters
    ----------
    gram : ndarray of shape (d, d)
        Symmetric, positive semidefinite but for rounding.

    Returns
    -------
    basis : ndarray of shape (d, d), dtype of `gram`
        Eigenvectors in the columns; the identity if `gram` is not finite.
    diagonal : ndarray of shape (d, d), dtype of `gram`
        ``basis.T @ gram @ basis``, with no element below zero; NaN if `gram` is not finite.
    """
    d = len(gram)
    if not np.isfinite(gram).all():  # the vectors overflow, and shall be seen to
        return np.eye(d, dtype=gram.dtype), np.full((d, d), np.nan, dtype=gram.dtype)
    with one_blas_thread():
        values, basis = np.linalg.eigh(gram.astype(np.float64))
    return basis.astype(gram.dtype), np.diag(np.maximum(values, 0).astype(gram.dtype))


def rotate(vectors, basis, out=None, *, n_jobs=None):
    """``vectors @ basis``, in blocks of rows.

    Parameters
    ----------
    vectors : ndarray of shape (n, d)
    basis : ndarray of shape (d, d), dtype of `vectors`
    out : ndarray of shape (n, d), default=None
        Where the result goes: `vectors` themselves, for one. None: a new array.
    n_jobs : int or None, default=None
        Number of threads; it does not change the result.

    Returns
    -------
    out : ndarray of shape (n, d)
    """
    n, d = vectors.shape
    out = np.empty((n, d), vectors.dtype) if out is None else out

    def blocks(start, stop):
        rows, product = np.zeros((_BLOCK, d), vectors.dtype), np.empty((_BLOCK, d), vectors.dtype)
        for first in range(start * _BLOCK, min(stop * _BLOCK, n), _BLOCK):
            last = min(first + _BLOCK, n)
            rows[: last - first] = vectors[first:last]
            np.matmul(rows, basis, out=product)
            out[first:last] = product[: last - first]

    with one_blas_thread():
        run_ranges(blocks, -(-n // _BLOCK), n_jobs=n_jobs)
    return out
