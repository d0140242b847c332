"""Softmax units over frozen codes, each fitted to its ratings: multinomial regressions."""

import numpy as np
from scipy.linalg import cho_factor, cho_solve

_MAX_STEPS = 200
# The steps end when no logit moves by more than this.
_NEAR = 1e-6
# Without a penalty there may be no minimum; with a small penalty it takes many steps.
_LEAST_PENALTY = 0.1


def solve_units(X, levels, codes, start_bias, alpha):
    r"""Solve for the weights and biases of a softmax unit for each row.

    Minimises over w_k and b_k, for the stored entries i of each row and their levels k_i,

    .. math:: -\sum_i \log \mathrm{softmax}_{k_i}(b + w h_i)
        + \frac{\alpha}{2} \left( \|w\|^2 + \|b - b_0\|^2 \right)

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
    levels : ndarray of int of shape (nnz,)
    codes : ndarray of shape (n_items, d), float64
        The h_i.
    start_bias : ndarray of shape (n_rows, n_levels), float64
        The b_0.
    alpha : float
        Values below .1 count as .1.

    Returns
    -------
    weight : ndarray of shape (n_rows, n_levels, d)
    bias : ndarray of shape (n_rows, n_levels)
    """
    shape = (*start_bias.shape, codes.shape[1])
    weight, bias = np.zeros(shape), start_bias.copy()
    alpha = max(alpha, _LEAST_PENALTY)
    for row, (start, stop) in enumerate(zip(X.indptr[:-1], X.indptr[1:], strict=True)):
        if start < stop:
            own = np.column_stack([codes[X.indices[start:stop]], np.ones(stop - start)])
            solved = _solve(own, levels[start:stop], start_bias[row], alpha)
            weight[row] = solved[:, :-1]
            bias[row] += solved[:, -1]
    return weight, bias


def _solve(inputs, levels, offset, alpha):
    """Regression weights of shape (n_levels, d) for inputs of shape (n, d).

    Half the Gram matrix of the inputs bounds the Hessian (Böhning 1992). Accelerated steps
    (Nesterov) by the inverse of the bound run until the logits stand still. With fewer inputs than
    weights, the weights are a combination of the inputs, and the steps solve for its coefficients.
    """
    n, d = inputs.shape
    wide = n <= d
    matrix = inputs @ inputs.T if wide else inputs.T @ inputs
    bound = matrix / 2
    bound[np.diag_indices_from(bound)] += alpha
    factor = cho_factor(bound, overwrite_a=True, check_finite=False)
    # For either kind of unknowns, the logits are `basis` times the unknowns.
    basis = matrix if wide else inputs
    shown = np.zeros((n, len(offset)))
    shown[np.arange(n), levels] = 1
    now = ahead = np.zeros((basis.shape[1], len(offset)))
    logits, momentum = np.zeros_like(shown), 1.0
    for _ in range(_MAX_STEPS):
        error = _softmax(basis @ ahead + offset) - shown
        slope = (error if wide else inputs.T @ error) + alpha * ahead
        after = ahead - cho_solve(factor, slope, check_finite=False)
        reached = basis @ after
        change, logits = reached - logits, reached
        if np.abs(change).max() <= _NEAR:
            now = after
            break
        # If momentum arrived at an upward slope, it begins anew.
        upward = np.vdot(slope, change if wide else after - now) > 0
        following = 1.0 if upward else (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        share = 0.0 if upward else (momentum - 1) / following
        ahead = after + share * (after - now)
        now, momentum = after, following
    return (inputs.T @ now if wide else now).T


def _softmax(logits):
    logits = np.exp(logits - logits.max(axis=1, keepdims=True))
    return logits / logits.sum(axis=1, keepdims=True)
