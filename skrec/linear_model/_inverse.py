"""Inverse of a large symmetric positive definite matrix, and EASE's weights, in one buffer."""

import warnings

import numpy as np
from scipy.linalg import LinAlgWarning, get_blas_funcs, get_lapack_funcs

from skrec.linear_model._blas import subtract_gram
from skrec.linear_model._gram import BLOCK_SIZE, check_square
from skrec.utils._device import resolve_device
from skrec.utils._memory import check_memory
from skrec.utils._parallel import run_ranges

# A larger product of machine precision and variance inflation gives a warning. On generated data
# with duplicate items, the worst column of EASE's weights had a relative error of 10 to 20 times
# that product: 1 to 2 % at this bound.
_MAX_ERROR = 1e-3
# Side of the squares of the panel that are transposed at once: they fit into a core's cache.
_COPY_BLOCK = 128


def ridge_diagonal(gram, *, alpha, dropout=0.0):
    """Return the L2 penalty of each item: alpha + dropout / (1 - dropout) * diag(gram).

    Parameters
    ----------
    gram : ndarray of shape (n_items, n_items)
        X^T X.
    alpha : float
        Penalty of every item.
    dropout : float, default=0.0
        Probability p in [0, 1) that a full-rank denoising autoencoder drops an input. In
        expectation over the dropped inputs, its squared error is the error without dropout
        plus this penalty [1]_. The weights are for rows with all their inputs.

    Returns
    -------
    diagonal : ndarray of shape (n_items,), dtype=float64

    References
    ----------
    .. [1] H. Steck, "Autoencoders that don't overfit towards the Identity", NeurIPS 2020.
    """
    return alpha + dropout / (1.0 - dropout) * gram.diagonal().astype(np.float64)


def ease_weights(gram, diagonal, *, device="cpu", n_jobs=None):
    """Turn a Gram matrix into EASE's item-item weights, in place.

    Minimises tr(B^T G B) - 2 tr(B^T G) + tr(B^T diag(d) B) with diag(B) = 0, where G is
    `gram` and d is `diagonal`: with P = (G + diag(d))^-1, B_ij = -P_ij / P_jj for i != j
    [1]_.

    Parameters
    ----------
    gram : ndarray of shape (n_items, n_items), float32 or float64
        C-contiguous. The upper triangle holds G, the lower one is not read. Overwritten.
    diagonal : float or array-like of shape (n_items,)
        Added to the diagonal, see `ridge_diagonal`.
    device : str or torch.device, default="cpu"
        "cpu" works in the buffer itself. Other devices use torch and need room for two such
        matrices.
    n_jobs : int or None, default=None
        Threads of the numba kernel. BLAS and torch have their own numbers of threads: limit
        them with ``threadpoolctl`` or ``OMP_NUM_THREADS``.

    Returns
    -------
    coef : ndarray of shape (n_items, n_items)
        B, in the memory of `gram`: the scores of a row x are x @ B.

    Raises
    ------
    ValueError
        If G + diag(d) is not finite or not positive definite in the given dtype.

    Warns
    -----
    LinAlgWarning
        If the matrix is so ill-conditioned that few digits of the weights are right.

    Notes
    -----
    Accuracy in float32, measured against float64 (docs/benchmarks, ease_accuracy): on
    MovieLens-1M (3,706 items, binary) the relative error of B in the Frobenius norm is 7e-6
    at d = 1,000, 1e-5 at 300 (where the condition number of G + diag(d) is 850), 3e-5 at 1
    (2.5e5) and 7e-5 at 0.01 (2.5e7); scores are within 4e-5 of the largest in each case.
    Single columns may be worse: the weights of items that are nearly the same have a relative
    error of 10 to 20 times 1e-7 max_j P_jj (G_jj + d_j). The warning depends on this maximum,
    which the inverse shows.

    References
    ----------
    .. [1] H. Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019.
    """
    precision = _negative_inverse(gram, diagonal, device)
    _mirror(gram, 1.0 / precision, n_jobs)
    np.fill_diagonal(gram, 0.0)
    return gram


def invert_positive_definite(matrix, diagonal=0.0, *, device="cpu", n_jobs=None):
    """Invert a symmetric positive definite matrix in place: (M + diag(diagonal))^-1.

    Parameters
    ----------
    matrix : ndarray of shape (n, n), float32 or float64
        C-contiguous. The upper triangle holds M, the lower one is not read. Overwritten.
    diagonal : float or array-like of shape (n,), default=0.0
        Added to the diagonal.
    device, n_jobs
        As in `ease_weights`.

    Returns
    -------
    inverse : ndarray of shape (n, n)
        Symmetric to the bit, in the memory of `matrix`.

    Raises
    ------
    ValueError
        If the matrix is not finite or not positive definite in the given dtype.

    Warns
    -----
    LinAlgWarning
        If the matrix is so ill-conditioned that few digits of the inverse are right.
    """
    precision = _negative_inverse(matrix, diagonal, device)
    _mirror(matrix, np.full_like(precision, -1.0), n_jobs)
    np.fill_diagonal(matrix, precision)
    return matrix


def _negative_inverse(matrix, diagonal, device):
    """Write -P, P = (M + diag(diagonal))^-1, to the upper triangle; return P's diagonal."""
    given = _add_diagonal(matrix, diagonal)
    # To resolve a device imports torch, so "cpu" is not resolved.
    resolved = None if str(device) == "cpu" else resolve_device(device)
    if resolved is None or resolved.type == "cpu":
        _sweep(matrix)
    else:
        _torch_negative_inverse(matrix, resolved)
    precision = -matrix.diagonal()
    _check_inverse(precision, given)
    return precision


def _sweep(matrix, block_size=BLOCK_SIZE):
    """Replace M by -M^-1 in the upper triangle, the only one that is read.

    Symmetric Gauss-Jordan elimination, one block K of rows and columns at a time. With R all
    other rows, eliminated before or not:

        M_KK <- -M_KK^-1,   M_KR <- M_KK^-1 M_KR,   M_RR <- M_RR - M_RK M_KK^-1 M_KR.

    With M_KK = L L^T, W_R = L^-1 M_KR, W_K = -L^-1, and M_KK = M_KR = 0, all three are
    M <- M - W^T W: one symmetric rank-k update in place. This takes n^3 floating-point
    operations, as many as LAPACK's potrf and potri, at the speed of a matrix product, and
    n * block_size elements beside the matrix. (OpenBLAS's own potrf with several threads
    ended in a segmentation fault from n = 38,048 on.)
    """
    n = matrix.shape[0]
    (trsm,) = get_blas_funcs(("trsm",), dtype=matrix.dtype)
    workspace = np.empty(n * min(n, block_size), dtype=matrix.dtype)
    for start in range(0, n, block_size):
        stop = min(start + block_size, n)
        factor = _pivot_factor(matrix[start:stop, start:stop], start)
        panel = workspace[: (stop - start) * n].reshape(stop - start, n)
        _take_panel(matrix, panel, start, stop)
        # BLAS works on transposes of C-contiguous arrays without copies:
        # panel^T L^-T = (L^-1 panel)^T; the lower triangle of matrix^T is our upper one.
        trsm(1.0, factor, panel.T, side=1, lower=1, trans_a=1, overwrite_b=1)
        subtract_gram(matrix, panel)


def _pivot_factor(block, start):
    """Cholesky factor L of a diagonal block, from its upper triangle."""
    (potrf,) = get_lapack_funcs(("potrf",), dtype=block.dtype)
    factor, info = potrf(block.T, lower=1, clean=1)
    # NaN passes through; `_check_inverse` finds it in the diagonal of the inverse.
    if info > 0:
        raise _not_positive_definite(block.dtype, start + info - 1)
    return factor


def _take_panel(matrix, panel, start, stop):
    """Move the block's rows and columns into `panel`; leave zeros behind.

    Row k of the panel is row start + k of the whole symmetric matrix, with -I instead of the
    diagonal block.
    """
    for first in range(0, start, _COPY_BLOCK):
        last = min(first + _COPY_BLOCK, start)
        panel[:, first:last] = matrix[first:last, start:stop].T
    panel[:, start:stop] = -np.eye(stop - start, dtype=panel.dtype)
    panel[:, stop:] = matrix[start:stop, stop:]
    matrix[:start, start:stop] = 0.0
    matrix[start:stop, start:] = 0.0


def _mirror(matrix, scale, n_jobs):
    """Write M_ij scale_j to (i, j) and M_ij scale_i to (j, i), i < j, from the upper triangle M."""
    # Imported here because numba takes half a second.
    from skrec.linear_model._inverse_kernels import TILE, scale_and_mirror

    scale = np.ascontiguousarray(scale, dtype=matrix.dtype)
    n_tiles = -(-matrix.shape[0] // TILE)

    def mirror_rows(start, stop):
        scale_and_mirror(matrix, scale, start, stop)

    run_ranges(mirror_rows, n_tiles, n_jobs=n_jobs, weights=np.arange(n_tiles, 0, -1))


def _torch_negative_inverse(matrix, device):
    """Compute the result of `_sweep` with torch's Cholesky routines on a ``torch.device``."""
    import torch

    from skrec.utils._state_torch import torch_state

    if device.type == "cuda":
        # The matrix, and the right-hand side that cuSOLVER solves for.
        available = torch.cuda.mem_get_info(device)[0]
        what = f"Inverting a matrix of {matrix.shape[0]:,} x {matrix.shape[0]:,} on {device}"
        check_memory(2 * matrix.nbytes, what, ["use device='cpu'"], available=available)
    with torch_state():
        tensor = torch.from_numpy(matrix).to(device)
        # Seen column by column, as LAPACK does, our upper triangle is the lower one.
        lower = tensor.mT
        info = torch.empty((), dtype=torch.int32, device=device)
        torch.linalg.cholesky_ex(lower, out=(lower, info))
        if int(info) > 0:
            raise _not_positive_definite(matrix.dtype, int(info) - 1)
        torch.cholesky_inverse(lower, out=lower)
        torch.from_numpy(matrix).copy_(tensor.neg_())


def _add_diagonal(matrix, diagonal):
    """Add to the diagonal in place; return the new one."""
    n = matrix.shape[0]
    check_square(matrix, n)
    given = matrix.diagonal() + np.broadcast_to(np.asarray(diagonal, dtype=np.float64), (n,))
    with np.errstate(over="ignore"):
        given = given.astype(matrix.dtype)
    if not np.all(np.isfinite(given)):
        bad = int(np.argmin(np.isfinite(given)))
        raise ValueError(
            f"Element {bad} of the matrix's diagonal is {given[bad]} in {matrix.dtype}; all must "
            "be finite. Scale the values of X down, or use dtype=np.float64."
        )
    np.fill_diagonal(matrix, given)
    return given


def _check_inverse(precision, given):
    """Check the inverse by its diagonal; `given` is the diagonal of the matrix."""
    if not (np.all(np.isfinite(precision)) and np.all(precision > 0)):
        bad = int(np.argmin(np.isfinite(precision) & (precision > 0)))
        raise _not_positive_definite(precision.dtype, bad)
    # At least 1, at most the condition number of the matrix scaled to a unit diagonal.
    inflation = float(np.max(precision * given))
    eps = float(np.finfo(precision.dtype).eps)
    if inflation * eps > _MAX_ERROR:
        warnings.warn(
            f"The matrix to invert is ill-conditioned in {precision.dtype} (its scaled condition "
            f"number is at least {inflation:.1e}): few digits of the result are right. Raise "
            "alpha or use dtype=np.float64.",
            LinAlgWarning,
            stacklevel=2,
        )


def _not_positive_definite(dtype, item):
    return ValueError(
        f"The Gram matrix plus the penalty on its diagonal must be finite and positive definite. "
        f"Got a pivot that is not positive in {np.dtype(dtype).name} at item {item}: this item "
        "is, to that precision, a linear combination of those before it, or has no "
        "interactions and no penalty. Raise alpha, or use dtype=np.float64."
    )
