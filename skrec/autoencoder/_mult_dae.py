"""MultDAE: the denoising autoencoder with a multinomial likelihood (Liang et al. 2018)."""

from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from torch import nn

from skrec._loss._likelihoods import layer_loss, likelihood
from skrec._torch._estimator import STOPPING_RULES, TorchRecommender
from skrec._torch._layers import (
    ACTIVATIONS,
    Linear,
    SparseLinear,
    dense_layers,
    dropped,
    initialise,
    unit_length,
)
from skrec._torch._optimizers import split_penalty
from skrec.autoencoder._outputs import (
    LIKELIHOODS,
    ProbabilitiesMixin,
)
from skrec.utils._params import FRACTION, NON_NEGATIVE, SIZES, Options


class DenoisingNet(nn.Module):
    """n_items - h_1 - ... - h_m - ... - h_1 - n_items, with activations except at the end.

    Parameters
    ----------
    n_items : int
    hidden : tuple of int
        h_1 ... h_m; the decoder mirrors the encoder.
    activation : str
    """

    def __init__(self, n_items, hidden, activation):
        super().__init__()
        self.first = SparseLinear(n_items, hidden[0])
        self.activation = ACTIVATIONS[activation]()
        self.encoder = dense_layers(hidden, activation)
        self.decoder = dense_layers(hidden[::-1], activation)
        self.last = Linear(hidden[0], n_items)

    def encode(self, rows, value):
        """The innermost layer, shape (n_rows, h_m)."""
        return self.encoder(self.activation(self.first(rows, value)))

    def hidden(self, rows, value):
        """The layer before the outputs, shape (n_rows, h_1)."""
        return self.decoder(self.encode(rows, value))

    def forward(self, rows, value):
        """Outputs of shape (n_rows, n_items)."""
        return self.last(self.hidden(rows, value))


class MultDAE(
    ProbabilitiesMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, TorchRecommender
):
    r"""Denoising autoencoder of users' rows with a multinomial likelihood.

    The row of a user is scaled to length 1, and entries are dropped at random. A network f learns
    to reconstruct the whole row [1]_:

    .. math:: \min \; \frac1n \sum_u -\log p(x_u \mid f(\tilde x_u))
        + \frac{\alpha}{2} \sum_l \|W_l\|_F^2, \qquad
        \log p(x_u \mid f) = \sum_i x_{ui} \log \frac{e^{f_i}}{\sum_j e^{f_j}}

    This is the multinomial likelihood; ``likelihood="gaussian"`` and ``"logistic"`` replace
    :math:`\log p` by

    .. math:: -\tfrac12 \sum_i c_{ui} (x_{ui} - f_i)^2, \qquad
        \sum_i [x_{ui} > 0] \log \sigma(f_i) + [x_{ui} = 0] \log \sigma(-f_i)

    where :math:`c_{ui} = 1 + c \, [x_{ui} > 0]` and c is `confidence`.

    Scores are the outputs f, the logits; they rank items.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int, default=(200,)
        Sizes of the encoder's layers; the decoder reverses them. (200,) is the
        paper's I-200-I.
    activation : {"tanh", "sigmoid", "relu", "selu", "identity"}, default="tanh"
        Activation of all layers but the last.
    likelihood : {"multinomial", "gaussian", "logistic"}, default="multinomial"
        See above. "logistic" reads every stored value as 1.
    confidence : float, default=10.0
        The c of the Gaussian likelihood, >= 0.
    dropout : float, default=0.5
        Rate of dropped entries of a row, in [0, 1).
    alpha : float, default=4e-5
        Penalty of the weights, >= 0, the authors' :math:`2 \lambda`; biases have none.
    learning_rate : float, default=0.001
        Adam's learning rate, > 0.
    batch_size : int, default=200
        Users in a batch; the authors' 500 make too few steps with some hundred users.
    max_iter : int, default=100
        Number of epochs, the most with early stopping; with `warm_start`, of further epochs.
    precision : {"float32", "tf32", "bfloat16"}, default="float32"
        Precision of the matrix products in `fit`; weights are always float32. Only GPUs have
        TF32; a CPU uses float32 instead. A processor without bfloat16 emulates it and takes far
        longer.
    early_stopping : bool or "auto", default="auto"
        Whether to hold out users, stop when their nDCG@100 no longer rises, and keep the best
        weights. "auto": from 10,000 users on.
    validation_fraction : float, default=0.1
        Share of the users that `early_stopping` holds out, in (0, 1).
    n_iter_no_change : int, default=10
        Stop after this many epochs without a rise by more than `tol`.
    tol : float, default=1e-4
        Smallest rise of the validation score that counts, >= 0.
    warm_start : bool, default=False
        Whether a further `fit` continues from the fitted weights. Adam's moments start anew.
    device : {"auto", "cpu", "cuda", "cuda:N"} or torch.device, default="auto"
        Where to compute, resolved at each call; "auto" uses CUDA if there is a CUDA device.
    random_state : int, RandomState or None, default=None
        Seed of the first weights, the order and the dropout. The same seed gives the same
        bits on the same CPU.
    verbose : bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    weights_ : dict of str to ndarray, float32
        State of the network.
    loss_curve_ : list of float
        Mean of -log p over the batches of each epoch, without the penalty.
    validation_scores_ : list of float
        nDCG@100 of the held-out users after each epoch; empty without `early_stopping`.
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
    MultVAE : With a distribution of the latent vector.
    skrec.linear_model.EASE : The linear autoencoder, in closed form.

    Notes
    -----
    The first layer reads only the entries of the rows. An epoch takes about
    ``6 * n_users * n_items * h_1`` flops for the last layer; in each batch Adam updates
    n_items h_1 numbers for it. On the CPU a batch's outputs take about 4 bytes for each element
    with the multinomial likelihood, 8 with the logistic and 16 with the Gaussian.

    Differs from [1]_: the penalty is relative to the mean loss of a user, so the authors' .01 /
    batch size is ``alpha=4e-5`` with their batches of 500.

    References
    ----------
    .. [1] D. Liang, R. G. Krishnan, M. D. Hoffman and T. Jebara, "Variational autoencoders
       for collaborative filtering", WWW 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.autoencoder import MultDAE
    >>> X = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1], [0, 0, 1, 1]] * 5)
    >>> model = MultDAE((8,), max_iter=200, learning_rate=0.01, random_state=0).fit(X)
    >>> model.predict([[1, 0, 0, 0], [0, 0, 0, 1]])
    array([1, 2])
    """

    _parameter_rules = {
        "hidden_layer_sizes": SIZES,
        "activation": Options(tuple(ACTIVATIONS)),
        "likelihood": LIKELIHOODS,
        "confidence": NON_NEGATIVE,
        "dropout": FRACTION,
        "alpha": NON_NEGATIVE,
        **STOPPING_RULES,
    }
    _search_grid = [{"max_iter": 60, "alpha": alpha} for alpha in (4e-5, 2e-4, 1e-3)]

    def __init__(
        self,
        hidden_layer_sizes=(200,),
        *,
        activation="tanh",
        likelihood="multinomial",
        confidence=10.0,
        dropout=0.5,
        alpha=4e-5,
        learning_rate=0.001,
        batch_size=200,
        max_iter=100,
        precision="float32",
        early_stopping="auto",
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
        self.likelihood = likelihood
        self.confidence = confidence
        self.dropout = dropout
        self.alpha = alpha
        self.learning_rate = learning_rate
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

    def _build_module(self, shape, problem=None):
        module = DenoisingNet(shape[1], tuple(self.hidden_layer_sizes), self.activation)
        if problem is not None:
            initialise(module, problem.generator)
        return module

    def _parameter_groups(self, module):
        return split_penalty(module, self.alpha)

    def _loss(self, module, batch, step, generator):
        value = dropped(unit_length(batch), self.dropout, generator)
        model = likelihood(self.likelihood, self.confidence)
        losses = layer_loss(model, module.last, module.hidden(batch, value), batch)
        return (batch.weight * losses).mean()

    def _score(self, module, rows):
        return module(rows, unit_length(rows))

    @property
    def _n_features_out(self):
        return self.hidden_layer_sizes[-1]

    def transform(self, X):
        """Compute the outputs of the innermost layer.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_users, n_items)
            Interactions of the users, known or new.

        Returns
        -------
        vectors : ndarray of shape (n_users, hidden_layer_sizes[-1]), dtype of X
            A representation of each user.
        """
        X = self._start_dense(X, self._n_features_out)
        return self._encoded(X, lambda module, rows: module.encode(rows, unit_length(rows)))
