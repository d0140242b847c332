"""Ratings in blocks, for deterministic stochastic gradient descent in parallel."""

import numpy as np

from skrec.utils._cells import even_bounds, n_blocks, run_rounds


class RatingCells:
    """The ratings, dealt into cells. A cell joins a block of users and a block of items.

    Cells that share no block share no parameter, so threads work on them at once. The
    result depends neither on the threads nor on their number.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
        Ratings less their mean.
    rng : numpy.random.Generator
        Deals the blocks, and shuffles the ratings of each cell.
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
        """Make one pass over the ratings; return the sum of the squared errors on the way."""
        from skrec.utils._rating_kernels import train_cells

        def some(cells, start, stop):
            train_cells(
                cells, self.bounds, self.users, self.items, self.ratings, model, penalties, rate,
                biased, self.totals, start, stop,
            )  # fmt: skip

        run_rounds(some, self.n, self.bounds, self.rng, n_jobs=self.n_jobs)
        return float(self.totals.sum())


def _dealt(rng, size, n):
    """A block number for each of `size` objects, dealt at random in equal shares."""
    block = np.empty(size, dtype=np.int64)
    block[rng.permutation(size)] = np.repeat(np.arange(n), np.diff(even_bounds(size, n)))
    return block
