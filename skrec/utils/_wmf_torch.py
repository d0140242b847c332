"""The half step of weighted matrix factorisation in torch: batched solves, for CUDA."""

import numpy as np
import torch

from skrec.utils._state_torch import torch_state

# Elements of the largest array of a batch: 256 MB in float32.
_BATCH_ELEMENTS = 1 << 26
# See skrec.utils._wmf_kernels.
_LEAST_RIDGE = 4


class TorchHalfStep:
    """As `skrec.utils._wmf_als.HalfStep`, exact, on a torch device.

    Rows are sorted by length and solved in batches, padded to the longest of the batch.
    The entries are copied to the device once; each `solve` copies the vectors.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_others)
    penalty, weight, confidence, unobserved_weight, counted
        See `skrec.utils._wmf_als.HalfStep`.
    device : torch.device
    """

    @torch_state()
    def __init__(self, X, penalty, weight, *, confidence, unobserved_weight, device, counted=None):
        self.penalty, self.unobserved_weight, self.device = penalty, unobserved_weight, device
        slope = confidence * X.data * weight[X.indices]
        missing = unobserved_weight * (weight if counted is None else weight * counted)
        self.slope = torch.from_numpy(slope).to(device)
        self.gain = torch.from_numpy(slope + missing[X.indices]).to(device)
        self.indices = torch.from_numpy(X.indices.astype(np.int32)).to(device)
        self.starts, self.lengths = X.indptr[:-1].astype(np.int64), np.diff(X.indptr)
        self.order = np.argsort(self.lengths, kind="stable")

    @torch_state()
    def solve(self, vectors, gram, out, prior=None):
        """Solve for all rows; see `skrec.utils._wmf_als.HalfStep.solve`."""
        others = torch.from_numpy(np.ascontiguousarray(vectors)).to(self.device)
        gram = torch.from_numpy(gram.astype(vectors.dtype)).to(self.device)
        empty = int(np.searchsorted(self.lengths[self.order], 1)) if prior is None else 0
        out[self.order[:empty]] = 0
        loss = 0.0
        for rows in self._batches(empty, vectors.shape[1]):
            old = torch.from_numpy(out[rows]).to(self.device)
            penalty = torch.from_numpy(self.penalty[rows]).to(self.device, old.dtype)
            mean = None
            if prior is not None:
                mean = torch.from_numpy(prior[rows]).to(self.device, old.dtype)
            new, part = self._solve_batch(rows, others, gram, penalty, old, mean)
            out[rows] = new.cpu().numpy()
            loss += float(part)
        return loss

    def _batches(self, start, d):
        """Yield rows from the shorter to the longer, as many as a batch may hold."""
        while start < len(self.order):
            size = 1
            while start + size < len(self.order):
                longest = int(self.lengths[self.order[min(start + 2 * size, len(self.order)) - 1]])
                if 2 * size * d * max(longest, d) > _BATCH_ELEMENTS:
                    break
                size *= 2
            yield self.order[start : start + size]
            start += size

    def _solve_batch(self, rows, others, gram, penalty, old, mean):
        """The solutions of some rows, and their part of the loss before."""
        starts = torch.from_numpy(self.starts[rows]).to(self.device)
        lengths = torch.from_numpy(self.lengths[rows]).to(self.device)
        places = torch.arange(int(self.lengths[rows].max()), device=self.device)
        inside = places < lengths[:, None]  # (b, longest)
        entries = torch.where(inside, starts[:, None] + places, 0)
        slope = (self.slope[entries] * inside).to(old.dtype)
        gain = (self.gain[entries] * inside).to(old.dtype)
        y = others[self.indices[entries].long()]  # (b, longest, d)
        scores = torch.einsum("bjf,bf->bj", y, old).double()
        loss = (gain * (1 - scores) ** 2 - (gain - slope) * scores**2).sum()
        matrix = torch.baddbmm(gram, y.transpose(1, 2), y * slope[:, :, None])  # (b, d, d)
        diagonal = matrix.diagonal(dim1=1, dim2=2)
        diagonal.add_(penalty[:, None])
        # The least penalty, as skrec.utils._wmf_kernels has it.
        least = _LEAST_RIDGE * torch.finfo(old.dtype).eps * diagonal.sum(1)
        diagonal.add_((least - penalty).clamp_min(0)[:, None])
        b = torch.einsum("bjf,bj->bf", y, gain)
        if mean is not None:
            b += penalty[:, None] * mean
        return torch.cholesky_solve(b[:, :, None], _factor(matrix))[:, :, 0], loss


def _factor(matrix):
    """Cholesky factors, of a matrix a little larger where rounding has left a pivot <= 0."""
    factor, failed = torch.linalg.cholesky_ex(matrix)
    if failed.any():
        diagonal = matrix.diagonal(dim1=1, dim2=2)
        info = torch.finfo(matrix.dtype)
        least = info.eps * matrix.shape[1] * diagonal.amax(1, keepdim=True)
        diagonal.add_(least.clamp_min(info.tiny) * (failed[:, None] != 0))
        factor = torch.linalg.cholesky_ex(matrix)[0]
    return factor
