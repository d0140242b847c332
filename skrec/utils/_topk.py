"""Top-k of every row: mask, bounded heap and tie rule in one pass."""

from typing import NamedTuple

import numpy as np

from skrec.utils._finite import require_finite
from skrec.utils._parallel import run_ranges
from skrec.utils._ties import grid_width

# No row is masked, no item is left out: kernels only read them.
_NONE = (np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int64))
_ALL = np.zeros(0, dtype=np.bool_)


class Masks(NamedTuple):
    """Which items take part.

    Attributes
    ----------
    seen_ptr, seen_idx : ndarray of int64
        CSR of the items that do not; one pointer where there are none.
    allowed_all : ndarray of bool of shape (n_items,) or (0,)
        Those that do, for all rows; empty for all.
    allowed_ptr, allowed_idx : ndarray of int64
        CSR of those that do, row by row; one pointer for all.
    """

    seen_ptr: np.ndarray
    seen_idx: np.ndarray
    allowed_all: np.ndarray
    allowed_ptr: np.ndarray
    allowed_idx: np.ndarray


class Lists(NamedTuple):
    """What is found.

    Attributes
    ----------
    items : ndarray of intp of shape (n_rows, k)
    values : ndarray of shape (n_rows, k)
    bad : ndarray of bool of shape (n_rows,)
        Whether a score that takes part is NaN, or any of them is not finite where all have to be.
    """

    items: np.ndarray
    values: np.ndarray
    bad: np.ndarray


def top_k(scores, k, *, seen=None, allowed=None, finite=None, n_jobs=None):
    """Indices and scores of the k best items of each row.

    Items are ordered by (quantised score descending, index ascending), see
    `skrec.utils._ties.quantize_scores`. The scale of a row is the largest finite
    absolute score of the whole row, masked items included, so that restricting the
    candidates never changes the order of those that stay.

    Parameters
    ----------
    scores : ndarray of shape (n_rows, n_items), float32 or float64
        -inf takes an item out.
    k : int
        Length of the lists.
    seen : csr_array of shape (n_rows, n_items), default=None
        Items stored in a row are taken out of it.
    allowed : ndarray of bool of shape (n_items,), or csr_array of shape \
            (n_rows, n_items), default=None
        Only these items take part.
    finite : str, default=None
        Subject of an error, see `skrec.utils._finite.require_finite`: every score has to be
        finite, whether or not it takes part. To find that out here takes no pass of its own.
    n_jobs : int or None, default=None
        Threads, see `effective_n_threads`.

    Returns
    -------
    items : ndarray of intp of shape (n_rows, k)
        Best first, padded with -1.
    values : ndarray of shape (n_rows, k), dtype of `scores`
        Their scores, padded with -inf.

    Raises
    ------
    ValueError
        If a score is NaN, or with `finite` not finite.
    """
    from skrec.utils._topk_kernels import top_k_rows

    scores = np.ascontiguousarray(scores)
    n_rows, n_items = scores.shape
    items = np.full((n_rows, k), -1, dtype=np.intp)
    values = np.full((n_rows, k), -np.inf, dtype=scores.dtype)
    seen_ptr, seen_idx = _NONE if seen is None else _as_int64(seen)
    allowed_all, (allowed_ptr, allowed_idx) = _ALL, _NONE
    if isinstance(allowed, np.ndarray):
        allowed_all = np.ascontiguousarray(allowed, dtype=np.bool_)
    elif allowed is not None:
        allowed_ptr, allowed_idx = _as_int64(allowed)
    bad = np.zeros(n_rows, dtype=np.bool_)
    masks = Masks(seen_ptr, seen_idx, allowed_all, allowed_ptr, allowed_idx)
    lists, grid = Lists(items, values, bad), grid_width(scores.dtype)

    def rows(start, stop):
        top_k_rows(scores, masks, grid, finite is not None, lists, start, stop)

    run_ranges(rows, n_rows, n_jobs=n_jobs if n_rows * n_items > 1 << 16 else 1)
    if bad.any():
        if finite is not None:
            require_finite(scores, finite)
        raise ValueError(
            f"Scores contain NaN (first in row {int(np.argmax(bad))}); expected finite scores, or "
            "-inf for items that take no part. Refit the model or check its input."
        )
    return items, values


def _as_int64(matrix):
    # One signature of the kernel serves both index types; the cast is small beside the scores.
    return matrix.indptr.astype(np.int64, copy=False), matrix.indices.astype(np.int64, copy=False)
