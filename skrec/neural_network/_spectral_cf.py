"""SpectralCF: filters over the graph of users and items (Zheng et al. 2018)."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from skrec._loss._pairs import PAIR_LOSSES
from skrec._torch._fold_in import N_DRAWS
from skrec._torch._graph import Graph, distinct, step
from skrec._torch._learned_users import (
    PAIR_RULES,
    FactorRecommender,
    RowObjective,
    first_rows,
    has_users,
)
from skrec._torch._newton import minimise_rows
from skrec._torch._pairs import PairsOfUsers
from skrec._torch._weights import Weights
from skrec.neural_network._spectral_rows import RowLayers
from skrec.utils._fitted import refused
from skrec.utils._params import NONE, POSITIVE_INTEGER, Options
from skrec.utils._state_torch import torch_state

# Mean and standard deviation of the authors' first weights.
_MEAN, _STD = 0.01, 0.02
# Weights of a node itself and of its neighbours' mean: I + L, and its mirror image.
_RESPONSES = {"high_pass": (2.0, -1.0), "low_pass": (1.0, 1.0)}


class SpectralCFNet(nn.Module):
    """Layers over the graph of users and items, joined as the output.

    Parameters
    ----------
    n_users : int or None
        None: the vectors of users come from outside.
    n_items : int
    n_components : int
        Length of a layer's vectors.
    n_layers : int
    response : tuple of float
        Weight of the node itself, and weight of its neighbours' mean.
    """

    def __init__(self, n_users, n_items, n_components, n_layers, response):
        super().__init__()
        if n_users is not None:
            self.user = nn.Embedding(n_users, n_components)
        self.item = nn.Embedding(n_items, n_components)
        self.filters = nn.Parameter(torch.empty(n_layers, n_components, n_components))
        self.response, self.graph = response, None

    def forward(self, users, items):
        """Outputs of users and items of any shapes, ``(n_layers + 1) * n_components`` long."""
        user_rows, user_places = distinct(users)
        item_rows, item_places = distinct(items)
        outputs = self._outputs(user_rows, item_rows)
        return tuple(
            functional.embedding(places, torch.cat(part, dim=1))
            for places, part in zip((user_places, item_places), outputs, strict=True)
        )

    def outputs(self):
        """Outputs of all users and of all items."""
        return tuple(torch.cat(part, dim=1) for part in self._outputs(None, None))

    def _outputs(self, user_rows, item_rows):
        """Layers of some users and items; the last step covers these rows alone."""

        def at(rows, vectors):
            return vectors if rows is None else functional.embedding(rows, vectors)

        own, others = self.response
        u, i = self.user.weight, self.item.weight
        of_users, of_items = [at(user_rows, u)], [at(item_rows, i)]
        for weight in self.filters[:-1]:
            near_u, near_i = step(self.graph, u, i)
            u = torch.sigmoid((own * u + others * near_u) @ weight)
            i = torch.sigmoid((own * i + others * near_i) @ weight)
            of_users.append(at(user_rows, u))
            of_items.append(at(item_rows, i))
        near_u, near_i = step(self.graph, u, i, user_rows, item_rows)
        u, i, weight = of_users[-1], of_items[-1], self.filters[-1]
        of_users.append(torch.sigmoid((own * u + others * near_u) @ weight))
        of_items.append(torch.sigmoid((own * i + others * near_i) @ weight))
        return of_users, of_items


class SpectralCF(FactorRecommender):
    r"""SpectralCF: filters learned over the graph of users and items.

    The training matrix is a graph: an edge joins user u and item i if :math:`x_{ui} > 0`. With
    the adjacency matrix A of all nodes, their degrees D and :math:`P = D^{-1} A`, the layers of a
    node are

    .. math:: X^{(k+1)} = \sigma\left( (2 I - P) X^{(k)} \Theta^{(k)} \right),
        \qquad k = 0 \ldots K - 1

    and its vector :math:`v` joins all of them, :math:`X^{(0)}` to :math:`X^{(K)}` [1]_. The score
    is :math:`s_{ui} = v_u^T v_i`. `fit` learns :math:`X^{(0)}` and the filters :math:`\Theta`. It
    minimises the mean over triplets of a user u, drawn uniformly, an item i drawn among the user's
    items, and an item j drawn among the items that somebody has and the user does not:

    .. math:: -\log \sigma(s_{ui} - s_{uj})
        + \frac{\alpha}{2} \left( \|v_u\|^2 + \|v_i\|^2 + \|v_j\|^2 \right)

    Scores only rank items. Only the set of a user's items matters, not the stored values.

    Parameters
    ----------
    n_components : int, default=16
        Length d of a layer's vectors, the paper's C and F.
    n_layers : int, default=3
        Number of layers, the paper's K, > 0.
    filter : {"high_pass", "low_pass"}, default="high_pass"
        "high_pass", the paper's filter above, weakens what a node has in common with its
        neighbours. "low_pass" takes ``I + P`` in place of ``2 I - P``.
    alpha : float, default=0.01
        Penalty of the vectors, >= 0; the authors' decay, 0.001 in their code.
    known_users : {"match", "fold_in"}, default="match"
        "match": a row with the same items as a training row gets its learned vector (the first
        such row's); any other row is folded in. "fold_in" folds every row in.
    solver : {"adam", "rmsprop"}, default="adam"
        "rmsprop" is the authors' solver, with a decay of 0.9.
    learning_rate : float, default=0.02
        The solver's learning rate, > 0.
    batch_size : int, default=4096
        Triplets in a batch. Every batch passes the whole graph twice.
    epoch_size : int or None, default=None
        Triplets in an epoch; None: as many as there are interactions.
    max_iter : int, default=50
        Number of epochs; with `warm_start`, of further epochs.
    early_stopping : bool, default=False
        Whether to hold out items of the users, stop when the nDCG@100 of finding them no longer
        rises, and keep the best weights. Held-out items are not edges.
    validation_fraction : float, default=0.1
        Share of the items that `early_stopping` holds out, in (0, 1), of at most 10,000 users.
    n_iter_no_change : int, default=10
        Stop after this many epochs without a rise by more than `tol`.
    tol : float, default=1e-4
        Smallest rise of the validation score that counts, >= 0.
    warm_start : bool, default=False
        Whether a further `fit` continues from the filters and from layer 0 of the items and of
        the rows seen before (equal rows from the first one's); other rows are folded in first.
        The solver's moments start anew.
    device : {"auto", "cpu", "cuda", "cuda:N"} or torch.device, default="auto"
        Where to compute, resolved at each call; "auto" takes CUDA where there is one. On a CPU
        steps are parallel within torch's number of threads.
    random_state : int, RandomState or None, default=None
        Seed of the first weights and of the triplets. The same seed gives the same bits on the
        same CPU.
    verbose : bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    components_ : ndarray of shape ((n_layers + 1) * n_components, n_items), float32
        The vectors of the items, layer 0 first; zero for items without users.
    item_bias_ : ndarray of shape (n_items,), float32
        Zero.
    user_factors_ : ndarray of shape (n_users, (n_layers + 1) * n_components), float32
        The vectors of the training users.
    user_hashes_ : ndarray of uint64 of shape (n_users, 2)
        Hashes that identify the rows of training users.
    user_mean_ : ndarray of shape ((n_layers + 1) * n_components,)
        Mean of the vectors of the users who were in triplets.
    user_precision_ : ndarray of shape (c, c), c being (n_layers + 1) * n_components
        Inverse of the covariance of these vectors; with ``alpha=0`` both serve to fold users in.
    seed_ : int
        Seed of the negatives that folding in draws.
    item_has_users_ : ndarray of bool of shape (n_items,)
        Which items had users at `fit`: negatives are drawn among these.
    weights_ : dict of str to ndarray, float32
        "filters", of shape (n_layers, n_components, n_components).
    loss_curve_ : list of float
        Mean loss of a triplet over the batches of each epoch, the penalty included.
    validation_scores_ : list of float
        nDCG@100 of the held-out items after each epoch; empty without `early_stopping`.
    best_validation_score_ : float
        The best of these scores, or the score of the model that a resumed fit started from; only
        with `early_stopping`.
    n_iter_ : int
        Number of epochs.
    counts_ : bool
        Whether X of `fit` held whole numbers only.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of str of shape (n_items,)
        Only if X has string column names.

    See Also
    --------
    LightGCN : No filters or sigmoids; takes means of the layers.
    skrec.decomposition.BPR : No graph, but item biases.

    Notes
    -----
    A new row is folded in. Its layers follow from its layer 0 and from the kept layers of its
    items. Newton's method minimises over layer 0, in float64 and from zero, the loss of the whole
    row and the penalty; its content and `seed_` determine 256 negatives. The loss is not convex,
    so this finds a minimum near zero. A row's scores depend on no other row. With ``alpha=0`` a
    normal prior with the mean and the covariance of the learned vectors replaces the penalty.
    Layer 0 does not stay at zero, since that ranks worse than popularity. A row without items has
    the sigmoids of zero, which rank much like popularity.

    The authors multiply by :math:`U U^T + U \Lambda U^T`, with eigenvectors U and eigenvalues
    :math:`\Lambda` of the Laplacian :math:`I - D^{-1} A`, from a dense decomposition of a matrix
    with a row for each user and item. For orthogonal U this is :math:`2 I - D^{-1} A`, which this
    class computes along the edges. Their matrix is not symmetric, so its eigenvectors are not
    orthogonal, and their product differs from the paper's algebra.

    *Time* of a batch: about 2 K products of the graph with d numbers for each node, of
    ``4 * X.nnz * d`` flops each, and as many of all nodes with a filter. *Memory*: a few times
    ``(n_users + n_items) * d * (n_layers + 1)`` numbers, and 60 bytes for each interaction.

    Differs from [1]_: the authors make 200 updates of one batch each by RMSProp, after which the
    lists equal popularity's. Their schedule is ``solver="rmsprop", learning_rate=0.001,
    alpha=0.001, batch_size=1024, epoch_size=1024, max_iter=200``. The defaults are Adam, epochs as
    long as the data, and a larger penalty. Users of a batch are drawn with replacement; the graph
    has no self loops; an item without users is not a negative, and its vector is zero.

    References
    ----------
    .. [1] L. Zheng, C.-T. Lu, F. Jiang, J. Zhang and P. S. Yu, "Spectral collaborative
       filtering", RecSys 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.neural_network import SpectralCF
    >>> X = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1], [0, 0, 1, 1]] * 5)
    >>> model = SpectralCF(4, learning_rate=0.05, max_iter=100, random_state=0).fit(X)
    >>> model.predict([[1, 0, 0, 0], [0, 0, 0, 1]])
    array([1, 2])
    """

    _parameter_rules = {
        "n_components": POSITIVE_INTEGER,
        "n_layers": POSITIVE_INTEGER,
        "filter": Options(tuple(_RESPONSES)),
        "epoch_size": (NONE, POSITIVE_INTEGER),
        **{name: rule for name, rule in PAIR_RULES.items() if name not in ("loss", "n_negatives")},
        "solver": Options(("adam", "rmsprop")),
    }
    _search_grid = [
        {"alpha": alpha, "learning_rate": rate} for alpha in (0.01, 0.03) for rate in (0.01, 0.02)
    ]
    # Layer 0 of users and items is the first part of `user_factors_` and `components_`.
    _fitted_rules = {"weights_": Weights(without=("user.weight", "item.weight"))}
    loss, n_negatives = "bpr", 1

    def __init__(
        self,
        n_components=16,
        *,
        n_layers=3,
        filter="high_pass",
        alpha=0.01,
        known_users="match",
        solver="adam",
        learning_rate=0.02,
        batch_size=4096,
        epoch_size=None,
        max_iter=50,
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
        self.filter = filter
        self.alpha = alpha
        self.known_users = known_users
        self.solver = solver
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epoch_size = epoch_size
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
        response = _RESPONSES[self.filter]
        module = SpectralCFNet(*shape, self.n_components, self.n_layers, response)
        if problem is not None:
            X, generator = problem.X, problem.generator
            for weight, kept in (
                (module.user.weight, np.diff(X.indptr) > 0),
                (module.item.weight, has_users(X)),
            ):
                first_rows(weight, kept, _STD, generator)
                with torch.no_grad():
                    weight[torch.from_numpy(kept)] += _MEAN
            with torch.no_grad():
                module.filters.normal_(_MEAN, _STD, generator=generator)
            module.graph = Graph(X, problem.device, exponents=(1.0, 0.0))
        return module

    def _batches(self, problem):
        return PairsOfUsers(problem, self.batch_size, 1, self.epoch_size)

    def _optimizer(self, module):
        if self.solver == "rmsprop":
            groups = self._parameter_groups(module)
            return torch.optim.RMSprop(groups, self.learning_rate, alpha=0.9, eps=1e-10)
        return super()._optimizer(module)

    def _loss(self, module, batch, step, generator):
        items = torch.cat([batch.items[:, None], batch.negatives], dim=1)  # (b, 2)
        users, items = module(batch.users, items)
        losses = functional.softplus((users * (items[:, 1] - items[:, 0])).sum(1))
        if self.alpha:
            squares = users.square().sum(1) + items.square().sum((1, 2))
            losses = losses + self.alpha / 2 * squares
        return (batch.weight * losses).mean()

    def _user_vectors(self, module):
        return module.outputs()[0]

    def _item_vectors(self, module):
        items = module.outputs()[1]
        # Nobody has them: the sigmoids of zero would rank them above known items.
        alone = (module.item.weight == 0).all(dim=1, keepdim=True)
        return items.masked_fill(alone, 0), items.new_zeros(len(items))

    def _resumed_state(self, problem):
        width = self.weights_["filters"].shape[1]
        users = self._vectors(problem.X_given, known_users="match")[:, :width]
        items = np.ascontiguousarray(self.components_[:width].T)
        return {
            **self.weights_, "user.weight": users.astype(np.float32), "item.weight": items,
        }  # fmt: skip

    def _keep(self, module, problem):
        super()._keep(module, problem)
        del self.weights_["item.weight"]
        empty = np.diff(problem.X.indptr) == 0
        with torch.inference_mode():  # a user of every item is in no pair, yet in the graph
            vectors = self._user_vectors(module).cpu().numpy()
        self.user_factors_[~empty] = vectors[~empty]
        if empty.any():
            self.user_factors_[empty] = self._vectors(problem.X[empty], known_users="fold_in")

    def _check_fitted(self):
        n_layers, width, _ = self.weights_["filters"].shape
        if len(self.components_) != (n_layers + 1) * width:
            raise refused(
                "SpectralCF.components_", f"{len(self.components_)} rows",
                f"{(n_layers + 1) * width}",
            )  # fmt: skip

    @torch_state()
    def _fold_in(self, X, hashes):
        device = self._scoring_device(X.shape[0])

        def put(array):
            return torch.from_numpy(array.astype(np.float64)).to(device)

        items, filters = put(self.components_.T), put(self.weights_["filters"])
        bias, prior, width = put(self.item_bias_), self._prior(device), items.shape[1]
        near = put(self._item_means(X))
        found = near.new_empty(X.shape[0], width)

        def numbers(lengths):
            return width * (lengths + N_DRAWS + 4 * width) + 3 * lengths * N_DRAWS

        for terms in self._terms(X, hashes, device, numbers):
            outputs = RowObjective(PAIR_LOSSES[self.loss], terms, items, bias, self.alpha, prior)
            some = RowLayers(outputs, filters, near[terms.rows], _RESPONSES[self.filter])
            first = near.new_zeros(len(terms.rows), filters.shape[1])
            found[terms.rows] = some.outputs(minimise_rows(first, some.value, some.derivatives))
        return found.cpu().numpy()

    def _item_means(self, X):
        """Means, over the items of each row, of all layers but the last."""
        n_layers, width, _ = self.weights_["filters"].shape
        used = np.unique(X.indices)  # other items need not be widened
        layers = self.components_[: n_layers * width].T[used].astype(np.float64)
        lengths = np.maximum(np.diff(X.indptr), 1)
        return (X[:, used] @ layers) / lengths[:, None]
