"""The precision of models that compute n_items x n_items matrices or vectors."""

import numpy as np

from skrec.utils._params import NONE, InstanceOf, Options

# Up to this many items the cost of double precision is negligible.
SMALL = 1024
DTYPE = (NONE, Options(("float32", "float64")), InstanceOf((type, np.dtype), "a dtype"))


def computation_dtype(dtype, n_items):
    """Turn a `dtype` parameter into a numpy dtype; None: float64 up to `SMALL` items.

    Raises
    ------
    ValueError
        If `dtype` is neither None nor float32 nor float64.
    """
    if dtype is None:
        return np.dtype(np.float64 if n_items <= SMALL else np.float32)
    found = np.dtype(dtype)
    if found not in (np.float32, np.float64):
        raise ValueError(f"dtype must be None, float32 or float64. Got {dtype!r}.")
    return found


def single(number):
    """A number as float32, at most the largest float32."""
    return np.float32(min(number, float(np.finfo(np.float32).max)))
