"""numba kernels for small symmetric systems, one for each row of a sparse matrix.

They write and read only the upper triangle of a symmetric matrix, row by row, so that every
inner loop runs over neighbouring elements. Inner loops run over views from index 0, because a
loop from a variable start is not vectorised.
"""

import math

import numpy as np

from skrec.utils._compile import njit

# Flags that let sums be vectorised; infinities and NaN keep their meaning.
FAST = {"reassoc", "contract", "nsz", "arcp"}


@njit(nogil=True, cache=True, fastmath=FAST)
def dot(a, b):
    """Sum of products."""
    total = a.dtype.type(0)
    for f in range(a.shape[0]):
        total += a[f] * b[f]
    return total


@njit(nogil=True, cache=True, fastmath=FAST)
def add_products(items, vectors, shift, slope, p, out, dots):
    """``out += sum_j (shift_j + slope_j (y_j . p)) y_j``; keeps y_j . p in `dots`.

    Parameters
    ----------
    items : ndarray of int of shape (n,)
        Rows of `vectors` in the sum: y_j = vectors[items[j]].
    vectors : ndarray of shape (n_vectors, d)
    shift, slope : ndarray of shape (at least n,)
    p : ndarray of shape (d,)
    out : ndarray of shape (d,), added to
    dots : ndarray of shape (at least n,), written
    """
    zero = p.dtype.type(0)
    n, d = items.shape[0], p.shape[0]
    j = 0
    while j + 4 <= n:  # four at a time, to read and write `out` less often
        y0, y1, y2, y3 = (
            vectors[items[j]], vectors[items[j + 1]], vectors[items[j + 2]], vectors[items[j + 3]],
        )  # fmt: skip
        s0, s1, s2, s3 = zero, zero, zero, zero
        for f in range(d):
            s0 += y0[f] * p[f]
            s1 += y1[f] * p[f]
            s2 += y2[f] * p[f]
            s3 += y3[f] * p[f]
        dots[j], dots[j + 1], dots[j + 2], dots[j + 3] = s0, s1, s2, s3
        s0 = shift[j] + slope[j] * s0
        s1 = shift[j + 1] + slope[j + 1] * s1
        s2 = shift[j + 2] + slope[j + 2] * s2
        s3 = shift[j + 3] + slope[j + 3] * s3
        for f in range(d):
            out[f] += (s0 * y0[f] + s1 * y1[f]) + (s2 * y2[f] + s3 * y3[f])
        j += 4
    while j < n:
        y = vectors[items[j]]
        s = dot(y, p)
        dots[j] = s
        s = shift[j] + slope[j] * s
        for f in range(d):
            out[f] += s * y[f]
        j += 1


@njit(nogil=True, cache=True, fastmath=FAST)
def add_outer_products(items, vectors, slope, matrix):
    """``matrix += sum_j slope_j y_j y_j^T``, upper triangle; names as in `add_products`."""
    n, d = items.shape[0], vectors.shape[1]
    j = 0
    while j + 4 <= n:
        y0, y1, y2, y3 = (
            vectors[items[j]], vectors[items[j + 1]], vectors[items[j + 2]], vectors[items[j + 3]],
        )  # fmt: skip
        for r in range(d):
            s0, s1 = slope[j] * y0[r], slope[j + 1] * y1[r]
            s2, s3 = slope[j + 2] * y2[r], slope[j + 3] * y3[r]
            row, z0, z1, z2, z3 = matrix[r, r:], y0[r:], y1[r:], y2[r:], y3[r:]
            for f in range(row.shape[0]):
                row[f] += (s0 * z0[f] + s1 * z1[f]) + (s2 * z2[f] + s3 * z3[f])
        j += 4
    while j < n:
        y = vectors[items[j]]
        for r in range(d):
            s, row, z = slope[j] * y[r], matrix[r, r:], y[r:]
            for f in range(row.shape[0]):
                row[f] += s * z[f]
        j += 1


@njit(nogil=True, cache=True, fastmath=FAST)
def _finish_pivot(matrix, r, stop, least):
    """Make row r of U, and subtract it from the rows below it, up to `stop`."""
    root = matrix.dtype.type(math.sqrt(max(matrix[r, r], least)))
    inverse = matrix.dtype.type(1) / root
    matrix[r, r] = root
    rest = matrix[r, r + 1 :]
    for f in range(rest.shape[0]):
        rest[f] *= inverse
    for k in range(r + 1, stop):
        s, row, below = matrix[r, k], matrix[r, k:], matrix[k, k:]
        for f in range(below.shape[0]):
            below[f] -= s * row[f]


@njit(nogil=True, cache=True, fastmath=FAST - {"reassoc"})
def _subtract_four(matrix, r):
    """Subtract rows r to r + 3 of U from all rows below them, one after the other."""
    for k in range(r + 4, matrix.shape[0]):
        below = matrix[k, k:]
        u0, u1, u2, u3 = matrix[r, k:], matrix[r + 1, k:], matrix[r + 2, k:], matrix[r + 3, k:]
        s0, s1, s2, s3 = u0[0], u1[0], u2[0], u3[0]
        for f in range(below.shape[0]):
            below[f] = (((below[f] - s0 * u0[f]) - s1 * u1[f]) - s2 * u2[f]) - s3 * u3[f]


@njit(nogil=True, cache=True, fastmath=FAST)
def cholesky(matrix):
    """Replace the upper triangle by U with U^T U = matrix.

    Rounding may make a pivot smaller than any pivot of a matrix of full rank. Such a pivot, also
    of a zero matrix, is raised to the least possible one, so that the result is finite.
    """
    d = matrix.shape[0]
    largest = matrix.dtype.type(0)
    for r in range(d):
        largest = max(largest, matrix[r, r])
    info = np.finfo(matrix.dtype)
    least = max(largest * matrix.dtype.type(info.eps), matrix.dtype.type(info.tiny))
    r = 0
    while r + 4 <= d:  # four at a time, to read and write the rows below less often
        for pivot in range(r, r + 4):
            _finish_pivot(matrix, pivot, r + 4, least)
        _subtract_four(matrix, r)
        r += 4
    while r < d:
        _finish_pivot(matrix, r, d, least)
        r += 1


@njit(nogil=True, cache=True, fastmath=FAST)
def solve_cholesky(upper, b):
    """Solve U^T U x = b in place."""
    d = b.shape[0]
    for r in range(d):
        b[r] /= upper[r, r]
        s, row = b[r], upper[r]
        for f in range(r + 1, d):
            b[f] -= s * row[f]
    for r in range(d - 1, -1, -1):
        row = upper[r]
        total = b[r]
        for f in range(r + 1, d):
            total -= row[f] * b[f]
        b[r] = total / row[r]


@njit(nogil=True, cache=True, fastmath=FAST, inline="always")
def kept(one, rate, penalty):
    """Factor by which the penalty shrinks a vector in a gradient step; at least zero.

    A factor below -1 (a penalty above 2 / rate) would make the vector grow at each step.
    """
    return max(one - one, one - rate * penalty)


@njit(nogil=True, cache=True)
def longest_row(indptr, start, stop):
    """Number of entries of the longest CSR row from `start` to `stop`."""
    longest = 0
    for u in range(start, stop):
        longest = max(longest, indptr[u + 1] - indptr[u])
    return longest
