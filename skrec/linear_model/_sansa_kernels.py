"""numba part of SANSA: rows of the sparse factor K of an inverse, A^-1 ~ K^T D^-1 K.

Row i of K is 1 at i and -w on a set S of items before i: w minimises

    d_i = k A k^T = A_ii - 2 w^T A_Si + w^T A_SS w,

the variance of item i that its S leaves unexplained. The rows are independent.

`Gram` holds the symmetric A in parts. head: the first h rows and columns; only its upper triangle
is read. ptr, idx, val: the other rows before the diagonal in CSR, row i at i - h, indices
ascending. diagonal: the diagonal of A.
"""

from collections import namedtuple

import numpy as np

from skrec.linear_model._sansa_gram_kernels import keep_largest
from skrec.utils._compile import njit

_FLAGS = {"nogil": True, "cache": True, "fastmath": {"contract", "reassoc", "nsz"}}

Gram = namedtuple("Gram", "head ptr idx val diagonal")

# Buffers of one thread: M (size + 1, size + 1) for A on S and i; inverse pivots and weights;
# place of the items in S, -1 outside.
_Buffers = namedtuple("_Buffers", "M inverse weights place")


@njit(**_FLAGS)
def _new_buffers(gram, size):
    dtype = gram.diagonal.dtype
    return _Buffers(
        np.empty((size + 1, size + 1), dtype=dtype),
        np.empty(size + 1, dtype=dtype),
        np.empty(size + 1, dtype=dtype),
        np.full(gram.diagonal.shape[0], -1, dtype=np.int32),  # short, to stay in the cache
    )


@njit(**_FLAGS)
def _gather_row(gram, i, S, n, place, target):
    """Write A[i, S[:n]], where S < i ascends; `place` knows these n items and no others."""
    h = gram.head.shape[0]
    if i < h:
        for b in range(n):
            target[b] = gram.head[S[b], i]
        return
    target[:n] = 0
    if n == 0:
        return
    last = S[n - 1]
    for p in range(gram.ptr[i - h], gram.ptr[i - h + 1]):
        j = gram.idx[p]
        if j > last:
            break
        b = place[j]
        if b >= 0:
            target[b] = gram.val[p]


@njit(**_FLAGS)
def _finish_row(M, a, done, low, inverse):
    """Factor row a from element `done` on; return its pivot."""
    row = M[a]
    for b in range(done, a):
        other = M[b]
        total = row[b]
        for c in range(b):
            total -= row[c] * other[c]
        row[b] = total * inverse[b]
    d = row[a]
    for b in range(a):
        d -= row[b] * row[b]
    # A pivot that is too small leaves its item out: every division by it gives zero.
    inverse[a] = 0 if 2 * d < low[0] or d < low[1] * row[a] else 1 / np.sqrt(d)
    return d


@njit(**_FLAGS)
def _factor(M, n, low, inverse):
    """Cholesky factor of the lower triangle, in place, without its diagonal.

    Writes the inverse of the diagonal to `inverse`. Leaves out rows with a pivot below
    low[0] / 2, or below low[1] times the old diagonal element. Returns the last pivot. Works
    on four rows at a time, which share the elements that they read.
    """
    d = low[0]
    for first in range(0, n, 4):
        done = 0
        if first + 4 <= n:
            row_0, row_1, row_2, row_3 = M[first], M[first + 1], M[first + 2], M[first + 3]
            done = first
            for b in range(first):
                other = M[b]
                t_0, t_1, t_2, t_3 = row_0[b], row_1[b], row_2[b], row_3[b]
                for c in range(b):
                    x = other[c]
                    t_0 -= row_0[c] * x
                    t_1 -= row_1[c] * x
                    t_2 -= row_2[c] * x
                    t_3 -= row_3[c] * x
                scale = inverse[b]
                row_0[b], row_1[b], row_2[b], row_3[b] = (
                    t_0 * scale, t_1 * scale, t_2 * scale, t_3 * scale
                )  # fmt: skip
        for a in range(first, min(first + 4, n)):
            d = _finish_row(M, a, done, low, inverse)
    return d


@njit(**_FLAGS)
def _solve_row(gram, i, S, n, low, buffers, weights):
    """Write the best weights of row i on S[:n], which ascends; return d_i.

    Factors A on S and i, in this order. The last row of the factor leads to the weights, its
    last pivot is d_i. No pivot of A is below low[0], alpha. If dropped elements or rounding
    lower a pivot, its item gets no weight.
    """
    M, inverse, place = buffers.M, buffers.inverse, buffers.place
    for a in range(n + 1):
        s = i if a == n else S[a]
        _gather_row(gram, s, S, a, place, M[a])
        M[a, a] = gram.diagonal[s]
        place[s] = a
    d = _factor(M, n + 1, low, inverse)
    place[i] = -1
    row = M[n]
    for a in range(n - 1, -1, -1):
        w = row[a] * inverse[a]
        other = M[a]
        for b in range(a):
            row[b] -= w * other[b]
        weights[a] = -w
        place[S[a]] = -1
    return max(d, low[0])


@njit(**_FLAGS)
def solve_rows(gram, ptr, idx, val, pivots, low, max_size, start, stop):
    """Compute rows of K on a given pattern.

    Parameters
    ----------
    gram : Gram
    ptr, idx : ndarray
        The pattern in CSR, without the diagonal, ascending within a row.
    val : ndarray, written
    pivots : ndarray of shape (n_items,), written
        The d_i.
    low : tuple of two numbers of the dtype of `gram`
        Least pivot, absolute and relative to the diagonal.
    max_size : int
        Longer rows stay as they are, and so do rows of the head with all items before them.
    start, stop : int
    """
    buffers = _new_buffers(gram, max_size)
    for i in range(start, stop):
        first, n = ptr[i], ptr[i + 1] - ptr[i]
        if n <= max_size and not (n == i and i < gram.head.shape[0]):
            pivots[i] = _solve_row(
                gram, i, idx[first : first + n], n, low, buffers, val[first : first + n]
            )


@njit(**_FLAGS)
def _nearest(gram, i, size, keys, kept, S):
    """Write the `size` items before i with the largest cosines, ascending; return how many.

    Takes items without a common user only if there is room for all items before i.
    """
    if i <= size:
        for j in range(i):
            S[j] = j
        return i
    h = gram.head.shape[0]
    first, m = gram.ptr[i - h], gram.ptr[i - h + 1] - gram.ptr[i - h]
    for a in range(m):
        g = np.float64(gram.val[first + a])
        keys[a] = g * g / gram.diagonal[gram.idx[first + a]]
    keep_largest(keys, m, size, kept)
    n = 0
    for a in range(m):
        if kept[a]:
            S[n] = gram.idx[first + a]
            n += 1
    return n


@njit(**_FLAGS)
def begin_rows(gram, low, counts, sets, weights, pivots, start, stop):
    """Compute the rows of K from h + `start` on, on the items with the largest cosines.

    Parameters
    ----------
    gram : Gram
    low : tuple of two numbers of the dtype of `gram`
        Least pivot, absolute and relative to the diagonal.
    counts : ndarray of shape (n_rows,), dtype=int64, written
    sets, weights : ndarray of shape (n_rows, size), written
        Items and values of each row, the first `counts` of them.
    pivots : ndarray of shape (n_rows,), written
    start, stop : int
    """
    h, size = gram.head.shape[0], sets.shape[1]
    buffers = _new_buffers(gram, size)
    keys = np.empty(gram.diagonal.shape[0], dtype=np.float64)
    kept = np.empty(gram.diagonal.shape[0], dtype=np.bool_)
    for r in range(start, stop):
        n = counts[r] = _nearest(gram, h + r, size, keys, kept, sets[r])
        pivots[r] = _solve_row(gram, h + r, sets[r], n, low, buffers, weights[r])


@njit(**_FLAGS)
def _residual(gram, i, S, k, n, pool, m, place, residual):
    """Write (A k)_j for the items j of the pool, which contains S; both ascend.

    `place` is -1 throughout before and after.
    """
    h = gram.head.shape[0]
    n_head = 0
    while n_head < n and S[n_head] < h:
        n_head += 1
    for a in range(m):
        place[pool[a]] = a
    _gather_row(gram, i, pool, m, place, residual)
    at = 0
    for a in range(m):
        j = pool[a]
        own = residual[a] - residual[a]  # zero of the right dtype
        if at < n and S[at] == j:
            own = k[at]
            at += 1
            residual[a] += own * gram.diagonal[j]
        if j < h:
            for b in range(n_head):
                s = S[b]
                if s != j:
                    residual[a] += k[b] * gram.head[min(s, j), max(s, j)]
    for b in range(n):
        # Elements of A of the tail's items of S with items before them ...
        if S[b] >= h:
            for p in range(gram.ptr[S[b] - h], gram.ptr[S[b] - h + 1]):
                a = place[gram.idx[p]]
                if a >= 0:
                    residual[a] += k[b] * gram.val[p]
    for a in range(m):
        place[pool[a]] = -1
    # ... and of the items of S with items after them.
    for b in range(n):
        place[S[b]] = b
    for a in range(m):
        if pool[a] >= h:
            for p in range(gram.ptr[pool[a] - h], gram.ptr[pool[a] - h + 1]):
                b = place[gram.idx[p]]
                if b >= 0:
                    residual[a] += k[b] * gram.val[p]
    for b in range(n):
        place[S[b]] = -1


@njit(**_FLAGS)
def refine_rows(gram, low, pool_size, counts, sets, weights, pivots, start, stop):
    """Exchange items of the sets for others with a large residual, if that lowers d_i.

    Refines the result of `begin_rows`, with its parameters. Alone, an item j outside S lowers
    d_i by (A k)_j^2 / A_jj, and an item of S without which d_i may rise by k_j^2 A_jj competes
    with that number: the items with the largest numbers stay.
    """
    h, size = gram.head.shape[0], sets.shape[1]
    buffers = _new_buffers(gram, size)
    keys = np.empty(gram.diagonal.shape[0], dtype=np.float64)
    kept = np.empty(gram.diagonal.shape[0], dtype=np.bool_)
    pool, new = np.empty((2, pool_size), dtype=np.int32)
    residual = np.empty(pool_size, dtype=gram.diagonal.dtype)
    k = np.empty(size, dtype=gram.diagonal.dtype)
    for r in range(start, stop):
        i, n, S = h + r, counts[r], sets[r]
        m = _nearest(gram, i, pool_size, keys, kept, pool)
        if m == n:
            continue
        _residual(gram, i, S, weights[r], n, pool, m, buffers.place, residual)
        at = 0
        for a in range(m):
            if at < n and S[at] == pool[a]:
                keys[a] = np.float64(weights[r, at]) ** 2 * gram.diagonal[pool[a]]
                at += 1
            else:
                keys[a] = np.float64(residual[a]) ** 2 / gram.diagonal[pool[a]]
        n = keep_largest(keys, m, size, kept)
        at = 0
        for a in range(m):
            if kept[a]:
                new[at] = pool[a]
                at += 1
        d = _solve_row(gram, i, new, n, low, buffers, k)
        if d < pivots[r]:
            counts[r], pivots[r] = n, d
            for a in range(n):
                sets[r, a], weights[r, a] = new[a], k[a]


@njit(**_FLAGS)
def score_rows(X, encoder, decoder, diagonal, start, stop, out):
    """``out = X * diagonal - (X @ encoder) @ decoder`` for the rows from `start` to `stop`.

    Each row is summed in the order of its entries, independently of the other rows.
    """
    ptr, idx, val = X
    first, steps, encoded = encoder
    begin, items, decoded = decoder
    code = np.zeros(diagonal.shape[0], dtype=out.dtype)
    for u in range(start, stop):
        row = out[u]
        row[:] = 0
        for p in range(ptr[u], ptr[u + 1]):
            for q in range(first[idx[p]], first[idx[p] + 1]):
                code[steps[q]] += val[p] * encoded[q]
        for step in range(code.shape[0]):
            c = code[step]
            if c != 0:
                for q in range(begin[step], begin[step + 1]):
                    row[items[q]] -= c * decoded[q]
                code[step] = 0
        for p in range(ptr[u], ptr[u + 1]):
            row[idx[p]] += val[p] * diagonal[idx[p]]


@njit(**_FLAGS)
def score_pairs(X, encoder, decoder_columns, diagonal, rows, items, out):
    """The scores of pairs, with the decoder given by columns; `rows` ascend."""
    ptr, idx, val = X
    first, steps, encoded = encoder
    begin, column_steps, decoded = decoder_columns
    code = np.zeros(diagonal.shape[0], dtype=out.dtype)
    loaded = -1
    for t in range(rows.shape[0]):
        u, item = rows[t], items[t]
        if u != loaded:
            code[:] = 0
            for p in range(ptr[u], ptr[u + 1]):
                for q in range(first[idx[p]], first[idx[p] + 1]):
                    code[steps[q]] += val[p] * encoded[q]
            loaded = u
        out[t] = 0
        for q in range(begin[item], begin[item + 1]):
            out[t] -= code[column_steps[q]] * decoded[q]
        for p in range(ptr[u], ptr[u + 1]):
            if idx[p] == item:
                out[t] += val[p] * diagonal[item]


@njit(**_FLAGS)
def weights_of(encoder, decoder_columns, sources, targets, out):
    """Elements of the item-item matrix; zero on its diagonal."""
    first, steps, encoded = encoder
    begin, column_steps, decoded = decoder_columns
    for t in range(sources.shape[0]):
        out[t] = 0
        if sources[t] == targets[t]:
            continue
        p, q = first[sources[t]], begin[targets[t]]
        while p < first[sources[t] + 1] and q < begin[targets[t] + 1]:
            if steps[p] == column_steps[q]:
                out[t] -= encoded[p] * decoded[q]
                p += 1
                q += 1
            elif steps[p] < column_steps[q]:
                p += 1
            else:
                q += 1
