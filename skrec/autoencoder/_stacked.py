"""StackedAutoencoder: deep and denoising autoencoders of observed ratings."""

import torch

from skrec._torch._layers import full_precision
from skrec._torch._layerwise import code_errors, layer_pair, pretrain
from skrec._torch._products import by_column
from skrec._torch._stacked_net import StackedNet, corrupted, masked_squares
from skrec.autoencoder._rating_estimator import RATING_RULES, RatingAutoencoder
from skrec.utils._fitted import CURVE, Series
from skrec.utils._params import BOOLEAN, NON_NEGATIVE, NONE, POSITIVE_INTEGER, SIZES, Options
from skrec.utils._state_torch import products_in


class StackedAutoencoder(RatingAutoencoder):
    r"""Autoencoder of users' ratings with several layers, noise and pretraining.

    The row r_u of a user, less the items' mean ratings and with 0 for missing ratings, is
    corrupted by noise. A network f encodes it in layers, and decodes it in the same sizes in
    reverse order. Only observed ratings :math:`R`, without noise, enter the loss, as in AutoRec
    [1]_:

    .. math:: \min \; \sum_{(u, i) \in R} (r_{ui} - f_i(\tilde r_u))^2
        + \frac{\alpha}{2} \sum_l \|W_l\|_F^2

    over weights :math:`W_l` and biases; biases have no penalty. With ``tied_weights=True`` the
    decoder's weights are the encoder's, transposed, and count once. A batch B of the n users has
    the share :math:`|B| / n` of the penalty.

    ``pretraining="layerwise"`` first learns one layer after the other [2]_: the first as an
    autoencoder of the ratings with the loss above, each further layer as an autoencoder of the
    codes of the layers below it, with the sum of squared errors of all units. Then all layers are
    trained together.

    Scores are predicted ratings; ``score`` is minus the RMSE. Ratings may be negative;
    zeros, stored or not, mean "not rated".

    Parameters
    ----------
    hidden_layer_sizes : tuple of int, default=(500,)
        Sizes of the encoder's layers; the decoder reverses them.
    activation : {"sigmoid", "tanh", "relu", "selu", "identity"}, default="sigmoid"
        Activation of all layers but the last.
    tied_weights : bool, default=False
        Whether the decoder shares the encoder's weights.
    pretraining : {"layerwise"} or None, default=None
        See above.
    pretraining_max_iter : int, default=10
        Epochs of pretraining for each layer, at the first learning rate.
    corruption : {"mask", "gaussian"} or None, default=None
        Noise on the inputs in training; in pretraining, on the inputs of each layer. "mask" sets
        entries to 0 with probability `corruption_level` and divides the others by
        ``1 - corruption_level``, so that sums keep their mean. "gaussian" adds normal noise to
        the observed ratings.
    corruption_level : float, default=0.1
        The probability, in [0, 1), or the standard deviation, >= 0.
    alpha : float, default=300.0
        Penalty, >= 0.
    center : bool, default=True
        Whether the network reads ratings less the mean of their item; otherwise it reads the
        ratings themselves.
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
    pretraining_curves_ : list of list of float
        Losses of each layer's pretraining; empty without it.

    See Also
    --------
    UserAutoRec : One hidden layer, no noise.
    MultDAE : The denoising autoencoder for implicit feedback.

    Notes
    -----
    An epoch takes about ``2 * n_users * n_items + 8 * X.nnz`` flops for each unit of the first
    hidden layer, and 12 for each user and weight between hidden layers. In each batch Adam updates
    n_items numbers for each unit, twice as many without tied weights. The largest array is the
    outputs of a batch, batch_size x n_items.

    Differs from [2]_: masking noise scales up the kept entries, and the final task is to
    reconstruct, not to classify.

    References
    ----------
    .. [1] S. Sedhain, A. K. Menon, S. Sanner and L. Xie, "AutoRec: Autoencoders meet
       collaborative filtering", WWW 2015.
    .. [2] P. Vincent, H. Larochelle, I. Lajoie, Y. Bengio and P.-A. Manzagol, "Stacked
       denoising autoencoders", JMLR 11, 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.autoencoder import StackedAutoencoder
    >>> X = np.array([[5, 4, 0, 1], [4, 5, 2, 0], [1, 2, 5, 4], [0, 1, 4, 5]] * 5)
    >>> model = StackedAutoencoder(
    ...     (8, 4), alpha=0.1, max_iter=200, learning_rate=0.01, random_state=0
    ... ).fit(X)
    >>> model.predict([[5, 0, 0, 0], [0, 0, 0, 5]])
    array([1, 2])
    """

    _parameter_rules = {
        "hidden_layer_sizes": SIZES,
        "tied_weights": BOOLEAN,
        "pretraining": (NONE, Options(("layerwise",))),
        "pretraining_max_iter": POSITIVE_INTEGER,
        "corruption": (NONE, Options(("mask", "gaussian"))),
        "corruption_level": NON_NEGATIVE,
        **RATING_RULES,
    }
    _search_grid = [{"corruption": "mask", "corruption_level": level} for level in (0.1, 0.2, 0.4)]

    _fitted_rules = {"pretraining_curves_": Series(CURVE)}

    def __init__(
        self,
        hidden_layer_sizes=(500,),
        *,
        activation="sigmoid",
        tied_weights=False,
        pretraining=None,
        pretraining_max_iter=10,
        corruption=None,
        corruption_level=0.1,
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
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.tied_weights = tied_weights
        self.pretraining = pretraining
        self.pretraining_max_iter = pretraining_max_iter
        self.corruption = corruption
        self.corruption_level = corruption_level
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

    def _start_fit(self, X, *, reset=True):
        X = super()._start_fit(X, reset=reset)
        if self.corruption == "mask" and self.corruption_level >= 1:
            raise ValueError(
                'corruption_level is a probability with corruption="mask" and must be < 1. Got '
                f"{self.corruption_level}."
            )
        return X

    def _net(self, n_columns):
        sizes = tuple(self.hidden_layer_sizes)
        return StackedNet(n_columns, sizes, self.activation, tied=self.tied_weights)

    def _pretrain(self, module, batches, problem):
        self.pretraining_curves_ = []
        if self.pretraining == "layerwise":
            for level in range(len(self.hidden_layer_sizes)):
                self._pretrain_layer(module, level, batches, problem.noise)

    def _pretrain_layer(self, module, level, batches, generator):
        """Train one layer of the encoder, and its mirror image in the decoder."""
        layer_loss = self._code_loss if level else self._rating_loss
        autocast = self._autocast(module)

        def loss(batch):
            with autocast:
                value = layer_loss(module, level, batch, generator)
            torch.clear_autocast_cache()  # see `TorchRecommender._run`
            return value

        with products_in(self.precision):
            losses = pretrain(
                layer_pair(module, level),
                batches,
                loss,
                alpha=self.alpha / self._n_examples,
                learning_rate=self.learning_rate,
                n_epochs=self.pretraining_max_iter,
            )
        self.pretraining_curves_.append(losses)

    def _noisy(self, value, generator):
        return corrupted(value, self.corruption, self.corruption_level, generator)

    def _rating_loss(self, module, level, batch, generator):
        """Loss of the outermost layers alone."""
        turned = by_column(batch, self.n_features_in_)
        code = module.first_code(batch, self._noisy(module.inputs(batch), generator), turned)
        outputs = module.outputs_at(batch, code, turned)
        return masked_squares(outputs, batch, batch.weight[batch.row])

    def _code_loss(self, module, level, batch, generator):
        """Loss of a further layer, which reconstructs the codes of the layers below it."""
        with torch.no_grad():
            code = full_precision(module.encode(batch, module.inputs(batch), depth=level))
        errors = code_errors(module, level, code, self._noisy(code, generator))
        return (batch.weight * errors).mean()

    def _loss(self, module, batch, step, generator):
        outputs = module.observed(batch, self._noisy(module.inputs(batch), generator))
        return masked_squares(outputs, batch, batch.weight[batch.row])

    @property
    def _n_features_out(self):
        return self.hidden_layer_sizes[-1]
