"""Item features on a device: their products with a weight, for all items or for some."""

import numpy as np
import torch
from scipy.sparse import csr_array, issparse

from skrec._torch._products import by_column, sparse_product
from skrec._torch._rows import DeviceRows
from skrec.content._tables import parts


class FeatureTable:
    """Features of items, dense or sparse, to be multiplied with weights.

    Parameters
    ----------
    features : ndarray or csr_array of shape (n_items, n_features)
    device : torch.device
    scale : float, default=1.0
        Divisor of the features.
    """

    def __init__(self, features, device, scale=1.0):
        self.n_items, self.n_features = features.shape
        self._rows = self._dense = None
        if issparse(features):
            self._rows = DeviceRows(csr_array(features / scale), device)
            self._whole = self._rows.everything()
            self._by_column = by_column(self._whole, self.n_features)
        else:
            scaled = np.empty(features.shape, np.float32)
            for place, part in parts(features, np.arange(len(features))):
                scaled[place] = part / scale
            self._dense = torch.from_numpy(scaled).to(device)

    def product(self, weight):
        """``features @ weight``, shape (n_items, n)."""
        if self._rows is None:
            return self._dense @ weight
        return sparse_product(self._whole, self._whole.value, weight, self._by_column)

    def product_of(self, items, weight):
        """``features[items] @ weight``, items of any shape: shape (\\*items.shape, n)."""
        if items.numel() >= self.n_items:
            return self.product(weight)[items]
        flat = items.flatten()
        if self._rows is None:
            found = self._dense[flat] @ weight
        else:
            rows = self._rows[flat]
            found = sparse_product(rows, rows.value, weight, by_column(rows, self.n_features))
        return found.view(*items.shape, -1)
