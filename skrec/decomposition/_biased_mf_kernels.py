"""numba part of `skrec.decomposition.BiasedMF`; imported only when it is called.

Names are as in `skrec.utils._rating_kernels`.
"""

import numpy as np

from skrec.utils._compile import njit
from skrec.utils._rating_kernels import normal_matrix
from skrec.utils._ridge_kernels import cholesky, dot, longest_row, solve_cholesky


@njit(nogil=True, cache=True)
def explain_rows(indptr, indices, values, vectors, offset, penalty, targets, out, start, stop):
    """Compute what each rating of a row adds to the predictions for some columns.

    The prediction for column i is o_i + y_i . A^-1 b: rating j adds
    (x_j - o_j) y_j . A^-1 y_i.

    Parameters
    ----------
    targets : ndarray of intp of shape (n_rows, m)
        Columns i, -1 for none.
    out : ndarray of float64 of shape (m * nnz,), written
        For each row, m times as many values as it has ratings.
    """
    d = vectors.shape[1]
    m = targets.shape[1]
    ones = np.ones(longest_row(indptr, start, stop))
    matrix = np.empty((d, d))
    z = np.empty(d)
    for u in range(start, stop):
        first, last = indptr[u], indptr[u + 1]
        columns = indices[first:last]
        n = columns.shape[0]
        normal_matrix(columns, vectors, ones, penalty[u], matrix)
        cholesky(matrix)
        for t in range(m):
            part = out[m * first + t * n : m * first + (t + 1) * n]
            part[:] = 0
            if targets[u, t] < 0:
                continue
            z[:] = vectors[targets[u, t]]
            solve_cholesky(matrix, z)
            for j in range(n):
                rest = values[first + j] - offset[columns[j]]
                part[j] = rest * dot(vectors[columns[j]], z)
