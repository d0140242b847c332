"""The factors of SANSA: A^-1 ~ K^T D^-1 K, with A = X^T X + alpha I and K sparse, unit lower.

Items are in the order of descending popularity. LAPACK factors the first items, the head,
exactly. The rows of the others, the tail, are solved one by one on sets of items.
"""

from collections import namedtuple

import numpy as np
from scipy.linalg import get_lapack_funcs
from scipy.sparse import csr_array

from skrec.utils._memory import check_memory
from skrec.utils._parallel import run_ranges

# Rows of the tail are solved on this many times the items that stay on average: the solution says
# best which items matter, and some rows deserve more items than others.
_OVERSAMPLING = 2
# Items that may enter a row, as a multiple of the items in it.
_POOL = 2
# Longer rows are not solved again after their smallest entries were dropped.
_MAX_RESOLVED = 1024
_BLOCK = 256

# K: csr_array (n, n), rows and columns are steps, unit diagonal stored. pivots: (n,), D. n_iter:
# solutions of the tail. loss: list of the mean of log(D_i / A_ii).
Factor = namedtuple("Factor", "K pivots n_iter loss")


def factorise(ordered, *, alpha, n_entries, max_iter, n_jobs):
    """Compute the sparse factor of (X^T diag(weight) X + alpha I)^-1.

    Parameters
    ----------
    ordered : skrec.linear_model._sansa_gram.OrderedGram
        With at least `n_needed` candidates.
    alpha : float
    n_entries : int
        Most entries of K, its diagonal counted; at least n_items.
    max_iter : int
        Most solutions of the tail's rows.
    n_jobs : int or None

    Returns
    -------
    factor : Factor

    Raises
    ------
    ValueError
        If A is not positive definite in the precision of the Gram matrix.
    """
    from skrec.linear_model._sansa_kernels import Gram

    n_items = len(ordered.order)
    gram = Gram(ordered.head, ordered.ptr, ordered.idx, ordered.val, ordered.diagonal)
    head, head_pivots = _head_factor(gram)
    size = _row_size(n_items, n_entries)
    tail, n_iter, loss = _tail_rows(gram, alpha, size, max_iter, head_pivots, n_jobs)
    ptr, idx, val, pivots = _largest(gram, head, head_pivots, tail, n_entries - n_items)
    del head, tail
    _solve_again(gram, alpha, ptr, idx, val, pivots, n_jobs)
    loss.append(_mean_log(pivots, gram))
    return Factor(_with_diagonal(ptr, idx, val), pivots, n_iter, loss)


def _row_size(n_items, n_entries):
    """Number of items that a row of the tail is solved on."""
    return min(n_items, -(-_OVERSAMPLING * n_entries // n_items))


def n_needed(n_items, n_entries):
    """Number of elements that `factorise` needs of a row of the Gram matrix, if the row has them.

    A row must keep all elements if every item may take part in it.
    """
    return _POOL * _row_size(n_items, n_entries)


def check_room(n_items, n_head, n_kept, n_block, *, n_entries, n_stored, dtype):
    """Raise a MemoryError if the Gram matrix and its factor do not fit.

    Parameters
    ----------
    n_items, n_head : int
    n_kept, n_block : int
        Elements of the Gram matrix beyond the head: the kept ones, and the ones in whole rows at
        once.
    n_entries : int
        Entries of the factor.
    n_stored : int
        Stored entries of X in this process.
    dtype : dtype
    """
    itemsize = np.dtype(dtype).itemsize
    entry = 4 + itemsize
    held = n_kept * entry + n_head**2 * itemsize + 2 * n_stored * entry
    sets = (n_items - n_head) * _row_size(n_items, n_entries)
    # The search for the largest holds the keys, a copy of them, a mask, and the entries twice.
    keys = 9 * (sets + n_head * n_head // 2)
    last = 2 * sets * entry + n_head**2 * itemsize + keys + 2 * n_entries * entry
    check_memory(
        held + max(24 * n_block, last),
        f"SANSA with {n_items:,} items and {n_entries:,} entries in each factor",
        [
            "lower density",
            "lower n_candidates",
            "keep fewer items (skrec.model_selection.k_core drops the rare ones)",
        ],
    )


def _head_factor(gram):
    """Exact rows of K for the head, as the columns of an upper triangle, and their pivots."""
    potrf, trtri = get_lapack_funcs(("potrf", "trtri"), dtype=gram.head.dtype)
    # LAPACK works on transposes of C-contiguous arrays without copies: it sees our upper
    # triangle as the lower one. A = C C^T, K = diag(C) C^-1.
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
    """Lower bounds of the pivots: alpha, and rounding relative to the diagonal."""
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
    """Mask of the `n_kept` largest keys above zero, the first among equals."""
    if n_kept <= 0:
        return np.zeros(len(keys), dtype=bool)
    if n_kept >= len(keys):
        return keys > 0
    bar = np.partition(keys, len(keys) - n_kept)[len(keys) - n_kept]
    kept = keys > bar
    kept[np.flatnonzero(keys == bar)[: n_kept - np.count_nonzero(kept)]] = True
    return kept & (keys > 0)


def _solve_again(gram, alpha, ptr, idx, val, pivots, n_jobs):
    """Solve for the best values of the kept entries."""
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
