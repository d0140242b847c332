"""Stochastic gradient descent for ratings with biases: deterministic, and in parallel."""

import numpy as np

from skrec.decomposition._biased_mf_als import rating_penalty
from skrec.decomposition._bpr_sgd import even_bounds, n_blocks
from skrec.utils._parallel import run_ranges


class RatingCells:
    """The ratings, dealt into cells: one of a block of users and a block of items each.

    Cells that share no block share no parameter, so they are worked on at once: the
    result depends neither on the threads nor on their number.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
        Ratings less their mean.
    rng : numpy.random.Generator
        Deals the blocks, and puts the ratings of a cell in order.
    n_jobs : int or None, default=None
    """

    def __init__(self, X, rng, *, n_jobs=None):
        self.rng, self.n_jobs = rng, n_jobs
        self.n = n = n_blocks(*X.shape)
        user_block, item_block = (_dealt(rng, size, n) for size in X.shape)
        users = np.repeat(np.arange(X.shape[0], dtype=np.int32), np.diff(X.indptr))
        shuffled = rng.permutation(X.nnz)
        cell = (user_block[users] * n + item_block[X.indices])[shuffled]
        order = shuffled[np.argsort(cell, kind="stable")]
        self.bounds = np.concatenate([[0], np.cumsum(np.bincount(cell, minlength=n * n))])
        self.users, self.items = users[order], X.indices[order].astype(np.int32, copy=False)
        self.ratings = X.data[order].astype(np.float32, copy=False)
        self.totals = np.zeros(n * n)

    def train(self, model, penalties, rate, biased):
        """One pass over the ratings; returns the sum of the squared errors met."""
        from skrec.decomposition._biased_mf_kernels import train_cells

        blocks = np.arange(self.n)
        for shift in self.rng.permutation(self.n):
            # Each block of users meets another block of items.
            cells = blocks * self.n + (blocks + shift) % self.n

            def some(start, stop, cells=cells):
                train_cells(
                    cells, self.bounds, self.users, self.items, self.ratings, model, penalties,
                    rate, biased, self.totals, start, stop,
                )  # fmt: skip

            weights = self.bounds[cells + 1] - self.bounds[cells]
            run_ranges(some, self.n, n_jobs=self.n_jobs, weights=weights)
        return float(self.totals.sum())


def descend(X, factors, *, biased, alpha, frequency_exponent, rates, rng, passes, n_jobs=None):
    """Step down on every rating once for each learning rate.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
        Ratings less the intercept.
    factors : tuple of ndarray of float32, changed
        User factors (n_users, d) and item factors (n_items, d). Those without ratings
        become zero: nothing is learned for them, and the penalty says zero.
    biased : bool
        Whether there are biases; they start at zero.
    alpha, frequency_exponent : float
        See `skrec.decomposition._biased_mf_als.rating_penalty`.
    rates : ndarray of float32 of shape (n_passes,)
    rng : numpy.random.Generator
    passes : iterable of int
        Numbers of the passes from 0, such as a range, or one with a progress bar around it.
    n_jobs : int or None, default=None

    Returns
    -------
    biases : tuple of ndarray of float32 of shape (n_users,) and (n_items,)
    loss_curve : list of float
        Mean squared error of each pass, as met on the way.

    Raises
    ------
    ValueError
        If it is not finite.
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
    """Part of the penalty that each rating of a user, or of an item, carries."""
    penalty = rating_penalty(count, alpha, frequency_exponent)
    most = np.finfo(np.float32).max
    return np.minimum(penalty / np.maximum(count, 1), most).astype(np.float32)


def _dealt(rng, size, n):
    """A block number for each of `size` things, dealt at random in equal shares."""
    block = np.empty(size, dtype=np.int64)
    block[rng.permutation(size)] = np.repeat(np.arange(n), np.diff(even_bounds(size, n)))
    return block
