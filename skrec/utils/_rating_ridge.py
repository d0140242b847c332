"""Ridge regressions of the rows of a rating matrix, with the column side given."""

import numpy as np

from skrec.utils._parallel import run_ranges

# Cost of solving for a row, in stored ratings.
ROW_COST = 16


def rating_penalty(counts, alpha, frequency_exponent):
    """Penalty of each row: ``alpha * counts**frequency_exponent``; alpha for an empty row."""
    return alpha * np.maximum(counts, 1).astype(np.float64) ** frequency_exponent


def augmented(factors, bias):
    """Vectors of the ridge problem: the factors, followed by a 1 if the model has biases."""
    if bias is None:
        return np.ascontiguousarray(factors, dtype=np.float64)
    return np.column_stack([factors, np.ones(len(factors))]).astype(np.float64, copy=False)


def solve_side(X, factors, bias, penalty, *, n_jobs=None):
    """Solve exactly for the factors and biases of the rows of X, given the column side.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_columns)
        Ratings minus the intercept.
    factors : ndarray of shape (n_columns, d)
        Factors of the columns.
    bias : ndarray of shape (n_columns,) or None
        Biases of the columns; None for a model without biases.
    penalty : ndarray of shape (n_rows,)
    n_jobs : int or None, default=None

    Returns
    -------
    factors : ndarray of float64 of shape (n_rows, d)
    bias : ndarray of float64 of shape (n_rows,) or None
    squares : float
        Sum of the squared errors.
    """
    from skrec.utils._rating_kernels import solve_rows

    vectors, offset = augmented(factors, bias), offset_of(bias, X.shape[1])
    solution = np.empty((X.shape[0], vectors.shape[1]))
    losses = np.empty(X.shape[0])

    def rows(start, stop):
        solve_rows(
            X.indptr, X.indices, X.data, vectors, offset, penalty, solution, losses, start, stop
        )

    run_ranges(rows, X.shape[0], n_jobs=n_jobs, weights=np.diff(X.indptr) + ROW_COST)
    squares = float(losses.sum())
    if bias is None:
        return solution, None, squares
    return np.ascontiguousarray(solution[:, :-1]), solution[:, -1].copy(), squares


def offset_of(bias, n):
    """Biases of the columns in double precision; zeros for a model without biases."""
    return np.zeros(n) if bias is None else bias.astype(np.float64, copy=False)
