"""A wide linear layer in 8 bits."""

import numpy as np
import torch
from torch import nn

from skrec.utils._parallel import run_ranges

_MOST = 127
_LARGEST_SUM = 2**31 - 1


class Int8Linear(nn.Module):
    r"""A linear layer whose weights are whole numbers of -127 to 127, each row with a scale.

    With :math:`w_i` the weights of output i, :math:`s_i = \max_f |w_{if}| / 127` and
    :math:`q_{if} = \mathrm{round}(w_{if} / s_i)`, the output is :math:`s_i\, q_i \cdot x + b_i`.
    The input x is rounded too, to 15 bits or as many as the sums of int32 hold: that is far
    finer. An output depends on its own row alone, and on no other row of the input.

    Parameters
    ----------
    layer : torch.nn.Linear
    """

    def __init__(self, layer):
        super().__init__()
        weight = layer.weight.detach().numpy()
        scale = np.abs(weight).max(axis=1) / _MOST
        scale[scale == 0] = 1
        self._table = np.rint(weight / scale[:, None]).astype(np.int8)
        self._scale = scale.astype(np.float32)
        self._bias = layer.bias.detach().numpy().astype(np.float32)

    def forward(self, value):
        """Outputs of shape (n_rows, n_outputs), float32, on the CPU."""
        from skrec.serving._int8_kernels import int8_products

        rows, row_scale = quantised_rows(value.numpy())
        out = np.empty((len(rows), len(self._table)), dtype=np.float32)

        def outputs(start, stop):
            int8_products(rows, row_scale, self._table, self._scale, self._bias, out, start, stop)

        # A server answers many requests at once: each has one thread.
        run_ranges(outputs, len(self._table), n_jobs=1)
        return torch.from_numpy(out)


def quantised_rows(rows):
    """Rows as int16 whose products with int8 add up without overflow, and their scales.

    Parameters
    ----------
    rows : ndarray of float32 of shape (n_rows, d)

    Returns
    -------
    quantised : ndarray of int16 of shape (n_rows, d)
    scale : ndarray of float32 of shape (n_rows,)
    """
    most = min(2**15 - 1, _LARGEST_SUM // (_MOST * rows.shape[1]))
    scale = np.abs(rows).max(axis=1, initial=0) / most
    scale[scale == 0] = 1
    return np.rint(rows / scale[:, None]).astype(np.int16), scale.astype(np.float32)
