"""Stochastic gradient descent for ratings with biases: deterministic, and in parallel."""

import numpy as np

from skrec.utils._rating_cells import RatingCells
from skrec.utils._rating_ridge import rating_penalty


def descend(X, factors, *, biased, alpha, frequency_exponent, rates, rng, passes, n_jobs=None):
    """Make one step on every rating for each learning rate.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
        Ratings less the intercept.
    factors : tuple of ndarray of float32, changed
        User factors (n_users, d) and item factors (n_items, d). Factors without ratings become
        zero: they learn nothing, and zero minimises the penalty.
    biased : bool
        Whether there are biases; they start at zero.
    alpha, frequency_exponent : float
        See `skrec.utils._rating_ridge.rating_penalty`.
    rates : ndarray of float32 of shape (n_passes,)
    rng : numpy.random.Generator
    passes : iterable of int
        Numbers of the passes from 0, such as a range, with or without a progress bar.
    n_jobs : int or None, default=None

    Returns
    -------
    biases : tuple of ndarray of float32 of shape (n_users,) and (n_items,)
    loss_curve : list of float
        Mean squared error of each pass, computed before each step.

    Raises
    ------
    ValueError
        If the error is not finite.
    """
    counts = np.diff(X.indptr), np.bincount(X.indices, minlength=X.shape[1])
    shares = tuple(_share(count, alpha, frequency_exponent) for count in counts)
    for vectors, count in zip(factors, counts, strict=True):
        vectors[count == 0] = 0
    biases = tuple(np.zeros(len(count), dtype=np.float32) for count in counts)
    cells = RatingCells(X, rng, n_jobs=n_jobs)
    loss_curve = []
    for n in passes:
        squares = cells.train((*factors, *biases), shares, rates[n], biased)
        loss_curve.append(squares / max(1, X.nnz))
        if not np.isfinite(loss_curve[-1]):
            raise ValueError(
                f"SGD diverges: the error is {loss_curve[-1]} after {n + 1} passes at "
                f"learning_rate={rates[0]:g} and alpha={alpha:g}. Use a smaller learning_rate, "
                "or solver='als'."
            )
    return biases, loss_curve


def _share(count, alpha, frequency_exponent):
    """The share of the penalty that each rating of a user, or of an item, has."""
    penalty = rating_penalty(count, alpha, frequency_exponent)
    most = np.finfo(np.float32).max
    return np.minimum(penalty / np.maximum(count, 1), most).astype(np.float32)
