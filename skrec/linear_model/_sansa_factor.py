"""The factors of SANSA: A^-1 ~ K^T D^-1 K, with A = X^T X + alpha I and K sparse, unit lower.

The items are put in order of descending popularity. The first of them, the head, are
factored exactly by LAPACK; the others, the tail, row by row on sets of items.
"""

from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.linalg import get_lapack_funcs
from scipy.sparse import csr_array

from skrec.linear_model._gram import add_gram
from skrec.utils._memory import check_memory
from skrec.utils._parallel import effective_n_threads, run_ranges

# Items of the dense head: two matrices of 64 MB in float32, and a few seconds of LAPACK.
_HEAD = 4096
# Rows of the tail are solved on this many times the items that will stay on average: which
# ones stay is known best afterwards, and some rows deserve more than others.
_OVERSAMPLING = 2
# Items that may enter a row, as a multiple of those in it.
_POOL = 2
# Rows with more entries are not solved again after the least ones were dropped.
_MAX_RESOLVED = 1024
# Rows of the Gram matrix that are computed at once hold about this many elements.
_CHUNK = 1 << 22
_BLOCK = 256

# order: ndarray (n,), the item at each step. K: csr_array (n, n), rows and columns are steps,
# unit diagonal stored. pivots: (n,), D. n_iter: solutions of the tail. loss: list of the mean
# of log(D_i / A_ii). kept: share of the tail's Gram elements that was kept.
Factor = namedtuple("Factor", "order K pivots n_iter loss kept")


def factorise(X, *, alpha, n_entries, n_candidates, max_iter, weight, dtype, n_jobs):
    """Compute the sparse factor of (X^T diag(weight) X + alpha I)^-1.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
        Canonical.
    alpha : float
    n_entries : int
        Most entries of K, its diagonal counted; at least n_items.
    n_candidates : int
        Most elements that are kept of a row of the tail's Gram matrix, unless its set may
        need more.
    max_iter : int
        Most solutions of the tail's rows.
    weight : ndarray of shape (n_users,)
    dtype : dtype
        Of the Gram matrix and of K.
    n_jobs : int or None

    Returns
    -------
    factor : Factor

    Raises
    ------
    MemoryError
        If it does not fit; nothing large has been allocated then.
    ValueError
        If A is not positive definite in the given precision.
    """
    n_items = X.shape[1]
    norm, order = _popularity(X, weight)
    place = np.empty(n_items, dtype=X.indices.dtype)
    place[order] = np.arange(n_items)
    ordered = csr_array((X.data.copy(), place[X.indices], X.indptr), shape=X.shape)
    ordered.sort_indices()
    size = min(n_items, -(-_OVERSAMPLING * n_entries // n_items))
    # Rows in which every item may take part must be whole.
    n_candidates = max(n_candidates, _POOL * size)
    bound = _row_bounds(ordered, n_candidates)
    _check_memory(ordered, bound, n_entries, size, dtype)

    gram, kept = _gram(ordered, norm[order] + alpha, bound, weight, dtype, n_candidates, n_jobs)
    head, head_pivots = _head_factor(gram)
    tail, n_iter, loss = _tail_rows(gram, alpha, size, max_iter, head_pivots, n_jobs)
    ptr, idx, val, pivots = _largest(gram, head, head_pivots, tail, n_entries - n_items)
    del head, tail
    _solve_again(gram, alpha, ptr, idx, val, pivots, n_jobs)
    loss.append(_mean_log(pivots, gram))
    return Factor(order, _with_diagonal(ptr, idx, val), pivots, n_iter, loss, kept)


def _popularity(X, weight):
    """The diagonal of X^T diag(weight) X, and the items in descending order of it.

    Of equally popular items, which are many, those of the more active users come first, so
    that the order depends on what the items are called as rarely as possible.
    """
    lengths = np.diff(X.indptr)
    each = np.repeat(weight, lengths) * X.data.astype(np.float64) ** 2
    norm = np.bincount(X.indices, weights=each, minlength=X.shape[1])
    each *= np.repeat(lengths, lengths)
    activity = np.bincount(X.indices, weights=each, minlength=X.shape[1])
    return norm, np.lexsort((-activity, -norm))


def _row_bounds(X, n_candidates):
    """Upper bounds of the elements in the rows of the tail's Gram matrix."""
    n_items, h = X.shape[1], min(X.shape[1], _HEAD)
    before = np.arange(X.nnz) - np.repeat(X.indptr[:-1], np.diff(X.indptr))
    pairs = np.bincount(X.indices, weights=before, minlength=n_items)
    bound = np.minimum(np.minimum(pairs, np.arange(n_items)), n_candidates)
    return bound[h:].astype(np.int64)


def _check_memory(X, bound, n_entries, size, dtype):
    n_items, h = X.shape[1], min(X.shape[1], _HEAD)
    itemsize = np.dtype(dtype).itemsize
    entry = 4 + itemsize
    held = bound.sum() * entry + h * h * itemsize
    first = 2 * X.nnz * entry  # X in order, and by columns
    sets = (n_items - h) * size
    # While the largest are found: the keys, a copy of them, a mask; the entries, twice.
    keys = 9 * (sets + h * h // 2)
    last = 2 * sets * entry + h * h * itemsize + keys + 2 * n_entries * entry
    check_memory(
        held + max(first, last),
        f"SANSA with {n_items:,} items and {n_entries:,} entries in each factor",
        [
            "lower density",
            "lower n_candidates",
            "keep fewer items (skrec.model_selection.k_core drops the rare ones)",
        ],
    )


def _gram(X, diagonal, bound, weight, dtype, n_candidates, n_jobs):
    """A in the two parts that the kernels take."""
    from skrec.linear_model._sansa_kernels import Gram

    h = min(X.shape[1], _HEAD)
    head = np.zeros((h, h), dtype=dtype)
    add_gram(csr_array(X[:, :h]), head, sample_weight=weight, n_jobs=n_jobs)
    np.fill_diagonal(head, diagonal[:h])
    ptr, idx, val, kept = _tail_gram(X, diagonal, bound, weight, dtype, n_candidates, n_jobs)
    return Gram(head, ptr, idx, val, diagonal.astype(dtype)), kept


def _tail_gram(X, norm, bound, weight, dtype, n_candidates, n_jobs):
    """Rows of the tail, up to the diagonal, and the share of their elements that is kept."""
    from skrec.linear_model._gram_kernels import column_entries
    from skrec.linear_model._sansa_gram_kernels import gram_rows

    n_items, h = X.shape[1], len(norm) - len(bound)
    if h == n_items:
        return np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0, dtype), 1.0
    items, indptr = X.indices.astype(np.uint32, copy=False), X.indptr.astype(np.int64)
    position, user = np.empty((2, X.nnz), dtype=np.int32 if X.nnz < 2**31 else np.int64)
    first = np.empty(n_items + 1, dtype=np.int64)
    column_entries(items, indptr, first, position, user, np.empty(n_items))
    arrays = (indptr, items, X.data), (first, position, user), weight, norm
    ends = np.cumsum(bound)
    n_chunks = 1 + ends[-1] // _CHUNK
    cuts = np.unique(np.searchsorted(ends, ends[-1] * np.arange(1, n_chunks) / n_chunks) + 1)
    cuts = np.concatenate([[0], cuts[cuts < len(bound)], [len(bound)]])

    def rows(start, stop):
        room = int(bound[start:stop].sum())
        counts, found = np.empty((2, stop - start), dtype=np.int64)
        out = np.empty(room, dtype=np.int32), np.empty(room, dtype=dtype)
        used = gram_rows(*arrays, n_candidates, h + start, h + stop, counts, found, out)
        return counts, found.sum(), out[0][:used].copy(), out[1][:used].copy()

    with ThreadPoolExecutor(effective_n_threads(n_jobs)) as pool:
        counts, found, idx, val = map(list, zip(*pool.map(rows, cuts[:-1], cuts[1:]), strict=True))
    ptr = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
    kept = float(ptr[-1] / sum(found)) if sum(found) else 1.0
    return ptr, _join(idx, np.int32), _join(val, dtype), kept


def _join(parts, dtype):
    """Concatenate, freeing each part as soon as it is copied."""
    joined = np.empty(sum(map(len, parts)), dtype=dtype)
    stop = len(joined)
    while parts:
        part = parts.pop()
        joined[stop - len(part) : stop] = part
        stop -= len(part)
    return joined


def _head_factor(gram):
    """Exact rows of K for the head, as the columns of an upper triangle, and their pivots."""
    potrf, trtri = get_lapack_funcs(("potrf", "trtri"), dtype=gram.head.dtype)
    # Transposes of C-contiguous arrays are what LAPACK works on without copies: it sees
    # our upper triangle as the lower one. A = C C^T, K = diag(C) C^-1.
    factor, info = potrf(gram.head.copy().T, lower=1, overwrite_a=1, clean=1)
    scale = factor.diagonal().copy()
    if info == 0:
        factor, info = trtri(factor, lower=1, overwrite_c=1)
    if info != 0 or not np.isfinite(scale).all():
        raise ValueError(
            f"X^T X + alpha I must be positive definite in {gram.head.dtype}. Got a pivot that is "
            "not positive, or not finite: raise alpha, use dtype='float64', or scale the values "
            "of X down."
        )
    head = factor.T
    head *= scale
    return head, scale.astype(np.float64) ** 2


def _tail_rows(gram, alpha, size, max_iter, head_pivots, n_jobs):
    """Solve the tail on the nearest items, then exchange items while that helps."""
    from skrec.linear_model._sansa_kernels import begin_rows, refine_rows

    low, h = _least_pivot(gram, alpha), len(head_pivots)
    n_rows = len(gram.diagonal) - h
    counts, pivots = np.zeros(n_rows, dtype=np.int64), np.zeros(n_rows)
    sets = np.empty((n_rows, size), dtype=np.int32)
    weights = np.empty((n_rows, size), dtype=gram.diagonal.dtype)
    result = counts, sets, weights, pivots
    cost = 1.0 + np.minimum(np.diff(gram.ptr), size).astype(np.float64) ** 2

    def begin(start, stop):
        begin_rows(gram, low, *result, start, stop)

    def refine(start, stop):
        refine_rows(gram, low, _POOL * size, *result, start, stop)

    run_ranges(begin, n_rows, n_jobs=n_jobs, weights=cost)
    loss = [_mean_log(np.concatenate([head_pivots, pivots]), gram)]
    n_iter = 1
    while n_iter < max_iter and (counts < np.arange(h, h + n_rows)).any():
        run_ranges(refine, n_rows, n_jobs=n_jobs, weights=cost)
        n_iter += 1
        loss.append(_mean_log(np.concatenate([head_pivots, pivots]), gram))
    return result, n_iter, loss


def _least_pivot(gram, alpha):
    """What no pivot is below: alpha, and, relative to the diagonal, rounding."""
    dtype = gram.diagonal.dtype
    return dtype.type(alpha), dtype.type(10 * np.finfo(dtype).eps)


def _mean_log(pivots, gram):
    return float(np.mean(np.log(pivots / gram.diagonal)))


def _largest(gram, head, head_pivots, tail, n_kept):
    """The entries of K that matter most, as a pattern with values, in CSR.

    Dropping K_ij alone would raise d_i by at most K_ij^2 A_jj.
    """
    counts, sets, weights, tail_pivots = tail
    h = len(head)
    pivots = np.concatenate([head_pivots, tail_pivots])
    scale = gram.diagonal.astype(np.float64)
    in_use = np.arange(sets.shape[1]) < counts[:, None]
    tail_idx, tail_val = sets[in_use], weights[in_use]
    lengths = np.concatenate([np.arange(h), counts])
    starts = np.concatenate([[0], np.cumsum(lengths)])

    keys = np.empty(starts[-1], dtype=np.float32)
    for start in range(0, h, _BLOCK):
        for i, row in enumerate(head[:, start : start + _BLOCK].T.copy(), start):
            keys[starts[i] : starts[i + 1]] = row[:i] ** 2 * scale[:i] / pivots[i]
    keys[starts[h] :] = tail_val**2 * scale[tail_idx] / np.repeat(tail_pivots, counts)
    kept = _mark_largest(keys, n_kept)
    del keys

    counts = np.add.reduceat(np.append(kept, False), starts[:-1], dtype=np.int64)
    counts[lengths == 0] = 0
    ptr = np.concatenate([[0], np.cumsum(counts)])
    idx, val = np.empty(ptr[-1], dtype=np.int32), np.empty(ptr[-1], dtype=head.dtype)
    for start in range(0, h, _BLOCK):
        for i, row in enumerate(head[:, start : start + _BLOCK].T.copy(), start):
            chosen = np.flatnonzero(kept[starts[i] : starts[i + 1]])
            idx[ptr[i] : ptr[i + 1]], val[ptr[i] : ptr[i + 1]] = chosen, row[chosen]
    idx[ptr[h] :], val[ptr[h] :] = tail_idx[kept[starts[h] :]], tail_val[kept[starts[h] :]]
    return ptr, idx, val, pivots


def _mark_largest(keys, n_kept):
    """Mask of the `n_kept` largest keys above zero, of equal ones the first."""
    if n_kept <= 0:
        return np.zeros(len(keys), dtype=bool)
    if n_kept >= len(keys):
        return keys > 0
    bar = np.partition(keys, len(keys) - n_kept)[len(keys) - n_kept]
    kept = keys > bar
    kept[np.flatnonzero(keys == bar)[: n_kept - np.count_nonzero(kept)]] = True
    return kept & (keys > 0)


def _solve_again(gram, alpha, ptr, idx, val, pivots, n_jobs):
    """Give the entries that were kept the best values that they can have."""
    from skrec.linear_model._sansa_kernels import solve_rows

    lengths = np.diff(ptr)
    size = int(min(lengths.max(initial=0), _MAX_RESOLVED))
    low, cost = _least_pivot(gram, alpha), 1.0 + lengths.astype(np.float64) ** 3
    cost[lengths > size] = 1.0

    def rows(start, stop):
        solve_rows(gram, ptr, idx, val, pivots, low, size, start, stop)

    run_ranges(rows, len(lengths), n_jobs=n_jobs, weights=cost)


def _with_diagonal(ptr, idx, val):
    """The strict lower triangle in CSR, with ones on the diagonal, as a csr_array."""
    n = len(ptr) - 1
    ends = ptr[1:] + np.arange(n)  # where the diagonal stands: last in its row
    strict = np.ones(len(idx) + n, dtype=bool)
    strict[ends] = False
    indices, data = np.empty(len(strict), np.int32), np.ones(len(strict), val.dtype)
    indices[strict], data[strict] = idx, val
    indices[ends] = np.arange(n)
    indptr = ptr + np.arange(n + 1)
    if indptr[-1] < 2**31:
        indptr = indptr.astype(np.int32)
    return csr_array((data, indices, indptr), shape=(n, n))
