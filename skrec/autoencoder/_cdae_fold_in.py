"""Fold-in of CDAE: the nodes of new users minimise the objective, all else fixed."""

import torch

from skrec._torch._fold_in import terms_of_rows
from skrec._torch._newton import minimise_rows


def activated(name, inner):
    """An activation with its first two derivatives, each of the shape of `inner`."""
    if name == "identity":
        return inner, torch.ones_like(inner), torch.zeros_like(inner)
    if name == "tanh":
        hidden = torch.tanh(inner)
        first = 1 - hidden.square()
        return hidden, first, -2 * hidden * first
    hidden = torch.sigmoid(inner)
    first = hidden * (1 - hidden)
    return hidden, first, first * (1 - 2 * hidden)


def user_nodes(inner, X, negatives, weight, bias, *, n_negatives, activation, loss, alpha):
    r"""Minimise the objective of each row over its node v.

    .. math:: \sum_{i \in u} \ell(1, y_i)
        + \frac{n_u \, \mathtt{n\_negatives}}{m} \sum_{j=1}^m \ell(0, y_{i_j})
        + \frac{\alpha}{2} \|v\|^2, \qquad y = W' h(a + v) + b'

    from v = 0 by damped Newton steps in float64. Other rows change a row's result by rounding at
    most.

    Parameters
    ----------
    inner : float64 tensor of shape (n_rows, d)
        The a: the input of the hidden layer without the node.
    X : csr_array of shape (n_rows, n_items)
        Canonical; the values are not read.
    negatives : ndarray of intp of shape (n_rows, m)
        Items that the rows do not have; -1 for rows that have all items.
    weight, bias : float64 tensor of shape (n_items, d) and (n_items,)
        The W' and b'.
    n_negatives : int
    activation : {"identity", "sigmoid", "tanh"}
        The h.
    loss : Logistic or Square
    alpha : float
        Penalty of a node in the loss of one user.

    Returns
    -------
    nodes : float64 tensor of shape (n_rows, d), on the device of `weight`
    """
    nodes = torch.zeros_like(inner)
    width = weight.shape[1]
    for terms in terms_of_rows(
        X, negatives, n_negatives, weight.device,
        numbers_of_row=lambda lengths: width * (lengths + negatives.shape[1]),
    ):  # fmt: skip
        objective = _NodeObjective(inner[terms.rows], terms, weight, bias, activation, loss, alpha)
        nodes[terms.rows] = minimise_rows(nodes[terms.rows], objective.value, objective.derivatives)
    return nodes


class _NodeObjective:
    """The objective of each row by its node, with its derivatives."""

    def __init__(self, inner, terms, weight, bias, activation, loss, alpha):
        self._inner, self._activation, self._loss, self._alpha = inner, activation, loss, alpha
        item = torch.cat([terms.items, terms.negatives], dim=1)
        self._items, self._bias = weight[item], bias[item]  # (n, l, d), (n, l)
        self._target = torch.cat([terms.w, torch.zeros_like(terms.v)], dim=1)
        self._share = torch.cat([terms.w, terms.w.sum(1, keepdim=True) * terms.v], dim=1)

    def _outputs(self, hidden):
        return (self._items @ hidden[:, :, None])[:, :, 0] + self._bias

    def value(self, node):
        output = self._outputs(activated(self._activation, self._inner + node)[0])
        losses = self._loss.value(output, self._target)
        return (self._share * losses).sum(1) + self._alpha / 2 * node.square().sum(1)

    def derivatives(self, node):
        hidden, rise, bend = activated(self._activation, self._inner + node)
        output = self._outputs(hidden)
        # The slope and the Hessian by the hidden layer; the chain rule brings them to v.
        of_outputs = self._share * self._loss.slope(output, self._target)
        back = (of_outputs[:, None] @ self._items)[:, 0]
        curvature = self._share * self._loss.curvature(output)
        gram = self._items.mT @ (curvature[:, :, None] * self._items)
        hessian = gram * rise[:, :, None] * rise[:, None]
        hessian.diagonal(dim1=1, dim2=2).add_(back * bend + self._alpha)
        return back * rise + self._alpha * node, hessian
