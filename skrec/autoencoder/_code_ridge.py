"""Users' weights over frozen codes of the items, by ridge regression."""

import numpy as np
from scipy.linalg import cho_factor, cho_solve


def solve_rows(X, codes, alpha):
    """Solve the ridge regression of each row on the codes of its items.

    Minimises ``sum_i (x_ui - v . h_i - b)^2 + alpha / 2 ||v||^2`` over the stored entries of
    each row; b has no penalty. Without `alpha`, a ridge of 1e-10 times the mean diagonal element
    chooses (very nearly) the v of least norm.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
    codes : ndarray of shape (n_items, d), float64
        The h_i.
    alpha : float

    Returns
    -------
    weights : ndarray of shape (n_rows, d), float64
        The v; zeros for empty rows.
    bias : ndarray of shape (n_rows,), float64
        The b; zeros for empty rows.
    """
    weights, bias = np.zeros((X.shape[0], codes.shape[1])), np.zeros(X.shape[0])
    for row, (start, stop) in enumerate(zip(X.indptr[:-1], X.indptr[1:], strict=True)):
        if start < stop:
            rated, values = codes[X.indices[start:stop]], X.data[start:stop].astype(np.float64)
            weights[row], bias[row] = _solve(rated, values, alpha / 2)
    return weights, bias


def _solve(rated, values, ridge):
    mean, level = rated.mean(axis=0), values.mean()
    rated, values = rated - mean, values - level  # at the minimum, b absorbs the means
    n, d = rated.shape
    # (H^T H + c I)^-1 H^T r = H^T (H H^T + c I)^-1 r: the smaller of the two systems.
    matrix = rated @ rated.T if n <= d else rated.T @ rated
    scale = np.trace(matrix) / len(matrix)
    if scale == 0:
        return np.zeros(d), level
    matrix[np.diag_indices_from(matrix)] += max(ridge, 1e-10 * scale)
    factor = cho_factor(matrix, overwrite_a=True, check_finite=False)
    if n <= d:
        solution = rated.T @ cho_solve(factor, values, check_finite=False)
    else:
        solution = cho_solve(factor, rated.T @ values, check_finite=False)
    return solution, level - mean @ solution
