"""The factors of `skrec.neural_network.ResidualMF`, and the descent that learns them."""

from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from skrec._factors import factor_pairs, factor_scores
from skrec._torch._fit_loop import epoch_loop
from skrec.utils._cells import Cells
from skrec.utils._dtype import single
from skrec.utils._parallel import in_other_thread, run_ranges
from skrec.utils._rating_cells import RatingCells
from skrec.utils._rating_ridge import augmented

# Most items in the mean over all items where a row is folded in.
_MAX_SAMPLE = 4096


class Arrays(NamedTuple):
    """Arrays of float32 that share memory with `Factors`.

    Attributes
    ----------
    users : ndarray of shape (n_users, d)
    items : ndarray of shape (n_items, d)
    of_users : ndarray of shape (n_users,)
    of_items : ndarray of shape (n_items,)
        The biases.
    intercept : ndarray of shape (1,)
    """

    users: np.ndarray
    items: np.ndarray
    of_users: np.ndarray
    of_items: np.ndarray
    intercept: np.ndarray

    def take(self, users):
        """The arrays of some users, by their indices."""
        return self._replace(users=self.users[users], of_users=self.of_users[users])

    def scores(self, dtype, n_jobs=None):
        """Scores of all items for all users."""
        offset = self.of_users.astype(dtype, copy=False) + dtype.type(self.intercept[0])
        return factor_scores(
            self.users, self.items.T, dtype, item_bias=self.of_items, offset=offset, n_jobs=n_jobs
        )

    def pair_scores(self, rows, items, dtype):
        """Scores of pairs of a user and an item."""
        vectors, components, of_users, of_items = (
            part.astype(dtype, copy=False)
            for part in (self.users, self.items.T, self.of_users, self.of_items)
        )
        offset = of_users + dtype.type(self.intercept[0])
        return factor_pairs(vectors, components, rows, items) + of_items[items] + offset[rows]


class Factors(nn.Module):
    """Vectors and biases on the CPU; a module, so that its state can be kept and restored."""

    def __init__(self, arrays):
        super().__init__()
        for name, array in arrays._asdict().items():
            self.register_buffer(name, torch.from_numpy(array))

    @property
    def arrays(self):
        """`Arrays` of the same memory."""
        return Arrays(*(getattr(self, name).numpy() for name in Arrays._fields))


def first_arrays(shape, n_components, scale, rng, intercept):
    """Draw vectors from a normal distribution; biases are zero.

    Parameters
    ----------
    shape : tuple of int
        (n_users, n_items).
    n_components : int
    scale : float
        Standard deviation.
    rng : numpy.random.Generator
    intercept : float

    Returns
    -------
    arrays : Arrays
    """
    vectors = [rng.standard_normal((n, n_components), dtype=np.float32) for n in shape]
    biases = [np.zeros(n, dtype=np.float32) for n in shape]
    intercept = np.array([intercept], dtype=np.float32)
    return Arrays(*(part * single(scale) for part in vectors), *biases, intercept)


class LogisticDescent:
    """Steps on interactions and negatives, one after the other.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
    arrays : Arrays
        Changed.
    alpha : float
    n_negatives : int
    rng : numpy.random.Generator
    n_jobs : int or None
    """

    def __init__(self, X, arrays, *, alpha, n_negatives, rng, n_jobs):
        self._cells, self._arrays = Cells(X, rng, n_jobs=n_jobs), arrays
        self._alpha, self._n_negatives = single(alpha), n_negatives
        self._n_entries = max(1, X.nnz)
        # Each cell of a round moves its own intercept.
        self._of_cells = np.zeros(self._cells.n**2, dtype=np.float32)

    def __call__(self, rate):
        """One pass; returns the mean loss of an interaction and its negatives."""
        from skrec.neural_network._residual_kernels import train_cells

        kernel = partial(
            train_cells, self._arrays[:4], self._arrays.intercept, self._of_cells,
            self._n_negatives, single(rate), self._alpha,
        )  # fmt: skip
        return self._cells.train(kernel, self._after_round) / self._n_entries

    def _after_round(self, cells):
        bounds = self._cells.bounds
        weight = bounds[cells + 1] - bounds[cells]
        if weight.any():
            self._arrays.intercept[0] = np.average(self._of_cells[cells], weights=weight)


class SquareDescent:
    """Steps on ratings, one after the other; the parameters are as in `LogisticDescent`."""

    def __init__(self, X, arrays, *, alpha, rng, n_jobs):
        centred = X.copy()
        centred.data = X.data.astype(np.float64) - float(arrays.intercept[0])
        self._cells, self._arrays = RatingCells(centred, rng, n_jobs=n_jobs), arrays
        self._penalties = tuple(np.full(n, single(alpha)) for n in X.shape)
        self._n_entries = max(1, X.nnz)
        # Users and items without ratings learn nothing: the penalty makes them zero.
        arrays.users[np.diff(X.indptr) == 0] = 0
        arrays.items[np.bincount(X.indices, minlength=X.shape[1]) == 0] = 0

    def __call__(self, rate):
        """One pass; returns the mean of half the squared errors."""
        squares = self._cells.train(self._arrays[:4], self._penalties, single(rate), True)
        return squares / 2 / self._n_entries


def learn_factors(factors, descent, rates, **loop):
    """Descend for as many epochs as there are rates; returns the `History`.

    Parameters
    ----------
    factors : Factors
        Changed.
    descent : callable
        Makes one pass over all samples: it takes the rate and returns the mean loss.
    rates : iterable of float
    **loop
        Options of `skrec._torch._fit_loop.epoch_loop`.

    Raises
    ------
    FloatingPointError
        If a loss is not finite.
    """
    rates = iter(rates)
    return epoch_loop(factors, lambda: (descent(next(rates)), None), **loop)


def fold_in_logistic(X, items, item_bias, intercept, *, n_negatives, alpha, seed, n_jobs):
    """Vectors and biases of rows at the minimum of the training objective, with items fixed.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
    items : ndarray of shape (n_items, d)
    item_bias : ndarray of shape (n_items,)
    intercept : float
    n_negatives : int
    alpha : float
    seed : int
        Seed of the items that stand for all items if there are more than 4,096.
    n_jobs : int or None

    Returns
    -------
    found : ndarray of float64 of shape (n_rows, d + 1)
        Vectors, and the biases in the last column.
    """
    from skrec.neural_network._residual_kernels import fold_in_rows, mean_curvature

    vectors = augmented(items, item_bias)
    offset = item_bias.astype(np.float64) + intercept
    sample = np.arange(len(items))
    if len(items) > _MAX_SAMPLE:
        sample = np.random.default_rng(seed).choice(len(items), _MAX_SAMPLE, replace=False)
    problem = (vectors, offset, sample)
    upper = in_other_thread(mean_curvature, *problem, n_negatives, alpha)
    found = np.empty((X.shape[0], vectors.shape[1]))

    def rows(start, stop):
        fold_in_rows(X.indptr, X.indices, *problem, upper, n_negatives, alpha, found, start, stop)

    run_ranges(rows, X.shape[0], n_jobs=n_jobs, weights=np.diff(X.indptr) + len(sample))
    return found
