"""MCRec: metapaths as the context of a user and an item (Hu et al. 2018)."""

import numpy as np
import torch

from skrec._torch._layers import dropped
from skrec._torch._learned_users import PAIR_RULES, LearnedUserRecommender
from skrec.content._path_net import Graph, PathNet
from skrec.content._path_pairs import ShuffledPathPairs
from skrec.content._paths import Instances, find_instances, item_vectors, node_vectors
from skrec.content._relations import check_metapaths, check_relations
from skrec.utils._fitted import Array, Named, Parts, refused
from skrec.utils._params import FRACTION, NONE, POSITIVE_INTEGER, SIZES, InstanceOf
from skrec.utils._side_information import SideInformation


class MCRec(LearnedUserRecommender):
    r"""Metapaths as the context of a user and an item, with attention of three kinds.

    A metapath is a sequence of kinds of nodes, such as "user-item-genre-item". Its instances
    between a user u and an item i are paths: an item of u, a genre of that item, and i of this
    genre. A convolution reads the vectors of three consecutive nodes. The vector of the metapath
    :math:`\rho` holds its largest outputs over the places of a path, and over the paths p that are
    read [1]_. With learned vectors :math:`x_u` and :math:`y_i`,

    .. math:: c_\rho = \max_{p \in \rho(u, i)} \max_t \,
        \mathrm{ReLU}(W_\rho [v_{p,t}; v_{p,t+1}; v_{p,t+2}] + b_\rho), \qquad
        c = \sum_\rho a_\rho c_\rho,

    .. math:: a = \mathrm{softmax}_\rho\, \mathrm{ReLU}\left( w^T
        \mathrm{ReLU}(W [x_u; y_i; c_\rho] + b) + b' \right),

    .. math:: \tilde x = \mathrm{ReLU}(U [x_u; c] + b_U) \odot x_u, \qquad
        \tilde y = \mathrm{ReLU}(V [y_i; c] + b_V) \odot y_i, \qquad
        s_{ui} = \mathrm{MLP}([\tilde x; c; \tilde y]),

    and :math:`\sigma(s_{ui})` is the probability of an interaction. `fit` minimises the mean over
    the interactions (u, i). Each draws `n_negatives` items j anew in each epoch, uniformly among
    the items that somebody has and the user does not:

    .. math:: \frac{1}{|X|} \sum_{(u, i)} \left( -\log \sigma(s_{ui})
        - \sum_j \log \sigma(-s_{uj}) + \frac{\alpha}{2} \Big( \|x_u\|^2 +
        \sum_{k \in \{i, j \ldots\}} \|y_k\|^2 \Big) \right)

    or the mean of another `loss`. Paths begin with the items of the scored row, so a new row has
    paths like any other. Scores only rank items. Only the set of a user's items matters, not the
    stored values.

    MCRec ranks worse than `~skrec.linear_model.EASE`, which fits in a fraction of a second: on the
    authors' split of ML-100K its nDCG@10 is .390 against .443, and in a published comparison [2]_
    it is 15 % lower. Use MCRec to study metapaths.

    Parameters
    ----------
    n_components : int, default=32
        Length d of the vectors of users and items, and of metapaths.
    metapaths : sequence of str or None, default=None
        Kinds of nodes joined by hyphens. A metapath starts with "user-item" and ends with "item";
        each step must be a relation. None: "user-item-user-item", "user-item-a-item" for each
        relation of items with a kind a, and "user-item-item" for a relation among items. Empty:
        no context.
    n_node_components : int, default=16
        Length of the vectors v that convolutions read; v is not learned by gradient steps.
    n_instances : int, default=5
        Paths of a metapath that are read for a user and an item: the strongest, each with a
        different first item.
    max_paths : int, default=200
        Last items kept for each first item of a metapath: the items with the strongest paths.
    max_neighbors : int, default=100
        Links followed from a node: the links to the nodes most similar to it.
    hidden_layer_sizes : tuple of int, default=(64, 32)
        Sizes of the layers of the MLP, with ReLU.
    dropout : float, default=0.2
        Share of the numbers of metapaths' vectors set to zero in training, in [0, 1).
    loss : {"logistic", "square", "bpr", "hinge", "softmax"}, default="logistic"
        "logistic" is the loss above; "square" is the squared distance of the score from 1 or 0.
        "bpr", "hinge" and "softmax" compare the item with its negatives.
    n_negatives : int, default=4
        Items drawn for each interaction, > 0.
    alpha : float, default=0.0
        Penalty of the vectors that an interaction and its negatives read, >= 0. A small value
        above 0 hardly restrains the vectors of folded-in users.
    known_users : {"match", "fold_in"}, default="match"
        "match": a row with the same items as a training row gets its learned vector (the first
        such row's); any other row is folded in. "fold_in" folds every row in.
    solver : {"adam", "sparse_adam"}, default="adam"
        "adam" moves all vectors in each step. "sparse_adam" moves only those that the batch
        reads: a different optimiser, faster with many users or items.
    learning_rate : float, default=0.001
        Adam's learning rate, > 0.
    batch_size : int, default=256
        Interactions in a batch, each with its negatives.
    max_iter : int, default=10
        Number of epochs; with `warm_start`, of further epochs. Few are best: then the vectors
        start to memorise the training rows. `early_stopping` finds the number.
    early_stopping : bool, default=False
        Whether to hold out items of the users, stop when the nDCG@100 of finding them no longer
        rises, and keep the best weights.
    validation_fraction : float, default=0.1
        Share of the items that `early_stopping` holds out, in (0, 1), of at most 10,000 users.
    n_iter_no_change : int, default=10
        Stop after this many epochs without a rise by more than `tol`.
    tol : float, default=1e-4
        Smallest rise of the validation score that counts, >= 0.
    warm_start : bool, default=False
        Whether a further `fit` continues from the fitted weights. Rows seen before start from
        their vectors (equal rows from the first one's); other rows are folded in first. Pass
        the relations again: paths follow the new X, while the vectors v of items stay.
        Adam's moments start anew.
    device : {"auto", "cpu", "cuda", "cuda:N"} or torch.device, default="auto"
        Where to compute, resolved at each call; "auto" takes CUDA where there is one. Paths
        are found on the CPU.
    random_state : int, RandomState or None, default=None
        Seed of the first weights, the order, the negatives, dropout, and the random block that
        the vectors v are computed from. The same seed gives the same bits on the same CPU.
    verbose : bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    user_factors_ : ndarray of shape (n_users, n_components), float32
        The x of the training users. A user without items, or with every item that anybody has,
        has zeros, or with ``alpha=0`` the mean of the others.
    user_hashes_ : ndarray of uint64 of shape (n_users, 2)
        Hashes that identify the rows of training users.
    user_mean_ : ndarray of shape (n_components,)
        Mean of the vectors of the users who were in training pairs.
    user_precision_ : ndarray of shape (n_components, n_components)
        Inverse of the covariance of these vectors; with ``alpha=0`` both serve to fold users in.
    seed_ : int
        Seed of the negatives that folding in draws.
    item_has_users_ : ndarray of bool of shape (n_items,)
        Which items had users at `fit`: negatives are drawn among these.
    node_vectors_ : dict of str to ndarray of shape (n_nodes, n_node_components), float32
        The v of the nodes of each kind on the paths.
    paths_ : dict of str to dict
        For each metapath "nodes", int32 of shape (n_paths, length - 1), the nodes of a path
        without its user; "strength", float32; and "start", int64 of shape (n_items + 1,): where
        the paths of each first item begin.
    weights_ : dict of str to ndarray, float32
        "item.weight", the y, zero for items without users; "paths.M.weight" and "paths.M.bias"
        of each metapath M; "attention" and "share", W and w; "user_gate" and "item_gate", U
        and V; "hidden.0" and so on, and "output", the MLP.
    loss_curve_ : list of float
        Mean loss of an interaction over the batches of each epoch, the penalty included.
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
    skrec.neural_network.MLPRecommender : The MLP of two vectors, without context.
    skrec.neighbors.RP3beta : Counts all paths user-item-user-item, and ranks better.
    skrec.neighbors.ItemKNN : Reads features of items such as genres.

    Notes
    -----
    The vectors v of items are the right singular vectors of X, its rows scaled to length 1, times
    the singular values, by `~skrec.decomposition.PureSVD`. The v of any other node is the mean of
    the v of the nodes that one relation links it with. That relation is the first one, X before
    `relations` in their order, that links the node's kind with a kind whose v are known; further
    relations of the kind do not change its v. The user's v is the mean over the row. All v have
    length 1. The strength of a path is the product of (1 + cosine) / 2 over its links from the
    first item on, times the same for its two ends if it has more than one link; ties go to the
    nodes with the lower numbers. The two strongest paths are kept for each first and last item.

    In training, the path of an interaction neither begins with its own item nor leads through the
    user's own node, and the user's v leaves the item out. The paths of a new row are like this,
    since its lists never hold its own items. Seen items are scored in the same way. But a row is
    scored through all user nodes, its own among them: where metapaths pass users, a known user
    has paths that training left out.

    *Time*: finding all paths takes ``n_items * max_neighbors ** h`` steps, with h links of a path
    after its first item, and keeps up to ``2 * n_items * max_paths`` paths for each metapath.
    Finding the paths of a row takes as many steps as its items have paths. The network then takes
    about ``6 * n_node_components * n_components`` flops for each convolution of a path, and
    ``14 * n_components ** 2`` and the MLP for each pair; three times that in training.

    A new row is folded in. 50 steps of Adam over its x, in float64, lower the loss of the whole
    row with the penalty, while all else is frozen. Its content and `seed_` determine 128
    negatives, which count for `n_negatives`. The paths begin with the row's own items, so its
    scores depend on no other row. With ``alpha=0`` a normal prior with the mean and the covariance
    of the learned vectors replaces the penalty.

    Relations of users concern the users of `fit`, who are nodes inside paths only. Relations made
    from interactions, such as neighbours of items, leak what is to be predicted if held-out
    interactions are among them.

    Differs from [1]_ and its authors' code: paths always begin with items of the user, so
    there is no "user-user-user-item". The strength above chooses the instances, where [1]_
    draws them by similarities of a factorization machine's vectors; singular vectors replace
    these. Attention to the user's and the item's components is a ReLU as in the paper,
    where the code adds a softmax, and its first bias is 1. A metapath without an instance has no
    share, where the code reads zeros. Convolutions read three nodes as in the paper, four in the
    code; dropout of metapaths' vectors comes from the code, where it is .5. Only vectors are
    penalised. Batches are counted in interactions, with their negatives. Items without users are
    not negatives.

    References
    ----------
    .. [1] B. Hu, C. Shi, W. X. Zhao and P. S. Yu, "Leveraging meta-path based context for top-N
       recommendation with a neural co-attention model", KDD 2018.
    .. [2] M. Ferrari Dacrema, S. Boglio, P. Cremonesi and D. Jannach, "A troubling analysis of
       reproducibility and progress in recommender systems research", ACM TOIS 39(2), 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.content import MCRec
    >>> X = np.array([[1, 1, 0, 0, 0], [0, 0, 1, 1, 0], [1, 1, 0, 0, 1]] * 5)
    >>> genres = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [1, 0]])
    >>> model = MCRec(
    ...     8, hidden_layer_sizes=(8,), max_iter=40, learning_rate=0.01, random_state=0
    ... ).fit(X, relations={"item-genre": genres})
    >>> list(model.paths_)
    ['user-item-user-item', 'user-item-genre-item']
    >>> model.predict([[0, 0, 0, 1, 0], [0, 1, 0, 0, 0]])
    array([2, 0])
    """

    _parameter_rules = {
        "n_components": POSITIVE_INTEGER,
        "metapaths": (NONE, InstanceOf((tuple, list), "a tuple of metapaths")),
        "n_node_components": POSITIVE_INTEGER,
        "n_instances": POSITIVE_INTEGER,
        "max_paths": POSITIVE_INTEGER,
        "max_neighbors": POSITIVE_INTEGER,
        "hidden_layer_sizes": SIZES,
        "dropout": FRACTION,
        **PAIR_RULES,
    }
    _fitted_rules = {
        "node_vectors_": Named(Array(None, "n_node_components", dtypes=("float32",))),
        "paths_": Named(
            Parts(
                {
                    "start": Array(None, dtypes=("int64",), low=0),
                    "nodes": Array(None, None, dtypes=("int32",), low=0),
                    "strength": Array(None, dtypes=("float32",)),
                }
            )
        ),
    }
    _search_grid = [
        {"dropout": dropout, "alpha": alpha} for dropout in (0.2, 0.5) for alpha in (0.0, 0.02)
    ]
    # Each drawn pair costs a pass of the network, in float64.
    _n_drawn = 128

    def __init__(
        self,
        n_components=32,
        *,
        metapaths=None,
        n_node_components=16,
        n_instances=5,
        max_paths=200,
        max_neighbors=100,
        hidden_layer_sizes=(64, 32),
        dropout=0.2,
        loss="logistic",
        n_negatives=4,
        alpha=0.0,
        known_users="match",
        solver="adam",
        learning_rate=0.001,
        batch_size=256,
        max_iter=10,
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
        self.metapaths = metapaths
        self.n_node_components = n_node_components
        self.n_instances = n_instances
        self.max_paths = max_paths
        self.max_neighbors = max_neighbors
        self.hidden_layer_sizes = hidden_layer_sizes
        self.dropout = dropout
        self.loss = loss
        self.n_negatives = n_negatives
        self.alpha = alpha
        self.known_users = known_users
        self.solver = solver
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

    def fit(self, X, y=None, *, relations=None):
        """Find paths, and learn vectors, convolutions, attention and the MLP.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions, >= 0.
        y : ignored
            Present for scikit-learn's conventions; passed to callbacks.
        relations : dict of str to {array-like, sparse matrix, dataframe}, default=None
            Links between kinds of nodes: "item-genre" is a table of shape (n_items, n_genres)
            whose nonzero entries are links. Kinds are "item", the columns of X, "user", the rows
            of X, and any other words. A relation serves in both directions. A relation within a
            kind, such as "item-item", is read from rows to columns, without its diagonal.
            "user-item" is X. None: no other relation.

        Returns
        -------
        self : MCRec
            The fitted recommender.

        Raises
        ------
        TypeError
            If `relations` is not a dict.
        ValueError
            If a parameter, X, a relation or a metapath is not valid, or the loss is not finite.
            The estimator then stays as it was.

        Warns
        -----
        ConvergenceWarning
            If the fit was interrupted: the model of the last whole epoch is kept.
        """
        return self._fit_weighted(X, None, y=y, side=SideInformation(relations))

    def _start_side(self, X, *, item_features=None, **side):
        # `Problem` carries the side information of items: here their relations.
        side = super()._start_side(X, **side)
        links = check_relations(item_features, X.shape)
        return side._replace(item_features=(links, check_metapaths(self.metapaths, links)))

    def _check_fitted(self):
        n_items = self.n_features_in_
        if len(self.node_vectors_.get("item", ())) != n_items:
            raise refused("MCRec.node_vectors_['item']", "other rows", f"{n_items} rows")
        for name, one in self.paths_.items():
            start, nodes, kinds = one["start"], one["nodes"], name.split("-")
            name = f"MCRec.paths_[{name!r}]"
            if len(kinds) < 3 or kinds[:2] != ["user", "item"] or kinds[-1] != "item":
                raise refused(name, "another metapath", "one from the user's items to items")
            known = [len(self.node_vectors_.get(kind, ())) for kind in kinds[1:]]
            if nodes.shape[1] != len(known) or (nodes >= known).any():
                raise refused(name, "nodes out of range", "nodes of its kinds")
            ends = len(start) == n_items + 1 and start[0] == 0 and start[-1] == len(nodes)
            if not ends or (np.diff(start) < 0).any() or len(one["strength"]) != len(nodes):
                raise refused(name, "parts that do not fit each other", "parts of one set")

    def _build_module(self, shape, problem=None):
        if problem is not None:
            self._find_paths(problem)
        module = PathNet(
            *shape, self.n_components, self.node_vectors_["item"].shape[1], list(self.paths_),
            tuple(self.hidden_layer_sizes), self.solver == "sparse_adam",
        )  # fmt: skip
        module.graph = self._graph()
        if problem is not None:
            module.draw(problem)
        return module

    def _find_paths(self, problem):
        X, (links, metapaths) = problem.X, problem.item_features
        if self.n_iter_:  # a fit that continues keeps the vectors that its convolutions read
            items = self.node_vectors_["item"]
        else:
            items = item_vectors(X, self.n_node_components, problem.seed)
        kinds = {"item", *(kind for path in metapaths for kind in path[1:])}
        self.node_vectors_ = node_vectors(kinds, items, X, links)
        self.paths_ = {}
        for path in metapaths:
            found = find_instances(
                path, self.node_vectors_, X, links, max_paths=self.max_paths,
                max_neighbors=self.max_neighbors,
            )  # fmt: skip
            kept = found._asdict()
            del kept["kinds"]
            self.paths_["-".join(path)] = kept

    def _graph(self):
        instances = [Instances(tuple(name.split("-")), **p) for name, p in self.paths_.items()]
        return Graph(self.node_vectors_, instances, self.n_instances)

    def _batches(self, problem):
        return ShuffledPathPairs(problem, self.batch_size, self.n_negatives, self._graph())

    def _outputs(self, module, batch, vector, item, generator):
        own = torch.zeros_like(item, dtype=torch.bool)
        own[:, 0] = True  # paths do not begin with the item itself
        vectors, present = module.path_vectors(batch.sums, item, own, batch.found)
        return module(vector, item, (dropped(vectors, self.dropout, generator), present))

    def _of_rows(self, module, X, terms):
        device, dtype = module.item.weight.device, module.item.weight.dtype
        item = torch.cat([terms.items, terms.negatives], dim=1)
        own = torch.zeros_like(item, dtype=torch.bool)
        own[:, : terms.items.shape[1]] = terms.w > 0
        places = (part.cpu().numpy() for part in (terms.rows, item))
        found = module.graph.finder.of_pairs(X, *places, own=False)
        found = [torch.from_numpy(part).to(device) for part in found]
        sums = torch.from_numpy(module.graph.sums(X)).to(device, dtype)[terms.rows]
        with torch.no_grad():
            context = module.path_vectors(sums, item, own, found)
        return lambda vector, item: module(vector, item, context)

    @property
    def _numbers_of_pair(self):
        d, d_nodes = self._n_features_out, self.node_vectors_["item"].shape[1]
        longest = max((name.count("-") + 1 for name in self.paths_), default=0)
        # Nodes of the paths of one metapath, inputs of the convolutions, and their outputs.
        of_paths = self.n_instances * longest * (5 * d_nodes + d)
        return (1 + len(self.paths_)) * super()._numbers_of_pair + of_paths

    def _penalty(self, module, vector, item):
        return vector.square().sum(1) + module.item(item).square().sum((1, 2))

    def _score(self, module, rows, vectors):
        return module.everything(rows, vectors)
