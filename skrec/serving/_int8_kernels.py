"""numba part of `skrec.serving._int8_torch`; imported only when it is called."""

import numpy as np

from skrec.utils._compile import njit


@njit(nogil=True, cache=True)
def int8_products(rows, row_scale, table, table_scale, bias, out, start, stop):
    """Scaled ``rows @ table[start:stop].T + bias`` of whole numbers.

    Sums are of int32, in which `quantised_rows` lets nothing overflow: they are exact.

    Parameters
    ----------
    rows : ndarray of int16 of shape (n_rows, d)
    row_scale : ndarray of float32 of shape (n_rows,)
    table : ndarray of int8 of shape (n, d)
    table_scale, bias : ndarray of float32 of shape (n,)
    out : ndarray of float32 of shape (n_rows, n), written
    start, stop : int
    """
    d = table.shape[1]
    for i in range(start, stop):
        for u in range(rows.shape[0]):
            total = np.int32(0)
            for f in range(d):
                total = np.int32(total + np.int32(np.int32(rows[u, f]) * np.int32(table[i, f])))
            out[u, i] = np.float32(total) * (table_scale[i] * row_scale[u]) + bias[i]
