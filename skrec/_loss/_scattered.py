"""Rows made dense, which a GPU takes less time for than to gather and to sort their entries."""

import torch

from skrec.utils import _device

# Elements of a batch that is made dense at most: 512 MB in float32.
_MOST = 2**27


def goes_dense(rows, n_columns):
    """Whether rows are computed with as dense ones.

    Parameters
    ----------
    rows : Rows
    n_columns : int
    """
    return _device.apart(rows.row.device) and rows.n_rows * n_columns <= _MOST


def scattered(rows, value, n_columns):
    """Dense rows.

    Parameters
    ----------
    rows : Rows
        No two entries at one place.
    value : tensor of shape (n_entries,)
        Of the entries; no gradient flows to it.
    n_columns : int

    Returns
    -------
    dense : tensor of shape (n_rows, n_columns), dtype of `value`
    """
    flat = torch.zeros(rows.n_rows * n_columns, dtype=value.dtype, device=value.device)
    return flat.scatter_(0, rows.row * n_columns + rows.column, value).view(-1, n_columns)
