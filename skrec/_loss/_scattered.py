"""Dense copies of rows: a GPU makes them faster than it gathers and sorts sparse entries."""

import torch

from skrec.utils import _device

# Most elements of a batch that is made dense: 512 MB in float32.
_MOST = 2**27


def goes_dense(rows, n_columns):
    """Whether to compute with dense copies of rows.

    Parameters
    ----------
    rows : Rows
    n_columns : int
    """
    return _device.apart(rows.row.device) and rows.n_rows * n_columns <= _MOST


def scattered(rows, value, n_columns):
    """Make rows dense.

    Parameters
    ----------
    rows : Rows
        No two entries share a place.
    value : tensor of shape (n_entries,)
        Values of the entries. No gradient flows to them.
    n_columns : int

    Returns
    -------
    dense : tensor of shape (n_rows, n_columns), dtype of `value`
    """
    flat = torch.zeros(rows.n_rows * n_columns, dtype=value.dtype, device=value.device)
    return flat.scatter_(0, rows.row * n_columns + rows.column, value).view(-1, n_columns)
