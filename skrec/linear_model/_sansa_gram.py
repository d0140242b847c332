"""X^T X of SANSA as a sum over users: a dense head, and rows cut to the nearest items.

Rows beyond the head are added up in blocks. A block is cut before the next one begins, so no
process holds more whole rows than one block.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array, csr_array

from skrec.linear_model._gram import add_gram
from skrec.utils._arrays import kernel_csr, read_only
from skrec.utils._parallel import effective_n_threads, run_ranges
from skrec.utils._statistics import Pass

# Items of the dense head: two matrices of 64 MB in float32, and a few seconds of LAPACK.
_HEAD = 4096
# Most elements in the whole rows of a block: 12 bytes each.
BLOCK = 1 << 25
# Shares of a block for each thread, so that threads need not wait for a slow one.
_SHARES = 4


class OrderedGram(NamedTuple):
    """A = X^T X + alpha I, with items in descending order of popularity.

    Attributes
    ----------
    order : ndarray of shape (n_items,)
        The item at each step.
    head : ndarray of shape (h, h)
        Rows of the first items; only the upper triangle is read.
    ptr, idx, val : ndarray
        The other rows in CSR, before the diagonal.
    diagonal : ndarray of shape (n_items,)
    kept : float
        Share of the elements of the other rows that are kept.
    """

    order: np.ndarray
    head: np.ndarray
    ptr: np.ndarray
    idx: np.ndarray
    val: np.ndarray
    diagonal: np.ndarray
    kept: float


def gram_rounds(n_items, *, alpha, n_candidates, dtype, n_jobs, check):
    """Passes over the parts that return the Gram matrix.

    Parameters
    ----------
    n_items : int
    alpha : float
    n_candidates : int
        Most elements that a row beyond the head keeps: the elements with the largest cosines.
    dtype : dtype
    n_jobs : int or None
    check : callable
        ``check(n_head, n_kept, n_block)`` raises if there is too little memory. It gets the number
        of items in the head, the most elements kept beyond it, and the most in whole rows at once.

    Returns
    -------
    gram : OrderedGram
    """
    norm, activity = yield Pass(popularity, again=True)
    order, h = _order(norm, activity), min(n_items, _HEAD)
    pairs = yield Pass(_put_in_order, (order, h < n_items), kept="write", again=True)
    bound = np.minimum(pairs, np.arange(n_items))[h:]
    check(h, np.minimum(bound, n_candidates).sum(), min(bound.sum(), BLOCK))
    diagonal = norm[order] + alpha
    head = yield Pass(_head, (h, dtype, n_jobs), kept="read", rows=False)
    found, cut = 0, []
    for start, stop in _blocks(bound):
        rows = yield Pass(_whole_rows, (h + start, h + stop, n_jobs), kept="read", rows=False)
        found += rows.nnz
        cut.append(_cut(rows, diagonal, n_candidates, dtype, n_jobs))
        del rows
    return _gram(order, head, cut, found, diagonal, dtype)


def gram_of_sums(sums, activity, *, alpha, n_candidates, dtype, n_jobs, check):
    """The Gram matrix from the results of `sums_of` over all users.

    Parameters
    ----------
    sums : csr_array of shape (n_items, n_items)
    activity : ndarray of shape (n_items,)
    alpha, n_candidates, dtype, n_jobs, check
        See `gram_rounds`.

    Returns
    -------
    gram : OrderedGram
    """
    n_items, norm = sums.shape[0], sums.diagonal()
    order, h = _order(norm, activity), min(sums.shape[0], _HEAD)
    check(h, sums.nnz, 2 * sums.nnz)  # in two orders
    place = np.empty(n_items, dtype=np.int32)
    place[order] = np.arange(n_items)
    a, b = place[np.repeat(np.arange(n_items), np.diff(sums.indptr))], place[sums.indices]
    beside = a != b
    a, b, values = a[beside], b[beside], sums.data[beside]
    lower = coo_array((values, (np.maximum(a, b), np.minimum(a, b))), shape=sums.shape).tocsr()
    lower.sort_indices()
    diagonal = norm[order] + alpha
    first, rest = lower[:h, :h].tocoo(), csr_array(lower[h:])
    head = np.zeros((h, h), dtype=dtype)
    head[first.col, first.row] = first.data
    cut = [_cut(rest, diagonal, n_candidates, dtype, n_jobs)]
    return _gram(order, head, cut, rest.nnz, diagonal, dtype)


def sums_of(X, weight, n_jobs):
    """The users' terms of X^T X, and of the activity of the users of each item.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
        Canonical.
    weight : ndarray of shape (n_users,) or None
    n_jobs : int or None

    Returns
    -------
    sums : csr_array of shape (n_items, n_items), float64
        The lower triangle.
    activity : ndarray of shape (n_items,)
    """
    n_items = X.shape[1]
    norm, activity = popularity(X, weight=weight)
    _, kept = _put_in_order(X, None, np.arange(n_items), True, weight=weight)
    lower = _whole_rows(None, kept, 0, n_items, n_jobs)
    has = np.flatnonzero(norm)
    diagonal = csr_array((norm[has], (has, has)), shape=lower.shape)
    return csr_array(lower + diagonal), activity


def n_sums(X):
    """An upper bound of the elements that `sums_of` returns."""
    return int(np.minimum(_pairs(X), np.arange(X.shape[1])).sum()) + X.shape[1]


def popularity(X, *, weight=None):
    """The diagonal of X^T diag(weight) X, and how active the users of each item are."""
    lengths = np.diff(X.indptr)
    each = X.data.astype(np.float64) ** 2
    if weight is not None:
        each *= np.repeat(weight, lengths)
    norm = np.bincount(X.indices, weights=each, minlength=X.shape[1])
    each *= np.repeat(lengths, lengths)
    return norm, np.bincount(X.indices, weights=each, minlength=X.shape[1])


def _order(norm, activity):
    """The items in descending order of popularity.

    Many items are equally popular. Among these, items of more active users come first, so that
    the order of the columns decides as rarely as possible. Sums that differ by rounding alone are
    equal: their last bits depend on the order of the users and on the parts.
    """
    return np.lexsort((-_without_rounding(activity), -_without_rounding(norm)))


def _without_rounding(sums):
    """Sums in units of a power of two, 2**-36 of the largest; whole sums keep their order."""
    _, exponent = np.frexp(sums.max(initial=0.0))
    return np.rint(np.ldexp(sums, 36 - int(exponent)))


def _put_in_order(X, kept, order, by_column, *, weight=None):
    """Pairs of each item with items before it; the part keeps its rows in order."""
    place = np.empty(X.shape[1], dtype=X.indices.dtype)
    place[order] = np.arange(X.shape[1])
    ordered = csr_array((X.data.copy(), place[X.indices], X.indptr), shape=X.shape)
    ordered.sort_indices()
    weight = np.ones(X.shape[0]) if weight is None else weight
    pairs = _pairs(ordered)
    return pairs, (ordered, _columns(ordered) if by_column else None, weight, pairs)


def _pairs(X):
    before = np.arange(X.nnz) - np.repeat(X.indptr[:-1], np.diff(X.indptr))
    return np.bincount(X.indices, weights=before, minlength=X.shape[1])


def _columns(X):
    """Positions and users of the entries of each column."""
    from skrec.linear_model._gram_kernels import column_entries

    items, indptr = X.indices.astype(np.uint32, copy=False), X.indptr.astype(np.int64)
    position, user = np.empty((2, X.nnz), dtype=np.int32 if X.nnz < 2**31 else np.int64)
    first = np.empty(X.shape[1] + 1, dtype=np.int64)
    column_entries(items, indptr, first, position, user, np.empty(X.shape[1]))
    return first, position, user


def _head(X, kept, h, dtype, n_jobs):
    ordered, _, weight, _ = kept
    head = np.zeros((h, h), dtype=dtype)
    return add_gram(csr_array(ordered[:, :h]), head, sample_weight=weight, n_jobs=n_jobs)


def _whole_rows(X, kept, start, stop, n_jobs):
    """The part's terms of rows of X^T X, before the diagonal, in float64."""
    from skrec.linear_model._sansa_gram_kernels import gram_rows

    ordered, columns, weight, pairs = kept
    arrays = kernel_csr(ordered), tuple(map(read_only, columns)), read_only(weight)
    cost = pairs[start:stop]
    room = np.minimum(cost, np.arange(start, stop)).astype(np.int64)
    n_threads = effective_n_threads(n_jobs)
    shares = min(len(cost), _SHARES * n_threads) if n_threads > 1 else 1
    ends = np.cumsum(cost)
    cuts = np.searchsorted(ends, ends[-1] * np.arange(1, shares) / shares) + 1
    cuts = np.concatenate([[0], np.unique(cuts[cuts < len(cost)]), [len(cost)]])

    def rows(begin, end):
        counts = np.empty(end - begin, dtype=np.int64)
        size = int(room[begin:end].sum())
        out = np.empty(size, dtype=np.int32), np.empty(size)
        used = gram_rows(*arrays, start + begin, start + end, counts, out)
        return counts, out[0][:used].copy(), out[1][:used].copy()

    with ThreadPoolExecutor(n_threads) as pool:
        counts, idx, val = map(list, zip(*pool.map(rows, cuts[:-1], cuts[1:]), strict=True))
    ptr = _ends(counts)
    shape = (stop - start, ordered.shape[1])
    return csr_array((_join(val, np.float64), _join(idx, np.int32), ptr), shape=shape)


def _blocks(bound):
    """Ranges of rows with at most `BLOCK` elements, at least one row each."""
    ends, start = np.cumsum(bound), 0
    while start < len(bound):
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + BLOCK, side="right")))
        yield start, stop
        start = stop


def _cut(rows, norm, n_candidates, dtype, n_jobs):
    """The elements of each row with the largest cosines: their number, columns and values."""
    from skrec.linear_model._sansa_gram_kernels import keep_nearest

    counts = np.minimum(np.diff(rows.indptr), n_candidates).astype(np.int64)
    ptr = _ends([counts])
    idx, val = np.empty(ptr[-1], dtype=np.int32), np.empty(ptr[-1], dtype=dtype)
    arrays, norm = kernel_csr(rows), read_only(norm)

    def some(start, stop):
        keep_nearest(arrays, norm, n_candidates, ptr, idx, val, start, stop)

    run_ranges(some, len(counts), n_jobs=n_jobs, weights=np.diff(rows.indptr) + 1)
    return counts, idx, val


def _gram(order, head, cut, found, diagonal, dtype):
    h = len(head)
    np.fill_diagonal(head, diagonal[:h])
    counts, idx, val = map(list, zip(*cut, strict=True)) if cut else ([], [], [])
    cut.clear()
    ptr = _ends(counts)
    kept = float(ptr[-1] / found) if found else 1.0
    idx, val = _join(idx, np.int32), _join(val, dtype)
    return OrderedGram(order, head, ptr, idx, val, diagonal.astype(dtype), kept)


def _ends(counts):
    return np.concatenate([[0], np.cumsum(np.concatenate([np.zeros(0, np.int64), *counts]))])


def _join(parts, dtype):
    """Concatenate, freeing each part as soon as it is copied."""
    joined = np.empty(sum(map(len, parts)), dtype=dtype)
    stop = len(joined)
    while parts:
        part = parts.pop()
        joined[stop - len(part) : stop] = part
        stop -= len(part)
    return joined
