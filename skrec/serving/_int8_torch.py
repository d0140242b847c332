"""A wide linear layer in 8 bits."""

import numpy as np
import torch
from torch import nn

from skrec.utils._parallel import plain_interrupts

_MOST = 127


class Int8Linear(nn.Module):
    r"""A linear layer whose weights are whole numbers of -127 to 127, each row with a scale.

    With :math:`w_i` the weights of output i, :math:`s_i = \max_f |w_{if}| / 127` and
    :math:`q_{if} = \mathrm{round}(w_{if} / s_i)`, the output is :math:`s_i\, q_i \cdot x + b_i`,
    in float32. An output depends on its own row alone, and on no other row of the input.

    Parameters
    ----------
    layer : torch.nn.Linear
    """

    def __init__(self, layer):
        super().__init__()
        weight = layer.weight.detach().numpy()
        scale = np.abs(weight).max(axis=1) / _MOST
        scale[scale == 0] = 1
        # Outputs lie side by side, so that a step reads many of them.
        self._table = np.ascontiguousarray(np.rint(weight / scale[:, None]).astype(np.int8).T)
        self._scale = scale.astype(np.float32)
        self._bias = layer.bias.detach().numpy().astype(np.float32, copy=False)

    def forward(self, value):
        """Outputs of shape (n_rows, n_outputs), float32, on the CPU."""
        from skrec.serving._narrow_kernels import narrow_rows

        rows = np.ascontiguousarray(value.numpy())
        out = np.empty((len(rows), len(self._scale)), dtype=np.float32)
        with plain_interrupts():  # a server answers many requests at once: each has one thread
            narrow_rows(rows, self._table, self._scale, self._bias, out)
        return torch.from_numpy(out)
