"""Top-k of every row: masks, bounded heap and tie rule in one pass."""

from typing import NamedTuple

import numpy as np

from skrec.utils._finite import require_finite
from skrec.utils._parallel import run_ranges
from skrec.utils._ties import grid_width

# Empty masks: no item is left out. Kernels only read them.
_NONE = (np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int64))
_ALL = np.zeros(0, dtype=np.bool_)


class Masks(NamedTuple):
    """Masks of the items.

    Attributes
    ----------
    seen_ptr, seen_idx : ndarray of int64
        CSR of the items that each row excludes; a single pointer if there are none.
    allowed_all : ndarray of bool of shape (n_items,) or (0,)
        Candidates of all rows; an empty array allows all items.
    allowed_ptr, allowed_idx : ndarray of int64
        CSR of the candidates of each row; a single pointer allows all items.
    """

    seen_ptr: np.ndarray
    seen_idx: np.ndarray
    allowed_all: np.ndarray
    allowed_ptr: np.ndarray
    allowed_idx: np.ndarray


class Lists(NamedTuple):
    """The lists.

    Attributes
    ----------
    items : ndarray of intp of shape (n_rows, k)
    values : ndarray of shape (n_rows, k)
    bad : ndarray of bool of shape (n_rows,)
        Whether the score of a candidate is NaN, or any score is not finite if all must be.
    """

    items: np.ndarray
    values: np.ndarray
    bad: np.ndarray


def top_k(scores, k, *, seen=None, allowed=None, finite=None, n_jobs=None):
    """Indices and scores of the k best items of each row.

    Items are ordered by (quantised score descending, index ascending), see
    `skrec.utils._ties.quantize_scores`. The scale of a row is the largest finite absolute
    score of the whole row, including masked items. So restricting the candidates never
    changes the order of the others.

    Parameters
    ----------
    scores : ndarray of shape (n_rows, n_items), float32 or float64
        -inf excludes an item.
    k : int
        Length of the lists.
    seen : csr_array of shape (n_rows, n_items), default=None
        The list of a row excludes the items stored in its row here.
    allowed : ndarray of bool of shape (n_items,), or csr_array of shape \
            (n_rows, n_items), default=None
        The lists hold only these items.
    finite : str, default=None
        Subject of an error, see `skrec.utils._finite.require_finite`. If given, every score must
        be finite, even of masked items. This check needs no extra pass.
    n_jobs : int or None, default=None
        Number of threads, see `effective_n_threads`.

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
            f"Scores contain NaN (first in row {int(np.argmax(bad))}). Expected finite scores, or "
            "-inf for excluded items. Refit the model or check its input."
        )
    return items, values


def _as_int64(matrix):
    # One kernel signature serves both index types; the cast is cheap compared with the scores.
    return matrix.indptr.astype(np.int64, copy=False), matrix.indices.astype(np.int64, copy=False)
