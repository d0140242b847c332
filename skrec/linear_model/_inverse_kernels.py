"""numba part of `skrec.linear_model._inverse`; imported only when it is called."""

from skrec.utils._compile import njit

# A tile of 64 x 64 and its mirror image fit into 32 KB in float32, 64 KB in float64.
TILE = 64


@njit(nogil=True, cache=True)
def scale_and_mirror(matrix, scale, start, stop):
    """Fill both triangles from the upper one, for the rows of tiles start to stop.

    Let M be the symmetric matrix with the given upper triangle. M_ij scale_j is written to
    (i, j) and M_ji scale_i to (j, i), i != j. The diagonal stays as it is.

    Parameters
    ----------
    matrix : ndarray of shape (n, n), written
        C-contiguous.
    scale : ndarray of shape (n,)
        Factor of each column.
    start, stop : int
        Rows of tiles. Tile (I, J), J >= I, and its image belong to row I alone.
    """
    n = matrix.shape[0]
    for tile in range(start, stop):
        i0 = tile * TILE
        i1 = min(i0 + TILE, n)
        for j0 in range(i0, n, TILE):
            j1 = min(j0 + TILE, n)
            for i in range(i0, i1):
                s = scale[i]
                for j in range(max(i + 1, j0), j1):
                    value = matrix[i, j]
                    matrix[j, i] = value * s
                    matrix[i, j] = value * scale[j]
