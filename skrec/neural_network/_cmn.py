"""CMN: the collaborative memory network (Ebesu et al. 2018)."""

import numpy as np
import torch

from skrec._torch._epochs import diverged
from skrec._torch._fit_loop import fit_loop
from skrec._torch._learned_users import PAIR_RULES, LearnedUserRecommender, has_users
from skrec._torch._weights import Weights
from skrec.neural_network._memory_net import (
    ClippedRMSprop,
    FirstMemories,
    MemoryNet,
    drawn_lists,
    initialise,
    pair_loss,
)
from skrec.utils._fitted import CURVE, Array, Sparse
from skrec.utils._hashing import match_rows, row_hashes
from skrec.utils._params import NONE, POSITIVE_INTEGER, Options

# The authors' penalty in pretraining, for each negative, and their learning rate.
_FIRST_ALPHA, _FIRST_RATE = 1e-3, 1e-3
# Their code multiplies pretrained memories by this.
_FIRST_SHARE = 0.5


class CMN(LearnedUserRecommender):
    r"""Collaborative memory network: a user's vector, and attention to the item's other users.

    Each user has a memory :math:`m_u` and an external memory :math:`c_u`, each item a memory
    :math:`e_i` [1]_. With the users :math:`N(i)` of an item in the X of `fit`, and with H hops,
    :math:`z^1_{ui} = m_u + e_i` and

    .. math:: p^h_{uiv} = \frac{\exp(m_v^T z^h_{ui})}{\sum_{w \in N(i)} \exp(m_w^T z^h_{ui})},
        \qquad o^h_{ui} = \sum_{v \in N(i)} p^h_{uiv} c_v, \qquad
        z^{h+1}_{ui} = \max(0, W^h z^h_{ui} + b^h + o^h_{ui}),

    .. math:: s_{ui} = y^T \max(0, U [m_u \odot e_i ; o^H_{ui}] + b)

    are the attention to the users of the item, their answer, the next query, and the score.
    `fit` minimises the following. Each interaction (u, i) draws `n_negatives` items j anew in each
    epoch, uniformly among the items that somebody has and the user does not:

    .. math:: \frac{1}{|X|} \sum_{(u, i)} \sum_j -\log \sigma(s_{ui} - s_{uj})
        + \frac{\alpha}{2} \left( \sum_h \|W^h\|_F^2 + \|U\|_F^2 + \|y\|^2 \right)

    In training N(i) leaves out u, since a new user is in no N(i) either. For an item without
    (other) users, o is zero.

    ``pretraining="gmf"`` first learns the memories m and e as factors. Adam, at the rate .001,
    minimises the same sum over pairs with scores :math:`\max(0, w^T (m_u \odot e_i))`, plus
    :math:`10^{-3} J \|w\|^2 / 2`, where J is `n_negatives`. Half of m and e enters the network; c
    starts at random.

    Scores only rank items. Only the set of a user's items matters, not the stored values.

    Parameters
    ----------
    n_components : int, default=50
        Length d of the memories and of the hidden layer.
    n_hops : int, default=2
        Number of hops H, > 0.
    max_neighbors : int or None, default=None
        Most users of an item that are read; an item with more users draws some of them once,
        uniformly. None: all users. Time and memory of a fit grow with this number.
    pretraining : {"gmf"} or None, default="gmf"
        How to initialise the memories, see above; None: at random.
    pretraining_max_iter : int, default=80
        Epochs of pretraining.
    n_negatives : int, default=4
        Items drawn for each interaction, > 0.
    alpha : float, default=0.01
        Penalty of the weights of layers, >= 0. The authors' .1 goes with the mean over negatives,
        which is .4 here. At .4 the layers stay small and the memories grow instead.
    known_users : {"match", "fold_in"}, default="match"
        "match": a row with the same items as a training row gets its learned memory (the first
        such row's); any other row is folded in. "fold_in" folds every row in.
    learning_rate : float, default=0.0001
        RMSProp's learning rate, > 0. Its momentum of .9 makes steps up to ten times as long.
    batch_size : int, default=128
        Interactions in a batch, each with its negatives.
    max_iter : int, default=2
        Number of epochs; with `warm_start`, of further epochs. Few are best after pretraining;
        more memorise the training rows. `early_stopping` finds the number.
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
        Whether a further `fit` continues from the fitted weights, without pretraining. Rows seen
        before start from their memories (equal rows from the first one's). Other rows are folded
        in first; their external memory starts at the mean. The users of items then come from the
        new X. RMSProp's moments start anew.
    device : {"auto", "cpu", "cuda", "cuda:N"} or torch.device, default="auto"
        Where to compute, resolved at each call; "auto" takes CUDA where there is one.
    random_state : int, RandomState or None, default=None
        Seed of the first weights, the order, the negatives and the drawn users of items. The
        same seed gives the same bits on the same CPU.
    verbose : bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    user_factors_ : ndarray of shape (n_users, n_components), float32
        The m of the training users. A user without items, or with every item that anybody has,
        has the mean of the others.
    external_factors_ : ndarray of shape (n_users, n_components), float32
        The external memories c.
    neighbors_ : csr_array of shape (n_items, n_users), float32
        The N(i): ones where a user is read for an item.
    weights_ : dict of str to ndarray, float32
        "item.weight", the e; "hops.0.weight" and "hops.0.bias", W and b of the first hop, and
        so on; "hidden.weight" and "hidden.bias", U and b; "output.weight", y. The e of items
        without users is zero.
    user_hashes_ : ndarray of uint64 of shape (n_users, 2)
        Hashes that identify the rows of training users.
    user_mean_ : ndarray of shape (n_components,)
        Mean of the m of the users who were in training pairs.
    user_precision_ : ndarray of shape (n_components, n_components)
        Inverse of the covariance of these m; both serve to fold users in.
    seed_ : int
        Seed of the negatives that folding in draws.
    item_has_users_ : ndarray of bool of shape (n_items,)
        Which items had users at `fit`: negatives are drawn among these.
    pretraining_curve_ : list of float
        Mean loss of an interaction in each epoch of pretraining; empty without it.
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
    GMF : The factors alone; folds users in exactly, and scores at a far lower cost.
    skrec.neighbors.UserKNN : Attention by the overlap of rows, without learning.

    Notes
    -----
    *Time* of an epoch: about ``12 * n_hops * X.nnz * (1 + n_negatives) * L * n_components`` flops,
    and ``(2 * n_users + n_items) * n_components`` numbers that RMSProp updates per batch. L is the
    mean length of the lists N(i) over pairs. It is larger than the mean over items: where popular
    items have many users, an epoch takes long, and `max_neighbors` bounds it. Lists are not padded.

    Scoring all items for a user takes ``2 * (2 * n_hops - 1) * n_entries * n_components``
    flops, with n_entries stored in `neighbors_`, and ``2 * (n_hops + 1) * n_items *
    n_components ** 2``. In the first hop :math:`\exp(m_v^T z_{ui}) = \exp(m_v^T m_u)
    \exp(m_v^T e_i)` is a product of known numbers, one for each user v and one for each entry.
    *Memory* beside the model: n_entries numbers and a few times n_items x n_components.

    The users of items always come from `fit`: a row's scores depend on no other row, and a
    row's items only tell who its user is. A new row is folded in: 50 steps of Adam over its m, in
    float64, lower the loss of the whole row. Its content and `seed_` determine 256 negatives,
    which count for `n_negatives`. Since nothing penalises m,
    :math:`\frac12 (m - \mu)^T C^{-1} (m - \mu)` is added, with the mean :math:`\mu` and the
    covariance C of the learned m; a row without items has the mean. It gets no c, which would
    only serve other users.

    Differs from [1]_ and its authors' code: in training a user does not read the user's own
    external memory, where the code reads it for the user's items; for an item without users o is
    zero, where the code reads a user whose number is the item's; batches are counted in
    interactions, and negatives stand in the batch of their interaction. The rate and the penalty
    are smaller: with the authors' values, one epoch destroys what pretraining has learned, and
    lists are worse than the lists of the factors alone. So there are more epochs of pretraining and
    fewer of the network. RMSProp's moments start at zero.

    References
    ----------
    .. [1] T. Ebesu, B. Shen and Y. Fang, "Collaborative memory network for recommendation
       systems", SIGIR 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.neural_network import CMN
    >>> X = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1], [0, 0, 1, 1]] * 5)
    >>> model = CMN(4, max_iter=20, learning_rate=0.01, batch_size=8, random_state=0).fit(X)
    >>> model.predict([[1, 0, 0, 0], [0, 0, 0, 1]])
    array([1, 2])
    """

    _parameter_rules = {
        "n_components": POSITIVE_INTEGER,
        "n_hops": POSITIVE_INTEGER,
        "max_neighbors": (NONE, POSITIVE_INTEGER),
        "pretraining": (NONE, Options(("gmf",))),
        "pretraining_max_iter": POSITIVE_INTEGER,
        **{name: rule for name, rule in PAIR_RULES.items() if name not in ("loss", "solver")},
    }
    _fitted_rules = {
        "weights_": Weights(without=("user.weight", "external.weight")),
        "external_factors_": Array("n_users", "n_components", dtypes=("float32",)),
        "neighbors_": Sparse("n_items", "n_users"),
        "pretraining_curve_": CURVE,
    }
    _search_grid = [{"n_hops": n, "alpha": alpha} for n in (1, 2, 3) for alpha in (0.001, 0.01)]
    loss = "bpr"
    _user_penalty = 0.0

    def __init__(
        self,
        n_components=50,
        *,
        n_hops=2,
        max_neighbors=None,
        pretraining="gmf",
        pretraining_max_iter=80,
        n_negatives=4,
        alpha=0.01,
        known_users="match",
        learning_rate=0.0001,
        batch_size=128,
        max_iter=2,
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
        self.n_hops = n_hops
        self.max_neighbors = max_neighbors
        self.pretraining = pretraining
        self.pretraining_max_iter = pretraining_max_iter
        self.n_negatives = n_negatives
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
        sizes = (*shape, int(self.n_components), int(self.n_hops))
        if problem is None:
            memories = tuple(
                getattr(self, name, None) for name in ("user_factors_", "external_factors_")
            )
            return MemoryNet(*sizes, getattr(self, "neighbors_", None), memories)
        lists = drawn_lists(problem.X, self.max_neighbors, problem.generator)
        module = MemoryNet(*sizes, lists)
        initialise(module, has_users(problem.X), problem.generator)
        return module

    def _optimizer(self, module):
        return ClippedRMSprop(self._parameter_groups(module), self.learning_rate)

    def _pretrain(self, module, batches, problem):
        self.pretraining_curve_ = []
        if self.pretraining is None:
            return
        first = FirstMemories(module, problem.generator)
        try:
            history = fit_loop(
                first,
                torch.optim.Adam(first.parameters(), lr=_FIRST_RATE, fused=True),
                batches,
                lambda batch, step: first.loss(batch, _FIRST_ALPHA * self.n_negatives),
                epochs=range(1, self.pretraining_max_iter + 1),
            )
        except FloatingPointError as error:
            raise diverged(error, _FIRST_RATE) from error
        if history.interrupted:  # before there is a model of any epoch
            raise KeyboardInterrupt
        self.pretraining_curve_ = history.losses
        with torch.no_grad():
            for part in (module.user, module.item):
                part.weight.mul_(_FIRST_SHARE)

    def _loss(self, module, batch, step, generator):
        item = torch.cat([batch.items[:, None], batch.negatives], dim=1)
        output = module(module.user(batch.users), item, batch.users)
        return pair_loss(output, batch) + self.alpha / 2 * module.penalty()

    def _score(self, module, rows, vectors):
        return module.everything(vectors)

    def _pair_scores(self, X, rows, items):
        wanted, group = np.unique(rows, return_inverse=True)
        vectors = self._vectors(X[wanted]).astype(X.dtype, copy=False)

        def pairs(module, _):
            device = module.item.weight.device
            user, item = (torch.from_numpy(a).to(device) for a in (group, items))
            return module.pairs(torch.from_numpy(vectors).to(device)[user], item)

        return self._apply(X[:0], pairs)

    def _keep(self, module, problem):
        super()._keep(module, problem)
        self.neighbors_ = module.graph
        self.external_factors_ = self.weights_.pop("external.weight")

    def _resumed_state(self, problem):
        state = super()._resumed_state(problem)
        known = self.external_factors_
        external = np.repeat(known.mean(axis=0, keepdims=True), problem.X.shape[0], axis=0)
        place = match_rows(self.user_hashes_, row_hashes(self._content(problem.X_given)))
        external[place >= 0] = known[place[place >= 0]]
        return {**state, "external.weight": external}
