r"""Losses that compare outputs y of a user's items with outputs of other items.

Each is a function of outputs of n users, ``positive`` (n, p) for items i of the user and
``negative`` (n, m) for other items j, with weights w_i and v_j of the same shapes:

- `Pointwise`: :math:`\sum_i w_i \ell(1, y_i) + \sum_i w_i \sum_j v_j \ell(0, y_j)`;
- `Pairwise`: :math:`\sum_i w_i \sum_j v_j \ell(y_i - y_j)`;
- `SampledSoftmax`: :math:`\sum_i w_i (\log(e^{y_i} + \sum_j v_j e^{y_j}) - y_i)`.

In training p is 1: each row is an interaction, and each negative drawn for it has v = 1. In the
fold-in of a user, i runs over the user's items. The m negatives are drawn once, and their v sum to
`n_negatives`, so the loss is the expectation of the loss in a training epoch.
"""

from typing import NamedTuple

import torch
from torch.nn import functional

from skrec._loss._pointwise import POINTWISE, Logistic, Square


class Pointwise(NamedTuple):
    """A loss of each output against 1 for the user's items and 0 for the others."""

    loss: Logistic | Square

    def value(self, positive, negative, w, v):
        """The loss of each user, shape (n,)."""
        mine = (w * self.loss.value(positive, 1)).sum(1)
        return mine + w.sum(1) * (v * self.loss.value(negative, 0)).sum(1)

    def slopes(self, positive, negative, w, v):
        """Derivatives by the outputs, in the shapes of the outputs."""
        each = w.sum(1, keepdim=True) * v
        return w * self.loss.slope(positive, 1), each * self.loss.slope(negative, 0)

    def hessian(self, positive, negative, w, v, P, N):
        """Second derivatives by a vector x, where ``y_i = P_i x`` and ``y_j = N_j x``.

        P (n, p, d) and N (n, m, d) are the items' vectors. Shape (n, d, d).
        """
        of_negatives = w.sum(1, keepdim=True) * v * self.loss.curvature(negative)
        return _gram(P, w * self.loss.curvature(positive)) + _gram(N, of_negatives)


class LogisticMargin(NamedTuple):
    """log(1 + e^-x) of a difference x of two outputs (BPR)."""

    def value(self, x):
        """The loss of each difference."""
        return functional.softplus(-x)

    def slope(self, x):
        """First derivative."""
        return -torch.sigmoid(-x)

    def curvature(self, x):
        """Second derivative."""
        return torch.sigmoid(x) * torch.sigmoid(-x)


class Hinge(NamedTuple):
    """max(0, 1 - x) of a difference x of two outputs."""

    def value(self, x):
        """The loss of each difference."""
        return (1 - x).clamp(min=0)

    def slope(self, x):
        """A derivative; 0 where the margin is kept."""
        return -(x < 1).to(x.dtype)

    def curvature(self, x):
        """Curvature of the parabola that touches the loss at x and lies above it elsewhere.

        The loss itself has no curvature. The parabola's is bounded near the kink.
        """
        return 0.5 / (1 - x).abs().clamp(min=1e-3)


class Pairwise(NamedTuple):
    """A loss of the difference between each item of the user and each other item."""

    loss: LogisticMargin | Hinge

    def value(self, positive, negative, w, v):
        """The loss of each user, shape (n,)."""
        losses = self.loss.value(positive[:, :, None] - negative[:, None])  # (n, p, m)
        return (w[:, :, None] * v[:, None] * losses).sum((1, 2))

    def slopes(self, positive, negative, w, v):
        """Derivatives by the outputs, in the shapes of the outputs."""
        slope = self.loss.slope(positive[:, :, None] - negative[:, None])
        slope = w[:, :, None] * v[:, None] * slope
        return slope.sum(2), -slope.sum(1)

    def hessian(self, positive, negative, w, v, P, N):
        """Second derivatives by a vector; see `Pointwise.hessian`."""
        curvature = self.loss.curvature(positive[:, :, None] - negative[:, None])
        curvature = w[:, :, None] * v[:, None] * curvature
        # sum_ij c_ij (P_i - N_j)(P_i - N_j)^T
        cross = P.mT @ (curvature @ N)
        return _gram(P, curvature.sum(2)) + _gram(N, curvature.sum(1)) - cross - cross.mT


class SampledSoftmax(NamedTuple):
    """Minus the log probability of an item of the user among itself and the negatives."""

    def value(self, positive, negative, w, v):
        """The loss of each user, shape (n,)."""
        others = (negative + v.log()).logsumexp(1, keepdim=True)  # (n, 1)
        return (w * (torch.logaddexp(positive, others) - positive)).sum(1)

    def slopes(self, positive, negative, w, v):
        """Derivatives by the outputs, in the shapes of the outputs."""
        own, others = self._chances(positive, negative, v)
        return w * (own - 1), (w[:, :, None] * others).sum(1)

    def hessian(self, positive, negative, w, v, P, N):
        """Second derivatives by a vector; see `Pointwise.hessian`."""
        own, others = self._chances(positive, negative, v)
        mean = own[:, :, None] * P + others @ N  # (n, p, d)
        squares = _gram(P, w * own) + _gram(N, (w[:, :, None] * others).sum(1))
        return squares - _gram(mean, w)

    def _chances(self, positive, negative, v):
        """Probabilities of each item and of its negatives, (n, p) and (n, p, m)."""
        weighted = negative + v.log()
        total = torch.logaddexp(positive, weighted.logsumexp(1, keepdim=True))
        return (positive - total).exp(), (weighted[:, None] - total[:, :, None]).exp()


def _gram(vectors, weight):
    """sum_l weight_l vectors_l vectors_l^T, shape (n, d, d)."""
    return vectors.mT @ (weight[:, :, None] * vectors)


# The keys are values of the estimators' parameter `loss`.
PAIR_LOSSES = {
    "logistic": Pointwise(POINTWISE["logistic"]),
    "square": Pointwise(POINTWISE["square"]),
    "bpr": Pairwise(LogisticMargin()),
    "hinge": Pairwise(Hinge()),
    "softmax": SampledSoftmax(),
}
