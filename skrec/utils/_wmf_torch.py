"""The half step of weighted matrix factorisation in torch, for CUDA: rows in large batches."""

import numpy as np
import torch

from skrec.utils._state_torch import torch_state

# Elements of the largest array of a batch: 256 MB in float32.
_BATCH_ELEMENTS = 1 << 26
# See skrec.utils._wmf_kernels.
_LEAST_RIDGE = 4


class TorchHalfStep:
    """As `skrec.utils._wmf_als.HalfStep`, on a torch device.

    Rows are sorted by length and solved in batches, padded to the longest row of the batch.
    The entries are copied to the device once.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_others)
    penalty, weight, confidence, unobserved_weight, counted, cg_steps
        See `skrec.utils._wmf_als.HalfStep`.
    device : torch.device
    """

    @torch_state()
    def __init__(
        self,
        X,
        penalty,
        weight,
        *,
        confidence,
        unobserved_weight,
        device,
        counted=None,
        cg_steps=0,
    ):
        self.unobserved_weight, self.device, self.cg_steps = unobserved_weight, device, cg_steps
        slope = confidence * X.data * weight[X.indices]
        missing = unobserved_weight * (weight if counted is None else weight * counted)
        self.lengths = np.diff(X.indptr)
        self.order = np.argsort(self.lengths, kind="stable")
        self._slope, self._gain = self._put(slope), self._put(slope + missing[X.indices])
        self._indices = self._put(X.indices.astype(np.int32))
        self.penalty = penalty  # `sweep`, which moves vectors, reads it
        self._penalty, self._order = self._put(penalty), self._put(self.order)
        self._starts = self._put(X.indptr[:-1].astype(np.int64))
        self._lengths = self._put(self.lengths)

    def _put(self, array):
        return torch.from_numpy(np.require(array, requirements=("C", "W"))).to(self.device)

    @torch_state()
    def solve(self, vectors, gram, out, prior=None):
        """Solve for all rows; see `skrec.utils._wmf_als.HalfStep.solve`."""
        others, old = self._put(vectors), self._put(out)
        prior = None if prior is None else self._put(prior).to(old.dtype)
        loss = self._solve(others, self._put(gram).to(old.dtype), old, prior)
        out[:] = old.cpu().numpy()
        return float(loss)

    # On a device there is one way to solve exactly.
    solve_many = solve

    @torch_state()
    def alternate(self, items, user_factors, item_factors, sample_weight, n_sweeps):
        """Solve in turn for these rows, the users, and for the items, on the device.

        The vectors return to the host after the last sweep. The host waits once per sweep, for
        the loss. An exact solver also waits in each batch, to check its factorisation.
        See `skrec.utils._wmf_als.alternate`.
        """
        users_there, items_there = self._put(user_factors), self._put(item_factors)
        weight = np.ones(len(user_factors)) if sample_weight is None else sample_weight
        weight = self._put(np.asarray(weight, dtype=np.float64))
        losses = [float(self._sweep(items, users_there, items_there, weight)) for _ in n_sweeps]
        user_factors[:], item_factors[:] = users_there.cpu().numpy(), items_there.cpu().numpy()
        return losses

    def _sweep(self, items, users_there, items_there, weight):
        """Make one sweep in place; return the objective between its halves."""
        unobserved = self.unobserved_weight
        item_gram = unobserved * (items_there.T @ items_there)
        self._solve(items_there, item_gram, users_there)
        weighted = weight.to(users_there.dtype)[:, None] * users_there
        user_gram = unobserved * (users_there.T @ weighted)
        loss = (self._penalty * weight) @ users_there.double().square().sum(1)
        loss = loss + items._penalty.double() @ items_there.double().square().sum(1)
        loss = loss + items._solve(users_there, user_gram, items_there)
        if unobserved > 0:  # sum of the unobserved weight times y^2 over all cells
            loss = loss + (user_gram.double() * item_gram.double()).sum() / unobserved
        return loss

    def _solve(self, others, gram, out, prior=None):
        """Solve for all rows in place, on tensors; return the loss before the step, a tensor."""
        d = others.shape[1]
        empty = int(np.searchsorted(self.lengths[self.order], 1)) if prior is None else 0
        out.index_fill_(0, self._order[:empty], 0)
        loss = torch.zeros((), dtype=torch.float64, device=out.device)
        for start, stop in self._batches(empty, d):
            rows = self._order[start:stop]
            penalty, old = self._penalty[rows].to(out.dtype), out[rows]
            entries = self._entries(rows, int(self.lengths[self.order[stop - 1]]), out.dtype)
            items, slope, gain = entries
            problem = (others[items], slope, gain, gram, penalty)  # y: (b, longest, d)
            dots = (problem[0] @ old[:, :, None])[:, :, 0]
            mean = None if prior is None else prior[rows]
            if self.cg_steps:
                out[rows] = _descended(problem, old, dots, mean, self.cg_steps)
            else:
                out[rows] = _solved(problem, mean)
            y = dots.double()
            loss += (gain * (1 - y) ** 2 - (gain - slope) * y**2).sum()
        return loss

    def _batches(self, start, d):
        """Yield ranges of rows, from short rows to long ones, that fit into a batch."""
        while start < len(self.order):
            size = 1
            while start + size < len(self.order):
                longest = int(self.lengths[self.order[min(start + 2 * size, len(self.order)) - 1]])
                # An exact solution also holds the systems in memory.
                wide = max(longest, 1 if self.cg_steps else d)
                if 2 * size * d * wide > _BATCH_ELEMENTS:
                    break
                size *= 2
            stop = min(start + size, len(self.order))
            yield start, stop
            start = stop

    def _entries(self, rows, longest, dtype):
        """Items of some rows, e_j and e_j + m_j, each (b, longest); zeros pad short rows."""
        places = torch.arange(longest, device=self.device)
        inside = places < self._lengths[rows][:, None]
        entries = torch.where(inside, self._starts[rows][:, None] + places, 0)
        slope = (self._slope[entries] * inside).to(dtype)
        gain = (self._gain[entries] * inside).to(dtype)
        return self._indices[entries].long(), slope, gain


def _solved(problem, mean):
    """Solve exactly for some rows."""
    y, slope, gain, gram, penalty = problem
    matrix = torch.baddbmm(gram, y.transpose(1, 2), y * slope[:, :, None])  # (b, d, d)
    diagonal = matrix.diagonal(dim1=1, dim2=2)
    diagonal.add_(penalty[:, None])
    # The least penalty, see skrec.utils._wmf_kernels.
    least = _LEAST_RIDGE * torch.finfo(y.dtype).eps * diagonal.sum(1)
    diagonal.add_((least - penalty).clamp_min(0)[:, None])
    b = torch.einsum("bjf,bj->bf", y, gain)
    if mean is not None:
        b += penalty[:, None] * mean
    return torch.cholesky_solve(b[:, :, None], _factor(matrix))[:, :, 0]


def _factor(matrix):
    """Cholesky factors; a larger diagonal mends matrices with a pivot <= 0 by rounding."""
    factor, failed = torch.linalg.cholesky_ex(matrix)
    if failed.any():
        diagonal = matrix.diagonal(dim1=1, dim2=2)
        info = torch.finfo(matrix.dtype)
        least = info.eps * matrix.shape[1] * diagonal.amax(1, keepdim=True)
        diagonal.add_(least.clamp_min(info.tiny) * (failed[:, None] != 0))
        factor = torch.linalg.cholesky_ex(matrix)[0]
    return factor


def _descended(problem, x, dots, mean, n_steps):
    """Run steps of conjugate gradients; `skrec.utils._wmf_kernels.cg_rows` in batches.

    A row that has its solution, or whose steps are only rounding noise, takes further steps of
    length 0, so that the host need not ask the device.
    """
    y, slope, gain, gram, penalty = problem

    def spread(of_entries):  # sum_j of_entries_j y_j
        return (of_entries[:, None] @ y)[:, 0]

    away = x if mean is None else x - mean
    r = spread(gain - slope * dots) - x @ gram - penalty[:, None] * away
    unit, moves = _unit(r)
    r = r / unit[:, None]  # from here on: solve A z = r / unit and set x + unit z
    p, square = r, r.square().sum(1)
    enough = _noise(square, x, unit, gain, dots)
    for _ in range(n_steps):
        moves = moves & ~(square <= enough)
        product = penalty[:, None] * p + p @ gram
        product = product + spread(slope * (y @ p[:, :, None])[:, :, 0])
        curvature = (p * product).sum(1)
        moves = moves & ~(curvature <= 0)  # only by rounding; NaN propagates
        length = torch.where(moves, square / curvature, 0)
        # p may be infinite in a row that has stopped.
        x = torch.where(moves[:, None], x + (unit * length)[:, None] * p, x)
        r = r - length[:, None] * product
        last, square = square, r.square().sum(1)
        p = r + torch.where(moves, square / last, 0)[:, None] * p
    return x


def _unit(r):
    """The power of two below the largest element of each row, and whether the row is not zero."""
    largest, info = r.abs().amax(1), torch.finfo(r.dtype)
    moves = ~(largest < info.tiny / info.eps)
    power = largest / (2 * torch.frexp(largest).mantissa)  # exact; ldexp would be float32
    return torch.where(moves & torch.isfinite(largest), power, 1), moves


def _noise(square, x, unit, gain, dots):
    """See `skrec.utils._wmf_kernels._noise`."""
    of_b = (gain.double() * dots.double()).sum(1)
    length = x.double().square().sum(1).sqrt()
    of_b = torch.where((of_b > 0) & (length > 0), of_b / length / unit.double(), 0)
    return torch.finfo(x.dtype).eps ** 2 * torch.maximum(square.double(), of_b.square())
