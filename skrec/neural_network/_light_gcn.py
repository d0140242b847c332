"""LightGCN: vectors averaged over the graph of users and items (He et al. 2020)."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from skrec._torch._graph import Graph, mean_of_layers
from skrec._torch._learned_users import PAIR_RULES, FactorRecommender, first_rows, has_users
from skrec._torch._pairs import PairsOfUsers
from skrec._torch._weights import Weights
from skrec.utils._fitted import Array
from skrec.utils._hashing import match_rows, row_hashes
from skrec.utils._params import POSITIVE_INTEGER

_STD = 0.1  # of the first vectors, as in the authors' second code


class LightGCNNet(nn.Module):
    """Vectors of users and items, layer 0, and the graph along which they are averaged.

    Parameters
    ----------
    n_users, n_items : int
    n_components : int
    n_layers : int
        Steps along the edges.
    """

    def __init__(self, n_users, n_items, n_components, n_layers):
        super().__init__()
        self.user = nn.Embedding(n_users, n_components)
        self.item = nn.Embedding(n_items, n_components)
        self.n_layers, self.graph = n_layers, None

    def forward(self, users, items):
        """Means of the layers of users and items of any shapes, and their layer 0."""
        weights = self.user.weight, self.item.weight
        return mean_of_layers(self.graph, *weights, self.n_layers, users, items)

    def means(self):
        """Means of the layers of all users and of all items."""
        sums = self.graph.summed(self.user.weight, self.item.weight, self.n_layers)
        return tuple(part / (self.n_layers + 1) for part in sums)

    def given_by_items(self):
        """What an item adds to the mean vector of a user, but for the user's degree."""
        _, sums = self.graph.summed(self.user.weight, self.item.weight, self.n_layers - 1)
        return sums / (self.n_layers + 1)


class LightGCN(FactorRecommender):
    _parameter_rules = {
        "n_components": POSITIVE_INTEGER,
        "n_layers": POSITIVE_INTEGER,
        **{
            name: rule
            for name, rule in PAIR_RULES.items()
            if name not in ("loss", "n_negatives", "solver")
        },
    }
    _search_grid = [
        {"n_layers": n, "alpha": alpha} for n in (2, 3) for alpha in (1e-4, 1e-3)
    ]
    _fitted_rules = {
        "weights_": Weights(users_of="user.weight"),
        "item_layers_": Array("n_items", "n_components", dtypes=("float32",)),
    }
    _learns_from_pairs = False  # no user is solved for: a row is folded in by a formula

    def __init__(
        self,
        n_components=64,
        *,
        n_layers=3,
        alpha=1e-4,
        known_users="match",
        learning_rate=1e-3,
        batch_size=2048,
        max_iter=100,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        warm_start=False,
        device="auto",
        random_state=None,
        verbose=False,
    ):
        self.n_components = n_components
        self.n_layers = n_layers
        self.alpha = alpha
        self.known_users = known_users
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def _build_module(self, shape, problem=None):
        module = LightGCNNet(*shape, self.n_components, self.n_layers)
        if problem is not None:
            X, generator = problem.X, problem.generator
            first_rows(module.user.weight, np.diff(X.indptr) > 0, _STD, generator)
            first_rows(module.item.weight, has_users(X), _STD, generator)
            module.graph = Graph(X, problem.device)
        return module

    def _batches(self, problem):
        return PairsOfUsers(problem, self.batch_size, 1)

    def _loss(self, module, batch, step, generator):
        items = torch.cat([batch.items[:, None], batch.negatives], dim=1)  # (b, 2)
        users, items, *first = module(batch.users, items)
        scores = (items @ users[:, :, None])[:, :, 0]  # (b, 2)
        losses = functional.softplus(scores[:, 1] - scores[:, 0])
        if self.alpha:
            squares = first[0].square().sum(1) + first[1].square().sum((1, 2))
            losses = losses + self.alpha / 2 * squares
        return (batch.weight * losses).mean()

    def _user_vectors(self, module):
        return module.means()[0]

    def _item_vectors(self, module):
        items = module.means()[1]
        return items, items.new_zeros(len(items))

    def _resumed_state(self, problem):
        known = match_rows(self.user_hashes_, row_hashes(self._content(problem.X_given)))
        first = self.weights_["user.weight"]
        # Layer 0 of a row that is new is zero, as where it is folded in.
        users = np.where(known[:, None] >= 0, first[np.maximum(known, 0)], np.float32(0))
        return {**self.weights_, "user.weight": users}

    def _keep(self, module, problem):
        super()._keep(module, problem)
        self.weights_["user.weight"] = self.user_factors_  # layer 0
        degrees = np.bincount(problem.X.indices, minlength=problem.X.shape[1])
        with torch.inference_mode():
            self.user_factors_ = module.means()[0].cpu().numpy()
            given = module.given_by_items().cpu().numpy()
        self.item_layers_ = given / np.sqrt(np.maximum(degrees, 1), dtype=np.float32)[:, None]

    def _fold_in(self, X, hashes):
        lengths = np.diff(X.indptr)
        used = np.unique(X.indices)  # other items need not be widened
        given = self.item_layers_[used].astype(np.float64)
        return (X[:, used] @ given) / np.sqrt(np.maximum(lengths, 1))[:, None]
