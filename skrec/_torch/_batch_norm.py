"""Batch normalisation with a state of floats only; a batch may have one row."""

import torch
from torch import nn
from torch.nn import functional


class BatchNorm(nn.Module):
    """Columns less their mean, over their standard deviation, with a learned scale and shift.

    In training the mean and the variance are the batch's; running averages move a tenth of the way
    to them. Outside training, and for a batch of one row, the layer uses the running averages.

    Parameters
    ----------
    size : int
    """

    def __init__(self, size):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.empty(size)) for _ in range(2))
        self.register_buffer("mean", torch.empty(size))
        self.register_buffer("variance", torch.empty(size))

    def reset(self):
        """Begin with a scale of 1 and no shift."""
        with torch.no_grad():
            for part, value in zip((self.weight, self.bias), (1.0, 0.0), strict=True):
                part.fill_(value)
        self.mean.zero_()
        self.variance.fill_(1)

    def forward(self, rows):
        """Shape (n_rows, size), as the rows."""
        training = self.training and len(rows) > 1
        return functional.batch_norm(
            rows, self.mean, self.variance, self.weight, self.bias, training
        )
