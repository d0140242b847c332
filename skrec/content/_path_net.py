"""The network of `MCRec`: convolutions over paths, and attention of three kinds."""

import numpy as np
import torch
from torch import nn

from skrec._torch._layers import dense_layers
from skrec._torch._learned_users import first_rows, has_users
from skrec.content._paths import PathFinder
from skrec.utils._sparse import pattern

_WIDTH = 3  # nodes that a convolution reads at once
_STD = 0.1  # of the first vectors' components
# Numbers of written-out paths that are held at once where users are scored.
_N_NUMBERS = 2**22


class PathNet(nn.Module):
    """Outputs for users and items, from their vectors and the vectors of the paths between them.

    Parameters
    ----------
    n_users : int or None
        None: the vectors of users come from outside.
    n_items : int
    n_components : int
    n_node_components : int
    metapaths : list of str
    layers : tuple of int
    sparse : bool
        Whether gradients of vectors are sparse.
    """

    def __init__(
        self, n_users, n_items, n_components, n_node_components, metapaths, layers, sparse
    ):
        super().__init__()
        d = n_components
        if n_users is not None:
            self.user = nn.Embedding(n_users, d, sparse=sparse)
        self.item = nn.Embedding(n_items, d, sparse=sparse)
        self.paths = nn.ModuleDict(
            {name: nn.Linear(_WIDTH * n_node_components, d) for name in metapaths}
        )
        if metapaths:
            self.attention = nn.Linear(3 * d, d)  # of [x; y; c_p]
            self.share = nn.Linear(d, 1)
        self.user_gate, self.item_gate = nn.Linear(2 * d, d), nn.Linear(2 * d, d)
        self.hidden = dense_layers((3 * d, *layers), "relu")
        self.output = nn.Linear(layers[-1], 1)
        self.graph = None

    def draw(self, problem):
        """Draw first weights: normal for vectors, Glorot's for layers; gates are open."""
        generator = problem.generator
        first_rows(self.user.weight, None, _STD, generator)
        first_rows(self.item.weight, has_users(problem.X), _STD, generator)
        with torch.no_grad():
            for layer in self.modules():
                if isinstance(layer, nn.Linear):
                    nn.init.xavier_uniform_(layer.weight, generator=generator)
                    layer.bias.fill_(1.0 if layer in (self.user_gate, self.item_gate) else 0.0)

    def path_vectors(self, sums, item, own, found):
        """Vectors of the metapaths of pairs, and which metapaths have a path.

        Parameters
        ----------
        sums : tensor of shape (n, d')
            Sums of the vectors of the rows' items.
        item : int64 tensor of shape (n, m)
        own : bool tensor of shape (n, m)
            Whether the row has the item, which then does not count among the user's items here.
        found : list of int64 tensor of shape (n, m, k)
            Places of instances, -1 for none.

        Returns
        -------
        vectors : tensor of shape (n, m, n_metapaths, d)
        present : bool tensor of shape (n, m, n_metapaths)
        """
        graph, vectors, present = self.graph.on(self.item.weight), [], []
        items = graph.vectors["item"]
        user = unit(sums[:, None] - own[..., None] * items[item])  # (n, m, d')
        for layer, kinds, nodes, some in zip(
            self.paths.values(), graph.kinds, graph.nodes, found, strict=True
        ):
            present.append(some[..., 0] >= 0)
            if not len(nodes):
                vectors.append(user.new_zeros(*item.shape, layer.out_features))
                continue
            # With fewer paths than k, the first one fills the rest.
            place = nodes[torch.where(some >= 0, some, some[..., :1]).clamp(min=0)]
            parts = [user[:, :, None].expand(*some.shape, -1)]
            for c, kind in enumerate(kinds[1:]):
                parts.append(graph.vectors[kind][place[..., c]])
            told = _largest(layer, torch.cat(parts, dim=-1))
            vectors.append(told * present[-1][..., None])
        if not vectors:
            return user.new_zeros(*item.shape, 0, 0), own.new_zeros(*item.shape, 0)
        return torch.stack(vectors, dim=2), torch.stack(present, dim=2)

    def shares(self, x, y, vectors, present):
        """Weight of each metapath, shape (n, m, n_metapaths): sums are 1, or 0 without paths."""
        d = x.shape[-1]
        of_user, of_item, of_path = self.attention.weight.split(d, dim=1)
        both = (x @ of_user.t() + y @ of_item.t() + self.attention.bias)[:, :, None]
        logit = torch.relu(self.share(torch.relu(both + vectors @ of_path.t())))[..., 0]
        logit = torch.where(present, logit, 0.0)  # 0 is not above any other
        share = (logit - logit.amax(dim=2, keepdim=True)).exp() * present
        return share / share.sum(dim=2, keepdim=True).clamp(min=1e-30)

    def forward(self, vector, item, context):
        """Outputs (n, m) of vectors (n, d), items (n, m) and what `path_vectors` returns."""
        y = self.item(item)  # (n, m, d)
        x = vector[:, None].expand(y.shape)
        told = torch.zeros_like(y)
        if len(self.paths):
            share = self.shares(vector[:, None], y, *context)
            told = (share[..., None] * context[0]).sum(dim=2)
        x = x * torch.relu(self.user_gate(torch.cat([x, told], dim=2)))
        y = y * torch.relu(self.item_gate(torch.cat([y, told], dim=2)))
        return self.output(self.hidden(torch.cat([x, told, y], dim=2)))[..., 0]

    def everything(self, rows, vectors):
        """Outputs for all items: shape (n, n_items).

        Parameters
        ----------
        rows : Rows
            The items of the users.
        vectors : tensor of shape (n, d)
        """
        n_items, like = len(self.item.weight), self.item.weight
        out = vectors.new_empty(len(vectors), n_items)
        start = np.append(rows.start.cpu().numpy(), len(rows.row))
        column = rows.column.cpu().numpy()
        graph = self.graph.on(like)
        sums = graph.sums(rows)
        longest = max([1, *(len(kinds) for kinds in graph.kinds)])
        size = max(1, _N_NUMBERS // (longest * sums.shape[1] * self.graph.finder.n_instances))
        for r in range(len(vectors)):
            mine = column[start[r] : start[r + 1]]
            found = [torch.from_numpy(part) for part in self.graph.finder.of_row(mine)]
            own = torch.zeros(n_items, dtype=torch.bool)
            own[torch.from_numpy(mine)] = True
            for item in torch.arange(n_items).split(size):
                some = [part[None, item].to(like.device) for part in found]
                item = item[None].to(like.device)
                context = self.path_vectors(sums[r : r + 1], item, own.to(like.device)[item], some)
                out[r, item[0]] = self(vectors[r : r + 1], item, context)[0]
        return out


def _largest(layer, parts):
    """The largest outputs of a convolution over places and paths: (n, m, d).

    Parameters
    ----------
    layer : Linear
    parts : tensor of shape (n, m, k, length * d')
        The vectors of paths' nodes, one after another.
    """
    width = layer.in_features
    windows = parts.unfold(-1, width, width // _WIDTH)  # (n, m, k, length - 2, 3 d')
    return torch.relu(layer(windows).flatten(2, 3).max(dim=2).values)


class Graph:
    """Nodes and instances of paths, and the same on a device.

    Parameters
    ----------
    vectors : dict of str to ndarray of shape (n_nodes, d')
    instances : list of Instances
    n_instances : int
    """

    def __init__(self, vectors, instances, n_instances):
        self._vectors, self._instances = vectors, instances
        self.finder = PathFinder(instances, n_instances)
        self._there = None

    def sums(self, X):
        """Sums of the vectors of the items of each row: ndarray (n_rows, d')."""
        return pattern(X) @ self._vectors["item"]

    def on(self, like):
        """The vectors and nodes on the device, in the dtype, of a tensor."""
        if self._there is None:
            with torch.inference_mode(False):  # training may continue with them
                self._there = DeviceGraph(self._vectors, self._instances, like)
        return self._there


class DeviceGraph:
    """Vectors and nodes as tensors, see `Graph`."""

    def __init__(self, vectors, instances, like):
        self.vectors = {kind: torch.tensor(v).to(like) for kind, v in vectors.items()}
        self.kinds = [one.kinds for one in instances]
        self.nodes = [
            torch.tensor(one.nodes, dtype=torch.int64, device=like.device) for one in instances
        ]

    def sums(self, rows):
        """Sums of the vectors of the items of `Rows`, shape (n_rows, d')."""
        items = self.vectors["item"]
        found = items.new_zeros(rows.n_rows, items.shape[1])
        return found.index_add_(0, rows.row, items[rows.column])


def unit(vectors):
    """Vectors at length 1; nearly zero vectors stay nearly zero."""
    return vectors / vectors.norm(dim=-1, keepdim=True).clamp(min=1e-3)
