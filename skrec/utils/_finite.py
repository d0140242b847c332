"""Checks of results for overflow and NaN, with errors that name a remedy."""

from contextlib import contextmanager

import numpy as np
from scipy.sparse import issparse

_REMEDY = (
    "Scale the values, for example X / X.max(), or binarise them with "
    "sklearn.preprocessing.Binarizer; pass X in float64 where it is float32."
)


def require_finite(values, what):
    """Return values, or raise if one of the values is not finite.

    Parameters
    ----------
    values : ndarray or sparse matrix
    what : str
        Subject of the message: "The scores of EASE".

    Returns
    -------
    values : ndarray or sparse matrix
        The same object.

    Raises
    ------
    ValueError
        Names the remedy.
    """
    stored = values.data if issparse(values) else values
    flat = stored.ravel(order="K")
    with np.errstate(all="ignore"):
        # The product is not finite if a value is not. BLAS takes two thirds of the time of a
        # sum, and half of the time of a check of each value.
        total = np.dot(flat, flat)
    if np.isfinite(total) or np.isfinite(stored).all():
        return values
    raise ValueError(
        f"{what} are not finite: they hold {_odd(stored)}. Expected values of X whose squares and "
        f"sums fit into {stored.dtype}. {_REMEDY}"
    )


def _odd(values):
    nan, infinite = np.isnan(values).any(), np.isinf(values).any()
    return " and ".join(["NaN"] * int(nan) + ["infinity"] * int(infinite))


@contextmanager
def arithmetic(what):
    """A block whose overflows and divisions by zero raise a ValueError with a remedy."""
    try:
        yield
    except (ArithmeticError, np.linalg.LinAlgError) as error:
        raise ValueError(
            f"{what} cannot be computed ({type(error).__name__}: {error}). Expected values of X "
            f"whose squares are neither zero nor infinite, and a penalty above zero. {_REMEDY}"
        ) from error
    except RuntimeError as error:  # torch raises it for overflow and for lack of memory
        text = str(error)
        if "without overflow" in text:
            raise ValueError(f"{what} cannot be computed: {text}. {_REMEDY}") from error
        if "can't allocate memory" in text or "out of memory" in text:
            raise MemoryError(f"{what} ran out of memory: {text}") from error
        raise


def require_squares(values, what):
    """Raise if the squares of values add up to infinity, or all round to zero.

    Parameters
    ----------
    values : ndarray
        In the dtype of the computation.
    what : str
        Subject of the message: "The values of X".

    Raises
    ------
    ValueError
        Names the remedy.
    """
    largest = np.abs(values).max(initial=0)
    with np.errstate(all="ignore"):
        square = largest * largest
        lost = largest > 0 and square < np.finfo(values.dtype).tiny
        overflow = not np.isfinite(square * len(values))
    if lost or overflow:
        raise ValueError(
            f"{what} are too {'small' if lost else 'large'}: their squares are "
            f"{'zero' if lost else 'infinite'} in {values.dtype}. Got values up to {largest:g}. "
            f"{_REMEDY}"
        )


def require_finite_fit(estimator):
    """Raise if a fit ended with parameters that are not finite.

    Parameters
    ----------
    estimator : recommender
        The function checks its fitted arrays, including sparse ones and those of ``weights_``.
        Loss curves and validation scores may hold NaN.

    Raises
    ------
    ValueError
        Names the attribute.
    """
    for name, value in vars(estimator).items():
        if not name.endswith("_") or name.endswith(("curve_", "scores_")):
            continue
        for part in value.values() if isinstance(value, dict) else (value,):
            is_array = issparse(part) or isinstance(part, np.ndarray)
            if is_array and part.dtype.kind == "f":
                require_finite(part, f"The {name} of {type(estimator).__name__}")
