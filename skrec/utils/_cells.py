"""Interactions in blocks, for stochastic descent in parallel without races.

Users and items are dealt into blocks. A cell holds the interactions of one block of users with
one block of items. Cells that share no block can be processed at once. Negatives of an
interaction come from the item block of its cell. So a cell touches nothing outside its blocks,
and its working set stays in the core's own cache.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from skrec.utils._parallel import effective_n_threads, even_shares, plain_interrupts, run_ranges

# Items in a block: few enough that the factors of a cell stay in the core's own cache, and many
# enough that a negative from the block is as good as one from all items.
_ITEMS_PER_BLOCK = 512
_MAX_BLOCKS = 32


def n_blocks(n_users, n_items):
    """Number of user blocks, which equals the number of item blocks; from the shape of X alone."""
    return max(1, min(_MAX_BLOCKS, n_items // _ITEMS_PER_BLOCK, n_users // 2))


class Dealt(NamedTuple):
    """The interactions, cell after cell; see `skrec.utils._cell_kernels.deal_cells`.

    Attributes
    ----------
    bounds : ndarray of shape (n_blocks**2 + 1,)
    users, items : ndarray of int32 of shape (n_entries,)
    """

    bounds: np.ndarray
    users: np.ndarray
    items: np.ndarray


class Pools(NamedTuple):
    """Items to draw negatives from.

    Attributes
    ----------
    items : ndarray of int32
        Block after block; an item may occur several times.
    bounds : ndarray of shape (n_blocks + 1,)
        Bounds of the blocks in `items`.
    sizes : ndarray of shape (n_blocks,)
        Number of different items in each block.
    """

    items: np.ndarray
    bounds: np.ndarray
    sizes: np.ndarray


class Cells:
    """The interactions in blocks; items are dealt anew for each pass.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
        Canonical; its values are ignored.
    rng : numpy.random.Generator
        Deals the blocks, and keys the streams of the cells.
    n_jobs : int or None, default=None
        Number of threads; it does not change the result.
    by_popularity : bool, default=False
        Whether to draw items in proportion to their number of users plus one.
    """

    def __init__(self, X, rng, *, n_jobs=None, by_popularity=False):
        n_users, n_items = X.shape
        self.rng, self.n_jobs = rng, n_jobs
        self.n = n_blocks(n_users, n_items)
        self.indptr, self.indices = X.indptr.astype(np.int64), X.indices.astype(np.int32)
        self.users = rng.permutation(n_users).astype(np.int32)
        self.user_bounds = even_bounds(n_users, self.n)
        self.item_bounds = even_bounds(n_items, self.n)
        lengths = np.diff(self.indptr)[self.users]
        self.first = np.concatenate([[0], np.cumsum(lengths)])[self.user_bounds]
        # How often an item occurs in the pools.
        popularity = np.bincount(self.indices, minlength=n_items) + 1
        self.copies = popularity if by_popularity else np.ones(n_items, dtype=np.int64)
        self.cell_user = np.empty(X.nnz, dtype=np.int32)
        self.cell_item = np.empty(X.nnz, dtype=np.int32)
        self.bounds = np.full(self.n**2 + 1, X.nnz, dtype=np.int64)
        self.totals = np.zeros(self.n**2, dtype=np.float64)

    def deal(self):
        """Cut the items into blocks at random; return the `Pools` to draw negatives from."""
        from skrec.utils._cell_kernels import deal_cells

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

    def train(self, kernel, after_round=None):
        """Make one pass and return the sum of the losses.

        Parameters
        ----------
        kernel : callable
            ``kernel(cells, dealt, pools, key, totals, start, stop)`` works on the interactions of
            ``cells[start:stop]`` and writes the sum of the losses of each cell to ``totals``.
            Each cell draws from its own random stream, keyed by `key` and the number of the
            cell, so threads cannot change the result.
        after_round : callable, default=None
            ``after_round(cells)`` is called when all cells of a round are done.
        """
        pools = self.deal()
        dealt = Dealt(self.bounds, self.cell_user, self.cell_item)
        key = np.uint64(self.rng.integers(2**64, dtype=np.uint64))

        def some(cells, start, stop):
            kernel(cells, dealt, pools, key, self.totals, start, stop)

        run_rounds(some, self.n, self.bounds, self.rng, n_jobs=self.n_jobs, after_round=after_round)
        return float(self.totals.sum())


def run_rounds(function, n, bounds, rng, *, n_jobs=None, after_round=None):
    """Go through all n x n cells in rounds; the cells of a round share no block.

    Parameters
    ----------
    function : callable
        ``function(cells, start, stop)`` works on ``cells[start:stop]``.
    n : int
        Number of blocks of users, and of items.
    bounds : ndarray of shape (n**2 + 1,)
        Bounds of the cells; cell a * n + b joins user block a and item block b.
    rng : numpy.random.Generator
        Draws the order of the rounds.
    n_jobs : int or None, default=None
    after_round : callable, default=None
        ``after_round(cells)`` is called when all cells of a round are done.
    """
    n_threads = min(effective_n_threads(n_jobs), n)
    blocks = np.arange(n)
    # One pool for all rounds: starting threads in each round would cost as much as a cell.
    with ThreadPoolExecutor(n_threads) as pool:
        for shift in rng.permutation(n):
            # Each block of users meets a different block of items, so no two cells share one.
            cells = blocks * n + (blocks + shift) % n
            if n_threads == 1:
                with plain_interrupts():
                    function(cells, 0, n)
            else:
                shares = even_shares(bounds[cells + 1] - bounds[cells], n_threads)
                futures = [pool.submit(function, cells[some], 0, len(some)) for some in shares]
                for future in futures:
                    future.result()
            if after_round is not None:
                after_round(cells)


def even_bounds(n, n_parts):
    """Bounds of `n_parts` parts of range(n), as even as possible."""
    return np.arange(n_parts + 1) * n // n_parts
