"""The half step of weighted matrix factorisation in torch: batched solves, for CUDA."""

import numpy as np
import torch

# Elements of the largest array of a batch: 256 MB in float32.
_BATCH_ELEMENTS = 1 << 26


class TorchHalfStep:
    """As `skrec.decomposition._wmf_als.HalfStep`, exact, on a torch device.

    Rows are sorted by length and solved in batches, padded to the longest of the batch.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_others)
    penalty, weight, confidence, unobserved_weight
        See `skrec.decomposition._wmf_als.HalfStep`.
    device : torch.device
    """

    def __init__(self, X, penalty, weight, *, confidence, unobserved_weight, device):
        self.X, self.penalty = X, penalty
        self.unobserved_weight = unobserved_weight
        self.device = device
        of_entry = weight[X.indices]
        self.slope = confidence * X.data * of_entry
        self.gain = self.slope + unobserved_weight * of_entry
        self.lengths = np.diff(X.indptr)
        self.order = np.argsort(self.lengths, kind="stable")

    def solve(self, vectors, gram, out):
        """Solve for all rows; see `skrec.decomposition._wmf_als.HalfStep.solve`."""
        on_device = torch.from_numpy(np.ascontiguousarray(vectors)).to(self.device)
        gram = torch.from_numpy(np.ascontiguousarray(gram)).to(self.device)
        empty = int(np.searchsorted(self.lengths[self.order], 1))
        out[self.order[:empty]] = 0
        loss = 0.0
        for rows in self._batches(empty, vectors.shape[1]):
            loss += self._solve_batch(rows, on_device, gram, out)
        return loss

    def _batches(self, start, d):
        while start < len(self.order):
            size = 1
            while start + size < len(self.order):
                longest = int(self.lengths[self.order[min(start + 2 * size, len(self.order)) - 1]])
                if 2 * size * d * max(longest, d) > _BATCH_ELEMENTS:
                    break
                size *= 2
            yield self.order[start : start + size]
            start += size

    def _padded(self, values, rows, dtype):
        """Entries of some rows as a matrix, zeros behind them."""
        lengths = self.lengths[rows]
        places = np.arange(lengths.max())
        inside = places < lengths[:, np.newaxis]
        source = np.where(inside, self.X.indptr[rows][:, np.newaxis] + places, 0)
        padded = np.where(inside, values[source], 0).astype(dtype)
        return torch.from_numpy(padded).to(self.device)

    def _solve_batch(self, rows, vectors, gram, out):
        dtype = out.dtype
        indices = self._padded(self.X.indices, rows, np.int64)
        slope = self._padded(self.slope, rows, dtype)
        gain = self._padded(self.gain, rows, dtype)
        y = vectors[indices]  # (b, longest, d)
        old = torch.from_numpy(out[rows]).to(self.device)
        scores = torch.einsum("bjf,bf->bj", y, old).double()
        loss = (gain * (1 - scores) ** 2 - (gain - slope) * scores**2).sum()
        penalty = torch.from_numpy(self.penalty[rows].astype(dtype)).to(self.device)
        matrix = torch.baddbmm(gram, y.transpose(1, 2), y * slope[:, :, None])  # (b, d, d)
        matrix.diagonal(dim1=1, dim2=2).add_(penalty[:, None])
        b = torch.einsum("bjf,bj->bf", y, gain)
        factor, _ = torch.linalg.cholesky_ex(matrix)
        out[rows] = torch.cholesky_solve(b[:, :, None], factor)[:, :, 0].cpu().numpy()
        return float(loss)
