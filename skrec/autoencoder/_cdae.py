"""CDAE: the denoising autoencoder with a node for each user (Wu et al. 2016)."""

import numpy as np
import torch
from torch import nn

from skrec._loss._pointwise import POINTWISE
from skrec._torch._estimator import TORCH_RULES
from skrec._torch._fold_in import N_DRAWS
from skrec._torch._layers import ACTIVATIONS, SparseLinear, dropped, initialise, unit_length
from skrec._torch._learned_users import LearnedUserRecommender
from skrec._torch._optimizers import split_penalty
from skrec._torch._rows import DeviceRows, ShuffledRows, training_rows
from skrec._torch._sampling import sampled_outputs, with_negatives
from skrec.autoencoder._cdae_fold_in import user_nodes
from skrec.utils._finite import require_finite
from skrec.utils._fitted import Array
from skrec.utils._hashing import keyed_negatives
from skrec.utils._known_users import KNOWN_USERS
from skrec.utils._params import BOOLEAN, FRACTION, NON_NEGATIVE, POSITIVE_INTEGER, Options
from skrec.utils._products import FEW_ROWS
from skrec.utils._sparse import pattern
from skrec.utils._state_torch import torch_state

# Only smooth activations: the fold-in of a user seeks the point where the slope is zero.
_SMOOTH = ("identity", "sigmoid", "tanh")
# Pairs whose vectors are gathered at once.
_N_PAIRS = 2**16


class UserNodeNet(nn.Module):
    """n_items - n_components - n_items, with a node of each user beside the items.

    Parameters
    ----------
    n_users : int or None
        None: nodes come from outside.
    n_items : int
    n_components : int
    activation : str
    """

    def __init__(self, n_users, n_items, n_components, activation):
        super().__init__()
        self.first = SparseLinear(n_items, n_components)
        self.user = None if n_users is None else nn.Embedding(n_users, n_components)
        self.activation = ACTIVATIONS[activation]()
        self.last = nn.Linear(n_components, n_items)

    def encode(self, rows, value, node):
        """Hidden layer of rows of values and their nodes, shape (n_rows, n_components)."""
        return self.activation(self.first(rows, value) + node)

    def forward(self, batch, entries, value):
        """Outputs at given entries of training rows, with other values in place of the rows'."""
        hidden = self.encode(batch, value, self.user(batch.users))
        return sampled_outputs(entries, hidden, self.last.weight, self.last.bias)


class CDAE(LearnedUserRecommender):
    r"""Collaborative denoising autoencoder: it reconstructs rows from items and a user's node.

    The hidden layer of a user reads the user's items, some of them dropped at random, and the
    node, a vector :math:`V_u` learned for the user. The outputs score the items [1]_:

    .. math:: z_u = h(W^T \tilde x_u + V_u + b), \qquad y_u = W' z_u + b'

    where :math:`\tilde x_{ui} = 1 / (1 - q)` for kept items and q is `dropout`. `normalize`
    divides :math:`\tilde x_{ui}` by the square root of the number of the user's items. `fit`
    minimises over the user's items :math:`O_u` and `n_negatives` times as many items :math:`S_u`,
    drawn anew in each epoch, uniformly among the items that the user does not have:

    .. math:: \frac1n \sum_u \left( \sum_{i \in O_u} \ell(1, y_{ui})
        + \sum_{j \in S_u} \ell(0, y_{uj}) \right)
        + \frac{\alpha}{2} \left( \|W\|_F^2 + \|W'\|_F^2 + \|V\|_F^2 \right)

    with

    - ``loss="logistic"``:
      :math:`\ell(t, y) = -t \log \sigma(y) - (1 - t) \log \sigma(-y)`;
    - ``loss="square"``: :math:`\ell(t, y) = (t - y)^2 / 2`.

    Scores are the outputs y of the whole row and rank items. The model reads which items a user
    has, not the stored values. A user whom `fit` has not seen is folded in: the user's node
    minimises the same objective on the whole row.

    Parameters
    ----------
    n_components : int, default=200
        Length of the hidden layer and of the nodes, the paper's K.
    activation : {"identity", "sigmoid", "tanh"}, default="tanh"
        The activation h.
    loss : {"logistic", "square"}, default="logistic"
        See above.
    dropout : float, default=0.5
        Rate q at which items of a row are dropped, in [0, 1).
    normalize : bool, default=True
        Whether the layer reads rows of length 1, as in `MultDAE` but not in the paper. It ranks
        better if some users have many more items than others.
    n_negatives : int, default=5
        Items drawn for each item of a user, > 0.
    alpha : float, default=1e-3
        Penalty of weights and nodes, the paper's :math:`\lambda`, >= 0. Relative to the loss of
        one user, a node's penalty is n times as large.
    known_users : {"match", "fold_in"}, default="match"
        "match": a row with the same items as a training row gets its learned node (the first
        such row's); any other row is folded in. "fold_in" folds every row in.
    learning_rate : float, default=0.003
        Adam's learning rate, > 0.
    batch_size : int, default=200
        Users in a batch.
    max_iter : int, default=50
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
        their nodes (equal rows from the first one's); other rows are folded in first. Adam's
        moments start anew.
    device : {"auto", "cpu", "cuda", "cuda:N"} or torch.device, default="auto"
        Where to compute, resolved at each call; "auto" uses CUDA if there is a CUDA device.
    random_state : int, RandomState or None, default=None
        Seed of the first weights, the order, the dropout and the negatives. The same seed
        gives the same bits on the same CPU.
    verbose : bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    weights_ : dict of str to ndarray, float32
        "first.weight", W; "first.bias", b; "last.weight", W'; "last.bias", b'.
    user_factors_ : ndarray of shape (n_users, n_components), float32
        The nodes of the training users; zero for users without items.
    user_hashes_ : ndarray of uint64 of shape (n_users, 2)
        Hashes of the training rows, to match rows with them.
    seed_ : int
        Seed of the negatives of folded-in users.
    loss_curve_ : list of float
        Mean loss of a user over the batches of each epoch, without the penalty.
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
    MultDAE : Without nodes of users; its loss reads all items.
    skrec.decomposition.BPR : Nodes alone, pairwise losses.

    Notes
    -----
    The first layer reads only the entries of the rows, and the last layer is computed only at
    entries and negatives. An epoch takes about ``(10 + 6 * n_negatives) * X.nnz * n_components``
    flops; in each batch Adam updates ``(n_users + 2 * n_items) * n_components`` numbers. No array
    has the size n_users x n_items, or batch_size x n_items.

    A folded-in user has 256 negatives, drawn by the row's content and `seed_`; each has the weight
    ``n_negatives * n_u / 256``. Newton's method finds the node in float64. A row's scores do not
    depend on other rows. With ``alpha=0`` a node may grow without bound if it can separate the
    negatives from the items; it then stops after 100 steps. With a small `alpha` the node of a
    folded-in user overfits the few known items, and ranks worse than no node. Choose `alpha` on
    folded-in users: `score` and `early_stopping` measure them on new rows.

    Differs from [1]_: Adam replaces AdaGrad; biases have no penalty; the paper ranks only for its
    training users and has no fold-in. Its K is 50 and its rows are not scaled; the defaults here
    ranked better on each of seven data sets (docs/benchmarks, defaults).

    References
    ----------
    .. [1] Y. Wu, C. DuBois, A. X. Zheng and M. Ester, "Collaborative denoising
       auto-encoders for top-N recommender systems", WSDM 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.autoencoder import CDAE
    >>> X = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1], [0, 0, 1, 1]] * 5)
    >>> model = CDAE(4, max_iter=100, learning_rate=0.05, random_state=0).fit(X)
    >>> model.predict([[1, 0, 0, 0], [0, 0, 0, 1]])
    array([1, 2])
    """

    _parameter_rules = {
        "n_components": POSITIVE_INTEGER,
        "activation": Options(_SMOOTH),
        "loss": Options(tuple(POINTWISE)),
        "dropout": FRACTION,
        "normalize": BOOLEAN,
        "n_negatives": POSITIVE_INTEGER,
        "alpha": NON_NEGATIVE,
        "known_users": KNOWN_USERS,
        **{name: rule for name, rule in TORCH_RULES.items() if name != "precision"},
    }
    _search_grid = [{"alpha": alpha} for alpha in (1e-5, 1e-4, 1e-3)]
    _fitted_rules = {"user_factors_": Array("n_users", "=n_components", dtypes=("float32",))}
    # Nodes correct what the row's items predict, and start at zero.
    _learns_from_pairs = False
    _few_rows = FEW_ROWS

    def __init__(
        self,
        n_components=200,
        *,
        activation="tanh",
        loss="logistic",
        dropout=0.5,
        normalize=True,
        n_negatives=5,
        alpha=1e-3,
        known_users="match",
        learning_rate=0.003,
        batch_size=200,
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
        self.activation = activation
        self.loss = loss
        self.dropout = dropout
        self.normalize = normalize
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
        module = UserNodeNet(*shape, self.n_components, self.activation)
        if problem is not None:
            initialise(module, problem.generator)
        return module

    def _parameter_groups(self, module):
        return split_penalty(module, self.alpha)

    def _batches(self, problem):
        rows = training_rows(pattern(problem.X), problem.device, weight=problem.weight)
        return ShuffledRows(rows, self.batch_size, problem.generator)

    def _inputs(self, rows):
        """The values that the layer reads for rows of ones."""
        return unit_length(rows) if self.normalize else rows.value

    def _loss(self, module, batch, step, generator):
        entries = with_negatives(batch, self.n_features_in_, self.n_negatives, generator)
        output = module(batch, entries, dropped(self._inputs(batch), self.dropout, generator))
        losses = POINTWISE[self.loss].value(output, entries.target.to(output.dtype))
        if entries.weight is not None:
            return (batch.weight[entries.row] * entries.weight * losses).sum() / batch.n_rows
        per_user = torch.zeros_like(batch.weight).index_add(0, entries.row, losses)
        return (batch.weight * per_user).mean()

    @torch_state()
    def _fold_in(self, X, hashes):
        device = self._scoring_device(X.shape[0])
        module = self._module(torch.float64, device)
        rows = DeviceRows(X, device, dtype=torch.float64).everything()
        with torch.inference_mode():
            nodes = user_nodes(
                module.first(rows, self._inputs(rows)),
                X,
                keyed_negatives(X, N_DRAWS, self.seed_, hashes=hashes),
                module.last.weight,
                module.last.bias,
                n_negatives=self.n_negatives,
                activation=self.activation,
                loss=POINTWISE[self.loss],
                alpha=self.alpha * len(self.user_hashes_),
            )
        return nodes.cpu().numpy()

    def _hidden(self, module, rows, nodes):
        """The hidden layer of rows with given nodes, whatever the rows' values."""
        rows = rows._replace(value=torch.ones_like(rows.value), unit=None)
        return module.encode(rows, self._inputs(rows), nodes)

    def _score(self, module, rows, vectors):
        return module.last(self._hidden(module, rows, vectors))

    def _apply_to_hidden(self, X, function):
        """``function(module, hidden)`` of the hidden layer of the rows of X, as an ndarray."""
        nodes = self._vectors(X).astype(X.dtype, copy=False)

        def apply(module, rows):
            node = torch.from_numpy(nodes).to(rows.value.device)
            return function(module, self._hidden(module, rows, node))

        return self._apply(X, apply)

    def _pair_scores(self, X, rows, items):
        wanted, group = np.unique(rows, return_inverse=True)

        def pairs(module, hidden):
            weight, bias = module.last.weight, module.last.bias
            found = [
                (hidden.index_select(0, u) * weight.index_select(0, i)).sum(1) + bias[i]
                for u, i in zip(
                    torch.from_numpy(group).to(hidden.device).split(_N_PAIRS),
                    torch.from_numpy(items).to(hidden.device).split(_N_PAIRS),
                    strict=True,
                )
            ]
            return torch.cat(found)

        return self._apply_to_hidden(X[wanted], pairs)

    def transform(self, X):
        """Compute the hidden layer of the users.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users, known or new.

        Returns
        -------
        hidden : ndarray of shape (n_users, n_components), dtype of X
            The z. Scores are ``hidden @ weights_["last.weight"].T + weights_["last.bias"]``.
        """
        X = self._start_dense(X, self._n_features_out)
        return require_finite(
            self._apply_to_hidden(X, lambda module, hidden: hidden), "The vectors of users"
        )
