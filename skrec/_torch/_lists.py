"""Lists cut on the device of the scores; only the items and scores of the k best come back."""

import numpy as np
import torch
from scipy.sparse import issparse

from skrec._torch._place import sent_array
from skrec.utils._memory import check_lists_memory
from skrec.utils._row_side import row_range
from skrec.utils._ties import grid_width
from skrec.utils._validation import check_k

# Bytes of scores and of the ranks made from them, at once.
_CHUNK_BYTES = 2**29
_BYTES_OF_SCORE = 32
_MAX_ROWS = 4096
# Bytes of lists that wait on the device before they come back.
_HELD_BYTES = 2**28


def device_lists(score_rows, X, k, device, *, exclude_seen=True, allowed=None):
    """Top-k lists from a function that scores rows on a device.

    Parameters
    ----------
    score_rows : callable
        ``score_rows(X)`` returns scores of shape (n_rows, n_items), a tensor on the device, in
        the dtype of X.
    X : csr_array of shape (n_rows, n_items)
        Canonical.
    k : int
        Length of the lists.
    device : torch.device
    exclude_seen : bool, default=True
        Whether items stored in a row are left out of its list.
    allowed : ndarray of bool, csr_array or None, default=None
        Candidates, see `skrec.utils._validation.check_candidates`.

    Returns
    -------
    lists : (ndarray of intp of shape (n_rows, k), ndarray of shape (n_rows, k)) or None
        Items and scores as from `skrec._recommend.recommend_rows`; None if a score is not finite.

    Notes
    -----
    The host waits for the device once for each `_HELD_BYTES` of lists.
    """
    n_rows, n_items = X.shape
    k = check_k(k)
    check_lists_memory(n_rows, k, n_items, X.dtype)
    width = min(k, n_items)
    mask = None
    if isinstance(allowed, np.ndarray):
        mask = sent_array(allowed, device)
    items, values = np.full((n_rows, k), -1, np.intp), np.full((n_rows, k), -np.inf, X.dtype)
    held, begin = [], 0
    for start, stop in _chunks(n_rows, n_items):
        rows = X if (start, stop) == (0, n_rows) else row_range(X, start, stop)
        some = _marked(row_range(allowed, start, stop), device) if issparse(allowed) else mask
        seen = _places(rows, device) if exclude_seen else None
        held.append(device_top_k(score_rows(rows), width, seen=seen, allowed=some))
        if stop < n_rows and 16 * width * (stop - begin) < _HELD_BYTES:
            continue
        ids, scores, finite = (torch.cat(parts) for parts in zip(*held, strict=True))
        items[begin:stop, :width] = ids.cpu().numpy()
        values[begin:stop, :width] = scores.cpu().numpy()
        if not bool(finite.all()):
            return None
        held, begin = [], stop
    return items, values


def _chunks(n_rows, n_items):
    size = _CHUNK_BYTES // (_BYTES_OF_SCORE * n_items)
    size = max(1, min(_MAX_ROWS, size))
    return [(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]


def _places(matrix, device):
    """Places of the entries of a sparse matrix in the dense one."""
    first = np.arange(matrix.shape[0], dtype=np.int64) * matrix.shape[1]
    return sent_array(np.repeat(first, np.diff(matrix.indptr)) + matrix.indices, device)


def _marked(matrix, device):
    """Where a sparse matrix has entries, a bool tensor of its shape."""
    marked = torch.zeros(matrix.shape[0] * matrix.shape[1], dtype=torch.bool, device=device)
    return marked.index_fill_(0, _places(matrix, device), True).view(matrix.shape)


def device_top_k(scores, k, *, seen=None, allowed=None):
    """Items and scores of the k best of each row, in the order of `skrec.utils._topk.top_k`.

    Parameters
    ----------
    scores : tensor of shape (n_rows, n_items), float32 or float64
    k : int
        At most n_items.
    seen : int64 tensor of shape (n_seen,), default=None
        Places ``row * n_items + item`` that the lists leave out.
    allowed : bool tensor of shape (n_items,) or (n_rows, n_items), default=None
        The candidates.

    Returns
    -------
    items : int64 tensor of shape (n_rows, k)
        Best first, padded with -1.
    values : tensor of shape (n_rows, k), dtype of `scores`
        Padded with -inf.
    finite : bool tensor of shape (n_rows,)
        Whether all scores of the row are finite; otherwise its list has no meaning.
    """
    n_items = scores.shape[1]
    low, high = torch.aminmax(scores, dim=1, keepdim=True)
    scale = torch.maximum(high, -low).double()  # NaN where a score is
    cells, n_cells = _cells(scores, scale), round(1 / grid_width(_numpy_dtype(scores)))
    if (2 * n_cells + 1) * n_items < 2**63:
        # One number orders by cell and then by item, the first item first.
        rank = cells.add_(n_cells).long().mul_(n_items)
        rank += torch.arange(n_items - 1, -1, -1, device=scores.device)
        best, items = torch.topk(_masked(rank, -1, seen, allowed), k, dim=1)
        out = best < 0
    else:
        best, items = torch.sort(
            _masked(cells, -torch.inf, seen, allowed), dim=1, descending=True, stable=True
        )
        best, items = best[:, :k], items[:, :k]
        out = best == -torch.inf
    values = scores.gather(1, items).masked_fill_(out, -torch.inf)
    return items.masked_fill(out, -1), values, torch.isfinite(scale[:, 0])


def _masked(rank, least, seen, allowed):
    """Rank excluded items below all others; in place."""
    if seen is not None:
        rank.view(-1).index_fill_(0, seen, least)
    if allowed is not None:
        rank.masked_fill_(~allowed, least)
    return rank


def _cells(scores, scale):
    """Equals `skrec.utils._ties.quantize_scores` to the last bit."""
    # A scale below 1e-290 would make the cell width underflow.
    boost = torch.where(scale > 1e-290, torch.ones_like(scale), 2.0**600)
    grid = grid_width(_numpy_dtype(scores))
    cell = torch.where(scale > 0, scale * boost * grid, 1.0)
    return scores.double().mul(boost).div_(cell).round_()


def _numpy_dtype(scores):
    return np.float64 if scores.dtype == torch.float64 else np.float32
