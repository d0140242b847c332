"""numba part of `skrec.utils._wmf_parts`: shares of some users in the equations of items."""

import numpy as np

from skrec.utils._compile import njit
from skrec.utils._ridge_kernels import FAST, add_products, longest_row


@njit(nogil=True, cache=True, fastmath=FAST)
def residual_rows(problems, x, out, projections, losses, start, stop):
    """Compute shares in the residuals of items; names as in `skrec.utils._wmf_kernels`.

    Parameters
    ----------
    problems : skrec.utils._wmf_als.RowProblems
        Its rows are items, its vectors belong to users.
    x : ndarray of shape (n_items, d)
        The present vectors.
    out : ndarray of shape (n_items, d), written
        ``sum_j ((e_j + m_j) - e_j (y_j . x)) y_j``.
    projections : ndarray of float64 of shape (n_items,), written
        ``sum_j (e_j + m_j) (y_j . x)``, that is b . x.
    losses : ndarray of float64 of shape (n_items,), written
        Sum of c (1 - y)^2 - m y^2 over the entries.
    """
    (indptr, indices, values, vectors, weight, missing, _, confidence, _, _) = problems
    longest = longest_row(indptr, start, stop)
    slope, gain, dots = (
        np.empty(longest, vectors.dtype), np.empty(longest, vectors.dtype),
        np.empty(longest, vectors.dtype),
    )  # fmt: skip
    for i in range(start, stop):
        first, last = indptr[i], indptr[i + 1]
        users = indices[first:last]
        for j in range(last - first):
            slope[j] = -confidence * values[first + j] * weight[users[j]]
            gain[j] = missing[users[j]] - slope[j]
        out[i] = 0
        add_products(users, vectors, gain, slope, x[i], out[i], dots)
        projection, loss = 0.0, 0.0
        for j in range(last - first):
            y = np.float64(dots[j])
            projection += gain[j] * y
            loss += gain[j] * (1.0 - y) ** 2 - (gain[j] + slope[j]) * y**2
        projections[i], losses[i] = projection, loss


@njit(nogil=True, cache=True, fastmath=FAST)
def product_rows(problems, p, out, start, stop):
    """Compute shares in the products of items: ``out[i] = sum_j e_j (y_j . p_i) y_j``."""
    (indptr, indices, values, vectors, weight, _, _, confidence, _, _) = problems
    longest = longest_row(indptr, start, stop)
    none = np.zeros(longest, vectors.dtype)
    slope, dots = np.empty(longest, vectors.dtype), np.empty(longest, vectors.dtype)
    for i in range(start, stop):
        first, last = indptr[i], indptr[i + 1]
        users = indices[first:last]
        for j in range(last - first):
            slope[j] = confidence * values[first + j] * weight[users[j]]
        out[i] = 0
        add_products(users, vectors, none, slope, p[i], out[i], dots)
