"""Stochastic descent for pairwise losses: deterministic, in parallel, in cache."""

from typing import NamedTuple

import numpy as np

from skrec.utils._hashing import keyed_words
from skrec.utils._parallel import run_ranges

# Items in a block: so few that the factors of a cell stay in the core's own cache, so many
# that a negative out of the block is as good as one out of all items.
_ITEMS_PER_BLOCK = 512
_MAX_BLOCKS = 32
# Tries to draw a popular item that a row has not.
_N_TRIES = 8
# In the order of the kernels' numbers.
LOSSES = ("log", "hinge", "warp")


def n_blocks(n_users, n_items):
    """Number of blocks of users, and of items; depends on nothing but the shape of X."""
    return max(1, min(_MAX_BLOCKS, n_items // _ITEMS_PER_BLOCK, n_users // 2))


class Model(NamedTuple):
    """What is learned, and Adagrad's accumulators.

    Attributes
    ----------
    user_factors, item_factors : ndarray of shape (n_users, d) and (n_items, d)
    item_bias : ndarray of shape (n_items,)
    of_users, of_items : ndarray of shape (n_users,) and (n_items,)
        Sums of mean squares of gradients.
    """

    user_factors: np.ndarray
    item_factors: np.ndarray
    item_bias: np.ndarray
    of_users: np.ndarray
    of_items: np.ndarray


class Descent(NamedTuple):
    """How a step goes down.

    Attributes
    ----------
    loss : {LOG, HINGE, WARP}
    harmonic : ndarray of shape (n_items,)
        harmonic[r] = 1 + 1/2 + ... + 1/r; for WARP.
    max_sampled : int
        Draws for one interaction; for WARP.
    rate : float, or ndarray of shape (n_passes,)
        Of the pass; where users are folded in, of each pass.
    alpha : float, in the dtype of the factors
    adaptive : bool
        Whether by Adagrad.
    """

    loss: int
    harmonic: np.ndarray
    max_sampled: int
    rate: float
    alpha: float
    adaptive: bool


class Dealt(NamedTuple):
    """The interactions, cell after cell; see `skrec.decomposition._bpr_kernels.deal_cells`.

    Attributes
    ----------
    bounds : ndarray of shape (n_blocks**2 + 1,)
    users, items : ndarray of int32 of shape (n_entries,)
    """

    bounds: np.ndarray
    users: np.ndarray
    items: np.ndarray


class Pools(NamedTuple):
    """What negatives are drawn from.

    Attributes
    ----------
    items : ndarray of int32
        Block after block; an item may stand in it often.
    bounds : ndarray of shape (n_blocks + 1,)
        Bounds of the blocks in `items`.
    sizes : ndarray of shape (n_blocks,)
        Number of different items in each block.
    """

    items: np.ndarray
    bounds: np.ndarray
    sizes: np.ndarray


def harmonic_sums(n_items, dtype=np.float32):
    """WARP's weights: element r is 1 + 1/2 + ... + 1/r.

    Parameters
    ----------
    n_items : int
    dtype : dtype, default=np.float32

    Returns
    -------
    sums : ndarray of shape (n_items,)
    """
    ranks = np.arange(1, n_items, dtype=np.float64)
    return np.concatenate([[0.0], np.cumsum(1.0 / ranks)]).astype(dtype)


def learning_rates(rate, n_passes, schedule):
    """Learning rate of each pass: constant, or falling in a straight line towards 0."""
    if schedule == "constant":
        return np.full(n_passes, rate, dtype=np.float32)
    return (rate * (1.0 - np.arange(n_passes) / n_passes)).astype(np.float32)


def single(number):
    """A number as float32; the largest one where it is larger."""
    return np.float32(min(number, float(np.finfo(np.float32).max)))


def pairwise_factors(
    X, n_components, *, loss, solver, alpha, rates, max_sampled, by_popularity, init_scale, rng,
    passes, n_jobs=None,
):  # fmt: skip
    """Minimise a pairwise loss over user factors, item factors and item biases.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
        Canonical; the values are not looked at.
    n_components : int
    loss : {"log", "hinge", "warp"}
    solver : {"adagrad", "sgd"}
    alpha : float
        Penalty on the parameters of each triplet.
    rates : ndarray of float32 of shape (n_passes,)
    max_sampled : int
        For WARP.
    by_popularity : bool
        Whether negatives are drawn by their number of users plus one.
    init_scale : float
        Expected length of the initial factors.
    rng : numpy.random.Generator
    passes : iterable of int
        Numbers of the passes from 0, such as a range, or one with a progress bar around it.
    n_jobs : int or None, default=None
        Threads; the result does not depend on them.

    Returns
    -------
    user_factors, item_factors, item_bias : ndarray of float32
        Of shapes (n_users, n_components), (n_items, n_components) and (n_items,).
    loss_curve : list of float
        Mean loss of the triplets of each pass, as met on the way, without the penalty.

    Raises
    ------
    FloatingPointError
        If the loss is not finite.
    """
    shape = X.shape
    scale = init_scale / np.sqrt(n_components)
    model = Model(
        _normal(rng, (shape[0], n_components), scale),
        _normal(rng, (shape[1], n_components), scale),
        np.zeros(shape[1], dtype=np.float32),
        np.ones(shape[0], dtype=np.float32),
        np.ones(shape[1], dtype=np.float32),
    )
    cells = _Cells(X, by_popularity, rng, n_jobs)
    harmonic = harmonic_sums(shape[1])
    loss_curve = []
    for n in passes:
        descent = Descent(
            LOSSES.index(loss), harmonic, max_sampled, rates[n], single(alpha),
            solver == "adagrad",
        )  # fmt: skip
        total = cells.train(descent, model)
        loss_curve.append(total / max(1, X.nnz))
        if not np.isfinite(loss_curve[-1]):
            raise FloatingPointError(f"The loss is {loss_curve[-1]} after {n + 1} passes.")
    return model.user_factors, model.item_factors, model.item_bias, loss_curve


def popular_negatives(X, uniform, popularity, seed, hashes):
    """Items drawn in proportion to their popularity among those that a row has not.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
        Canonical; stored items are not drawn.
    uniform : ndarray of intp of shape (n_rows, n_draws)
        What to take where several tries have met the row's own items only.
    popularity : ndarray of int of shape (n_items,)
        Positive.
    seed : int
    hashes : ndarray of uint64 of shape (n_rows, 2)
        Row hashes, which key the draws.

    Returns
    -------
    items : ndarray of intp of shape (n_rows, n_draws)
    """
    upper = np.cumsum(popularity)
    n_rows, n_items = X.shape
    # Canonical rows make these ascend, so that a draw is looked up by bisection; a sentinel
    # stands behind them.
    starts = np.repeat(np.arange(n_rows) * n_items, np.diff(X.indptr))
    seen = np.append(starts + X.indices, np.iinfo(np.int64).max)
    items = uniform.copy()
    rows, slots = np.nonzero(uniform >= 0)
    for n in range(_N_TRIES):
        words = keyed_words(hashes[rows], seed, slots * _N_TRIES + n)
        place = (words >> np.uint64(11)) * 2.0**-53 * upper[-1]
        drawn = np.searchsorted(upper, place, side="right")
        wanted = rows * n_items + drawn
        fresh = seen[np.searchsorted(seen, wanted)] != wanted
        items[rows[fresh], slots[fresh]] = drawn[fresh]
        rows, slots = rows[~fresh], slots[~fresh]
    return items


def _normal(rng, shape, scale):
    factors = rng.standard_normal(shape, dtype=np.float32)
    factors *= np.float32(scale)
    return factors


class _Cells:
    """The interactions in blocks; items are dealt anew for each pass."""

    def __init__(self, X, by_popularity, rng, n_jobs):
        n_users, n_items = X.shape
        self.rng, self.n_jobs = rng, n_jobs
        self.n = n_blocks(n_users, n_items)
        self.indptr, self.indices = X.indptr.astype(np.int64), X.indices.astype(np.int32)
        self.users = rng.permutation(n_users).astype(np.int32)
        self.user_bounds = even_bounds(n_users, self.n)
        self.item_bounds = even_bounds(n_items, self.n)
        lengths = np.diff(self.indptr)[self.users]
        self.first = np.concatenate([[0], np.cumsum(lengths)])[self.user_bounds]
        # How often an item stands among those to draw from.
        popularity = np.bincount(self.indices, minlength=n_items) + 1
        self.copies = popularity if by_popularity else np.ones(n_items, dtype=np.int64)
        self.cell_user = np.empty(X.nnz, dtype=np.int32)
        self.cell_item = np.empty(X.nnz, dtype=np.int32)
        self.bounds = np.full(self.n**2 + 1, X.nnz, dtype=np.int64)
        self.totals = np.zeros(self.n**2, dtype=np.float64)

    def deal(self):
        """Cut the items into blocks at random; return the `Pools` to draw negatives from."""
        from skrec.decomposition._bpr_kernels import deal_cells

        items = self.rng.permutation(len(self.copies)).astype(np.int32)
        block_of = np.empty(len(items), dtype=np.int32)
        block_of[items] = np.repeat(np.arange(self.n), np.diff(self.item_bounds))

        def blocks(start, stop):
            deal_cells(
                self.indptr, self.indices, self.users, self.user_bounds, block_of, self.first,
                self.bounds, self.cell_user, self.cell_item, start, stop,
            )  # fmt: skip

        run_ranges(blocks, self.n, n_jobs=self.n_jobs)
        copies = self.copies[items]
        pool_bounds = np.concatenate([[0], np.cumsum(copies)])[self.item_bounds]
        return Pools(np.repeat(items, copies), pool_bounds, np.diff(self.item_bounds))

    def train(self, descent, model):
        """One pass; returns the sum of the losses."""
        from skrec.decomposition._bpr_kernels import train_cells

        pools = self.deal()
        dealt = Dealt(self.bounds, self.cell_user, self.cell_item)
        key = np.uint64(self.rng.integers(2**64, dtype=np.uint64))
        blocks = np.arange(self.n)
        for shift in self.rng.permutation(self.n):
            # Each block of users meets another block of items: nothing is shared.
            cells = blocks * self.n + (blocks + shift) % self.n

            def some(start, stop, cells=cells):
                train_cells(cells, dealt, pools, key, descent, model, self.totals, start, stop)

            weights = self.bounds[cells + 1] - self.bounds[cells]
            run_ranges(some, self.n, n_jobs=self.n_jobs, weights=weights)
        return float(self.totals.sum())


def even_bounds(n, n_parts):
    return np.arange(n_parts + 1) * n // n_parts
