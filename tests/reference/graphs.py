"""LightGCN and SpectralCF in a few lines of dense NumPy, in float64."""

import numpy as np


def adjacency(X):
    """The dense matrix of all nodes, users first."""
    X = np.asarray(X.todense() if hasattr(X, "todense") else X, dtype=float) > 0
    n_users, n_items = X.shape
    A = np.zeros((n_users + n_items,) * 2)
    A[:n_users, n_users:] = X
    A[n_users:, :n_users] = X.T
    return A


def symmetric(A):
    """D^-1/2 A D^-1/2; 0 where a degree is 0."""
    scale = 1 / np.sqrt(np.maximum(A.sum(1), 1))
    return scale[:, None] * A * scale


def random_walk(A):
    """D^-1 A; 0 where a degree is 0."""
    return A / np.maximum(A.sum(1), 1)[:, None]


def light_gcn(A, E, n_layers):
    """The mean of A^k E, k = 0 ... n_layers."""
    layers = [E]
    for _ in range(n_layers):
        layers.append(A @ layers[-1])
    return sum(layers) / (n_layers + 1)


def spectral_cf(P, E, filters, own=2.0, others=-1.0):
    """All layers side by side."""
    layers = [E]
    for weight in filters:
        layers.append(1 / (1 + np.exp(-(own * layers[-1] + others * (P @ layers[-1])) @ weight)))
    return np.hstack(layers)


def bpr(outputs, penalised, users, items, negatives, alpha):
    """The mean loss of triplets by rows of outputs, with squares of rows of another matrix."""
    total = 0.0
    for u, i, j in zip(users, items, negatives, strict=True):
        total += np.log1p(np.exp(outputs[u] @ (outputs[j] - outputs[i])))
        total += alpha / 2 * sum((penalised[k] ** 2).sum() for k in (u, i, j))
    return total / len(users)
