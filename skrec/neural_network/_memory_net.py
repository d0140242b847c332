"""The network of `CMN`: memories of users, attention over the users of an item, hops."""

import math

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import nn

from skrec._loss._pairs import PAIR_LOSSES
from skrec._torch._segments import AllLists, Lists, attend

_STD = 0.01  # of the authors' first vectors
_CLIP = 5.0  # longest gradient of a parameter, theirs
_DECAY, _MOMENTUM = 0.9, 0.9  # of their RMSProp
# Most pairs scored at once, and entries of lists that they may read.
_N_PAIRS, _N_READ = 2**16, 2**22


class MemoryNet(nn.Module):
    """Scores of items for a user's memory m_u, from the memories of the items' users.

    Parameters
    ----------
    n_users : int or None
        None: the vectors and memories of users come from outside.
    n_items : int
    n_components : int
    n_hops : int
    lists : csr_array of shape (n_items, n_users) or None
        The users that each item's attention covers.
    memories : tuple of two ndarray of shape (n_users, n_components), or None
        m and c, if the network has no parameters of users.
    """

    def __init__(self, n_users, n_items, n_components, n_hops, lists=None, memories=None):
        super().__init__()
        if n_users is not None:
            self.user = nn.Embedding(n_users, n_components)
            self.external = nn.Embedding(n_users, n_components)
        self.item = nn.Embedding(n_items, n_components)
        self.hops = nn.ModuleList(nn.Linear(n_components, n_components) for _ in range(n_hops - 1))
        self.hidden = nn.Linear(2 * n_components, n_components)
        self.output = nn.Linear(n_components, 1, bias=False)
        self.graph, self._given, self._lists = lists, memories, None

    def memories(self):
        """m and c of the users of `fit` as tensors, and the lists of the items' users."""
        like = self.item.weight
        if self._lists is None:
            with torch.inference_mode(False):  # training may continue with them
                self._lists = Lists.of_rows(self.graph, like.device)
        if self._given is None:
            return self.user.weight, self.external.weight, self._lists
        if isinstance(self._given[0], np.ndarray):
            self._given = tuple(torch.tensor(each).to(like) for each in self._given)
        return *self._given, self._lists

    def forward(self, vector, item, own=None):
        """Outputs (n, m) of vectors (n, d) and items (n, m).

        `own` (n,) are users of `fit`, whose memory is left out of their items.
        """
        keys, values, lists = self.memories()
        items = self.item(item)  # (n, m, d)
        query = (vector[:, None] + items).flatten(0, 1)
        without = vector.new_full((len(item),), -1, dtype=torch.int64) if own is None else own
        place = (lists, item.flatten(), without.repeat_interleave(item.shape[1]))
        told = attend(query, keys, values, *place)
        for hop in self.hops:
            query = torch.relu(hop(query) + told)
            told = attend(query, keys, values, *place)
        both = torch.cat([(vector[:, None] * items).flatten(0, 1), told], dim=1)
        return self.output(torch.relu(self.hidden(both))).view(item.shape)

    def pairs(self, vector, item):
        """Outputs (n,) for vectors (n, d) and one item each (n,), some at a time."""
        lists = self.memories()[2]
        read = np.cumsum(lists.lengths(item).cpu().numpy())
        bounds = [0]
        while bounds[-1] < len(item):
            start = bounds[-1]
            limit = (read[start - 1] if start else 0) + _N_READ
            stop = int(np.searchsorted(read, limit, side="right"))
            bounds.append(max(start + 1, min(stop, start + _N_PAIRS)))
        found = [
            self(vector[a:b], item[a:b, None])[:, 0]
            for a, b in zip(bounds[:-1], bounds[1:], strict=True)
        ]
        return torch.cat(found) if found else vector.new_empty(0)

    def everything(self, vectors):
        """Outputs for all items: shape (n, n_items)."""
        keys, values, lists = self.memories()
        base, width = self.item.weight, vectors.shape[1]
        out = vectors.new_empty(len(vectors), len(base))
        if vectors.device.type != "cpu":
            item = torch.arange(len(base), device=vectors.device)
            for row, vector in zip(out, vectors, strict=True):
                row[:] = self.pairs(vector.expand(len(base), -1), item)
            return out
        attention = AllLists(base, keys, values, lists)
        of_items, of_told = self.hidden.weight.split(width, dim=1)
        of_base = [base @ hop.weight.t() + hop.bias for hop in self.hops[:1]]
        for row, vector in zip(out, vectors, strict=True):
            told = torch.from_numpy(attention.first(vector.numpy()))  # (n_items, d)
            for h, hop in enumerate(self.hops):
                linear = hop(query) if h else of_base[0] + hop.weight @ vector  # noqa: F821
                query = torch.relu_(linear.add_(told))
                told = torch.from_numpy(attention.further(query.numpy()))
            hidden = base @ (of_items * vector).t() + told @ of_told.t() + self.hidden.bias
            row[:] = torch.relu_(hidden) @ self.output.weight[0]
        return out

    def penalty(self):
        """Sum of the squares of the layers' weights."""
        layers = (*self.hops, self.hidden, self.output)
        return sum(layer.weight.square().sum() for layer in layers)


def initialise(module, has_users, generator):
    """Draw the authors' first weights: He's for layers, Glorot's for the last one."""
    with torch.no_grad():
        for weight in (module.user.weight, module.external.weight):
            _truncated(weight, _STD, generator)
        module.item.weight.zero_()
        some = torch.empty(int(has_users.sum()), module.item.weight.shape[1])
        _truncated(some, _STD, generator)
        module.item.weight[torch.from_numpy(has_users)] = some
        for layer in (*module.hops, module.hidden):
            # sqrt(2 / n_in), truncated at two deviations.
            _truncated(layer.weight, math.sqrt(2 / layer.in_features), generator)
            layer.bias.fill_(0.0 if layer is module.hidden else 1.0)
        _glorot(module.output.weight, generator)


def _truncated(weight, std, generator):
    nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std, generator=generator)


def _glorot(weight, generator):
    limit = math.sqrt(6 / sum(weight.shape))
    weight.uniform_(-limit, limit, generator=generator)


class FirstMemories(nn.Module):
    """The pretraining model: memories of users and items as factors, and a ReLU on the score.

    Parameters
    ----------
    net : MemoryNet
        The network whose embeddings are trained.
    generator : torch.Generator
    """

    def __init__(self, net, generator):
        super().__init__()
        self.user, self.item = net.user, net.item
        weight = torch.empty(1, net.item.weight.shape[1])
        _glorot(weight, generator)
        self.weight = nn.Parameter(weight.to(net.item.weight.device))

    def loss(self, batch, alpha):
        """Mean loss of a batch of pairs."""
        item = torch.cat([batch.items[:, None], batch.negatives], dim=1)
        weighted = self.user(batch.users) * self.weight[0]
        output = torch.relu((self.item(item) @ weighted[:, :, None])[:, :, 0])
        return pair_loss(output, batch) + alpha / 2 * self.weight.square().sum()


def pair_loss(output, batch):
    """Mean over the pairs of the summed BPR losses; outputs (n, 1 + n_negatives)."""
    one = torch.ones_like(output)
    losses = PAIR_LOSSES["bpr"].value(output[:, :1], output[:, 1:], one[:, :1], one[:, 1:])
    return (batch.weight * losses).mean()


class ClippedRMSprop(torch.optim.RMSprop):
    """RMSProp with momentum, which first clips the gradient of each parameter separately."""

    def __init__(self, parameters, lr):
        super().__init__(parameters, lr=lr, alpha=_DECAY, momentum=_MOMENTUM)

    def step(self):
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    nn.utils.clip_grad_norm_([parameter], _CLIP)
        return super().step()


def drawn_lists(X, max_neighbors, generator):
    """The users of each item: a csr_array of ones of shape (n_items, n_users).

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
    max_neighbors : int or None
        Users drawn for an item with more users.
    generator : torch.Generator
    """
    ones = np.ones(X.nnz, dtype=np.float32)
    lists = csr_array((ones, X.indices, X.indptr), shape=X.shape).T.tocsr()
    length = np.diff(lists.indptr)
    if max_neighbors is None or length.max(initial=0) <= max_neighbors:
        return lists
    row = np.repeat(np.arange(X.shape[1]), length)
    draw = torch.rand(lists.nnz, dtype=torch.float64, generator=generator).numpy()
    order = np.lexsort((draw, row))
    kept = np.sort(order[np.arange(lists.nnz) - lists.indptr[row] < max_neighbors])
    start = np.concatenate([[0], np.cumsum(np.minimum(length, max_neighbors))])
    entries = (lists.data[kept], lists.indices[kept], start.astype(lists.indptr.dtype))
    return csr_array(entries, shape=lists.shape)
