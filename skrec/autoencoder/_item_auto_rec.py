"""AutoRec of items' columns: an autoencoder of observed ratings (Sedhain et al. 2015)."""

from typing import NamedTuple

import numpy as np
import torch

from skrec._torch._rows import DeviceRows, Rows, ShuffledRows
from skrec._torch._stacked_net import StackedNet, masked_squares
from skrec._torch._weights import Weights
from skrec.autoencoder._code_ridge import solve_rows
from skrec.autoencoder._rating_estimator import (
    RATING_RULES,
    RatingAutoencoder,
    observed_rmse,
)
from skrec.utils._finite import require_finite
from skrec.utils._fitted import Array
from skrec.utils._params import POSITIVE_INTEGER


class ItemAutoRec(RatingAutoencoder):
    r"""Autoencoder of items' ratings: I-AutoRec.

    A network with one hidden layer encodes and decodes the column r_i of an item, with 0 for
    missing ratings. Only observed ratings :math:`R` enter the loss [1]_:

    .. math:: \min \; \sum_{(u, i) \in R} (r_{ui} - \hat r_{ui})^2
        + \frac{\alpha}{2} \left( \|W\|_F^2 + \|V\|_F^2 \right), \qquad
        \hat r_{ui} = v_u^T h_i + b_u, \quad h_i = g(W r_i + \mu)

    where g is the activation, and the v_u are the rows of V. The biases :math:`\mu` and b have no
    penalty. A batch B of the n items has the share :math:`|B| / n` of the penalty.

    Known and new rows are scored alike. For the fixed codes h_i of the items after training, the
    objective is a ridge regression in the v and b of a user; they are set to its exact minimum
    for the ratings of the row.

    Scores are predicted ratings; ``score`` is minus the RMSE. Ratings may be negative;
    zeros, stored or not, mean "not rated".

    Parameters
    ----------
    n_components : int, default=500
        Number d of units of the hidden layer.
    activation : {"sigmoid", "tanh", "relu", "selu", "identity"}, default="sigmoid"
        The activation g; the outputs have none.
    alpha : float, default=400.0
        Penalty, the paper's :math:`\lambda`, >= 0.
    center : bool, default=False
        Whether the network reads ratings less the mean of their user, instead of r_i. Missing
        ratings stay 0.
    default_rating : float or None, default=None
        The prediction for items without training ratings, and for users without ratings. None:
        the mean of the training ratings.
    clip : bool, default=True
        Whether predictions are clipped to the range of the training ratings.
    learning_rate : float, default=0.001
        Learning rate of Adam's first steps, > 0.
    schedule : {"linear", "constant"}, default="linear"
        Whether the learning rate falls linearly, epoch by epoch, to 0 at `max_iter`, or stays
        constant.
    batch_size : int, default=128
        Items in a batch.
    max_iter : int, default=15
        Number of epochs; with `warm_start`, of further epochs. Many epochs overfit.
    precision : {"float32", "tf32", "bfloat16"}, default="float32"
        Precision of the matrix products in `fit`; weights are always float32. Only GPUs have
        TF32; a CPU uses float32 instead. A processor without bfloat16 emulates it and takes far
        longer.
    early_stopping : bool, default=False
        Whether to hold out users, stop when the RMSE of a hidden fifth of their ratings no
        longer falls, and keep the best weights.
    validation_fraction : float, default=0.1
        Share of the users that `early_stopping` holds out, in (0, 1).
    n_iter_no_change : int, default=10
        Stop after this many epochs without a fall by more than `tol`.
    tol : float, default=1e-4
        Smallest fall of the validation error that counts, >= 0.
    warm_start : bool, default=False
        Whether a further `fit`, of the same users, continues from the fitted weights. Adam's
        moments start anew.
    device : {"auto", "cpu", "cuda", "cuda:N"} or torch.device, default="auto"
        Where to compute, resolved at each call; "auto" uses CUDA if there is a CUDA device.
    random_state : int, RandomState or None, default=None
        Seed of the first weights, the order and the noise. The same seed gives the same bits
        on the same CPU.
    verbose : bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    weights_ : dict of str to ndarray, float32
        State of the network.
    components_ : ndarray of shape (n_components, n_items), float32
        The codes h of the items.
    default_rating_ : float
        The default in use.
    rating_range_ : tuple of float
        Least and greatest training rating.
    n_ratings_ : ndarray of int of shape (n_items,)
        Training ratings of each item.
    loss_curve_ : list of float
        Sum of squared errors per item over the batches of each epoch, without the penalty.
    error_curves_ : dict of str to list of float
        RMSE after each epoch. "train_reconstruction": of the training ratings;
        "validation_reconstruction" and "test_reconstruction": of all ratings of the held-out
        users and of ``X_test``; "validation_prediction" and "test_prediction": of a hidden
        fifth of their ratings, predicted from the rest. Empty without `early_stopping` and
        ``X_test``.
    validation_scores_ : list of float
        Minus "validation_prediction"; empty without `early_stopping`.
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
    UserAutoRec : The same for users' rows.
    skrec.decomposition.BiasedMF : Free item vectors, which are not functions of ratings.

    Notes
    -----
    An epoch takes as many flops as an epoch of `UserAutoRec`; the outputs of a batch are
    batch_size x n_users. To score a user with n ratings takes about ``m**2 * (M + m / 3)`` flops,
    where m is the lesser and M the greater of n and d.

    `weights_` keeps the network's own V and b for `warm_start` only. The curve
    "train_reconstruction" is of the network's own outputs.

    Differs from [1]_: Adam replaces RProp; b begins at the users' mean ratings, and v_u and b_u
    are solved for at the end.

    References
    ----------
    .. [1] S. Sedhain, A. K. Menon, S. Sanner and L. Xie, "AutoRec: Autoencoders meet
       collaborative filtering", WWW 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.autoencoder import ItemAutoRec
    >>> X = np.array([[5, 4, 0, 1], [4, 5, 2, 0], [1, 2, 5, 4], [0, 1, 4, 5]] * 5)
    >>> model = ItemAutoRec(8, alpha=0.1, max_iter=200, learning_rate=0.01, random_state=0)
    >>> model.fit(X).predict([[5, 0, 0, 1], [1, 0, 0, 5]])
    array([1, 2])
    """

    _parameter_rules = {"n_components": POSITIVE_INTEGER, **RATING_RULES}
    _search_grid = [{"alpha": alpha} for alpha in (100.0, 200.0, 400.0, 800.0)]

    _fitted_rules = {
        "components_": Array("=n_components", "n_items", dtypes=("float32",)),
        "weights_": Weights(users_of="center"),
    }

    def __init__(
        self,
        n_components=500,
        *,
        activation="sigmoid",
        alpha=400.0,
        center=False,
        default_rating=None,
        clip=True,
        learning_rate=0.001,
        schedule="linear",
        batch_size=128,
        max_iter=15,
        precision="float32",
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
        self.alpha = alpha
        self.center = center
        self.default_rating = default_rating
        self.clip = clip
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.precision = precision
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def _net(self, n_columns):
        return StackedNet(n_columns, (self.n_components,), self.activation)

    def _build_module(self, shape, problem=None):
        return super()._build_module(shape[::-1], None if problem is None else problem.transposed())

    def _plan(self, problem, n_updates, n_certain):
        super()._plan(problem, n_updates, n_certain)
        self._n_examples = problem.X.shape[1]

    def _resumed_state(self, problem):
        n_users, known = problem.X.shape[0], len(self.weights_["first.weight"])
        if n_users != known:
            raise ValueError(
                "warm_start needs the users of the first fit, whose ratings the network reads. "
                f"Got {n_users} users to learn from, expected {known}; use warm_start=False for "
                "other users."
            )
        return super()._resumed_state(problem)

    def _batches(self, problem):
        return _ShuffledColumns(problem, self.batch_size)

    def _loss(self, module, batch, step, generator):
        rows = batch.rows
        return masked_squares(module.observed(rows, module.inputs(rows)), rows, batch.weight)

    def _keep(self, module, problem):
        super()._keep(module, problem)
        self.components_ = np.ascontiguousarray(_codes(module, problem).T)

    def _scorer(self, module, problem):
        codes = _codes(module, problem).astype(np.float64)
        return lambda X: self._predicted(X, codes)

    def _reconstruction(self, module, problem):
        """RMSE of the network's own outputs for the columns, without solving for users."""

        def outputs(columns):
            with torch.inference_mode():
                read = DeviceRows(columns, problem.device).everything()
                return module(read, module.inputs(read)).float().cpu().numpy()

        return observed_rmse(outputs, problem.transposed().X)

    def _predicted(self, X, codes):
        weights, bias = solve_rows(X, codes, self.alpha)
        return self._completed((weights @ codes.T + bias[:, None]).astype(X.dtype), X)

    _device_scores = None

    def _scores(self, X):
        return self._predicted(X, self.components_.T.astype(np.float64))

    @property
    def _n_features_out(self):
        return self.n_components

    def transform(self, X):
        """Compute the users' weights over the codes of items.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Ratings of the users, known or new.

        Returns
        -------
        vectors : ndarray of shape (n_users, n_components), dtype of X
            The v of each user; zeros for users without ratings.
        """
        X = self._start_dense(X, self._n_features_out)
        weights, _ = solve_rows(X, self.components_.T.astype(np.float64), self.alpha)
        return require_finite(weights.astype(X.dtype, copy=False), "The vectors of users")


class _Columns(NamedTuple):
    """Some columns as `Rows`, and the weight of the user of each entry."""

    rows: Rows
    weight: torch.Tensor

    @property
    def n_rows(self):
        return self.rows.n_rows


class _ShuffledColumns:
    """Batches of items' columns, with the weights of the users at their entries."""

    def __init__(self, problem, batch_size):
        X, weight = problem.X, problem.weight
        weight = np.ones(X.shape[0]) if weight is None else weight / np.mean(weight)
        self._weight = torch.tensor(weight, dtype=torch.float32, device=problem.device)
        columns = DeviceRows(X.T.tocsr(), problem.device)
        self._columns = ShuffledRows(columns, batch_size, problem.generator)

    def __len__(self):
        return len(self._columns)

    def __iter__(self):
        for rows in self._columns:
            yield _Columns(rows, self._weight[rows.column])


def _codes(module, problem):
    """The hidden layer of each item, shape (n_items, n_components)."""
    with torch.inference_mode():
        rows = DeviceRows(problem.transposed().X, problem.device).everything()
        return module.encode(rows, module.inputs(rows)).cpu().numpy()
