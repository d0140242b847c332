"""SLIM by ADMM: matrix products and an inverse (Steck et al. 2020), on CPU or CUDA by torch."""

import warnings

import numpy as np
from scipy.sparse import csc_array
from sklearn.exceptions import ConvergenceWarning

from skrec.linear_model._inverse import invert_positive_definite
from skrec.linear_model._mirror import diagonal_as, mirror_upper
from skrec.utils._memory import check_memory
from skrec.utils._parallel import run_ranges

# Over-relaxation between 1 and 2.
_RELAXATION = 1.6
# Every so many iterations, rho is adapted if the residuals differ by more than this factor. Each
# change costs an inverse.
_ADAPT_EVERY = 10
_IMBALANCE = 4.0


def admm_memory(n_items, *, dtype=np.float32):
    """Estimate the bytes that `admm_columns` needs beside the Gram matrix."""
    return 5 * n_items * n_items * np.dtype(dtype).itemsize


def admm_columns(
    gram,
    penalty,
    *,
    l1=0.0,
    positive=True,
    n_neighbors=None,
    tol=1e-5,
    max_iter=1000,
    device="cpu",
    n_jobs=None,
):
    """Solve the problem of `skrec.linear_model._slim_columns.gram_columns` by ADMM.

    Splits W in two: B minimises 1/2 tr(B^T H B) - tr(B^T G) with diag(B) = 0, C minimises the
    L1 norm (with C >= 0), and B = C. With the scaled multipliers U, E = diag(H), and
    P = (H + rho E)^-1, an iteration is [1]_

        B <- rho P E (C - U) + I - P diag(gamma)     with gamma such that diag(B) = 0,
        C <- soft threshold of B + U by l1 / (rho E),
        U <- U + B - C.

    Differs from [1]_: rho is adapted and weighed by E, so popular and rare items converge alike;
    B is over-relaxed; C has a zero diagonal, too.

    Parameters
    ----------
    gram, penalty, l1, positive, n_neighbors
        As in `gram_columns`.
    tol : float, default=1e-5
        Largest norm of B - C and of the change of C, both weighed by E^(1/2). Both are relative
        to the norm of the first B, which is the solution with an L2 penalty only.
    max_iter : int, default=1000
        Most iterations.
    device : str or torch.device, default="cpu"
        Where to compute. Needs room for six matrices n_items x n_items, five on a CUDA device.
    n_jobs : int or None, default=None
        Threads of the kernels; torch and BLAS have their own numbers of threads.

    Returns
    -------
    coef : csc_array of shape (n_items, n_items), dtype of `gram`
        The matrix C.
    n_iter : int
        Number of iterations.

    Warns
    -----
    ConvergenceWarning
        If `max_iter` did not suffice.

    References
    ----------
    .. [1] H. Steck, M. Dimakopoulou, N. Riabov and T. Jebara, "ADMM SLIM: Sparse
       recommendations for many users", WSDM 2020.
    """
    import torch

    from skrec.utils._state_torch import torch_state

    mirror_upper(gram, n_jobs=n_jobs)
    penalty = diagonal_as(penalty, gram)
    weight = gram.diagonal() + penalty
    weight[weight == 0] = 1.0
    with torch_state():
        device = torch.device(device)
        _check_device_memory(gram, device)
        allowed = _allowed(gram, n_neighbors, n_jobs)
        forbidden = None if allowed is None else torch.from_numpy(~allowed).to(device)
        state = _State(gram, penalty, weight, device, n_jobs)
        primal = dual = np.inf
        n_iter = 0
        while max(primal, dual) > tol and n_iter < max_iter:
            if n_iter and n_iter % _ADAPT_EVERY == 0:
                state.adapt(primal, dual)
            primal, dual = state.step(l1, positive, forbidden)
            n_iter += 1
        coef = csc_array(state.C.cpu().numpy())
    if max(primal, dual) > tol:
        warnings.warn(
            f"ADMM did not converge within max_iter={max_iter}: residuals are {primal:.1e} "
            f"(primal) and {dual:.1e} (dual), tol={tol:g}. Raise max_iter, alpha or tol.",
            ConvergenceWarning,
            stacklevel=5,
        )
    return coef, n_iter


def _allowed(gram, n_neighbors, n_jobs):
    """Mask of the places where weights may stand; None: everywhere."""
    if n_neighbors is None:
        return None
    from skrec.linear_model._slim_kernels import mark_nearest

    allowed = np.zeros(gram.shape, dtype=bool)
    norm = np.sqrt(gram.diagonal())

    def columns(start, stop):
        mark_nearest(gram, norm, n_neighbors, start, stop, allowed)

    run_ranges(columns, len(gram), n_jobs=n_jobs)
    return allowed


def _check_device_memory(gram, device):
    if device.type != "cuda":
        return
    import torch

    check_memory(
        admm_memory(len(gram), dtype=gram.dtype),
        f"ADMM with {len(gram):,} items on {device}",
        ["use device='cpu'", "use dtype='float32'"],
        available=torch.cuda.mem_get_info(device)[0],
    )


class _State:
    """The matrices of ADMM and the operations on them."""

    def __init__(self, gram, penalty, weight, device, n_jobs):
        import torch

        self._torch = torch
        self._problem = gram, penalty, weight, device, n_jobs
        self._weight = torch.from_numpy(weight).to(device)[:, None]
        self.rho = 1.0
        self.scale = None
        self._invert()
        self.C, self.U, self.B, self.T = (torch.zeros_like(self.P) for _ in range(4))

    def _invert(self):
        gram, penalty, weight, device, n_jobs = self._problem
        diagonal = penalty.astype(np.float64) + self.rho * weight.astype(np.float64)
        inverse = invert_positive_definite(gram.copy(), diagonal, device=device, n_jobs=n_jobs)
        self.P = self._torch.from_numpy(inverse).to(device)

    def adapt(self, primal, dual):
        """Change rho so that both residuals fall alike."""
        factor = (primal / max(dual, 1e-30)) ** 0.5
        if 1 / _IMBALANCE**0.5 <= factor <= _IMBALANCE**0.5:
            return
        factor = min(max(factor, 0.1), 10.0)
        self.rho *= factor
        self.U /= factor
        self.P = None  # makes room
        self._invert()

    def step(self, l1, positive, forbidden):
        """One iteration; returns the relative primal and dual residuals."""
        torch = self._torch
        P, B, C, T, U = self.P, self.B, self.C, self.T, self.U
        torch.sub(C, U, out=T).mul_(self.rho * self._weight)
        torch.matmul(P, T, out=B)
        B.diagonal().add_(1.0)
        B.addcmul_(P, (B.diagonal() / P.diagonal())[None, :], value=-1.0)
        B.fill_diagonal_(0.0)
        if self.scale is None:
            self.scale = self._norm(B)
        B.mul_(_RELAXATION).add_(C, alpha=1.0 - _RELAXATION)
        # From here on T is the new C, and U will be B + U - T.
        U.add_(B)
        torch.sub(U, l1 / (self.rho * self._weight), out=T)
        if positive:
            T.clamp_(min=0.0)
        else:
            lower = torch.add(U, l1 / (self.rho * self._weight)).clamp_(max=0.0)
            T.clamp_(min=0.0).add_(lower)
        T.fill_diagonal_(0.0)
        if forbidden is not None:
            T.masked_fill_(forbidden, 0.0)
        U.sub_(T)
        primal, dual = self._norm(B.sub_(T)), self._norm(C.sub_(T))
        self.C, self.T = T, C
        return primal, dual

    def _norm(self, matrix):
        """Norm weighed by E^(1/2), relative to the scale."""
        rows = self._torch.linalg.vector_norm(matrix, dim=1)
        norm = float(self._torch.linalg.vector_norm(rows * self._weight[:, 0].sqrt()))
        return norm / self.scale if self.scale else norm
