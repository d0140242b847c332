"""Alternating least squares for weighted matrix factorisation."""

from typing import NamedTuple

import numpy as np

from skrec.utils._blas_threads import one_blas_thread
from skrec.utils._explain import check_targets, contributions_at
from skrec.utils._parallel import run_ranges
from skrec.utils._wmf_basis import eigenbasis, rotate

# Fixed cost of a row, in entries: its dense products and its system.
_ROW_COST = 32
# Blocks of a Gram matrix: least number of vectors in a block, and greatest number of blocks.
_LEAST_BLOCK, _MOST_BLOCKS = 1024, 64


class RowProblems(NamedTuple):
    """A ridge problem for each row, as the kernels solve it; all arrays have one dtype.

    Attributes
    ----------
    indptr, indices, values : ndarray
        CSR matrix; the kernels solve for its rows.
    vectors : ndarray of shape (n_vectors, d)
        Vectors of the other side.
    weight : ndarray of shape (n_vectors,)
        Weights of the other side.
    missing : ndarray of shape (n_vectors,)
        Weights of missing entries.
    gram : ndarray of shape (d, d)
        ``vectors.T @ diag(missing) @ vectors``, symmetric.
    confidence : float
    penalty : ndarray of shape (n_rows,)
    prior : ndarray of shape (n_rows, d) or (0, d)
        Prior means of the row vectors; an array without rows means zeros.
    """

    indptr: np.ndarray
    indices: np.ndarray
    values: np.ndarray
    vectors: np.ndarray
    weight: np.ndarray
    missing: np.ndarray
    gram: np.ndarray
    confidence: float
    penalty: np.ndarray
    prior: np.ndarray


class HalfStep:
    """Solve for the rows of a matrix while the other side stays fixed, on the CPU.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_others)
        Canonical.
    penalty : ndarray of shape (n_rows,)
        Ridge penalty of each row.
    weight : ndarray of shape (n_others,)
        Weights of the other side.
    confidence, unobserved_weight : float
    counted : ndarray of bool of shape (n_others,), default=None
        Rows of the other side whose missing entries count; None: all.
    cg_steps : int, default=0
        Steps of conjugate gradients from the present vectors; 0 solves exactly.
    n_jobs : int or None, default=None
        Number of threads.
    """

    def __init__(
        self,
        X,
        penalty,
        weight,
        *,
        confidence,
        unobserved_weight,
        counted=None,
        cg_steps=0,
        n_jobs=None,
    ):
        self.X, self.penalty, self.weight = X, penalty, weight
        self.confidence, self.unobserved_weight = confidence, unobserved_weight
        self.counted, self.cg_steps, self.n_jobs = counted, cg_steps, n_jobs

    def solve(self, vectors, gram, out, prior=None):
        """Solve for all rows.

        Parameters
        ----------
        vectors : ndarray of shape (n_others, d)
            Vectors of the other side, C-ordered.
        gram : ndarray of shape (d, d)
            ``unobserved_weight * vectors.T @ diag(weight) @ vectors`` over the vectors that
            count.
        out : ndarray of shape (n_rows, d), dtype of `vectors`, changed
            Vectors of the rows.
        prior : ndarray of shape (n_rows, d), default=None
            Means to which the penalty draws the vectors; None: zeros.

        Returns
        -------
        loss : float
            The part of the loss at stored entries, before the step.
        """
        losses = np.empty(self.X.shape[0], dtype=np.float64)
        if self.cg_steps:
            self._descend(vectors, gram, out, prior, self.cg_steps, losses)
        else:
            from skrec.utils._wmf_kernels import cholesky_rows

            problems = self.problems(vectors, gram, prior)
            self.run(lambda start, stop: cholesky_rows(problems, out, losses, start, stop))
        return float(losses.sum())

    def solve_many(self, vectors, gram, out):
        """Solve exactly for all rows, the quicker way for the rows of a fit.

        Conjugate gradients run until the residual is rounding noise. Rows that are not there
        after 2 d steps are solved by Cholesky factors.

        Parameters
        ----------
        vectors, gram, out
            See `solve`.
        """
        losses = np.empty(len(out), dtype=np.float64)  # not wanted
        going = self._descend(vectors, gram, out, None, 2 * out.shape[1], losses)
        rows = np.flatnonzero(going)
        if len(rows):
            step = HalfStep(
                self.X[rows], self.penalty[rows], self.weight, confidence=self.confidence,
                unobserved_weight=self.unobserved_weight, counted=self.counted,
                n_jobs=self.n_jobs,
            )  # fmt: skip
            rest = np.zeros((len(rows), out.shape[1]), out.dtype)
            step.solve(vectors, gram, rest)
            out[rows] = rest

    def _descend(self, vectors, gram, out, prior, n_steps, losses):
        """Take steps of conjugate gradients in the basis in which `gram` is diagonal.

        Returns whether a row would go on, for each row.
        """
        from skrec.utils._wmf_kernels import cg_rows

        basis, diagonal = eigenbasis(gram.astype(vectors.dtype, copy=False))
        vectors = rotate(vectors, basis, n_jobs=self.n_jobs)
        if prior is not None:
            prior = rotate(prior.astype(vectors.dtype, copy=False), basis, n_jobs=self.n_jobs)
        problems = self.problems(vectors, diagonal, prior)
        rotate(out, basis, out, n_jobs=self.n_jobs)
        going = np.zeros(len(out), dtype=np.bool_)
        self.run(lambda start, stop: cg_rows(problems, n_steps, out, losses, going, start, stop))
        rotate(out, np.ascontiguousarray(basis.T), out, n_jobs=self.n_jobs)
        return going

    def problems(self, vectors, gram, prior=None):
        """The `RowProblems` of the rows, in the dtype of the vectors."""
        X, real = self.X, vectors.dtype.type
        prior = np.empty((0, vectors.shape[1]), real) if prior is None else prior
        weight = self.weight.astype(real)
        missing = real(self.unobserved_weight) * weight
        if self.counted is not None:
            missing[~self.counted] = 0
        return RowProblems(
            X.indptr, X.indices, X.data.astype(real, copy=False), vectors, weight, missing,
            gram.astype(real, copy=False), real(self.confidence), self.penalty.astype(real),
            np.ascontiguousarray(prior, real),
        )  # fmt: skip

    def run(self, rows):
        """Call ``rows(start, stop)`` for all rows, in threads."""
        run_ranges(
            rows,
            self.X.shape[0],
            n_jobs=self.n_jobs,
            weights=lambda: np.diff(self.X.indptr) + _ROW_COST,
        )


def row_penalty(counts, total, *, alpha, unobserved_weight, frequency_exponent):
    """Penalty of each row: alpha (entries + unobserved_weight * cells)^frequency_exponent.

    Parameters
    ----------
    counts : ndarray of shape (n_rows,)
        (Weighted) number of entries of each row.
    total : float
        (Weighted) number of cells of a row.

    Returns
    -------
    penalty : ndarray of float64 of shape (n_rows,)
    """
    return alpha * (counts + unobserved_weight * total) ** frequency_exponent


def vanishing_penalty(X, weight, *, confidence, unobserved_weight, frequency_exponent):
    """The least alpha that shrinks all vectors to zero, if rows and columns are alike.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
    weight : ndarray of shape (n_users,) or None
        Weights of the users.

    Returns
    -------
    alpha : float
        1 if X stores nothing.
    """
    weight = np.ones(X.shape[0]) if weight is None else weight
    of_entry = np.repeat(weight, np.diff(X.indptr))
    return vanishing_penalty_of(
        of_entry.sum(),
        weight.sum(),
        X.shape[1],
        of_entry @ X.data.astype(np.float64),
        confidence=confidence,
        unobserved_weight=unobserved_weight,
        frequency_exponent=frequency_exponent,
    )


def vanishing_penalty_of(
    n_entries, n_users, n_items, total, *, confidence, unobserved_weight, frequency_exponent
):
    """`vanishing_penalty` from (weighted) counts and the sum of the values."""
    if not n_entries:
        return 1.0
    total = unobserved_weight * n_entries + confidence * total
    of_user = (n_entries / n_users + unobserved_weight * n_items) ** frequency_exponent
    of_item = (n_entries / n_items + unobserved_weight * n_users) ** frequency_exponent
    return float(total / np.sqrt(n_users * n_items) / np.sqrt(of_user) / np.sqrt(of_item))


def gram_matrix(vectors, scale, weight=None, *, n_jobs=None):
    """``scale * vectors.T @ diag(weight) @ vectors``.

    Parameters
    ----------
    vectors : ndarray of shape (n_vectors, d)
    scale : float
    weight : ndarray of shape (n_vectors,), default=None
        None: ones.
    n_jobs : int or None, default=None
        Number of threads; it does not change the result.

    Returns
    -------
    gram : ndarray of shape (d, d), dtype of `vectors`
        Symmetric to the bit.
    """
    n, d = vectors.shape
    size = max(_LEAST_BLOCK, -(-n // _MOST_BLOCKS))
    blocks = np.empty((-(-n // size), d, d), dtype=vectors.dtype)
    weight = None if weight is None else weight.astype(vectors.dtype, copy=False)

    def products(start, stop):
        for b in range(start, stop):
            part = vectors[b * size : (b + 1) * size]
            weighted = part
            if weight is not None:
                weighted = weight[b * size : (b + 1) * size, np.newaxis] * part
            np.matmul(part.T, weighted, out=blocks[b])

    with one_blas_thread():
        run_ranges(products, len(blocks), n_jobs=n_jobs)
    upper = np.triu(vectors.dtype.type(scale) * blocks.sum(axis=0))
    return upper + np.triu(upper, 1).T


def alternate(users, items, user_factors, item_factors, sample_weight, n_sweeps, *, n_jobs=None):
    """Solve for the users and the items in turn.

    Parameters
    ----------
    users, items : HalfStep, or TorchHalfStep
        The matrix, and its transpose. If `users` has a method `alternate`, that method runs
        all sweeps.
    user_factors, item_factors : ndarray of shape (n_users, d) and (n_items, d), changed
        Initial vectors.
    sample_weight : ndarray of shape (n_users,) or None
    n_sweeps : iterable of int
        The sweeps, such as a range.
    n_jobs : int or None, default=None
        Number of threads outside the half steps.

    Returns
    -------
    loss_curve : list of float
        The objective of each sweep, between the solves for the users and for the items.
    """
    if hasattr(users, "alternate"):
        return users.alternate(items, user_factors, item_factors, sample_weight, n_sweeps)
    return [
        sweep(users, items, user_factors, item_factors, sample_weight, n_jobs=n_jobs)
        for _ in n_sweeps
    ]


def sweep(
    users, items, user_factors, item_factors, sample_weight=None, *, item_prior=None, n_jobs=None
):
    """Solve for the users, then for the items.

    Parameters
    ----------
    users, items, user_factors, item_factors, sample_weight, n_jobs
        See `alternate`.
    item_prior : ndarray of shape (n_items, d), default=None
        Means to which the penalty draws the vectors of items; None: zeros.

    Returns
    -------
    loss : float
        The objective between the two solves.
    """
    weight = np.ones(len(user_factors)) if sample_weight is None else sample_weight
    unobserved = users.unobserved_weight
    item_gram = gram_matrix(item_factors, unobserved, n_jobs=n_jobs)
    users.solve(item_factors, item_gram, user_factors)
    user_gram = gram_matrix(user_factors, unobserved, sample_weight, n_jobs=n_jobs)
    penalty = _weighted_squares(users.penalty * weight, user_factors)
    away = item_factors if item_prior is None else item_factors - item_prior
    penalty += _weighted_squares(items.penalty, away)
    loss = items.solve(user_factors, user_gram, item_factors, item_prior)
    if unobserved > 0:  # sum of the unobserved weight times y^2 over all cells
        loss += float(np.vdot(user_gram, item_gram)) / unobserved
    return loss + penalty


def _weighted_squares(weight, vectors):
    return float(weight @ np.einsum("nf,nf->n", vectors, vectors, dtype=np.float64))


def explain_entries(step, vectors, gram, items):
    """Split scores into the contribution of each entry of the row.

    Parameters
    ----------
    step : HalfStep
        Holds the rows.
    vectors, gram : ndarray
        See `HalfStep.solve`.
    items : array-like of int of shape (n_rows,) or (n_rows, m)
        Items to explain; -1 means no item.

    Returns
    -------
    contributions : csr_array of shape (n_rows * m, n_items), dtype of the rows
    """
    from skrec.utils._wmf_kernels import explain_rows

    X, problems = step.X, step.problems(vectors, gram)
    targets = check_targets(items, *X.shape)
    m = targets.shape[1]
    out = np.empty(m * X.nnz, dtype=vectors.dtype)
    step.run(lambda start, stop: explain_rows(problems, targets, out, start, stop))
    return contributions_at(X, out, m)
