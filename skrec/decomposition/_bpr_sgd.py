"""Stochastic descent for pairwise losses: deterministic, in parallel, in cache."""

from functools import partial
from typing import NamedTuple

import numpy as np

from skrec.utils._cells import Cells
from skrec.utils._dtype import single
from skrec.utils._hashing import keyed_words

# Tries to draw a popular item that a row does not have.
_N_TRIES = 8
# In the order of the kernels' numbers.
LOSSES = ("log", "hinge", "warp")


class Model(NamedTuple):
    """The learned parameters, and Adagrad's accumulators.

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
    """The settings of a step.

    Attributes
    ----------
    loss : {LOG, HINGE, WARP}
    harmonic : ndarray of shape (n_items,)
        harmonic[r] = 1 + 1/2 + ... + 1/r; for WARP.
    max_sampled : int
        Draws for one interaction; for WARP.
    rate : float, or ndarray of shape (n_passes,)
        Learning rate of the pass; in the fold-in, of each pass.
    alpha : float, in the dtype of the factors
    adaptive : bool
        Whether to use Adagrad.
    """

    loss: int
    harmonic: np.ndarray
    max_sampled: int
    rate: float
    alpha: float
    adaptive: bool


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


def pairwise_factors(
    X, n_components, *, loss, solver, alpha, rates, max_sampled, by_popularity, init_scale, rng,
    passes, n_jobs=None,
):  # fmt: skip
    """Minimise a pairwise loss over user factors, item factors and item biases.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
        Canonical; the values are not read.
    n_components : int
    loss : {"log", "hinge", "warp"}
    solver : {"adagrad", "sgd"}
    alpha : float
        Penalty on the parameters of each triplet.
    rates : ndarray of float32 of shape (n_passes,)
    max_sampled : int
        For WARP.
    by_popularity : bool
        Whether negatives are drawn in proportion to their number of users plus one.
    init_scale : float
        Expected length of the initial factors.
    rng : numpy.random.Generator
    passes : iterable of int
        Numbers of the passes from 0, such as a range, with or without a progress bar.
    n_jobs : int or None, default=None
        Threads; the result does not depend on them.

    Returns
    -------
    user_factors, item_factors, item_bias : ndarray of float32
        Of shapes (n_users, n_components), (n_items, n_components) and (n_items,).
    loss_curve : list of float
        Loss of the triplets of each pass, computed before each step, without the penalty, and
        divided by the number of interactions. A user with all items makes no triplet.

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
    cells = Cells(X, rng, n_jobs=n_jobs, by_popularity=by_popularity)
    harmonic = harmonic_sums(shape[1])
    loss_curve = []
    for n in passes:
        descent = Descent(
            LOSSES.index(loss), harmonic, max_sampled, rates[n], single(alpha),
            solver == "adagrad",
        )  # fmt: skip
        total = one_pass(cells, descent, model)
        loss_curve.append(total / max(1, X.nnz))
        if not np.isfinite(loss_curve[-1]):
            raise FloatingPointError(f"The loss is {loss_curve[-1]} after {n + 1} passes.")
    return model.user_factors, model.item_factors, model.item_bias, loss_curve


def popular_negatives(X, uniform, popularity, seed, hashes):
    """Items that rows do not have, drawn in proportion to their popularity.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
        Canonical; stored items are not drawn.
    uniform : ndarray of intp of shape (n_rows, n_draws)
        Replacements where several tries draw only the row's own items.
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
    # Canonical rows make these ascend, so bisection can look up a draw. A sentinel is the last.
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


def one_pass(cells, descent, model):
    """Make one step on each interaction of `Cells`; returns the sum of the losses."""
    from skrec.decomposition._bpr_kernels import train_cells

    return cells.train(partial(train_cells, descent, model))
