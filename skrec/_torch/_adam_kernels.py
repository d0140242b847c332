"""numba part of `skrec._torch._optimizers`; imported only when rows step on the CPU."""

import math

import numpy as np

from skrec.utils._compile import njit
from skrec.utils._ridge_kernels import FAST


@njit(nogil=True, cache=True, fastmath=FAST)
def _step(w, m, v, g, decay, rate, eps):
    one = w.dtype.type
    keep, keep_square = decay
    new, new_square = one(1 - keep), one(1 - keep_square)
    for f in range(w.shape[0]):
        m[f] = keep * m[f] + new * g[f]
        v[f] = keep_square * v[f] + new_square * g[f] * g[f]
        w[f] -= rate * m[f] / (math.sqrt(v[f]) + eps)


@njit(nogil=True, cache=True)
def step_rows(weight, mean, square, slot, index, value, decay, rate, eps):
    """A step of Adam for the rows that occur in `index`, by the sums of their values.

    `slot` has a place for each row of `weight`, all -1. decay: the decays of both moments.
    """
    n = 0
    which = np.empty(min(len(index), len(weight)), np.int64)
    total = np.empty((len(which), weight.shape[1]), weight.dtype)
    for k in range(len(index)):
        place = slot[index[k]]
        if place < 0:
            slot[index[k]], which[n] = n, index[k]
            total[n] = value[k]
            n += 1
        else:
            total[place] += value[k]
    for place in range(n):
        slot[which[place]] = -1
        _step(
            weight[which[place]], mean[which[place]], square[which[place]], total[place], decay,
            rate, eps,
        )  # fmt: skip
