"""Nodes of users who were not learned from: the objective minimised over them alone."""

import numpy as np
import torch

# Items drawn for a row that is folded in; each counts for n_negatives * n_u / so many.
N_DRAWS = 256
_MAX_STEPS = 100
# A Newton step from a slope so small, relative to the first one, is the last: the error
# that it leaves is about the square.
_NEAR = 1e-6
_CHUNK_BYTES = 2**24


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

    from v = 0 by damped Newton steps in float64. A row's result does not depend on the
    others but for rounding.

    Parameters
    ----------
    inner : float64 tensor of shape (n_rows, d)
        The a: what goes into the hidden layer beside the node.
    X : csr_array of shape (n_rows, n_items)
        Canonical; only which entries it has matters.
    negatives : ndarray of intp of shape (n_rows, m)
        Items that the rows have not; -1 for rows that have them all.
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
    lengths = np.diff(X.indptr)
    # Rows of like length go together, so that little is padded.
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        some = order[start : start + 1024]
        bytes_of_one = 8 * weight.shape[1] * (lengths[some] + negatives.shape[1])
        n_rows = np.arange(1, len(some) + 1)
        some = some[: max(1, int((n_rows * bytes_of_one <= _CHUNK_BYTES).sum()))]
        start += len(some)
        items, target, share = _padded(X[some], negatives[some], n_negatives)
        items = torch.from_numpy(items).to(weight.device)
        target, share = (torch.from_numpy(a).to(weight.device) for a in (target, share))
        rows = torch.from_numpy(some).to(weight.device)
        nodes[rows] = _newton(
            inner[rows], weight[items], bias[items], target, share, activation, loss, alpha
        )
    return nodes


def _padded(X, negatives, n_negatives):
    """Items, targets and weights in the loss, each of shape (n_rows, longest + m)."""
    lengths = np.diff(X.indptr)
    shape = (X.shape[0], lengths.max() + negatives.shape[1])
    items, target, share = np.zeros(shape, np.int64), np.zeros(shape), np.zeros(shape)
    row = np.repeat(np.arange(X.shape[0]), lengths)
    place = np.arange(X.nnz) - X.indptr[row]
    items[row, place] = X.indices
    target[row, place] = share[row, place] = 1
    drawn = negatives >= 0
    items[:, lengths.max() :] = np.where(drawn, negatives, 0)
    each = lengths[:, None] * n_negatives / negatives.shape[1]
    share[:, lengths.max() :] = np.where(drawn, each, 0)
    return items, target, share


def _newton(inner, items, bias, target, share, activation, loss, alpha):
    """Nodes of shape (n, d); items (n, l, d), bias, target and share (n, l)."""

    def outputs(hidden):
        return (items @ hidden[:, :, None])[:, :, 0] + bias

    def objective(node):
        losses = loss.value(outputs(activated(activation, inner + node)[0]), target)
        return (share * losses).sum(1) + alpha / 2 * node.square().sum(1)

    node = torch.zeros_like(inner)
    value, damping, first = objective(node), torch.zeros_like(inner[:, 0]), None
    is_open = torch.ones_like(value, dtype=torch.bool)
    for _ in range(_MAX_STEPS):
        hidden, rise, bend = activated(activation, inner + node)
        output = outputs(hidden)
        # The slope and the Hessian by the hidden layer; the chain rule brings them to v.
        back = ((share * loss.slope(output, target))[:, None] @ items)[:, 0]
        slope = back * rise + alpha * node
        size = slope.abs().amax(1)
        first = size if first is None else first
        is_open = is_open & (size > 0)
        if not is_open.any():
            break
        gram = items.mT @ ((share * loss.curvature(output))[:, :, None] * items)
        hessian = gram * rise[:, :, None] * rise[:, None]
        mean = hessian.diagonal(dim1=1, dim2=2).mean(1) + alpha
        hessian.diagonal(dim1=1, dim2=2).add_(back * bend + alpha + damping[:, None])
        root, failed = torch.linalg.cholesky_ex(hessian)
        trial = node - torch.cholesky_solve(slope[:, :, None], root)[:, :, 0]
        reached = objective(trial)
        # What is equal but for rounding is no rise. Not a number is never accepted.
        fell = is_open & (failed == 0) & (reached <= value + 1e-12 * value.abs())
        last = fell & (damping == 0) & (size <= _NEAR * first)
        node = torch.where(fell[:, None], trial, node)
        value = torch.where(fell, reached, value)
        is_open = is_open & ~last
        less = torch.where(damping > 1e-3 * mean, damping / 8, 0)
        damping = torch.where(fell, less, torch.maximum(8 * damping, 1e-2 * mean))
    return node
