"""AutoRec of users' rows: an autoencoder of observed ratings (Sedhain et al. 2015)."""

from skrec._torch._stacked_net import StackedNet, masked_squares
from skrec.autoencoder._rating_estimator import RATING_RULES, RatingAutoencoder
from skrec.utils._params import POSITIVE_INTEGER


class UserAutoRec(RatingAutoencoder):
    r"""Autoencoder of users' ratings: U-AutoRec.

    A network with one hidden layer encodes and decodes the row r_u of a user, less the items' mean
    ratings m and with 0 for missing ratings. Only observed ratings :math:`R` enter the loss [1]_:

    .. math:: \min \; \sum_{(u, i) \in R} (r_{ui} - \hat r_{ui})^2
        + \frac{\alpha}{2} \left( \|W\|_F^2 + \|V\|_F^2 \right), \qquad
        \hat r_u = W g(V (r_u - m) + \mu) + b

    where g is the activation. The biases :math:`\mu` and b have no penalty. A batch B of the n
    users has the share :math:`|B| / n` of the penalty.

    Scores are predicted ratings; ``score`` is minus the RMSE. Ratings may be negative;
    zeros, stored or not, mean "not rated".

    Parameters
    ----------
    n_components : int, default=500
        Number of units of the hidden layer.
    activation : {"sigmoid", "tanh", "relu", "selu", "identity"}, default="sigmoid"
        The activation g; the outputs have none.
    alpha : float, default=300.0
        Penalty, the paper's :math:`\lambda`, >= 0.
    center : bool, default=True
        Whether the network reads ratings less the mean of their item. False, as in the paper:
        m = 0.
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
        Users in a batch.
    max_iter : int, default=60
        Number of epochs; with `warm_start`, of further epochs.
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
        Whether a further `fit` continues from the fitted weights. Adam's moments start anew.
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
    default_rating_ : float
        The default in use.
    rating_range_ : tuple of float
        Least and greatest training rating.
    n_ratings_ : ndarray of int of shape (n_items,)
        Training ratings of each item.
    loss_curve_ : list of float
        Sum of squared errors per user over the batches of each epoch, without the penalty.
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
    ItemAutoRec : The same for items' columns; usually more accurate.
    StackedAutoencoder : With more layers, noise and pretraining.

    Notes
    -----
    An epoch takes about ``2 * n_users * n_items * n_components`` flops for the outputs (it keeps
    the outputs with a rating) and ``8 * X.nnz * n_components`` for all else. In each batch Adam
    updates ``2 * n_items * n_components`` numbers. The largest array is the outputs of a batch,
    batch_size x n_items.

    Differs from [1]_: the network reads centred ratings, unless ``center=False``; Adam replaces
    RProp; b begins at the items' mean ratings.

    References
    ----------
    .. [1] S. Sedhain, A. K. Menon, S. Sanner and L. Xie, "AutoRec: Autoencoders meet
       collaborative filtering", WWW 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.autoencoder import UserAutoRec
    >>> X = np.array([[5, 4, 0, 1], [4, 5, 2, 0], [1, 2, 5, 4], [0, 1, 4, 5]] * 5)
    >>> model = UserAutoRec(8, alpha=0.1, max_iter=200, learning_rate=0.01, random_state=0)
    >>> model.fit(X).predict([[5, 0, 0, 0], [0, 0, 0, 5]])
    array([1, 2])
    """

    _parameter_rules = {"n_components": POSITIVE_INTEGER, **RATING_RULES}
    _search_grid = [{"alpha": alpha} for alpha in (200.0, 300.0, 400.0)]

    def __init__(
        self,
        n_components=500,
        *,
        activation="sigmoid",
        alpha=300.0,
        center=True,
        default_rating=None,
        clip=True,
        learning_rate=0.001,
        schedule="linear",
        batch_size=128,
        max_iter=60,
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

    def _loss(self, module, batch, step, generator):
        outputs = module.observed(batch, module.inputs(batch))
        return masked_squares(outputs, batch, batch.weight[batch.row])

    @property
    def _n_features_out(self):
        return self.n_components
