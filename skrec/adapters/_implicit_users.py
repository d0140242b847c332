"""Vectors of rows for models of implicit: solved for, or folded in with the items frozen.

The vectors are implicit's own, and include the biases. With BPR, user vectors end in 1, and item
vectors end in the item bias. With LMF, user vectors end in (1, user bias), and item vectors end
in (item bias, 1). So scores are products of vectors for every kind.
"""

import numpy as np
from scipy.special import expit

from skrec.utils._blas_threads import one_blas_thread
from skrec.utils._explain import contributions_at
from skrec.utils._hashing import keyed_choices
from skrec.utils._parallel import row_chunks, run_ranges

# Number of negatives drawn for a row that is folded in.
_N_NEGATIVES = 256
_NEWTON_STEPS = 50
_TOL = 1e-6
# Greatest change of a score of a row in one Newton step.
_LONGEST_STEP = 4.0


def als_vectors(X, items, *, alpha, regularization):
    """Solve the least squares problem of each row, as implicit's `recalculate_user` does.

    With confidences :math:`c = alpha x`, item vectors y and the sums over the row's items,
    (Y^T Y + sum (c - 1) y y^T + regularization I) v = sum c y.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
    items : ndarray of shape (n_items, d)
    alpha, regularization : float

    Returns
    -------
    vectors : ndarray of float64 of shape (n_rows, d)
        Zeros for an empty row.
    """
    vectors = np.zeros((X.shape[0], items.shape[1]))
    with one_blas_thread():
        for rows, systems, sides in _als_systems(X, items, alpha, regularization):
            vectors[rows] = np.linalg.solve(systems, sides)[..., 0]
    return vectors


def als_contributions(X, targets, items, *, alpha, regularization):
    """Contribution of each item j of a row to the score of a target i, c_j y_i^T A^-1 y_j.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
    targets : ndarray of int of shape (n_rows, m)
        -1 means no item.
    items : ndarray of shape (n_items, d)
    alpha, regularization : float
        A is the matrix of the row's system, see `als_vectors`.

    Returns
    -------
    contributions : csr_array of shape (n_rows * m, n_items)
    """
    m = targets.shape[1]
    data = np.zeros(m * X.nnz)
    items = items.astype(np.float64, copy=False)
    with one_blas_thread():
        for rows, systems, _ in _als_systems(X, items, alpha, regularization):
            for u, system in zip(range(rows.start, rows.stop), systems, strict=True):
                entries = slice(X.indptr[u], X.indptr[u + 1])
                wanted = np.where(targets[u, :, np.newaxis] < 0, 0, items[targets[u]])  # (m, d)
                parts = np.linalg.solve(system, wanted.T).T @ items[X.indices[entries]].T
                parts *= alpha * X.data[entries]
                data[m * entries.start : m * entries.stop] = parts.ravel()
    return contributions_at(X, data, m)


def _als_systems(X, items, alpha, regularization):
    """Yield slices of rows, with the matrices and right-hand sides of their systems."""
    items = items.astype(np.float64, copy=False)
    d = items.shape[1]
    gram = items.T @ items
    # Without a penalty, use the least one that keeps the system regular.
    penalty = max(regularization, 1e-12 * np.trace(gram) / d, np.finfo(float).tiny)
    gram[np.diag_indices(d)] += penalty
    for start, stop in row_chunks(X.shape[0], d * d * 8):
        systems, sides = np.empty((stop - start, d, d)), np.empty((stop - start, d, 1))
        for n, u in enumerate(range(start, stop)):
            entries = slice(X.indptr[u], X.indptr[u + 1])
            own = items[X.indices[entries]]
            confidence = alpha * X.data[entries].astype(np.float64)
            systems[n] = gram + (own.T * (confidence - 1)) @ own
            sides[n, :, 0] = confidence @ own
        yield slice(start, stop), systems, sides


def bpr_vectors(X, hashes, items, popularity, seed, parameters):
    """Fold in rows with implicit's own BPR steps and number of passes, and the items frozen.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
    hashes : ndarray of uint64 of shape (n_rows, 2)
    items : ndarray of shape (n_items, d + 1)
    popularity : ndarray of int of shape (n_items,)
        implicit draws negatives in proportion to it.
    seed : int
    parameters : dict
        Parameters of the model.

    Returns
    -------
    vectors : ndarray of float32 of shape (n_rows, d + 1)
    """
    from skrec.adapters._implicit_kernels import bpr_rows

    items = np.ascontiguousarray(items, dtype=np.float32)
    vectors = np.ones((X.shape[0], items.shape[1]), dtype=np.float32)
    own = np.zeros((X.shape[0], items.shape[1] - 1), dtype=np.float32)
    if popularity.any():
        negatives = keyed_choices(hashes, _N_NEGATIVES, seed, popularity)
        rate, penalty = (np.float32(parameters[n]) for n in ("learning_rate", "regularization"))
        verify = bool(parameters["verify_negative_samples"])
        n_passes = int(parameters["iterations"])

        def rows(start, stop):
            bpr_rows(X.indptr, X.indices, negatives, items, rate, penalty, n_passes, verify,
                     own, start, stop)  # fmt: skip

        run_ranges(rows, X.shape[0], weights=np.diff(X.indptr) + 1)
    vectors[:, :-1] = own
    return vectors


def lmf_vectors(X, hashes, items, popularity, seed, *, penalty, neg_prop):
    """Fold in rows by minimising the loss of logistic factorisation over their vectors.

    With scores s = v^T y, a row with the items S has the loss
    ``- sum_S x (s - log(1 + e^s)) + w sum_N log(1 + e^s) + |v|^2 penalty / 2``. N are 256 drawn
    items, and w gives them the weight of the items that implicit draws in a pass. The loss is
    convex, and Newton's method finds its minimum.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_items)
    hashes : ndarray of uint64 of shape (n_rows, 2)
    items : ndarray of shape (n_items, d + 2)
    popularity : ndarray of int of shape (n_items,)
    seed : int
    penalty : ndarray of shape (d + 1,)
        Penalty of each element of the vector except the constant 1; > 0.
    neg_prop : int

    Returns
    -------
    vectors : ndarray of float64 of shape (n_rows, d + 2)
    """
    width = items.shape[1]
    free = np.delete(np.arange(width), width - 2)
    vectors = np.zeros((X.shape[0], width))
    vectors[:, -2] = 1
    if not popularity.any():
        return vectors
    negatives = keyed_choices(hashes, _N_NEGATIVES, seed, popularity)
    with one_blas_thread():
        for u in np.flatnonzero(np.diff(X.indptr)):
            entries = slice(X.indptr[u], X.indptr[u + 1])
            own = X.indices[entries]
            drawn = min(width, len(own) * neg_prop) / _N_NEGATIVES
            target = X.data[entries].astype(np.float64)
            weight = np.concatenate([target, np.full(_N_NEGATIVES, drawn)])
            rows = items[np.concatenate([own, negatives[u]])].astype(np.float64)
            gain = target @ rows[: len(own)]
            vectors[u, free] = _newton(rows[:, free], rows[:, -2], weight, gain[free], penalty)
    return vectors


def _newton(rows, bias, weight, gain, penalty):
    """Minimise ``sum weight log(1 + e^s) - gain^T v + v^T diag(penalty) v / 2``."""
    vector = np.zeros(rows.shape[1])
    for _ in range(_NEWTON_STEPS):
        chance = expit(rows @ vector + bias)
        slope = (weight * chance) @ rows - gain + penalty * vector
        curvature = (rows.T * (weight * chance * (1 - chance))) @ rows
        curvature[np.diag_indices(len(vector))] += penalty
        step = np.linalg.solve(curvature, slope)
        largest = np.abs(rows @ step).max()
        vector -= step * min(1.0, _LONGEST_STEP / max(largest, _TOL))
        if largest < _TOL:
            break
    return vector


def lmf_penalty(user_factors, regularization):
    """Penalty of each free element of LMF's vectors; if it is 0, from the learned spread."""
    free = np.delete(user_factors, user_factors.shape[1] - 2, axis=1).astype(np.float64)
    if regularization > 0:
        return np.full(free.shape[1], float(regularization))
    return 1 / np.maximum((free**2).mean(axis=0), np.finfo(np.float32).eps)
