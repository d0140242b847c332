"""numba part of `skrec._torch._graph`; imported only when a product is computed on the CPU.

Matrices are tuples (ptr, idx, val). One thread sums each row in the order of its entries, so
results do not depend on the number of threads.
"""

from skrec.utils._compile import njit


@njit(nogil=True, cache=True)
def add_rows(matrix, source, rows, plus, out, start, stop):
    """``out = plus + (matrix @ source)[rows]``, for the places from `start` to `stop`."""
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
    """``out = plus + matrix @ source``, if only the `present` rows of `source` are not zero."""
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
