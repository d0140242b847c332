"""Rows of tables at length 1."""

from scipy.sparse import csr_array, issparse
from sklearn.preprocessing import normalize


def unit_rows(table, dtype):
    """Rows of a table at length 1; rows of zeros stay.

    Parameters
    ----------
    table : ndarray or sparse matrix of shape (n, d)
        Not changed.
    dtype : dtype
        Of the result.

    Returns
    -------
    rows : ndarray, or csr_array of a sparse table
    """
    table = table.astype(dtype, copy=True)
    # First by the largest entry: squares of large numbers would overflow.
    rows = normalize(normalize(table, norm="max", copy=False), copy=False)
    return csr_array(rows) if issparse(table) else rows
