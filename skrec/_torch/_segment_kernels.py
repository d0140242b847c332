"""numba part of `skrec._torch._segments`; imported only when it is called on a CPU."""

import math

import numpy as np

from skrec.utils._compile import njit

# These flags vectorise sums; infinities and NaN keep their meaning.
_FAST = {"reassoc", "contract", "nsz", "arcp"}


# Rows are given by index: views of rows would count references.
@njit(nogil=True, cache=True, fastmath=_FAST, inline="always")
def _dot(A, i, B, j):
    """A_i . B_j"""
    total = A.dtype.type(0)
    for f in range(A.shape[1]):
        total += A[i, f] * B[j, f]
    return total


@njit(nogil=True, cache=True, fastmath=_FAST, inline="always")
def _add(scale, A, i, B, j):
    """B_j += scale A_i"""
    for f in range(A.shape[1]):
        B[j, f] += scale * A[i, f]


@njit(nogil=True, cache=True)
def _shares(query, q, keys, member, begin, end, without, share, first):
    """Softmax shares of the members of one list, 0 for `without`; returns False if all are 0."""
    top = query.dtype.type(-np.inf)
    for e in range(begin, end):
        if member[e] != without:
            logit = _dot(query, q, keys, member[e])
            share[first + e - begin] = logit
            top = max(top, logit)
    if top == -np.inf:
        share[first : first + end - begin] = 0
        return False
    total = query.dtype.type(0)
    for e in range(begin, end):
        at = first + e - begin
        share[at] = math.exp(share[at] - top) if member[e] != without else 0
        total += share[at]
    for at in range(first, first + end - begin):
        share[at] /= total
    return True


@njit(nogil=True, cache=True)
def _mean(query, q, keys, values, member, begin, end, without, share, first, out):
    """Write the mean of a list's values, weighted by their shares, to ``out[q]``."""
    out[q] = 0
    if _shares(query, q, keys, member, begin, end, without, share, first):
        for e in range(begin, end):
            _add(share[first + e - begin], values, member[e], out, q)


@njit(nogil=True, cache=True)
def attend(begin, end, query, keys, values, reading, share, out):
    """For some queries, write the mean of a list's values by the softmax of query . key.

    `reading` is a `skrec._torch._segments.Reading`. `share` (n_read,) gets the weights; the weights
    of query q begin at ``first[q]``. `out` (n, d) gets the means; zeros for a list without members.
    """
    start, member, place, without, first = reading
    for q in range(begin, end):
        a, b = start[place[q]], start[place[q] + 1]
        _mean(query, q, keys, values, member, a, b, without[q], share, first[q], out)


@njit(nogil=True, cache=True)
def attend_backward(query, keys, values, reading, share, out, grad, gradients, of_query_only):
    """Add to the gradients by queries, keys and values; `grad` (n, d) is the gradient by `out`."""
    start, member, place, _, first = reading
    of_query, of_keys, of_values = gradients
    for q in range(len(query)):
        mean = _dot(grad, q, out, q)
        begin = start[place[q]]
        for e in range(begin, start[place[q] + 1]):
            p, v = share[first[q] + e - begin], member[e]
            if p > 0:
                slope = p * (_dot(grad, q, values, v) - mean)
                _add(slope, keys, v, of_query, q)
                if not of_query_only:
                    _add(slope, query, q, of_keys, v)
                    _add(p, grad, q, of_values, v)


@njit(nogil=True, cache=True)
def list_factors(begin, end, base, keys, lists, factor):
    """Write exp(base_i . k_v - the largest of its list) for all members v of the lists i."""
    start, member = lists
    for i in range(begin, end):
        top = base.dtype.type(-np.inf)
        for e in range(start[i], start[i + 1]):
            factor[e] = _dot(base, i, keys, member[e])
            top = max(top, factor[e])
        for e in range(start[i], start[i + 1]):
            factor[e] = math.exp(factor[e] - top)


@njit(nogil=True, cache=True)
def attend_factored(begin, end, query, keys, values, lists, factor, of_member, least, share, out):
    """`attend` with a query ``vector + base[i]`` for each list: exponentials are products.

    `factor` is from `list_factors`; `of_member` (m,) is exp(vector . k_v - the largest). If the
    products of a list sum to less than `least`, the sum may not be exact: the exponentials are
    then computed from the sums of the logits.
    """
    start, member = lists
    for i in range(begin, end):
        out[i] = 0
        total = query.dtype.type(0)
        for e in range(start[i], start[i + 1]):
            product = factor[e] * of_member[member[e]]
            total += product
            _add(product, values, member[e], out, i)
        if total >= least:
            for f in range(out.shape[1]):
                out[i, f] /= total
        else:
            a, b = start[i], start[i + 1]
            _mean(query, i, keys, values, member, a, b, -1, share, a, out)
