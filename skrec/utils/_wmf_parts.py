"""Weighted matrix factorisation of users in parts: conjugate gradients by sums over users.

Each worker solves for the users of its part. The normal equations of an item are a sum over all
users, and conjugate gradients need only products with that sum. A step sends a direction for each
item to the parts, and adds up the products that the parts return. So a sweep transfers the item
vectors once and the directions once per step, both ways, however many users there are.
"""

from typing import NamedTuple

import numpy as np

from skrec.utils._sparse import transposed
from skrec.utils._statistics import Pass
from skrec.utils._wmf_als import HalfStep, gram_matrix, row_penalty


class Problem(NamedTuple):
    """Parameters of the objective that the parts need.

    Attributes
    ----------
    alpha, confidence, unobserved_weight, frequency_exponent : float
    cg_steps : int
    n_jobs : int or None
    """

    alpha: float
    confidence: float
    unobserved_weight: float
    frequency_exponent: float
    cg_steps: int
    n_jobs: int | None

    def penalty(self, counts, total):
        """Penalty of rows from their numbers of entries and of cells, see `row_penalty`."""
        return row_penalty(
            counts,
            total,
            alpha=self.alpha,
            unobserved_weight=self.unobserved_weight,
            frequency_exponent=self.frequency_exponent,
        )

    def half_step(self, X, penalty, cg_steps=0):
        """The solver of the rows of a matrix."""
        return HalfStep(
            X,
            penalty,
            np.ones(X.shape[1]),
            confidence=self.confidence,
            unobserved_weight=self.unobserved_weight,
            cg_steps=cg_steps,
            n_jobs=self.n_jobs,
        )


class UsersOfPart(NamedTuple):
    """The users of a part, and their vectors.

    Attributes
    ----------
    users, items : HalfStep
        Solvers for the rows of the part, and for the rows of its transpose.
    factors : ndarray of shape (n_users, d)
    """

    users: HalfStep
    items: HalfStep
    factors: np.ndarray


class ItemSums(NamedTuple):
    """Sums over all users that the items need before their conjugate gradients begin.

    Attributes
    ----------
    gram : ndarray of shape (d, d)
        Gram matrix of the user vectors, times the weight of unobserved cells.
    residual : ndarray of shape (n_items, d)
        Residuals without the terms of the penalty and of the Gram matrix.
    projections : ndarray of float64 of shape (n_items,)
        Dot product of the right-hand side and the present vector of each item.
    loss : float
        Loss at the stored entries, plus the penalty of the users.
    """

    gram: np.ndarray
    residual: np.ndarray
    projections: np.ndarray
    loss: float


def counts_of_part(X):
    """Users of each item."""
    return np.bincount(X.indices, minlength=X.shape[1])


def solve_users(X, kept, problem, items, gram):
    """Solve for the users of a part; return `ItemSums`, and the vectors for the part to keep."""
    d = items.shape[1]
    if kept is None:
        counts = np.diff(X.indptr)
        kept = UsersOfPart(
            problem.half_step(X, problem.penalty(counts, X.shape[1]), problem.cg_steps),
            problem.half_step(transposed(X), np.zeros(X.shape[1])),
            np.zeros((X.shape[0], d), dtype=items.dtype),
        )
    factors = kept.factors.copy()  # a lost worker is replaced from the earlier vectors
    kept.users.solve(items, gram, factors)
    kept = kept._replace(factors=factors)
    squares = np.einsum("nf,nf->n", factors, factors, dtype=np.float64)
    residual, projections, loss = _residuals(kept, items)
    own = gram_matrix(factors, problem.unobserved_weight, n_jobs=problem.n_jobs)
    sums = ItemSums(own, residual, projections, loss + float(kept.users.penalty @ squares))
    return tuple(sums), kept


def _residuals(kept, items):
    from skrec.utils._wmf_part_kernels import residual_rows

    problems = _problems(kept, items)
    residual = np.zeros_like(items)
    projections, losses = np.zeros(len(items)), np.zeros(len(items))
    kept.items.run(
        lambda start, stop: residual_rows(
            problems, items, residual, projections, losses, start, stop
        )
    )
    return residual, projections, float(losses.sum())


def products_of_part(X, kept, directions):
    """Products of the entries of a part with a direction for each item."""
    from skrec.utils._wmf_part_kernels import product_rows

    problems = _problems(kept, directions)
    out = np.zeros_like(directions)
    kept.items.run(lambda start, stop: product_rows(problems, directions, out, start, stop))
    return out


def _problems(kept, items):
    d = items.shape[1]
    return kept.items.problems(kept.factors, np.zeros((d, d), items.dtype))


def sweep_rounds(problem, items, item_penalty, has_users, *, first):
    """Yield the passes of one sweep, which changes the item vectors.

    Parameters
    ----------
    problem : Problem
    items : ndarray of shape (n_items, d), changed
    item_penalty : ndarray of shape (n_items,)
    has_users : ndarray of bool of shape (n_items,)
    first : bool
        Whether this is the first sweep, which reads the rows.

    Returns
    -------
    loss : float
        The objective between the solves for the users and for the items.
    """
    unobserved = problem.unobserved_weight
    item_gram = gram_matrix(items, unobserved, n_jobs=problem.n_jobs)
    arguments = (problem, items.copy(), item_gram)
    sums = ItemSums(*(yield Pass(solve_users, arguments, kept="write", again=first, rows=first)))
    squares = np.einsum("nf,nf->n", items, items, dtype=np.float64)
    loss = sums.loss + float(item_penalty @ squares)
    if unobserved > 0:
        loss += float(np.vdot(sums.gram, item_gram)) / unobserved
    items[~has_users] = 0
    penalty = item_penalty.astype(items.dtype)[:, np.newaxis]
    residual = sums.residual - penalty * items - items @ sums.gram
    residual[~has_users] = 0
    yield from _conjugate_gradients(problem, items, residual, sums, penalty)
    return loss


def _conjugate_gradients(problem, items, r, sums, penalty):
    """The steps of `skrec.utils._wmf_kernels.cg_rows`, for all items at once."""
    real = items.dtype.type
    unit = _units(r)
    r /= np.where(unit > 0, unit, 1)
    p = r.copy()
    square = _squares(r)
    enough = _noise(square, items, unit[:, 0], sums.projections)
    going = unit[:, 0] > 0
    for _ in range(problem.cg_steps):
        going &= ~(square <= enough)
        if not going.any():
            return
        p[~going] = 0
        product = yield Pass(products_of_part, (p.copy(),), kept="read", rows=False)
        product = product + penalty * p + p @ sums.gram
        curvature = np.einsum("nf,nf->n", p, product)
        going &= ~(curvature <= 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            length = np.where(going, square / curvature, 0).astype(real)[:, np.newaxis]
            items += unit * length * p
            r -= length * product
            last, square = square, np.where(going, _squares(r), square)
            ratio = np.where(going, square / last, 0).astype(real)[:, np.newaxis]
        p = r + ratio * p


def _squares(r):
    return np.einsum("nf,nf->n", r, r)


def _units(r):
    """The power of two below the largest element of each row; 0 for rows close to underflow."""
    largest = np.abs(r).max(axis=1, keepdims=True)
    info = np.finfo(r.dtype)
    units = np.ldexp(np.ones_like(largest), np.frexp(largest)[1] - 1)
    units[~np.isfinite(largest)] = 1
    units[largest < info.tiny / info.eps] = 0
    return units.astype(r.dtype)


def _noise(square, items, unit, projections):
    """The squared residual that is rounding noise, see `skrec.utils._wmf_kernels._noise`."""
    length = np.sqrt(np.einsum("nf,nf->n", items, items, dtype=np.float64))
    known = (projections > 0) & (length > 0) & (unit > 0)
    of_b = np.zeros(len(items))
    of_b[known] = (projections[known] / length[known] / unit[known].astype(np.float64)) ** 2
    largest = np.maximum(square.astype(np.float64), of_b)
    return np.float64(np.finfo(items.dtype).eps) ** 2 * largest
