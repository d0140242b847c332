"""The network of `skrec.neural_network.ResidualMF`, which learns the residual of the factors."""

from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from skrec._evaluation._entries import entry_rows
from skrec._torch._fit_loop import fit_loop
from skrec._torch._layers import dense_layers

# Interactions that draw their negatives at once.
_CHUNK = 2**20
# Outputs computed at once where users are scored.
_N_OUTPUTS = 2**17


class Branch(nn.Module):
    """A ReLU network of the vectors of a user and an item; its output starts at zero.

    The first layer is a half of the user plus a half of the item, so pairs of vectors are never
    joined.

    Parameters
    ----------
    n_components : int
    sizes : tuple of int
        Sizes of the hidden layers.
    """

    def __init__(self, n_components, sizes):
        super().__init__()
        self.user = nn.Linear(n_components, sizes[0])
        self.item = nn.Linear(n_components, sizes[0], bias=False)
        self.hidden = dense_layers(sizes, "relu")
        self.output = nn.Linear(sizes[-1], 1)

    def draw(self, generator):
        """Draw Glorot's uniform weights; biases and the last layer are zero."""
        with torch.no_grad():
            for name, weight in self.named_parameters():
                if name.endswith("bias") or name.startswith("output"):
                    weight.zero_()
                    continue
                # Both halves form one matrix with twice the inputs.
                n_out, n_in = weight.shape
                n_in = n_in if name.startswith("hidden") else 2 * n_in
                limit = (6 / (n_in + n_out)) ** 0.5
                weight.uniform_(-limit, limit, generator=generator)
        return self

    def join(self, of_users, of_items):
        """Outputs for halves that broadcast against each other, without their last axis."""
        return self.output(self.hidden((of_users + of_items).relu()))[..., 0]


class Samples(NamedTuple):
    """Some interactions with negatives, or some ratings.

    Attributes
    ----------
    users : int64 tensor of shape (n,)
    items : int64 tensor of shape (n, 1 + n_negatives)
    targets : float tensor of shape (n,)
        1, or the rating.
    """

    users: torch.Tensor
    items: torch.Tensor
    targets: torch.Tensor

    @property
    def n_rows(self):
        """Number of interactions."""
        return len(self.users)


class ShuffledSamples:
    """Batches of all entries of a matrix; each pass has a new order.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
    n_negatives : int
        Items drawn for each entry, uniformly among all items.
    batch_size : int
    generator : torch.Generator
        On the CPU.
    device : torch.device
    """

    def __init__(self, X, n_negatives, batch_size, generator, device):
        entries = ((entry_rows(X), np.int64), (X.indices, np.int64), (X.data, np.float32))
        self._entries = tuple(
            torch.from_numpy(np.require(part, dtype, "W")).to(device) for part, dtype in entries
        )
        self._n_items, self._n_negatives = X.shape[1], n_negatives
        self._batch_size, self._generator = int(batch_size), generator

    def __iter__(self):
        order = torch.randperm(len(self._entries[0]), generator=self._generator)
        size = max(1, _CHUNK // self._batch_size) * self._batch_size  # whole batches
        for places in order.split(size) if len(order) else ():
            shape = (len(places), self._n_negatives)
            drawn = torch.randint(self._n_items, shape, generator=self._generator)
            places, drawn = (part.to(self._entries[0].device) for part in (places, drawn))
            users, items, targets = (part[places] for part in self._entries)
            parts = (users, torch.cat([items[:, None], drawn], dim=1), targets)
            for batch in zip(*(part.split(self._batch_size) for part in parts), strict=True):
                yield Samples(*batch)


def branch_loss(branch, batch, factors, alpha, *, logistic):
    """Mean loss of a batch of `Samples`, with the penalty of the branch's weights.

    Parameters
    ----------
    branch : Branch
    batch : Samples
    factors : Factors
        On the device of the batch. Their scores are added to the branch; they do not learn.
    alpha : float
    logistic : bool
        Whether to use the logistic loss of 1 and 0; else half the squared error.
    """
    users, items = factors.users[batch.users], factors.items[batch.items]  # (n, d), (n, m, d)
    output = (items @ users[:, :, None])[:, :, 0] + factors.intercept
    output = output + factors.of_users[batch.users, None] + factors.of_items[batch.items]
    if len(factors.items) <= batch.items.numel():  # whichever needs fewer products
        of_items = functional.embedding(batch.items, branch.item(factors.items))
    else:
        of_items = branch.item(items)
    output = output + branch.join(branch.user(users)[:, None], of_items)  # (n, m)
    if logistic:
        loss = functional.softplus(output).sum(1) - output[:, 0]
    else:
        loss = (batch.targets - output[:, 0]).square() / 2
    weights = [weight for name, weight in branch.named_parameters() if name.endswith("weight")]
    return loss.mean() + alpha / 2 * sum(weight.square().sum() for weight in weights)


def learn_branch(branch, factors, batches, *, rate, alpha, logistic, **loop):
    """Learn the network by Adam with fixed factors; returns the `History`.

    Parameters
    ----------
    branch : Branch
        Changed.
    factors : Factors
        On the device of the branch.
    batches : ShuffledSamples
    rate, alpha : float
    logistic : bool
        See `branch_loss`.
    **loop
        Options of `skrec._torch._fit_loop.fit_loop`.

    Raises
    ------
    FloatingPointError
        If a loss is not finite.
    """

    def loss(batch, step):
        return branch_loss(branch, batch, factors, alpha, logistic=logistic)

    return fit_loop(branch, torch.optim.Adam(branch.parameters(), lr=rate), batches, loss, **loop)


class BranchScorer:
    """The network's part of scores.

    Parameters
    ----------
    branch : Branch
        On its device, in the dtype of the scores.
    items : ndarray of shape (n_items, d)
    """

    def __init__(self, branch, items):
        self._branch = branch
        with torch.inference_mode():
            self._of_items = branch.item(self._put(items))  # (n_items, h)

    def _put(self, array):
        weight = self._branch.output.weight
        return torch.from_numpy(np.ascontiguousarray(array)).to(weight.device, weight.dtype)

    def dense(self, vectors):
        """Outputs for all items and users with these vectors, an ndarray (n_users, n_items)."""
        n_items = len(self._of_items)
        found = np.empty((len(vectors), n_items), dtype=str(self._of_items.dtype).split(".")[-1])
        some = max(1, _N_OUTPUTS // n_items)
        with torch.inference_mode():
            for start in range(0, len(vectors), some):
                part = self._branch.user(self._put(vectors[start : start + some]))
                output = self._branch.join(part[:, None], self._of_items)
                found[start : start + some] = output.cpu().numpy()
        return found

    def pairs(self, vectors, rows, items):
        """Outputs for pairs of a user and an item, an ndarray."""
        found = []
        with torch.inference_mode():
            of_users, rows, items = (
                self._branch.user(self._put(vectors)),
                *(torch.from_numpy(part).to(self._of_items.device) for part in (rows, items)),
            )
            for row, item in zip(rows.split(_N_OUTPUTS), items.split(_N_OUTPUTS), strict=True):
                found.append(self._branch.join(of_users[row], self._of_items[item]).cpu().numpy())
        return np.concatenate(found)
