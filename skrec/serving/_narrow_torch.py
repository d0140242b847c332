"""Lists of a network by its last layer in 8 bits, equal to the whole layer's to the bit."""

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import nn

from skrec._torch._estimator import TorchRecommender
from skrec._torch._layers import Linear
from skrec._torch._rows import DeviceRows
from skrec.serving._narrow import NarrowTable, listed
from skrec.utils._products import rows_product
from skrec.utils._state_torch import torch_state
from skrec.utils._topk import top_k


class _Probe(nn.Module):
    """Notes its input, and returns it."""

    def forward(self, value):
        self.seen = value
        return value


class NarrowNetwork:
    """Lists of a network for one row.

    Parameters
    ----------
    model : fitted TorchRecommender
        Its scores are the outputs of a wide linear layer, `last`.
    weight : ndarray of shape (n_items, n_inputs)
        Weights of this layer.
    bias : ndarray of shape (n_items,)
    """

    def __init__(self, model, weight, bias):
        self._model, self._weight, self._bias = model, weight, bias
        self._table, self._before = NarrowTable(weight.T, bias), {}

    def __call__(self, X, k, seen, what):
        """As `skrec.serving._narrow.NarrowFactors`."""
        hidden = self._hidden(X)
        items = None
        if np.isfinite(hidden).all():
            items = self._table.open_items(hidden[0], k, seen.indices, X.dtype)
        if items is None:
            scores = self._scores(hidden, slice(None))
            return top_k(scores, k, seen=seen, finite=what, n_jobs=1)
        return listed(self._scores(hidden, items), k, items, seen.indices)

    def _scores(self, hidden, items):
        """Scores, as `Linear` computes them for one row."""
        scores = rows_product(hidden, self._weight[items], n_jobs=1)
        return scores + self._bias[items].astype(scores.dtype)

    def _hidden(self, X):
        dtype = torch.float64 if X.dtype == np.float64 else torch.float32
        with torch_state(), torch.inference_mode():
            if dtype not in self._before:
                self._before[dtype] = _without_last(self._model, dtype, nn.Identity())
            rows = DeviceRows(X, torch.device("cpu"), dtype=dtype).everything()
            return self._model._score(self._before[dtype], rows).numpy()


def _without_last(model, dtype, instead):
    module = model._module(dtype, torch.device("cpu"), scores=True)
    module.last = instead
    return module


def narrow_network(model):
    """A `NarrowNetwork`, or None where the scores are not the outputs of a wide linear layer."""
    if type(model)._scores is not TorchRecommender._scores or model._few_rows < 1:
        return None
    with torch_state(), torch.inference_mode():
        module = model._module(torch.float32, torch.device("cpu"), scores=True)
        layer, probe = module.last, _Probe()
        if type(layer) is not Linear or not layer.is_large:
            return None
        module.last = probe
        nothing = csr_array((1, model.n_features_in_), dtype=np.float32)
        row = DeviceRows(nothing, torch.device("cpu")).everything()
        if model._score(module, row) is not probe.seen:  # a mixture of outputs
            return None
        weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    return NarrowNetwork(model, weight, bias) if np.isfinite(weight).all() else None
