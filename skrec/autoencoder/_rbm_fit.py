"""Contrastive divergence for softmax units; each example shows some of them."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from skrec.utils._parallel import plain_interrupts, run_ranges

# Pseudo-ratings with the levels' frequencies over all ratings. They smooth a unit's own
# frequencies: a level that a unit has never shown is rare, not impossible.
_SMOOTHING = 1.0


class Machine(NamedTuple):
    """Parameters of a restricted Boltzmann machine, float32.

    Attributes
    ----------
    weight : ndarray of shape (n_units, n_levels, n_components)
    bias : ndarray of shape (n_units, n_levels)
    hidden_bias : ndarray of shape (n_components,)
    rated : ndarray of shape (n_units, n_components) or (0, n_components)
        Weights of the shown units; no rows if the machine is not conditional.
    """

    weight: np.ndarray
    bias: np.ndarray
    hidden_bias: np.ndarray
    rated: np.ndarray

    def is_finite(self):
        """Whether all parameters are finite."""
        return all(bool(np.isfinite(part).all()) for part in self)


def log_frequencies(X, levels, level_counts):
    """Logarithms of the smoothed frequencies of the levels in each row.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_columns)
    levels : ndarray of int of shape (nnz,)
        Level of each entry.
    level_counts : ndarray of int of shape (n_levels,)
        How often each level occurs in the training ratings.

    Returns
    -------
    bias : ndarray of shape (n_rows, n_levels), float32
        Their exponentials sum to 1. Rows without entries have the frequencies of all ratings.
    """
    n_levels = len(level_counts)
    row = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    count = np.bincount(row * n_levels + levels, minlength=X.shape[0] * n_levels)
    total = np.maximum(level_counts, 1e-3)
    smoothed = count.reshape(-1, n_levels) + _SMOOTHING * total / total.sum()
    return np.log(smoothed / smoothed.sum(axis=1, keepdims=True)).astype(np.float32)


def first_machine(X, levels, level_counts, n_components, conditional, rng):
    """Weights from N(0, .01^2), log frequencies as visible biases; zeros for units without entries.

    Parameters
    ----------
    X, levels, level_counts :
        See `log_frequencies`; a column is a unit.
    n_components : int
    conditional : bool
    rng : numpy.random.Generator
    """
    n_units = X.shape[1]
    by_unit = csr_array((levels + 1, X.indices, X.indptr), shape=X.shape).T.tocsr()
    known = np.diff(by_unit.indptr) > 0

    def normal(*shape):
        drawn = np.float32(0.01) * rng.standard_normal((n_units, *shape), dtype=np.float32)
        drawn[~known] = 0
        return drawn

    return Machine(
        normal(len(level_counts), n_components),
        log_frequencies(by_unit, by_unit.data - 1, level_counts),
        np.zeros(n_components, dtype=np.float32),
        normal(n_components) if conditional else np.zeros((0, n_components), dtype=np.float32),
    )


def hidden_probabilities(X, levels, machine, dtype, *, n_jobs=None):
    """p(h | V) of the rows of a csr_array, shape (n_rows, n_components).

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_units)
    levels : ndarray of int8 of shape (nnz,)
    machine : Machine
    dtype : dtype
        Type of the computation.
    n_jobs : int or None, default=None
    """
    from skrec.autoencoder._rbm_kernels import encode

    out = np.empty((X.shape[0], len(machine.hidden_bias)), dtype=dtype)
    parts = (machine.weight, machine.hidden_bias, machine.rated)
    weight, hidden_bias, rated = (part.astype(dtype, copy=False) for part in parts)

    def rows(start, stop):
        encode(X.indptr, X.indices, levels, weight, hidden_bias, rated, out, start, stop)

    few = X.nnz * out.shape[1] < 1 << 20
    run_ranges(rows, X.shape[0], n_jobs=1 if few else n_jobs, weights=np.diff(X.indptr))
    return out


class ContrastiveDivergence:
    """Updates of a `Machine`, batch by batch.

    Parameters
    ----------
    X : csr_array of shape (n_examples, n_units)
    levels : ndarray of int8 of shape (nnz,)
        Level of each entry.
    machine : Machine, changed
    momentum, alpha : float
    batch_size : int
        Examples in a batch.
    rng : numpy.random.Generator
        Orders the examples and keys the draws.
    n_jobs : int or None, default=None
    """

    def __init__(self, X, levels, machine, *, momentum, alpha, batch_size, rng, n_jobs=None):
        self._indptr = X.indptr.astype(np.int64)
        self._indices = X.indices.astype(np.int32, copy=False)
        self._levels, self._machine, self._rng, self._n_jobs = levels, machine, rng, n_jobs
        self._speeds = tuple(np.zeros_like(part) for part in machine)
        self._start_bias = machine.bias.copy()
        self._known = np.bincount(X.indices, minlength=X.shape[1]) > 0
        self._momentum, self._alpha, self._batch_size = momentum, alpha, int(batch_size)
        # Examples without entries teach the hidden biases nothing about ratings.
        self._examples = np.flatnonzero(np.diff(self._indptr)).astype(np.int64)
        self._last_levels = np.empty(len(levels), dtype=np.int8)
        shape = (min(self._batch_size, max(1, len(self._examples))), machine.weight.shape[2])
        self._hidden, self._last_hidden = np.empty((2, *shape), dtype=np.float32)
        self._losses = np.zeros(shape[0])
        self._first = np.empty(X.shape[1] + 1, dtype=np.int64)
        room = int(np.sort(np.diff(self._indptr))[-shape[0] :].sum()) if X.shape[0] else 0
        self._place, self._entry = np.empty((2, room), dtype=np.int64)

    def epoch(self, rate, n_steps):
        """Go through all examples once; return the mean -log p(v | h) of the ratings."""
        order, total = self._rng.permutation(self._examples), 0.0
        for start in range(0, len(order), self._batch_size):
            total += self._step(order[start : start + self._batch_size], rate, n_steps)
        return total / max(1, len(self._levels))

    def _step(self, examples, rate, n_steps):
        from skrec.autoencoder._rbm_kernels import by_unit, sample, update

        n, machine = len(examples), self._machine
        key = self._rng.integers(2**63, dtype=np.uint64)

        def gibbs(start, stop):
            sample(
                examples, self._indptr, self._indices, self._levels, tuple(machine), n_steps, key,
                self._hidden, self._last_hidden, self._last_levels, self._losses, start, stop,
            )  # fmt: skip

        lengths = np.diff(self._indptr)[examples]
        run_ranges(gibbs, n, n_jobs=self._n_jobs, weights=lengths)
        order = (self._first, self._place, self._entry)
        with plain_interrupts():
            by_unit(examples, self._indptr, self._indices, *order)
        how = tuple(_float32(x) for x in (self._momentum, rate, self._alpha, 1 / n))

        def step(start, stop):
            update(
                order, self._levels, self._last_levels, self._hidden, self._last_hidden,
                tuple(machine), self._speeds, self._start_bias, self._known, how, start, stop,
            )  # fmt: skip

        run_ranges(step, len(self._known), n_jobs=self._n_jobs)
        slope = (self._hidden[:n] - self._last_hidden[:n]).sum(axis=0) / np.float32(n)
        speed = self._speeds[2]
        speed[:] = how[0] * speed + how[1] * slope
        machine.hidden_bias[:] += speed
        return float(self._losses[:n].sum())


def _float32(number):
    # Larger numbers would become infinite.
    return np.float32(min(number, float(np.finfo(np.float32).max)))
