"""Slow twin of skrec.decomposition.BiasedMF's alternating least squares, dense NumPy."""

import numpy as np


def objective(R, mu, W, b, H, c, alpha, nu, *, biased=True):
    """The stated objective, written out cell by cell."""
    total = 0.0
    rated = R != 0
    for u, i in zip(*np.nonzero(rated), strict=True):
        total += (R[u, i] - (mu + b[u] + c[i] + W[u] @ H[i])) ** 2
    for count, vectors, bias in ((rated.sum(1), W, b), (rated.sum(0), H, c)):
        for n, v, s in zip(count, vectors, bias, strict=True):
            total += alpha * max(n, 1) ** nu * (v @ v + (s * s if biased else 0.0))
    return total


def solve(R, mu, other, other_bias, alpha, nu, *, biased=True):
    """Factors and biases of the rows of R, those of the columns being given."""
    n, d = R.shape[0], other.shape[1]
    factors, bias = np.zeros((n, d)), np.zeros(n)
    for u in range(n):
        rated = np.flatnonzero(R[u])
        if not len(rated):
            continue
        A = np.column_stack([other[rated], np.ones(len(rated))]) if biased else other[rated]
        target = R[u, rated] - mu - other_bias[rated]
        penalty = np.sqrt(alpha * len(rated) ** nu) * np.eye(A.shape[1])
        # Least squares on stacked rows: no normal equations, and least norm where singular.
        stacked = np.vstack([A, penalty]), np.concatenate([target, np.zeros(A.shape[1])])
        z = np.linalg.lstsq(*stacked, rcond=1e-10)[0]
        factors[u] = z[:d]
        bias[u] = z[d] if biased else 0.0
    return factors, bias


def sweep(R, mu, H, c, alpha, nu, *, biased=True):
    """One sweep: users, then items."""
    W, b = solve(R, mu, H, c, alpha, nu, biased=biased)
    H, c = solve(R.T, mu, W, b, alpha, nu, biased=biased)
    return W, b, H, c
