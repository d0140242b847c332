"""numba part of `skrec._torch._fields`; imported only when it is called on a CPU."""

import numpy as np

from skrec.utils._compile import njit
from skrec.utils._ridge_kernels import FAST


@njit(nogil=True, cache=True, fastmath=FAST)
def add_fields(first, column, value, field, linear, vectors, pairs, out, sums):
    """Write sums of vectors by row and field to `sums`, linear terms and pairs to `out`.

    Parameters
    ----------
    first : ndarray of uint64 of shape (n_rows + 1,)
        Bounds of the entries of each row.
    column : ndarray of uint64 of shape (n_entries,)
    value : ndarray of shape (n_entries,)
    field : ndarray of uint64 of shape (n_columns,)
    linear : ndarray of shape (n_columns, n_outputs)
    vectors : ndarray of shape (n_columns, width)
    pairs : bool
    out : ndarray of shape (n_rows, n_outputs)
    sums : ndarray of shape (n_rows, n_fields, width)
    """
    n_outputs, n_fields, width = out.shape[1], sums.shape[1], sums.shape[2]
    d = width // n_outputs
    total, squares = np.empty(width, sums.dtype), np.empty(width, sums.dtype)
    for r in range(len(out)):
        out[r], sums[r] = 0, 0
        for e in range(first[r], first[r + 1]):
            j, x = column[e], value[e]
            f = field[j]
            for o in range(n_outputs):
                out[r, o] += x * linear[j, o]
            for c in range(width):
                sums[r, f, c] += x * vectors[j, c]
        if pairs:
            total[:], squares[:] = 0, 0
            for f in range(n_fields):
                for c in range(width):
                    total[c] += sums[r, f, c]
                    squares[c] += sums[r, f, c] * sums[r, f, c]
            for o in range(n_outputs):
                # The sum over pairs f < g of v_f . v_g, without the pairs.
                twice = sums.dtype.type(0)
                for c in range(o * d, o * d + d):
                    twice += total[c] * total[c] - squares[c]
                out[r, o] += sums.dtype.type(0.5) * twice


@njit(nogil=True, cache=True, fastmath=FAST)
def add_field_gradients(first, column, value, field, sums, pairs, slopes, gradients):
    """Add the gradients of `add_fields` by `linear` and `vectors` onto `gradients`.

    Parameters
    ----------
    slopes : tuple of ndarray
        Gradients by `out` and by `sums`, in their shapes.
    gradients : tuple of ndarray
        Gradients by `linear` and by `vectors`, in their shapes.
    """
    of_out, of_sums = slopes
    of_linear, of_vectors = gradients
    n_outputs, n_fields, width = of_out.shape[1], sums.shape[1], sums.shape[2]
    d = width // n_outputs
    total, towards = np.zeros(width, sums.dtype), np.zeros(width, sums.dtype)
    for r in range(len(of_out)):
        if pairs:
            total[:] = 0
            for f in range(n_fields):
                for c in range(width):
                    total[c] += sums[r, f, c]
            for o in range(n_outputs):
                for c in range(o * d, o * d + d):
                    towards[c] = of_out[r, o]
        for e in range(first[r], first[r + 1]):
            j, x = column[e], value[e]
            f = field[j]
            for o in range(n_outputs):
                of_linear[j, o] += x * of_out[r, o]
            if pairs:
                for c in range(width):
                    slope = of_sums[r, f, c] + towards[c] * (total[c] - sums[r, f, c])
                    of_vectors[j, c] += x * slope
            else:
                for c in range(width):
                    of_vectors[j, c] += x * of_sums[r, f, c]
