"""Whether the values of a history are why it cannot be scored."""

import numpy as np
from scipy.sparse import csr_array

from skrec.serving._errors import RequestValueError


def are_to_blame(X, scorer):
    """Whether the values of a row cannot be scored, but the same items can with values of 1.

    Squares and sums of values that are finite may be infinite, and each model has limits of its
    own. So the model itself is asked.

    Parameters
    ----------
    X : csr_array of shape (1, n_items)
    scorer : callable
        ``scorer(X)`` returns the scores, finite or not, or raises.

    Returns
    -------
    blamed : bool
    """
    if (X.data == 1).all():
        return False
    ones = csr_array((np.ones_like(X.data), X.indices, X.indptr), shape=X.shape)
    return _fails(scorer, X) and not _fails(scorer, ones)


def _fails(scorer, X):
    try:
        return not np.isfinite(scorer(X)).all()
    except (ValueError, ArithmeticError):
        return True


def values_error(X, largest):
    """The error of a row whose values cannot be scored.

    Parameters
    ----------
    X : csr_array of shape (1, n_items)
    largest : float or None
        Largest absolute value of the fit, if it is known.

    Returns
    -------
    error : RequestValueError
    """
    size = np.abs(X.data)
    like = "numbers like those of the fit" + ("" if largest is None else f", up to {largest:g}")
    return RequestValueError(
        f"The scores of this history are no finite numbers. Got values of sizes {size.min():g} to "
        f"{size.max():g}; expected {like}. Send values in the unit of the fit, or ids alone."
    )
