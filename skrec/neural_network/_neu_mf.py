"""NeuMF: a product of vectors and a perceptron, side by side (He et al. 2017)."""

import copy

from skrec._torch._learned_users import PAIR_RULES
from skrec.neural_network._pair_recommender import PAIR_NET_RULES, PairNetRecommender
from skrec.neural_network._pretrained import PRETRAINED, begin_with
from skrec.utils._params import NONE, POSITIVE_INTEGER, Options


class NeuMF(PairNetRecommender):
    r"""Neural matrix factorisation: a product of vectors and a perceptron, side by side.

    The score of item i for user u is

    .. math:: s_{ui} = h^T \begin{bmatrix} p_u^G \odot q_i^G \\ z_L \end{bmatrix} + b,
        \quad z_l = \max(0, W_l z_{l-1} + b_l), \quad z_0 = [p_u^M; q_i^M]

    where the product and the perceptron have their own vectors, and all vectors, weights and
    biases are learned [1]_. `fit` minimises the mean over the interactions (u, i). Each draws
    `n_negatives` items j anew in each epoch, uniformly among the items that somebody has and the
    user does not:

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
      :math:`\ell_{ui} = \log (e^{s_{ui}} + \sum_j e^{s_{uj}}) - s_{ui}`.

    where p and q join both vectors of a user or item. Scores only rank items, and are logits with
    the logistic loss. Only the set of a user's items matters, not the stored values. First weights
    are the authors': vectors from N(0, .01), layers from Glorot's uniform distribution, h from
    LeCun's, zero biases.

    Parameters
    ----------
    n_components : int, default=64
        Length of the multiplied vectors :math:`p^G` and :math:`q^G`.
    hidden_layer_sizes : tuple of int, default=(128, 64)
        Widths of the layers :math:`z_1, \ldots, z_L` of the perceptron, at least one. The paper's
        predictive factors are both `n_components` and the last width. Its layers start with the
        two vectors joined: 64-32-16-8 are ``hidden_layer_sizes=(32, 16, 8)``.
    n_mlp_components : int, default=None
        Length of the perceptron's vectors :math:`p^M` and :math:`q^M`. None: the first of
        `hidden_layer_sizes`, as in the paper's figures, where each layer halves.
    pretrained : tuple of (GMF, MLPRecommender), default=None
        Models of the same sizes, fitted to the same X, to start from. NeuMF takes their vectors
        and layers, and halves the weights h of each and the sum of their biases b. So each
        score starts as the mean of the two models' scores. The content of rows identifies
        users. A clone keeps the two models fitted. A fit that resumes another (`warm_start`)
        ignores them. With `early_stopping` the two have learned the held-out items, so
        validation scores start high and tell less.
    loss : {"logistic", "square", "bpr", "hinge", "softmax"}, default="logistic"
        The loss of an interaction, see above.
    n_negatives : int, default=4
        Items drawn for each interaction, > 0.
    alpha : float, default=0.0
        Penalty of the vectors that an interaction and its negatives read, >= 0. The paper's
        default has no penalty.
    known_users : {"match", "fold_in"}, default="match"
        "match": a row with the same items as a training row gets its learned vector (the first
        such row's); any other row is folded in. "fold_in" folds every row in.
    solver : {"auto", "adam", "sparse_adam", "sgd"}, default="auto"
        "adam" moves all vectors in each step, as in the paper. "sparse_adam" moves only those
        that the batch reads: a different optimiser. "sgd": plain gradient steps, which preserve
        what `pretrained` has learned. The paper takes them after pretraining, since Adam's
        moments are lost; the example in the authors' code uses Adam. "auto" is "sgd" with
        `pretrained`, else "adam". Rates of "sgd" are larger by some powers of ten, since its
        gradients are gradients of a mean. The authors' mean is over interactions and negatives, so
        the same rate makes their steps 1 + `n_negatives` times smaller.
    learning_rate : float, default=0.0005
        The solver's learning rate, > 0.
    batch_size : int, default=256
        Interactions in a batch, each with its negatives. The authors count each negative as a
        sample: their 256 samples are 51 interactions here.
    max_iter : int or "auto", default="auto"
        Number of epochs, the most with early stopping; with `warm_start`, of further epochs. Many
        interactions need few epochs, and more rank worse; few need many. "auto": 1,750 / n^0.4 for
        n interactions, rounded, from 1 to 60: 7 epochs for a million, 44 for ten thousand.
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
    user_factors_ : ndarray of shape (n_users, d), float32
        The vectors of the training users, each a row of d numbers, :math:`p^G` and then
        :math:`p^M`. A user without items, or with every item that anybody has, has zeros, or
        with ``alpha=0`` the mean of the others.
    user_hashes_ : ndarray of uint64 of shape (n_users, 2)
        Hashes that identify the rows of training users.
    user_mean_ : ndarray of shape (d,)
        Mean of the vectors of the users who were in training pairs.
    user_precision_ : ndarray of shape (d, d)
        Inverse of the covariance of these vectors; with ``alpha=0`` both serve to fold users in.
    seed_ : int
        Seed of the negatives that folding in draws.
    item_has_users_ : ndarray of bool of shape (n_items,)
        Which items had users at `fit`: negatives are drawn among these.
    weights_ : dict of str to ndarray, float32
        "item.weight", a row of :math:`q^G` and then :math:`q^M` for each item, zero for items
        without users; "from_user.weight", "from_item.weight" and "from_item.bias", the first
        layer; "hidden.L.weight" and "hidden.L.bias", the other layers; "output.weight", h;
        "output.bias", b.
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
    GMF : The product alone.
    MLPRecommender : The perceptron alone.
    skrec.decomposition.WMF : Often as good on such data, and faster.

    Notes
    -----
    *Time*: on a CPU one kernel makes all steps of an epoch, in about
    ``6 * (1 + n_negatives) * X.nnz * w`` flops, where w counts the weights of the layers after the
    first: the first layer's products are made once for each user and item of a batch. Adam's
    momentum also moves the vectors that a batch does not read. The kernel makes up for these moves
    when it next reads a vector; the result is the same but for rounding and Adam's 1e-8. On CUDA
    torch makes the same steps from the same draws.

    To score all items of a user, no pairs are joined: the first layer of a pair is a half of the
    user plus a half of the item, :math:`W_1 [p; q] = W_1^{(p)} p + W_1^{(q)} q`, and the items'
    half is made once.

    A new row is folded in: 50 steps of Adam over its vector, at a rate that falls from .1 to 0,
    minimise the loss of the whole row and the penalty. Its content and `seed_` determine 1,024
    negatives (256 with "bpr" and "hinge"), which count for `n_negatives`; a row's scores depend
    on no other row. With ``alpha=0`` training ends long before a minimum. Then
    :math:`\frac12 (p - m)^T C^{-1} (p - m)` is added, with the mean m and the covariance C of the
    learned vectors, and the steps start at m. So a row without items has the mean vector.

    Differs from [1]_: batches are counted in interactions, and negatives stand in the batch of
    their interaction; items without users are not negatives. The paper reports the epoch that does
    best on the test items; this class never sees them.

    References
    ----------
    .. [1] X. He, L. Liao, H. Zhang, L. Nie, X. Hu and T.-S. Chua, "Neural collaborative
       filtering", WWW 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.neural_network import GMF, MLPRecommender, NeuMF
    >>> X = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1], [0, 0, 1, 1]] * 5)
    >>> model = NeuMF(
    ...     4, hidden_layer_sizes=(8,), alpha=0.01, max_iter=100, learning_rate=0.02, random_state=1
    ... ).fit(X)
    >>> model.predict([[1, 0, 0, 0], [0, 0, 0, 1]])
    array([1, 2])

    Start from two fitted models:

    >>> options = {"alpha": 0.01, "max_iter": 100, "learning_rate": 0.02, "random_state": 1}
    >>> gmf = GMF(4, **options).fit(X)
    >>> mlp = MLPRecommender(8, hidden_layer_sizes=(8,), **options).fit(X)
    >>> model = NeuMF(
    ...     4, hidden_layer_sizes=(8,), pretrained=(gmf, mlp), alpha=0.01, max_iter=1
    ... ).fit(X)
    >>> model.predict([[1, 0, 0, 0], [0, 0, 0, 1]])
    array([1, 2])
    """

    _parameter_rules = {
        **PAIR_RULES,
        **PAIR_NET_RULES,
        "n_mlp_components": (NONE, POSITIVE_INTEGER),
        "pretrained": (NONE, PRETRAINED),
        "solver": Options(("auto", "adam", "sparse_adam", "sgd")),
        "max_iter": (Options(("auto",)), POSITIVE_INTEGER),
    }
    _search_grid = [
        {"n_components": n, "hidden_layer_sizes": sizes, "learning_rate": rate}
        for n, sizes in ((8, (32, 16, 8)), (64, (128, 64)))
        for rate in (0.0003, 0.0005, 0.001)
    ]

    def __init__(
        self,
        n_components=64,
        *,
        hidden_layer_sizes=(128, 64),
        n_mlp_components=None,
        pretrained=None,
        loss="logistic",
        n_negatives=4,
        alpha=0.0,
        known_users="match",
        solver="auto",
        learning_rate=0.0005,
        batch_size=256,
        max_iter="auto",
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
        self.hidden_layer_sizes = hidden_layer_sizes
        self.n_mlp_components = n_mlp_components
        self.pretrained = pretrained
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

    def __sklearn_clone__(self):
        # The pretrained models stay fitted.
        bare = copy.copy(self)
        bare.pretrained = None
        twin = super(NeuMF, bare).__sklearn_clone__()
        twin.pretrained = self.pretrained
        return twin

    def _n_epochs(self, X):
        if not isinstance(self.max_iter, str):
            return self.max_iter
        return min(60, max(1, round(1750 / max(1, X.nnz) ** 0.4)))

    @property
    def _solver(self):
        if self.solver != "auto":
            return self.solver
        return "adam" if self.pretrained is None else "sgd"

    def _widths(self):
        layers = tuple(self.hidden_layer_sizes)
        side = layers[0] if self.n_mlp_components is None else self.n_mlp_components
        return self.n_components, side, layers

    def _pretrain(self, module, batches, problem):
        if self.pretrained is not None:
            begin_with(module, self.pretrained, self._content(problem.X_given))
