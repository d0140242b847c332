"""Damped Newton steps for many small problems at once: one for each row."""

import torch

_MAX_STEPS = 100
# A Newton step from a slope this small, relative to the first slope, is the last: its error is
# about the square.
_NEAR = 1e-6
# A relative rise up to this is rounding.
_ROUNDING = 1e-12


def minimise_rows(start, value, derivatives):
    """Minimise a function of each row's vector.

    Takes steps of Newton's method, damped if the function would rise or its Hessian is not
    positive definite. Other rows change a row's result by rounding at most.

    Parameters
    ----------
    start : float64 tensor of shape (n_rows, d)
    value : callable
        ``value(vectors)`` returns the function of each row, shape (n_rows,).
    derivatives : callable
        ``derivatives(vectors)`` returns slopes of shape (n_rows, d) and Hessians, or positive
        definite stand-ins for them, of shape (n_rows, d, d), which are changed.

    Returns
    -------
    vectors : float64 tensor of shape (n_rows, d)
        Points where the slope is zero. A row without a minimum stops after 100 steps.
    """
    vectors = start
    reached, damping, first = value(vectors), torch.zeros_like(start[:, 0]), None
    is_open = torch.ones_like(reached, dtype=torch.bool)
    for _ in range(_MAX_STEPS):
        slope, hessian = derivatives(vectors)
        size = slope.abs().amax(1)
        first = size if first is None else first
        is_open = is_open & (size > 0)
        if not is_open.any():
            break
        mean = hessian.diagonal(dim1=1, dim2=2).abs().mean(1)
        hessian.diagonal(dim1=1, dim2=2).add_(damping[:, None])
        root, failed = torch.linalg.cholesky_ex(hessian)
        trial = vectors - torch.cholesky_solve(slope[:, :, None], root)[:, :, 0]
        tried = value(trial)
        # NaN is never accepted.
        fell = is_open & (failed == 0) & (tried <= reached + _ROUNDING * reached.abs())
        last = fell & (damping == 0) & (size <= _NEAR * first)
        vectors = torch.where(fell[:, None], trial, vectors)
        reached = torch.where(fell, tried, reached)
        is_open = is_open & ~last
        less = torch.where(damping > 1e-3 * mean, damping / 8, 0)
        damping = torch.where(fell, less, torch.maximum(8 * damping, 1e-2 * mean))
    return vectors
