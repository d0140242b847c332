"""GMF: matrix factorisation with a weight for each component (He et al. 2017)."""

import torch
from torch import nn

from skrec._torch._cosine import COSINE, COSINE_RULES, CosineContrastiveMixin
from skrec._torch._learned_users import PAIR_RULES, FactorRecommender, first_rows, has_users
from skrec.utils._params import POSITIVE_INTEGER

_STD, _COSINE_STD = 0.01, 1e-4  # of the authors' first vectors


class GMFNet(nn.Module):
    """The product of a user's and an item's vector, weighted and summed.

    Parameters
    ----------
    n_users : int or None
        None: the vectors of users come from outside.
    n_items : int
    n_components : int
    sparse : bool
        Whether gradients of vectors are sparse.
    weighted : bool, default=True
        False: vectors only, compared by their cosines.
    """

    def __init__(self, n_users, n_items, n_components, sparse, weighted=True):
        super().__init__()
        if n_users is not None:
            self.user = nn.Embedding(n_users, n_components, sparse=sparse)
        self.item = nn.Embedding(n_items, n_components, sparse=sparse)
        if weighted:
            self.output = nn.Linear(n_components, 1)

    def forward(self, vector, item):
        """Outputs (n, m) of vectors (n, d) and items (n, m)."""
        weighted = vector * self.output.weight[0]  # (n, d)
        return (self.item(item) @ weighted[:, :, None])[:, :, 0] + self.output.bias


class GMF(CosineContrastiveMixin, FactorRecommender):
    r"""Generalised matrix factorisation: a weighted product of a user's and an item's vector.

    The score of item i for user u is

    .. math:: s_{ui} = \sum_f h_f \, p_{uf} \, q_{if} + b

    with learned vectors :math:`p_u, q_i` and weights h [1]_. `fit` minimises the mean over the
    interactions (u, i). Each draws `n_negatives` items j anew in each epoch, uniformly among the
    items that somebody has and the user does not:

    .. math:: \frac{1}{|X|} \sum_{(u, i)} \left( \ell_{ui} + \frac{\alpha}{2} \left(
        \|p_u\|^2 + \|q_i\|^2 + \sum_j \|q_j\|^2 \right) \right)

    with one of these losses of the scores s:

    - ``loss="logistic"``:
      :math:`\ell_{ui} = -\log \sigma(s_{ui}) - \sum_j \log \sigma(-s_{uj})`, the paper's;
    - ``loss="square"``:
      :math:`\ell_{ui} = \frac12 (1 - s_{ui})^2 + \frac12 \sum_j s_{uj}^2`;
    - ``loss="bpr"``: :math:`\ell_{ui} = -\sum_j \log \sigma(s_{ui} - s_{uj})`;
    - ``loss="hinge"``: :math:`\ell_{ui} = \sum_j \max(0, 1 - s_{ui} + s_{uj})`;
    - ``loss="softmax"``:
      :math:`\ell_{ui} = \log (e^{s_{ui}} + \sum_j e^{s_{uj}}) - s_{ui}`;
    - ``loss="cosine_contrastive"``: :math:`\ell_{ui} = 1 - s_{ui} + \mu \,
      \mathrm{mean}_j \max(0, s_{uj} - m)`, MF-CCL [2]_: then :math:`s_{ui} = \cos(p_u, q_i)`,
      without h and b; m is `margin` and :math:`\mu` is `negative_weight`.

    Scores only rank items; with the logistic loss they are logits. Only the set of a user's items
    matters, not the stored values.

    Parameters
    ----------
    n_components : int, default=64
        Length d of the vectors, the paper's predictive factors.
    loss : str, default="logistic"
        "logistic", "square", "bpr", "hinge", "softmax" or "cosine_contrastive"; see above.
    n_negatives : int, default=4
        Items drawn for each interaction, > 0. With the cosine contrastive loss they are drawn
        for each batch; its interactions share them, each without the items of its user. That
        loss needs several hundred, and computes them by products of matrices.
    margin : float, default=0.9
        The margin m of the cosine contrastive loss, in [0, 1).
    negative_weight : float, default=150.0
        The weight :math:`\mu` of the cosine contrastive loss, >= 0.
    alpha : float, default=0.0
        Penalty of the vectors that an interaction and its negatives read, >= 0. The paper's
        default has no penalty.
    known_users : {"match", "fold_in"}, default="match"
        "match": a row with the same items as a training row gets its learned vector (the first
        such row's); any other row is folded in. "fold_in" folds every row in.
    solver : {"adam", "sparse_adam"}, default="adam"
        "adam" moves all vectors in each step, as in the paper. "sparse_adam" moves only those
        that the batch reads: a different optimiser, faster with many users or items.
    learning_rate : float, default=0.005
        Adam's learning rate, > 0.
    batch_size : int, default=256
        Interactions in a batch, each with its negatives.
    max_iter : int, default=10
        Number of epochs; with `warm_start`, of further epochs.
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
        their vectors (equal rows from the first one's); other rows are folded in first. Adam's
        moments start anew.
    device : {"auto", "cpu", "cuda", "cuda:N"} or torch.device, default="auto"
        Where to compute, resolved at each call; "auto" takes CUDA where there is one.
    random_state : int, RandomState or None, default=None
        Seed of the first weights, the order and the negatives. The same seed gives the same
        bits on the same CPU.
    verbose : bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_items), float32
        The vectors of the items, times h; of length 1 with the cosine contrastive loss.
    item_bias_ : ndarray of shape (n_items,), float32
        The bias b, the same for each item.
    user_factors_ : ndarray of shape (n_users, n_components), float32
        The vectors of the training users. A user without items, or with every item that anybody
        has, has zeros, or with ``alpha=0`` the mean of the others.
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
    weights_ : dict of str to ndarray, float32
        "item.weight", the q, zero for items without users; "output.weight", h; "output.bias", b.
        The cosine contrastive loss has the q only.
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
    YouTubeRecommender : The cosine contrastive loss, with users made from their rows.
    skrec.decomposition.BPR : No weights h, but item biases; faster on a CPU.

    Notes
    -----
    *Time* of an epoch: about ``10 * (1 + n_negatives) * X.nnz * n_components`` flops, and
    ``(n_users + n_items) * n_components`` numbers that Adam updates per batch.

    A new row is folded in: Newton's method minimises the loss of the whole row and the penalty
    over its vector, in float64. Its content and `seed_` determine 256 negatives, which count for
    `n_negatives`; a row's scores depend on no other row. With ``alpha=0`` a minimum may not exist,
    and training ends long before it. Then :math:`\frac12 (p - m)^T C^{-1} (p - m)` is added, with
    the mean m and the covariance C of the learned vectors; a row without items has the mean.

    MF-CCL is a loss of this class, as it shares its other parts: vectors of users and items, drawn
    negatives, Adam, and folding in. h and b would have no effect: the cosine ignores lengths, and
    b moves all scores alike. First vectors are drawn from N(0, 1e-8), since the ratio of
    `learning_rate` to their length decides how far a step turns them. The same loss, with 256
    negatives of the row's own, folds a row in. It fixes a direction, so no prior is added. Each
    batch reads the rows of its users, to leave out their items.

    Differs from [1]_: batches are counted in interactions, and negatives stand in the batch of
    their interaction; items without users are not negatives. The learning rate is larger, as
    batches are. Differs from [2]_: there each interaction has its own negatives, which may be
    items of the user, a tenth of the user's components is dropped, and the rate falls when a
    validation score no longer rises.

    References
    ----------
    .. [1] X. He, L. Liao, H. Zhang, L. Nie, X. Hu and T.-S. Chua, "Neural collaborative
       filtering", WWW 2017.
    .. [2] K. Mao, J. Zhu, J. Wang, Q. Dai, Z. Dong, X. Xiao and X. He, "SimpleX: a simple and
       strong baseline for collaborative filtering", CIKM 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.neural_network import GMF
    >>> X = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1], [0, 0, 1, 1]] * 5)
    >>> model = GMF(4, alpha=0.01, max_iter=100, learning_rate=0.05, random_state=0).fit(X)
    >>> model.predict([[1, 0, 0, 0], [0, 0, 0, 1]])
    array([1, 2])
    """

    _parameter_rules = {
        "n_components": POSITIVE_INTEGER,
        **PAIR_RULES,
        **COSINE_RULES,
    }
    _search_grid = [
        {"n_components": n, "learning_rate": rate} for n in (16, 64) for rate in (0.002, 0.005)
    ]

    def __init__(
        self,
        n_components=64,
        *,
        loss="logistic",
        n_negatives=4,
        margin=0.9,
        negative_weight=150.0,
        alpha=0.0,
        known_users="match",
        solver="adam",
        learning_rate=0.005,
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
        self.loss = loss
        self.n_negatives = n_negatives
        self.margin = margin
        self.negative_weight = negative_weight
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

    def _build_module(self, shape, problem=None):
        weighted = self.loss != COSINE
        module = GMFNet(*shape, self.n_components, self.solver == "sparse_adam", weighted)
        if problem is not None:
            std = _STD if weighted else _COSINE_STD
            first_rows(module.user.weight, None, std, problem.generator)
            first_rows(module.item.weight, has_users(problem.X), std, problem.generator)
        if problem is not None and weighted:
            limit = (3 / self.n_components) ** 0.5  # LeCun's uniform distribution
            with torch.no_grad():
                module.output.weight.uniform_(-limit, limit, generator=problem.generator)
                module.output.bias.zero_()
        return module

    def _penalty(self, module, vector, item):
        return vector.square().sum(1) + module.item(item).square().sum((1, 2))

    def _item_vectors(self, module):
        items = module.item.weight
        if self.loss == COSINE:
            return items, items.new_zeros(len(items))
        items = items * module.output.weight
        return items, module.output.bias.expand(len(items))

    def _vectors_of(self, module, item):
        return module.item(item)
