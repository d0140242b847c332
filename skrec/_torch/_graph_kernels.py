"""numba part of `skrec._torch._graph`; imported only when a product is computed on the CPU.

Matrices are tuples (ptr, idx, val). Each row is summed in the order of its entries, by one
thread: results do not depend on their number.
"""

from skrec.utils._compile import njit


@njit(nogil=True, cache=True)
def add_rows(matrix, source, rows, plus, out, start, stop):
    """``out = plus + (matrix @ source)[rows]``, of which the places from `start` to `stop`."""
    ptr, idx, val = matrix
    for t in range(start, stop):
        row, first = out[t], plus[t]
        for f in range(len(row)):
            row[f] = first[f]
        for p in range(ptr[rows[t]], ptr[rows[t] + 1]):
            x, other = val[p], source[idx[p]]
            for f in range(len(row)):
                row[f] += x * other[f]


@njit(nogil=True, cache=True)
def add_from_some(matrix, source, present, plus, out, start, stop):
    """``out = plus + matrix @ source``, where other rows of `source` than the present are zero."""
    ptr, idx, val = matrix
    for u in range(start, stop):
        row, first = out[u], plus[u]
        for f in range(len(row)):
            row[f] = first[f]
        for p in range(ptr[u], ptr[u + 1]):
            if present[idx[p]]:
                x, other = val[p], source[idx[p]]
                for f in range(len(row)):
                    row[f] += x * other[f]
