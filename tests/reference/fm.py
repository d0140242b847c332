"""Factorization machines and their relatives, pair by pair."""

import numpy as np


def fm_score(x, field, bias, linear, vectors):
    """The score of one row of columns in fields, by a loop over all pairs of fields.

    Parameters
    ----------
    x : ndarray of shape (n_columns,)
    field : ndarray of shape (n_columns,)
        Columns of one field make no pairs.
    bias : float
    linear : ndarray of shape (n_columns,)
    vectors : ndarray of shape (n_columns, d)
    """
    score = bias
    for j in range(len(x)):
        score += linear[j] * x[j]
        for other in range(j + 1, len(x)):
            if field[j] != field[other]:
                product = sum(a * b for a, b in zip(vectors[j], vectors[other], strict=True))
                score += product * x[j] * x[other]
    return score


def deep_score(x, field, vectors, layers, head, norms=None):
    """What ReLU layers say of the vectors of the fields of one row, one after another.

    Parameters
    ----------
    layers : list of (ndarray, ndarray)
        Weights (n_out, n_in) and biases.
    head : ndarray of shape (n_in,)
    norms : list of four ndarray of shape (n_out,), default=None
        Of each layer running means and variances, scales and shifts.
    """
    hidden = []
    for f in range(field.max() + 1):
        total = np.zeros(vectors.shape[1])
        for j in np.flatnonzero(field == f):
            total += x[j] * vectors[j]
        hidden += total.tolist()
    for number, (weight, bias) in enumerate(layers):
        hidden = [
            sum(w * h for w, h in zip(row, hidden, strict=True)) + b
            for row, b in zip(weight, bias, strict=True)
        ]
        if norms is not None:
            hidden = [
                (h - float(mean)) / (float(variance) + 1e-5) ** 0.5 * float(scale) + float(shift)
                for h, mean, variance, scale, shift in zip(hidden, *norms[number], strict=True)
            ]
        hidden = [max(0.0, h) for h in hidden]
    return sum(w * h for w, h in zip(head, hidden, strict=True))
