"""Scale the rows of tables to length 1."""

from scipy.sparse import csr_array, issparse
from sklearn.preprocessing import normalize


def unit_rows(table, dtype):
    """Scale the rows of a table to length 1; rows of zeros stay zero.

    Parameters
    ----------
    table : ndarray or sparse matrix of shape (n, d)
        Not changed.
    dtype : dtype
        Dtype of the result.

    Returns
    -------
    rows : ndarray, or csr_array for a sparse table
    """
    table = table.astype(dtype, copy=True)
    # Divide by the largest entry first: squares of large numbers would overflow.
    rows = normalize(normalize(table, norm="max", copy=False), copy=False)
    return csr_array(rows) if issparse(table) else rows
