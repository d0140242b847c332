"""LightGCN: vectors averaged over the graph of users and items (He et al. 2020)."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from skrec._loss._pairs import PAIR_LOSSES
from skrec._torch._fold_in import N_DRAWS
from skrec._torch._graph import Graph, mean_of_layers
from skrec._torch._learned_users import (
    PAIR_RULES,
    FactorRecommender,
    RowObjective,
    first_rows,
    has_users,
    normal_prior,
)
from skrec._torch._newton import minimise_rows
from skrec._torch._pairs import PairsOfUsers
from skrec._torch._weights import Weights
from skrec.utils._fitted import Array
from skrec.utils._hashing import match_rows, row_hashes
from skrec.utils._params import NON_NEGATIVE, POSITIVE_INTEGER, Options
from skrec.utils._state_torch import torch_state

_STD = 0.1  # of the first vectors, as in the authors' second code
# The `prior_weight` where neither it nor `alpha` bounds layer 0 of a new user.
_LEAST_PRIOR = 0.1


class LightGCNNet(nn.Module):
    """Vectors of users and items, layer 0, and the graph that averages them.

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
        """What an item adds to the mean vector of a user, without the user's degree."""
        _, sums = self.graph.summed(self.user.weight, self.item.weight, self.n_layers - 1)
        return sums / (self.n_layers + 1)


class LightGCN(FactorRecommender):
    r"""LightGCN: vectors of users and items, averaged along the edges of their graph.

    The training matrix is a graph: an edge joins user u and item i if :math:`x_{ui} > 0`. With
    the degrees :math:`d_u, d_i` a step gives each node

    .. math:: e_u^{(k+1)} = \sum_{i \in S_u} \frac{e_i^{(k)}}{\sqrt{d_u d_i}}, \qquad
        e_i^{(k+1)} = \sum_{u: i \in S_u} \frac{e_u^{(k)}}{\sqrt{d_u d_i}}

    without self loops, and vectors are means of the K + 1 layers, K being `n_layers` [1]_:

    .. math:: e = \frac{1}{K + 1} \sum_{k=0}^K e^{(k)}, \qquad s_{ui} = e_u^T e_i

    Only layer 0 is learned. `fit` minimises the mean over triplets of a user u, drawn uniformly,
    an item i drawn among the user's items, and an item j drawn among the items that somebody has
    and the user does not:

    .. math:: -\log \sigma(s_{ui} - s_{uj}) + \frac{\alpha}{2} \left( \|e_u^{(0)}\|^2
        + \|e_i^{(0)}\|^2 + \|e_j^{(0)}\|^2 \right)

    So each user counts alike, whatever the number of items. The penalty, the paper's lambda,
    applies to layer 0 of each triplet and does not depend on `batch_size`. Scores only rank items.
    Only the set of a user's items matters, not the stored values.

    Parameters
    ----------
    n_components : int, default=64
        Length d of the vectors.
    n_layers : int, default=3
        Steps K along the edges, > 0.
    own_layer : {"solved", "zero"}, default="solved"
        Layer 0 of a row that is folded in: the one of least loss of the row, or zero, which
        costs no solver. See Notes.
    prior_weight : float, default=0.1
        Weight of minus the log density of layer 0 in the loss of a row that is folded in, >= 0.
        The density is normal, with the mean and the covariance of the learned layers. May be
        changed after ``fit``. A weaker penalty `alpha` needs a larger weight: with
        ``alpha=1e-3``, 0 ranks better on MovieLens. 0 counts as 0.1 if `alpha` is 0 as well.
    alpha : float, default=1e-4
        Penalty of layer 0, >= 0. 1e-3 suits MovieLens, 1e-4 sparser data.
    known_users : {"match", "fold_in"}, default="match"
        "match": a row with the same items as a training row gets its learned vector (the first
        such row's); any other row is folded in. "fold_in" folds every row in, which ranks nearly
        alike.
    learning_rate : float, default=0.005
        Adam's learning rate, > 0. Larger batches allow a larger one: 0.02 at 16,384.
    batch_size : int, default=2048
        Triplets in a batch. Every batch passes the whole graph 2 K times, so a batch eight times
        as large makes an epoch several times as short.
    max_iter : int, default=100
        Number of epochs, each of as many triplets as there are interactions; with `warm_start`,
        of further epochs. The authors make up to 1,000.
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
        Whether a further `fit` continues from the fitted layer 0 of the items and of the rows
        seen before (equal rows from the first one's). Other rows start at zero, as when folded
        in. Adam's moments and the seed start anew, so two fits of 10 epochs do not equal one of
        20 to the bit. A long fit can be saved and continued.
    device : {"auto", "cpu", "cuda", "cuda:N"} or torch.device, default="auto"
        Where to compute, resolved at each call; "auto" takes CUDA where there is one. On a CPU
        steps are parallel within torch's number of threads, and results do not depend on it.
    random_state : int, RandomState or None, default=None
        Seed of the first weights and of the triplets. The same seed gives the same bits on the
        same CPU.
    verbose : bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_items), float32
        The vectors of the items; zero for items without users.
    item_bias_ : ndarray of shape (n_items,), float32
        Zero.
    item_layers_ : ndarray of shape (n_items, n_components), float32
        What an item adds to a user who has it, without the user's degree:
        :math:`\frac{1}{K + 1} \sum_{k < K} e_i^{(k)} / \sqrt{d_i}`.
    user_factors_ : ndarray of shape (n_users, n_components), float32
        The vectors of the training users; zero for users without items.
    user_hashes_ : ndarray of uint64 of shape (n_users, 2)
        Hashes that identify the rows of training users.
    user_mean_ : ndarray of shape (n_components,)
        Mean of layer 0 of users with items.
    user_precision_ : ndarray of shape (n_components, n_components)
        Inverse of the covariance of these layers; both serve ``own_layer="solved"``.
    seed_ : int
        Seed of the negatives that folding in draws.
    item_has_users_ : ndarray of bool of shape (n_items,)
        Which items had users at `fit`: negatives are drawn among these.
    weights_ : dict of str to ndarray, float32
        "user.weight" and "item.weight", layer 0, from which `warm_start` continues.
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
    SpectralCF : Learned filters and sigmoids between the layers.
    skrec.decomposition.BPR : No graph, but item biases; each interaction counts alike.

    Notes
    -----
    A new row is folded in by the formula of a user's vector, without changing any other node:

    .. math:: e_u = \frac{1}{K + 1} \Big( e_u^{(0)} + \frac{1}{\sqrt{d_u}} \sum_{i \in S_u}
        \sum_{k < K} \frac{e_i^{(k)}}{\sqrt{d_i}} \Big)

    Its own layer 0 is unknown. With ``own_layer="zero"`` the vector is one sum over the row's
    items, in float64. With "solved" Newton's method minimises over layer 0 the loss of the whole
    row, with 256 negatives drawn by its content and `seed_`, the penalty and the prior of
    `prior_weight`. This takes some milliseconds a row and ranks better where rows are long. A
    row's scores depend on no other row. The graph is not kept. With zero, for K of 1 or 2, the
    vector equals the new user's in a graph with this user in it, at the degrees of training. With
    more layers such a graph would also return what the user has added to the items. A row without
    items scores zero.

    *Time* of a batch: about 2 K products of the graph with d numbers for each node, of
    ``4 * X.nnz * d`` flops each; the last one in either direction covers the batch alone. Adam
    updates ``(n_users + n_items) * d`` numbers per batch. *Memory*: eight times these numbers, and
    40 bytes for each interaction.

    Differs from [1]_: users of a batch are drawn with replacement, and first vectors are normal
    with standard deviation 0.1, both as in the authors' second code; an item without users is not a
    negative; there are fewer epochs, at a rate of 0.005 instead of 0.001.

    References
    ----------
    .. [1] X. He, K. Deng, X. Wang, Y. Li, Y. Zhang and M. Wang, "LightGCN: simplifying and
       powering graph convolution network for recommendation", SIGIR 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.neural_network import LightGCN
    >>> X = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1], [0, 0, 1, 1]] * 5)
    >>> model = LightGCN(4, learning_rate=0.05, random_state=0).fit(X)
    >>> model.predict([[1, 0, 0, 0], [0, 0, 0, 1]])
    array([1, 2])
    """

    _parameter_rules = {
        "n_components": POSITIVE_INTEGER,
        "n_layers": POSITIVE_INTEGER,
        "own_layer": Options(("solved", "zero")),
        "prior_weight": NON_NEGATIVE,
        **{
            name: rule
            for name, rule in PAIR_RULES.items()
            if name not in ("loss", "n_negatives", "solver")
        },
    }
    _search_grid = [{"n_layers": n, "alpha": alpha} for n in (2, 3) for alpha in (1e-4, 1e-3)]
    _fitted_rules = {
        "weights_": Weights(users_of="user.weight"),
        "item_layers_": Array("n_items", "n_components", dtypes=("float32",)),
    }
    loss, n_negatives = "bpr", 1

    def __init__(
        self,
        n_components=64,
        *,
        n_layers=3,
        own_layer="solved",
        prior_weight=0.1,
        alpha=1e-4,
        known_users="match",
        learning_rate=5e-3,
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
        self.own_layer = own_layer
        self.prior_weight = prior_weight
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
        losses = functional.softplus((users * (items[:, 1] - items[:, 0])).sum(1))
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
        # Layer 0 of a new row begins at zero.
        users = np.where(known[:, None] >= 0, first[np.maximum(known, 0)], np.float32(0))
        return {**self.weights_, "user.weight": users}

    def _keep(self, module, problem):
        super()._keep(module, problem)
        lengths = np.diff(problem.X.indptr)
        degrees = np.bincount(problem.X.indices, minlength=problem.X.shape[1])
        with torch.inference_mode():
            self.weights_["user.weight"] = module.user.weight.cpu().numpy().copy()
            self.user_factors_ = module.means()[0].cpu().numpy()
            given = module.given_by_items().cpu().numpy()
        self.user_mean_, self.user_precision_ = normal_prior(
            self.weights_["user.weight"][lengths > 0]
        )
        self.item_layers_ = given / np.sqrt(np.maximum(degrees, 1), dtype=np.float32)[:, None]

    def _given(self, X):
        """The part of rows' vectors from their items, shape (n_rows, n_components), float64."""
        lengths = np.diff(X.indptr)
        used = np.unique(X.indices)  # other items need not be widened
        given = self.item_layers_[used].astype(np.float64)
        return (X[:, used] @ given) / np.sqrt(np.maximum(lengths, 1))[:, None]

    @torch_state()
    def _fold_in(self, X, hashes):
        if self.own_layer == "zero":
            return self._given(X)
        device = self._scoring_device(X.shape[0])

        def put(array):
            return torch.from_numpy(array.astype(np.float64)).to(device)

        items, given, share = put(self.components_.T), put(self._given(X)), 1 / (self.n_layers + 1)
        prior_weight = self.prior_weight or (_LEAST_PRIOR if not self.alpha else 0.0)
        mean, precision = put(self.user_mean_), prior_weight * put(self.user_precision_)
        width, vectors = items.shape[1], given.clone()

        def numbers(lengths):
            return width * (lengths + N_DRAWS + width) + 3 * lengths * N_DRAWS

        for terms in self._terms(X, hashes, device, numbers):
            here = given[terms.rows]
            some = _OwnLayer(terms, items, here, share, self.alpha, (mean, precision))
            own = minimise_rows(mean.repeat(len(here), 1), some.value, some.derivatives)
            in_pairs = terms.w.sum(1, keepdim=True) > 0  # other rows have no layer 0
            vectors[terms.rows] = here + share * own * in_pairs
        return vectors.cpu().numpy()


class _OwnLayer(RowObjective):
    """The objective of each row over its layer 0, which is a share of its vector.

    Parameters
    ----------
    terms : Terms
    items : float64 tensor of shape (n_items, d)
    given : float64 tensor of shape (n_rows, d)
        What the items of the rows add.
    share, alpha : float
    prior : tuple of float64 tensor
        Mean and precision of layer 0.
    """

    def __init__(self, terms, items, given, share, alpha, prior):
        zero = items.new_zeros(len(items))
        super().__init__(PAIR_LOSSES["bpr"], terms, share * items, zero, alpha, prior)
        self._of_items = (items[terms.items] @ given[:, :, None])[:, :, 0]
        self._of_negatives = (items[terms.negatives] @ given[:, :, None])[:, :, 0]
