"""numba part of `skrec.content._curator_module`; imported only when it is called on a CPU."""

from skrec.utils._compile import njit


@njit(nogil=True, cache=True)
def two_largest(vectors, start, column, first, second):
    """For each row and component, the items with the largest and the next largest number.

    Parameters
    ----------
    vectors : ndarray of shape (n_items, d)
    start : ndarray of int64 of shape (n_rows + 1,)
    column : ndarray of int64 of shape (n_entries,)
    first, second : ndarray of int64 of shape (n_rows, d), written
        -1 where there is none.
    """
    for row in range(first.shape[0]):
        first[row], second[row] = -1, -1
        for e in range(start[row], start[row + 1]):
            item = column[e]
            for f in range(vectors.shape[1]):
                value = vectors[item, f]
                if first[row, f] < 0 or value > vectors[first[row, f], f]:
                    second[row, f] = first[row, f]
                    first[row, f] = item
                elif second[row, f] < 0 or value > vectors[second[row, f], f]:
                    second[row, f] = item
