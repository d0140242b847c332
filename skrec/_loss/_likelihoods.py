"""Likelihoods of a user's row given the outputs of a network (Liang et al. 2018).

Each has ``negative_log(outputs, rows)``. All but `CrossEntropy` have
``mixed(log_weight, outputs)``: it returns outputs (n_rows, n_items) whose expected row is the
weighted mean of the expected rows of the parts. The weights have shape (n_rows, n_parts).
"""

from typing import NamedTuple

import torch
from torch.nn import functional

from skrec._loss._multinomial_layer import multinomial_of_layer
from skrec._loss._scattered import goes_dense, scattered
from skrec.utils import _device


class _Multinomial(torch.autograd.Function):
    """n_u logsumexp(f_u) - sum_i x_ui f_ui for each row, with the gradient in one pass."""

    @staticmethod
    def forward(ctx, logits, row, column, value):
        total = torch.zeros(len(logits), dtype=logits.dtype, device=logits.device)
        total.index_add_(0, row, value)
        norm = torch.logsumexp(logits, dim=1)
        hit = torch.zeros_like(total).index_add_(0, row, value * logits[row, column])
        ctx.save_for_backward(logits, norm, total, row, column, value)
        return total * norm - hit

    @staticmethod
    def backward(ctx, grad):
        logits, norm, total, row, column, value = ctx.saved_tensors
        slope = torch.sub(logits, norm[:, None]).exp_().mul_((grad * total)[:, None])
        slope.index_put_((row, column), -value * grad[row], accumulate=True)
        return slope, None, None, None


class Multinomial(NamedTuple):
    r"""-log p(x_u) = -sum_i x_ui log softmax(f_u)_i, without the multinomial coefficient."""

    def negative_log(self, outputs, rows):
        """Loss of each row, shape (n_rows,), for outputs of shape (n_rows, n_items)."""
        value = rows.value.to(outputs.dtype)
        if goes_dense(rows, outputs.shape[1]):
            return _of_dense(self, outputs, rows, value)
        return _Multinomial.apply(outputs, rows.row, rows.column, value)

    def of_dense(self, outputs, X):
        """`negative_log` of dense rows X."""
        return -(X * torch.log_softmax(outputs, 1)).sum(1)

    def mixed(self, log_weight, outputs):
        """Logits of the mixture of the parts' probabilities: its log probabilities."""
        return _log_mean(log_weight, (torch.log_softmax(each, 1) for each in outputs))


class Gaussian(NamedTuple):
    r"""-log p(x_u) = 1/2 sum_i c_ui (x_ui - f_ui)^2, c_ui = 1 + confidence where x_ui > 0.

    Parameters
    ----------
    confidence : float
    """

    confidence: float = 1.0

    def negative_log(self, outputs, rows):
        """Loss of each row, shape (n_rows,), for outputs of shape (n_rows, n_items)."""
        value = rows.value.to(outputs.dtype)
        if goes_dense(rows, outputs.shape[1]):
            return _of_dense(self, outputs, rows, value)
        output = outputs[rows.row, rows.column]
        observed = (1 + self.confidence) * (value - output).square() - output.square()
        return outputs.square().sum(1).index_add(0, rows.row, observed) / 2

    def of_dense(self, outputs, X):
        """`negative_log` of dense rows X."""
        weight = 1 + self.confidence * (X > 0)
        return (weight * (X - outputs).square()).sum(1) / 2

    def mixed(self, log_weight, outputs):
        """The mean of the parts' means."""
        weight = log_weight.exp().T[:, :, None]
        return sum(one * each for one, each in zip(weight, outputs, strict=True))


class Logistic(NamedTuple):
    r"""-log p(x_u) = -sum_i [x_ui > 0] log s(f_ui) + [x_ui = 0] log s(-f_ui)."""

    def negative_log(self, outputs, rows):
        """Loss of each row, shape (n_rows,), for outputs of shape (n_rows, n_items)."""
        if goes_dense(rows, outputs.shape[1]):
            return _of_dense(self, outputs, rows, rows.value)
        observed = -outputs[rows.row, rows.column]
        return functional.softplus(outputs).sum(1).index_add(0, rows.row, observed)

    def of_dense(self, outputs, X):
        """`negative_log` of dense rows X."""
        return (functional.softplus(outputs) - outputs * (X > 0)).sum(1)

    def mixed(self, log_weight, outputs):
        """Logits of the mean of the parts' probabilities."""
        outputs = list(outputs)
        positive = _log_mean(log_weight, (functional.logsigmoid(each) for each in outputs))
        negative = _log_mean(log_weight, (functional.logsigmoid(-each) for each in outputs))
        return positive - negative


class _CrossEntropy(torch.autograd.Function):
    """sum_i softplus(f_ui) - x_ui f_ui for each row, with the gradient in one pass."""

    @staticmethod
    def forward(ctx, logits, row, column, value):
        ctx.save_for_backward(logits, row, column, value)
        losses = functional.softplus(logits).sum(1)
        return losses.index_add_(0, row, -value * logits[row, column])

    @staticmethod
    def backward(ctx, grad):
        logits, row, column, value = ctx.saved_tensors
        slope = torch.sigmoid(logits).mul_(grad[:, None])
        slope.index_put_((row, column), -value * grad[row], accumulate=True)
        return slope, None, None, None


class CrossEntropy(NamedTuple):
    r"""-sum_i x_ui log s(f_ui) + (1 - x_ui) log s(-f_ui) of values x_ui in [0, 1]."""

    def negative_log(self, outputs, rows):
        """Loss of each row, shape (n_rows,), for outputs of shape (n_rows, n_columns)."""
        value = rows.value.to(outputs.dtype)
        if goes_dense(rows, outputs.shape[1]):
            return _of_dense(self, outputs, rows, value)
        return _CrossEntropy.apply(outputs, rows.row, rows.column, value)

    def of_dense(self, outputs, X):
        """`negative_log` of dense rows X."""
        return (functional.softplus(outputs) - X * outputs).sum(1)


def _of_dense(model, outputs, rows, value):
    return model.of_dense(outputs, scattered(rows, value, outputs.shape[1]))


def _log_mean(log_weight, logs):
    """Log of the weighted mean over the parts; holds one part at a time in memory."""
    total = None
    for one, each in zip(log_weight.T[:, :, None], logs, strict=True):
        each = one + each
        total = each if total is None else torch.logaddexp(total, each)
    return total


def layer_loss(model, layer, hidden, rows):
    """Compute a likelihood's ``negative_log`` at a linear layer's outputs, the fastest way.

    Parameters
    ----------
    model : Multinomial, Gaussian or Logistic
    layer : torch.nn.Linear
        The last layer, from d to n_items.
    hidden : float tensor of shape (n_rows, d)
    rows : Rows

    Returns
    -------
    losses : float tensor of shape (n_rows,)
    """
    plain = not _device.apart(hidden.device) and hidden.dtype == layer.weight.dtype
    if plain and isinstance(model, Multinomial) and not torch.is_autocast_enabled("cpu"):
        return multinomial_of_layer(hidden, layer, rows)
    return model.negative_log(layer(hidden).float(), rows)


def likelihood(name, confidence):
    """The likelihood named "multinomial", "gaussian" or "logistic"."""
    if name == "gaussian":
        return Gaussian(confidence)
    return Multinomial() if name == "multinomial" else Logistic()
