"""numba part of `skrec._loss._pairs`, for outputs that a kernel makes."""

import math

from skrec.utils._compile import njit

LOGISTIC, SQUARE, BPR, HINGE, SOFTMAX = 0, 1, 2, 3, 4
# By the names of the parameter `loss`.
LOSSES = {"logistic": LOGISTIC, "square": SQUARE, "bpr": BPR, "hinge": HINGE, "softmax": SOFTMAX}


@njit(nogil=True, cache=True)
def _sigmoid(x):
    small = math.exp(-abs(x))
    return (1.0 if x >= 0 else small) / (1 + small)


@njit(nogil=True, cache=True)
def _softplus(x):
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


@njit(nogil=True, cache=True)
def _pointwise(loss, y, target):
    """A loss of an output against 0 or 1, and its derivative."""
    if loss == SQUARE:
        return 0.5 * (y - target) ** 2, y - target
    return _softplus(y) - target * y, _sigmoid(y) - target


@njit(nogil=True, cache=True)
def _margin(loss, x):
    """A loss of a difference of outputs, and its derivative."""
    if loss == HINGE:
        return max(0.0, 1.0 - x), (-1.0 if x < 1 else 0.0)
    return _softplus(-x), -_sigmoid(-x)


@njit(nogil=True, cache=True)
def _softmax(y, n_positive, v, slope):
    top = y[n_positive:].max()
    others = 0.0
    for j in range(n_positive, y.shape[0]):
        others += v * math.exp(y[j] - top)
    others = top + math.log(others)
    total = share = 0.0
    for i in range(n_positive):
        total += _softplus(others - y[i])
        slope[i] = -_sigmoid(others - y[i])
        share -= slope[i]
    for j in range(n_positive, y.shape[0]):
        slope[j] = share * v * math.exp(y[j] - others)
    return total


@njit(nogil=True, cache=True)
def pair_loss(loss, y, n_positive, v, slope):
    """The loss of a user's outputs, one of `PAIR_LOSSES`, and its derivatives.

    Parameters
    ----------
    loss : int
        See `LOSSES`.
    y : ndarray of float64 of shape (n_positive + n_negatives,)
        Outputs of items that the user has, then of at least one other item.
    n_positive : int
    v : float
        Weight of each of the other items.
    slope : ndarray of the shape of y, written

    Returns
    -------
    value : float
    """
    if loss == SOFTMAX:
        return _softmax(y, n_positive, v, slope)
    total = 0.0
    if loss in (LOGISTIC, SQUARE):
        for k in range(y.shape[0]):
            is_positive = k < n_positive
            value, change = _pointwise(loss, y[k], 1.0 if is_positive else 0.0)
            weight = 1.0 if is_positive else v * n_positive
            total += weight * value
            slope[k] = weight * change
        return total
    slope[:] = 0
    for i in range(n_positive):
        for j in range(n_positive, y.shape[0]):
            value, change = _margin(loss, y[i] - y[j])
            total += v * value
            slope[i] += v * change
            slope[j] -= v * change
    return total
