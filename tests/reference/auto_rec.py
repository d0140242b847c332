"""Slow twins of the rating autoencoders in dense NumPy, with gradients by hand."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def objective_and_gradient(R, weights, alpha, entry_weight=None):
    """One sigmoid layer: sum of squared errors at R != 0, + alpha / 2 of the weights.

    Parameters
    ----------
    R : ndarray of shape (n, m)
    weights : dict
        "center" (m,), "first.weight" (m, d), "first.bias" (d,), "decoder.0.weight" (m, d),
        "decoder.0.bias" (m,).
    alpha : float
    entry_weight : ndarray of shape (n, m), default=None

    Returns
    -------
    value : float
    gradient : dict
    """
    V, mu = weights["first.weight"], weights["first.bias"]
    W, b = weights["decoder.0.weight"], weights["decoder.0.bias"]
    mask = (R != 0) * (1.0 if entry_weight is None else entry_weight)
    read = (R - weights["center"]) * (R != 0)
    hidden = sigmoid(read @ V + mu)
    error = hidden @ W.T + b - R
    value = (mask * error**2).sum() + alpha / 2 * ((V**2).sum() + (W**2).sum())
    slope = 2 * mask * error
    below = (slope @ W) * hidden * (1 - hidden)
    return value, {
        "first.weight": read.T @ below + alpha * V,
        "first.bias": below.sum(axis=0),
        "decoder.0.weight": slope.T @ hidden + alpha * W,
        "decoder.0.bias": slope.sum(axis=0),
    }


def linear_optimum(R, alpha, n_components):
    """Least ``||R - (R V + mu) W^T - b||^2 + alpha / 2 (||V||^2 + ||W||^2)``, R without gaps.

    The free biases take out the column means. With R = U S Q^T centred so, and because the
    least alpha / 2 (||V||^2 + ||W||^2) with V W^T = M is alpha times the nuclear norm of M,
    there is left ``min_M ||S - S M||^2 + alpha ||M||_*`` in the basis of Q. Neither part
    grows if M is cut down to its diagonal, so each direction has a problem of its own,
    s^2 (1 - m)^2 + alpha m, which m = max(0, 1 - alpha / (2 s^2)) solves: the prediction's
    singular values are those of R, soft-thresholded, by alpha / (2 s) each. The
    n_components directions that gain most, those of the greatest s, are used.
    """
    s = np.linalg.svd(R - R.mean(axis=0), compute_uv=False)
    m = np.maximum(0, 1 - alpha / (2 * np.maximum(s, 1e-300) ** 2))
    m[n_components:] = 0
    return float((s**2 * (1 - m) ** 2 + alpha * m).sum())
