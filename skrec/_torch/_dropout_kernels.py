"""numba part of `skrec._torch._dropout`; imported only when it is called on a CPU."""

import numpy as np

from skrec.utils._compile import njit
from skrec.utils._ridge_kernels import FAST

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
# Words of 64 bits that are mixed at once; each decides four numbers.
_N_WORDS = 64


@njit(nogil=True, cache=True, fastmath=FAST)
def relu_dropped(x, seed, bar, scale):
    """Replace x by ``max(x, 0) * scale`` where the 16 bits of a number are at least `bar`, else 0.

    Parameters
    ----------
    x : ndarray of shape (n,)
    seed : uint64
    bar : int
    scale : float
        In the dtype of x.
    """
    words = np.empty(_N_WORDS, np.uint64)
    bits = words.view(np.uint16)
    word, zero = seed, x.dtype.type(0)
    for begin in range(0, len(x), len(bits)):
        for k in range(_N_WORDS):
            word += _GOLDEN
            z = word
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            words[k] = z ^ (z >> np.uint64(31))
        # The compiler vectorises this form: one view, and two choices in a row.
        some = x[begin : begin + len(bits)]
        for k in range(len(some)):
            value = some[k]
            kept = zero if value <= 0 else value * scale  # NaN stays NaN
            some[k] = zero if bits[k] < bar else kept


@njit(nogil=True, cache=True, fastmath=FAST)
def relu_dropped_gradient(gradient, out, scale, into):
    """``into = gradient * scale`` where `out` is above 0, else 0; arrays of shape (n,)."""
    for k in range(len(out)):
        into[k] = gradient[k] * scale if out[k] > 0 else 0
