"""Features at mean 0 and deviation 1; sparse ones stay sparse."""

import numpy as np
import torch
from scipy.sparse import csr_array, issparse

from skrec.content._cold import not_zero
from skrec.content._features import FeatureTable

# A column is constant if its deviation is a smaller share of its largest number than this.
_LEAST = 1e-7


def moments(features, kept):
    """Means and deviations of the columns over the rows `kept`, without rows of zeros.

    Parameters
    ----------
    features : ndarray or csr_array of shape (n_items, d)
    kept : ndarray of bool of shape (n_items,)

    Returns
    -------
    means, deviations : ndarray of float64 of shape (d,)
        The deviation of a constant column is 0.
    """
    some = features[kept]
    some = some[not_zero(some)].astype(np.float64)
    if not some.shape[0]:
        return np.zeros(features.shape[1]), np.zeros(features.shape[1])
    # Shares of the largest number: squares of large ones would overflow.
    largest = np.asarray(abs(some).max(axis=0).todense() if issparse(some) else abs(some).max(0))
    largest = largest.ravel()
    unit = np.where(largest > 0, largest, 1)
    shares = _divided(some, unit)
    means = np.asarray(shares.mean(axis=0)).ravel()
    if issparse(shares):
        squares = np.asarray(shares.multiply(shares).mean(axis=0)).ravel()
        variances = np.maximum(squares - means**2, 0)
        variances[variances < 1e-14] = 0  # rounding errors of a difference
    else:
        variances = shares.var(axis=0)
    deviations = np.sqrt(variances)
    return unit * means, np.where(deviations > _LEAST, unit * deviations, 0)


def _divided(table, by):
    if issparse(table):
        table = csr_array(table)
        return csr_array((table.data / by[table.indices], table.indices, table.indptr), table.shape)
    return table / by


class StandardTable:
    """Features minus means, divided by deviations; a row of zeros stays zero.

    Parameters
    ----------
    features : ndarray or csr_array of shape (n_items, d)
    means, deviations : ndarray of shape (d,)
        Columns whose deviation is 0 are not divided.
    """

    def __init__(self, features, means, deviations):
        self.known = not_zero(features)
        unit = np.where(deviations > 0, deviations, 1)
        if issparse(features):
            self.rows, self.shift = _divided(features.tocsr(), unit), means / unit
        else:
            rows = np.where(self.known[:, None], (features - means) / unit, 0)
            self.rows, self.shift = rows.astype(np.float32), None

    def on(self, device):
        """The table on a device, for products, as `DeviceTable`."""
        return DeviceTable(self, device)


class DeviceTable:
    """Products of a `StandardTable` with weights of shape (d, n).

    Parameters
    ----------
    table : StandardTable
    device : torch.device
    """

    def __init__(self, table, device):
        self._table = FeatureTable(table.rows, device)
        self.n_items = self._table.n_items
        self._shift = None
        if table.shift is not None:
            self._shift = torch.tensor(table.shift, dtype=torch.float32, device=device)
            self._known = torch.from_numpy(table.known).to(device)

    def product_of(self, items, weight):
        """The products of some items, an int64 tensor of shape (m,): shape (m, n)."""
        found = self._table.product_of(items, weight)
        if self._shift is None:
            return found
        return found - self._known[items][:, None] * (self._shift @ weight)
