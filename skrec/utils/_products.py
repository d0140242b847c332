"""Products with dense results, equal bit for bit in any batch."""

import numpy as np
from scipy.sparse import csr_array

from skrec.utils._arrays import kernel_csr, read_only
from skrec.utils._parallel import run_ranges
from skrec.utils._sparse import sparse_dot_dense

# Up to this many rows, a product with a table of lower precision is faster than a cast of it.
FEW_ROWS = 8


def sparse_product(left, right, *, dtype, n_jobs=None):
    """``left @ right`` as a dense array.

    Parameters
    ----------
    left : csr_array of shape (n_rows, n)
    right : csr_array of shape (n, n_columns)
    dtype : dtype
        Dtype of the sums and of the result.
    n_jobs : int or None, default=None
        Number of threads.

    Returns
    -------
    product : ndarray of shape (n_rows, n_columns)
    """
    from skrec.utils._product_kernels import add_products

    out = np.zeros((left.shape[0], right.shape[1]), dtype=dtype)
    left_arrays, right_arrays = kernel_csr(left), kernel_csr(right)

    def rows(start, stop):
        add_products(left_arrays, right_arrays, start, stop, out)

    if left.shape[0] == 1:  # no work to share
        run_ranges(rows, 1)
        return out
    cost = np.bincount(
        np.repeat(np.arange(left.shape[0]), np.diff(left.indptr)),
        weights=np.diff(right.indptr)[left.indices],
        minlength=left.shape[0],
    )
    threads = n_jobs if cost.sum() + out.size > 1 << 16 else 1
    run_ranges(rows, left.shape[0], n_jobs=threads, weights=cost + right.shape[1])
    return out


def sparse_product_pairs(left, right_columns, rows, items, *, dtype):
    """``(left @ right)[rows, items]`` without the dense rows.

    Parameters
    ----------
    left : csr_array of shape (n_rows, n)
    right_columns : csr_array of shape (n_columns, n)
        The transpose of the right factor, with sorted indices.
    rows, items : ndarray of intp of shape (n_pairs,)
    dtype : dtype
        Dtype of the sums and of the result.

    Returns
    -------
    values : ndarray of shape (n_pairs,)
        Equal to the entries of `sparse_product`, bit for bit.
    """
    from skrec.utils._product_kernels import add_pair_products

    order = np.argsort(rows, kind="stable")  # each row is loaded once
    found = np.zeros(len(rows), dtype=dtype)
    add_pair_products(
        kernel_csr(left), kernel_csr(right_columns), left.shape[1], rows[order], items[order], found
    )
    values = np.empty_like(found)
    values[order] = found
    return values


def rows_product(rows, table, *, n_jobs=None):
    """``rows @ table.T`` for a few rows and a long table, perhaps of another dtype, not copied.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, d)
    table : ndarray of shape (n, d)
        Float32 or float64, contiguous in C or Fortran order.
    n_jobs : int or None, default=None
        Number of threads.

    Returns
    -------
    product : ndarray of shape (n_rows, n), dtype of `rows`
        Summed in the dtype of `rows`.
    """
    n_rows, (n, d) = len(rows), table.shape
    if table.flags.f_contiguous and not table.flags.c_contiguous:
        places = np.tile(np.arange(d, dtype=np.int32), n_rows)
        entries = (rows.ravel(), places, np.arange(0, n_rows * d + 1, d, dtype=np.int32))
        return sparse_dot_dense(csr_array(entries, shape=(n_rows, d)), table.T, n_jobs=n_jobs)
    from skrec.utils._product_kernels import table_products

    rows, table = np.ascontiguousarray(rows), read_only(table)
    out = np.empty((n_rows, n), dtype=rows.dtype)
    threads = n_jobs if out.size * d > 1 << 24 else 1
    run_ranges(lambda a, b: table_products(rows, table, out, a, b), n, n_jobs=threads)
    return out
