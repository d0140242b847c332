"""Scores by a network whose last layer is in 8 bits."""

import numpy as np
import torch

from skrec._torch._rows import DeviceRows
from skrec.serving._int8_torch import Int8Linear
from skrec.utils._state_torch import torch_state


class QuantisedScorer:
    """Scores rows by a network that is built once, its last layer by `Int8Linear`.

    Parameters
    ----------
    model : fitted TorchRecommender
        With a module that has a layer `last`. It gives up the weights of this layer.

    Attributes
    ----------
    model : TorchRecommender
        Without these weights.
    what : str
        As of a `skrec.serving._scorers.Scorer`.
    """

    def __init__(self, model):
        with torch_state(), torch.inference_mode():
            self._module = model._module(torch.float32, torch.device("cpu"), scores=True)
            self._module.last = Int8Linear(self._module.last)
        model.weights_ = {
            name: value for name, value in model.weights_.items() if name != "last.weight"
        }
        self.model, self.what = model, f"The scores of {type(model).__name__}"

    def __call__(self, X):
        """Scores of shape (n_rows, n_items) of a canonical csr_array, float32."""
        with torch_state(), torch.inference_mode():
            rows = DeviceRows(X.astype(np.float32, copy=False), torch.device("cpu")).everything()
            return self.model._score(self._module, rows).numpy()
